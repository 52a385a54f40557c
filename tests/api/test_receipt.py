"""A receipt's losers: the candidates of the booked catalog version, as far as the tenant may see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from services.api.events.past_books import KEPT_MAX
from spendmeter.contracts.catalog import (
    Adjustment,
    Conditions,
    Model,
    Price,
    Provider,
    TenantTerms,
    Withdrawal,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from tests.api.book import Book
from tests.api.test_events import LINES, NOON, PRICES, WRITTEN, ask, event, publish

LIST = PRICES[0]
SAID = {"source": "test", "recorded_at": NOON}


def price(amount: str, *, unit: str = "input_tokens", **said: Any) -> Price:
    return identified(Price(unit=unit, price=amount, per=1_000_000, **(WRITTEN | said)))


async def contest(client: httpx.AsyncClient, of: str = "list price") -> tuple[str, dict[str, str]]:
    """The winner of the first line, and the losers' reasons."""
    [entry] = (await ask(client))["entries"]
    found = next(each for each in entry["lines"][0]["contests"] if each["of"] == of)
    return found["entry"], {loser["entry"]: loser["reason"] for loser in found["losers"]}


async def test_losers_are_named_with_their_reasons(acme: httpx.AsyncClient, book: Book) -> None:
    batch = price("1.25", when=Conditions(batch=True))
    ended = price("5", layer="organisation", when=Conditions(effective_to=NOON - timedelta(days=1)))
    other = price("9", sku="gpt-4o-mini")
    await publish(book, *PRICES, batch, ended, other)
    await book.entry(event(), "0.01", LINES)
    assert await contest(acme) == (LIST.id, {
        batch.id: "for batches alone, and this was none",
        ended.id: "no longer effective: until 2026-11-22 12:00 UTC",
    })  # fmt: skip


async def test_what_was_published_later_or_withdrawn_before_was_no_candidate(
    acme: httpx.AsyncClient, book: Book
) -> None:
    gone, later = price("3", layer="organisation"), price("4", layer="organisation", note="later")
    withdrawal = identified(Withdrawal(entries=(gone.id,), **SAID))
    not_yet = identified(Withdrawal(entries=(LIST.id,), **SAID))
    await publish(book, *PRICES, gone, withdrawal)
    await publish(book, later, not_yet, version=2)
    await book.entry(event(), "0.01", LINES)  # booked with version 1
    assert await contest(acme) == (LIST.id, {})


async def test_another_tenants_entries_and_contracts_stay_out(acme: httpx.AsyncClient, book: Book) -> None:
    mine = price("2", layer="contract", contract="deal", kind="contracted")
    theirs = [
        price("1", layer="contract", tenant="globex"),
        price("0.5", layer="contract", contract="globex-2026", kind="contracted"),
        identified(Adjustment(name="rebate", provider="openai", factor="0.1", layer="contract",
                              contract="globex-2026", **SAID)),
        identified(TenantTerms(tenant="globex", contracts=("globex-2026",), **SAID)),
    ]  # fmt: skip
    terms = identified(TenantTerms(tenant="acme", contracts=("deal",), **SAID))
    await publish(book, *PRICES, mine, terms, *theirs)
    line = Line(unit="input_tokens", entry=LIST.id, price="0.0000025", amount="0.005",
                contracted_entry=mine.id, contracted_price="0.000002", contracted_amount="0.004")  # fmt: skip
    await book.entry(event(), "0.004", [line])
    answer = await ask(acme)
    assert await contest(acme, "contracted price") == (mine.id, {})
    assert answer["entries"][0]["remark"] == ""
    assert not any(each.id in str(answer) for each in theirs)
    assert "globex" not in str(answer)


async def test_names_are_resolved_as_of_then_and_an_unpriced_line_names_who_lost(
    acme: httpx.AsyncClient, book: Book
) -> None:
    """The event says gpt-4o at openai; the catalog calls it omni, of labs."""
    provider = identified(Provider(provider="labs", match=("*openai*",), **SAID))
    model = identified(Model(provider="Labs", sku="Omni", aliases=("gpt-4o",), **SAID))
    later = price("3", provider="labs", sku="omni", when=Conditions(effective_from=NOON + timedelta(days=1)))
    await publish(book, provider, model, later)
    await book.entry(event(), "0", [Line(unit="input_tokens", status="unpriced", reason="No price")],
                     status="unpriced")  # fmt: skip
    assert await contest(acme) == ("", {later.id: "not effective yet: from 2026-11-24 12:00 UTC"})


async def test_a_booked_line_that_this_release_would_decide_otherwise_is_remarked(
    acme: httpx.AsyncClient, book: Book
) -> None:
    better = price("1", layer="organisation")
    await publish(book, *PRICES, better)
    await book.entry(event(), "0.01", LINES)
    [entry] = (await ask(acme))["entries"]
    assert entry["remark"] == (
        f"this release would have decided otherwise: input_tokens: list price by {better.id}"
    )


async def test_a_catalog_that_can_no_longer_be_read_costs_the_contests_and_not_the_receipt(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await publish(book, *PRICES, price("3"))  # which overlaps
    await book.entry(event(), "0.01", LINES)
    [entry] = (await ask(acme))["entries"]
    assert entry["lines"][0]["contests"] == []
    assert "the catalog of then cannot be read now" in entry["remark"]
    assert entry["effective"] == "0.01"


@pytest.mark.parametrize("status", ["reported", "provisional"])
async def test_what_no_candidate_decided_has_no_contests(
    acme: httpx.AsyncClient, book: Book, status: Any
) -> None:
    await publish(book, price("3", sku="gpt-9"))
    line = Line(unit="input_tokens", price="0.000003", amount="0.006", status=status, reason="a bound")
    await book.entry(event(), "0.006", [line], status=status)
    [entry] = (await ask(acme))["entries"]
    assert (entry["lines"][0]["contests"], entry["remark"]) == ([], "")


async def test_the_books_of_the_last_receipts_are_kept_and_no_more(
    acme: httpx.AsyncClient, book: Book, api: FastAPI
) -> None:
    """Shown by what is not read: models and providers are gone behind the back of all."""
    await publish(book, *PRICES)
    await book.entry(event(), "0.01", LINES)
    told = await contest(acme)
    await book.connection.execute("DELETE FROM catalog_entries WHERE type <> 'spendmeter.catalog.price.v1'")
    assert await contest(acme) == told
    for number in range(KEPT_MAX + 3):
        other = event(f"other-{number}")
        other = replace(other, data=replace(other.data, sku=f"other-{number}"))
        await book.entry(other, "0.01", LINES)
        await ask(acme, id=other.id)
    assert api.state.past_books.size <= 2 * KEPT_MAX
