"""The rule of hours tried on hours that were: told as the watch would have told them, by its own functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.bursts.seasons import HOUR
from services.alerts.dry_runs.fired import WouldHaveFired, dry_run_result
from services.alerts.dry_runs.hours import HourReplay
from services.alerts.hours.scoring import HourMoney
from services.alerts.scopes import DetectorScope
from spendmeter.contracts.alert_rules import AlertRule, default_rule
from spendmeter.contracts.money import ZERO
from tests.alerts.hourly import MONDAY, Spending, Tenant, hourly
from tests.alerts.test_hours import nightly, office, times

__all__ = ["hourly"]
RULE = default_rule("hour")
DAY = timedelta(days=1)
TRIED = 21
SINCE = MONDAY - 28 * DAY
TUESDAY_10 = MONDAY + 8 * DAY + 10 * HOUR


def even(amount: float) -> Spending:
    return lambda hour: amount


def replay(
    rule: AlertRule,
    agents: Mapping[str, Spending],
    *,
    days: int = TRIED,
    known_since: datetime = SINCE,
    teams: Mapping[str, str] | None = None,
    zone: str = "UTC",
) -> list[WouldHaveFired]:
    """Four weeks that teach, then `days` from MONDAY on."""
    tenant = Tenant(agents, teams=teams or {})
    hours = [known_since + number * HOUR for number in range((MONDAY + days * DAY - known_since) // HOUR)]
    spent: defaultdict[DetectorScope, dict[datetime, HourMoney]] = defaultdict(dict)
    for hour in hours:
        for scope, money in tenant.money(hour).items():
            spent[scope][hour] = money
    replay = HourReplay(rule, ZoneInfo(zone), "USD", spent, known_since=known_since, counted_from=MONDAY)
    for hour in hours:
        for _ in replay.hour(hour, hour + HOUR):
            pass
    return replay.fired()


def test_five_times_the_usual_for_four_hours_of_three_weeks_is_one_incident_with_its_money() -> None:
    """60 an hour where 12 are usual: 4 x 48 = 192 over it. Told at the end of the first hour with 48, and again
    when that is more than doubled: after the third, with 144."""
    agents = {"a": times(even(12), 5, TUESDAY_10, 4), "b": even(30)}
    [fired] = replay(RULE, agents, teams={"a": "support", "b": "search"})
    assert (fired.scope, fired.at, fired.amount, fired.messages) == (
        {"agent": "a"}, TUESDAY_10 + HOUR, Decimal(192), 2,
    )  # fmt: skip


def test_a_gate_that_no_hour_reaches_and_the_spend_of_others_tell_nothing() -> None:
    agents = {"a": times(even(12), 5, TUESDAY_10, 4), "b": even(30)}
    assert replay(replace(RULE, changed={"amount_min": "48.01"}), agents) == []
    assert len(replay(replace(RULE, changed={"amount_min": "48"}), agents)) == 1
    assert replay(replace(RULE, filter={"agent": "b"}), agents) == []
    assert len(replay(replace(RULE, filter={"agent": "a"}), agents)) == 1


def test_usual_weeks_a_nightly_job_and_a_change_of_clocks_fire_nothing() -> None:
    agents = {"job": nightly, "rest": office(20)}
    assert replay(RULE, agents, days=28, zone="Europe/Berlin") == []  # clocks change on 29 March


def test_what_it_would_have_told_teaches_nothing_so_the_same_two_days_later_is_another() -> None:
    once = times(even(12), 5, TUESDAY_10, 4)
    twice = times(once, 5, TUESDAY_10 + 2 * DAY, 4)
    fired = replay(RULE, {"a": twice, "b": even(30)})
    assert [(each.at, each.amount) for each in fired] == [
        (TUESDAY_10 + HOUR, Decimal(192)),
        (TUESDAY_10 + 2 * DAY + HOUR, Decimal(192)),
    ]


def test_what_begins_again_within_a_day_is_the_same_with_the_money_of_both() -> None:
    """Over at 15, when an hour was quiet; from 20 on two more hours: 192 + 2 x 48 = 288, told a third time."""
    once = times(even(12), 5, TUESDAY_10, 4)
    again = times(once, 5, TUESDAY_10 + 10 * HOUR, 2)
    [fired] = replay(RULE, {"a": again, "b": even(30)})
    assert (fired.at, fired.amount, fired.messages) == (TUESDAY_10 + HOUR, Decimal(288), 3)


def test_of_a_tenant_that_is_known_for_less_than_a_day_nothing_fires() -> None:
    agents = {"a": times(even(12), 5, MONDAY + 10 * HOUR, 4), "b": even(30)}
    assert replay(RULE, agents, days=2, known_since=MONDAY) == []


async def test_it_has_the_incident_of_the_watch_with_the_same_money(hourly: Callable[..., Tenant]) -> None:
    """Noisy hours of 12, five times as much for four of them: what the watch came to in the end."""
    began = MONDAY + 3 * DAY + 10 * HOUR
    agents = {"a": times(office(12, 1), 5, began, 4), "b": office(30, 2)}
    tenant = hourly(agents, since=SINCE)
    await tenant.watch(4 * 24)
    [watched] = tenant.incidents
    [fired] = replay(RULE, agents, days=4)
    assert (fired.scope, fired.amount) == (watched.scope, watched.amount - watched.expected)
    assert fired.at - HOUR <= watched.opened_at <= fired.at


def test_what_may_be_chance_is_said_beside_the_result() -> None:
    fired = [
        WouldHaveFired(scope={"agent": name}, at=MONDAY, amount=ZERO, by_chance=name != "a") for name in "abc"
    ]
    result = dry_run_result(fired, MONDAY, MONDAY + DAY, "USD", ["judged once"])
    assert result["notes"] == ["judged once", "2 of these may be chance, and page nobody"]
