"""The page of outcomes in a real Chromium: versions of a workflow side by side, and what is too little to say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_workflows import BY_HAND, Flows, flows, put, six_days
from tests.portal.page import api, log_in

__all__ = ["flows"]


async def test_versions_stand_side_by_side_and_too_little_is_said_to_be_too_little(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    """By hand 13.489583333333 an accepted outcome; 42 runs of 0.10, of which 36 are accepted: 4.20 / 36 = 0.1167."""
    await six_days(flows)
    await flows.follow()
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        await put(client, "versions", version="by hand", kind="baseline", baseline=BY_HAND)
        await put(client, "versions", version="v2", kind="reimagined")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="Outcomes").click()
    await page.get_by_role("link", name="refund").click()
    sides = page.get_by_role("region", name="Versions side by side")
    costs = sides.locator("tbody tr").first
    await expect(costs).to_contain_text("$13.49")
    await expect(costs).to_contain_text("$0.12")
    await expect(sides.locator("thead")).to_contain_text("by hand, baseline")
    await expect(page.get_by_role("heading", name="v2 against by hand")).to_be_visible()
    await expect(page.locator("main")).to_contain_text("observed, not caused")
    await expect(sides).to_contain_text("runs too young to be judged")


async def test_a_version_is_marked_on_the_axis_on_the_day_on_which_it_came(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    came = datetime.now(UTC) - timedelta(days=20)
    await flows.run("r1", 20, "0.10")
    await flows.run("r2", 3, "0.30")
    await flows.follow()
    for at in (came - timedelta(days=2), came, came + timedelta(days=4)):
        await book.spend("acme", at.isoformat(), "2", workflow="refund", workflow_version="v2", team="web")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    for place in ("explore?range=30d", "outcomes?workflow=refund"):
        await page.goto(f"{address}/#/{place}")
        mark = page.locator(".marks a")
        await expect(mark).to_have_text(f"▾ {came.day} {came:%b} refund v2 came")
        await expect(page.locator(".legend")).to_contain_text("a version of a workflow came")
        await expect(mark).to_have_attribute("href", "#/outcomes?workflow=refund")


async def test_the_dearest_runs_stand_in_a_table_and_a_key_opens_the_receipt_of_one(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    """Of 0.10, 2.50 and 0.30, the last one too young to be judged: the dearest first."""
    for run, ago, amount in (("r1", 20, "0.10"), ("r2", 21, "2.50"), ("r3", 3, "0.30")):
        await flows.run(run, ago, amount)
    await flows.follow()
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/outcomes?workflow=refund")
    rows = page.get_by_role("region", name="The dearest runs, USD").locator("tbody tr")
    await expect(rows.locator("th")).to_have_text(["r2", "r3", "r1"])
    await expect(rows.first.locator("td").last).to_have_text("$2.50")
    await rows.first.get_by_role("link", name="r2").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="What one answer cost, all in")).to_be_visible()
    await expect(page.get_by_role("searchbox", name="Run")).to_have_value("r2")


async def test_too_little_is_said_in_the_words_of_the_api(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    """One run of 20 days ago: its cost is said and its figures are not."""
    await flows.run("r1", 20, "0.10")
    await flows.follow()
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        [version] = (await client.get("/v1/workflows/comparison?workflow=refund")).json()["versions"]
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/outcomes?workflow=refund")
    sides = page.get_by_role("region", name="Versions side by side")
    for figure in version["figures"]:
        assert figure["value"] is None
        for reason in figure["missing"]:  # in its place, or once for all
            await expect(page.locator(".outcome").first).to_contain_text(reason)
    await expect(sides.locator("tr", has=page.get_by_role("rowheader", name="cost, in all"))).to_contain_text(
        "$0.10"
    )


async def test_which_outcome_counts_and_what_a_version_is_are_said_in_forms(
    context: BrowserContext, address: str, book: Book, flows: Flows
) -> None:
    await six_days(flows)
    await flows.follow()
    admin = await book.key("acme", "read", "admin")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/outcomes?workflow=refund")
    settings = page.get_by_role("form", name="Which outcomes count")
    await settings.get_by_label("Outcomes of this name").fill("done")
    await settings.get_by_label("An accepted one is worth").fill("4.20")
    await settings.get_by_label("Why").fill("agreed with support")
    await settings.get_by_role("button").click()
    await expect(page.locator(".outcome").first).to_contain_text("one is worth $4.20")
    version = page.get_by_role("form", name="What a version is")
    await version.get_by_label("Version, as events name it").fill("by hand")
    await version.get_by_label("It is").select_option("baseline")
    await version.get_by_label("Roles").fill("support agent = 18")
    await version.get_by_label("Cases a month").fill("5200")
    await version.get_by_label("Why").fill("measured in May")
    await version.get_by_role("button", name="Say so").click()
    await expect(version.get_by_role("alert").first).to_contain_text("must be minutes and a rate")
    await version.get_by_label("Roles").fill("support agent = 18, 42")
    await version.get_by_role("button", name="Say so").click()
    sides = page.get_by_role("region", name="Versions side by side")
    await expect(sides.locator("thead")).to_contain_text("by hand, baseline")
    await expect(sides.locator("tbody tr").first).to_contain_text("$12.60")  # 18 minutes at 42 an hour
    await page.get_by_text("Who said what").click()
    await expect(page.locator("main")).to_contain_text("measured in May")
    async with api(address, admin) as client:
        answer = (await client.get("/v1/workflows/comparison?workflow=refund")).json()
    assert Decimal(answer["settings"]["value_per_accepted"]["amount"]) == Decimal("4.2")
    assert [each["version"] for each in answer["declared"]] == ["by hand"]
    version = page.get_by_role("form", name="What a version is")
    await version.get_by_label("Version, as events name it").fill("by hand")
    await version.get_by_label("Why").fill("of another workflow")
    await expect(version.get_by_label("Roles")).to_have_value("support agent = 18, 42")
    await version.get_by_role("button", name="Take back").click()
    await expect(sides.locator("thead")).not_to_contain_text("by hand")
