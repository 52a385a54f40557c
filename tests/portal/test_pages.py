"""Pages with a question each, in a real Chromium: what changed, whether a budget lasts, what is wrong, who may."""

from __future__ import annotations

import csv
import re
from datetime import UTC, datetime, timedelta

from playwright.async_api import BrowserContext, expect

from tests.api.book import Book
from tests.api.test_events import ID, LINES, PRICES, SOURCE, event, publish
from tests.api.test_governing import INCIDENT
from tests.portal.filled import fill
from tests.portal.page import api, log_in
from tests.pricing.entries import price

ERASED = "SELECT count(*) FROM erasures WHERE tenant = 'acme'"


async def test_what_changed_is_told_in_parts_that_sum_to_it(
    context: BrowserContext, address: str, book: Book
) -> None:
    """Ten calls for 5 dollars a week ago, twenty calls for 10 now, of the same size and model: 5 by calls alone."""
    now = datetime.now(UTC)
    use = {"team": "search", "provider": "openai", "sku": "gpt-4o", "cost_class": "model"}
    before = (now - timedelta(days=7, hours=1)).isoformat()
    await book.spend("acme", before, "5", events=10, usage={"input_tokens": 1000}, **use)
    await book.spend("acme", now.isoformat(), "10", events=20, usage={"input_tokens": 2000}, **use)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.get_by_role("link", name="What changed").click()
    changed = page.locator(".changed")
    await expect(changed.locator(".lead .total")).to_have_text("+$5.00")
    await expect(changed).to_contain_text("from $5.00 to $10.00")
    await expect(changed.locator("tfoot")).to_contain_text("$5.00")
    await expect(changed.locator(".chart canvas")).to_be_visible()
    await changed.get_by_role("region", name="Who contributed").get_by_role("link", name="search").click()
    await expect(page.locator(".explorer .chips")).to_contain_text("team: search")


