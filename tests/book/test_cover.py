"""Which rollups answer a question: every minute of it once, by the largest buckets that are whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spendmeter.book.cover import Marks, MinutesDropped, Piece, cover
from spendmeter.book.sizes import SIZES, bucket_at
from spendmeter.contracts.terms import Terms, Timeline

ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kolkata"]
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def timeline(zone: str, later: str | None = None) -> Timeline:
    """In one zone; with `later` from April 2026 (its month) in another."""
    old = Timeline([(None, Terms(zone=ZoneInfo(zone)))])
    if later is None:
        return old
    april = old.bounds("month", at("2026-04-15"))[0]
    return Timeline([(None, Terms(zone=ZoneInfo(zone))), (april, Terms(zone=ZoneInfo(later)))])


def test_a_day_that_is_whole_is_one_day() -> None:
    berlin = timeline("Europe/Berlin")
    day = [at("2026-03-09T23:00"), at("2026-03-10T23:00")]
    assert cover(day, berlin, Marks({})) == [Piece("day", *day)]


def test_days_hours_and_minutes_make_up_a_span_that_begins_and_ends_anywhere() -> None:
    assert cover([at("2026-03-08T22:53"), at("2026-03-11T01:02")], timeline("UTC"), Marks({})) == [
        Piece("minute", at("2026-03-08T22:53"), at("2026-03-08T22:55")),
        Piece("five_minutes", at("2026-03-08T22:55"), at("2026-03-08T23:00")),
        Piece("hour", at("2026-03-08T23:00"), at("2026-03-09T00:00")),
        Piece("day", at("2026-03-09T00:00"), at("2026-03-11T00:00")),
        Piece("hour", at("2026-03-11T00:00"), at("2026-03-11T01:00")),
        Piece("minute", at("2026-03-11T01:00"), at("2026-03-11T01:02")),
    ]


def test_what_was_touched_is_read_in_finer_rollups_and_no_more_than_that() -> None:
    touched = Marks({"five_minutes": [at("2026-03-10T10:05")], "hour": [at("2026-03-10T12:00")]})
    assert cover([at("2026-03-10T00:00"), at("2026-03-11T00:00")], timeline("UTC"), touched) == [
        Piece("hour", at("2026-03-10T00:00"), at("2026-03-10T10:00")),
        Piece("five_minutes", at("2026-03-10T10:00"), at("2026-03-10T10:05")),
        Piece("minute", at("2026-03-10T10:05"), at("2026-03-10T10:10")),
        Piece("five_minutes", at("2026-03-10T10:10"), at("2026-03-10T11:00")),
        Piece("hour", at("2026-03-10T11:00"), at("2026-03-10T12:00")),
        Piece("five_minutes", at("2026-03-10T12:00"), at("2026-03-10T13:00")),
        Piece("hour", at("2026-03-10T13:00"), at("2026-03-11T00:00")),
    ]


def test_another_clock_reads_hours_where_its_offset_fits_and_five_minutes_where_it_does_not() -> None:
    utc_day = [at("2026-03-10T00:00"), at("2026-03-11T00:00")]
    assert {piece.size for piece in cover(utc_day, timeline("America/New_York"), Marks({}))} == {"hour"}
    kathmandu = cover(utc_day, timeline("Asia/Kathmandu"), Marks({}))
    assert {piece.size for piece in kathmandu} == {"hour", "five_minutes"}
    assert kathmandu[0] == Piece("five_minutes", at("2026-03-10T00:00"), at("2026-03-10T00:15"))


def test_hours_of_a_series_by_the_hour_are_never_joined_into_days() -> None:
    edges = [at("2026-03-10T00:00") + n * timedelta(hours=1) for n in range(25)]
    assert cover(edges, timeline("UTC"), Marks({})) == [Piece("hour", edges[0], edges[-1])]


def test_before_minutes_are_kept_an_hour_is_the_finest_and_is_read_with_its_late_minutes_where_these_wait() -> (
    None
):
    """Kept from midnight in UTC, which in Kathmandu is within an hour: it counts as one of those before."""
    kept_since = at("2026-03-10T00:00")
    touched = Marks({"five_minutes": [at("2026-03-09T22:00"), at("2026-03-10T02:00")]})
    edges = [at("2026-03-09T21:15"), at("2026-03-10T02:15")]
    assert cover(edges, timeline("Asia/Kathmandu"), touched, kept_since) == [
        Piece("late_hour", at("2026-03-09T21:15"), at("2026-03-09T22:15")),
        Piece("hour", at("2026-03-09T22:15"), at("2026-03-10T01:15")),
        Piece("five_minutes", at("2026-03-10T01:15"), at("2026-03-10T02:00")),
        Piece("minute", at("2026-03-10T02:00"), at("2026-03-10T02:05")),
        Piece("five_minutes", at("2026-03-10T02:05"), at("2026-03-10T02:15")),
    ]


@pytest.mark.parametrize("edges", ["2026-03-09T12:30 2026-03-11T00:00", "2026-03-09T12:00 2026-03-09T12:01"])
def test_an_edge_within_an_hour_from_before_minutes_are_kept_is_refused(edges: str) -> None:
    with pytest.raises(MinutesDropped, match="nothing from before 2026-03-10 00:00Z"):
        cover([at(edge) for edge in edges.split()], timeline("UTC"), Marks({}), at("2026-03-10T00:00"))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("later", [None, "America/Los_Angeles", "Pacific/Auckland", "Asia/Kolkata"])
def test_every_bucket_lies_whole_in_one_of_the_next_size(zone: str, later: str | None) -> None:
    """Over two changes of the clock, a change of zone and the days around them."""
    calendar = timeline(zone, later)
    for size, larger in pairwise(SIZES):
        start, end = at("2026-03-25T00:00"), at("2026-04-10T00:00")
        while start < end:
            bucket, whole = bucket_at(size, start, calendar), bucket_at(larger, start, calendar)
            assert bucket.start <= start < bucket.end
            if size != "five_minutes" or later is None:
                assert whole.start <= bucket.start < bucket.end <= whole.end
            assert bucket_at(size, bucket.end - MINUTE, calendar) == bucket
            start = bucket.end


minutes = st.integers(0, 60 * 24 * 45)
spans = st.lists(minutes, min_size=2, max_size=5, unique=True).map(sorted)
starts = st.lists(minutes, max_size=8)


@given(spans, st.sampled_from(ZONES), st.sampled_from([None, *ZONES]), starts, starts, starts)
def test_every_minute_is_covered_once_and_never_by_what_was_touched(
    span: list[int], zone: str, later: str | None, fives: list[int], hours: list[int], days: list[int]
) -> None:
    calendar = timeline(zone, later)
    edges = [START + n * MINUTE for n in span]
    dirty = {
        size: {bucket_at(size, START + n * MINUTE, calendar).start for n in marks}
        for size, marks in zip(SIZES, (fives, hours, days), strict=True)
    }
    pieces = cover(edges, calendar, Marks(dirty))
    assert [piece.start for piece in pieces] == [edges[0], *(piece.end for piece in pieces[:-1])]
    assert pieces[-1].end == edges[-1]
    for piece in pieces:
        if piece.size == "minute":
            continue
        start = piece.start
        while start < piece.end:
            bucket = bucket_at(piece.size, start, calendar)
            assert bucket.start == start and bucket.end <= piece.end
            assert not any(bucket.start < edge < bucket.end for edge in edges)
            for size in SIZES[: SIZES.index(piece.size) + 1]:
                assert not any(bucket.start <= mark < bucket.end for mark in dirty[size])
            start = bucket.end
