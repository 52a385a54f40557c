"""The page of models in a real Chromium: own traffic at the prices of others, with how calls went on each."""

from __future__ import annotations

import re

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_models_compare import pool, used
from tests.api.used_models import UsedModels
from tests.portal.page import log_in

__all__ = ["pool", "used"]


async def test_own_traffic_is_held_against_other_models_by_cost_time_and_success(
    context: BrowserContext, address: str, book: Book, used: UsedModels
) -> None:
    """40 calls of m at 0.002 and 30 of n at 0.001: 0.11 as it is. 38 of 40 of m and all of n end ok: 68 of 70."""
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="Models").click()
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
