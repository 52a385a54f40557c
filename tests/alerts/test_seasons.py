"""Bursts and the rhythm of days and weeks: what usually comes at an hour is no news, what never did is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.alerts.bursts.seasons import HOUR, Samples, ScopeSeason, Season
from services.alerts.scopes import TENANT, DetectorScope
from tests.alerts.episodes import Episodes
from tests.alerts.hourly import local_hour

BERLIN = ZoneInfo("Europe/Berlin")
WEEKS_AGO = timedelta(days=35)
NIGHT = datetime(2026, 9, 12, 0, 30, tzinfo=UTC)
"""Saturday, 02:30 in Berlin; the batch begins at three."""
STEADY = {"triage": {"amount": "0.5", "team": "support"}, "search": {"amount": "0.5", "team": "search"}}
BATCH = {"batch": {"amount": "6", "team": "data"}}
HourAmounts = Callable[[datetime], Decimal]


def at_three_on_saturdays(amount: str) -> HourAmounts:
    def spent(hour: datetime) -> Decimal:
        local = hour.astimezone(BERLIN)
        return Decimal(amount) if (local.hour, local.weekday()) == (3, 5) else Decimal(0)

    return spent


def with_tenant(agents: Mapping[str, HourAmounts]) -> dict[DetectorScope, HourAmounts]:
    teams = {"triage": "support", "search": "search", "batch": "data"}
    scopes: dict[DetectorScope, HourAmounts] = {("agent", name): spent for name, spent in agents.items()}
    scopes |= {("team", teams[name]): spent for name, spent in agents.items()}
    return scopes | {TENANT: lambda hour: sum((spent(hour) for spent in agents.values()), Decimal(0))}


def season(
    scopes: Mapping[DetectorScope, HourAmounts], history: timedelta = WEEKS_AGO
) -> Callable[[datetime], Season]:
    """What hours of these amounts say of each hour, as the reader reads them."""

    def read(now: datetime) -> Season:
        hour, found = local_hour(now, BERLIN), []
        since = hour - history
        three = [Samples(hour + number * HOUR, BERLIN) for number in (-1, 0, 1)]
        for (dimension, value), spent in scopes.items():
            amounts = {at: spent(at) for samples in three for at in samples.hours if since <= at < hour}
            usual = [samples.usual(amounts, since) for samples in three]
            found.append(ScopeSeason(dimension, value, *usual))
        return Season(hour=hour, history_days=min(history.days, 14), scopes=found)

    return read


def thirty(hour: datetime) -> Decimal:
    return Decimal(30)


def saturdays(batch: str = "60", history: timedelta = WEEKS_AGO) -> Callable[[datetime], Season]:
    agents = {"triage": thirty, "search": thirty, "batch": at_three_on_saturdays(batch)}
    return season(with_tenant(agents), history)


def a_night_with(
    batch_minutes: int, read: Callable[[datetime], Season | None], start: datetime = NIGHT
) -> Episodes:
    """Half an hour as usual, so many minutes of a batch of 6 each, and another half an hour."""
    episodes = Episodes(start=start, look_every=timedelta(seconds=20), season=read)
    episodes.pass_time(30, STEADY)
    episodes.pass_time(batch_minutes, STEADY | BATCH)
    episodes.pass_time(30, STEADY)
    return episodes


def opened(episodes: Episodes) -> list[tuple[int, str]]:
    return [(minutes, scope) for minutes, transition, scope in episodes.told if transition == "opened"]


def test_a_batch_of_each_saturday_is_no_news_and_without_its_weeks_it_would_be() -> None:
    assert opened(a_night_with(10, saturdays())) == []
    assert opened(a_night_with(10, lambda now: None)) == [(30, "batch")]


def test_a_batch_that_takes_half_as_much_again_or_begins_ten_minutes_early_is_no_news_either() -> None:
    assert opened(a_night_with(14, saturdays())) == []
    assert opened(a_night_with(10, saturdays(), NIGHT - timedelta(minutes=10))) == []


def test_a_batch_that_runs_away_is_told_when_it_has_come_to_half_as_much_again() -> None:
    """40 USD are usual, and 60 room: at 6 a minute that is ten minutes; the gate is reached in the one after."""
    [(minutes, scope)] = opened(a_night_with(25, saturdays("40")))
    assert scope == "batch"
    assert minutes - 30 in (10, 11)


def test_on_another_night_of_the_week_the_same_batch_is_told_within_its_first_minute() -> None:
    assert opened(a_night_with(10, saturdays(), NIGHT + timedelta(days=1))) == [(30, "batch")]


def test_beside_the_batch_another_agents_burst_is_told_at_once() -> None:
    episodes = Episodes(start=NIGHT, look_every=timedelta(seconds=20), season=saturdays())
    episodes.pass_time(33, STEADY | {})
    episodes.told.clear()
    episodes.pass_time(3, STEADY | BATCH)
    episodes.pass_time(3, STEADY | BATCH | {"triage": {"amount": "12", "team": "support"}})
    assert [scope for _, scope in opened(episodes)] == ["triage"]


@pytest.mark.parametrize("shift", [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)])
@pytest.mark.parametrize("clock", [BERLIN, UTC])
def test_when_clocks_shift_a_job_is_no_news_whichever_clock_it_keeps_to(
    shift: datetime, clock: ZoneInfo
) -> None:
    """Every night at five, of the tenant's clock or of UTC, for a week around the shift."""

    def nightly(hour: datetime) -> Decimal:
        return Decimal(60) if hour.astimezone(clock).hour == 5 else Decimal(0)

    read = season(with_tenant({"triage": thirty, "search": thirty, "batch": nightly}))
    for day in range(-1, 4):
        five = (shift + timedelta(days=day)).astimezone(clock).replace(hour=5).astimezone(UTC)
        assert opened(a_night_with(10, read, five - timedelta(minutes=30))) == [], day


