"""Rules and what people do about incidents, in a real Chromium."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import BrowserContext, expect

from services.api.http.openapi import EXAMPLES
from tests.api.book import Book
from tests.api.test_governing import INCIDENT, incident
from tests.portal.page import log_in


async def test_a_rule_is_looked_at_changed_and_tried(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("link", name="Rules").click()
    row = page.get_by_label("Rules", exact=True).locator("li", has_text="Spend far over expectation")
    await expect(row).to_contain_text("on")
    await row.get_by_role("link").click()
    await expect(page.get_by_label("How good it is")).to_contain_text("too few to say")
    form = page.get_by_role("form", name="Change the rule")
    await form.get_by_label("amount_min").fill("-1")
    await form.get_by_label("Why").fill("cents wake nobody")
    await form.get_by_role("button", name="Save").click()
    await expect(form.get_by_role("alert")).to_contain_text("amount_min: must be a plain")
    await form.get_by_label("amount_min").fill("25")
    await form.get_by_role("button", name="Save").click()
    history = page.get_by_label("History")
    await expect(history.locator("li")).to_contain_text("on, amount_min 25")
    await expect(history.locator("li")).to_contain_text("cents wake nobody")

    await form.get_by_label("amount_min").fill("50")
    await form.get_by_role("button", name="Try it").click()
    trial = page.get_by_label("Dry run")
    await expect(trial).to_contain_text("Under way: 0%")
    assert await book.connection.fetchval("SELECT settings ->> 'amount_min' FROM rule_dry_runs") == "50"
    result = json.dumps(EXAMPLES["dry_run"]["result"])
    await book.connection.execute(
        "UPDATE rule_dry_runs SET state = 'done', progress = 1, result = $1, finished_at = now()", result
    )
    await expect(trial).to_contain_text("3 incidents, 0.43 a day, $412.50 in them.")
    await expect(trial.locator("tbody tr")).to_contain_text("agent deep-research")

    await page.get_by_role("link", name="Rules").last.click()
    await expect(row).to_contain_text("critical · amount_min 25")


async def test_a_rule_that_counts_events_is_tried_and_says_them_and_no_money(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "govern"))
    await page.goto(f"{address}/#/rule?id=unbooked-rate")
    form = page.get_by_role("form", name="Change the rule")
    await form.get_by_role("button", name="Try it").click()
    trial = page.get_by_label("Dry run")
    await expect(trial).to_contain_text("Under way: 0%")
    result = {**EXAMPLES["dry_run"]["result"], "currency": "events"}
    await book.connection.execute(
        "UPDATE rule_dry_runs SET state = 'done', progress = 1, result = $1, finished_at = now()",
        json.dumps(result),
    )
    await expect(trial).to_contain_text("412.5 events in them.")


async def test_who_may_only_read_sees_rules_and_changes_none(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/rule?id=first-seen")
    settings = page.get_by_label("Settings")
    await expect(settings).to_contain_text("To change it, log in")
    await expect(settings).to_contain_text("amount_min: ")
    await expect(settings).to_contain_text("on · ")
    await expect(page.get_by_role("form", name="Change the rule")).to_have_count(0)


@pytest.mark.parametrize(("one", "many"), [("rule", "Rules"), ("channel", "Channels")])
async def test_an_address_that_names_none_shows_all(
    context: BrowserContext, address: str, book: Book, one: str, many: str
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/{one}")
    await expect(page.get_by_role("heading", name=many)).to_be_visible()
    await expect(page.locator("#trouble")).to_be_hidden()


async def test_on_a_phone_no_word_of_a_rules_quality_is_broken(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await page.set_viewport_size({"width": 390, "height": 800})
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/rule?id=first-seen")
    days = page.get_by_role("columnheader", name="Days")
    box = await days.bounding_box()
    assert box is not None
    assert box["height"] < 60  # two lines at most, of "False alarms"
    assert await page.evaluate("document.documentElement.scrollWidth <= 390")


async def test_an_incident_is_snoozed_woken_and_said_to_have_been_expected(
    context: BrowserContext, address: str, book: Book
) -> None:
    await incident(book, "acme", INCIDENT)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    card = page.locator(".incidents")
    await card.get_by_role("button", name="Snooze 4 h").click()
    await expect(card).to_contain_text("snoozed until")
    await expect(card.locator(".badge")).to_have_text("acknowledged")
    await card.get_by_role("button", name="Wake").click()
    await expect(card).not_to_contain_text("snoozed until")
    await card.get_by_role("button", name="Expected").click()
    await expect(card).to_contain_text("expected, says key")
    await expect(card.get_by_role("button", name="Expected")).to_have_count(0)
    await card.get_by_role("button", name="False alarm").click()
    await expect(card).to_contain_text("a false alarm, says key")
