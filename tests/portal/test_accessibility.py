"""Every page of the portal as axe judges it: in both schemes, on a desk and on a phone."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from playwright.async_api import Browser, Page, expect

from tests.api.book import Book
from tests.portal.filled import fill
from tests.portal.page import api, log_in

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
GRAVE = {"serious", "critical"}
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
PICTURES = os.environ.get("SPENDMETER_PICTURES")
"""A folder: what a person looks at before it is called done."""


@pytest.mark.timeout(600)
async def test_axe_finds_nothing_serious_on_any_page(browser: Browser, address: str, book: Book) -> None:
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        pages = await fill(book, client)
    context = await browser.new_context(reduced_motion="reduce", bypass_csp=True)
    page = await context.new_page()
    await page.goto(address)
    await expect(page.get_by_role("button", name="Log in")).to_be_visible()
    found = await troubles(page, "log-in")
    await log_in(page, address, admin)
    for name, place in pages.items():
        await page.goto(f"{address}/#/{place}")
        await _settled(page, place)
        found += await troubles(page, name)
    await context.close()
    assert not found, "\n".join(found)


async def troubles(page: Page, name: str) -> list[str]:
    """In each scheme, on each screen."""
    return [
        f"{name}, {scheme}, {size}: {each}"
        for scheme, size in itertools.product(SCHEMES, SIZES)
        for each in await _seen(page, name, scheme, size)
    ]


async def _seen(page: Page, name: str, scheme: Scheme, size: str) -> list[str]:
    """What is wrong with it as somebody sees it in this scheme, on a screen of this size."""
    width, height = SIZES[size]
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": height})
    await page.wait_for_timeout(150)
    found = await _judged(page)
    if (wide := await page.evaluate("document.documentElement.scrollWidth")) > width:
        found.append(f"{wide} pixels wide")
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}-{scheme}-{size}.png", full_page=True)
    return found


async def _settled(page: Page, place: str) -> None:
    """Until it shows what it asked for, and what draws has drawn."""
    await expect(page.locator("main")).to_have_attribute("data-page", place.partition("?")[0])
    await expect(page.locator("main [aria-busy='true']")).to_have_count(0)
    await expect(page.locator("main").get_by_text("Looking it up…")).to_have_count(0)
    if place:  # the overview is told totals as long as it is looked at: its network is never idle
        await page.wait_for_load_state("networkidle")
    await page.wait_for_timeout(250)


async def _judged(page: Page) -> list[str]:
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE_FILE_PATH.read_text("utf-8"))
    answer: dict[str, Any] = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:120]} {node['any'][0]['message'] if node['any'] else ''}"
        for each in answer["violations"]
        if each["impact"] in GRAVE
        for node in each["nodes"][:3]
    ]
