"""What a snoozed incident tells all the same, and what is kept and not told: decided without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from services.alerts.bursts.transitions import repeated
from services.alerts.incidents.incident import Incident, IncidentFigures, opened, resolved
from services.alerts.incidents.snoozing import (
    FLAPS,
    at_stake,
    ended,
    has_outgrown,
    held_until,
    snoozed,
    told_again,
)
from services.alerts.incidents.withheld import PlannedWindow, withheld
from spendmeter.contracts.incidents import TopContributor, Transition

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=4)
WINDOW = PlannedWindow(
    id=UUID(int=1), filter={"team": "data"}, starts_at=NOON - timedelta(hours=1), ends_at=LATER
)


def incident(amount: str = "120", **columns: Any) -> Incident:
    """A burst of an agent: 120 USD where 20 were usual, at 600 an hour; of team data, says its largest series."""
    figures = IncidentFigures(
        amount=Decimal(amount), expected=Decimal(20), rate_per_hour=Decimal(columns.pop("rate", 600)),
        expected_per_hour=Decimal(60), of_which_provisional=Decimal(0),
        top_contributor=TopContributor(dimensions={"team": "data"}, amount="110", share="0.917"),
    )  # fmt: skip
    kept = {
        name: columns.pop(name)
        for name in ("state", "told", "number", "snoozed_until", "resolved_at")
        if name in columns
    }
    stated = {
        "tenant": "acme", "kind": "anomaly", "rule_id": "minute-burst", "rule_revision": 1, "rule_name": "Burst",
        "scope": {"agent": "batch"}, "began_at": NOON, "currency": "USD", "episode": 1,
    }  # fmt: skip
    return replace(opened(NOON, figures, **{**stated, **columns}), **kept)


def test_a_budget_is_about_all_that_was_spent_and_a_burst_about_what_is_over_the_usual() -> None:
    assert at_stake(incident()) == 100
    assert at_stake(incident(kind="budget")) == 120
    assert at_stake(incident(kind="unbooked")) == 0


def test_what_is_snoozed_is_told_once_its_money_is_more_than_twice_what_people_knew_and_then_anew() -> None:
    """Known were 100 over the usual: 220 - 20 = 200 is twice that, 221 - 20 more; then 402 is the next twice."""
    asleep = snoozed(incident(), LATER, NOON)
    assert told_again(replace(asleep, amount=Decimal(220)), NOON).number == 0
    told = told_again(replace(asleep, amount=Decimal(221)), NOON)
    assert (told.number, told.snoozed_amount) == (1, 201)
    assert told.details["grew"] == {"from": "100", "to": "201"}
    assert told_again(replace(told, amount=Decimal(422)), NOON).number == 1
    assert told_again(replace(told, amount=Decimal(423)), NOON).number == 2


def test_when_the_snooze_is_over_or_taken_back_money_is_told_by_its_own_rule_again() -> None:
    asleep = replace(snoozed(incident(), LATER, NOON), amount=Decimal(1000))
    assert has_outgrown(asleep, NOON)
    assert not has_outgrown(asleep, LATER)
    assert not has_outgrown(snoozed(asleep, None, NOON), NOON)


@pytest.mark.parametrize(
    ("transition", "outgrown", "unheard", "waits"),
    [
        ("grew", False, False, True),
        ("grew", True, False, False),
        ("repeated", False, False, True),
        ("acknowledged", False, False, False),
        ("resolved", False, False, False),
        ("resolved", False, True, True),  # nobody heard that it had begun again
    ],
)
def test_a_snooze_holds_all_but_an_end_and_money_that_nobody_knows_of(
    transition: Transition, outgrown: bool, unheard: bool, waits: bool
) -> None:
    asleep = snoozed(incident(), LATER, NOON)
    held = held_until(asleep, transition, NOON, outgrown=outgrown, unheard=unheard)
    assert held == (LATER if waits else None)
    assert held_until(incident(), transition, NOON, outgrown=False, unheard=False) is None


def test_a_snooze_is_soon_over_with_what_it_was_for_and_holds_what_flaps_until_then() -> None:
    over = ended(resolved(snoozed(incident(), LATER, NOON), "quiet", NOON), unheard=False)
    assert over.snoozed_until == NOON + FLAPS
    short = snoozed(incident(), NOON + FLAPS / 2, NOON)
    assert ended(resolved(short, "quiet", NOON), unheard=False).snoozed_until == NOON + FLAPS / 2
    assert ended(resolved(incident(), "quiet", NOON), unheard=False).snoozed_until is None


def test_what_begins_again_counts_with_what_people_knew_of_its_earlier_times() -> None:
    """Known were 100, and 150 with its end: of 170 - 20 over the usual. Twice that are 300: 150 more are no news."""
    over = resolved(replace(snoozed(incident(), LATER, NOON), amount=Decimal(170)), "quiet", NOON)
    over = ended(over, unheard=False)
    assert over.snoozed_amount == 150
    columns = {"snoozed_until": over.snoozed_until, "snoozed_amount": over.snoozed_amount}
    again = replace(repeated(over, incident(), NOON), **columns)
    assert at_stake(replace(again, amount=Decimal(170))) == 300
    assert told_again(replace(again, amount=Decimal(170)), NOON).number == again.number
    told = told_again(replace(again, amount=Decimal(171)), NOON)
    assert (told.number, told.details["grew"]) == (again.number + 1, {"from": "150", "to": "301"})
    third = repeated(resolved(replace(again, amount=Decimal(171)), "quiet", NOON), incident("20"), NOON)
    assert at_stake(third) == 301


def test_of_an_end_that_nobody_heard_of_nobody_knows_the_money() -> None:
    asleep = replace(snoozed(incident(), LATER, NOON), amount=Decimal(170))
    assert ended(resolved(asleep, "quiet", NOON), unheard=True).snoozed_amount == 100


def test_what_is_planned_is_kept_and_not_told_by_its_scope_or_by_where_its_money_is() -> None:
    for each in (incident(), incident(scope={"team": "data", "agent": "x"})):
        kept = withheld(each, [], [WINDOW], NOON)
        assert (kept.told, kept.planned) == (False, WINDOW.id)
    little = replace(
        incident(), top_contributor={"dimensions": {"team": "data"}, "amount": "60", "share": "0.5"}
    )
    assert withheld(little, [], [WINDOW], NOON).told
    assert withheld(incident(), [], [replace(WINDOW, filter={"team": "search"})], NOON).told


@pytest.mark.parametrize("kind", ["budget", "forecast", "burn", "unbooked", "silence"])
def test_a_budget_is_told_whatever_is_planned(kind: str) -> None:
    assert withheld(incident(kind=kind), [], [replace(WINDOW, filter={})], NOON).told


def test_what_began_before_its_window_or_comes_after_it_was_not_planned() -> None:
    early = incident(began_at=WINDOW.starts_at - timedelta(minutes=10))
    assert withheld(early, [], [WINDOW], NOON).told
    assert withheld(incident(), [], [WINDOW], LATER).told


def test_a_loop_within_a_burst_that_was_told_is_a_part_of_it() -> None:
    burst = incident(scope={"workflow": "refund"})
    loop = incident(kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=500)
    assert withheld(loop, [burst], [], NOON).parent == burst.id
    assert withheld(replace(loop, peak_per_hour=Decimal(601)), [burst], [], NOON).told
    assert withheld(loop, [replace(burst, told=False)], [], NOON).told
    assert withheld(loop, [replace(burst, state="resolved", resolved_at=NOON)], [], NOON).told
    other = incident(kind="loop", scope={"workflow": "triage", "run": "r1"}, rate=500)
    assert withheld(other, [burst], [], NOON).told


def test_a_loop_of_whose_agent_a_burst_was_told_is_a_part_of_it_by_where_its_money_lies() -> None:
    burst = incident(scope={"agent": "batch", "team": "data"})
    nothing = {"dimensions": {}, "amount": "0", "share": "0"}
    loop = replace(incident(kind="loop", scope={"run": "r1"}, rate=500), top_contributor=nothing)
    assert withheld(loop, [burst], [], NOON).told
    lying = {"lies_in": {"agent": "batch", "team": "data", "sku": "gpt-4o"}}
    assert withheld(replace(loop, details=lying), [burst], [], NOON).parent == burst.id
    elsewhere = {"lies_in": {"agent": "batch", "team": "search"}}
    assert withheld(replace(loop, details=elsewhere), [burst], [], NOON).told


def test_a_loop_that_is_faster_than_a_burst_was_is_a_part_of_it_where_the_money_is_the_same() -> None:
    """The burst was told with 100 over the usual, at 600 an hour; the loop goes on at 6,000, and spent 80 or more."""
    burst = incident(scope={"workflow": "refund"})
    now = NOON + timedelta(minutes=1)
    loop = incident("80", kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=6000)
    assert withheld(loop, [burst], [], now).parent == burst.id
    assert withheld(replace(loop, amount=Decimal(79)), [burst], [], now).told, (
        "twenty-one are somebody else's"
    )
    # In the 40 seconds of a burst an old run of 4,000 in all spent 66.67 at most.
    old = replace(loop, amount=Decimal(4000), began_at=NOON - timedelta(hours=1))
    assert withheld(old, [burst], [], NOON + timedelta(seconds=40)).told


def test_a_burst_that_is_faster_than_a_loop_was_is_a_part_of_it_where_the_money_is_the_same() -> None:
    loop = incident("80", kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=300)
    burst = incident(scope={"workflow": "refund"}, began_at=NOON - timedelta(minutes=16))
    assert withheld(burst, [loop], [], NOON).parent == loop.id  # of 300 an hour sixteen minutes are 80
    assert withheld(burst, [replace(loop, amount=Decimal(79))], [], NOON).told


def test_a_burst_that_is_nearly_all_one_loop_is_a_part_of_that_loop() -> None:
    """480 of 600 an hour are four fifths."""
    loop = incident(kind="loop", scope={"workflow": "refund", "run": "r1"}, rate=480)
    burst = incident(scope={"workflow": "refund"})
    assert withheld(burst, [loop], [], NOON).parent == loop.id
    assert withheld(burst, [replace(loop, peak_per_hour=Decimal(479))], [], NOON).told
