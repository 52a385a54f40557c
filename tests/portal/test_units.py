"""What a request costs, in a real Chromium."""

from __future__ import annotations

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_models_compare import pool, used
from tests.api.used_models import UsedModels
from tests.portal.page import log_in

__all__ = ["pool", "used"]


async def test_a_request_has_a_cost_by_any_slice_and_the_table_is_taken_away(
    context: BrowserContext, address: str, book: Book, used: UsedModels
) -> None:
    """40 calls of m by support at 0.002: 0.08 in all, and 1,500 tokens each; search has 30 of n at 0.001."""
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore")
    await page.get_by_role("link", name="Unit costs").click()
    units = page.locator(".units")
    support = units.locator("tbody tr", has=page.get_by_role("rowheader", name="support"))
    await expect(support).to_contain_text("$0.002")
    await expect(support).to_contain_text("$0.0013")
    await expect(units.locator("tbody tr", has_text="search")).to_contain_text("$0.001")
    async with page.expect_download() as started:
        await units.get_by_role("button", name="CSV").click()
    assert "cost_per_request" in (await (await started.value).path()).read_text("utf-8")
    await units.locator("#by").select_option("sku")
    await expect(
        units.locator("tbody tr", has=page.get_by_role("rowheader", name="n", exact=True))
    ).to_contain_text("30")
