"""GET /v1/spend/changes over real rollups and cells, amounts worked out by hand and held against /v1/spend."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest

from services.api.changes import prices, routes
from services.api.changes.models import SpendChanges
from services.api.changes.uses import PARTS
from services.api.spend import groups
from services.ledger.roller import Roller
from spendmeter.contracts.money import total
from spendmeter.contracts.series import Series
from spendmeter.platform.telemetry import Meters
from tests.api import test_spend
from tests.api.book import Book

WEEKS = {"from": "2026-11-16", "to": "2026-11-23"}
MONDAY, MONDAY_BEFORE = "2026-11-16T10:00Z", "2026-11-09T10:00Z"


async def ask(client: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await client.get(
        "/v1/spend/changes", params={name.replace("__", "."): text for name, text in parameters.items()}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert SpendChanges.model_validate(body).model_dump(mode="json", by_alias=True) == body, "as documented"
    for row in body["currencies"]:
        assert total(Decimal(row["parts"][name]) for name in PARTS) == Decimal(row["change"])
        of = [each for each in body["contributors"] if each["currency"] == row["currency"]]
        for name in PARTS if of and of[0]["parts"] else ():
            assert total(Decimal(each["parts"][name]) for each in of) == Decimal(row["parts"][name])
        if of:
            assert total(Decimal(each["before"]) for each in of) == Decimal(row["before"])
            assert total(Decimal(each["amount"]) for each in of) == Decimal(row["amount"])
    return body


async def refused(client: httpx.AsyncClient, **parameters: Any) -> str:
    answer = await client.get("/v1/spend/changes", params=parameters)
    assert answer.status_code == 422, answer.text
    return str(answer.json()["detail"])


async def cell(book: Book, day: date, unit: str, quantity: int, amount: str, **dimensions: str) -> None:
    """What the corrector folds of a day: a unit of a series, at one price."""
    series = await book.series("acme", Series.of(dimensions))
    await book.connection.execute(
        "INSERT INTO cells (tenant, day, cell_id, series_id, tier, region, batch, currency, unit, status, entry, factors, "
        "contracted_entry, reason, priced_in, contracted_in, events, quantity, list_priced, contracted_priced, "
        "effective_priced, list, contracted, effective) VALUES ('acme', $1, $6, $5, '', '', "
        "false, 'USD', $2, 'priced', 'e', '', '', '', 'USD', 'USD', 1, $3, $4, $4, $4, $4, $4, $4)",
        day, unit, quantity, Decimal(amount), series, blake2b(f"{day}{unit}".encode() + series, digest_size=16).digest(),
    )  # fmt: skip


def said(row: dict[str, Any]) -> dict[str, str]:
    return {name: amount for name, amount in (row["parts"] | row["within"]).items() if amount != "0"}


async def test_a_cache_that_collapsed_is_told_at_the_prices_of_the_cells(
    acme: httpx.AsyncClient, book: Book
) -> None:
    # 10,000 x 0.003 + 90,000 x 0.0003 = 57 before; nothing cached now: 300. The 90,000 cost 0.0027 more each: 243.
    one = {"cost_class": "model", "provider": "p", "sku": "m", "team": "a"}
    usage = {"input_tokens": 10_000, "cache_read_tokens": 90_000}
    await book.spend("acme", MONDAY_BEFORE, "57", events=100, usage=usage, **one)
    await book.spend("acme", MONDAY, "300", events=100, usage={"input_tokens": 100_000}, **one)
    await cell(book, date(2026, 11, 9), "input_tokens", 10_000, "30", **one)
    await cell(book, date(2026, 11, 9), "cache_read_tokens", 90_000, "27", **one)
    answer = await ask(acme, group_by="team", **WEEKS)
    (row,) = answer["contributors"]
    assert said(row) == {"cache": "243"}
    assert (row["team"], row["before"], row["amount"], row["change"]) == ("a", "57", "300", "243")
    assert (row["change_percent"], row["share"]) == ("426.315789473684", "1")
    assert (answer["period"]["length"], answer["before"]["length"], answer["measured_in"]) == (7, 7, "days")
    assert answer["before"]["from"] == "2026-11-09T00:00:00Z"


async def test_prices_of_days_outside_of_both_periods_say_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    # Of two units nobody knows which cost what: calls are told, and the rest is not split.
    one = {"cost_class": "model", "provider": "p", "sku": "m"}
    usage = {"input_tokens": 100, "output_tokens": 10}
    await book.spend("acme", MONDAY_BEFORE, "10", events=100, usage=usage, **one)
    await book.spend("acme", MONDAY, "30", events=200, usage=usage, **one)
    await cell(book, date(2026, 11, 8), "input_tokens", 100, "1", **one)
    answer = await ask(acme, **WEEKS)
    assert said(answer["currencies"][0]) == {"volume": "10", "unsplit": "10"}


async def test_what_has_no_price_is_counted_on_both_sides_and_is_in_no_amount(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", MONDAY_BEFORE, "0", unpriced=3, events=3, sku="new", team="a")
    await book.spend("acme", MONDAY, "4", provisional="4", events=2, sku="new", team="a")
    (row,) = (await ask(acme, **WEEKS))["currencies"]
    assert said(row) == {"unsplit": "4"}
    assert (row["unpriced_events_before"], row["unpriced_events"], row["events_before"], row["events"]) == (
        3,
        0,
        3,
        2,
    )
    assert (row["provisional_before"], row["of_which_provisional"], row["change_percent"]) == ("0", "4", None)


async def test_currencies_have_rows_of_their_own_and_nothing_was_is_none(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("acme", MONDAY_BEFORE, "4", team="a", currency="EUR")
    await book.spend("acme", MONDAY, "5", team="a")
    answer = await ask(acme, group_by="team", **WEEKS)
    assert [(row["currency"], row["before"], row["amount"], said(row)) for row in answer["currencies"]] == [
        ("USD", "0", "5", {"new": "5"}), ("EUR", "4", "0", {"gone": "-4"}),
    ]  # fmt: skip
    nothing = await ask(acme, **{"from": "2026-06-01", "to": "2026-06-02"})
    assert (nothing["currencies"], nothing["contributors"]) == ([], [])


@pytest.fixture
async def globex(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    return client


@pytest.fixture
async def roller(database_url: str) -> AsyncIterator[Roller]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        yield Roller(pool=pool, meters=Meters())


async def spend_some(book: Book, chance: random.Random, events: int) -> None:
    first = datetime(2026, 10, 11, 22, tzinfo=UTC)
    for _ in range(events):
        at = first + timedelta(minutes=chance.randrange(29 * 1_440))
        await book.spend(
            "globex", at.isoformat(), f"0.{chance.randrange(1, 10**6):06}", shard=chance.randrange(4),
            team=chance.choice(["ads", "search", "ops"]), sku=chance.choice(["gpt-4o", "o3"]),
            currency=chance.choice(["EUR", "EUR", "USD"]), recorded_on=at.date(),
            usage={"input_tokens": chance.randrange(1, 9), "hours": 0.25},
        )  # fmt: skip


async def test_both_sides_are_what_spend_says_of_the_same_days_of_a_zone_whose_clock_goes_back(
    globex: httpx.AsyncClient, book: Book, roller: Roller
) -> None:
    await spend_some(book, random.Random(5), 200)
    for rolled in (False, True):
        if rolled:
            while await roller.roll_up(datetime(2026, 12, 1, tzinfo=UTC)):
                pass
        answer = await ask(
            globex, group_by="team,sku", **{"from": "2026-10-25", "to": "2026-11-08", "compare": "previous"}
        )
        assert (answer["before"]["from"], answer["before"]["to"]) == (
            "2026-10-11T00:00:00+02:00",
            "2026-10-25T00:00:00+02:00",
        )
        assert all(row["parts"]["days"] == "0" for row in answer["currencies"]), "14 days are 14 days"
        for side, amount in ((answer["before"], "before"), (answer["period"], "amount")):
            spent = await test_spend.ask(
                globex, **{"from": side["from"], "to": side["to"], "group_by": "team,sku"}
            )
            told = {
                (row["currency"], row["team"], row["sku"]): row[amount]
                for row in answer["contributors"]
                if row[amount] != "0"
            }
            assert told == {
                (row["currency"], row["team"], row["sku"]): row["effective"] for row in spent["totals"]
            }


async def test_a_filter_is_of_both_sides(acme: httpx.AsyncClient, book: Book) -> None:
    for at, amount in ((MONDAY_BEFORE, "1"), (MONDAY, "3")):
        await book.spend("acme", at, amount, team="a")
        await book.spend("acme", at, "50", team="b")
    answer = await ask(acme, filter__team="a", **WEEKS)
    assert [(row["before"], row["amount"]) for row in answer["currencies"]] == [("1", "3")]


async def test_the_same_days_last_month_or_any_other_period(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", "2026-10-16T10:00Z", "1", team="a")
    await book.spend("acme", "2026-01-01T00:00Z", "2", team="a")
    await book.spend("acme", MONDAY, "3", team="a")
    month = await ask(acme, compare="month", **WEEKS)
    assert [(row["before"], row["amount"]) for row in month["currencies"]] == [("1", "3")]
    assert (month["before"]["from"], month["before"]["to"]) == (
        "2026-10-16T00:00:00Z",
        "2026-10-23T00:00:00Z",
    )
    other = await ask(acme, before_from="2026-01-01", before_to="2026-01-02", **WEEKS)
    assert [(row["before"], row["amount"]) for row in other["currencies"]] == [("2", "3")]
    assert (other["before"]["length"], said(other["currencies"][0])) == (
        1,
        {"days": "12", "volume": "-12", "price": "1"},
    )
    assert "both or neither" in await refused(acme, before_from="2026-01-01", **WEEKS)
    assert "last month has no such days" in await refused(
        acme, compare="month", **{"from": "2026-03-30", "to": "2026-03-31"}
    )
    assert "is not a parameter here" in await refused(acme, measure="list")


async def test_a_table_is_csv_with_a_column_for_each_part(acme: httpx.AsyncClient, book: Book) -> None:
    await book.spend("acme", MONDAY_BEFORE, "3", team="=a")
    answer = await acme.get(
        "/v1/spend/changes", params={**WEEKS, "group_by": "team"}, headers={"Accept": "text/csv"}
    )
    heading, row = answer.text.splitlines()
    told = dict(zip(heading.split(","), row.split(","), strict=True))
    assert (told["team"], told["change"], told["parts.gone"], told["change_percent"]) == (
        "'=a",
        "-3",
        "-3",
        "-100",
    )
    tag = answer.headers["ETag"]
    again = await acme.get(
        "/v1/spend/changes",
        params={**WEEKS, "group_by": "team"},
        headers={"Accept": "text/csv", "If-None-Match": tag},
    )
    assert again.status_code == 304


async def test_many_combinations_are_told_by_larger_uses_and_contributors_then_have_no_parts(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(6):
        await book.spend("acme", MONDAY, f"{n + 1}", cost_class="model", team=f"t{n}", sku="m")
    monkeypatch.setattr(routes, "SPLIT_MAX", 3)
    answer = await ask(acme, group_by="team", **WEEKS)
    assert (answer["uses"], answer["currencies"][0]["amount"]) == (["cost_class"], "21")
    assert [(row["team"], row["change"], row["parts"]) for row in answer["contributors"]][:2] == [
        ("t5", "6", {}),
        ("t4", "5", {}),
    ]
    short = await ask(acme, group_by="sku", parts="false", **WEEKS)
    assert [(row["sku"], row["change"], row["parts"]) for row in short["contributors"]] == [("m", "21", {})]
    by_sku = await ask(acme, group_by="sku", **WEEKS)
    assert said(by_sku["contributors"][0]) == {"new": "21"}
    monkeypatch.setattr(routes, "GROUPS_MAX", 5)
    assert "add a filter" in await refused(acme, group_by="team", **WEEKS)
    monkeypatch.setattr(routes, "SPLIT_MAX", 0)
    assert "add a filter" in await refused(acme, **WEEKS)


async def test_weeks_that_came_at_once_are_told_before_they_are_rolled_up(
    acme: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each minute is a piece of its own then, with a row of each group: 20 rows, where 4 may be read."""
    for n in range(10):
        await book.spend("acme", f"2026-11-16T1{n // 2}:{n % 2 * 30:02}Z", f"{n}", team="a", sku="m")
        await book.spend("acme", f"2026-11-10T1{n // 2}:{n % 2 * 30:02}Z", "2", team="b", sku="m")
    monkeypatch.setattr(routes, "SPLIT_MAX", 2)
    # 0 + 1 + ... + 9 = 45; ten times 2 = 20
    answer = await ask(acme, group_by="team", **WEEKS)
    assert [(row["before"], row["amount"]) for row in answer["currencies"]] == [("20", "45")]
    assert [(row["team"], row["change"]) for row in answer["contributors"]] == [("a", "45"), ("b", "-20")]
    spent = await acme.get("/v1/spend", params={"group_by": "team", "compare": "previous", **WEEKS})
    with monkeypatch.context() as in_buckets:
        in_buckets.setattr(groups, "PIECES_MAX", 0)
        again = await acme.get(
            "/v1/spend",
            params={"group_by": "team", "compare": "previous", **WEEKS},
            headers={"Cache-Control": "no-cache"},
        )
    assert again.json()["totals"] == spent.json()["totals"] != []


