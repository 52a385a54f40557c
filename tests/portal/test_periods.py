"""A month is closed and opened again on the page of statements, in a real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import Browser, BrowserContext, Page, expect

from spendmeter.contracts.periods import add_months
from tests.api.book import Book
from tests.corrector.closing_world import keeper_of
from tests.portal.page import api, log_in
from tests.portal.test_accessibility import troubles

THIS = add_months(datetime.now(UTC).date(), 0)
LAST, BEFORE = (add_months(THIS, -months) for months in (1, 2))
NASTY = "a bill<img src=x onerror='document.title=1'>"


async def statements_of(page: Page, address: str, month: object) -> None:
    await page.goto(f"{address}/#/statement?centre=search&month={month:%Y-%m}")
    await expect(page.locator(".period")).to_have_attribute("aria-busy", "false")


async def test_a_month_is_closed_by_keys_and_opened_again_with_a_reason(
    context: BrowserContext, browser: Browser, address: str, book: Book, database_url: str
) -> None:
    """search spent 4 two months ago; the month after it is closed in its turn."""
    await book.spend("acme", f"{BEFORE:%Y-%m}-10T10:00Z", "4", team="search")
    page = await context.new_page()
    await log_in(page, address, admin := await book.key("acme", "read", "admin"))
    await statements_of(page, address, LAST)
    period = page.locator(".period")
    await expect(period).to_contain_text(f"{BEFORE:%B %Y} is to be closed first")
    await period.get_by_role("link", name=f"{BEFORE:%B %Y}").click()
    await expect(period.get_by_role("status").first).to_contain_text(f"{BEFORE:%B %Y} is open")
    await period.get_by_text(f"Close {BEFORE:%B %Y}", exact=True).press("Enter")
    form = period.get_by_role("form")
    await expect(form).to_contain_text(f"is booked in {LAST:%B %Y} and said there as what it corrects")
    await form.get_by_label("Note").fill("as agreed")
    await form.get_by_label("Note").press("Enter")
    await expect(period.get_by_role("progressbar")).to_be_visible()
    await expect(period.get_by_role("status").first).to_be_focused()
    async with keeper_of(database_url) as keeper:
        await keeper.look()
    await expect(period.get_by_role("status").first).to_contain_text(f"{BEFORE:%B %Y} is closed since")
    await expect(period.get_by_role("progressbar")).to_have_count(0)
    await expect(page.locator(".statement .facts")).not_to_contain_text("it may still change")
    closing = period.locator(".history li")
    await expect(closing).to_contain_text(f"{BEFORE:%B %Y} with $4.00")
    await expect(closing).to_contain_text("1 event in USD · as agreed")

    await period.get_by_text(f"Open {BEFORE:%B %Y} again", exact=True).click()
    yes = form.get_by_role("button", name=f"Yes, open {BEFORE:%B %Y} again")
    await yes.click()  # without a reason, it is not sent
    await expect(form.get_by_label("Why")).to_be_focused()
    await form.get_by_label("Why").fill(NASTY)
    async with api(address, admin) as client:  # somebody else closes the next one meanwhile
        closed = await client.post(f"/v1/periods/{LAST:%Y-%m}/close", json={})
        assert closed.status_code == 202, closed.text
        await yes.click()
        await expect(form.get_by_role("alert")).to_contain_text(f"{LAST:%Y-%m} is closed after it")
        async with keeper_of(database_url) as keeper:
            await keeper.look()
        opened = await client.post(f"/v1/periods/{LAST:%Y-%m}/reopen", json={"reason": "too early"})
        assert opened.status_code == 200, opened.text
    await yes.click()
    await expect(period.get_by_role("status").first).to_contain_text("was closed, and is open again since")
    await expect(closing.last).to_contain_text(f": {NASTY}")
    await expect(closing.last).to_contain_text("reopened")
    await expect(page.locator(".statement .facts")).to_contain_text("no: it may still change")
    assert await page.title() != "1"

    looked = await (clean := await browser.new_context(reduced_motion="reduce", bypass_csp=True)).new_page()
    await log_in(looked, address, admin)
    await statements_of(looked, address, BEFORE)
    await looked.locator(".period summary").click()
    assert await troubles(looked, "period") == []
    await clean.close()


async def test_who_may_not_close_reads_how_it_stands(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.spend("acme", f"{LAST:%Y-%m}-10T10:00Z", "4", team="search")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await statements_of(page, address, LAST)
    period = page.locator(".period")
    await expect(period).to_contain_text("To close it, log in with a key that has the scope govern or admin.")
    await expect(period.get_by_role("form")).to_have_count(0)
    await statements_of(page, address, THIS)
    await expect(period).to_contain_text("It is not over: it may be closed from")
