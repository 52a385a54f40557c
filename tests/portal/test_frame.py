"""What stands around every page, in a real Chromium: the rail, the one range, keys, what can be taken away; how much
a first page weighs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import BrowserContext, Page, expect

from spendmeter.contracts.catalog import Conditions, Price
from spendmeter.contracts.entry_ids import identified
from tests.api.book import Book
from tests.api.test_events import PRICES, WRITTEN, publish
from tests.api.test_governing import INCIDENT, incident
from tests.portal.page import log_in

FIRST_LOAD_MAX = 150_000
WEIGHED = """async () => {
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const files = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(({name}) => !name.includes("/v1/"));
  return {
    bytes: files.reduce((sum, each) => sum + each.encodedBodySize, 0),
    names: files.map(({name}) => name),
    paint: paint?.startTime ?? 0,
  };
}"""


async def test_the_range_and_what_it_is_held_against_go_with_a_person_from_page_to_page(
    context: BrowserContext, address: str, book: Book
) -> None:
    """8 dollars in the last hours, 5 on the same days a week before: 3 more, 60 %."""
    now = datetime.now(UTC)
    await book.spend("acme", now.isoformat(), "8", team="search")
    await book.spend("acme", (now - timedelta(days=7, hours=1)).isoformat(), "5", team="search")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await expect(page.locator(".spent .change")).to_have_text("+$3.00 (+60.0%) against the period before")
    await expect(page.locator(".card.movers")).to_contain_text("+$3.00")
    await page.get_by_label("Range").select_option("30d")
    await expect(page.locator(".spent .total")).to_have_text("$13.00")
    await page.get_by_label("against").select_option("none")
    await expect(page.locator(".card.movers")).to_contain_text("Choose a period")
    await page.get_by_role("link", name="Explore").click()
    await expect(page.locator(".explorer .total")).to_have_text("$13.00")
    await expect(page).to_have_url(re.compile("range=30d"))
    await expect(page).to_have_url(re.compile("compare=none"))
    await page.reload()
    await expect(page.locator("#range")).to_have_value("30d")


async def taken(page: Page, begins: str) -> str:
    """What was copied, once it is there."""
    await page.wait_for_function(
        "async (begins) => (await navigator.clipboard.readText()).startsWith(begins)", arg=begins
    )
    return str(await page.evaluate("navigator.clipboard.readText()"))


async def test_a_table_is_taken_away_as_a_file_or_as_a_command(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "8", team="search")
    await context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore?by=team&range=today")
    tools = page.locator(".explorer > .tools")
    async with page.expect_download() as started:
        await tools.get_by_role("button", name="CSV").click()
    path = await (await started.value).path()
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("team,")
    assert lines[1].startswith("search,")
    await tools.get_by_role("button", name="Copy as curl").click()
    copied = await taken(page, "curl")
    assert copied.startswith('curl -H "Authorization: Bearer $SPENDMETER_KEY"')
    assert f"'{address}/v1/spend?from=" in copied
    await page.get_by_role("button", name="Copy link").click()
    assert await taken(page, "http") == page.url
    await page.locator(".chart-figures summary").click()
    figures = page.get_by_role("region", name="Figures of the chart")
    await expect(figures.locator("tbody tr", has_text="$8.00")).to_have_count(
        1
    )  # a minute may have begun since


async def test_a_person_without_a_mouse_gets_everywhere(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("2")
    await expect(page.locator("main")).to_have_attribute("data-page", "explore")
    await expect(page.locator("main")).to_be_focused()
    assert await page.evaluate("getComputedStyle(document.querySelector('main')).outlineStyle") == "none"
    await page.keyboard.press("/")
    await expect(page.locator("#by")).to_be_focused()
    await page.locator(".skip").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await expect(page.locator("main")).to_have_attribute("data-page", "explore")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keys")).to_contain_text("go to the range")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.set_viewport_size({"width": 390, "height": 800})
    await expect(page.get_by_role("link", name="Settings")).to_be_hidden()
    await page.get_by_role("button", name="More").click()
    await page.get_by_role("link", name="Settings").click()
    await expect(page.get_by_role("heading", name="Channels")).to_be_visible()


async def test_a_first_page_weighs_little_and_reads_nothing_that_it_does_not_need(
    context: BrowserContext, address: str, book: Book
) -> None:
    await book.spend("acme", datetime.now(UTC).isoformat(), "8", team="search")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.reload()
    await expect(page.locator(".chart canvas")).to_be_visible()
    cold = await context.browser.new_context(storage_state=await context.storage_state())  # type: ignore[union-attr]
    page = await cold.new_page()
    await page.goto(address)
    await expect(page.locator(".chart canvas")).to_be_visible()
    first = await page.evaluate(WEIGHED)
    await cold.close()
    print(
        f"first load: {first['bytes']} bytes compressed, {len(first['names'])} files; painted {first['paint']:.0f} ms"
    )
    assert first["bytes"] < FIRST_LOAD_MAX
    assert not [name for name in first["names"] if "echarts" in name]


async def test_a_price_that_begins_and_an_incident_are_marked_on_the_axis(
    context: BrowserContext, address: str, book: Book
) -> None:
    now = datetime.now(UTC)
    begins = Conditions(effective_from=now - timedelta(days=2))
    await publish(book, *PRICES, identified(Price(unit="input_tokens", price="2", when=begins, **WRITTEN)))
    await incident(book, "acme", INCIDENT, opened_at=now - timedelta(days=1))
    for ago in range(5):
        at = (now - timedelta(days=ago)).isoformat()
        await book.spend("acme", at, "8", team="a", provider="openai", sku="gpt-4o")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    marks = page.locator(".spent .marks a")
    await expect(marks).to_have_count(2)
    await expect(marks.first).to_contain_text("openai/gpt-4o has another price")
    await expect(marks.last).to_contain_text("Spend far over expectation")
    await marks.first.click()
    await expect(page.get_by_role("heading", name="openai/gpt-4o")).to_be_visible()