async def test_a_budget_is_set_and_shows_what_is_left_and_when_it_is_gone(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    await book.spend("acme", datetime.now(UTC).isoformat(), "30", team="search")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/budgets")
    form = page.get_by_role("form", name="Set a budget")
    await form.get_by_label("Name").fill("Search")
    await form.get_by_label("Amount in USD").fill("-1")
    await form.get_by_label("Of what").select_option("team")
    await form.get_by_label("which is").fill("search")
    await form.get_by_role("button").click()
    await expect(form.get_by_role("alert")).to_contain_text("amount")
    await form.get_by_label("Amount in USD").fill("100")
    await form.get_by_role("button").click()
    await expect(form.get_by_role("status")).to_have_text("Set: Search.")
    await page.get_by_role("link", name="Search 30%").click()
    burn = page.locator(".burn")
    await expect(burn.locator(".total")).to_have_text("$70.00 left")
    await expect(burn).to_contain_text("team search · $100.00 a month · $30.00 of $100.00 spent")
    await expect(burn.locator(".chart canvas")).to_be_visible()
    await expect(burn.locator(".facts")).to_contain_text("insufficient data")


async def test_a_request_for_more_of_a_budget_is_approved_with_a_reason(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    asker = await book.key("acme", "reserve")
    async with api(address) as client:
        heads = {"Authorization": f"Bearer {admin}"}
        budget = (
            await client.post(
                "/v1/budgets", json={"name": "Search", "amount": "100", "hard": {}}, headers=heads
            )
        ).json()
        asked = await client.post(
            f"/v1/budgets/{budget['id']}/requests",
            json={"amount": "50", "reason": "200 cases more"},
            headers={"Authorization": f"Bearer {asker}"},
        )
        assert asked.status_code in {200, 201}, asked.text
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/budgets")
    requests = page.get_by_label("Requests for more")
    await expect(requests).to_contain_text("$50.00 more of Search")
    await requests.get_by_label("Why: $50.00").fill("until the release")
    await requests.get_by_role("button", name="Approve").click()
    await expect(requests.locator(".badge")).to_have_text("approved")
    await expect(requests).to_contain_text("until the release")


async def test_an_incident_says_where_its_money_is_and_why(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        await fill(book, client)
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.get_by_role("link", name="Incidents").first.click()
    await expect(page.get_by_role("heading", level=1, name="Incidents")).to_be_visible()
    await page.get_by_role("link", name="support spends 9 times").first.click()
    await expect(page).to_have_url(re.compile(str(INCIDENT)))
    one = page.locator(".one-incident")
    await expect(one.get_by_role("region", name="Where the excess is")).to_contain_text("93%")
    await expect(one.get_by_role("region", name="Who holds it")).to_contain_text("agent helper")
    await expect(one).to_contain_text("more calls")
    await one.get_by_role("button", name="Acknowledge").click()
    await expect(one.locator(".history")).to_contain_text("acknowledge by key")


async def test_a_key_is_shown_once_and_revoked_for_good(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.goto(f"{address}/#/keys")
    form = page.get_by_role("form", name="Make a key")
    await form.get_by_label("What it is for").fill("finops")
    await form.get_by_role("button", name="Make it").click()
    status = page.locator(".keys-card").get_by_role("status")
    await expect(status).to_contain_text("Made: finops. It is sm_")
    row = page.locator(".keys-card li", has_text="finops")
    await row.locator("summary").click()
    await row.get_by_role("button", name="Revoke it").click()
    await expect(status).to_contain_text("Revoked: finops.")
    await expect(row.locator(".badge")).to_have_text("revoked")
    await page.goto(f"{address}/#/audit")
    await expect(page.locator(".list tbody")).to_contain_text("keys")


async def test_an_assistant_has_a_key_that_reads_and_is_shown_once(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    page = await context.new_page()
    await log_in(page, address, admin)
    await page.goto(f"{address}/#/keys")
    await page.get_by_role("button", name="Make a key for an assistant").click()
    command = page.get_by_label("Command")
    await expect(command).to_contain_text(f"claude mcp add --transport http spendmeter {address}/mcp")
    secret = (await command.inner_text()).rpartition("Bearer ")[2].rstrip('"')
    async with api(address, secret) as client:
        assert (await client.get("/v1/session")).json()["scopes"] == ["read"]
        assert (await client.post("/v1/budgets", json={"name": "x", "amount": "1"})).status_code == 403
    await expect(page.locator(".keys-card li", has_text="assistant")).to_contain_text("may read")
    await page.reload()
    await expect(page.locator(".keys-card li", has_text="assistant")).to_be_visible()
    await expect(page.get_by_text(secret)).to_have_count(0)


async def test_a_person_is_forgotten_once_it_is_confirmed_and_by_an_admin_alone(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/privacy")
    await expect(page.locator("main")).to_contain_text("To forget somebody, log in with a key")
    await context.clear_cookies()

    before = await book.connection.fetchval(ERASED)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read", "admin"))
    await page.goto(f"{address}/#/privacy")
    form = page.get_by_role("form", name="Forget a person")
    await form.get_by_label("The person").fill("maria")
    await form.get_by_label("The same once more").fill("mario")
    await form.get_by_label("Why").fill("asked for on 26 November")
    await form.get_by_role("button", name="Forget them").click()
    assert await book.connection.fetchval(ERASED) == before
    await form.get_by_label("For good").check()
    await form.get_by_role("button", name="Forget them").click()
    await expect(form.get_by_role("alert")).to_have_text("The two names are not the same.")
    await form.get_by_label("The same once more").fill("maria")
    await form.get_by_role("button", name="Forget them").click()
    await expect(form.get_by_role("status")).to_contain_text("Nothing was found under this name")
    await expect(page.locator("main")).to_contain_text("asked for on 26 November")
    await expect(form.get_by_label("The person")).to_have_value("")
    await expect(page.locator("main")).not_to_contain_text("maria")


async def test_events_are_looked_for_by_a_form(context: BrowserContext, address: str, book: Book) -> None:
    await publish(book, *PRICES)
    await book.entry(event(at=datetime.now(UTC), team="payments"), "0.01", LINES)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/events?range=today")
    search = page.get_by_role("form", name="Events that say")
    await search.get_by_label("Events whose").select_option("team")
    await search.get_by_label("is", exact=True).fill("nobody")
    await search.get_by_role("button", name="List them").click()
    await expect(page.locator("main")).to_contain_text("No booked event of this range passes the filter.")
    await page.locator(".chips").get_by_role("link", name="team: nobody").click()
    await expect(page.locator(".list tbody tr")).to_have_count(1)
    await expect(page).to_have_url(re.compile("range=today"))
    one = page.get_by_role("form", name="One event")
    await one.get_by_label("its source").fill(SOURCE)
    await one.get_by_label("its id").fill(ID)
    await one.get_by_role("button", name="Show its receipt").click()
    await expect(page.locator(".receipt")).to_contain_text(ID)


async def test_what_a_route_has_as_csv_is_offered_as_csv(
    context: BrowserContext, address: str, book: Book
) -> None:
    admin = await book.key("acme", "read", "admin")
    async with api(address, admin) as client:
        await fill(book, client)
    page = await context.new_page()
    await log_in(page, address, admin)
    for place, column in (
        ("audit", "object_id"),
        ("changed", "change"),
        ("decisions", "effective_day"),
    ):
        await page.goto(f"{address}/#/{place}")
        await expect(page.locator("main")).to_have_attribute("data-page", place)
        async with page.expect_download() as started:
            await page.locator(".tools").get_by_role("button", name="CSV").first.click()
        first = (await (await started.value).path()).read_text("utf-8").splitlines()[0]
        assert column in first, (place, first)


async def test_a_file_has_all_pages_of_a_table_and_each_column_where_it_first_stood(
    context: BrowserContext, address: str, book: Book
) -> None:
    """201 models, of which a page of the API has 200."""
    names = [f"m-{number:03}" for number in range(201)]
    await publish(book, *(price(name, "input_tokens", "2.5") for name in names))
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/catalog")
    await expect(page.locator(".catalog tbody")).to_contain_text("openai/m-000")
    async with page.expect_download() as started:
        await page.locator(".catalog .tools").get_by_role("button", name="CSV").click()
    download = await started.value
    lines = list(csv.DictReader((await download.path()).read_text("utf-8").splitlines()))
    assert download.suggested_filename == "catalog.csv"
    assert [line["sku"] for line in lines] == names
    assert {line["price"] for line in lines} == {"2.5"}
    joined = await page.evaluate(
        """async (pages) => (await import("/portal/csv-pages.js")).joined(pages)""",
        ['id,units.a\r\n"x, ""y""",1\r\n', "id,units.b\r\nz,2\r\n,\r\n"],
    )
    assert joined.split("\r\n") == ["id,units.a,units.b", '"x, ""y""",1,', "z,,2", ",,", ""]


async def test_a_file_of_spend_has_each_group_and_each_cent_once(
    context: BrowserContext, address: str, book: Book
) -> None:
    """14 teams, of which the table shows 12 by name: a second page would have all others in a row once more."""
    teams = [f"t-{number:02}" for number in range(14)]
    now = datetime.now(UTC).isoformat()
    for team in teams:
        await book.spend("acme", now, "2", team=team)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/explore?by=team")
    await expect(page.locator(".explorer .total")).to_have_text("$28.00")
    tools = page.locator(".explorer > .tools")
    async with page.expect_download() as started:
        await tools.get_by_role("button", name="CSV").click()
    lines = list(csv.DictReader((await (await started.value).path()).read_text("utf-8").splitlines()))
    assert [(line["team"], line["effective"], line["others"]) for line in lines] == [
        (team, "2", "0") for team in teams
    ]
    await expect(tools.locator(".bad")).to_have_count(0)


async def test_a_receipt_is_written_as_it_is_shown_and_never_as_a_formula(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.evaluate(
        """async (texts) => {
            const {shownCsv} = await import("/portal/shown-csv.js");
            const table = document.createElement("table");
            const holder = document.createElement("div");
            holder.append(table);
            try { shownCsv(holder); } catch (error) { window.refused = error.message; }
            for (const text of texts) table.insertRow().insertCell().append(text);
            window.written = shownCsv(holder);
        }""",
        ['=1+"a",b', "-$1.50", "-12 %", "-cmd"],
    )
    written, refused = await page.evaluate("[window.written, window.refused]")
    assert refused == "No row is shown here yet"
    assert written.split("\r\n") == ['"\'=1+""a"",b"', "-$1.50", "-12 %", "'-cmd", ""]
