"""Runs that go round and round are found within a minute; those that are only busy are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from services.alerts.incidents.incident import Incident, IncidentFigures, opened, with_figures
from services.alerts.loops.loops import RunningRun, RunReading, UsualRuns, loop_of
from services.alerts.loops.words import LoopWording
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.incidents import TopContributor
from tests.alerts.conftest import Book

RULE = default_rule("loop")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
USUAL = UsualRuns(runs=200, calls=Decimal(12), calls_a_minute=Decimal(4), with_outcome=190)


def run(*seconds_calls_money: tuple[int, int, str]) -> tuple[RunningRun, datetime]:
    """A run that began at noon, as it was read after so many seconds."""
    readings = [
        RunReading(NOON + timedelta(seconds=s), calls, Decimal(money))
        for s, calls, money in seconds_calls_money
    ]
    made = RunningRun(
        run="run-81", workflow="refund", first_at=NOON, last_at=readings[-1].at, provisional=Decimal(0)
    )
    made.readings.extend(readings)
    return made, readings[-1].at


def test_a_loop_is_found_within_a_minute_of_its_beginning() -> None:
    """24 calls in 45 s are 32 a minute, eight times the 4 of usual runs; 0.60 in 45 s is 48 an hour."""
    looping, now = run((15, 8, "0.20"), (30, 16, "0.40"), (45, 24, "0.60"))
    loop = loop_of(looping, USUAL, RULE, now, has_outcome=True)
    assert loop is not None
    assert (loop.calls_a_minute, loop.rate_per_hour, loop.times_as_fast) == (32, 48, 8)
    assert loop.times_as_long == 2


def test_a_run_as_fast_as_others_of_its_workflow_is_none() -> None:
    busy, now = run((60, 200, "4"))
    fast = replace(USUAL, calls=Decimal(900), calls_a_minute=Decimal(150))
    assert loop_of(busy, fast, RULE, now, has_outcome=True) is None


def test_a_slow_loop_is_found_by_its_length() -> None:
    """61 calls where 12 are usual, three a minute: no faster than others, five times as long."""
    slow, now = run(*((20 * n, n, f"{n * 0.03:.2f}") for n in range(1, 62)))
    cheap = replace(RULE, changed={"amount_per_hour_min": "5", "calls_min": "10"})
    assert loop_of(slow, USUAL, cheap, now, has_outcome=True) is not None


def test_a_growing_context_or_a_missing_outcome_makes_half_of_it_enough() -> None:
    """3.75 times as fast as usual: too little alone (5), enough with one sign (2.5)."""
    steady, now = run((20, 5, "0.125"), (40, 10, "0.25"), (60, 15, "0.375"), (80, 20, "0.50"))
    assert loop_of(steady, USUAL, RULE, now, has_outcome=True) is None
    lacking = loop_of(steady, USUAL, RULE, now, has_outcome=False)
    assert lacking is not None
    assert lacking.lacks_outcome
    growing, now = run((20, 5, "0.10"), (40, 10, "0.25"), (60, 15, "0.50"), (80, 20, "0.90"))
    found = loop_of(growing, USUAL, RULE, now, has_outcome=True)
    assert found is not None
    assert found.growth == 4  # 0.40 for the last five calls, 0.10 for the first


def test_a_cheap_loop_is_nobodys_concern() -> None:
    looping, now = run((30, 400, "0.02"))
    assert loop_of(looping, USUAL, RULE, now, has_outcome=False) is None


def test_of_a_new_workflow_only_a_dear_run_is_told() -> None:
    """30 calls in 60 s; 0.30 is 18 an hour, below four times 5; 0.60 is 36."""
    cheap, now = run((60, 30, "0.30"))
    cheap.readings[-1] = cheap.now._replace(effective=Decimal("0.50"), calls=30)
    assert (
        loop_of(run((120, 30, "0.50"))[0], None, RULE, NOON + timedelta(seconds=120), has_outcome=False)
        is None
    )
    dear, now = run((60, 30, "0.60"))
    assert loop_of(dear, None, RULE, now, has_outcome=False) is not None
    assert loop_of(dear, None, RULE, now, has_outcome=True) is None


def test_one_reading_of_an_old_run_says_nothing_of_its_pace() -> None:
    old, _ = run((3600, 5000, "90"))
    assert loop_of(old, USUAL, RULE, NOON + timedelta(hours=1), has_outcome=False) is None


def told_of(peak: str, rate: str) -> Incident:
    """A loop that went at `peak` an hour when it was found, and goes at `rate` now."""
    figures = IncidentFigures(
        amount=Decimal(60), expected=Decimal(0), rate_per_hour=Decimal(peak), expected_per_hour=Decimal(0),
        of_which_provisional=Decimal(0), top_contributor=TopContributor(),
    )  # fmt: skip
    found = opened(
        NOON, figures, tenant="acme", kind="loop", rule_id="loop", rule_revision=1, rule_name="loops",
        scope={"run": "run-81"}, episode=1, began_at=NOON, currency="USD",
        details={"calls": "900", "calls_a_minute": "240", "growth": "1", "lacks_outcome": False},
    )  # fmt: skip
    now = with_figures(found, replace(figures, rate_per_hour=Decimal(rate)), NOON)
    return LoopWording(zone=ZoneInfo("UTC")).with_words(now)


@pytest.mark.parametrize(
    ("rate", "title", "pace"),
    [
        ("12755", "goes round and round at 12,755 USD/h", "makes 240 calls a minute, 12,755.00 USD an hour"),
        (
            "40",
            "goes round and round at up to 12,755 USD/h, 40 now",
            "up to 12,755.00 USD an hour, 40.00 USD now",
        ),
        ("0", "went round and round at up to 12,755 USD/h, and makes no calls now", "has made none within"),
    ],
)
def test_a_loops_title_and_text_say_one_pace(rate: str, title: str, pace: str) -> None:
    told = told_of("12755", rate)
    assert told.title == f"run run-81 {title}"
    assert pace in told.summary
    assert " 0.00 USD" not in told.summary


async def called(book: Book, name: str, calls: int, money: str, seconds: float, *, ago_s: float = 0) -> None:
    """A run of `refund` as the projection has it: it began `ago_s` + `seconds` ago and called until `ago_s` ago."""
    last = datetime.now(UTC) - timedelta(seconds=ago_s)
    await book.owner.execute(
        "INSERT INTO runs (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, "
        "call_status, events, unpriced_events, list, contracted, effective, of_which_provisional, first_at, last_at, "
        "timed_events, latency_ms, latency_ms_max) "
        "VALUES ('acme', $1, 'refund', 'v2', 'model', 'USD', 'triage', 'openai', 'gpt-4o', 'ok', $2, 0, $3, $3, $3, 0, "
        "$4, $5, 0, 0, 0)",
        name, calls, Decimal(money), last - timedelta(seconds=seconds), last,
    )  # fmt: skip


@pytest.fixture
async def usual(book: Book) -> None:
    """Thirty runs of four calls in a minute each, which have ended an hour ago, with an outcome."""
    for number in range(30):
        await called(book, f"usual-{number}", 4, "0.04", 60, ago_s=3600)
    await book.owner.execute(
        "INSERT INTO run_outcomes (tenant, run, outcome_id, workflow, workflow_version, name, currency, events, count, "
        "value, identity, at) SELECT 'acme', run, sha256(run::bytea), 'refund', 'v2', 'refunded', '', 1, 1, 0, "
        "sha256(run::bytea), last_at FROM runs"
    )


async def complete(book: Book, at: datetime) -> None:
    await book.owner.execute("DELETE FROM log_ends")
    await book.owner.execute("INSERT INTO log_ends (partition, log_end, read_at) VALUES (0, 0, $1)", at)


async def test_a_loop_is_told_once_with_its_signs_and_is_over_when_all_that_it_called_is_known(
    book: Book, usual: None, watch: Any
) -> None:
    made = await watch()
    await called(book, "run-81", 40, "1.20", 40)
    await called(book, "run-82", 5, "0.05", 40)
    await made.look("loops")
    await made.look("loops")
    [incident] = await book.incidents()
    assert (incident["kind"], incident["severity"]) == ("loop", "critical")
    assert incident["scope"] == {"run": "run-81", "workflow": "refund"}
    assert (
        incident["title"] == "run run-81 of workflow refund goes round and round at 108 USD/h"
    )  # 1.20 in 40 s
    assert "It has no outcome, where most of them have one." in incident["summary"]
    assert incident["suggested_action"].startswith("Stop run run-81 of workflow refund")
    await book.owner.execute("DELETE FROM runs WHERE run = 'run-81'")
    await called(book, "run-81", 60, "1.80", 60, ago_s=400)
    await book.owner.execute(
        "UPDATE incidents SET updated_at = now() - interval '1 hour', hot_at = now() - interval '1 hour'"
    )
    await made.look("loops")
    [incident] = await book.incidents()
    assert incident["state"] == "open"  # nobody knows up to when the book is complete
    await complete(book, datetime.now(UTC))
    made = await watch()
    await made.look("loops")
    [incident] = await book.incidents()
    assert (incident["state"], incident["resolution"]) == ("resolved", "the run has stopped calling")
    assert incident["amount"] == Decimal("1.80")


async def test_a_loop_goes_on_while_the_ledger_stands_still(book: Book, usual: None, watch: Any) -> None:
    await complete(book, datetime.now(UTC) - timedelta(minutes=6))
    made = await watch()
    await called(book, "run-81", 40, "1.20", 40)
    await made.look("loops")
    await book.owner.execute("UPDATE runs SET last_at = now() - interval '7 minutes' WHERE run = 'run-81'")
    await made.look("loops")
    assert [each["state"] for each in await book.incidents()] == ["open"]


@pytest.mark.parametrize(("of_others", "team"), [("0.24", "support"), ("0.25", None)])
async def test_a_loop_knows_in_which_team_it_lies_whatever_else_its_workflow_spent(
    book: Book, usual: None, watch: Any, of_others: str, team: str | None
) -> None:
    """Of 1.20 four fifths at least: were all that the workflow spent elsewhere the run's, 0.24 would be a fifth."""
    made = await watch()
    now = datetime.now(UTC)
    await called(book, "run-81", 40, "1.20", 40)
    await book.spend("1.20", now, workflow="refund", agent="triage", team="support")
    await book.spend(of_others, now, workflow="refund", agent="triage", team="sales")
    await book.spend("50", now, workflow="another", agent="chat", team="sales")
    await book.spend("50", now - timedelta(minutes=10), workflow="refund", agent="before", team="sales")
    await made.look("loops")
    [incident] = await book.incidents()
    lying = incident["details"]["lies_in"]
    assert (lying["agent"], lying["provider"], lying.get("team")) == ("triage", "openai", team)


async def test_a_loop_within_a_budget_of_its_team_is_told_with_it(
    book: Book, usual: None, watch: Any
) -> None:
    await book.budget("1", team="support")
    made = await watch()
    await called(book, "run-81", 40, "1.20", 40)
    await book.spend("1.20", workflow="refund", agent="triage", team="support")
    await made.look("budgets")
    await made.look("loops")
    [budget] = await book.incidents("budget")
    [loop] = await book.incidents("loop")
    assert (loop["told"], loop["parent"]) == (True, budget["id"])
