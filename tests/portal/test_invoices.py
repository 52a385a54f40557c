"""A provider's bill against the book, in a real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.vendor_bills import openai_costs, openai_line
from tests.portal.page import log_in


async def test_a_bill_is_shown_against_the_book_with_its_causes(
    context: BrowserContext, address: str, book: Book
) -> None:
    """3 dollars billed for usage that no event told of, and an edge of a dollar that no cause is known of."""
    today = datetime.now(UTC).date()
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/invoices?month={today:%Y-%m}")
    invoices = page.locator(".invoices")
    await expect(invoices.locator(".total")).to_have_text("not known yet")
    await expect(invoices).to_contain_text("No bill of these days was imported")
    lines = [openai_line("gpt-nobody-calls, input", 3, 1_000_000)]
    key = await book.key("acme", "read", "import")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as client:
        content = openai_costs({today: lines})
        answer = await client.post(f"{address}/v1/invoices?provider=openai", content=content)
        assert answer.status_code == 201, answer.text
    await page.reload()
    await expect(invoices.locator(".total")).to_have_text("$3.00")
    row = invoices.get_by_role("row", name="unseen").first
    await expect(row).to_contain_text("no event told us of it")
    await expect(row).to_contain_text("$3.00")
    models = invoices.get_by_role("region", name="By model").locator("tbody tr")
    await expect(models).to_contain_text("gpt-nobody-calls")
    await invoices.get_by_label("Provider").select_option("anthropic")
    await expect(invoices.locator(".total")).to_have_text("not known yet")
