"""Money at prices that do not say how it was served: from the figure of the accounting to the rows behind it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from playwright.async_api import BrowserContext, expect

from spendmeter.contracts.events import Context
from spendmeter.contracts.rated import Line
from tests.api.book import Book
from tests.ledger_records import usage_event
from tests.portal.page import log_in
from tests.portal.test_catalog import operator

AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)
NASTY = "eu-9<img src=x onerror='document.title=1'>"


async def test_the_figure_leads_to_its_rows_and_each_says_what_to_do(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await page.get_by_role("link", name="Data quality").click()
    card = page.get_by_label("Accounting")
    await expect(card).to_contain_text("accepted")
    await expect(card).not_to_contain_text("how it was served")
    await book.under_remarks("acme", "18.5", AN_HOUR_AGO, events=412, provider="anthropic", region="EU-9")
    await book.under_remarks("acme", "0.25", AN_HOUR_AGO, provider="anthropic", region="eu-9", tier="ultra")
    await expect(card).to_contain_text("$18.75 USD at prices that do not say how it was served (413 events)")
    await expect(card).to_contain_text("tier $0.25")
    await card.get_by_role("link", name="region $18.75").click()
    rows = page.locator(".inbox .remarks li")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("anthropic, region eu-9: $18.75 USD of 413 events")
    await expect(rows).to_contain_text("of acme")
    await expect(rows).to_contain_text("state what anthropic charges in region eu-9")
    await page.goto(f"{address}/#/inbox")
    await expect(rows).to_have_count(2)
    await book.under_remarks("acme", "0.5", AN_HOUR_AGO, provider="azure", batch=True)
    await book.under_remarks("acme", "0.5", AN_HOUR_AGO, provider="azure", region="region")
    await expect(page.locator(".inbox .remarks")).to_contain_text("azure, in a batch:")
    await expect(page.locator(".inbox .remarks")).to_contain_text("azure, region region:")


async def test_a_receipt_says_by_its_amount_how_it_was_served_and_that_no_price_is_for_it(
    context: BrowserContext, address: str, book: Book
) -> None:
    event = usage_event("eu-9", time=AN_HOUR_AGO, context=Context(region="EU-9", service_tier="fast"))
    lines = [
        Line(unit=unit, entry="x", quantity="1000", price="0.001", amount="1", remarks=("region",))
        for unit in ("input_tokens", "output_tokens")
    ]
    await book.entry(event, "2", lines)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme"))
    await page.goto(f"{address}/#/event?source=bot&id=eu-9")
    receipt = page.locator(".receipt")
    remark = receipt.locator(".verdict + p")
    await expect(remark).to_have_text("no price is for region EU-9: this one is for any (what to do)")
    await expect(receipt.locator(".chips")).to_contain_text("region: EU-9")
    await expect(receipt.locator(".chips")).to_contain_text("tier: fast")
    await remark.get_by_role("link").click()
    await expect(page.get_by_role("heading", name="Used, and without a price")).to_be_visible()


async def test_another_tenants_rows_and_a_region_that_is_markup_harm_nobody(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.under_remarks("acme", "1", AN_HOUR_AGO, region=NASTY)
    await book.under_remarks("globex", "2", AN_HOUR_AGO, region="mars-1")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme"))
    await page.goto(f"{address}/#/inbox")
    rows = page.locator(".inbox .remarks li")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text(NASTY)
    assert await page.title() != "1"
