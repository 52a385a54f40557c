"""A tenant's own dimensions in a real Chromium: declared, chosen, clicked down by, and retired."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.portal.page import log_in


async def test_spend_is_taken_apart_by_a_dimension_of_the_tenants_own(
    context: BrowserContext, address: str, book: Book
) -> None:
    now = datetime.now(UTC)
    for tenant, name in (("acme", "cost_centre"), ("globex", "customer")):
        await book.connection.execute(
            "INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ($1, $2, 'declared', 'x', 'key k')",
            tenant,
            name,
        )
    await book.spend("acme", now.isoformat(), "3", team="a", cost_centre="4711")
    await book.spend("acme", now.isoformat(), "4", team="b", cost_centre="4712")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore")
    chooser = page.locator("#by")
    await expect(chooser.locator("option").last).to_have_text("cost centre")
    await chooser.select_option("cost_centre")
    row = page.locator(".explorer tbody tr").filter(has_text="4711")
    await expect(row).to_contain_text("$3.00")
    await row.get_by_role("link", name="4711").click()
    await expect(page.locator(".chips")).to_contain_text("cost centre: 4711")
    await expect(page.locator(".explorer .total")).to_have_text("$3.00")


async def test_a_dimension_is_declared_chosen_retired_and_declared_again(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.goto(f"{address}/#/dimensions")
    card = page.get_by_label("Own dimensions")
    await expect(card).to_contain_text("None yet.")
    await card.get_by_text("Declare a dimension").click()
    await card.get_by_label("Name").fill("team")
    await card.get_by_label("Why it is declared").fill("finance books by it")
    await card.get_by_role("button", name="Declare").click()
    await expect(card.get_by_role("alert").first).to_contain_text("'team' is taken")
    await card.get_by_label("Name").fill("cost_centre")
    await card.get_by_role("button", name="Declare").click()
    row = card.locator("li", has_text="cost_centre")
    await expect(row).to_contain_text("kept")
    await expect(row).to_contain_text("finance books by it")
    await expect(card.get_by_label("Name")).to_have_value("")
    await row.get_by_role("link", name="cost_centre").click()
    await expect(page.locator("#by")).to_have_value("cost_centre")
    await page.goto(f"{address}/#/dimensions")

    for verb, reason, state in (
        ("Retire", "finance is gone", "retired"),
        ("Declare again", "it is back", "kept"),
    ):
        await row.locator("summary").click()
        await row.get_by_label(f"Why: {verb} cost_centre").fill(reason)
        await row.get_by_role("button", name=verb).click()
        await expect(row.locator(".badge")).to_have_text(state)
        await expect(row).to_contain_text(reason)
    await page.goto(f"{address}/#/explore")
    await expect(page.locator("#by option").last).to_have_text("cost centre")


async def test_who_may_only_read_sees_them_and_changes_nothing(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/dimensions")
    card = page.get_by_label("Own dimensions")
    await expect(card).to_contain_text("To declare, log in with a key that has the scope admin.")
    await expect(card.get_by_role("button")).to_have_count(0)
