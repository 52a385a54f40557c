"""A tenant's currency and zone in a real Chromium: every figure in them, and a change that asks for each budget."""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_terms import EUROS
from tests.portal.page import api, log_in
from tests.portal.test_catalog import operator


async def test_today_is_in_the_tenants_currency_and_zone(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.tenant("newco", zone="Europe/Berlin", currency="EUR")
    await book.spend("newco", datetime.now(UTC).isoformat(), "3", currency="EUR")
    page = await context.new_page()
    await log_in(page, address, await book.key("newco", "read"))
    await expect(page.locator(".tile.today")).to_contain_text("€3.00")
    await expect(page.locator(".tile.today")).to_contain_text("EUR, Europe/Berlin")


async def test_a_change_of_currency_asks_for_each_budget_before_it_is_approved(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.tenant("newco")
    theirs = {"Authorization": f"Bearer {await book.key('newco', 'admin')}"}
    operators = {"Authorization": f"Bearer {await book.key('', 'admin')}"}
    page = await operator(context, address, book)
    async with api(address) as client:
        for name in ("Everything", "Old things"):
            asked = {"name": name, "amount": "1000"}
            assert (await client.post("/v1/budgets", json=asked, headers=theirs)).status_code == 201
        made = await client.post(
            "/v1/catalog/proposals", params={"name": "t.toml"}, content=EUROS, headers=operators
        )
        await page.goto(f"{address}/#/proposal?id={made.json()['id']}")
        shown = page.locator(".catalog")
        await expect(shown).to_contain_text("newco counts in EUR, with days of Europe/Berlin, for all time")
        await page.get_by_label("Amount of Everything in EUR").fill("900")
        await page.get_by_role("button", name="Approve").click()
        await expect(shown).to_contain_text(
            "say for each of these budgets its amount in the new one, or close"
        )
        await page.locator(".decision li", has_text="Old things").get_by_role("checkbox").check()
        await page.get_by_role("button", name="Approve").click()
        await expect(shown).to_contain_text("→ 900 EUR")
        await expect(shown).to_contain_text("→ closed")
        budgets = (await client.get("/v1/budgets", headers=theirs)).json()["budgets"]
        assert [(each["name"], each["amount"], each["currency"]) for each in budgets] == [
            ("Everything", "900", "EUR")
        ]
