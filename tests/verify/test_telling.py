"""What verify says while it works and at the end, to somebody who has never seen it."""

from __future__ import annotations

import asyncio
from io import StringIO
from typing import Any

from rich.console import Console

from cli import _verify
from cli.verify import kafka_access
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report
from spendmeter.verify.verdict import sentences

OUTCOMES = {"priced": 1200, "unpriced": 34, "duplicate": 1, "conflict": 2}


def report(**facts: Any) -> Report:
    found = Report()
    outcomes = dict.fromkeys(("free", "reported", "provisional", "rejected"), 0) | OUTCOMES
    found.facts |= {
        "records": 1237, "entries": 1234, "outcomes": outcomes, "submissions": None, "seconds": 2.0,
        "list": {"EUR": "0.90", "USD": "1234.50"}, **facts,
    }  # fmt: skip
    return found


def test_a_right_book_is_said_to_be_right_first() -> None:
    assert sentences(report()) == [
        "The book is right: 1,234 events, each booked once, and 1 copy and 2 conflicts set aside.",
        "Every amount follows from its event and price, to the last digit, and every total is the sum of its "
        "entries.",
    ]


def test_a_wrong_book_is_said_to_be_wrong_with_how_much_and_the_first() -> None:
    found = report()
    found.find("I5", "events is 2, its entries say 1", "acme 2026-11-23T12:00Z")
    for number in range(3):
        found.find("I1", "missing: passed, and neither booked nor set aside", f"acme bot/e{number}")
    assert sentences(found) == [
        "The book is WRONG: 3 events are missing, doubled, changed or wrongly set aside; 1 figure of the rollups "
        "or projections is not the sum of its entries.",
        "The first: acme bot/e0: missing: passed, and neither booked nor set aside.",
    ]


def test_what_was_not_checked_is_said_with_what_to_give() -> None:
    found = report()
    found.pass_over("I1", "submissions: no log of a sender was given")
    found.pass_over("I4", "entries without a price table", 1234)
    found.pass_over("I4", "corrections", 5)
    assert sentences(found) == [
        "Nothing is wrong, but not everything could be checked. 1,234 events, each booked once, and 1 copy and 2 "
        "conflicts set aside.",
        "Not checked: whether everything that was sent has arrived (give the sender's log: --submissions).",
        "Not checked: the prices themselves (give a table of prices: --prices).",
        "Not checked: 5 corrections.",
    ]


def test_no_python_value_is_ever_shown() -> None:
    found, console = report(), Console(file=StringIO(), width=120)
    found.find("I4", "changed: list is 1, its lines say 2", "acme bot/e0")
    _verify.show(found, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert text.startswith("The book is WRONG: 1 booked amount is not what it should be.")
    assert "1,234 (1,200 priced, 34 unpriced)" in text
    assert "0.9 EUR, 1,234.5 USD" in text
    for trace in ("{", "}", "None", "Decimal", "['", "Counter"):
        assert trace not in text


def test_a_line_of_progress_says_how_much_of_how_much_and_what_remains() -> None:
    progress = Progress(stage="reading", done=250_000, total=1_000_000, began=100.0)
    assert _verify.line(progress, 110.0) == "reading: 250,000 of 1,000,000 records, 25,000/s, remaining: 30 s"
    assert _verify.line(Progress(stage="connecting", began=100.0), 112.0) == "connecting (12 s)"


def test_a_pipe_gets_dated_lines_of_progress(monkeypatch: Any) -> None:
    monkeypatch.setattr(_verify, "PLAIN_LINE_S", 0.01)
    console = Console(file=StringIO(), markup=False)

    async def work() -> None:
        async with _verify.shown(Progress(stage="reading", done=1, total=2), console):
            while console.file.getvalue().count("\n") < 2:  # type: ignore[attr-defined]
                await asyncio.sleep(0.01)

    asyncio.run(work())
    first = console.file.getvalue().splitlines()[0]  # type: ignore[attr-defined]
    assert first[:2] == "20"
    assert "Z reading: 1 of 2 records" in first


def test_another_broker_is_never_given_the_running_systems_password() -> None:
    ours = KafkaAccess(servers="a:1", security_protocol="SASL_PLAINTEXT", username="u", password="running")
    theirs = KafkaAccess(servers="b:2", security_protocol="SASL_PLAINTEXT", username="u", password="stated")
    running, stated = ours.environment(), theirs.environment()
    assert kafka_access(None, running, stated) == kafka_access("a:1", running, stated) == ours
    assert kafka_access("b:2", running, stated) == theirs
    assert kafka_access("b:2", running, {}) == KafkaAccess(servers="b:2")
