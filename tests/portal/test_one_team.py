"""Whoever sees one team, in a real Chromium: the pages that there are for them, and what the others say instead."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fastapi import FastAPI
from playwright.async_api import BrowserContext, Page, expect

from tests.api.book import Book
from tests.api.teams import OURS, THEIRS, a_viewer_of_one_team
from tests.api.test_events import LINES, event
from tests.portal.page import api

SHUT = (
    "event?source=a&id=b", "run", "incidents", "incident?id=1", "agents", "outcomes", "models", "estimate", "decisions",
    "allocation", "statement?centre=search", "true-ups", "plan", "export", "catalog", "model?provider=p&sku=m", "changes", "inbox",
    "proposal?id=1", "quality", "unbooked", "corrections", "resubmit", "rerate?id=1", "channels", "channel?id=1", "rules",
    "rule?id=1", "keys", "audit", "dimensions", "terms", "privacy",
)  # fmt: skip


@pytest.fixture
async def seen(context: BrowserContext, app: FastAPI, address: str, book: Book) -> Page:
    """The first page of somebody who sees OURS: 8 dollars, of 20 that are planned; THEIRS has spent 50."""
    now = datetime.now(UTC).isoformat()
    await book.spend("acme", now, "8", team=OURS, provider="openai", sku="gpt-4o")
    await book.spend("acme", now, "50", team=THEIRS)
    await book.entry(event("ours-1", at=datetime.now(UTC), team=OURS), "0.01", LINES)
    name, _, value = (await a_viewer_of_one_team(app, book, "acme", OURS)).partition("=")
    async with api(address, await book.key("acme", "read", "admin")) as client:
        budget = {"name": "Ours", "amount": "20", "filter": {"team": OURS}, "period": "month"}
        assert (await client.post("/v1/budgets", json=budget)).is_success
    await context.add_cookies([{"name": name, "value": value, "url": address}])
    page = await context.new_page()
    await page.goto(address)
    await expect(page.get_by_role("button", name="Log out")).to_be_visible()
    await expect(page.locator(".spent canvas")).to_be_visible()
    return page


async def test_the_pages_that_are_offered_are_those_of_a_team_and_none_asks_what_is_refused(
    seen: Page,
) -> None:
    refused: list[str] = []
    seen.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    await seen.reload()
    await expect(seen.locator("#rail a.place")).to_have_text(
        ["Overview", "Explore", "What changed", "Budgets"]
    )
    await expect(seen.locator("#tenant")).to_have_text(f"acme · team {OURS}")
    await expect(seen.locator(".tile.month [data-part=figure]")).to_have_text("$8.00")
    await expect(seen.locator(".tile.month [data-part=fine]")).to_have_text("40% of $20.00 planned")
    await expect(seen.locator(".tile.alarm, .card.incidents")).to_have_count(0)
    await expect(seen.locator(".spent canvas")).to_be_visible()
    await seen.get_by_role("link", name="Explore").click()
    await expect(seen.locator(".explorer .total")).to_have_text("$8.00")
    await expect(seen.locator("#tabs a")).to_have_text(["Spend", "Unit costs", "Events"])
    await seen.locator("#tabs").get_by_role("link", name="Unit costs").click()
    await expect(seen.locator("main h1")).to_have_text("What does a request cost?")
    await seen.locator("#tabs").get_by_role("link", name="Events").click()
    await expect(seen.locator("main").get_by_role("row", name="ours-1")).to_be_visible()
    await seen.get_by_role("link", name="What changed").click()
    await expect(seen.locator(".changed .total")).to_have_text("+$8.00")
    await seen.get_by_role("link", name="Budgets").click()
    await seen.locator("main .card.budgets").get_by_role("link", name="Ours").click()
    await expect(seen.locator(".burn .total")).to_have_text("$12.00 left")
    await expect(seen.locator("main [aria-busy='true'], main .failed")).to_have_count(0)
    assert refused == []


async def test_a_page_of_everybody_opened_by_its_address_says_why_it_is_shut_and_asks_nothing(
    seen: Page,
) -> None:
    asked: list[str] = []
    await seen.goto(f"{seen.url.partition('#')[0]}#/budgets")
    await expect(seen.locator(".card.budgets")).to_contain_text("Ours")
    seen.on("request", lambda one: asked.append(one.url) if "/v1/" in one.url else None)
    for place in SHUT:
        await seen.evaluate("place => location.hash = `#/${place}`", place)
        await expect(seen.locator("main")).to_have_attribute("data-page", place.partition("?")[0])
        await expect(seen.locator("main")).to_contain_text(f"You see the team {OURS} alone. ")
        await expect(seen.locator("main")).not_to_contain_text("undefined")
    assert [url for url in asked if "/v1/budgets" not in url] == []
    await seen.locator("main").get_by_role("link", name=f"What {OURS} spends").click()
    await expect(seen.locator(".explorer .total")).to_have_text("$8.00")


async def test_keys_go_where_the_rail_goes(seen: Page) -> None:
    await seen.keyboard.press("5")
    await seen.keyboard.press("?")
    keys = seen.get_by_role("dialog", name="Keys")
    await expect(keys).to_contain_text("Budgets")
    await expect(keys).not_to_contain_text("Incidents")
    await seen.keyboard.press("Escape")
    await seen.keyboard.press("4")
    await expect(seen.locator("main")).to_have_attribute("data-page", "budgets")
