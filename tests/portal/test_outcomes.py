"""The page of outcomes in a real Chromium: versions of a workflow side by side, and what is too little to say."""

from __future__ import annotations

import httpx
from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_workflows import BY_HAND, Flows, flows, put, six_days
from tests.portal.page import log_in

__all__ = ["flows"]


async def test_versions_stand_side_by_side_and_too_little_is_said_to_be_too_little(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    """By hand 13.489583333333 an accepted outcome; 42 runs of 0.10, of which 36 are accepted: 4.20 / 36 = 0.1167."""
    await six_days(flows)
    await flows.follow()
    admin = await book.key("acme", "read", "admin")
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": f"Bearer {admin}"}) as client:
        await put(client, "versions", version="by hand", kind="baseline", baseline=BY_HAND)
        await put(client, "versions", version="v2", kind="reimagined")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="Outcomes").click()
    await page.get_by_role("link", name="refund").click()
    sides = page.get_by_role("region", name="Versions side by side")
    costs = sides.locator("tbody tr").first
    await expect(costs).to_contain_text("$13.49")
    await expect(costs).to_contain_text("$0.12")
    await expect(sides.locator("thead")).to_contain_text("by hand, baseline")
    await expect(page.get_by_role("heading", name="v2 against by hand")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("observed, not caused")
