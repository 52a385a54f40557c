"""A source is silent when it usually sends and does not: weeks of sources, by the five minutes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.alerts.silences import Weeks

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 10, 26)
"""The week under test; on the day before, the clock went back in Berlin."""
SUMMER_MONDAY = date(2026, 9, 28)
MINUTE = timedelta(minutes=1)


def at(day: date, clock: str, zone: ZoneInfo = BERLIN) -> datetime:
    hour, minute = clock.split(":")
    return datetime(day.year, day.month, day.day, int(hour), int(minute), tzinfo=zone).astimezone(UTC)


def days(monday: date, weeks: int = 6) -> Iterator[date]:
    """Those of five weeks before a Monday, and of its own."""
    for number in range(-5 * 7, (weeks - 5) * 7):
        yield monday + timedelta(days=number)


def minutes(start: datetime, end: datetime, step: int = 1) -> list[datetime]:
    return [start + number * MINUTE for number in range(0, (end - start) // MINUTE, step)]


def office(monday: date, seed: int = 1, weeks: int = 6) -> list[datetime]:
    """From nine to six on weekdays, a quarter of an hour earlier or later, most of the minutes."""
    dice, sent = random.Random(seed), []
    for day in days(monday, weeks):
        if day.weekday() < 5:
            start, end = (at(day, clock) + dice.randint(-15, 15) * MINUTE for clock in ("9:00", "18:00"))
            sent += [each for each in minutes(start, end) if dice.random() < 0.8]
    return sent


def every(monday: date, step: int = 1) -> list[datetime]:
    """Day and night, each so many minutes."""
    return minutes(at(monday - timedelta(days=35), "0:00"), at(monday + timedelta(days=7), "0:00"), step)


def nightly(monday: date, clock: str = "2:10", lasts: int = 20, zone: ZoneInfo = BERLIN) -> list[datetime]:
    """A batch of each night."""
    sent: list[datetime] = []
    for day in days(monday):
        start = at(day, clock, zone)
        sent += minutes(start, start + lasts * MINUTE)
    return sent


def steady(monday: date, mean_minutes: float = 1, seed: int = 1) -> list[datetime]:
    """Day and night, by chance."""
    dice, sent = random.Random(seed), []
    now, end = at(monday - timedelta(days=35), "0:00"), at(monday + timedelta(days=7), "0:00")
    while (now := now + timedelta(minutes=dice.expovariate(1 / mean_minutes))) < end:
        sent.append(now.replace(second=0, microsecond=0))
    return sorted(set(sent))


def without(sent: Sequence[datetime], start: datetime, end: datetime | None = None) -> list[datetime]:
    return [each for each in sent if each < start or (end is not None and each >= end)]


def week(weeks: Weeks, monday: date, last: int = 7) -> list[tuple[str, str, tuple[str, ...]]]:
    return weeks.pass_time(at(monday, "0:00"), at(monday + timedelta(days=last), "0:00"))


@pytest.mark.parametrize("monday", [SUMMER_MONDAY, MONDAY], ids=["summer", "clock-went-back"])
@pytest.mark.parametrize("make", [office, nightly, steady])
def test_of_a_source_that_keeps_its_times_nothing_is_told(
    make: Callable[[date], list[datetime]], monday: date
) -> None:
    assert week(Weeks(zone=BERLIN, sends={"k1": make(monday)}), monday) == []


def test_a_source_of_office_hours_that_stops_at_ten_is_told_after_a_quarter_of_an_hour() -> None:
    """It sends in four of five minutes: it pauses for some minutes at most, so the quarter hour decides."""
    stopped = at(SUMMER_MONDAY, "10:00")
    weeks = Weeks(
        zone=BERLIN, sends={"k1": without(office(SUMMER_MONDAY), stopped, at(SUMMER_MONDAY, "13:00"))}
    )
    [(opened, first, keys), (over, last, _)] = week(weeks, SUMMER_MONDAY)
    assert (first, last, keys) == ("opened", "resolved", ("k1",))
    assert "Mon 10:15" <= opened <= "Mon 10:40"
    assert "Mon 13:00" <= over <= "Mon 13:10"


def test_a_source_that_dies_in_the_night_is_told_in_the_morning_when_others_of_its_kind_have_begun() -> None:
    """Of three one has begun by nine: that is a third, so it is a workday."""
    sends = {f"k{seed}": office(SUMMER_MONDAY, seed) for seed in (1, 2, 3)}
    sends["k1"] = without(sends["k1"], at(SUMMER_MONDAY + timedelta(days=1), "0:00"))
    [(opened, _, keys)] = week(Weeks(zone=BERLIN, sends=sends), SUMMER_MONDAY, last=3)
    assert keys == ("k1",)
    assert "Tue 10:00" <= opened <= "Tue 11:15"


def test_on_a_holiday_of_everybodys_nothing_is_told() -> None:
    off = (at(SUMMER_MONDAY, "0:00"), at(SUMMER_MONDAY + timedelta(days=2), "0:00"))
    sends = {f"k{seed}": without(office(SUMMER_MONDAY, seed), *off) for seed in (1, 2, 3)}
    assert week(Weeks(zone=BERLIN, sends=sends), SUMMER_MONDAY) == []


def test_a_source_of_office_hours_that_is_alone_is_told_on_the_third_day() -> None:
    """Nobody can say that Monday and Tuesday were no holidays."""
    sends = {"k1": without(office(SUMMER_MONDAY), at(SUMMER_MONDAY, "0:00"))}
    [(opened, _, _)] = week(Weeks(zone=BERLIN, sends=sends), SUMMER_MONDAY)
    assert "Wed 10:00" <= opened <= "Wed 10:30"


def test_a_batch_that_did_not_run_is_told_an_hour_after_its_time() -> None:
    """It ends at 2:30, and pauses for 23 h 40 min: so it may be an hour late, and is told about an hour later."""
    missed = without(nightly(MONDAY), at(MONDAY, "0:00"), at(MONDAY + timedelta(days=1), "0:00"))
    [(opened, _, _), (over, last, _)] = week(Weeks(zone=BERLIN, sends={"k1": missed}), MONDAY)
    assert "Mon 03:10" <= opened <= "Mon 03:45"
    assert (over, last) == ("Tue 02:15", "resolved")


def test_a_batch_that_goes_by_utc_is_an_hour_off_when_the_clock_is_changed_and_that_is_no_silence() -> None:
    spring = date(2026, 3, 30)
    for monday in (spring, MONDAY):
        sent = nightly(monday, "1:00", zone=ZoneInfo("UTC"))
        assert week(Weeks(zone=BERLIN, sends={"k1": sent}), monday) == []


def weekly(monday: date) -> list[datetime]:
    """On Tuesdays, from ten to twenty past; a little later in each week."""
    tuesdays = [day for day in days(monday) if day.weekday() == 1]
    starts = [at(day, "10:00") + 7 * number * MINUTE for number, day in enumerate(tuesdays)]
    return [minute for start in starts for minute in minutes(start, start + 20 * MINUTE)]


def test_what_comes_once_a_week_is_silent_for_six_days_and_is_told_when_it_misses_its_day() -> None:
    assert week(Weeks(zone=BERLIN, sends={"k1": weekly(SUMMER_MONDAY)}), SUMMER_MONDAY) == []
    missed = without(weekly(SUMMER_MONDAY), at(SUMMER_MONDAY, "0:00"))
    [(opened, _, _)] = week(Weeks(zone=BERLIN, sends={"k1": missed}), SUMMER_MONDAY)
    assert "Tue 17:00" <= opened <= "Tue 20:00"  # it may be seven hours late


def test_what_comes_by_chance_is_told_late_and_not_by_chance() -> None:
    """One in two hours on average: pauses of nine hours happen, and five times that do not."""
    for seed in range(4):
        assert week(Weeks(zone=BERLIN, sends={"k1": steady(MONDAY, 120, seed)}), MONDAY) == []
    stopped = without(steady(MONDAY, 120), at(MONDAY, "12:00"))
    [(opened, _, _)] = week(Weeks(zone=BERLIN, sends={"k1": stopped}), MONDAY)
    assert opened[:3] in ("Tue", "Wed", "Thu")


def test_a_source_that_failed_last_week_as_well_is_told_just_the_same() -> None:
    """Of four weeks the strangest one does not count."""
    sent = every(MONDAY)
    before = MONDAY - timedelta(days=7)
    sent = without(sent, at(before, "11:00"), at(before, "14:00"))
    sent = without(sent, at(MONDAY, "12:00"), at(MONDAY, "13:00"))
    [(opened, _, _), (over, _, _)] = week(Weeks(zone=BERLIN, sends={"k1": sent}), MONDAY, last=1)
    assert (opened, over) == ("Mon 12:15", "Mon 13:05")


def test_a_gateway_that_fails_is_one_message_and_people_hear_of_twice_as_many_silent_sources() -> None:
    """Three of each minute and three of each ten minutes stop at noon: the latter pause for ten, as minutes say
    for eleven at most, so they are told after 55."""
    stopped = at(MONDAY, "12:00")
    sends = {f"k{number}": without(every(MONDAY), stopped) for number in (1, 2, 3)}
    sends |= {f"s{number}": without(every(MONDAY, 10), stopped) for number in (1, 2, 3)}
    sends["other"] = every(MONDAY)
    weeks = Weeks(zone=BERLIN, sends=sends)
    told = weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY + timedelta(days=1), "0:00"))
    assert [(when, transition, len(keys)) for when, transition, keys in told] == [
        ("Mon 12:15", "opened", 3), ("Mon 12:50", "grew", 6)
    ]  # fmt: skip
    [incident] = weeks.current.values()
    assert incident.title.startswith("key k1 and 5 more are silent for ")
    assert incident.details["all"] is False
    assert incident.suggested_action.startswith("Look at what they share: a gateway")


def test_where_nobody_is_heard_that_is_said() -> None:
    sends = {f"k{number}": without(every(MONDAY), at(MONDAY, "12:00")) for number in (1, 2)}
    weeks = Weeks(zone=BERLIN, sends=sends)
    weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY, "12:40"))
    [incident] = weeks.current.values()
    assert incident.title == "nothing is heard of tenant acme for 35 min: key k1 and 1 more"
    assert incident.suggested_action.startswith("Look whether ingest can be reached")
    assert incident.began_at == at(MONDAY, "12:00")


def test_the_words_say_since_when_against_what_and_how_much_hangs_on_it() -> None:
    sends = {
        "k1": without(every(MONDAY), at(MONDAY, "12:00"), at(MONDAY, "13:30")),
        "k2": every(MONDAY),
    }
    weeks = Weeks(zone=BERLIN, sends=sends)
    weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY, "13:00"))
    [incident] = weeks.current.values()
    assert (incident.scope, incident.severity, incident.currency) == ({"key_id": "k1"}, "warning", "minutes")
    assert incident.summary.startswith(
        "acme: key k1 has sent nothing since 2026-10-26 12:00 Europe/Berlin; at this time of the week 2 min is the "
    )
    assert incident.summary.endswith("It spends 50.00 USD a day on average.")
    assert incident.suggested_action.endswith(
        "spendmeter unbooked --key k1 lists what came of it and is not booked."
    )
    weeks.pass_time(at(MONDAY, "13:00"), at(MONDAY, "14:00"))
    [over] = weeks.current.values()
    assert over.title.startswith("Over: key k1 was silent for 1 h 35 min")
    assert over.summary.startswith("Over: it sends again. acme: key k1, heard again by 2026-10-26 13:")


def test_what_stops_for_good_is_told_once_and_is_over_after_a_week() -> None:
    sends = {"k1": without(steady(SUMMER_MONDAY), at(SUMMER_MONDAY, "12:00"))}
    weeks = Weeks(zone=BERLIN, sends=sends)
    told = weeks.pass_time(at(SUMMER_MONDAY, "11:00"), at(SUMMER_MONDAY + timedelta(days=20), "0:00"))
    assert [transition for _, transition, _ in told] == ["opened", "resolved"]
    [incident] = weeks.current.values()
    assert incident.resolution == "it does not send any more"


def test_a_key_that_was_revoked_is_gone_and_not_silent() -> None:
    sends = {"k1": without(steady(MONDAY), at(MONDAY, "12:00"))}
    assert week(Weeks(zone=BERLIN, sends=sends, gone=frozenset({"k1"})), MONDAY, last=1) == []
    weeks = Weeks(zone=BERLIN, sends=sends)
    weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY, "13:00"))
    weeks.gone = frozenset({"k1"})
    assert weeks.pass_time(at(MONDAY, "13:00"), at(MONDAY, "13:05")) == [("Mon 13:00", "resolved", ("k1",))]
    [incident] = weeks.current.values()
    assert incident.resolution == "its key is no longer valid"


def test_what_is_cheap_or_known_for_days_only_is_not_told() -> None:
    """Known for ten days it takes twice the money."""
    sends = {"k1": without(steady(MONDAY), at(MONDAY, "12:00"))}
    since = at(MONDAY - timedelta(days=10), "0:00")
    for amount, begun, told in (("0.99", None, 0), ("1", None, 1), ("1.99", since, 0), ("2", since, 1)):
        weeks = Weeks(zone=BERLIN, sends=sends, amounts={"k1": amount}, since=begun)
        assert len(weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY, "15:00"))) == told, (amount, begun)
    weeks = Weeks(zone=BERLIN, sends=sends, since=at(MONDAY - timedelta(days=6), "0:00"))
    assert weeks.pass_time(at(MONDAY, "11:00"), at(MONDAY, "23:00")) == []
