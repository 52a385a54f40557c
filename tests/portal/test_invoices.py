"""A provider's bill against the book, in a real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
from playwright.async_api import Browser, BrowserContext, expect

from tests.api.book import Book
from tests.api.vendor_bills import openai_costs, openai_line
from tests.portal.page import log_in
from tests.portal.test_accessibility import troubles


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


async def test_a_bill_is_dropped_or_chosen_and_what_is_none_is_told_in_words(
    context: BrowserContext, browser: Browser, address: str, book: Book
) -> None:
    today = datetime.now(UTC).date()
    page = await context.new_page()
    await log_in(page, address, key := await book.key("acme", "read", "import"))
    await page.goto(f"{address}/#/invoices?month={today:%Y-%m}")
    invoices = page.locator(".invoices")
    file, send = invoices.get_by_label("File"), invoices.get_by_role("button", name="Import")
    await file.set_input_files({"name": "no.json", "mimeType": "application/json", "buffer": b"{}"})
    await send.click()
    await expect(invoices.get_by_role("alert")).to_contain_text("is no page of openai's")
    content = openai_costs({today: [openai_line("gpt-nobody-calls, input", 3, 1_000_000)]})
    dropped = """([form, text]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([text], "costs.json"));
        form.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }"""
    form = await invoices.get_by_role("form", name="Import a bill").element_handle()
    await page.evaluate(dropped, [form, content.decode()])
    await send.click()
    await expect(invoices.get_by_role("status")).to_contain_text(f"{today} to {today} is in: 1 line")
    await expect(invoices.locator(".total")).to_have_text("$3.00")
    await invoices.get_by_label("Provider").select_option("bedrock")
    await expect(invoices.locator(".total")).to_have_text("not known yet")
    looked = await (clean := await browser.new_context(reduced_motion="reduce", bypass_csp=True)).new_page()
    await log_in(looked, address, key)
    await looked.goto(f"{address}/#/invoices?month={today:%Y-%m}")
    await expect(looked.locator(".invoices .total")).to_have_text("$3.00")
    assert await troubles(looked, "bill") == []
    await clean.close()
