"""A month in FOCUS, taken away in a real Chromium; and why it cannot be had just now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import pytest
from fastapi import FastAPI
from playwright.async_api import BrowserContext, expect

from services.api.exports.writer import ExportQuestion
from tests.api.book import Book
from tests.api.exported import ExportedBook, exported_book
from tests.api.test_focus_export import PRICES, tokens
from tests.portal.page import log_in


@pytest.fixture
def last() -> datetime:
    """A day of the last month that is over."""
    return datetime.now(UTC).replace(day=1, hour=12) - timedelta(days=1)


@pytest.fixture
async def exported(book: Book, database_url: str) -> AsyncIterator[ExportedBook]:
    async with exported_book(database_url, book.connection) as made:
        await made.world.publish(*PRICES)
        yield made


async def test_a_month_is_downloaded_and_says_what_it_comes_to_or_why_it_is_not_to_be_had(
    context: BrowserContext, address: str, app: FastAPI, book: Book, exported: ExportedBook, last: datetime
) -> None:
    """3 + 4 + 1 = 8 USD."""
    await exported.world.book(tokens("e1", at=last), now=datetime.now(UTC))
    await exported.fold()
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/export")
    form = page.get_by_role("form", name="Export in FOCUS")
    await form.get_by_label("Month").select_option(f"{last:%Y-%m}")
    question = ExportQuestion(
        database_url="",
        tenant="acme",
        version="1.4",
        form="csv",
        start=date(2026, 10, 1),
        end=date(2026, 11, 1),
    )
    begun = await app.state.exports.begin(question)
    await form.get_by_role("button", name="Download").click()
    await expect(form.get_by_role("alert")).to_contain_text("one export of a tenant")
    await begun.aclose()
    async with page.expect_download() as started:
        await form.get_by_role("button", name="Download").click()
    file = await started.value
    assert file.suggested_filename.startswith(f"focus-1.4-acme-{last:%Y-%m}-01-")
    lines = (await file.path()).read_text("utf-8").splitlines()
    assert "BilledCost" in lines[0]
    assert len(lines) == 4
    await expect(form.get_by_role("status")).to_contain_text("Written: focus-1.4-acme")
    await expect(page.locator(".export")).to_contain_text("$8.00 effective")
