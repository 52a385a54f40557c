"""Receipts for every outcome, and the lists that figures are drilled down to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import pytest

from services.api.database.transactions import Database
from services.api.events import receipt
from services.api.events.read_receipt import SQL
from spendmeter.contracts.catalog import FxRate, Price, TenantTerms, encode_catalog
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.contracts.events import Labels, UsageData, UsageEvent
from spendmeter.contracts.rated import Line
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.api.book import Book

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SOURCE, ID = "bots/checkout ü", "req/81?a=b&c #1 ☃"
WRITTEN = {"source": "https://prices.example", "recorded_at": NOON, "provider": "openai", "sku": "gpt-4o"}
PRICES = [
    identified(Price(unit="input_tokens", price="2.5", per=1_000_000, **WRITTEN)),
    identified(Price(unit="output_tokens", price="10", per=1_000_000, **WRITTEN)),
]


def event(
    id: str = ID, *, tenant: str = "acme", source: str = SOURCE, at: datetime = NOON, team: str = ""
) -> UsageEvent:
    return UsageEvent(
        specversion="1.0", type="spendmeter.usage.v1", id=id, source=source, subject="s", tenant=tenant,
        keyid="k7f3a", time=at, receivedat=at,
        data=UsageData(provider="openai", sku="gpt-4o", usage={"input_tokens": 2000, "output_tokens": 500},
                       labels=Labels(team=team)),
    )  # fmt: skip


LINES = [
    Line(unit="input_tokens", entry=PRICES[0].id, price="0.0000025", amount="0.005"),
    Line(unit="output_tokens", entry=PRICES[1].id, price="0.00001", amount="0.005"),
]


async def ask(
    client: httpx.AsyncClient, source: str = SOURCE, id: str = ID, status: int = 200
) -> dict[str, Any]:
    answer = await client.get("/v1/events", params={"source": source, "id": id})
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def publish(book: Book, *entries: Any, version: int = 1) -> None:
    for entry in entries:
        await book.connection.execute(
            "INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by) "
            "VALUES ($1, $2, $3, $4, $5, 'test')",
            entry.id, entry.tenant, type(entry).__struct_config__.tag,
            encode_catalog(published(entry, version)).decode(), version,
        )  # fmt: skip


async def test_a_booked_event_is_explained_from_reception_to_the_book(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await publish(book, *PRICES)
    await book.entry(event(team="payments"), "0.01", LINES)
    answer = await ask(acme)
    assert (answer["status"], answer["source"], answer["id"]) == ("booked", SOURCE, ID)
    assert answer["received"] == {
        "at": "2026-11-23T12:00:00Z",
        "key_id": "k7f3a",
        "partition": 0,
        "offset": 1,
    }
    assert answer["dimensions"]["team"] == "payments"
    [entry] = answer["entries"]
    assert (entry["effective"], entry["currency"], entry["status"]) == ("0.01", "USD", "priced")
    assert entry["arithmetic"] == "0.005 + 0.005 = 0.01 USD"
    [line, _] = entry["lines"]
    assert line["quantity"] == "2000"
    assert line["contracted_amount"] == line["effective_amount"] == line["book_effective"] == "0.005"
    assert line["arithmetic"] == [
        "price: 2.5 USD for 1000000 = 0.0000025 USD each",
        "list: 2000 input_tokens x 0.0000025 = 0.005 USD",
    ]
    assert answer["catalog"][line["entries"][0]]["source"] == "https://prices.example"
    assert (entry["remark"], line["contests"][0]["why"]) == ("", "no other entry's conditions hold")


async def test_later_copies_and_corrections_stand_on_the_winners_receipt(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.entry(event(), "0.01", LINES)
    await book.entry(event(), "-0.01", [], seq=1)
    await book.entry(event(), "0.008", [Line(unit="input_tokens", price="0.000004", amount="0.008")], seq=2)
    await book.unbooked("acme", SOURCE, ID, "duplicate", "the same event was booked before")
    await book.unbooked("acme", SOURCE, ID, "conflict", "another event was booked before", "k7f3a")
    answer = await ask(acme)
    recorded = [
        datetime.fromisoformat(found["recorded_at"]) for found in (*answer["entries"], answer["copies"][0])
    ]
    first, *_, yours = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for at in recorded)
    assert list(answer)[0] == "summary"
    assert answer["summary"] == (
        f"conflict: another event with this id was booked first, at {first}; yours of {yours} was not"
    )
    assert answer["copies"][0]["key_id"] == "k7f3a"
    assert [(entry["seq"], entry["effective"]) for entry in answer["entries"]] == [
        (0, "0.01"), (1, "-0.01"), (2, "0.008"),
    ]  # fmt: skip
    reversal, replacement = answer["entries"][1:]
    assert (reversal["lines"], reversal["arithmetic"]) == ([], "minus the entry of seq 0 = -0.01 USD")
    assert replacement["arithmetic"] == "0.008 = 0.008 USD"
    listed = (await acme.get("/v1/events", params={"from": f"{NOON:%Y-%m-%d}"})).json()["events"]
    assert [(entry["seq"], entry["kind"], entry["id"]) for entry in listed] == [(2, "replacement", ID)]
    asked = {"from": f"{NOON:%Y-%m-%d}", "entries": "all"}
    every = (await acme.get("/v1/events", params=asked)).json()["events"]
    assert [(entry["seq"], entry["sign"], entry["reverses"]) for entry in every] == [
        (2, 1, None), (1, -1, 0), (0, 1, None),
    ]  # fmt: skip
    assert sum(Decimal(entry["effective"]) for entry in every) == Decimal(listed[0]["effective"])
    assert answer["sums"] == [
        {"currency": "USD", "list": "0.008", "contracted": "0.008", "effective": "0.008"}
    ]
    assert [entry["in_force"] for entry in answer["entries"]] == [False, False, True]
    assert sorted(copy["outcome"] for copy in answer["copies"]) == ["conflict", "duplicate"]


async def test_a_receipts_first_line_says_what_became_of_the_event(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.entry(event(), "0.01", LINES)
    assert (await ask(acme))["summary"] == "booked: 0.01 USD, priced"
    await book.unbooked("acme", SOURCE, ID, "duplicate", "the same event was booked before")
    assert (await ask(acme))["summary"] == "booked: 0.01 USD, priced; sent 2 times, booked once"
    for before in ("", ", nor was the one before it", ", nor were the 2 before it"):
        await book.unbooked("acme", SOURCE, ID, "conflict", "another event has this id")
        assert re.search("yours of [0-9T:Z-]+ was not" + before + "$", (await ask(acme))["summary"])


async def test_a_rejected_event_says_why(acme: httpx.AsyncClient, book: Book) -> None:
    await book.unbooked("acme", SOURCE, ID, "rejected", "data.usage.input_tokens: must be at least 0")
    answer = await ask(acme)
    assert (answer["status"], answer["entries"]) == ("rejected", [])
    assert answer["copies"][0]["reason"] == "data.usage.input_tokens: must be at least 0"
    assert answer["summary"].startswith("rejected: data.usage.input_tokens: must be at least 0 (20")


async def test_what_is_not_in_the_book_may_still_be_on_its_way(acme: httpx.AsyncClient, book: Book) -> None:
    await book.partition(0, log_end=12, read_at=datetime.now(UTC), booked=9)
    answer = await ask(acme, status=404)
    assert answer["in_flight"] == 3
    assert "may still be on its way" in answer["detail"]


async def test_another_tenants_event_of_the_same_name_is_not_there(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.entry(event(tenant="globex"), "0.01", LINES)
    await book.unbooked("globex", SOURCE, ID, "duplicate", "again")
    assert "not in the book" in (await ask(acme, status=404))["title"].lower()


async def test_fields_that_the_contract_does_not_have_stay_hidden(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.entry(event(), "0.01", LINES)
    await book.connection.execute(
        "UPDATE entries SET event = jsonb_set(event::jsonb, '{data,prompt}', '\"tell me a secret\"')::text"
    )
    assert "secret" not in (await acme.get("/v1/events", params={"source": SOURCE, "id": ID})).text


def test_a_line_priced_by_the_engine_can_be_redone_by_hand() -> None:
    prices = [
        identified(Price(unit="input_tokens", price="2.5", per=1_000_000, **WRITTEN)),
        identified(Price(unit="input_tokens", price="2", per=1_000_000, layer="contract", kind="contracted",
                         tenant="acme", **WRITTEN)),
        identified(Price(unit="audio_seconds", price="3.6", per=3600, currency="EUR", **WRITTEN)),
        identified(FxRate(base="EUR", quote="USD", rate="1.1", effective_from=NOON - timedelta(days=1),
                          source="bank", recorded_at=NOON)),
        identified(TenantTerms(tenant="acme", source="setup", recorded_at=NOON)),
    ]  # fmt: skip
    used = UsageEvent(
        specversion="1.0", type="spendmeter.usage.v1", id="1", source="s", subject="s", tenant="acme", time=NOON,
        data=UsageData(provider="openai", sku="gpt-4o", usage={"input_tokens": 2000, "audio_seconds": 100}),
    )  # fmt: skip
    rating = rate(used, PriceBook([published(entry, 1) for entry in prices], 1))
    lines = msgspec.json.encode(rating.lines).decode()
    catalog = {entry.id: entry for entry in prices}
    tokens, seconds = receipt.expanded_lines(lines, used, rating.currency, catalog)
    assert tokens.book_list == Decimal("0.005")
    assert tokens.book_effective == tokens.contracted_amount == Decimal("0.004")
    assert tokens.arithmetic[-2:] == [
        "contracted price: 2 USD for 1000000 = 0.000002 USD each",
        "contracted: 2000 input_tokens x 0.000002 = 0.004 USD",
    ]
    # 100 s at 3.6 EUR an hour are 0.1 EUR; 0.1 EUR x 1.1 = 0.11 USD
    assert (seconds.amount, seconds.currency, seconds.book_effective) == (
        Decimal("0.1"),
        "EUR",
        Decimal("0.11"),
    )
    assert seconds.arithmetic[-1] == "in USD, to 12 places: 0.1 EUR x 1.1 = 0.11 USD"
    assert receipt.sum_of([tokens, seconds], Decimal("0.114"), "USD") == "0.004 + 0.11 = 0.114 USD"


def test_an_unknown_price_is_said_and_never_zero() -> None:
    lines = msgspec.json.encode(
        [Line(unit="input_tokens", status="unpriced", reason="No price for input_tokens")]
    ).decode()
    [line] = receipt.expanded_lines(lines, event(), "USD", {})
    assert (line.amount, line.book_effective) == (None, None)
    assert line.arithmetic == ["input_tokens: No price for input_tokens, so no amount is booked"]


def test_a_contract_in_the_book_currency_needs_no_rate_and_a_missing_rate_is_no_amount() -> None:
    lines = [
        Line(unit="input_tokens", price="0.1", amount="200", currency="EUR", fx="r", book_list="220",
             contracted_price="0.05", contracted_amount="100", contracted_currency="USD"),
        Line(unit="output_tokens", price="0.1", amount="50", currency="EUR", status="unpriced", reason="No rate"),
    ]  # fmt: skip
    agreed, unrated = receipt.expanded_lines(msgspec.json.encode(lines).decode(), event(), "USD", {})
    assert (agreed.book_list, agreed.book_contracted, agreed.book_effective) == (220, 100, 100)
    assert (unrated.amount, unrated.book_list, unrated.book_effective) == (50, None, None)


async def test_events_are_listed_newest_first_page_by_page_and_filtered_like_spend(
    acme: httpx.AsyncClient, book: Book
) -> None:
    for minute in range(5):
        for team in ("a", "b"):
            await book.entry(
                event(f"{team}{minute}", at=NOON + timedelta(minutes=minute), team=team), "0.01", LINES
            )
    question: dict[str, Any] = {
        "from": "2026-11-23T12:01:00Z",
        "to": "2026-11-23T12:04:00Z",
        "filter.team": "a",
    }
    answer = (await acme.get("/v1/events", params=question)).json()
    assert [row["id"] for row in answer["events"]] == ["a3", "a2", "a1"]
    assert answer["events"][0]["dimensions"]["team"] == "a"
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await acme.get("/v1/events", params={**question, "limit": 2, "cursor": cursor})).json()
        seen += [row["id"] for row in page["events"]]
        cursor = page["next_cursor"]
    assert seen == ["a3", "a2", "a1"]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("source=a", "given together"),
        ("source=a&id=%00", "NUL"),
        ("from=2026-01-01T00:00:00Z&to=2026-05-01T00:00:00Z", "at most 100 days"),
        ("limit=201", "limit: must be at most 200"),
        ("cursor=WyIyMDI2LTExLTIzVDEyOjAwOjAwIiwiIiwwXQ", "cursor"),  # a time without a zone
        ("cursor=WyIyMDI2LTExLTIzVDEyOjAwOjAwWiIsInp6IiwwXQ", "cursor"),  # an identity that is no hex
        ("cursor=WyIyMDI2LTExLTIzVDEyOjAwOjAwWiIsIiIsOTk5OTk5OTldIA", "out of range"),
        ("filter.user=x", "'user' is not one of"),
    ],
)
async def test_a_bad_question_about_events_is_refused(
    acme: httpx.AsyncClient, query: str, reason: str
) -> None:
    answer = await acme.get(f"/v1/events?{query}")
    assert answer.status_code == 422, answer.text
    assert reason in answer.json()["detail"]


async def test_a_small_tenants_list_walks_nobody_elses_entries(
    acme: httpx.AsyncClient, book: Book, database: Database
) -> None:
    """Three entries of acme, older than 20,000 of globex: 3 are read, and not 20,003."""
    for number in range(3):
        await book.entry(event(f"old-{number}"), "0.01", LINES)
    await book.entry(event("many", tenant="globex", at=NOON + timedelta(hours=1)), "0.01", LINES)
    await book.connection.execute(
        "INSERT INTO entries SELECT (jsonb_populate_record(e, jsonb_build_object('identity', "
        "'\\x' || md5(n::text)))).* FROM entries e, generate_series(1, 20000) AS n WHERE tenant = 'globex'"
    )
    await book.connection.execute("ANALYZE entries")
    asked = (NOON - timedelta(days=1), NOON + timedelta(days=1), None)
    after = (NOON + timedelta(days=1), b"", 0)
    async with database.reading("acme") as connection:
        explained = "EXPLAIN (ANALYZE, FORMAT JSON) " + SQL["list"]
        [plan] = await connection.fetchval(explained, *asked, *after, 51, False, None)
    assert sum(rows_of_entries(plan["Plan"])) == 3
    assert (
        len(
            (await acme.get("/v1/events", params={"from": "2026-11-23", "to": "2026-11-24"})).json()["events"]
        )
        == 3
    )


def rows_of_entries(node: dict[str, Any]) -> Iterator[float]:
    """How many rows each scan of the table has read for the list itself, thrown away or not."""
    if node.get("Relation Name", "").startswith("entries_") and re.fullmatch(r"e_\d+", node["Alias"]):
        yield (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    for part in node.get("Plans", ()):
        yield from rows_of_entries(part)
