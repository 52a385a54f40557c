"""The portal in a real Chromium: from the log-in to one event's receipt, with nothing asked of another host."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
from playwright.async_api import BrowserContext, Route, expect

from spendmeter.contracts.catalog import Conditions, Price
from spendmeter.contracts.entry_ids import identified
from tests.api.book import Book
from tests.api.test_events import ID, LINES, PRICES, SOURCE, WRITTEN, event, publish
from tests.api.test_spend_groups import many
from tests.portal.page import log_in

BATCH = identified(
    Price(unit="input_tokens", price="1.25", per=1_000_000, when=Conditions(batch=True), **WRITTEN)
)
NASTY = '<img src=x onerror="document.title=1">'


async def spend_a_second_ago(book: Book, *, team: str = "payments") -> None:
    now = datetime.now(UTC)
    await publish(book, *PRICES, BATCH)
    await book.entry(event(at=now, team=team), "0.01", LINES)
    await book.spend(
        "acme", now.isoformat(), "0.01", provider="openai", cost_class="model", sku="gpt-4o", team=team
    )
    await book.partition(0, log_end=1, read_at=now, booked=1)
    await book.accounts(0, "acme", priced=1)


async def test_a_figure_is_clicked_down_to_the_receipt_of_an_event_sent_a_second_ago(
    context: BrowserContext,
    address: str,
    book: Book,
) -> None:
    await spend_a_second_ago(book)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    today = page.locator(".tile.today")
    await expect(today).to_contain_text("$0.01")
    await expect(today).to_contain_text("1 events · USD, UTC")
    await expect(page.locator("#live")).to_contain_text("complete through")
    await expect(page.locator(".chart canvas")).to_be_visible()
    await page.get_by_role("link", name="Data quality").click()
    await expect(page.locator(".account")).to_contain_text(re.compile("accepted 1( or more)? = booked 1"))
    await page.get_by_role("link", name="Overview").click()
    await expect(today).to_contain_text("$0.01")  # before that it leads nowhere
    await today.click()
    row = page.locator(".explorer tbody tr").filter(has_text="payments")
    await row.get_by_role("link", name="payments").click()
    await expect(page.locator(".chips")).to_contain_text("team: payments")
    await page.locator("#by").select_option("sku")
    row = page.locator(".explorer tbody tr").filter(has_text="gpt-4o")
    await row.locator("td.figure a").click()
    await page.get_by_role("link", name=ID).click()
    receipt = page.locator(".receipt")
    await expect(receipt).to_contain_text("list: 2000 input_tokens x 0.0000025 = 0.005 USD")
    await expect(receipt).to_contain_text("0.005 + 0.005 = 0.01 USD")
    await expect(receipt).to_contain_text(f"sent by {SOURCE}")
    await receipt.get_by_text("Why this list price: 1 other candidate").click()
    await expect(receipt.get_by_text("for batches alone, and this was none")).to_be_visible()
    assert "sm_" not in page.url


async def test_new_spend_appears_by_itself(context: BrowserContext, address: str, book: Book) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await expect(page.locator(".spent .fine")).to_contain_text("Nothing was spent in this time")
    await spend_a_second_ago(book)
    await expect(page.locator(".tile.today")).to_contain_text("$0.01")
    await expect(page.locator(".who")).to_contain_text("payments")


async def test_a_label_that_is_markup_stays_text(context: BrowserContext, address: str, book: Book) -> None:
    await spend_a_second_ago(book, team=NASTY)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore?range=1h")
    await expect(page.locator(".explorer table").last.locator("tbody")).to_contain_text(NASTY)
    await page.locator(".chart .u-over").hover()
    await expect(page.locator(".chart .tip")).to_contain_text(NASTY)
    assert await page.locator("main img").count() == 0
    assert await page.title() != "1"


async def test_a_character_that_cannot_be_seen_is_shown_as_what_it_is(
    context: BrowserContext, address: str, book: Book
) -> None:
    await spend_a_second_ago(book, team="pay\u200bments\u202e")  # as booked before such labels were refused
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore")
    await expect(page.locator(".explorer tbody")).to_contain_text("pay⟨U+200B⟩ments⟨U+202E⟩")


async def test_a_wrong_key_is_refused_in_words_and_the_cookie_is_out_of_reach(
    context: BrowserContext,
    address: str,
    book: Book,
) -> None:
    page = await context.new_page()
    await page.goto(address)
    await page.get_by_label("API key").fill("sm_live_wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert").filter(has_text="unknown")).to_contain_text(
        "unknown, expired or revoked"
    )
    await log_in(page, address, await book.key("acme", "read"))
    assert await page.evaluate("document.cookie") == ""
    [cookie] = await context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    await page.get_by_role("button", name="Log out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    async with asyncio.timeout(
        10
    ):  # a browser forgets a cookie beside the answer that says so, not before it
        while await context.cookies():
            await asyncio.sleep(0.05)


async def test_an_operator_chooses_a_tenant_and_acknowledges_its_incident(
    context: BrowserContext,
    address: str,
    book: Book,
) -> None:
    from tests.api.test_governing import INCIDENT, incident

    await incident(book, "globex", INCIDENT)
    page = await context.new_page()
    await log_in(page, address, await book.key("", "admin"))
    await page.get_by_label("Tenant").select_option("globex")
    await page.get_by_role("button", name="Acknowledge").click()
    await expect(page.locator(".incidents .badge")).to_have_text("acknowledged")
    assert await book.connection.fetchval("SELECT tenant FROM incident_acts") == "globex"


async def test_what_is_told_with_an_incident_stands_below_it_and_is_no_second_one(
    context: BrowserContext,
    address: str,
    book: Book,
) -> None:
    """A loop in a burst in a budget, and a shift of which only what it was told with is over: two."""
    from tests.api.test_governing import incident

    whole, burst, loop, shift, gone = (UUID(int=number) for number in range(1, 6))
    parents = {whole: None, burst: whole, loop: burst, shift: gone}
    for one, parent in parents.items():
        await incident(book, "acme", one)
        await book.connection.execute("UPDATE incidents SET parent = $2 WHERE id = $1", one, parent)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await expect(page.locator(".alarm [data-part=figure]")).to_have_text("2")
    shown = page.locator(".incidents .rows > li")
    await expect(shown).to_have_count(4)
    await expect(page.locator(".incidents .of-another")).to_have_count(2)
    links = [await one.locator(".name").get_attribute("href") for one in await shown.all()]
    order = [UUID((each or "").split("=")[-1]) for each in links]
    assert order.index(whole) + 1 == order.index(burst) == order.index(loop) - 1


async def test_when_the_server_fails_the_page_says_so_and_recovers(
    context: BrowserContext,
    address: str,
    book: Book,
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.route(
        "**/v1/spend**",
        lambda route: route.fulfill(status=503, json={"detail": "the database does not answer"}),
    )
    await expect(page.locator("#trouble")).to_contain_text(
        "the database does not answer. What you see is from before"
    )
    await page.unroute("**/v1/spend**")
    await expect(page.locator("#trouble")).to_be_hidden()


async def test_it_fits_a_phone_and_the_description_needs_no_other_host(
    context: BrowserContext,
    address: str,
    book: Book,
    tmp_path: Path,
) -> None:
    await spend_a_second_ago(book)
    page = await context.new_page()
    await page.set_viewport_size({"width": 380, "height": 800})
    await log_in(page, address, await book.key("acme", "read"))
    for place in (
        "#/",
        "#/explore?split=sku",
        "#/events",
        f"#/event?source={SOURCE}&id={ID.replace('#', '%23').replace('&', '%26')}",
        "#/unbooked",
        "#/catalog",
        "#/model?provider=openai&sku=gpt-4o",
        "#/changes?from=0",
        "#/inbox",
    ):
        await page.goto(f"{address}/{place}")
        await expect(page.locator("main > *")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 380, place
    await page.goto(f"{address}/docs")
    await expect(page.locator(".opblock").first).to_be_visible()


async def test_a_card_that_fails_says_why_and_the_others_go_on(
    context: BrowserContext, address: str, book: Book
) -> None:
    await spend_a_second_ago(book)
    page = await context.new_page()
    await page.route(
        lambda url: "/v1/spend" in url and "bucket=" in url,
        lambda route: route.fulfill(status=503, json={"detail": "the question took too long to answer"}),
    )
    await log_in(page, address, await book.key("acme", "read"))
    spent = page.locator(".spent")
    await expect(spent.get_by_role("alert")).to_have_text("the question took too long to answer.")
    await expect(spent.locator(".chart")).to_be_hidden()
    await expect(page.locator(".tile.today")).to_contain_text("$0.01")
    await expect(page.locator(".who")).to_contain_text("payments")
    await expect(page.locator("#trouble")).to_be_hidden()
    await page.unroute_all()
    await expect(spent.locator(".legend")).to_contain_text("payments")
    await expect(spent.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("?from=2026-13-45&to=2026-11-26", "from must be an instant"),
        ("events?from=2026-11-25T10:00:00Z", "to must be an instant"),
        ("?from=2026-11-26T00:00:00Z&to=2026-11-25T00:00:00Z", "from must be before to"),
    ],
)
async def test_an_address_without_a_range_to_show_says_why_and_leads_to_today(
    context: BrowserContext, address: str, book: Book, asked: str, reason: str
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/{asked}")
    await expect(page.get_by_role("alert").filter(has_text=reason)).to_be_visible()
    await page.get_by_role("link", name="Show today").click()
    await expect(page.locator(".tile.today")).to_be_visible()


async def test_rows_never_stand_under_another_questions_heading(
    context: BrowserContext, address: str, book: Book
) -> None:
    await spend_a_second_ago(book)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore?compare=none")
    explorer = page.locator(".explorer")
    await expect(explorer.locator("tbody")).to_contain_text("payments")

    async def late(route: Route) -> None:  # the answer by workflow comes long after that by agent
        answer = await route.fetch()
        await asyncio.sleep(2)
        await route.fulfill(response=answer)

    await page.route(lambda url: "group_by=workflow&" in url and "bucket=" in url, late)
    await page.locator("#by").select_option("workflow")
    await expect(explorer.locator("thead th").first).to_have_text(
        "team"
    )  # as long as the rows are the teams'
    await page.locator("#by").select_option("sku")
    await expect(explorer.locator("tbody")).to_contain_text("gpt-4o")
    await expect(explorer.locator("thead th").first).to_have_text("sku")
    await page.wait_for_timeout(2500)
    await expect(explorer.locator("thead th").first).to_have_text("sku")
    await page.route(
        lambda url: "group_by=agent&" in url,
        lambda route: route.fulfill(status=422, json={"detail": "group_by: cannot be answered"}),
    )
    await page.locator("#by").select_option("agent")
    await expect(explorer.get_by_role("alert")).to_contain_text("group_by: cannot be answered")
    await expect(explorer.locator("tbody")).to_be_hidden()  # the skus are another question's rows
    await page.unroute_all(behavior="ignoreErrors")


async def test_twenty_thousand_labels_are_the_largest_by_name_and_one_row_of_others(
    context: BrowserContext, address: str, book: Book
) -> None:
    at = datetime.now(UTC) - timedelta(minutes=2)
    await many(book, 20_000, at=at.isoformat())
    await book.partition(0, log_end=1, read_at=datetime.now(UTC), booked=1)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(
        f"{address}/#/?range=1h&by=workflow"
    )  # as it was sent to people before the breakdown had a page
    explorer = page.locator(".explorer")
    await expect(explorer.locator("tbody tr")).to_have_count(13)
    await expect(explorer.locator("tbody tr").first).to_contain_text("wf-20000")
    await expect(explorer.locator("tbody tr").last).to_contain_text("19,988 others")
    await expect(explorer.locator(".total")).to_have_text("$2,000,100.00 + €100,010.00")
    await expect(explorer.locator(".chart canvas")).to_be_visible()
    await explorer.get_by_role("button", name="Show 200 of 20,000").click()
    await expect(explorer.locator("tbody tr")).to_have_count(201)
    await expect(explorer.locator(".total")).to_have_text("$2,000,100.00 + €100,010.00")


async def test_a_receipts_first_line_tells_of_a_conflict(
    context: BrowserContext, address: str, book: Book
) -> None:
    await spend_a_second_ago(book)
    await book.unbooked("acme", SOURCE, ID, "conflict", "another event was booked before", "k7f3a")
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/event?source={SOURCE}&id={quote(ID, safe='')}")
    receipt = page.locator(".receipt")
    await expect(receipt).to_contain_text("conflict: another event with this id was booked first, at")
    await expect(receipt.locator(".copies")).to_contain_text("key k7f3a")
