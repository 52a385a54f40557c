"""What strangers chose (ids, labels, reasons, names) reaches a terminal as text, and steers nothing there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from io import StringIO

import httpx
import pytest
import typer
from rich.console import Console

from cli import _verify
from cli._http import problem_text
from cli._rerates import print_job
from cli._running import fail
from cli._table import print_table
from deploy.local.home import CLONE
from services.api.http.openapi import EXAMPLES
from spendmeter.contracts.visible import visible
from tests.cli.fake import Fake, fake_system
from tests.cli.test_sending import run
from tests.house.sources import sources
from tests.verify.test_telling import report

HOSTILE = "a\x1b[2J\nbooked: bank/1\r\u202egpj\ud800"
"""Wipes the screen, forges a line, goes back to its start, turns the rest around, and is no Unicode."""
SHOWN = r"a\x1b[2J\nbooked: bank/1\r\u202egpj\ud800"


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    with fake_system() as fake:
        monkeypatch.setenv("SPENDMETER_API_URL", fake.url)
        monkeypatch.setenv("SPENDMETER_API_KEY", "sm_test")
        yield fake


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, SHOWN),
        ("\x9b31mred", r"\x9b31mred"),  # the same order to a terminal, in one character
        ("tab\tbell\adelete\x7f", r"tab\tbell\x07delete\x7f"),
        ("zero\u200bwidth\ufeff\u2066isolate\u2028", r"zero\u200bwidth\ufeff\u2066isolate\u2028"),
        ("Köln, 東京, naïve 😀", "Köln, 東京, naïve 😀"),
        (r"C:\new", r"C:\new"),
        ("", ""),
    ],
)
def test_what_cannot_be_seen_is_shown_as_an_escape_and_the_rest_as_it_is(text: str, shown: str) -> None:
    assert visible(text) == visible(visible(text)) == shown


def test_an_id_that_holds_a_line_and_orders_is_one_line_of_what_was_not_booked(system: Fake) -> None:
    rows, faults = deepcopy(EXAMPLES["unbooked"]), deepcopy(EXAMPLES["faults"])
    rows["unbooked"][0] |= {"id": HOSTILE, "reason": HOSTILE, "key_name": HOSTILE}
    rows["unbooked"][0]["booked_instead"] |= {"id": HOSTILE}
    faults["faults"][0] |= {"id": HOSTILE, "fault": HOSTILE}
    system.unbooked = {"/v1/unbooked": rows, "/v1/unbooked/faults": faults}
    first, place, instead = run("unbooked", "--rows").output.splitlines()
    assert first == f"rejected: checkout-bot/{SHOWN}: {SHOWN}"
    assert f"key {SHOWN} (" in place
    assert f"booked instead: checkout-bot/{SHOWN} (" in instead
    counted, last, _ = run("unbooked").output.splitlines()
    assert counted.endswith(f": {SHOWN}")
    assert last.endswith(f"/{SHOWN}")


def test_what_stays_of_a_re_rate_is_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    job = deepcopy(EXAMPLES["rerate"])
    job["applied"] = None
    job["reason"] = HOSTILE
    job["preview"]["left"] = [{"source": HOSTILE, "id": HOSTILE, "reason": HOSTILE}]
    job["preview"]["differences"][0] |= {"team": HOSTILE, "sku": HOSTILE}
    print_job(job)
    out = capsys.readouterr().out
    assert f"stays: {SHOWN}/{SHOWN}: {SHOWN}" in out.splitlines()
    assert f"/{SHOWN} " in out


def test_a_table_a_refusal_and_a_finding_of_verify_show_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("team",), [[HOSTILE]])
    problem = {"title": "Bad", "detail": HOSTILE, "errors": [{"index": 0, "field": "id", "reason": HOSTILE}]}
    answer = httpx.Response(422, text=json.dumps(problem), request=httpx.Request("GET", "http://api"))
    with pytest.raises(typer.Exit):
        fail(problem_text(answer))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1].strip() == SHOWN
    assert printed.err.splitlines() == [f"422 Bad: {SHOWN}", f"  event 0: id {SHOWN}"]
    found, console = report(), Console(file=StringIO(), width=120)
    found.find("I1", "missing", HOSTILE)
    _verify.show(found, console)
    assert f"I1 {SHOWN}: missing" in console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_no_command_prints_past_the_one_way_to_a_terminal() -> None:
    past = [
        path
        for path, text in sources()
        if path.startswith("cli/") and path != "cli/_terminal.py" and re.search(r"\becho\(|\bprint\(", text)
    ]
    assert past == ["cli/_progress.py", "cli/_table.py", "cli/_verify.py", "cli/status.py"], (
        "these four draw with rich, and make visible what they draw; every other command says `say`"
    )


ENDLESS_TAIL = """
import sys
from cli import app, tail
async def records(access, topic, last):
    while True:
        yield b"{}"
tail.records = records
sys.argv = ["spendmeter", "tail"]
app.main()
"""


def test_a_command_whose_reader_has_enough_ends_and_says_nothing() -> None:
    pipe = subprocess.PIPE
    environment = {"PATH": "", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    command = [sys.executable, "-c", ENDLESS_TAIL]
    with subprocess.Popen(command, cwd=CLONE, env=environment, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"a record that this release cannot read\n"
        process.stdout.close()
        assert (process.wait(timeout=60), process.stderr.read()) == (1, b"")
