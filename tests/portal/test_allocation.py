"""Who pays, in a real Chromium: cost centres with their parts of shared cost, statements, a plan that is tried first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_allocations import DATABASE, fill
from tests.portal.page import api, log_in


@pytest.fixture
def month() -> str:
    """The last that is over: 30 of search and 6 of ads name somebody, 12 of a database and 2 of something else nobody."""
    return f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"


async def test_what_a_cost_centre_bears_is_opened_down_to_its_part_of_each_pool(
    context: BrowserContext, address: str, book: Book, month: str
) -> None:
    """12 by 700 : 300 -> 8.4 and 3.6: search bears 38.40, and nobody 2 of 50."""
    await fill(book, month=month)
    admin = await book.key("acme", "read", "admin")
    plan = {"first_day": f"{month}-01", "pools": [DATABASE], "reason": "agreed"}
    async with api(address, admin) as client:
        assert (await client.put("/v1/allocation-plans/team", json=plan)).status_code == 200
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="Allocation").click()
    await page.get_by_label("Month").select_option(month)
    who = page.get_by_role("region", name="Who bears what")
    search = who.locator("tbody tr", has=page.get_by_role("link", name="search"))
    await expect(search).to_contain_text("$8.40")
    await expect(search).to_contain_text("$38.40")
    await expect(who.locator("tbody tr", has_text="unattributed")).to_contain_text("$2.00")
    await expect(page.locator(".allocation")).to_contain_text(
        "72 % names somebody, 96 % is borne by somebody"
    )
    async with page.expect_download() as started:
        await page.locator(".allocation > .tools").get_by_role("button", name="CSV").click()
    assert "search" in (await (await started.value).path()).read_text("utf-8")
    await search.get_by_role("link", name="search", exact=True).click()
    parts = page.get_by_role("region", name="Its parts")
    await expect(parts.locator("tbody tr")).to_contain_text("7 of 10")
    await expect(parts.locator("tbody tr")).to_contain_text("requests")
    await page.get_by_role("link", name="Its statement").click()
    lines = page.get_by_role("region", name="Lines in USD")
    await expect(lines).to_contain_text("part of database")
    await expect(lines.locator("tfoot")).to_contain_text("$38.40")
    facts = page.locator(".statement .facts")
    for name, said in (
        ("Closed", "no: it may still change"),
        ("Corrections of earlier months, closed by then, USD", "$0.00"),
        ("Invoice against the ledger", "not known yet"),
    ):
        term = facts.get_by_text(name, exact=True)
        await expect(term.locator("xpath=following-sibling::dd[1]")).to_have_text(said)
    files = page.get_by_role("form", name="In FOCUS 1.4")
    for dataset, rows in (("Invoice Detail", 2), ("Billing Period", 1)):
        await files.get_by_label("Dataset").select_option(dataset)
        async with page.expect_download() as started:
            await files.get_by_role("button", name="Download").click()
        file = await started.value
        assert file.suggested_filename == f"{dataset.lower().replace(' ', '-')}-acme-team-search-{month}.csv"
        assert len((await file.path()).read_text("utf-8").splitlines()) == 1 + rows
        await expect(files.get_by_role("status")).to_contain_text("Written: ")


async def test_why_some_of_a_pool_is_nobodys_is_said(
    context: BrowserContext, address: str, book: Book, month: str
) -> None:
    """60 of 100 parts of 12 are given: 4.80 stay."""
    await fill(book, month=month)
    pool = {**DATABASE, "rule": "fixed", "driver": None, "weights": {"search": 60}}
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        plan = {"first_day": f"{month}-01", "pools": [pool], "reason": "agreed"}
        assert (await client.put("/v1/allocation-plans/team", json=plan)).status_code == 200
        asked = {"from": f"{month}-01", "to": f"{month}-28"}
        [pooled] = (await client.get("/v1/allocations", params=asked)).json()["pools"]
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/allocation?month={month}")
    pools = page.get_by_role("region", name="Pools")
    await expect(pools).to_contain_text("$4.80")
    assert pooled["because"]
    await expect(pools).to_contain_text(pooled["because"])


async def test_a_plan_is_tried_before_it_is_set_and_never_over_somebody_elses(
    context: BrowserContext, address: str, book: Book, month: str
) -> None:
    """All of 12 by 3 : 1 -> 9 and 3."""
    await fill(book, month=month)
    admin = await book.key("acme", "read", "admin")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/plan")
    await page.get_by_role("button", name="Add a pool").click()
    pool = page.get_by_role("group", name="A new pool")
    await pool.get_by_label("Name of the pool").fill("database")
    await pool.get_by_label("Handed on").select_option("weighted")
    await pool.get_by_label("What it takes").fill("provider = pinecone\nteam =")
    await pool.get_by_label("Weights, a line each").fill("search = 3\nads = one")
    setting = page.get_by_role("form", name="Set the plan")
    await expect(setting).to_be_hidden()
    await page.get_by_role("button", name="Try it").click()
    await expect(page.locator(".plan-form > [role=alert]")).to_contain_text('"one" must be a whole number')
    await pool.get_by_label("Weights, a line each").fill("search = 3\nadds = 1")
    await page.get_by_role("button", name="Try it").click()
    trial = page.locator(".plan-form > [role=status]")
    await expect(trial).to_contain_text("No event ever named adds")
    await pool.get_by_label("Weights, a line each").fill("search = 3\nads = 1")
    await expect(setting).to_be_hidden()
    await page.get_by_role("button", name="Try it").click()
    made = page.get_by_role("region", name="What it would have made")
    await expect(made.locator("tbody tr", has_text="search")).to_contain_text("$9.00")
    async with api(address, admin) as client:
        assert (await client.get("/v1/allocation-plans/team")).json()["revision"] == 0, "nothing is set"
        await setting.get_by_label("From this day on").fill(f"{month}-01")
        await setting.get_by_label("Why").fill("agreed with the teams")
        await setting.get_by_role("button").click()
        await expect(trial).to_contain_text("holds from")
        await expect(page.get_by_role("region", name="Versions")).to_contain_text("agreed with the teams")
        await page.get_by_role("button", name="Try it").click()
        await expect(setting).to_be_visible()
        theirs = {"first_day": f"{month}-02", "pools": [], "reason": "stop it"}
        assert (await client.put("/v1/allocation-plans/team", json=theirs)).status_code == 200
        await setting.get_by_label("Why").fill("once more")
        await setting.get_by_role("button").click()
        await expect(setting.get_by_role("alert")).to_contain_text("in force is revision")
        assert len((await client.get("/v1/allocation-plans/team")).json()["versions"]) == 2
