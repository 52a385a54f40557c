"""The book set right on the portal: a void with its trail, a re-rate from its dry run to its end, and an offer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import BrowserContext, expect

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import Database
from spendmeter.platform.catalog_store import record
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.catalog_admin import IN
from tests.api.corrector import note
from tests.api.test_events import LINES
from tests.api.test_rerates import Jobs
from tests.ledger_records import usage_event
from tests.portal.page import log_in

AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
NASTY = "a test<img src=x onerror='document.title=1'>"


async def test_an_event_is_voided_with_a_reason_and_the_receipt_shows_the_trail(
    context: BrowserContext, address: str, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = usage_event("run-7", time=AN_HOUR_AGO)
    await book.entry(event, "0.01", LINES)

    async def publish(log: CorrectionLog, wanted: Any) -> None:
        await note(book, wanted, "applied", seqs=(1,))
        await book.entry(event, "-0.01", [], seq=1, correction=wanted.id)

    monkeypatch.setattr(CorrectionLog, "publish", publish)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "correct"))
    await page.goto(f"{address}/#/event?source=bot&id=run-7")
    receipt = page.locator(".receipt")
    await receipt.get_by_text("Void this event").first.click()
    await receipt.get_by_role("button", name="Void this event").click()
    await expect(receipt.get_by_role("alert")).to_have_text("Say why, and that it is meant.")
    await receipt.get_by_label("Why it is void").fill(NASTY)
    await receipt.get_by_role("checkbox").check()
    await receipt.get_by_role("button", name="Void this event").click()
    await expect(receipt).to_contain_text("retracted: now 0 USD (was 0.01 USD)")
    await expect(receipt.locator(".verdict")).to_contain_text("retracted")
    await expect(receipt).to_contain_text("Reversal of entry 0")
    await expect(receipt).to_contain_text(NASTY)
    await expect(receipt.get_by_role("button", name="Void this event")).to_have_count(0)
    await page.get_by_role("link", name="Data quality").click()
    await page.get_by_role("link", name="Corrections").click()
    row = page.locator("tbody tr", has_text="applied retract: a test")  # not those of the page before
    await expect(row).to_have_count(1)
    await expect(page.locator(".list > .fine")).to_have_text("newest first, times in UTC")
    await expect(page.locator(".jobs")).to_contain_text("Nothing was priced anew.")
    await row.get_by_role("link", name="run-7").click()
    await expect(receipt).to_contain_text("Reversal of entry 0")
    assert await page.title() != "1"


async def test_who_may_only_read_voids_nothing(context: BrowserContext, address: str, book: Book) -> None:
    await book.entry(usage_event("run-7", time=AN_HOUR_AGO), "0.01", LINES)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/event?source=bot&id=run-7")
    await expect(page.locator(".receipt .lines")).to_be_visible()
    await expect(page.get_by_text("Void this event")).to_have_count(0)


async def test_a_re_rate_shows_its_difference_and_is_applied_or_cancelled(
    context: BrowserContext, address: str, book: Book, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(book.connection, [IN], by="migrate", note="the catalog of this release")
    jobs = Jobs(create_app(Settings(), database, BookProgress(), lambda: ""), book)

    async def publish(log: CorrectionLog, wanted: Any) -> None:
        await jobs.take(wanted)

    monkeypatch.setattr(CorrectionLog, "publish", publish)
    await book.spend("acme", AN_HOUR_AGO.isoformat(), "30", provisional="30", events=3, provider="openai", sku="m",
                     cost_class="model", usage={"input_tokens": 1000})  # fmt: skip
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "admin"))
    await page.goto(f"{address}/#/inbox")
    await page.get_by_role("button", name="See what a re-rate would change").click()
    shown = page.locator(".rerate")
    await expect(shown).to_contain_text("would change 3 of 40 events: 30 -> 0.00003 USD (-29.99997)")
    await expect(shown.locator("tbody tr").first).to_contain_text("payments")
    await expect(shown).to_contain_text("because of price: 3 events, -29.99997 USD")
    await shown.get_by_role("button", name="Apply").click()
    await expect(shown).to_contain_text("applied changed 3 of 40 events")
    await expect(shown.get_by_role("button")).to_have_count(0)
    await page.get_by_role("link", name="Corrections and re-rates").click()
    await expect(page.locator(".list .rows li")).to_contain_text("has a price by now")
