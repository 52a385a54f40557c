"""What a request, a thousand tokens and caching come to, worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.database.remembered import BookedDays
from services.api.unit_economics import reading
from services.api.unit_economics.economics import TOKENS, WRITTEN, row_of
from services.corrector.projections.projector import Projector
from spendmeter.contracts.events import Labels, Performance, UsageData, UsageEvent
from spendmeter.contracts.rated import Line
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.api.test_workflows import NOON, Flows, flows

__all__ = ["flows"]

DAY = date(2026, 11, 23)
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
FRESH, READ, WRITE = ("input_tokens", "3"), ("cache_read_tokens", "0.3"), ("cache_write_5m_tokens", "3.75")


def summed(**said: Any) -> dict[str, Any]:
    names = (
        "billed of_which_provisional tokens uncached_tokens cache_read_tokens cache_written_tokens cached_cost "
        "cached_cost_without uncached_cost not_compared_tokens unpriced_requests unpriced_tokens uncached_not_compared_tokens"
    ).split()
    return {
        "key": [], "currency": "USD", "requests": Decimal(4), "unpriced_events": 0, "cost": Decimal(10),
        **dict.fromkeys(names, Decimal(0)), **said,
    }  # fmt: skip


def test_units_that_are_tokens_are_known_by_their_registry() -> None:
    assert {"input_tokens", "output_tokens", "reasoning_tokens", "embedding_tokens"} <= set(TOKENS)
    assert "training_tokens" not in TOKENS
    assert {"cache_write_5m_tokens", "cache_write_1h_tokens"} <= set(WRITTEN)


def test_caching_is_held_against_all_of_the_input_uncached() -> None:
    """1 M uncached at 3, 8 M read at 0.3, 1 M written at 3.75: 9.15 instead of 30, which is 69.5 % less."""
    million = Decimal(1_000_000)
    row = row_of(
        summed(
            uncached_tokens=million, cache_read_tokens=8 * million, cache_written_tokens=million,
            uncached_cost=Decimal(3), cached_cost=Decimal("6.15"), cached_cost_without=Decimal(27),
            tokens=10 * million,
        ), (), None,
    )  # fmt: skip
    assert (row.input_cost, row.input_cost_without_cache, row.cache_return) == (
        Decimal("9.15"),
        Decimal(30),
        Decimal("20.85"),
    )
    assert (row.cache_return_percent, row.cache_hit_rate) == (Decimal("69.5"), Decimal("0.8"))
    assert (row.cost_per_request, row.cost_per_1k_tokens) == (Decimal("2.5"), Decimal("0.001"))


def test_a_cache_that_is_written_and_never_read_costs_more_than_it_saves() -> None:
    row = row_of(
        summed(cache_written_tokens=Decimal(1000), cached_cost=Decimal(5), cached_cost_without=Decimal(4)),
        (),
        None,
    )
    assert row.cache_return == -1


def test_what_cannot_be_said_is_null_and_never_nothing() -> None:
    row = row_of(
        summed(requests=Decimal(0), cache_read_tokens=Decimal(9), not_compared_tokens=Decimal(9)), (), None
    )
    assert (row.cost_per_request, row.cost_per_1k_tokens, row.cache_return, row.attempts_per_success) == (
        None,
    ) * 4
    assert row.not_compared_tokens == 9


def test_a_row_of_a_bill_is_no_request_and_what_it_says_no_cost_of_one() -> None:
    """Of 10 a bill says 6: 4 for 4 requests and 2,000 tokens."""
    row = row_of(summed(billed=Decimal(6), tokens=Decimal(2000)), (), None)
    assert (row.cost, row.billed, row.cost_per_request, row.cost_per_1k_tokens) == (10, 6, 1, 2)


@pytest.mark.parametrize(("unpriced", "each"), [(2, Decimal("0.05")), (3, None), (202, None)])
def test_where_much_has_no_price_nobody_knows_what_a_request_costs(
    unpriced: int, each: Decimal | None
) -> None:
    """9.90 USD for 200 requests of which two have no price: of 198."""
    row = row_of(
        summed(
            requests=Decimal(200), unpriced_requests=Decimal(unpriced), unpriced_events=unpriced, cost=Decimal("9.9")
        ), (), None,
    )  # fmt: skip
    assert (row.cost_per_request, row.lower_bound) == (each, True)


def test_one_event_that_holds_most_of_the_tokens_makes_no_thousand_cheap() -> None:
    """1 of 200 events has no price, and 9,000 of 10,000 tokens; of 100,000 it is 1 in a hundred: 10 over 99,000."""
    said = {"requests": Decimal(200), "unpriced_requests": Decimal(1), "unpriced_events": 1}
    row = row_of(summed(**said, tokens=Decimal(10_000), unpriced_tokens=Decimal(9_000)), (), None)
    assert (row.cost_per_1k_tokens, row.unpriced_tokens) == (None, 9_000)
    row = row_of(summed(**said, tokens=Decimal(100_000), unpriced_tokens=Decimal(1_000)), (), None)
    assert row.cost_per_1k_tokens == Decimal("0.101010101010")


async def event(book: Book, id: str, amounts: dict[tuple[str, str], int], **said: Any) -> None:
    """An event of the units at their price a million, with its lines."""
    usage = {unit: quantity for (unit, _), quantity in amounts.items()}
    lines = [
        Line(unit=unit, amount=str(Decimal(price) * quantity / 1_000_000), price=price, entry=f"{unit}-1")
        for (unit, price), quantity in amounts.items()
    ]
    cost = sum((Decimal(line.amount or 0) for line in lines), Decimal(0))
    status = said.pop("status", "priced")
    given = {"provider": "anthropic", "sku": "claude", "usage": usage, "labels": Labels(team="web"), **said}
    made = UsageEvent(
        specversion="1.0", type="spendmeter.usage.v1", source="bot", subject="s", id=id, tenant="acme", keyid="k1",
        time=AT, receivedat=AT, data=UsageData(**given),
    )  # fmt: skip
    await book.entry(made, str(cost), lines, status=status)


async def ask(client: httpx.AsyncClient, status: int = 200, **asked: Any) -> dict[str, Any]:
    given = {"from": "2026-11-23", "to": "2026-11-24", **asked}
    answer = await client.get("/v1/unit-economics", params=given)
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_it_is_read_of_the_book_by_any_filter(
    acme: httpx.AsyncClient, book: Book, flows: Flows
) -> None:
    """3 requests: 3 + 0.3 + 3.75 of input, and one that failed: 7.05 over 4 M tokens and 3 requests."""
    ok, failed = Performance(status="ok"), Performance(status="error")
    await event(book, "e1", {FRESH: 500_000, WRITE: 1_000_000}, performance=ok)
    await event(book, "e2", {FRESH: 500_000, READ: 1_000_000}, performance=ok)
    await event(book, "e3", {FRESH: 0}, performance=failed)
    await event(book, "e4", {FRESH: 9}, labels=Labels(team="core"), sku="other")
    end = book._offset + 1
    await book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
    await Projector(pool=flows.pool, meters=Meters()).catch_up()
    asked: dict[str, Any] = {"filter.team": "web", "group_by": "sku"}
    body = await ask(acme, **asked)
    [row] = body["rows"]
    assert (row["sku"], row["requests"], row["cost"], row["tokens"]) == ("claude", "3", "7.05", "3000000")
    assert (row["cost_per_request"], row["cost_per_1k_tokens"]) == ("2.35", "0.00235")
    # All uncached: 3 M at 3 = 9.
    assert (row["input_cost"], row["input_cost_without_cache"], row["cache_return"]) == ("7.05", "9", "1.95")
    assert row["cache_hit_rate"] == "0.333333333333"
    assert (row["attempts"], row["succeeded"], row["attempts_per_success"]) == (3, 2, "1.5")
    assert (await ask(acme, group_by="team"))["groups"] == 2
    table = await acme.get(
        "/v1/unit-economics",
        params={"from": "2026-11-23", "to": "2026-11-24", "group_by": "team"},
        headers={"Accept": "text/csv"},
    )
    assert "cost_per_request" in table.text.splitlines()[0]


async def test_what_has_no_price_is_on_neither_side_of_a_ratio(
    acme: httpx.AsyncClient, book: Book, flows: Flows
) -> None:
    """99 requests of 1,000 tokens at 3 a million, and one of 1,000 tokens without a price: 0.003 each, as of 99."""
    for n in range(99):
        await event(book, f"e{n}", {FRESH: 1_000})
    await event(book, "unknown", {}, status="unpriced", usage={"input_tokens": 1_000})
    await flows.follow()
    [row] = (await ask(acme))["rows"]
    assert (row["requests"], row["unpriced_requests"], row["unpriced_events"]) == ("100", "1", 1)
    assert (row["tokens"], row["unpriced_tokens"], row["cost"]) == ("100000", "1000", "0.297")
    assert (row["cost_per_request"], row["cost_per_1k_tokens"]) == ("0.003", "0.003")


async def test_days_are_added_up_again_when_they_have_changed_and_many_groups_by_postgres(
    acme: httpx.AsyncClient, book: Book, flows: Flows, api: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.headers["Cache-Control"] = "no-cache"
    for number, team in enumerate(("web", "core", "web")):
        labels, sku = Labels(team=team), f"sku-{number}"
        await event(book, f"e{number}", {FRESH: 1_000_000, READ: 1_000_000}, labels=labels, sku=sku)
    end = book._offset + 1
    await book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
    await Projector(pool=flows.pool, meters=Meters()).catch_up()

    async def costs() -> list[tuple[str, str]]:
        body = await ask(acme, group_by="team")
        for name in ("complete_through", "in_flight", "in_flight_age_s"):
            body.pop(name)
        kept, api.state.booked_days = api.state.booked_days, BookedDays()
        with monkeypatch.context() as by_postgres:
            by_postgres.setattr(reading, "ROWS_MAX", 0)
            whole = await ask(acme, group_by="team")
            assert body["rows"] == whole["rows"] and body["groups"] == whole["groups"] == len(body["rows"])
        api.state.booked_days = kept
        return [(row["team"], row["cost"]) for row in body["rows"]]

    # A million at 3 and one at 0.3: 3.3 each, of which two are of one team.
    assert await costs() == await costs() == [("web", "6.6"), ("core", "3.3")]
    await book.connection.execute("UPDATE cells SET effective = effective * 3 WHERE series_id = ("
        "SELECT series_id FROM series WHERE team = 'core')")  # fmt: skip
    assert await costs() == [("core", "9.9"), ("web", "6.6")]
    await book.connection.execute("DELETE FROM quality_hours")
    assert {row["attempts"] for row in (await ask(acme, group_by="team"))["rows"]} == {0}
    await book.connection.execute("TRUNCATE cells CASCADE")
    assert await costs() == []


async def test_what_was_too_much_to_put_together_is_not_read_for_that_again(
    acme: httpx.AsyncClient, book: Book, flows: Flows, api: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await event(book, "e1", {FRESH: 1_000_000})
    await flows.follow()
    monkeypatch.setattr(reading, "ROWS_MAX", 0)
    first = (await ask(acme))["rows"]
    monkeypatch.setattr(reading, "ROWS_MAX", 9)
    assert (await ask(acme))["rows"] == first != []
    assert api.state.booked_days.size == 0
    await ask(acme, group_by="team")  # another question: of its group what was used, and how it went
    assert api.state.booked_days.size == 2


async def test_of_today_nothing_is_kept_for_it_changes_all_the_time(
    acme: httpx.AsyncClient, book: Book, flows: Flows, api: FastAPI
) -> None:
    await event(book, "e1", {FRESH: 1_000_000}, performance=Performance(status="ok"))
    await flows.follow()
    assert len((await ask(acme))["rows"]) == 1
    kept = api.state.booked_days.size
    assert kept == 2  # its cells, and how it went
    today = datetime.now(UTC).date()
    await book.connection.execute("UPDATE cells SET day = $1", today)
    await book.connection.execute("UPDATE quality_hours SET hour = $1", datetime.now(UTC))
    span = {"from": str(today), "to": str(today + timedelta(days=1))}
    for cost in ("3", "6", "12"):
        assert [(row["cost"], row["attempts"]) for row in (await ask(acme, **span))["rows"]] == [(cost, 1)]
        await book.connection.execute("UPDATE cells SET effective = effective * 2")
    assert api.state.booked_days.size == kept


@pytest.mark.parametrize(
    "asked", [{"days": "3"}, {"group_by": "nothing"}, {"group_by": "team,sku,agent,project"}]
)
async def test_what_cannot_be_asked_is_refused(acme: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    await ask(acme, 422, **asked)
    await ask(acme, 422, **{"from": "2026-01-01"})


async def test_days_are_asked_for_by_name_as_those_of_utc(acme: httpx.AsyncClient) -> None:
    async def days(**asked: str) -> tuple[str, str]:
        answer = await acme.get("/v1/unit-economics", params=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()["first_day"], answer.json()["until"]

    before = datetime.now(UTC).date()
    of_a_week = await days(range="last_7_days")
    after = datetime.now(UTC).date()
    assert of_a_week in {
        (f"{day - timedelta(days=6)}", f"{day + timedelta(days=1)}") for day in (before, after)
    }
    refused = [{"range": "last_hour"}, {"range": "last_7_days", "from": "2026-11-23"}, {"range": "ever"}]
    for asked in refused:
        assert (await acme.get("/v1/unit-economics", params=asked)).status_code == 422, asked


async def test_which_versions_of_workflows_came_in_these_days_is_said(
    acme: httpx.AsyncClient, flows: Flows
) -> None:
    """v1 was there before, v3 came five days ago, and what names no version is none."""
    for run, ago, version in (("a", 40, "v1"), ("b", 6, "v1"), ("c", 5, "v3"), ("d", 4, "v3"), ("e", 3, "")):
        await flows.run(run, ago, "1", version=version)
    await flows.follow()

    async def releases(**asked: str) -> Any:
        answer = await acme.get("/v1/unit-economics", params={"range": "last_30_days", **asked})
        assert answer.status_code == 200, answer.text
        return answer.json()["releases"]

    came = f"{NOON - timedelta(days=5):%Y-%m-%d}"
    assert await releases() == [{"workflow": "refund", "version": "v3", "day": came}]
    assert await releases(**{"filter.workflow": "refund"}) == await releases()
    assert await releases(**{"filter.workflow": "other"}) == []
    assert await releases(**{"filter.workflow_version": "v1"}) == []


async def test_while_it_is_added_up_anew_it_is_not_said_to_be_complete(
    acme: httpx.AsyncClient, book: Book, flows: Flows
) -> None:
    await event(book, "e1", {FRESH: 500_000})
    await flows.follow()
    body = await ask(acme)
    assert (body["complete_through"] is None, body["not_in_it"]) == (False, [])
    await book.connection.execute("DELETE FROM projection_marks WHERE projection = 'quality_hours'")
    body = await ask(acme)
    assert body["complete_through"] is None
    assert body["not_in_it"] == ["2 booked events of all tenants are not added up yet"]


@pytest.mark.parametrize(
    "lacks",
    [
        "INSERT INTO closed_accounts VALUES (0, now() - interval '1 day', 7)",
        "INSERT INTO corrector (topic, next_entry) VALUES ('t', 7)",
    ],
)
async def test_former_accounts_and_corrections_that_are_to_be_added_up_count(
    acme: httpx.AsyncClient, book: Book, flows: Flows, lacks: str
) -> None:
    await event(book, "e1", {FRESH: 500_000})
    await flows.follow()
    await book.connection.execute(lacks)
    body = await ask(acme)
    assert body["complete_through"] is None
    assert body["not_in_it"][0].endswith("booked events of all tenants are not added up yet")
