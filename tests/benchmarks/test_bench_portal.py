"""The bench of the portal asks what pages ask, of each user's own team, and says its figures right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from tests.api.book import Book
from tests.benchmarks import portal_browser
from tests.benchmarks.bench_portal import percentile
from tests.benchmarks.portal_book import MODELS, SHAPES, calls, priced_models
from tests.benchmarks.portal_users import own_path
from tests.portal.conftest import address, app, book, browser, database, database_url

__all__ = ["address", "app", "book", "browser", "database", "database_url"]


def test_a_percentile_is_a_time_that_was_measured() -> None:
    times = [float(each) for each in range(1, 201)]
    # of 200 the 198th has 198 that do not pass it, which is 99 of a hundred
    assert (percentile(times, 99), percentile(times, 50), percentile([7.0], 99)) == (198.0, 100.0, 7.0)


def test_each_user_asks_of_their_own_team() -> None:
    asked = "/v1/spend?from=2026-11-01T00%3A00%3A00Z&filter.team=team-007&group_by=sku"
    assert own_path(asked, "team-007", 12) == asked.replace("team-007", "team-036")
    assert own_path("/v1/budgets", "team-007", 12) == "/v1/budgets"


def test_the_book_has_calls_of_sixty_models_that_are_priced_and_no_id_twice() -> None:
    made = calls()
    assert len(set(priced_models())) == MODELS
    assert Counter((each["data"]["provider"], each["data"]["sku"]) for each in made) == dict.fromkeys(
        priced_models(), SHAPES
    )
    assert len({each["id"] for each in made}) == MODELS * SHAPES


async def test_pages_are_found_by_the_rail_and_what_it_leads_to(
    browser: Browser, address: str, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal_browser, "OPEN_S", 0.5)
    await book.tenant("acme")
    await book.spend("acme", "2026-11-01T00:00:00Z", "1", team="a")
    admin = await book.key("acme", "read", "admin")
    context = await browser.new_context()
    context.set_default_timeout(portal_browser.PATIENCE_MS)
    page = await context.new_page()
    await portal_browser.log_in(page, address, admin)
    seen = portal_browser.Seen()
    await portal_browser.record_pages(page, address, seen)
    await context.close()
    pages = set(Path("services/api/portal/static/places.js").read_text("utf-8").split('path: "')[1:])
    assert {"overview", "explore", "rule"} <= seen.calls.keys() and len(seen.calls) >= len(pages)
    assert "budget" in seen.not_reached
    first, month, of_team = seen.calls["explore"]
    assert asks(first, "/v1/spend") and asks(month, "/v1/spend")
    assert any("filter.team=team-007" in path for _, path in of_team)


def asks(look: list[Any], path: str) -> bool:
    return any(each.startswith(path) for _, each in look)
