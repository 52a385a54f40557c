"""Hours that are unusual at their time, though no minute is a burst: told once, and over when they are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.alerts.bursts.seasons import HOUR
from services.alerts.detect.state import ScopeState
from services.alerts.hours.scoring import edge_of, page_score
from services.alerts.incidents.incident import EPOCH, Incident, IncidentFigures, opened
from services.alerts.incidents.withheld import PlannedWindow
from spendmeter.contracts.incidents import TopContributor
from tests.alerts.hourly import MONDAY, Spending, Tenant, hourly

__all__ = ["hourly"]
Make = Callable[..., Tenant]
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
THURSDAY_10 = MONDAY + 3 * DAY + 10 * HOUR


def office(amount: float, noise: int = 0) -> Spending:
    """So much an hour by day, a sixth of it by night."""

    def spent(hour: datetime) -> float:
        chance = random.Random(f"{noise} {hour.isoformat()}")
        share = 1 if 8 <= hour.hour < 18 else 1 / 6
        return amount * share * chance.lognormvariate(0, 0.15 if noise else 0)

    return spent


def times(spending: Spending, factor: float, first: datetime, hours: int) -> Spending:
    """Between these hours so many times as much."""
    return lambda hour: spending(hour) * (factor if first <= hour < first + hours * HOUR else 1)


@pytest.mark.parametrize(("factor", "minutes"), [(3, 45), (5, 30)])
async def test_what_spends_some_times_the_usual_for_four_hours_is_told_within_its_first_and_ends(
    hourly: Make, factor: float, minutes: int
) -> None:
    """Of 12 an hour 36: after 20 minutes the hour has what it usually brings, and 2 more after 24."""
    agents = {"a": times(office(12, 1), factor, THURSDAY_10, 4), "b": office(30, 2)}
    tenant = hourly(agents, teams={"a": "support", "b": "search"})
    await tenant.watch(3 * 24 + 24)
    assert [each[1:] for each in tenant.told if each[1] == "opened"] == [("opened", "a")]
    opened_at, over_at = tenant.told[0][0], tenant.told[-1][0]
    assert opened_at - THURSDAY_10 <= timedelta(minutes=minutes)
    assert tenant.told[-1][1] == "resolved"
    assert over_at - (THURSDAY_10 + 4 * HOUR) <= 1.5 * HOUR
    [incident] = tenant.incidents
    spent = sum(tenant.money(THURSDAY_10 + number * HOUR)["agent", "a"].amount for number in range(4))
    assert incident.amount == spent
    assert {tuple(one["scope"]) for one in incident.details["folded"]} >= {("team", "support")}
    assert "resolved" not in [each[1] for each in tenant.told[:-1]]


async def test_people_hear_again_when_it_has_doubled_and_not_each_hour(hourly: Make) -> None:
    tenant = hourly({"a": times(office(12), 5, THURSDAY_10, 6), "b": office(30)})
    await tenant.watch(3 * 24 + 20)
    grew = [each[0] for each in tenant.told if each[1] == "grew"]
    assert 1 <= len(grew) <= 4
    assert all(later - earlier >= HOUR for earlier, later in pairwise(grew))


async def test_who_takes_over_in_the_midst_of_it_tells_nothing_twice(hourly: Make) -> None:
    tenant = hourly({"a": times(office(12), 3, THURSDAY_10, 4), "b": office(30)})
    await tenant.watch(3 * 24 + 10.75)
    told = list(tenant.told)
    assert [each[1] for each in told] == ["opened"]
    tenant.worker = tenant.new_worker()
    await tenant.watch(0.5)
    assert tenant.told == told
    await tenant.watch(12)
    assert [each[1] for each in tenant.told if each[1] != "grew"] == ["opened", "resolved"]


def nightly(hour: datetime) -> float:
    return 40.0 if hour.astimezone(BERLIN).hour == 2 else 4.0


def saturdays(hour: datetime) -> float:
    local = hour.astimezone(BERLIN)
    return 60.0 if (local.weekday(), local.hour) == (5, 3) else 4.0


async def test_a_nightly_job_a_saturday_batch_and_a_change_of_clocks_are_no_news(hourly: Make) -> None:
    agents = {"job": nightly, "batch": saturdays, "rest": office(20)}
    tenant = hourly(agents, zone="Europe/Berlin")
    tenant.now = MONDAY + 20 * DAY
    await tenant.watch(10 * 24)  # clocks change on Sunday, 29 March
    assert tenant.told == []


async def test_300_noisy_agents_page_once_a_week_at_most(hourly: Make) -> None:
    def noisy(number: int) -> Spending:
        def spent(hour: datetime) -> float:
            chance = random.Random(f"{number} {hour.isoformat()}")
            calls = sum(chance.random() < 0.5 for _ in range(12))
            day = 0.3 + 0.7 * max(0.0, math.sin((hour.hour - 6) / 24 * 2 * math.pi))
            return day * sum(chance.lognormvariate(-1, 1.2) for _ in range(calls))

        return spent

    tenant = hourly({f"a{number}": noisy(number) for number in range(300)}, step=timedelta(minutes=20))
    await tenant.watch(7 * 24)
    pages = [one for one in tenant.incidents if one.severity != "info"]
    assert len(pages) <= 1, [one.title for one in pages]


async def test_of_a_tenant_that_is_known_for_less_than_a_day_nothing_is_told_and_then_it_is_said(
    hourly: Make,
) -> None:
    began = MONDAY + 12 * HOUR
    tenant = hourly({"a": times(lambda hour: 12.0, 5, began, 4)}, since=MONDAY)
    await tenant.watch(20)
    assert tenant.told == []
    began = MONDAY + 3 * DAY
    tenant = hourly({"a": times(lambda hour: 12.0, 5, began, 4)}, since=MONDAY)
    await tenant.watch(3 * 24 + 2)
    assert tenant.told
    assert "3 days" in tenant.incidents[0].summary


def burst(scope: dict[str, str], began: datetime, amount: str) -> Incident:
    figures = IncidentFigures(
        amount=Decimal(amount), expected=Decimal(0), rate_per_hour=Decimal(amount) * 6,
        expected_per_hour=Decimal(0), of_which_provisional=Decimal(0), top_contributor=TopContributor(),
    )  # fmt: skip
    incident = opened(
        began, figures, tenant="acme", kind="anomaly", rule_id="minute-burst", rule_revision=0,
        rule_name="Burst", scope=scope, episode=(began - EPOCH) // timedelta(minutes=1), began_at=began,
        currency="USD",
    )  # fmt: skip
    return replace(incident, hot_at=began + timedelta(minutes=10))


async def test_money_that_a_burst_has_told_is_not_told_again_and_other_money_is(hourly: Make) -> None:
    """A burst of 40 within an hour of usually 12; at noon another agent leaks."""
    noon = THURSDAY_10 + 2 * HOUR
    agents = {
        "a": lambda hour: 52.0 if hour == THURSDAY_10 else 12.0,
        "b": times(office(30), 4, noon, 3),
    }
    tenant = hourly(agents, teams={"a": "support"})
    await tenant.watch(3 * 24 + 10.1)
    tenant.incidents = [burst({"agent": "a"}, tenant.now, "40")]
    await tenant.watch(1.5)
    assert tenant.told == []
    await tenant.watch(2)
    assert [each[1:] for each in tenant.told if each[1] == "opened"] == [("opened", "b")]


async def test_what_is_planned_is_not_told_and_what_goes_on_after_it_is_known(hourly: Make) -> None:
    ends = THURSDAY_10 + 2 * HOUR
    window = PlannedWindow(
        id=UUID(int=1), filter={"agent": "a"}, starts_at=THURSDAY_10 + timedelta(minutes=5), ends_at=ends
    )
    tenant = hourly({"a": times(office(12), 5, THURSDAY_10, 2), "b": office(30)}, windows=[window])
    await tenant.watch(4 * 24)
    assert tenant.told == []
    assert tenant.unheard


def test_a_page_is_what_all_scopes_together_reach_once_a_week() -> None:
    quiet, noisy = ScopeState(), ScopeState()
    quiet.known = noisy.known = 4 * 168
    assert page_score([quiet]) == 0  # nothing is known of chance
    noisy.tail[8], noisy.tail[10] = 400, 4  # scores of 1 to 1.4 in 400 hours, of 2 to 2.8 in four
    assert page_score([quiet, noisy]) == edge_of(9)
    noisy.tail[12] = 1  # five in four weeks are one too many
    assert page_score([quiet, noisy]) == edge_of(11)
