"""GET /v1/spend with what stands beside a row: what it was before, and what it is measured by. Worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from services.api.http.compared import lengths_of, measure_of, percent_of, shift_of
from services.api.spend import routes
from services.api.spend.closed import GroupSum
from services.api.spend.past import past_edges
from services.api.spend.ratios import ratios_of
from tests.api.book import Book
from tests.api.test_spend import ask

BERLIN = ZoneInfo("Europe/Berlin")
DAY = {"from": "2026-11-23", "to": "2026-11-24"}


def berlin(day: int, month: int = 11, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=BERLIN).astimezone(UTC)


def shifted(compare: Any, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    shift = shift_of(compare, start, end, BERLIN)
    return shift(start), shift(end)


def test_whole_days_go_back_by_days_though_one_of_them_has_25_hours() -> None:
    # The clock goes back on 2026-10-25: the week after it is held against the one with 169 hours.
    week = berlin(26, 10), berlin(2)
    assert shifted("previous", *week) == (berlin(19, 10), berlin(26, 10))
    assert lengths_of(week, (berlin(19, 10), berlin(26, 10)), BERLIN) == (7, 7)


def test_a_day_until_now_goes_back_to_the_same_time_of_the_clock() -> None:
    assert shifted("previous", berlin(23), berlin(23, hour=14)) == (berlin(22), berlin(22, hour=14))
    seven = berlin(17), berlin(23, hour=14)
    assert shifted("previous", *seven) == (berlin(10), berlin(16, hour=14))


def test_what_begins_within_a_day_goes_back_by_as_long_as_it_is() -> None:
    start = berlin(23, hour=9)
    assert shifted("previous", start, start + timedelta(hours=1)) == (start - timedelta(hours=1), start)


@pytest.mark.parametrize(
    ("start", "end", "before"),
    [
        (berlin(1), berlin(1, 12), (berlin(1, 10), berlin(1))),
        (berlin(10), berlin(12), (berlin(10, 10), berlin(12, 10))),
        (berlin(1, 3), berlin(31, 3), (berlin(1, 2), berlin(1, 3))),  # February has no 29th and 30th
        (berlin(23, hour=0), berlin(23, hour=14), (berlin(23, 10), berlin(23, 10, hour=14))),
        (berlin(30, 3), berlin(31, 3), (berlin(1, 3), berlin(1, 3))),  # nothing to compare with
    ],
)
def test_the_same_days_of_last_month(
    start: datetime, end: datetime, before: tuple[datetime, datetime]
) -> None:
    assert shifted("month", start, end) == before


def test_whole_days_are_measured_in_days_and_what_is_less_in_minutes() -> None:
    assert measure_of((berlin(1), berlin(3)), (berlin(1, 10), berlin(2, 10)), BERLIN) == "days"
    half = berlin(1), berlin(1, hour=12)
    assert lengths_of(half, (berlin(1, 10), berlin(2, 10)), BERLIN) == (720, 1440)


def test_a_percentage_of_nothing_is_unknown() -> None:
    assert percent_of(Decimal(5), Decimal(20)) == 25
    assert percent_of(Decimal(5), Decimal(0)) is percent_of(Decimal(5), Decimal(-2)) is None


def test_days_that_last_month_did_not_have_are_compared_with_nothing() -> None:
    spans = [berlin(day, 3) for day in (27, 28, 29, 30)]
    edges, places = past_edges(spans, shift_of("month", spans[0], spans[-1], BERLIN))
    assert (edges, places) == ([berlin(27, 2), berlin(28, 2), berlin(1, 3)], [1, 2, None])


def used(events: int, cost: str, *, listed: str = "", unpriced: int = 0, **usage: int) -> GroupSum:
    sums = {
        "events": events,
        "unpriced_events": unpriced,
        "effective": Decimal(cost),
        "list": Decimal(listed or cost),
    }
    return GroupSum(berlin(23), sums, {unit: Decimal(quantity) for unit, quantity in usage.items()})


def test_ratios_are_of_what_has_a_price_and_of_nothing_are_unknown() -> None:
    # 12 in all, 8 of it for 40,000 tokens in 100 calls: 0.0002 each. Of 32,000 of input 24,000 were read from the cache.
    model = used(
        100,
        "8",
        listed="10",
        input_tokens=6_000,
        cache_read_tokens=24_000,
        cache_write_5m_tokens=2_000,
        output_tokens=8_000,
    )
    assert ratios_of(used(120, "12", listed="15"), model) == {
        "per_event": "0.1", "per_1k_tokens": "0.2", "token_share": "0.666666666667", "cache_hit_rate": "0.75", "discount": "0.2",
    }  # fmt: skip
    assert ratios_of(used(4, "2"), None) == {
        "per_event": "0.5", "per_1k_tokens": None, "token_share": "0", "cache_hit_rate": None, "discount": "0",
    }  # fmt: skip
    unknown = used(4, "2", unpriced=2, input_tokens=5)
    assert ratios_of(unknown, unknown) == {
        "per_event": None, "per_1k_tokens": None, "token_share": None, "cache_hit_rate": "0", "discount": "0",
    }  # fmt: skip
    # 1 of 200 has no price: who knows how many of the 5,000 tokens are its.
    one = used(200, "2", unpriced=1, input_tokens=5_000)
    assert (ratios_of(one, one)["per_1k_tokens"], ratios_of(one, one)["per_event"]) == (
        None,
        "0.010050251256",
    )
    assert ratios_of(used(1, "-2"), None)["token_share"] is None
    # 15 of models and a credit of 5 for others are 10: models are not 150 % of it. Nor is a credit of theirs a share.
    assert ratios_of(used(101, "10"), used(100, "15", input_tokens=1))["token_share"] is None
    assert ratios_of(used(101, "10"), used(1, "-5", input_tokens=1))["token_share"] is None


async def test_each_row_says_what_it_was_and_who_is_gone_has_one_too(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for team, before, now in (("a", "4", "5"), ("b", "", "3"), ("c", "2", ""), ("d", "1", "1")):
        if before:
            await book.spend("acme", "2026-11-22T10:00Z", before, team=team)
        if now:
            await book.spend("acme", "2026-11-23T10:00Z", now, team=team)
    await book.spend("acme", "2026-11-22T10:00Z", "9", team="a", currency="EUR")
    answer = await ask(acme, group_by="team", compare="previous", bucket="day", **DAY)
    assert answer["compared_with"] == {"from": "2026-11-22T00:00:00Z", "to": "2026-11-23T00:00:00Z"}
    told = [(row["team"], row["amount"], *row["compared"].values()) for row in answer["totals"]]
    assert told == [
        ("a", "5", "4", "1", "25"), ("b", "3", "0", "3", None), ("d", "1", "1", "0", "0"), ("c", "0", "2", "-2", "-100"),
        ("a", "0", "9", "-9", "-100"),
    ]  # fmt: skip
    assert [row["compared"] for row in answer["series"]] == [row["compared"] for row in answer["totals"]]
    page = await ask(acme, group_by="team", compare="previous", top=1, **DAY)
    assert [(row["team"], row["others"], row["compared"]["before"]) for row in page["totals"]] == [
        ("a", 0, "4"), (None, 3, "3"), ("a", 0, "9"),
    ]  # fmt: skip
    following = await ask(acme, group_by="team", compare="previous", top=1, cursor=page["next_groups"], **DAY)
    assert [(row["team"], row["others"], row["compared"]["before"]) for row in following["totals"]] == [
        ("b", 0, "0"), (None, 3, "7"), (None, 1, "9"),
    ]  # fmt: skip


async def test_by_two_dimensions_over_days_each_bucket_is_held_against_its_own(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for day, amount in ((19, "1"), (20, "2"), (21, "10"), (22, "20")):
        await book.spend("acme", f"2026-11-{day}T10:00Z", amount, team="a", sku="m")
    days = {"from": "2026-11-21", "to": "2026-11-23"}
    answer = await ask(acme, group_by="team,sku", compare="previous", bucket="day", **days)
    assert [(row["amount"], row["compared"]["before"]) for row in answer["series"]] == [
        ("10", "1"),
        ("20", "2"),
    ]
    assert answer["totals"][0]["compared"] == {"before": "3", "change": "27", "percent": "900"}


async def test_before_is_what_spend_says_of_that_span(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-10-23T10:00Z", "0.123456789012", team="a")
    answer = await ask(acme, compare="month", measure="list", **DAY)
    span = answer["compared_with"]
    then = await ask(acme, measure="list", **span)
    assert answer["totals"][0]["compared"]["before"] == then["totals"][0]["amount"] == "0.123456789012"


async def test_ratios_stand_in_rows_and_in_csv(acme: httpx.AsyncClient, book: Book) -> None:
    usage = {"input_tokens": 1_000, "cache_read_tokens": 3_000}
    await book.spend(
        "acme", "2026-11-23T10:00Z", "8", effective="6", usage=usage, cost_class="model", team="a", events=3
    )
    await book.spend(
        "acme", "2026-11-23T10:00Z", "2", usage={"io_requests": 5}, cost_class="database", team="a"
    )
    (row,) = (await ask(acme, group_by="team", ratios="true", **DAY))["totals"]
    assert row["ratios"] == {
        "per_event": "2", "per_1k_tokens": "1.5", "token_share": "0.75", "cache_hit_rate": "0.75", "discount": "0.2",
    }  # fmt: skip
    only = await ask(acme, **{"filter.cost_class": "database"}, ratios="true", **DAY)
    assert (only["totals"][0]["ratios"]["token_share"], only["totals"][0]["ratios"]["per_1k_tokens"]) == (
        "0",
        None,
    )
    table = await acme.get(
        "/v1/spend", params={"ratios": "true", "compare": "previous", **DAY}, headers={"Accept": "text/csv"}
    )
    heading, line = table.text.splitlines()
    told = dict(zip(heading.split(","), line.split(","), strict=True))
    assert (told["ratios.per_event"], told["compared.before"], told["compared.percent"]) == ("2", "0", "")


async def test_more_groups_than_something_can_stand_beside_are_refused(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for team in "abc":
        await book.spend("acme", "2026-11-23T10:00Z", "1", team=team)
    monkeypatch.setattr(routes, "BESIDE_MAX", 2)
    answer = await acme.get("/v1/spend", params={"group_by": "team", "compare": "previous", **DAY})
    assert (answer.status_code, "too many groups" in answer.json()["detail"]) == (422, True)


async def test_who_had_too_many_groups_is_answered_of_days_that_have_fewer(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day, team in ((23, "a"), (23, "b"), (23, "c"), (21, "a")):
        await book.spend("acme", f"2026-11-{day}T10:00Z", "1", team=team)
    monkeypatch.setattr(routes, "BESIDE_MAX", 2)
    asked = {"group_by": "team", "compare": "previous"}
    assert (await acme.get("/v1/spend", params={**asked, **DAY})).status_code == 422
    answer = await ask(acme, **{**asked, "from": "2026-11-21", "to": "2026-11-22"})
    assert [(row["team"], row["amount"]) for row in answer["totals"]] == [("a", "1")]


async def test_where_minutes_are_gone_the_past_ends_with_an_hour_and_says_so(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.connection.execute("INSERT INTO minutes_kept (since) VALUES ('2026-11-01T00:00Z')")
    span = {"from": "2026-11-20T00:00Z", "to": "2026-11-20T02:30Z", "compare": "month"}
    whole = await ask(acme, **span)
    assert whole["compared_with"] == {"from": "2026-10-20T00:00:00Z", "to": "2026-10-20T02:00:00Z"}
    by_hour = await ask(acme, bucket="hour", **span)
    assert [row["compared"]["before"] for row in by_hour["series"]] == ["0", "0", None]
    changed = await acme.get("/v1/spend/changes", params=span)
    assert (changed.json()["before"]["length"], changed.json()["period"]["length"]) == (120, 150)
