"""Pages with a question each, in a real Chromium: what changed, whether a budget lasts, what is wrong, who may."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_governing import INCIDENT
from tests.portal.filled import fill
from tests.portal.page import log_in


async def test_what_changed_is_told_in_parts_that_sum_to_it(
    context: BrowserContext, address: str, book: Book
) -> None:
    """Ten calls for 5 dollars a week ago, twenty calls for 10 now, of the same size and model: 5 by calls alone."""
    now = datetime.now(UTC)
    use = {"team": "search", "provider": "openai", "sku": "gpt-4o", "cost_class": "model"}
    before = (now - timedelta(days=7, hours=1)).isoformat()
    await book.spend("acme", before, "5", events=10, usage={"input_tokens": 1000}, **use)
    await book.spend("acme", now.isoformat(), "10", events=20, usage={"input_tokens": 2000}, **use)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="What changed").click()
    changed = page.locator(".changed")
    await expect(changed.locator(".lead .total")).to_have_text("+$5.00")
    await expect(changed).to_contain_text("from $5.00 to $10.00")
    await expect(changed.locator("tfoot")).to_contain_text("$5.00")
    await expect(changed.locator(".chart canvas")).to_be_visible()
    await changed.get_by_role("region", name="Who contributed").get_by_role("link", name="search").click()
    await expect(page.locator(".explorer .chips")).to_contain_text("team: search")


async def test_a_budget_is_set_and_shows_what_is_left_and_when_it_is_gone(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    await book.spend("acme", datetime.now(UTC).isoformat(), "30", team="search")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/budgets")
    form = page.get_by_role("form", name="Set a budget")
    await form.get_by_label("Name").fill("Search")
    await form.get_by_label("Amount in USD").fill("-1")
    await form.get_by_label("Of what").select_option("team")
    await form.get_by_label("which is").fill("search")
    await form.get_by_role("button").click()
    await expect(form.get_by_role("alert")).to_contain_text("amount")
    await form.get_by_label("Amount in USD").fill("100")
    await form.get_by_role("button").click()
    await expect(form.get_by_role("status")).to_have_text("Set: Search.")
    await page.get_by_role("link", name="Search 30%").click()
    burn = page.locator(".burn")
    await expect(burn.locator(".total")).to_have_text("$70.00 left")
    await expect(burn).to_contain_text("team search · $100.00 a month · $30.00 of $100.00 spent")
    await expect(burn.locator(".chart canvas")).to_be_visible()
    await expect(burn.locator(".facts")).to_contain_text("insufficient data")


async def test_a_request_for_more_of_a_budget_is_approved_with_a_reason(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    asker = await book.key("acme", "reserve")
    async with httpx.AsyncClient(base_url=address) as client:
        heads = {"Authorization": f"Bearer {admin}"}
        budget = (
            await client.post(
                "/v1/budgets", json={"name": "Search", "amount": "100", "hard": {}}, headers=heads
            )
        ).json()
        asked = await client.post(
            f"/v1/budgets/{budget['id']}/requests",
            json={"amount": "50", "reason": "200 cases more"},
            headers={"Authorization": f"Bearer {asker}"},
        )
        assert asked.status_code in {200, 201}, asked.text
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/budgets")
    requests = page.get_by_label("Requests for more")
    await expect(requests).to_contain_text("$50.00 more of Search")
    await requests.get_by_label("Why: $50.00").fill("until the release")
    await requests.get_by_role("button", name="Approve").click()
    await expect(requests.locator(".badge")).to_have_text("approved")
    await expect(requests).to_contain_text("until the release")


async def test_an_incident_says_where_its_money_is_and_why(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {admin}"}) as client:
        await fill(book, client)
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.get_by_role("link", name="Incidents").first.click()
    await expect(page.get_by_role("heading", level=1, name="Incidents")).to_be_visible()
    await page.get_by_role("link", name="support spends 9 times").first.click()
    await expect(page).to_have_url(re.compile(str(INCIDENT)))
    one = page.locator(".one-incident")
    await expect(one.get_by_role("region", name="Where the excess is")).to_contain_text("93%")
    await expect(one.get_by_role("region", name="Who holds it")).to_contain_text("agent helper")
    await expect(one).to_contain_text("more calls")
    await one.get_by_role("button", name="Acknowledge").click()
    await expect(one.locator(".history")).to_contain_text("acknowledge by key")


async def test_a_key_is_shown_once_and_revoked_for_good(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.goto(f"{address}/#/keys")
    form = page.get_by_role("form", name="Make a key")
    await form.get_by_label("What it is for").fill("finops")
    await form.get_by_role("button", name="Make it").click()
    status = page.locator(".keys-card").get_by_role("status")
    await expect(status).to_contain_text("Made: finops. It is sm_")
    row = page.locator(".keys-card li", has_text="finops")
    await row.locator("summary").click()
    await row.get_by_role("button", name="Revoke it").click()
    await expect(status).to_contain_text("Revoked: finops.")
    await expect(row.locator(".badge")).to_have_text("revoked")
    await page.goto(f"{address}/#/audit")
    await expect(page.locator(".list tbody")).to_contain_text("keys")
