"""A tenant's own dimensions in a real Chromium: chosen, and clicked down by."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.portal.page import log_in


async def test_spend_is_taken_apart_by_a_dimension_of_the_tenants_own(
    context: BrowserContext, address: str, book: Book
) -> None:
    now = datetime.now(UTC)
    for tenant, name in (("acme", "cost_centre"), ("globex", "customer")):
        await book.connection.execute(
            "INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ($1, $2, 'declared', 'x', 'key k')",
            tenant,
            name,
        )
    await book.spend("acme", now.isoformat(), "3", team="a", cost_centre="4711")
    await book.spend("acme", now.isoformat(), "4", team="b", cost_centre="4712")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    chooser = page.locator("#by")
    await expect(chooser.locator("option").last).to_have_text("cost centre")
    await chooser.select_option("cost_centre")
    row = page.locator(".explorer tbody tr").filter(has_text="4711")
    await expect(row).to_contain_text("$3.00")
    await row.get_by_role("link", name="4711").click()
    await expect(page.locator(".chips")).to_contain_text("cost centre: 4711")
    await expect(page.locator(".explorer .total")).to_have_text("$3.00")
