"""What was not booked, in a real Chromium: told on the first page, filtered, and the way to send it again."""

from __future__ import annotations

import json

from msgspec.structs import replace
from playwright.async_api import BrowserContext, expect

from spendmeter.contracts.events import Labels
from tests.api.book import Book
from tests.api.test_events import LINES, event
from tests.portal.page import log_in

TOO_MUCH = "data.usage.input_tokens: {} is more than one event may state of input_tokens: at most 1000"


async def test_the_first_page_tells_whose_events_were_not_booked_and_leads_to_them(
    context: BrowserContext, address: str, book: Book
) -> None:
    for number in range(3):
        await book.unbooked("acme", "bot", f"r{number}", "rejected", TOO_MUCH.format(5000 + number), "k1")
    await book.unbooked("acme", "bot", "c", "conflict", "another event was booked before", "k2")
    await book.supersession("acme", "bot", "r0", "good")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    line = page.locator(".not-booked")
    await expect(line).to_contain_text("not booked in the last day 4")
    await expect(line).to_contain_text("3 open")
    await line.get_by_role("link", name="k1: 3 rejected").click()
    faults = page.get_by_role("table", name="Faults").locator("tbody tr")
    await expect(faults).to_have_count(1)
    await expect(faults).to_contain_text("… is more than one event may state of input_tokens: at most …")
    rows = page.locator(".list > table tbody tr")
    await expect(rows).to_have_count(3)
    await expect(rows.filter(has_text="r0")).to_contain_text("booked instead: bot/good")
    await page.get_by_label("resolved").select_option("false")
    await page.get_by_role("button", name="Filter").click()
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="r1").get_by_role("link", name="Send it again")).to_be_visible()
    await page.get_by_role("link", name="key: k1").click()
    await page.get_by_label("outcome").select_option("conflict")
    await page.get_by_role("button", name="Filter").click()
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("compare what was sent with the receipt")


async def test_an_id_cannot_break_out_of_the_command(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.unbooked("acme", "<b>bot</b>", "'; rm -rf / #", "rejected", "bad")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/unbooked")
    await page.get_by_role("link", name="Send it again").click()
    await page.get_by_text("By hand").click()
    by_hand = page.locator("details")
    await expect(by_hand).to_contain_text(r"--source '<b>bot</b>' --id NEW --supersedes ''\''; rm -rf / #'")


async def test_what_was_retracted_is_proposed_as_it_was_booked_without_what_ingest_put_in(
    context: BrowserContext, address: str, book: Book
) -> None:
    labels = Labels(team="payments", user="hmac:1f", own={"cost_centre": "a"})
    booked = event("wrong", source="bot")
    await book.entry(replace(booked, data=replace(booked.data, labels=labels)), "0.01", LINES)
    await book.entry(event("wrong", source="bot"), "-0.01", [], seq=1)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/resubmit?source=bot&id=wrong")
    await expect(page.locator("form")).to_contain_text("This is the event as it was booked")
    proposed = json.loads(await page.get_by_label("The event, as JSON").input_value())
    assert proposed.keys() == {"specversion", "type", "source", "subject", "time", "data"}
    assert proposed["data"]["labels"] == {"team": "payments", "own": {"cost_centre": "a"}}
    assert proposed["data"]["usage"] == {"input_tokens": 2000, "output_tokens": 500}
    await page.get_by_label("may ingest").fill("sm_nonsense")
    await page.get_by_role("button", name="Send").click()
    refused = "send it with a live key of acme that has the scope ingest"
    await expect(page.get_by_role("alert").filter(has_text=refused)).to_be_visible()


async def test_receipts_of_both_lead_to_the_other(context: BrowserContext, address: str, book: Book) -> None:
    await book.unbooked("acme", "bot", "bad", "rejected", "time: is missing")
    await book.entry(replace(event("good", source="bot"), supersedes="bad"), "0.01", LINES)
    await book.supersession("acme", "bot", "bad", "good")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/event?source=bot&id=bad")
    await page.get_by_role("link", name="bot/good").click()
    await expect(page.locator(".receipt h1")).to_have_text("good")
    await expect(page.locator(".receipt")).to_contain_text("it was not booked: this one counts in its place")
    await page.get_by_role("link", name="bot/bad").click()
    await expect(page.locator(".receipt h1")).to_have_text("bad")
