"""Spans as people write them: days, instants with their offset, ranges by name; every refusal says what to write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.api.http.problems import HttpRefusal
from services.api.http.spans import (
    RANGES,
    SpanQuestion,
    TenantCalendar,
    in_whole_minutes,
    instant_of,
    named_days,
    named_span,
    span_of,
    whole_minutes,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 25, 23, 30, 15, tzinfo=UTC)
"""Thursday the 26th, half past midnight, in Berlin."""


THERE = TenantCalendar(zone=BERLIN)


def local(name: str, calendar: TenantCalendar = THERE, now: datetime = NOW) -> tuple[str, str]:
    start, end = named_span(name, calendar, now)  # type: ignore[arg-type]
    assert start < end <= now
    return tuple(f"{at.astimezone(calendar.zone):%Y-%m-%d %H:%M}" for at in (start, end))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("last_hour", "2026-11-25 23:30", "2026-11-26 00:30"),
        ("last_24_hours", "2026-11-25 00:30", "2026-11-26 00:30"),
        ("today", "2026-11-26 00:00", "2026-11-26 00:30"),
        ("yesterday", "2026-11-25 00:00", "2026-11-26 00:00"),
        ("this_week", "2026-11-23 00:00", "2026-11-26 00:30"),
        ("last_week", "2026-11-16 00:00", "2026-11-23 00:00"),
        ("month_to_date", "2026-11-01 00:00", "2026-11-26 00:30"),
        ("last_month", "2026-10-01 00:00", "2026-11-01 00:00"),
        ("quarter_to_date", "2026-10-01 00:00", "2026-11-26 00:30"),
        ("last_quarter", "2026-07-01 00:00", "2026-10-01 00:00"),
        ("last_7_days", "2026-11-20 00:00", "2026-11-26 00:30"),
        ("last_30_days", "2026-10-28 00:00", "2026-11-26 00:30"),
        ("last_90_days", "2026-08-29 00:00", "2026-11-26 00:30"),
    ],
)
def test_a_range_by_name_is_of_the_zones_own_days(name: str, start: str, end: str) -> None:
    assert local(name) == (start, end)


@pytest.mark.parametrize(
    ("name", "first", "beyond"),
    [
        ("today", "2026-11-26", "2026-11-27"),
        ("yesterday", "2026-11-25", "2026-11-26"),
        ("this_week", "2026-11-23", "2026-11-27"),
        ("last_week", "2026-11-16", "2026-11-23"),
        ("last_month", "2026-10-01", "2026-11-01"),
        ("last_7_days", "2026-11-20", "2026-11-27"),
    ],
)
@pytest.mark.parametrize("now", [NOW, datetime(2026, 11, 25, 23, tzinfo=UTC)])
def test_as_days_a_range_ends_with_a_whole_one_also_at_midnight(
    name: str, first: str, beyond: str, now: datetime
) -> None:
    found = named_days(name, THERE, now)  # type: ignore[arg-type]
    assert tuple(map(str, found)) == (first, beyond)


@pytest.mark.parametrize("name", ["last_hour", "last_24_hours"])
def test_hours_are_no_days(name: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        named_days(name, THERE, NOW)  # type: ignore[arg-type]
    assert "is no range of days" in refused.value.detail


def test_every_name_is_worked_out_also_at_the_first_moments_of_a_year() -> None:
    new_year = datetime(2026, 12, 31, 23, 0, 1, tzinfo=UTC)  # 2027 in Berlin
    for name in RANGES:
        local(name, now=new_year)
    assert local("last_month", now=new_year)[0] == "2026-12-01 00:00"


def test_weeks_and_quarters_are_the_tenants_own() -> None:
    tenant = TenantCalendar(zone=BERLIN, week_start=6, fiscal_start_month=2)
    assert local("this_week", tenant)[0] == "2026-11-22 00:00"
    assert local("quarter_to_date", tenant)[0] == "2026-11-01 00:00"
    assert local("last_quarter", tenant) == ("2026-08-01 00:00", "2026-11-01 00:00")


def test_yesterday_has_25_hours_when_the_clock_went_back() -> None:
    start, end = named_span("yesterday", TenantCalendar(zone=BERLIN), datetime(2026, 10, 26, 12, tzinfo=UTC))
    assert end - start == timedelta(hours=25)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-25", "2026-11-24T23:00:00+00:00"),
        ("2026-11-25T10:00:00Z", "2026-11-25T10:00:00+00:00"),
        ("2026-11-25t10:00z", "2026-11-25T10:00:00+00:00"),
        ("2026-11-25 10:00:00.5+01:00", "2026-11-25T09:00:00.500000+00:00"),
        ("2026-11-25T10:00:00-0330", "2026-11-25T13:30:00+00:00"),
    ],
)
def test_a_day_alone_begins_in_the_zone_and_an_instant_says_its_offset(text: str, instant: str) -> None:
    at = instant_of("from", text, BERLIN)
    assert at is not None
    assert at.astimezone(UTC).isoformat() == instant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1764028800", "bare number"),
        ("20261125", "bare number"),
        ("1764028800.5", "bare number"),
        ("2026-11-25T10:00:00 01:00", "a + in an address arrives as a space, so write it %2B"),
        ("2026-11-25T10:00:00 0100", "%2B"),
        ("2026-11-25T10:00:00", "has no offset"),
        ("2026-13-01", "no calendar"),
        ("2026-11-25T25:00:00Z", "no calendar"),
        ("2026-W48", "must be a day"),
        ("now", "must be a day"),
        ("", "must be a day"),
        ("٢٠٢٦-11-25", "must be a day"),
    ],
)
def test_what_is_no_time_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        instant_of("from", text, BERLIN)
    assert refused.value.status == 422
    assert refused.value.detail.startswith("from: ")
    assert said in refused.value.detail


def test_a_range_and_its_ends_are_not_both_given() -> None:
    with pytest.raises(HttpRefusal, match="instead of from and to"):
        span_of(SpanQuestion("today", None, "2026-11-25"), THERE, NOW)


def test_without_a_range_it_is_the_local_day_through_the_open_minute() -> None:
    now = datetime(2026, 11, 23, 23, 30, 15, tzinfo=UTC)
    assert whole_minutes(None, None, ZoneInfo("Europe/Berlin"), now) == (
        datetime(2026, 11, 23, 23, 0, tzinfo=UTC),
        datetime(2026, 11, 23, 23, 31, tzinfo=UTC),
    )


def test_a_range_is_widened_to_whole_minutes_and_a_whole_minute_stays_exclusive() -> None:
    start, end = (
        datetime(2026, 11, 23, 10, 0, 30, tzinfo=UTC),
        datetime(2026, 11, 23, 10, 5, 0, 1, tzinfo=UTC),
    )
    zone = ZoneInfo("UTC")
    assert whole_minutes(start, end, zone, end)[0].second == 0
    assert whole_minutes(start, end, zone, end)[1] == datetime(2026, 11, 23, 10, 6, tzinfo=UTC)
    assert whole_minutes(start, end.replace(microsecond=0), zone, end)[1] == end.replace(microsecond=0)


def test_questions_that_are_widened_to_the_same_minutes_are_the_same() -> None:
    def asked(**instants: str) -> dict[str, str]:
        return dict(in_whole_minutes((name.rstrip("_"), text) for name, text in instants.items()))

    first = asked(from_="2026-11-25T10:00:00Z", to="2026-11-25T10:05:00+00:00")
    assert first == {"from": "2026-11-25T10:00:00+00:00", "to": "2026-11-25T10:05:00+00:00"}
    assert first == asked(from_="2026-11-25T10:00:59.999Z", to="2026-11-25T10:04:00,001Z")
    assert asked(to="2026-11-25T10:05:00.001Z") == {"to": "2026-11-25T10:06:00+00:00"}
    assert asked(from_="2026-11-25 10:00:30+01:00") == {"from": "2026-11-25T10:00:00+01:00"}
    assert asked(range="2026-11-25T10:00:30Z") == {"range": "2026-11-25T10:00:30Z"}


@pytest.mark.parametrize(
    "text",
    ["2026-02-30T10:00Z", "9999-12-31T23:59:59Z", "2026-11-25T10:00 01:00", "2026-11-25", "\u0663", ""],
)
def test_what_is_no_instant_stays_as_it_is_written(text: str) -> None:
    assert in_whole_minutes([("to", text)]) == [("to", text)]
