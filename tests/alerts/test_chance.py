"""False alarms have a budget: of many noisy scopes the chance excess waits for the day's digest, money never."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from services.alerts.bursts.chance import page_score, scores_of
from services.alerts.bursts.seasons import Season
from services.alerts.notify.routing import Route, passages
from tests.alerts.episodes import Episodes
from tests.alerts.hourly import local_hour
from tests.alerts.test_routing import A, B, event

NOISY = 300


def noisy(episodes: Episodes, chance: random.Random) -> None:
    """A minute in which each of many agents calls once in a while, for a price that may be ten times another."""
    for number in range(NOISY):
        if chance.random() < 0.5:
            amount = f"{0.2 * chance.lognormvariate(-0.5, 1.0):.6f}"
            episodes.spend(amount, agent=f"agent{number}", team=f"team{number % 10}")


def an_hour_of_noise(minutes: int, month: str = "1000000") -> tuple[Episodes, list[Any]]:
    def season(now: datetime) -> Season:
        return Season(hour=local_hour(now, UTC), history_days=30, scopes=[], month=Decimal(month))

    episodes, chance = Episodes(look_every=timedelta(minutes=1), season=season), random.Random(11)
    for _ in range(minutes):
        noisy(episodes, chance)
        episodes.pass_time(1)
    return episodes, [
        each for each in episodes.incidents if each.opened_at >= episodes.start + timedelta(hours=1)
    ]


def test_three_hundred_noisy_scopes_page_hardly_and_the_rest_is_for_the_digest() -> None:
    _, found = an_hour_of_noise(120)
    pages = [each for each in found if "by_chance" not in each.details]
    print(f"{len(found)} of an hour, {len(pages)} of them pages")
    assert len(found) > 5
    assert len(pages) <= 1
    rest = [each for each in found if each not in pages]
    assert {(each.severity, each.details["by_chance"]) for each in rest} == {("info", "critical")}


def test_in_all_that_noise_a_burst_is_a_page_and_so_is_much_money() -> None:
    """One agent with 40 a minute, the others with 0.2; or any burst, if a hundredth of a month is 0.01."""
    episodes, _ = an_hour_of_noise(70)
    episodes.spend("40", agent="agent7", team="team7")
    episodes.pass_time(1)
    last = episodes.incidents[-1]
    assert (last.scope, last.severity, "by_chance" in last.details) == (
        {"agent": "agent7"},
        "critical",
        False,
    )
    _, found = an_hour_of_noise(80, month="1")
    assert found
    assert all("by_chance" not in each.details for each in found[:5])


def test_below_two_hundred_scores_nothing_is_known_of_chance() -> None:
    usual = [Decimal(1)] * 60
    assert scores_of(usual, Decimal(1), Decimal(1)) == []
    steady = [0.1 * (number % 7) for number in range(199)]
    assert page_score([[each + 0.01 for each in steady]], 240) is None
    chance = random.Random(1)
    light = page_score([[chance.expovariate(4) for _ in range(500)]], 600)
    heavy = page_score([[chance.lognormvariate(-1, 1.2) for _ in range(500)]], 600)
    assert light is not None
    assert heavy is not None
    assert Decimal(1) < light < 5 < heavy


def test_what_may_be_chance_waits_for_midnight_and_never_pages() -> None:
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    told = event(kind="anomaly", severity="info", details={"by_chance": "critical"})
    zone = ZoneInfo("UTC")
    [passage] = passages(
        [Route(channel=A, kind="webhook"), Route(channel=B, kind="pagerduty")], told, noon, zone
    )
    assert passage.channel == A
    assert (passage.held, passage.at) == ("digest", datetime(2026, 11, 21, tzinfo=UTC))
