"""What people look at as a list is a table for spreadsheets as well; changes of prices come page by page."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx

from spendmeter.contracts.catalog import Conditions, Price, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.api.test_representation import table
from tests.pricing.entries import RECORDED, model, terms

NAMED = identified(model("m", "m-latest"))
MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))


def priced(amount: str, since: datetime | None = None, unit: str = "input_tokens") -> Price:
    written: dict[str, Any] = {"source": "@list", "recorded_at": RECORDED, "provider": "openai", "sku": "m"}
    when = Conditions(effective_from=since)
    return identified(Price(unit=unit, price=amount, per=1_000_000, when=when, **written))


async def publish(book: Book, *entries: Any) -> None:
    await record(book.connection, entries, by="test", note="why not")


async def test_models_are_a_line_a_price_in_force_and_a_model_without_one_is_a_line_too(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await publish(
        book, NAMED, identified(model("unpriced")), priced("2.5"), priced("10", unit="output_tokens")
    )
    lines = await table(acme, "/v1/catalog/models")
    said = [(each["sku"], each["unit"], each["price"], each["per"], each["currency"]) for each in lines]
    assert sorted(said) == [
        ("m", "input_tokens", "2.5", "1000000", "USD"),
        ("m", "output_tokens", "10", "1000000", "USD"),
        ("unpriced", "", "", "", ""),
    ]
    assert {each["source"] for each in lines} == {"'@list", ""}


async def test_the_history_of_a_model_is_a_table_with_what_was_withdrawn(
    acme: httpx.AsyncClient, book: Book
) -> None:
    old = priced("2.5")
    await publish(book, NAMED, old)
    gone = Withdrawal(entries=(old.id,), source="test", recorded_at=RECORDED)
    await publish(book, identified(gone), priced("3"))
    lines = await table(acme, "/v1/catalog/model", provider="openai", sku="m")
    prices = [each for each in lines if each["kind"] == "price"]
    assert [(each["price"], each["version"], each["withdrawn_version"]) for each in prices] == [
        ("2.5", "1", "2"),
        ("3", "2", ""),
    ]
    assert (prices[0]["withdrawn_by"], prices[1]["withdrawn_by"]) == ("test", "")


async def test_changes_come_page_by_page_what_begins_last_first_and_are_of_the_versions_of_the_first_page(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await publish(book, NAMED)
    await publish(book, priced("2.5"), priced("3", JUNE, "output_tokens"), priced("4", MAY, "images"))
    asked = {"from": "1", "limit": "2"}
    first = (await acme.get("/v1/catalog/changes", params=asked)).json()
    assert [each["after"]["price"] for each in first["changes"]] == ["3", "4"]
    assert (first["changes_total"], first["since"], first["until"]) == (3, 1, 2)
    await publish(book, priced("5", JULY, "requests"))
    last = (await acme.get("/v1/catalog/changes", params={**asked, "cursor": first["next_cursor"]})).json()
    assert [each["after"]["price"] for each in last["changes"]] == ["2.5"]
    assert (last["until"], last["next_cursor"]) == (2, None)
    other = {**asked, "from": str(int(asked["from"]) + 1), "cursor": first["next_cursor"]}
    refused = await acme.get("/v1/catalog/changes", params=other)
    assert (refused.status_code, "other from and to" in refused.text) == (422, True)
    refused = await acme.get("/v1/catalog/changes", params={**asked, "cursor": "x"})
    assert (refused.status_code, "cursor" in refused.text) == (422, True)


async def test_changes_are_a_table_of_what_a_price_was_and_is(acme: httpx.AsyncClient, book: Book) -> None:
    old = priced("2.5")
    await publish(book, NAMED, old)
    gone = Withdrawal(entries=(old.id,), source="test", recorded_at=RECORDED)
    await publish(book, identified(gone), priced("3"))
    [line] = await table(acme, "/v1/catalog/changes", **{"from": "1"})
    assert (line["change"], line["before"], line["after"]) == ("changed", "2.5", "3")
    assert Decimal(line["ratio"]) == Decimal("1.2")
    assert (line["after_per"], line["after_currency"], line["holds_until"]) == ("1000000", "USD", "")


async def test_terms_are_a_table(acme: httpx.AsyncClient, book: Book) -> None:
    await publish(book, terms("acme", currency="EUR", contracts=("deal", "other")))
    [line] = await table(acme, "/v1/catalog/terms")
    assert (line["state"], line["tenant"], line["currency"]) == ("now", "acme", "EUR")
    assert (line["contracts"], line["effective_to"]) == ("deal other", "")


async def test_a_plan_is_a_line_a_pool(acme: httpx.AsyncClient, book: Book) -> None:
    govern = {"Authorization": f"Bearer {await book.key('acme', 'read', 'govern')}"}
    pool = {
        "name": "search",
        "filter": {"provider": "pinecone", "team": ""},
        "rule": "fixed",
        "weights": {"web": 60},
    }
    version = {"first_day": "2026-11-01", "pools": [pool], "reason": "agreed"}
    made = await acme.put("/v1/allocation-plans/team", json=version, headers=govern)
    assert made.is_success, made.text
    [line] = await table(acme, "/v1/allocation-plans/team")
    assert (line["pool"], line["takes"], line["rule"]) == ("search", "team=; provider=pinecone", "fixed")
    assert (line["weights"], line["reason"], line["until"]) == ("web=60", "agreed", "")


async def test_what_is_kept_of_a_tenant_is_a_table(acme: httpx.AsyncClient) -> None:
    lines = await table(acme, "/v1/privacy")
    kept = (await acme.get("/v1/privacy")).json()["kept"]
    assert [line["what"] for line in lines] == [each["what"] for each in kept]


async def test_seats_of_coding_agents_are_a_table_of_their_own(acme: httpx.AsyncClient, book: Book) -> None:
    whole = (await acme.get("/v1/coding-agents")).json()
    alone = (await acme.get("/v1/coding-agents/seats")).json()
    assert {name: whole[name] for name in ("first_day", "until", "seats")} == alone
    assert await table(acme, "/v1/coding-agents/seats") == []
    refused = await acme.get("/v1/coding-agents/seats?seats=cursor")
    assert (refused.status_code, "tool=provider/sku" in refused.text) == (422, True)
