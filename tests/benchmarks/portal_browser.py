"""What a Chromium sees of the portal: which calls each page makes and when, how soon it paints, what it loads.

Nothing here names a page: they are those of the portal's rail with their tabs, and whatever a link of these leads to.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright, expect

from tests.portal.page import log_in

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
]
OPEN_S = 6.0
"""How long each page is looked at."""
LOADS, FILTERS = 9, 21
PATIENCE_MS = 120_000
TEAM = "team-007"
"""Whose filter is looked at; users put their own team in its place."""
AS_WELL = ("range=30d", f"range=30d&filter.team={TEAM}")
"""What a page that asks of a range is looked at with, too."""
STREAM = "/v1/spend/live"
"""No question: it goes on for as long as somebody looks."""
_PLACES = """async () => {
    const {PLACES} = await import('/portal/places.js');
    const tabs = PLACES.flatMap(({path, tabs = {}}) => Object.keys(tabs).length ? Object.keys(tabs) : [path]);
    return [tabs, PLACES.flatMap(({below = []}) => below)];
}"""
_LINKS = "found => found.map(each => each.getAttribute('href').slice(2))"
_FILTERED = """address => new Promise(done => {
    const began = performance.now();
    const watch = new MutationObserver(changes => {
        const over = ({target, oldValue}) => oldValue === 'true' && target.getAttribute('aria-busy') === 'false';
        if (!changes.some(over) || document.querySelector("main [aria-busy='true']")) return;
        watch.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
    });
    watch.observe(document.getElementById('main'), {subtree: true, attributeFilter: ['aria-busy'], attributeOldValue: true});
    location.hash = address;
})"""


@dataclass
class Seen:
    """Calls of each look at a page, by its name: [seconds since it was opened, path with query]."""

    calls: dict[str, list[list[tuple[float, str]]]] = field(default_factory=dict)
    not_reached: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)


async def look(address: str, key: str) -> Seen:
    """All of it, one after the other."""
    async with _browser() as browser:
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        await log_in(page, address, key)
        seen = Seen()
        await record_pages(page, address, seen)
        seen.figures |= await _loads(browser, context, address)
        seen.figures |= await _filters(page, address)
        return seen


@asynccontextmanager
async def _browser() -> AsyncIterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found, "no Chromium on the PATH"
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield running
        await running.close()


async def record_pages(page: Page, address: str, seen: Seen) -> None:
    """Look at every page that there is, and note its calls."""
    tabs, below = await page.evaluate(_PLACES)
    places = {name: name for name in tabs}
    waiting, silent = list(places), set[str]()
    while waiting:
        name = waiting.pop(0)
        place = places[name]
        looks = [await _look_at(page, f"{address}/#/{place}")]
        if not looks[0]:
            silent.add(name)  # it waits for what a link says
        for each in await page.eval_on_selector_all("a[href^='#/']", _LINKS):
            leads_to, _, of_what = each.partition("?")
            if (leads_to in below and leads_to not in places) or (leads_to in silent and of_what):
                silent.discard(leads_to)
                places[leads_to] = each
                waiting.append(leads_to)
        if any("from=" in path for _, path in looks[0]) and "?" not in place:
            looks += [await _look_at(page, f"{address}/#/{place}?{more}") for more in AS_WELL]
        seen.calls[name or "overview"] = looks
        print(f"{name or 'overview'}: {[len(each) for each in looks]} calls in {OPEN_S:.0f} s", flush=True)
    seen.not_reached = [name for name in below if name not in places]


async def _look_at(page: Page, url: str) -> list[tuple[float, str]]:
    calls: list[tuple[float, str]] = []
    began_s = time.monotonic()

    def note(asked: Request) -> None:
        parts = urlsplit(asked.url)
        if asked.method == "GET" and parts.path.startswith("/v1/") and parts.path != STREAM:
            whole = parts.path + (f"?{parts.query}" if parts.query else "")
            calls.append((round(time.monotonic() - began_s, 3), whole))

    page.on("request", note)
    await page.goto(url)
    await page.wait_for_timeout(OPEN_S * 1e3)
    page.remove_listener("request", note)
    await expect(page.locator("main [aria-busy='true']")).to_have_count(0, timeout=PATIENCE_MS)
    return calls


async def _loads(browser: Browser, logged_in: BrowserContext, address: str) -> dict[str, Any]:
    """Of the first page, each time in a browser that has never been here."""
    painted, shown, sizes = [], [], []
    for _ in range(LOADS):
        context = await browser.new_context(storage_state=await logged_in.storage_state())
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        network = await context.new_cdp_session(page)
        await network.send("Network.enable")
        loaded: list[float] = []
        network.on(
            "Network.loadingFinished", lambda each, loaded=loaded: loaded.append(each["encodedDataLength"])
        )
        began_s = time.monotonic()
        await page.goto(address)
        await expect(page.locator("main .total").first).not_to_be_empty(timeout=PATIENCE_MS)
        shown.append((time.monotonic() - began_s) * 1e3)
        await expect(page.locator("main [aria-busy='true']")).to_have_count(0, timeout=PATIENCE_MS)
        painted.append(
            await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        )
        sizes.append(sum(loaded) / 1024)
        await context.close()
    return {
        "fcp_ms": round(median(painted)),
        "fcp_ms_max": round(max(painted)),
        "first_figure_ms": round(median(shown)),
        "first_load_kb": round(median(sizes)),
    }


async def _filters(page: Page, address: str) -> dict[str, Any]:
    """From a change of the address to the frame that shows the answer, each time another team."""
    await page.goto(f"{address}/#/explore?by=sku")
    await expect(page.locator("main [aria-busy='true']")).to_have_count(0, timeout=PATIENCE_MS)
    await page.wait_for_timeout(1_000)
    took = [
        await page.evaluate(_FILTERED, f"#/explore?by=sku&filter.team=team-{number * 9:03}")
        for number in range(FILTERS)
    ]
    return {"filter_ms": round(median(took)), "filter_ms_max": round(max(took))}
