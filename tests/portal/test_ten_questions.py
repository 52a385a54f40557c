"""The ten questions of docs/ten-questions.md, in a real Chromium: the clicks that stand there, from the log-in on."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.api.book import Book
from tests.api.test_events import LINES, event
from tests.portal.filled import fill
from tests.portal.page import api, log_in

RUN = "answer-81"


@pytest.fixture
async def asked(context: BrowserContext, address: str, book: Book) -> Page:
    """A new user's first page, of a tenant that has something of everything and a run, and whose agent asks for more."""
    admin = await book.key("acme", "read", "admin")
    agent = await book.key("acme", "reserve")
    async with api(address, admin) as client:
        await fill(book, client)
        stopping = {"name": "Finder", "amount": "5", "filter": {"agent": "finder"}, "hard": {}}
        budget = (await client.post("/v1/budgets", json=stopping)).json()
        more = await client.post(
            f"/v1/budgets/{budget['id']}/requests",
            json={"amount": "50", "reason": "200 cases more"},
            headers={"Authorization": f"Bearer {agent}"},
        )
        assert more.is_success, more.text
    spent = event("run-1", at=datetime.now(UTC), team="search")
    labels = msgspec.structs.replace(spent.data.labels, run=RUN)
    data = msgspec.structs.replace(spent.data, labels=labels)
    await book.entry(msgspec.structs.replace(spent, data=data), "0.01", LINES)
    page = await context.new_page()
    await log_in(page, address, admin)
    return page


async def go(page: Page, place: str, part: str = "") -> Locator:
    """By the rail, and by one of a place's tabs."""
    await page.locator("#rail").get_by_role("link", name=place, exact=True).click()
    if part:
        await page.locator("#tabs").get_by_role("link", name=part, exact=True).click()
    return page.locator("main")


@pytest.mark.timeout(600)
async def test_each_of_ten_questions_is_answered_by_the_clicks_that_are_written_down(asked: Page) -> None:
    page = asked
    # 1. how much, by token and request
    main = await go(page, "Explore")
    await main.locator("#by").select_option("cost_class")
    await expect(main.locator(".used")).to_contain_text("cache read tokens")
    await expect(main.locator(".used")).to_contain_text("requests")
    main = await go(page, "Explore", "Unit costs")
    await expect(main.get_by_role("heading", name="What does a request cost?")).to_be_visible()
    # 2. is it providing value
    main = await go(page, "Outcomes")
    await main.get_by_role("link", name="refund").click()
    await expect(main.get_by_role("columnheader", name="by hand, baseline")).to_be_visible()
    await expect(main.get_by_role("row", name="an accepted outcome costs")).to_contain_text("$")
    # 3. what stops an agent
    main = await go(page, "Budgets")
    form = main.get_by_role("form", name="Set a budget")
    await form.get_by_label("Name").fill("Helper")
    await form.get_by_label("Amount").fill("20")
    await form.get_by_label("Of what").select_option("agent")
    await form.get_by_label("which is").fill("helper")
    await form.get_by_label("It stops").check()
    await form.get_by_role("button").click()
    await main.get_by_role("link", name="Helper").first.click()
    await expect(main.locator(".facts")).to_contain_text("Reserved")
    # 4. coding agents
    main = await go(page, "Coding agents")
    await expect(main).to_contain_text("No coding agent reported anything on these days")
    # 5. the bill against the dashboard
    main = await go(page, "Allocation", "Invoices")
    await expect(main.get_by_role("heading", name="Billed against booked")).to_be_visible()
    await expect(main.locator(".total")).to_have_text("not known yet")
    main = await go(page, "Data quality")
    await expect(main).to_contain_text("accepted")
    # 6. one answer, all in
    main = await go(page, "Explore", "Events")
    await main.get_by_role("link", name="run-1").click()
    await main.get_by_role("link", name=f"run: {RUN}").click()
    await expect(main.get_by_role("heading", name="What one answer cost, all in")).to_be_visible()
    # 7. another model
    main = await go(page, "Models")
    await expect(main.get_by_role("heading", name="What if we used another model?")).to_be_visible()
    main = await go(page, "Prices", "Inbox")
    await expect(main.get_by_role("heading", name="Used, and without a price")).to_be_visible()
    # 8. before it is there, and what was saved
    main = await go(page, "Models", "Traffic to come")
    form = main.get_by_role("form", name="Traffic to come")
    for label, text in (
        ("Models, as", "openai/gpt-4o"),
        ("Calls a day", "1000"),
        ("Input tokens", "1000"),
        ("Output tokens", "100"),
    ):
        await form.get_by_label(label).fill(text)
    await form.get_by_role("button").click()
    await expect(main.get_by_role("region", name="Estimate")).to_contain_text("openai/gpt-4o")
    main = await go(page, "Models", "Decisions")
    await expect(main.locator(".decisions")).to_contain_text("Has saved:")
    # 9. who pays
    main = await go(page, "Allocation")
    await expect(main.get_by_role("region", name="Who bears what")).to_contain_text("search")
    await main.get_by_role("link", name="The plan", exact=True).click()
    await expect(main.get_by_role("button", name="Try it")).to_be_visible()
    # 10. from an alert to an act, and more money
    main = await go(page, "Incidents")
    await main.get_by_role("button", name="Acknowledge").first.click()
    await expect(main.get_by_text("acknowledged").first).to_be_visible()
    main = await go(page, "Budgets")
    requests = main.get_by_label("Requests for more")
    await requests.get_by_label("Why: $50.00").fill("until the release")
    await requests.get_by_role("button", name="Approve").click()
    await expect(requests).to_contain_text("$50.00 for this period")
