"""Ranges, buckets and filters: the calendar against Postgres's own, and every rule by its message."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.api.http.cursors import decode_cursor, digest_of, encode_cursor
from services.api.http.filters import check_dimensions, dimensions_of, filters_of
from services.api.http.problems import HttpRefusal
from services.api.http.spans import TenantCalendar, checked_range, zone_of
from services.api.spend.buckets import BUCKETS_MAX, Bucket, bucket_edges
from spendmeter.contracts.series import DIMENSIONS

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Africa/Cairo", "America/St_Johns", "Pacific/Chatham")  # fmt: skip


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("bucket", ["day", "month"])
async def test_days_and_months_begin_where_postgres_says(
    book: object, database_url: str, zone: str, bucket: Bucket
) -> None:
    start, end = datetime(2026, 1, 1, 5, 17, tzinfo=UTC), datetime(2026, 12, 30, tzinfo=UTC)
    edges = bucket_edges(start, end, bucket, TenantCalendar(zone=ZoneInfo(zone)))
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(
        "SELECT date_trunc($1, at, $2) AS edge FROM generate_series($3::timestamptz, $4, '30 minutes') AS at "
        "GROUP BY 1 ORDER BY 1",
        bucket, zone, start, end - timedelta(minutes=1),
    )  # fmt: skip
    await connection.close()
    assert edges[:-1] == [row["edge"] for row in rows]


def test_the_day_the_clock_goes_back_has_25_hours_and_each_of_them_is_a_bucket() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 10, 25, tzinfo=berlin), datetime(2026, 10, 26, tzinfo=berlin)
    utc = start.astimezone(UTC), end.astimezone(UTC)
    assert utc[1] - utc[0] == timedelta(hours=25)
    assert len(bucket_edges(*utc, "hour", TenantCalendar(zone=berlin))) == 26
    assert bucket_edges(*utc, "day", TenantCalendar(zone=berlin)) == list(utc)


def test_a_day_whose_midnight_comes_twice_begins_at_the_first() -> None:
    # Postgres's date_trunc says the second, which lies after what it truncates
    azores = ZoneInfo("Atlantic/Azores")
    start, end = datetime(2026, 10, 25, 0, 0, tzinfo=UTC), datetime(2026, 10, 26, 1, 0, tzinfo=UTC)
    assert bucket_edges(start, end, "day", TenantCalendar(zone=azores)) == [start, end]


def test_hours_of_a_part_hour_zone_begin_at_its_own_full_hour() -> None:
    start, end = datetime(2026, 11, 23, 0, 0, tzinfo=UTC), datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
    edges = bucket_edges(start, end, "hour", TenantCalendar(zone=ZoneInfo("Asia/Kathmandu")))
    assert [edge.strftime("%H:%M") for edge in edges] == ["23:15", "00:15", "01:15", "02:15"]


def test_too_many_buckets_are_refused_with_the_bound() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert (
        len(
            bucket_edges(
                start, start + timedelta(minutes=BUCKETS_MAX), "minute", TenantCalendar(zone=ZoneInfo("UTC"))
            )
        )
        == BUCKETS_MAX + 1
    )
    with pytest.raises(HttpRefusal, match=str(BUCKETS_MAX)):
        bucket_edges(
            start, start + timedelta(minutes=BUCKETS_MAX + 1), "minute", TenantCalendar(zone=ZoneInfo("UTC"))
        )


def test_weeks_begin_on_the_tenants_first_day_and_the_one_with_the_clock_change_has_169_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start, end = datetime(2026, 10, 22, 12, tzinfo=berlin), datetime(2026, 10, 29, 12, tzinfo=berlin)
    monday, sunday = TenantCalendar(zone=berlin), TenantCalendar(zone=berlin, week_start=6)
    edges = bucket_edges(start.astimezone(UTC), end.astimezone(UTC), "week", monday)
    assert [edge.astimezone(berlin).isoformat() for edge in edges] == [
        "2026-10-19T00:00:00+02:00", "2026-10-26T00:00:00+01:00", "2026-11-02T00:00:00+01:00",
    ]  # fmt: skip
    assert edges[1] - edges[0] == timedelta(hours=169)
    edges = bucket_edges(start.astimezone(UTC), end.astimezone(UTC), "week", sunday)
    assert [edge.astimezone(berlin).strftime("%a %d") for edge in edges] == ["Sun 18", "Sun 25", "Sun 01"]


def test_what_a_cursor_says_comes_back_and_anything_else_is_refused() -> None:
    shape = tuple[int, list[str], str]
    assert decode_cursor(encode_cursor((3, ["ü/"], "USD")), shape) == (3, ["ü/"], "USD")
    for forged in ("x", "!!", "W10", "é", encode_cursor({"n": 1})):
        with pytest.raises(HttpRefusal, match="cursor"):
            decode_cursor(forged, shape)


def test_a_digest_tells_questions_apart_and_not_their_pages() -> None:
    asked = [("group_by", "team"), ("filter.sku", "a"), ("cursor", "x")]
    page = [("cursor", "y"), ("filter.sku", "a"), ("group_by", "team")]
    assert digest_of(asked, ("cursor",)) == digest_of(page, ("cursor",))
    assert digest_of(asked, ("cursor",)) != digest_of([("group_by", "sku"), *asked[1:]], ("cursor",))


def test_each_mistake_is_named_with_its_rule() -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(HttpRefusal, match=r"'user' is not one of cost_class, provider, sku, team"):
        check_dimensions(dimensions_of("team,user"), (), DIMENSIONS)
    with pytest.raises(HttpRefusal, match="twice"):
        dimensions_of("team,team")
    with pytest.raises(HttpRefusal, match="'run' is not one of"):
        check_dimensions((), filters_of([("filter.run", "r1")], ()), DIMENSIONS)
    with pytest.raises(HttpRefusal, match="group_bye: is not a parameter here"):
        filters_of([("group_bye", "team")], ("group_by",))
    with pytest.raises(HttpRefusal, match="NUL"):
        filters_of([("filter.team", "a\0b")], ())
    with pytest.raises(HttpRefusal, match="must be before to"):
        checked_range(day, day)
    with pytest.raises(HttpRefusal, match="at most 400 days"):
        checked_range(day, day + timedelta(days=401))
    with pytest.raises(HttpRefusal, match="2000 to 2099"):
        checked_range(datetime.min.replace(tzinfo=UTC), day)
    for name in ("Mars/Olympus", "../etc/passwd", "a\0b", "x" * 5000, "Europe"):
        with pytest.raises(HttpRefusal, match="IANA"):
            zone_of(name)


def test_a_label_is_asked_for_in_the_form_that_it_is_booked_in_and_any_other_name_as_it_is_sent() -> None:
    composed, apart = "caf\u00e9", "cafe\u0301"
    asked = [("filter.team", apart), ("filter.team", composed), ("filter.sku", apart)]
    assert filters_of(asked, ()) == {"team": [composed, composed], "sku": [apart]}
