"""Whatever is booked and corrected: an export comes to what the book says, in each month and currency, and leaves
what it said of an ended month as it was."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from services.api.exports.running import RunningExports
from spendmeter.contracts.catalog import FxRate
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.exported import ExportedBook, exported_book, rows_of, spent, sums_of
from tests.charges import charge
from tests.corrector.rerate_world import use
from tests.databases import SECRET
from tests.pricing.entries import RECORDED, adjustment, price, terms

FIRST, CHANGE, BEYOND = date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)
"""In US dollars in September, in euros in October."""
EVENTS = 40


@pytest.fixture
async def exported(api: FastAPI, book: Book, database_url: str) -> AsyncIterator[ExportedBook]:
    api.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    async with exported_book(database_url, book.connection) as made:
        since = datetime(2026, 10, 1, tzinfo=UTC)
        rates: Any = {
            "source": "test",
            "recorded_at": RECORDED,
            "effective_from": datetime(2026, 1, 1, tzinfo=UTC),
        }
        await made.world.publish(
            terms("acme", currency="USD"),
            terms("acme", currency="EUR", effective_from=since),
            price("gpt-4o", "input_tokens", "2.5"),
            price("gpt-4o", "output_tokens", "10"),
            price("franc", "input_tokens", "7", currency="EUR"),
            identified(FxRate(base="USD", quote="EUR", rate="0.93", **rates)),
            identified(FxRate(base="EUR", quote="USD", rate="1.07", **rates)),
        )
        yield made


def made_up(chance: random.Random, number: int) -> UsageEvent:
    at = datetime(2026, 9, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(61 * 24 * 60))
    if chance.random() < 0.3:
        said = {"quantity": "3", "unit": "Requests"} if chance.random() < 0.5 else {}
        amount = f"{chance.randrange(-500, 900)}.{chance.randrange(10**6):06}"
        category = "usage" if chance.random() < 0.5 else "credit"
        bill = charge(
            amount, f"e{number}", currency=chance.choice(["USD", "EUR", "GBP"]), category=category, **said
        )
        return replace(bill, time=at)
    unit = chance.choice(["input_tokens", "output_tokens", "thoughts"])
    usage = {"input_tokens": chance.randrange(10**7), unit: chance.randrange(10**6)}
    team = chance.choice(["", "payments", "search"])
    return use(f"e{number}", chance.choice(["gpt-4o", "franc", "mystery"]), usage, at=at, team=team)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_rows_come_to_the_book_and_ended_months_stay_as_they_were(
    acme: httpx.AsyncClient, exported: ExportedBook, seed: int
) -> None:
    chance = random.Random(seed)
    world = exported.world
    await world.book(*(made_up(chance, number) for number in range(EVENTS)))
    await exported.recorded("true", "2026-09-01 00:00Z")
    for number in chance.sample(range(EVENTS), 6):
        await world.retract(f"e{number}")
    await exported.recorded("true", "2026-09-01 00:00Z")  # while the months ran: restated
    await exported.fold()
    span = {"from": str(FIRST), "to": str(BEYOND)}
    before = await rows_of(acme, **span)
    assert {row["ChargeClass"] for row in before} == {""}

    for number in chance.sample(range(EVENTS), 6):
        await world.retract(f"e{number}")
    await world.rerate(await world.publish(adjustment("surcharge", "1.25")))
    await exported.fold()
    after = await rows_of(acme, **span)
    assert _sorted(row for row in after if not row["ChargeClass"]) == _sorted(before)
    assert any(row["ChargeClass"] for row in after)
    assert len({row["x_RowId"] for row in after}) == len(after)
    assert sums_of(after) == await spent(acme, FIRST, BEYOND)
    for start, end in ((FIRST, CHANGE), (CHANGE, BEYOND)):
        rows = [row for row in after if row["BillingPeriodStart"] == f"{start}T00:00:00Z"]
        assert _said(sums_of(rows)) == await spent(acme, start, end)
    assert {row["BillingCurrency"] for row in after} == {"USD", "EUR"}


def _sorted(rows: Any) -> list[list[tuple[str, str]]]:
    return sorted(sorted(row.items()) for row in rows)


def _said(sums: dict[str, list[Decimal]]) -> dict[str, list[Decimal]]:
    """Without a currency that comes to nothing."""
    return {currency: amounts for currency, amounts in sums.items() if any(amounts)}
