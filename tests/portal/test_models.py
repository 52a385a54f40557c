"""The page of models in a real Chromium: own traffic at the prices of others, with how calls went on each."""

from __future__ import annotations

import re

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_models_compare import pool, used
from tests.api.used_models import UsedModels
from tests.portal.page import api, log_in

__all__ = ["pool", "used"]


async def test_own_traffic_is_held_against_other_models_by_cost_time_and_success(
    context: BrowserContext, address: str, book: Book, used: UsedModels
) -> None:
    """40 calls of m at 0.002 and 30 of n at 0.001: 0.11 as it is. 38 of 40 of m and all of n end ok: 68 of 70."""
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="Models", exact=True).click()
    models = page.locator(".models")
    await expect(models).to_contain_text("70 calls on openai/m, openai/n")
    now = models.locator("tbody tr").filter(has_text="as it is")
    await expect(now).to_contain_text("$0.110")
    await expect(now).to_contain_text("97.1%")
    other = models.locator("tbody tr").filter(has=page.get_by_role("rowheader", name="openai/n"))
    await expect(other).to_contain_text("nothing beats it")
    await expect(other).to_contain_text("0.5 s")
    await expect(models.locator(".chart canvas")).to_be_visible()
    await models.get_by_label("An error costs").fill("0.1")
    await models.get_by_role("button", name="Weigh").click()
    await expect(models.locator("thead")).to_contain_text("Weighed")
    await expect(page).to_have_url(re.compile(r"price_per_error=0\.1"))


async def test_traffic_that_is_to_come_is_priced_on_the_models_that_are_named(
    context: BrowserContext, address: str, book: Book, used: UsedModels
) -> None:
    """1,000 at 1 and 500 at 2 a million is 0.002 a call of m: of 1,000 calls a day 2, in 30 days 60; of n half of it."""
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/models")
    await page.get_by_role("link", name="Traffic to come").click()
    form = page.get_by_role("form", name="Traffic to come")
    await form.get_by_label("Models, as").fill("openai/m, openai/n, openai/nobody")
    await form.get_by_label("Calls a day").fill("1000")
    await form.get_by_label("Input tokens").fill("1000")
    await form.get_by_label("Output tokens").fill("500")
    await form.get_by_role("button", name="Estimate").click()
    table = page.get_by_role("region", name="Estimate")
    await expect(table.locator("tbody tr", has_text="openai/m")).to_contain_text("$60.00")
    await expect(table.locator("tbody tr", has_text="openai/n").first).to_contain_text("$30.00")
    nobody = table.locator("tbody tr", has_text="openai/nobody")
    await expect(nobody.locator("td.figure").nth(2)).to_have_text("—")
    await expect(page).to_have_url(re.compile("calls_per_day=1000"))
    await form.get_by_label("Share of input").fill("2")
    await form.get_by_role("button", name="Estimate").click()
    await expect(page.locator(".estimate")).to_contain_text("cache_share")


async def test_a_decision_is_written_down_shows_what_it_is_to_save_and_is_withdrawn(
    context: BrowserContext, address: str, book: Book, used: UsedModels
) -> None:
    page = await context.new_page()
    govern = await book.key("acme", "govern")
    await log_in(page, address, govern)
    await page.goto(f"{address}/#/decisions")
    form = page.get_by_role("form", name="Write down a decision")
    for label, text in (
        ("Title", "support on n"),
        ("Whose saving it is", "ada"),
        ("From the model", "openai/m"),
        ("To the model", "openai/n"),
        ("Calls where", "team = support"),
        ("Times the tokens", "1..1"),
        ("Why", "answers are as good"),
    ):
        await form.get_by_label(label).fill(text)
    await form.get_by_role("button", name="Write it down").click()
    item = page.locator(".decisions li", has_text="support on n")
    await expect(item).to_contain_text("openai/m → openai/n")
    async with api(address, govern) as client:
        [decision] = (await client.get("/v1/models/decisions")).json()["decisions"]
    assert decision["filter"] == {"team": "support"}
    await expect(item).to_contain_text(f"of {decision['forecast']['calls']} calls")
    await expect(item).to_contain_text(f"Has saved: {decision['realised']['says']}")
    await item.locator("summary").click()
    await item.get_by_label("Why it holds no longer").fill("answers were worse")
    await item.get_by_role("button", name="Withdraw it").click()
    await expect(item.locator(".badge")).to_have_text("withdrawn")
    await expect(item).to_contain_text("answers were worse")
