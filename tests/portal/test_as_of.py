"""As it stood, in a real Chromium: an instant that goes with a person, and which pages tell of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, BrowserContext, expect

from tests.api.book import Book
from tests.portal.page import log_in
from tests.portal.test_accessibility import troubles


async def a_book_with_a_late_event(book: Book) -> datetime:
    """8 dollars that were there at the moment that is returned, and 5 of before that came after it."""
    now = datetime.now(UTC).replace(microsecond=0)
    then = now - timedelta(minutes=40)
    await book.spend("acme", (now - timedelta(hours=3)).isoformat(), "8", team="search")
    await book.spend("acme", (now - timedelta(hours=3)).isoformat(), "5", team="ads")
    for at in (then, now - timedelta(minutes=10)):
        await book.connection.execute(
            "INSERT INTO moments VALUES ($1, $2, '{0}', '{0}', '{0}')", at, now - timedelta(minutes=10)
        )
    await book.connection.execute(
        "INSERT INTO proved_until (moment, held_until, proved_at) VALUES ($1, $1, now())",
        now - timedelta(minutes=10),
    )
    await book.connection.execute(
        """INSERT INTO recorded_apart (tenant, size, bucket, at, series_id, currency, events, unpriced_events, list,
            contracted, effective, of_which_provisional, input_tokens, corrected)
        SELECT tenant, s.size, date_bin(s.long, bucket, 'epoch'), $1, series_id, currency, events, unpriced_events, list,
            contracted, effective, of_which_provisional, input_tokens, 0
        FROM rollups_minute
            CROSS JOIN (VALUES ('minute', interval '1 minute'), ('hour', '1 hour'), ('day', '1 day')) AS s (size, long)
        WHERE effective = 5""",
        now - timedelta(minutes=10),
    )
    return then


async def test_the_book_as_it_stood_goes_with_a_person_and_other_pages_say_that_they_are_of_now(
    context: BrowserContext, address: str, book: Book
) -> None:
    then = await a_book_with_a_late_event(book)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore?by=team&range=7d")
    await expect(page.locator(".explorer .total")).to_have_text("$13.00")
    stood = page.locator("#stood")
    await expect(stood).to_be_hidden()
    line = await page.locator("#top").bounding_box()
    assert line and line["height"] < 100, "the line above the page is squeezed into more than two"
    await page.get_by_label("As it stood").fill(f"{then:%Y-%m-%dT%H:%M:%S}")
    await expect(page.locator(".explorer .total")).to_have_text("$8.00")
    await expect(stood).to_contain_text("As it stood at")
    await expect(stood).to_contain_text("(the book is proved up to")
    await expect(page.locator("#live")).to_contain_text("as it stood")
    await expect(page).to_have_url(re.compile("as_of="))
    await page.get_by_role("link", name="What changed").click()
    await expect(page.locator(".changed .total")).to_have_text("+$8.00")
    await expect(stood).to_contain_text("(the book is proved up to")
    await page.get_by_role("link", name="Overview").click()
    await expect(page.locator(".spent .total")).to_have_text("$13.00")
    await expect(stood).to_contain_text("What you see here is of now")
    await page.get_by_role("link", name="Explore").click()
    await expect(page.locator(".explorer .total")).to_have_text("$8.00")
    await page.reload()
    await expect(page.locator(".explorer .total")).to_have_text("$8.00")
    await stood.get_by_role("link", name="Show it as it stands").click()
    await expect(page.locator(".explorer .total")).to_have_text("$13.00")
    await expect(stood).to_be_hidden()


async def test_who_pays_and_a_statement_are_told_as_they_stood_from_one_to_the_other(
    context: BrowserContext, address: str, book: Book
) -> None:
    """8 of search were there then; 5 of ads came later, so that 13 are there now."""
    then = await a_book_with_a_late_event(book)
    month = f"{then - timedelta(hours=2, minutes=20):%Y-%m}"
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/allocation?month={month}")
    card, stood = page.locator(".allocation"), page.locator("#stood")
    await expect(card).to_contain_text("$13.00 in all")
    await page.get_by_label("As it stood").fill(f"{then:%Y-%m-%dT%H:%M:%S}")
    await expect(card).to_contain_text("$8.00 in all")
    await expect(stood).to_contain_text("(the book is proved up to")
    await card.get_by_label("to each").select_option("project")
    await expect(card).to_contain_text("$8.00 in all")
    await card.get_by_label("to each").select_option("team")
    await card.get_by_role("row", name="search").get_by_role("link", name="statement").click()
    await expect(page.locator(".statement .verdict")).to_have_text("$8.00")
    await expect(stood).to_contain_text("(the book is proved up to")
    await expect(page.locator(".period")).to_have_count(0)  # a month is closed as the book stands
    async with page.expect_request(re.compile("/v1/exports/statement.*as_of=")):
        await page.get_by_role("form", name="In FOCUS 1.4").get_by_role("button", name="Download").click()
    await stood.get_by_role("link", name="Show it as it stands").click()
    await expect(page.locator(".period")).to_be_visible()
    await expect(stood).to_be_hidden()


async def test_axe_finds_nothing_serious_above_a_page_as_it_stood(
    browser: Browser, address: str, book: Book
) -> None:
    then = await a_book_with_a_late_event(book)
    context = await browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    for place in ("explore", ""):
        await page.goto(f"{address}/#/{place}?range=7d&as_of={then:%Y-%m-%dT%H:%M:%S}Z")
        await expect(page.locator("#stood")).to_be_visible()
        assert await troubles(page, f"as it stood, {place}") == []
    await context.close()
