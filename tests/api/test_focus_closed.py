"""A closed month in FOCUS: its rows stay, and what was booked of it since is Corrections of a later billing period."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import httpx
import pytest
from fastapi import FastAPI
from msgspec.structs import replace

from services.api.exports.running import RunningExports
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import plain
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.exported import ExportedBook, exported_book, rows_of, spent, sums_of
from tests.charges import charge
from tests.corrector.closing_world import ask_to_close, close_all, keeper_of
from tests.corrector.rerate_world import use
from tests.databases import SECRET
from tests.pricing.entries import price

OCTOBER, SPAN = date(2026, 10, 1), {"from": "2026-10-01", "to": "2026-11-01"}
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


@pytest.fixture
async def exported(api: FastAPI, book: Book, database_url: str) -> AsyncIterator[ExportedBook]:
    api.state.exports = RunningExports(role_url(database_url, "api", SECRET))
    async with exported_book(database_url, book.connection) as made:
        await made.world.publish(price("gpt-4o", "input_tokens", "2.5"))
        yield made


def used(id: str, tokens: int) -> UsageEvent:
    """2.5 US dollars a million."""
    return use(id, "gpt-4o", {"input_tokens": tokens}, at=NOON)


async def test_what_is_booked_of_a_closed_month_is_a_correction_of_the_next_billing_period(
    acme: httpx.AsyncClient, exported: ExportedBook, book: Book, database_url: str
) -> None:
    world = exported.world
    await world.book(used("e1", 400_000), used("e2", 800_000), replace(charge("7", "b1"), time=NOON))
    await exported.fold()
    before = await rows_of(acme, **SPAN)
    await ask_to_close(book.connection, OCTOBER)
    async with keeper_of(database_url) as keeper:
        assert await close_all(keeper) == 1
    await world.book(used("late", 200_000), replace(charge("5", "b2"), time=NOON))
    await world.retract("e2")
    await exported.fold()
    after = await rows_of(acme, **SPAN)
    told = [row for row in after if not row["ChargeClass"]]
    assert [row["EffectiveCost"] for row in told] == [row["EffectiveCost"] for row in before]
    assert [row["x_RowId"] for row in told] == [row["x_RowId"] for row in before]
    # 0.2 million came late for 0.5, and 0.8 million for 2 were taken back; a bill of 5 came late
    corrections = [row for row in after if row["ChargeClass"] == "Correction"]
    assert sorted(row["EffectiveCost"] for row in corrections) == ["-1.5", "5.0"]
    for row in corrections:
        assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == (
            "2026-11-01T00:00:00Z",
            "2026-12-01T00:00:00Z",
        )
        assert row["ChargePeriodStart"].startswith("2026-10-20")
    assert len({row["x_RowId"] for row in after}) == len(after)
    assert sums_of(after) == await spent(acme, OCTOBER, date(2026, 11, 1))
    # 1 + 2 + 7, and 0.5 - 2 + 5 of it since
    assert plain(sums_of(after)["USD"][2]) == "13.5"