def test_by_night_a_burst_of_who_spends_ten_times_as_much_by_day_is_found_below_its_days_level() -> None:
    """Triage spends 300 an hour by day (5 a minute), 30 by night; at night 4 a minute are news."""

    def days(hour: datetime) -> Decimal:
        return Decimal(300) if 8 <= hour.astimezone(BERLIN).hour < 20 else Decimal(30)

    episodes = Episodes(
        start=NIGHT,
        look_every=timedelta(seconds=20),
        season=season(with_tenant({"triage": days, "search": thirty})),
    )
    episodes.pass_time(30, STEADY)
    episodes.pass_time(3, STEADY | {"triage": {"amount": "4", "team": "support"}})
    assert [scope for _, scope in opened(episodes)] == ["triage"]


def test_in_the_morning_what_each_morning_brings_is_no_news() -> None:
    """From 0.5 a minute to 5 a minute at eight."""

    def days(hour: datetime) -> Decimal:
        local = hour.astimezone(BERLIN)
        return Decimal(300) if 8 <= local.hour < 20 and local.weekday() < 5 else Decimal(30)

    eight = datetime(2026, 9, 14, 6, 0, tzinfo=UTC)  # a Monday
    for read, told in (
        (season(with_tenant({"triage": days, "search": thirty})), []),
        (lambda now: None, ["triage"]),
    ):
        episodes = Episodes(
            start=eight - timedelta(minutes=30), look_every=timedelta(seconds=20), season=read
        )
        episodes.pass_time(30, STEADY)
        episodes.pass_time(40, STEADY | {"triage": {"amount": "5", "team": "support"}})
        assert [scope for _, scope in opened(episodes)] == told


def test_one_bad_night_is_no_rhythm_and_three_of_a_weeks_nights_are_none() -> None:
    at = datetime(2026, 9, 12, 1, 0, tzinfo=UTC)
    samples, since = Samples(at, BERLIN), at - WEEKS_AGO

    def usual(*nights_ago: int) -> Decimal:
        return samples.usual({at - timedelta(days=each): Decimal(500) for each in nights_ago}, since)

    assert [usual(), usual(1), usual(7), usual(2, 4, 6)] == [0, 0, 0, 0]
    assert [usual(1, 2), usual(1, 3, 5, 7), usual(7, 14)] == [500, 500, 500]  # a job that is two days old


def test_under_two_weeks_of_history_it_takes_twice_the_money_and_people_read_why() -> None:
    """1.3 over the usual 0.5 are news, 1 being the least; of a young tenant 2 must come together."""
    for history, amount, told in (
        (WEEKS_AGO, "1.8", 1),
        (timedelta(days=3), "1.8", 0),
        (timedelta(days=3), "4", 1),
    ):
        read = saturdays(history=history)
        episodes = Episodes(start=NIGHT + timedelta(days=2), look_every=timedelta(seconds=20), season=read)
        episodes.pass_time(30, STEADY)
        episodes.pass_time(1, STEADY | {"triage": {"amount": amount, "team": "support"}})
        assert len(opened(episodes)) == told, (history, amount)
        young = [each.details.get("history_days") for each in episodes.incidents]
        assert young == [3 if history.days == 3 else None] * told
        says = ["Of this tenant 3 days is known" in each.summary for each in episodes.incidents]
        assert says == [history.days == 3] * told


def test_what_begins_while_an_import_is_added_up_says_that_and_not_that_little_is_known() -> None:
    read = saturdays(history=timedelta(days=3))
    episodes = Episodes(
        start=NIGHT + timedelta(days=2),
        look_every=timedelta(seconds=20),
        season=lambda now: msgspec.structs.replace(read(now), waits=True),
    )
    episodes.pass_time(30, STEADY)
    episodes.pass_time(1, STEADY | {"triage": {"amount": "4", "team": "support"}})
    [incident] = episodes.incidents
    assert (incident.details.get("history_days"), incident.details["history_waits"]) == (None, True)
    assert "weeks before were not added up yet" in incident.summary
