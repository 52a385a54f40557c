"""Saved questions in a real Chromium: kept, opened again as they were, and not shown as anything else."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.portal.page import api, log_in


async def test_a_question_is_saved_opened_by_somebody_else_and_removed(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "8", team="search", sku="m")
    finops = await book.key("acme", "govern")
    page = await context.new_page()
    await log_in(page, address, finops)
    await page.goto(f"{address}/#/explore?range=month&by=sku&split=team&filter.team=search")
    views = page.locator(".views")
    await views.locator("summary").click()
    await views.get_by_label("Name").fill("Search by model")
    await views.get_by_role("button", name="Save").click()
    await expect(views.get_by_role("status")).to_have_text("Saved for everybody: Search by model.")
    async with api(address, finops) as client:
        [view] = (await client.get("/v1/views")).json()["views"]
        assert view["question"] == "range=month_to_date&group_by=sku%2Cteam&filter.team=search"
        assert (await client.get(view["href"])).json()["totals"][0]["amount"] == "8"
        asked = {"name": "By day", "question": "range=last_week&bucket=day&group_by=team"}
        assert (await client.post("/v1/views", json=asked)).status_code == 201
    await context.clear_cookies()

    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore")
    views = page.locator(".views")
    await views.locator("summary").click()
    await expect(views.locator("li", has_text="By day")).to_contain_text("asks what this page does not show")
    await expect(views.get_by_role("link", name="By day")).to_have_count(0)
    await expect(views.get_by_role("button", name="Remove")).to_have_count(0)
    await views.get_by_role("link", name="Search by model").click()
    await expect(page.locator("#by")).to_have_value("sku")
    await expect(page.locator("#split")).to_have_value("team")
    await expect(page.locator("#range")).to_have_value("month")
    await expect(page.locator(".explorer .chips")).to_contain_text("team: search")
    await context.clear_cookies()

    page = await context.new_page()
    await log_in(page, address, finops)
    await page.goto(f"{address}/#/explore")
    views = page.locator(".views")
    await views.locator("summary").click()
    await views.get_by_role("button", name="Remove the view Search by model").click()
    await expect(views.locator("li")).to_have_count(1)
