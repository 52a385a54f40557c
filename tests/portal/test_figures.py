"""How figures and times are written for people, by the modules as a real Chromium has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.api.book import Book
from tests.portal.page import log_in


@pytest.fixture
async def page(context: BrowserContext, address: str) -> Page:
    opened = await context.new_page()
    await opened.goto(address)
    return opened


async def said(page: Page, module: str, expression: str, *given: Any) -> Any:
    """What an expression of a module's names comes to; `g` = what is given."""
    script = f"async (g) => {{ const m = await import('/portal/{module}.js'); return {expression}; }}"
    return await page.evaluate(script, given)


async def held_against(page: Page, query: str, start: str, end: str, tz: str = "UTC") -> list[str] | None:
    """What a span is held against, by the address of the page."""
    expression = (
        "m.spanBefore(new URLSearchParams(g[0]), g[1], [Date.parse(g[2]), Date.parse(g[3])])"
        "?.map((at) => new Date(at).toISOString().slice(0, 16)) ?? null"
    )
    found: list[str] | None = await said(page, "ranges", expression, query, tz, start, end)
    return found


async def test_days_that_last_month_lacks_are_its_end_as_the_api_has_them(page: Page) -> None:
    """31 days of March until 14:00 are held against all 28 of February, and its last day alone against none;
    the 28 that both have are whole on both sides."""
    month = "range=month"
    assert await held_against(page, month, "2026-03-01T00:00Z", "2026-03-31T14:00Z") == [
        "2026-02-01T00:00",
        "2026-03-01T00:00",
    ]
    whole_days = "from=2026-03-01T00:00Z&to=2026-03-29T00:00Z&compare=month"
    assert await held_against(page, whole_days, "2026-03-01T00:00Z", "2026-03-29T00:00Z") == [
        "2026-02-01T00:00",
        "2026-03-01T00:00",
    ]
    assert await held_against(page, month, "2026-03-01T00:00Z", "2026-03-28T09:30Z") == [
        "2026-02-01T00:00",
        "2026-02-28T09:30",
    ]
    today = "range=today&compare=month"
    assert await held_against(page, today, "2026-03-31T00:00Z", "2026-03-31T14:00Z") is None
    # in a zone: the end of April in Berlin, which is two hours ahead then
    assert await held_against(page, month, "2026-04-30T22:00Z", "2026-05-30T22:30Z", "Europe/Berlin") == [
        "2026-03-31T22:00",
        "2026-04-30T22:00",
    ]


async def test_what_is_to_come_of_a_range_is_held_against_nothing(page: Page) -> None:
    """A week that has begun today is held against yesterday, up to the same minute: not against seven days."""
    expression = (
        "((day) => m.spanBefore(new URLSearchParams('from=x&to=y'), 'UTC', [day, day + 7 * 864e5])"
        "?.map((at) => at - Math.floor(Date.now() / 6e4) * 6e4 + 864e5))"
        "(Math.floor(Date.now() / 864e5) * 864e5)"
    )
    start, end = await said(page, "ranges", expression)
    assert end in (0, 60_000)
    assert -86_400_000 <= start <= 0
    noon = "from=2026-10-26T00:00Z&to=2026-10-26T12:00Z"
    assert await held_against(page, noon, "2026-10-26T00:00Z", "2026-10-26T12:00Z") == [
        "2026-10-25T00:00",
        "2026-10-25T12:00",
    ]
    # seven days of Berlin, of which the last one had 25 hours
    week = "from=2026-10-18T22:00Z&to=2026-10-25T23:00Z"
    assert await held_against(page, week, "2026-10-18T22:00Z", "2026-10-25T23:00Z", "Europe/Berlin") == [
        "2026-10-11T22:00",
        "2026-10-18T22:00",
    ]


async def test_an_amount_too_small_for_its_column_keeps_its_side_of_zero(page: Page) -> None:
    expression = "g[0].map(m.moneyColumn(g[1], 'USD'))"
    amounts = ["120.5", "0.004", "-0.004", "-0.01", "0"]
    written = await said(page, "format", expression, amounts, ["120.5"])
    assert written == ["$120.50", "<$0.01", ">-$0.01", "-$0.01", "$0.00"]


async def test_a_share_that_is_not_quite_all_or_nothing_is_not_said_to_be(page: Page) -> None:
    shares = [0, 0.0004, 0.0005, 0.5, 0.9994, 0.9996, 1, 1.0004, -0.25]
    assert await said(page, "format", "g[0].map((share) => m.percent(share))", shares) == [
        "0.0%", "<0.1%", "<0.1%", "50.0%", "99.9%", ">99.9%", "100.0%", "100.0%", "-25.0%",
    ]  # fmt: skip
    assert await said(page, "format", "[0.996, 0.004].map((share) => m.percent(share, 0))") == [">99%", "<1%"]


async def test_what_is_complete_through_another_day_says_which(page: Page) -> None:
    expression = "m.completeness(g[0], 'UTC', Date.parse(g[1]))"
    through = "2026-11-27T14:03:20Z"
    assert await said(page, "format", expression, through, "2026-11-27T15:00Z") == "complete through 14:03:20"
    told = await said(page, "format", expression, through, "2026-11-28T15:00Z")
    assert told.replace(",", "") == "complete through 27 Nov 14:03:20"


async def test_tokens_cost_what_models_cost_whatever_else_a_team_pays_for(page: Page, book: Book) -> None:
    """10 USD for a million tokens are 0.01 for 1,000, beside a database of 90; half of them came from the
    cache. With a split it is the same."""
    now = datetime.now(UTC).isoformat()
    cached = {"input_tokens": 500_000, "cache_read_tokens": 500_000}
    for said, amount, used in (
        ({"cost_class": "model", "sku": "m"}, "10", cached),
        ({"cost_class": "database", "sku": "vectors"}, "90", {"read_units": 5}),
    ):
        await book.spend("acme", now, amount, usage=used, team="search", provider="p", **said)
    await log_in(page, page.url, await book.key("acme", "read"))
    await page.goto(f"{page.url.split('#')[0]}#/explore?range=today&by=team")
    row = page.locator(".explorer table").last.locator("tbody tr", has_text="search")
    for _ in range(2):
        await expect(row.locator("[data-part=amount]")).to_have_text("$100.00")
        await expect(row.locator("[data-part=unit]")).to_have_text("$0.0100")
        await expect(row.locator("[data-part=cached]")).to_have_text("50%")
        await page.goto(f"{page.url}&split=cost_class")
