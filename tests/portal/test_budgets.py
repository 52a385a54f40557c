"""Budgets on the overview in a real Chromium: one is removed, with what it was and what stays of it."""

from __future__ import annotations

import httpx
from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.portal.page import log_in


async def test_a_budget_is_removed_by_who_may_change_and_by_nobody_else(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {admin}"}) as client:
        for name in ("Search", "Everything"):
            made = await client.post("/v1/budgets", json={"name": name, "amount": "500"})
            assert made.status_code == 201
        page = await context.new_page()
        await log_in(page, address, await book.key("acme", "read"))
        card = page.get_by_label("Budgets", exact=True)
        await expect(card.locator("li")).to_have_count(2)
        await expect(card.get_by_text("Remove", exact=True)).to_have_count(0)
        await page.context.clear_cookies()

        page = await context.new_page()
        await log_in(page, address, admin)
        card = page.get_by_label("Budgets", exact=True)
        row = card.locator("li", has_text="Search")
        await row.locator("summary").click()
        await row.get_by_role("button", name="Remove it").click()
        await expect(card.get_by_role("status")).to_have_text(
            "Removed: Search, $500.00 a month; 0 incidents of it stay."
        )
        await expect(card.locator("li")).to_have_count(1)
        assert [each["name"] for each in (await client.get("/v1/budgets")).json()["budgets"]] == [
            "Everything"
        ]
