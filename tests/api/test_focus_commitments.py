"""A commitment in FOCUS: its purchase, what of it was used and what was not, and never more than the book has."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.exports.running import RunningExports
from services.corrector.true_ups.keeper import TrueUpKeeper
from spendmeter.contracts.catalog import Conditions, PeriodTerm
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.exported import ExportedBook, Rows, exported_book, rows_of, spent, sums_of
from tests.corrector.closing_world import ask_to_close, close_all, keeper_of
from tests.corrector.rerate_world import use
from tests.databases import SECRET
from tests.pricing.entries import price

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)
SPAN = {"from": str(SEPTEMBER), "to": str(OCTOBER)}
STARTED = datetime(2026, 9, 1, tzinfo=UTC)
MILLION = 1_000_000
MONEY = ("EffectiveCost", "BilledCost")


def term(effect: str, **said: Any) -> PeriodTerm:
    said = {
        "provider": "openai", "units": ("input_tokens",), "tenant": "acme", "layer": "contract", "source": "test",
        "recorded_at": STARTED, "when": Conditions(effective_from=STARTED),
    } | said  # fmt: skip
    return identified(PeriodTerm(effect=effect, **said))  # type: ignore[arg-type]


TOKENS = term("commitment", quantity=str(10 * MILLION), amount="20")


@pytest.fixture
async def exported(api: FastAPI, book: Book, database_url: str) -> AsyncIterator[ExportedBook]:
    api.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    async with exported_book(database_url, book.connection) as made:
        await made.world.publish(price("gpt-4o", "input_tokens", "2.5"))
        yield made


def used(id: str, tokens: int, day: int) -> UsageEvent:
    """2.5 US dollars a million."""
    return use(id, "gpt-4o", {"input_tokens": tokens}, at=STARTED.replace(day=day, hour=12))


async def reckoned(exported: ExportedBook, now: datetime) -> None:
    keeper = TrueUpKeeper(rests=0)
    await exported.fold()
    while True:
        kept = await keeper.look(exported.world.corrector, await exported.world.standing(), now)
        if not kept.more:
            return await exported.fold()


def said(rows: Rows) -> dict[str, tuple[str, ...]]:
    """Category, status, effective and billed cost of what true-ups became, by the kind of the row."""
    names = ("ChargeCategory", "CommitmentDiscountStatus", *MONEY)
    found = [row for row in rows if row["x_Unit"] == "true-up"]
    return {
        row["x_RowId"].partition(f"{row['x_PriceEntry']}/")[2]: tuple(row[name] for name in names)
        for row in found
    }


def sums(rows: Rows) -> tuple[Decimal, ...]:
    return tuple(sum((Decimal(row[name]) for row in rows), Decimal()) for name in MONEY)


async def test_a_commitment_is_a_purchase_of_which_some_was_used_and_some_was_not(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    world = exported.world
    await world.publish(TOKENS)
    await world.book(used("e1", 4 * MILLION, 20))
    await reckoned(exported, datetime(2026, 9, 25, 12, tzinfo=UTC))
    [running] = [row for row in await rows_of(acme, **SPAN) if row["x_Unit"] == "true-up"]
    # 4 of 10 million for 20: 8, and 10 were booked
    assert (running["ChargeCategory"], running["BilledCost"]) == ("Usage", "-2.0")
    assert running["CommitmentDiscountId"] == ""
    assert running["x_StatusReason"] == (
        "commitment at openai of 10000000 input_tokens for 20 USD, 2026-09-01 to 2026-09-30: "
        "8 USD used and 12 unused so far"
    )
    await reckoned(exported, datetime(2026, 10, 1, 12, tzinfo=UTC))
    rows = await rows_of(acme, **SPAN)
    assert said(rows) == {
        "purchase": ("Purchase", "", "0.0", "20.0"),
        "used": ("Usage", "Used", "8.0", "0.0"),
        "unused": ("Usage", "Unused", "12.0", "0.0"),
        "covered": ("Usage", "", "-10.0", "-10.0"),
    }
    quantities = {
        row["CommitmentDiscountStatus"]: (row["CommitmentDiscountQuantity"], row["CommitmentDiscountUnit"])
        for row in rows
        if row["CommitmentDiscountId"] == TOKENS.id
    }
    assert quantities == {
        "": ("10000000.0", "Tokens"), "Used": ("4000000.0", "Tokens"), "Unused": ("6000000.0", "Tokens"),
    }  # fmt: skip
    assert sums(rows) == (20, 20)
    assert {row["ChargeClass"] for row in rows} == {""}
    [purchase] = [row for row in rows if row["ChargeCategory"] == "Purchase"]
    rest = [row for row in rows if row is not purchase]
    assert sums_of(rest)["USD"][:2] == (await spent(acme, SEPTEMBER, OCTOBER))["USD"][:2]
    part = await rows_of(acme, **SPAN | {"from": "2026-09-20"})  # not all of its period
    assert [row["ChargeCategory"] for row in part] == ["Usage"] * 3
    assert sums_of(part) == await spent(acme, date(2026, 9, 20), OCTOBER)


async def test_what_comes_after_the_close_leaves_the_rows_of_a_commitment_as_they_were(
    acme: httpx.AsyncClient, exported: ExportedBook, book: Book, database_url: str
) -> None:
    world = exported.world
    await world.publish(TOKENS)
    await world.book(used("e1", 4 * MILLION, 20))
    await reckoned(exported, datetime(2026, 10, 1, 12, tzinfo=UTC))
    before = await rows_of(acme, **SPAN)
    await ask_to_close(book.connection, SEPTEMBER)
    async with keeper_of(database_url) as keeper:
        assert await close_all(keeper) == 1
    await world.book(used("late", MILLION, 21))
    await reckoned(exported, datetime(2026, 10, 2, 12, tzinfo=UTC))
    after = await rows_of(acme, **SPAN)
    told = [row for row in after if not row["ChargeClass"]]
    figures = [(row["x_RowId"], *(row[name] for name in MONEY)) for row in before]
    assert sorted((row["x_RowId"], *(row[name] for name in MONEY)) for row in told) == sorted(figures)
    since = [row for row in after if row["ChargeClass"]]
    assert {row["BillingPeriodStart"] for row in since} == {"2026-10-01T00:00:00Z"}
    # a million for 2.5 came late, of the 12 that were unused it used 2
    assert said(since) == {
        "used/2026-10": ("Usage", "Used", "2.0", "0.0"),
        "unused/2026-10": ("Usage", "Unused", "-2.0", "0.0"),
        "covered/2026-10": ("Usage", "", "-2.5", "-2.5"),
    }
    assert sums(since) == (0, 0)
    assert sums(after) == (20, 20)
    assert sums_of(after)["USD"][2] == (await spent(acme, SEPTEMBER, OCTOBER))["USD"][2]


async def test_money_that_was_committed_is_counted_in_money_and_what_lies_beyond_stays(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    world = exported.world
    await world.publish(term("spend_commitment", quantity="10", amount="9", units=()))
    await world.book(used("e1", 6 * MILLION, 20))
    await reckoned(exported, datetime(2026, 10, 1, 12, tzinfo=UTC))
    rows = await rows_of(acme, **SPAN)
    # 15 were booked, of which 10 are paid for with 9
    assert said(rows) == {
        "purchase": ("Purchase", "", "0.0", "9.0"),
        "used": ("Usage", "Used", "9.0", "0.0"),
        "covered": ("Usage", "", "-10.0", "-10.0"),
    }
    [of_used] = [row for row in rows if row["CommitmentDiscountStatus"]]
    assert (of_used["CommitmentDiscountQuantity"], of_used["CommitmentDiscountUnit"]) == ("10.0", "USD")
    assert of_used["CommitmentDiscountCategory"] == "Spend"
    assert sums(rows) == (14, 14)


async def test_a_commitment_of_a_quarter_is_in_no_one_billing_period_and_has_no_purchase(
    acme: httpx.AsyncClient, exported: ExportedBook
) -> None:
    quarter = Conditions(effective_from=STARTED.replace(month=7))
    await exported.world.publish(
        term("commitment", quantity=str(10 * MILLION), amount="20", period="quarter", when=quarter)
    )
    await exported.world.book(used("e1", 4 * MILLION, 20))
    await reckoned(exported, datetime(2026, 10, 1, 12, tzinfo=UTC))
    rows = await rows_of(acme, **SPAN | {"from": "2026-07-01"})
    assert {row["ChargeCategory"] for row in rows} == {"Usage"}
    assert {row["CommitmentDiscountId"] for row in rows} == {""}
    assert sums(rows) == (20, 20)
