"""A rule tried on what was: the incidents that it would have told, a day, and the money in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.alerts.dry_runs.bursts import BurstReplay
from services.alerts.dry_runs.fired import WouldHaveFired, dry_run_result
from services.alerts.scopes import MINUTE, NAMING_ORDER
from spendmeter.contracts.alert_rules import AlertRule, default_rule

START = datetime(2026, 11, 20, tzinfo=UTC)
BURST = default_rule("burst")


def folded(**amounts: str) -> str:
    """A minute in which these agents spent so much."""
    return json.dumps(
        [[[agent, *[""] * (len(NAMING_ORDER) - 1)], amount, "0", 6] for agent, amount in amounts.items()]
    )


def replayed(
    rule: AlertRule, bursts: dict[int, str], *, minutes: int = 24 * 60, learn_every: int = 1
) -> BurstReplay:
    """A day of 2 a minute of triage and 3 of review; in the minutes of `bursts` triage spends that instead."""
    replay = BurstReplay(rule, "USD", counted_from=START, learn_every=learn_every)
    for number in range(minutes):
        replay.minute(START + number * MINUTE, folded(triage=bursts.get(number, "2"), review="3"))
    return replay


def test_a_burst_in_a_quiet_day_is_one_incident_with_its_money() -> None:
    """Three minutes of 42 where 2 are usual: 3 x 40 = 120 over it, told within its first minute."""
    [fired] = replayed(BURST, {600: "42", 601: "42", 602: "42"}, minutes=700).fired()
    assert (fired.scope, fired.at) == ({"agent": "triage"}, START + 601 * MINUTE - timedelta(milliseconds=1))
    assert abs(fired.amount - 120) < Decimal("0.01")
    assert fired.messages == 1


def test_a_quiet_day_fires_nothing() -> None:
    assert replayed(BURST, {}, minutes=300).fired() == []


def test_a_higher_gate_fires_less() -> None:
    bursts = {200: "12", 201: "12", 400: "100", 401: "100"}
    low = replayed(BURST, bursts, minutes=500).fired()
    high = replayed(replace(BURST, changed={"amount_min": "50"}), bursts, minutes=500).fired()
    assert [each.at.hour for each in low] == [3]  # the second is told as a repeat of the first, within a day
    assert low[0].messages == 2
    assert [(each.at.hour, each.messages) for each in high] == [(6, 1)]


def test_a_replay_that_learns_more_seldom_finds_the_same_burst() -> None:
    bursts = {200: "42", 201: "42"}
    [often], [seldom] = (replayed(BURST, bursts, minutes=300, learn_every=each).fired() for each in (1, 10))
    assert (often.scope, often.at) == (seldom.scope, seldom.at)


def test_what_was_before_the_days_that_are_asked_for_teaches_and_is_not_counted() -> None:
    replay = BurstReplay(BURST, "USD", counted_from=START + 100 * MINUTE)
    for number in range(200):
        replay.minute(START + number * MINUTE, folded(triage="42" if number in (50, 51) else "2", review="3"))
    assert replay.fired() == []


def test_a_result_says_how_many_a_day_and_how_much_and_names_the_first_fifty() -> None:
    """60 in 7 days are 8.57 a day; 60 x 1.5 = 90."""
    fired = [
        WouldHaveFired(scope={"agent": f"a{hour}"}, at=START + timedelta(hours=hour), amount=Decimal("1.5"))
        for hour in reversed(range(60))
    ]
    result = dry_run_result(fired, START, START + timedelta(days=7), "USD", ["judged once a minute"])
    assert (result["incidents"], result["messages"], result["per_day"], result["caught"]) == (
        60,
        60,
        "8.57",
        "90",
    )
    assert len(result["fired"]) == 50
    assert result["fired"][0] == {
        "scope": {"agent": "a0"}, "at": "2026-11-20T00:00:00+00:00", "amount": "1.5", "messages": 1,
    }  # fmt: skip
