"""Channels in a real Chromium: one is added, tried, looked at and removed, and no secret is ever in the page."""

from __future__ import annotations

import asyncio

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_channels import carry_out
from tests.portal.page import log_in

KEY = "0123456789abcdef0123456789abcdef"


async def test_a_channel_is_added_tried_and_removed(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.get_by_role("link", name="Settings").click()
    card = page.get_by_label("Channels", exact=True)
    await expect(card).to_contain_text("nobody is told")
    form = page.get_by_role("form", name="Add a channel")
    await form.get_by_label("Name").fill("on-call")
    await form.get_by_label("Kind").select_option("pagerduty")
    await form.get_by_label("Integration key").fill("too short")
    await form.get_by_role("button", name="Add").click()
    await expect(form.get_by_role("alert")).to_contain_text("32 letters and digits")
    await form.get_by_label("Integration key").fill(KEY)
    await form.get_by_label("Told").select_option("critical")
    await form.get_by_label("Quiet from").fill("22:00")
    await form.get_by_label("until").fill("08:00")
    await form.get_by_role("button", name="Add").click()
    row = card.locator("li", has_text="on-call")
    await expect(row).to_contain_text("nothing was delivered yet · from critical on · quiet 22:00 to 08:00")
    await expect(card.get_by_role("status")).to_have_text("Added: on-call.")
    assert KEY not in await page.content()

    await asyncio.gather(
        row.get_by_role("button", name="Test").click(), carry_out(book, "failed", "HTTP 403")
    )
    await expect(card.get_by_role("status")).to_have_text("Test of on-call: failed, HTTP 403.")
    await book.connection.execute("UPDATE channels SET failing_since = now(), last_error = 'HTTP 403'")
    await expect(row).to_contain_text("failing")
    await row.get_by_role("link", name="on-call").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("HTTP 403")

    await page.get_by_role("link", name="Channels").last.click()
    await row.locator("summary").click()
    await row.get_by_role("button", name="Remove it").click()
    await expect(card.get_by_role("status")).to_have_text("Removed: on-call.")
    await expect(card.locator("li")).to_have_count(0)


async def test_a_webhooks_secret_is_shown_once_and_who_may_only_read_changes_nothing(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.goto(f"{address}/#/channels")
    form = page.get_by_role("form", name="Add a channel")
    await form.get_by_label("Name").fill("<b>hook</b>")
    await form.get_by_label("Kind").select_option("webhook")
    await form.get_by_label("Address").fill("https://hooks.example/x")
    await form.get_by_role("button", name="Add").click()
    status = page.get_by_label("Channels", exact=True).get_by_role("status")
    await expect(status).to_contain_text("Added: <b>hook</b>. It signs with whsec_")
    await page.reload()
    await expect(page.get_by_label("Channels", exact=True).locator("li")).to_have_count(1)
    assert "whsec_" not in await page.content()
    await page.context.clear_cookies()

    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/channels")
    card = page.get_by_label("Channels", exact=True)
    await expect(card.locator("li")).to_have_count(1)
    await expect(card.locator("li button")).to_have_count(0)
    await expect(page.get_by_text("To add one, log in with a key that has the scope admin.")).to_be_visible()
