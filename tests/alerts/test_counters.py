"""Counters: the calendar in days, hours and minutes, and money that is in exactly one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from services.alerts.counting.counters import MINUTES_KEPT, CounterKey, Counters, CounterSum, Leader, edges
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.terms import Terms, Timeline

BERLIN = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin")))])
NOW = datetime(2026, 11, 23, 10, 3, 8, tzinfo=UTC)
ALL = CounterKey("USD", ())


def dollars(amount: int, *leaders: tuple[bytes, int]) -> CounterSum:
    return CounterSum(Decimal(amount), Decimal(0), tuple(Leader(key, Decimal(each)) for key, each in leaders))


@pytest.mark.parametrize("now", [NOW, NOW.replace(hour=23, minute=0), NOW.replace(hour=23, minute=9)])
def test_days_hours_and_minutes_follow_each_other_without_a_gap(now: datetime) -> None:
    since = datetime(2026, 10, 23, 22, tzinfo=UTC)  # a midnight in Berlin; the clocks go back on the 25th
    cut = edges(since, now, BERLIN)
    assert [end for _, end in cut[:-1]] == [start for start, _ in cut[1:]]
    assert (cut[0][0], cut[-1][1]) == (since, now.replace(second=0))
    lengths = [end - start for start, end in cut]
    assert lengths[:3] == [timedelta(hours=24), timedelta(hours=25), timedelta(hours=24)]
    assert lengths == sorted(lengths[:2]) + sorted(lengths[2:], reverse=True)
    young = [length for (_, end), length in zip(cut, lengths, strict=True) if end > now - MINUTES_KEPT]
    assert set(young) == {timedelta(minutes=1)}
    assert len(cut) < 31 + 24 + 72


def test_minutes_become_an_hour_and_hours_a_day_without_being_read_again() -> None:
    since, counters = datetime(2026, 11, 21, 23, tzinfo=UTC), Counters()
    counters.lay_out(edges(since, NOW, BERLIN))
    for part in counters.parts:
        counters.put(part, {ALL: dollars(1)}, 0.0)
    parts = len(counters.parts)
    for minutes in range(1, 15 * 60):  # until it is tomorrow
        counters.lay_out(edges(since, NOW + timedelta(minutes=minutes), BERLIN))
        (fresh,) = (part for part in counters.parts if not part.sums)
        counters.put(fresh, {ALL: dollars(1)}, 0.0)
        assert sum(part.sums[ALL].effective for part in counters.parts) == parts + minutes
    assert [part.end - part.start for part in counters.parts[:2]] == [timedelta(days=1)] * 2


def test_a_part_that_ends_in_another_place_is_read_anew() -> None:
    since, counters = datetime(2026, 11, 22, 23, tzinfo=UTC), Counters()
    counters.lay_out(edges(since, NOW + timedelta(hours=2), BERLIN))
    for part in counters.parts:
        counters.put(part, {ALL: dollars(1)}, 0.0)
    counters.lay_out(edges(since, NOW, BERLIN))  # the clock was set back
    assert [ALL in part.sums for part in counters.parts] == [
        part.end - part.start > timedelta(minutes=1) for part in counters.parts
    ]


def test_what_shares_time_with_a_span_that_has_changed_is_to_be_read_again() -> None:
    since, counters = datetime(2026, 11, 20, 23, tzinfo=UTC), Counters()
    counters.lay_out(edges(since, NOW, BERLIN))

    def dirty(start: datetime, end: datetime) -> list[datetime]:
        for part in counters.parts:
            part.dirty = False
        counters.changed([BucketSpan(start, end)])
        return [part.start for part in counters.parts if part.dirty]

    midnight = datetime(2026, 11, 21, tzinfo=UTC)  # two local days lie in a day of UTC
    assert dirty(midnight, midnight + timedelta(days=1)) == [since, since + timedelta(days=1)]
    minute = NOW.replace(second=0) - timedelta(minutes=5)
    assert dirty(minute, minute + timedelta(minutes=1)) == [minute]
    assert (
        dirty(NOW.replace(second=0), NOW.replace(second=0) + timedelta(minutes=1)) == []
    )  # read at every look


def test_what_is_dated_ahead_counts_in_the_period_it_is_dated_in() -> None:
    counters, midnight = Counters(), datetime(2026, 11, 23, 23, tzinfo=UTC)
    now = midnight - timedelta(seconds=20)
    counters.lay_out(edges(midnight - timedelta(days=1), now, BERLIN))
    counters.take_open({now.replace(second=0): {ALL: dollars(3)}, midnight: {ALL: dollars(5)}}, now)
    assert counters.of(ALL, midnight - timedelta(days=1), midnight).effective == 3
    assert counters.of(ALL, midnight, midnight + timedelta(days=1)).effective == 5


def test_a_runaway_is_as_fast_as_its_last_seconds() -> None:
    counters, minute = Counters(), NOW.replace(second=0)
    counters.lay_out(edges(datetime(2026, 11, 22, 23, tzinfo=UTC), NOW, BERLIN))
    for second, amount in ((30, 1), (35, 6), (40, 11)):
        counters.take_open({minute: {ALL: dollars(amount)}}, minute + timedelta(seconds=second))
    # 10 USD in 10 s are 3,600 an hour; 11 USD in 100 s would be 396.
    assert counters.rate_per_hour(ALL, minute + timedelta(seconds=40)) == 3600


def test_what_a_correction_adds_was_not_spent_in_this_moment() -> None:
    counters, minute = Counters(), NOW.replace(second=0)
    counters.lay_out(edges(datetime(2026, 11, 22, 23, tzinfo=UTC), NOW, BERLIN))
    for second, amount, corrected in ((30, 1, 0), (40, 111, 100)):
        spent = CounterSum(Decimal(amount), Decimal(0), (), Decimal(corrected))
        counters.take_open({minute: {ALL: spent}}, minute + timedelta(seconds=second))
    # 10 USD in 10 s are 3,600 an hour; 100 USD more came by a price that was stated too low.
    assert counters.rate_per_hour(ALL, minute + timedelta(seconds=40)) == 3600
    spent = counters.of(ALL, minute, minute + timedelta(minutes=1))
    assert (spent.effective, spent.corrected) == (111, 100)


def test_a_leader_of_some_parts_is_said_to_have_spent_what_it_spent_there() -> None:
    both = dollars(10, (b"a", 6), (b"b", 4)).plus(dollars(20, (b"b", 15), (b"c", 5)))
    assert (both.effective, [each.series_id for each in both.leaders]) == (30, [b"b", b"a", b"c"])
    assert both.leaders[0].amount == 19
