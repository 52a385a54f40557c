"""What coding agents cost, and totals that are told as they are booked, in a real Chromium."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_coding_agents import a_month
from tests.api.test_workflows import Flows, flows
from tests.portal.page import log_in

__all__ = ["flows"]


async def test_coding_agents_are_told_by_tool_and_team_with_what_a_merged_change_costs(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    """36 sessions of 0.50 are 18; 30 changes were merged: 0.60 each. Of 7 days there are too few."""
    await a_month(flows)
    await flows.follow()
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.locator("#rail").get_by_role("link", name="Coding agents").click()
    agents = page.locator(".agents")
    await expect(agents.locator(".lead .total")).to_have_text("$18.00")
    await expect(agents.locator(".facts")).to_contain_text("A merged change by claude-code$0.60")
    await expect(agents.locator(".facts")).to_contain_text("no licence is known")
    both = agents.get_by_role("region", name="By tool and team").locator("tbody tr")
    await expect(both).to_contain_text("claude-code · web")
    await both.get_by_role("link", name="$18.00").click()
    await expect(page.locator(".explorer .chips")).to_contain_text("agent: claude-code")
    await page.goto(f"{address}/#/agents?days=7")
    await expect(agents).to_contain_text("No coding agent reported anything on these days")


async def test_the_overview_is_told_totals_as_they_are_booked(
    context: BrowserContext, address: str, book: Book
) -> None:
    """What asks is held up after its first answer, so that the second total can only have been told."""
    await book.spend("acme", datetime.now(UTC).isoformat(), "1.25", team="search")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    today = page.locator(".tile.today strong")
    await expect(today).to_have_text("$1.25")
    await page.route("**/v1/spend?*", lambda route: None)
    await book.spend("acme", datetime.now(UTC).isoformat(), "2.50", team="search", shard=1)
    await expect(today).to_have_text("$3.75")