async def test_prices_of_past_days_are_kept_until_something_was_corrected_there(
    acme: httpx.AsyncClient, book: Book
) -> None:
    one = {"cost_class": "model", "provider": "p", "sku": "m"}
    await book.spend(
        "acme",
        MONDAY_BEFORE,
        "57",
        events=100,
        usage={"input_tokens": 10_000, "cache_read_tokens": 90_000},
        **one,
    )
    await book.spend("acme", MONDAY, "300", events=100, usage={"input_tokens": 100_000}, **one)
    await cell(book, date(2026, 11, 9), "input_tokens", 10_000, "30", **one)
    await cell(book, date(2026, 11, 9), "cache_read_tokens", 90_000, "27", **one)
    assert said((await ask(acme, **WEEKS))["currencies"][0]) == {"cache": "243"}
    await book.connection.execute("UPDATE cells SET effective = 0 WHERE unit = 'cache_read_tokens'")
    assert said((await ask(acme, **WEEKS))["currencies"][0]) == {"cache": "243"}, (
        "nothing says that it has changed"
    )
    await book.connection.execute("INSERT INTO rolled VALUES ('acme', '2026-11-09', -1, 1)")
    # All of it was for what is not cached: 57 / 10,000 each, for 100,000 of input as a group at 57.
    assert said((await ask(acme, **WEEKS))["currencies"][0]) == {"cache": "513", "price": "-270"}


def test_whole_stretches_of_days_are_the_same_for_every_period() -> None:
    first = date(2026, 9, 1)
    for length in (1, 7, 30, 90):
        for shift in range(9):
            start = first + timedelta(days=shift)
            found = list(prices.stretches(start, start + timedelta(days=length)))
            assert (found[0].first, found[-1].beyond) == (start, start + timedelta(days=length))
            assert all(one.beyond == other.first for one, other in itertools.pairwise(found))
            assert {(each.beyond - each.first).days for each in found} <= {1, 8}
            assert all(
                each.first.toordinal() % 8 == 0 for each in found if (each.beyond - each.first).days == 8
            )


async def test_a_day_that_is_not_over_is_held_against_yesterday_up_to_now(
    acme: httpx.AsyncClient, book: Book
) -> None:
    answer = await ask(acme, range="today", tz="Asia/Kathmandu")
    zone = ZoneInfo("Asia/Kathmandu")
    edges = {
        name: datetime.fromisoformat(answer[name]["to"]).astimezone(zone) for name in ("period", "before")
    }
    assert edges["period"] - edges["before"] == timedelta(days=1)
