"""Terms of whole periods, in a real Chromium: what of a commitment is used, and each figure's arithmetic."""

from __future__ import annotations

from playwright.async_api import Browser, BrowserContext, expect

from services.corrector.true_ups.keeper import _period_row
from services.corrector.true_ups.statements import SQL
from services.corrector.true_ups.written import write
from spendmeter.pricing.price_book import PriceBook
from tests.api.book import Book
from tests.api.test_true_ups import STANDING
from tests.portal.page import log_in
from tests.portal.test_accessibility import troubles


async def true_up(book: Book) -> None:
    await write(book.connection, "acme", PriceBook([], 14), 0, [STANDING])
    await book.connection.execute(SQL["put_period"], *_period_row("acme", STANDING, 14))


async def test_a_commitment_says_what_is_used_and_opens_its_arithmetic_and_its_receipt(
    context: BrowserContext, browser: Browser, address: str, book: Book
) -> None:
    await true_up(book)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/true-ups")
    row = page.locator("main tbody tr")
    await expect(row).to_contain_text("a committed quantity")
    await expect(row.locator("td.figure")).to_contain_text(["$8.00", "$12.00", "$10.00", "$8.00"])
    await expect(row.locator("summary")).to_have_text("$8.00")
    await row.locator("summary").click()
    await expect(row.get_by_text("8 due - 10 booked = -2 USD")).to_be_visible()
    await row.get_by_role("link", name="first:").click()
    await expect(page.locator("main")).to_have_attribute("data-page", "event")
    await expect(page.locator("main")).to_contain_text("8 due - 10 booked = -2 USD")
    clean = await browser.new_context(reduced_motion="reduce", bypass_csp=True)
    looked = await clean.new_page()
    await log_in(looked, address, await book.key("acme", "read"))
    await looked.goto(f"{address}/#/true-ups")
    await expect(looked.locator("main tbody tr")).to_have_count(1)
    assert await troubles(looked, "true-ups") == []
    await clean.close()
