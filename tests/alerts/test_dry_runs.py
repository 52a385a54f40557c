"""A rule tried on what was: the incidents that it would have told, a day, and the money in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from services.alerts.dry_runs.bursts import BurstReplay
from services.alerts.dry_runs.fired import WouldHaveFired, dry_run_result
from services.alerts.dry_runs.firsts import NewValue, firsts_among
from services.alerts.dry_runs.loops import EndedRun, loops_among
from services.alerts.dry_runs.replaying import Replaying, ReplayRequest, pace
from services.alerts.loops.loops import UsualRuns
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


def ended(name: str, calls: int, money: str, seconds: int, *, has_outcome: bool = True) -> EndedRun:
    return EndedRun(
        run=name, workflow="refund", calls=calls, effective=Decimal(money), first_at=START,
        last_at=START + timedelta(seconds=seconds), has_outcome=has_outcome,
    )  # fmt: skip


def test_runs_that_went_round_and_round_are_told_with_what_they_cost_and_busy_ones_are_not() -> None:
    """Usual are 12 calls, 4 a minute. 60 calls in 90 s are 40 a minute, ten times that; 0.90 in 90 s is 36 an hour."""
    usual = {"refund": UsualRuns(runs=200, calls=Decimal(12), calls_a_minute=Decimal(4), with_outcome=190)}
    runs = [ended("loops", 60, "0.9", 90), ended("busy", 14, "0.9", 90), ended("cheap", 60, "0.05", 90)]
    long = ended("long", 400, "6", 3600)  # 6.7 a minute, but 33 times as long; 6 an hour
    [first, second] = loops_among(default_rule("loop"), [*runs, long], usual)
    assert (first.scope, first.amount) == ({"run": "loops", "workflow": "refund"}, Decimal("0.9"))
    assert second.scope["run"] == "long"
    other = replace(default_rule("loop"), filter={"workflow": "triage"})
    assert loops_among(other, runs, usual) == []


def test_what_was_new_is_told_once_it_had_spent_enough_and_a_new_provider_with_its_models() -> None:
    values = [
        NewValue(dimension="sku", value="gpt-6", provider="openai", first_seen=START, effective=Decimal(9)),
        NewValue(
            dimension="provider", value="openai", provider="openai", first_seen=START, effective=Decimal(10)
        ),
        NewValue(dimension="agent", value="a", provider="", first_seen=START, effective=Decimal("0.5")),
        NewValue(dimension="key_id", value="k", provider="", first_seen=START, effective=Decimal(2)),
    ]
    rule, long_ago = default_rule("first"), START - timedelta(days=90)
    assert [each.scope for each in firsts_among(rule, values, long_ago)] == [
        {"sku": "gpt-6"},
        {"key_id": "k"},
    ]
    assert firsts_among(rule, values, START - timedelta(days=2)) == []  # all of it was new to the tenant
    dearer = replace(rule, changed={"amount_min": "5", "subjects": ["model", "key"]})
    assert [each.amount for each in firsts_among(dearer, values, long_ago)] == [9]


async def test_minutes_are_replayed_in_a_process_of_their_own() -> None:
    request = ReplayRequest(
        rule_id="minute-burst", filter={}, settings={}, currency="USD", counted_from=START, minutes=100
    )
    async with Replaying(request) as replaying:
        for number in range(100):
            amount = "42" if number in (80, 81) else "2"
            await replaying.feed(START + number * MINUTE, folded(triage=amount, review="3"))
        answer = await replaying.fired()
    assert [each.scope for each in answer.fired] == [{"agent": "triage"}]
    assert answer.learned_every == 1


def test_a_tenant_whose_minutes_take_long_learns_more_seldom() -> None:
    """30 of 10,000 minutes in 9 s would be 2,991 s for the rest, 17.5 times of the 171 s that are left."""
    assert pace(9, 30, 10_000, 1) == 18
    assert pace(0.03, 30, 10_000, 1) == 1
    assert pace(200, 5_000, 10_000, 20) == 60
