"""Budgets on the overview in a real Chromium: one is removed, with what it was and what stays of it;
no forecast stands there that is below what was spent since."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_forecasts import forecast
from tests.portal.page import api, log_in


async def test_a_budget_is_removed_by_who_may_change_and_by_nobody_else(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        for name in ("Search", "Everything"):
            made = await client.post("/v1/budgets", json={"name": name, "amount": "500"})
            assert made.status_code == 201
        page = await context.new_page()
        await log_in(page, address, await book.key("acme", "read"))
        await page.goto(f"{address}/#/budgets")
        card = page.get_by_label("Budgets", exact=True)
        await expect(card.locator("li")).to_have_count(2)
        await expect(card.get_by_text("Remove", exact=True)).to_have_count(0)
        await page.context.clear_cookies()

        page = await context.new_page()
        await log_in(page, address, admin)
        await page.goto(f"{address}/#/budgets")
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


async def test_what_was_forecast_below_the_spend_of_now_is_no_forecast(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        early = (await client.post("/v1/budgets", json={"name": "Early", "amount": "500"})).json()
        armed = (await client.post("/v1/budgets", json={"name": "Armed", "amount": "500"})).json()
    unknown = {"p10": None, "p50": None, "p90": None, "armed": False, "why": "too early"}
    await forecast(book, early, "latest_forecasts", run_rate=Decimal(0), **unknown)
    await forecast(book, armed, "latest_forecasts")  # 90 in the middle
    await book.spend("acme", datetime.now(UTC).isoformat(), "95")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/budgets")
    card = page.get_by_label("Budgets", exact=True)
    await expect(card.locator("li", has_text="Early")).to_contain_text("too early to forecast")
    await expect(card.locator("li", has_text="Early")).not_to_contain_text("at this rate")
    await expect(card.locator("li", has_text="Armed")).to_contain_text("$90.00 was expected by its end")


async def test_a_budget_is_changed_and_shows_what_lies_above_and_below_it(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    await book.spend("acme", datetime.now(UTC).isoformat(), "30", team="search")
    async with api(address, admin) as client:
        made = {}
        for name, scope in (
            ("All", {}),
            ("Search", {"team": "search"}),
            ("Finder", {"team": "search", "agent": "finder"}),
        ):
            asked = {"name": name, "amount": "100", "filter": scope}
            made[name] = (await client.post("/v1/budgets", json=asked)).json()
        page = await context.new_page()
        await log_in(page, address, admin)
        await page.goto(f"{address}/#/budget?id={made['Search']['id']}")
        family = page.locator(".family")
        await expect(family).to_contain_text("30%, $30.00 of $100.00, $70.00 left")
        await expect(family.get_by_role("link")).to_have_text(["All", "Finder"])
        await page.get_by_text("Change it", exact=True).first.click()
        form = page.get_by_role("form", name="Change the budget")
        await form.get_by_label("Amount in USD").fill("nothing")
        await form.get_by_role("button").click()
        await expect(form.get_by_role("alert")).to_contain_text("amount")
        await form.get_by_label("Amount in USD").fill("60")
        await form.get_by_label("Told at, in %").fill("50, 90")
        await form.get_by_role("button").click()
        await expect(page.locator(".burn .total")).to_have_text("$30.00 left")
        await expect(page.get_by_text("Changed: Search.")).to_be_visible()
        budget = (await client.get(f"/v1/budgets/{made['Search']['id']}")).json()
        assert (budget["amount"], budget["thresholds_percent"]) == ("60", ["50", "90"])
        await family.get_by_role("link", name="All").click()
        await expect(page.locator(".family li li")).to_have_text("Finder 0%, $0.00 of $100.00, $100.00 left")
