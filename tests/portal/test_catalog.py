"""The catalog and the inbox in a real Chromium: a price is looked up, and a new model gets one."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
from playwright.async_api import BrowserContext, Page, expect

from spendmeter.contracts.catalog import Conditions, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.portal.page import log_in
from tests.pricing.entries import RECORDED, model, price, terms, used

JULY, SEPTEMBER = datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
OLD = price("gpt-5-mini", "input_tokens", "0.5", when=Conditions(effective_to=JULY))
NEW = price("gpt-5-mini", "input_tokens", "0.25", when=Conditions(effective_from=JULY))
OUT = price("gpt-5-mini", "output_tokens", "2")
BATCH = price("gpt-5-mini", "input_tokens", "0.125", when=Conditions(batch=True))
WRONG = price("gpt-5-mini", "cache_read_tokens", "0.9")
ENTRIES = [OLD, NEW, OUT, BATCH, WRONG, model("gpt-5-mini", "mini-latest"), price("o9", "output_tokens", "7")]
NASTY = "gpt-6-mini<img src=x onerror='document.title=1'>"
AN_HOUR_AGO = datetime.now(UTC) - timedelta(hours=1)


async def operator(context: BrowserContext, address: str, book: Book) -> Page:
    await record(book.connection, ENTRIES, by="migrate", note="the catalog of this release")
    gone = identified(Withdrawal(entries=(WRONG.id,), source="test", recorded_at=RECORDED, note="a typo"))
    await record(book.connection, [gone], by="key k1", note="")
    page = await context.new_page()
    await log_in(page, address, await book.key("", "admin"))
    return page


async def used_without_a_price(book: Book, sku: str, tokens: int = 1_000_000) -> None:
    usage = {"input_tokens": tokens}
    await book.spend(
        "acme", AN_HOUR_AGO.isoformat(), "0.5", provisional="0.5", provider="openai", sku=sku, usage=usage,
        cost_class="model",
    )  # fmt: skip


async def test_a_price_is_found_with_its_history_as_a_chart(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await page.get_by_role("link", name="Prices", exact=True).click()
    rows = page.locator(".catalog tbody tr")
    await expect(rows).to_have_count(2)
    await page.get_by_label("Search the catalog").fill("latest")
    await expect(rows).to_have_count(1)
    await expect(rows).to_contain_text("input_tokens 0.25")
    await expect(rows).to_contain_text("1 more under conditions")
    await rows.get_by_role("link", name="openai/gpt-5-mini").click()
    await expect(page.locator(".chips span")).to_have_count(2)  # in batches, and otherwise
    await expect(page.locator(".chart canvas")).to_be_visible()
    history = page.locator(".catalog table").last
    await expect(history).to_contain_text("0.5 USD per 1,000,000 input_tokens of openai/gpt-5-mini")
    await expect(history.locator(".gone")).to_contain_text("in publication 2 by key k1: a typo")
    await page.get_by_label("of ").select_option("cache_read_tokens")
    await expect(page.locator(".chips span")).to_have_count(1)
    others = page.locator(".catalog table", has_text="Whose word holds")
    await expect(others).to_contain_text("litellm")
    await expect(others).to_contain_text("open: ")
    await page.goto(f"{address}/#/model?provider=openai&sku=mini-latest")
    await expect(page.locator(".catalog")).to_contain_text(
        "model 'mini-latest' means gpt-5-mini: it is an alias, says entry"
    )
    await page.goto(f"{address}/#/model?provider=openai&sku=nothing")
    await expect(page.locator(".catalog")).to_contain_text("there is no openai/nothing in the catalog")


async def test_what_changed_is_shown_between_publications(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await page.goto(f"{address}/#/changes?from=1")
    row = page.locator(".catalog tbody tr")
    await expect(row).to_contain_text("0.9 USD per 1,000,000 → none")
    await page.get_by_label("after").fill("yesterday")
    await page.get_by_role("button", name="Compare").click()
    await expect(page.locator(".bad")).to_contain_text("is a version, as 12, or an instant")


async def test_a_new_model_is_priced_from_the_inbox(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await page.get_by_role("link", name="Prices", exact=True).click()
    await page.get_by_role("link", name="Inbox").click()
    await expect(page.locator(".inbox")).to_contain_text("Everything that is used has a price")
    await used_without_a_price(book, "gpt-6-mini")
    item = page.locator(".inbox .item")
    await expect(item).to_contain_text("openai/gpt-6-mini")
    await expect(item).to_contain_text("$0.50 USD provisional")
    await expect(item).to_contain_text("1000000 input_tokens")
    await expect(item).to_contain_text("same family (gpt-mini) of openai")
    await item.get_by_text("Proposed price").click()
    file = item.locator("textarea")
    await file.fill((await file.input_value()).replace('"0.25"', '"-1"'))
    await item.get_by_role("button", name="Propose this price").click()
    await expect(item.locator(".bad")).to_contain_text("not a plain decimal")
    await file.fill((await file.input_value()).replace('"-1"', '"0.26"'))
    await item.get_by_role("button", name="Propose this price").click()
    await expect(page.locator("h1")).to_contain_text("Proposal ")
    await expect(page.locator("table")).to_contain_text("none → 0.26 USD per 1,000,000")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".catalog")).to_contain_text(
        re.compile("In force as publication 3: usage from now on; 1 event booked since .* keeps its price")
    )
    await page.get_by_role("link", name="Inbox").first.click()
    await expect(page.locator(".inbox")).to_contain_text("Everything that is used has a price")
    await expect(page.locator(".inbox")).to_contain_text(
        "provisional; booked before its price was stated; keeps its bound until re-rated"
    )
    body = await book.connection.fetchval("SELECT body FROM catalog_entries WHERE sku = 'gpt-6-mini'")
    stated = msgspec.json.decode(body)
    assert (stated["price"], stated["per"], stated["layer"]) == ("0.26", 1_000_000, "organisation")


async def test_a_missing_rate_is_stated_from_the_inbox(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await record(book.connection, [terms("acme", currency="EUR")], by="test", note="")
    await book.spend(
        "acme", AN_HOUR_AGO.isoformat(), "0", unpriced=1, currency="EUR", provider="openai", sku="o9",
        usage={"output_tokens": 3}, cost_class="model",
    )  # fmt: skip
    await page.goto(f"{address}/#/inbox")
    item = page.locator(".inbox .item")
    await expect(item).to_contain_text("no rate USD → EUR")
    await expect(item).to_contain_text("state the rate USD → EUR")
    await expect(item.locator("textarea")).to_have_count(0)
    await expect(item.get_by_label("From when USD to EUR holds")).to_have_value(f"{AN_HOUR_AGO:%Y-%m-%d}")
    await item.get_by_role("button", name="Propose this rate").click()
    await expect(item.locator(".bad")).to_contain_text("not a plain decimal")
    await item.get_by_label("EUR for one USD").fill("0.9")
    await item.get_by_label("Source of USD to EUR").fill("the ECB")
    await item.get_by_role("button", name="Propose this rate").click()
    await expect(page.locator("h1")).to_contain_text("Proposal ")
    await expect(page.locator(".catalog")).to_contain_text("usage from now on; 1 event booked since")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".catalog")).to_contain_text("In force as publication 4")
    await page.goto(f"{address}/#/inbox")
    await expect(page.locator(".inbox .item")).to_have_count(0)
    await expect(page.locator(".inbox")).to_contain_text("keeps no amount until re-rated")


async def test_another_spelling_is_proposed_as_a_name_and_an_unknown_unit_with_the_one_that_was_meant(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await used_without_a_price(book, "gpt5_mini")
    event = used("openai", "o9", {"output_token": 3}, at=AN_HOUR_AGO)
    await book.entry(
        event, "0", [Line(unit="output_token", status="unpriced", reason="none")], status="unpriced"
    )
    await book.spend(
        "acme",
        AN_HOUR_AGO.isoformat(),
        "0",
        unpriced=1,
        provider="openai",
        sku="o9",
        usage={},
        cost_class="model",
    )
    await page.goto(f"{address}/#/inbox")
    await expect(page.locator(".inbox")).to_contain_text(
        "output_token is no unit: did you mean output_tokens?"
    )
    await expect(page.locator(".inbox")).to_contain_text("sent for openai/o9 by acme")
    await page.get_by_text("Proposed name").click()
    await page.get_by_role("button", name="Propose this name").click()
    await expect(page.locator(".catalog")).to_contain_text("gpt5_mini means openai/gpt-5-mini")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".catalog")).to_contain_text("In force as publication 3")


async def test_what_is_not_taken_over_is_named_beside_the_proposal(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    key = {"Authorization": f"Bearer {await book.key('', 'admin')}"}
    text = '{"x": {"litellm_provider": "openai", "input_cost_per_token": 1e-06, "moon_pricing": 1}}'
    async with httpx.AsyncClient(base_url=address, headers=key) as client:
        made = await client.post("/v1/catalog/proposals", params={"name": "l.json"}, content=text)
    await page.goto(f"{address}/#/proposal?id={made.json()['id']}")
    await expect(page.locator(".catalog")).to_contain_text("moon_pricing of x")


async def test_what_lint_doubts_is_confirmed_first(context: BrowserContext, address: str, book: Book) -> None:
    page = await operator(context, address, book)
    await used_without_a_price(book, "gpt-6-mini")
    await page.goto(f"{address}/#/inbox")
    await page.get_by_text("Proposed price").click()
    file = page.locator("textarea")
    dear = '"0.25", "cache_read_tokens": "9"'
    await file.fill((await file.input_value()).replace('"0.25"', dear))
    await page.get_by_role("button", name="Propose this price").click()
    await expect(page.locator(".catalog")).to_contain_text(
        "9 USD per 1,000,000 cache_read_tokens of openai/gpt-6-mini is more than 0.25 USD"
    )
    await page.get_by_role("button", name="Reject").click()
    await expect(page.locator(".decision .bad")).to_contain_text("reason")
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".decision .bad")).to_contain_text("need confirm")
    await page.get_by_label("I have looked at").check()
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".catalog")).to_contain_text("In force as publication 3")


async def test_names_that_are_markup_stay_text_and_a_reader_changes_nothing(
    context: BrowserContext, address: str, book: Book
) -> None:
    await record(book.connection, ENTRIES, by="migrate", note="")
    await used_without_a_price(book, NASTY)
    page = await context.new_page()
    await log_in(page, address, await book.key("acme", "read"))
    await page.goto(f"{address}/#/inbox")
    item = page.locator(".inbox .item")
    await expect(item).to_contain_text(NASTY)
    await item.get_by_text("Write its price").click()
    await expect(item).to_contain_text("log in with a key that has the scope admin")
    assert await page.locator("textarea, main img").count() == 0
    assert await page.title() != "1"


async def test_it_fits_a_phone(context: BrowserContext, address: str, book: Book) -> None:
    page = await operator(context, address, book)
    await used_without_a_price(book, NASTY)
    await page.set_viewport_size({"width": 380, "height": 800})
    await page.goto(f"{address}/#/inbox")
    await page.get_by_text("Write its price").click()
    await expect(page.locator("textarea")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 380
    await page.goto(f"{address}/#/model?provider=openai&sku=gpt-5-mini")
    await expect(page.locator(".chart canvas")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 380


async def test_who_reads_on_is_left_in_peace_and_a_search_survives(
    context: BrowserContext, address: str, book: Book
) -> None:
    many = [price(f"model-{n:03}", "input_tokens", "1") for n in range(70)]
    await record(book.connection, many, by="test", note="")
    page = await operator(context, address, book)
    await page.goto(f"{address}/#/catalog")
    rows = page.locator(".catalog tbody tr")
    await expect(rows).to_have_count(50)
    await page.get_by_role("button", name="More").click()
    await expect(rows).to_have_count(72)
    await page.wait_for_timeout(3500)  # two beats
    await expect(rows).to_have_count(72)
    await page.get_by_label("Search the catalog").fill("model-00")
    await expect(rows).to_have_count(10)
    await page.get_by_role("link", name="acme's").click()
    await expect(rows).to_have_count(10)
    await expect(page).to_have_url(re.compile("q=model-00"))


async def test_what_became_doubtful_since_it_was_proposed_is_confirmed_too(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await used_without_a_price(book, "gpt-6-mini")
    await page.goto(f"{address}/#/inbox")
    await page.get_by_text("Proposed price").click()
    await page.get_by_role("button", name="Propose this price").click()
    await expect(page.locator("h1")).to_contain_text("Proposal ")
    await expect(page.get_by_label("I have looked at")).to_be_hidden()
    since = price("gpt-6-mini", "cache_read_tokens", "9", layer="organisation")
    await record(book.connection, [since], by="test", note="")
    await page.get_by_role("button", name="Approve").click()
    await page.get_by_label("I have looked at").check()
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(".catalog")).to_contain_text("In force as publication 4")


async def test_the_inbox_names_fields_that_senders_gave_and_nobody_knows(
    context: BrowserContext, address: str, book: Book
) -> None:
    page = await operator(context, address, book)
    await book.connection.execute(
        "INSERT INTO dropped_names VALUES ('acme', 'k7f3a', 'data.labels.costcenter', now(), now(), 412)"
    )
    await page.goto(f"{address}/#/inbox")
    await expect(page.locator(".dropped")).to_contain_text(
        "data.labels.costcenter: 412 requests of key k7f3a of acme"
    )
