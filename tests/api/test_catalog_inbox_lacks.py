"""The inbox: each thing that can be missing is named as what it is, with its own way out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from spendmeter.contracts.catalog import FxRate
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.api.book import Book
from tests.api.catalog_admin import FILE, approve, propose
from tests.pricing.entries import RECORDED, model, price, terms, used

NOW = datetime.now(UTC).replace(microsecond=0)
YESTERDAY = (NOW - timedelta(days=1)).replace(hour=12, minute=0, second=0)
ENTRIES = [
    price("gpt-4o", "input_tokens", "2.5"), model("gpt-4o", "gpt-4o-latest"), terms("globex", currency="EUR"),
    terms("acme"),
]  # fmt: skip


@pytest.fixture
async def operator(client: httpx.AsyncClient, book: Book) -> httpx.AsyncClient:
    await record(book.connection, ENTRIES, by="test", note="")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    return client


async def inbox(client: httpx.AsyncClient, **who: Any) -> dict[str, Any]:
    answer = await client.get("/v1/catalog/inbox", **who)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def booked(
    book: Book,
    tenant: str,
    sku: str,
    usage: dict[str, Any],
    *,
    at: datetime = YESTERDAY,
    known: tuple[Any, ...] = (),
) -> None:
    """One event, as rating and ledger book it by these entries."""
    event = msgspec.structs.replace(used("openai", sku, usage, at=at, tenant=tenant), id=f"{sku}-{at}")
    rating = rate(event, PriceBook([*ENTRIES, *known]))
    await book.entry(
        event, str(rating.effective), list(rating.lines), currency=rating.currency, status=rating.status
    )
    await book.spend(
        tenant, at.isoformat(), str(rating.effective), currency=rating.currency, provider="openai", sku=sku,
        unpriced=int(rating.status == "unpriced"), cost_class="model",
        provisional=str(rating.effective) if rating.status == "provisional" else "0",
        usage={unit: quantity for unit, quantity in usage.items() if unit.endswith("_tokens")},
    )  # fmt: skip


async def test_a_missing_rate_is_advised_as_a_missing_rate_and_stated_from_the_inbox(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "globex", "gpt-4o", {"input_tokens": 1000})
    [item] = (await inbox(operator))["items"]
    assert (item["state"], item["reasons"], item["unpriced_events"]) == ("open", ["no rate USD → EUR"], 1)
    assert (item["nearest"], item["proposal"], item["units"]) == ([], None, [])
    assert item["lacks"][0]["advice"].startswith("state the rate USD → EUR")
    refused = await operator.post("/v1/catalog/inbox", json={"provider": "openai", "sku": "gpt-4o"})
    assert (refused.status_code, "no rate USD → EUR: state the rate" in refused.json()["detail"]) == (
        422,
        True,
    )
    asked = {"base": "USD", "quote": "EUR", "rate": "0.9", "source": "the ECB"}
    made = await operator.post("/v1/catalog/inbox/rates", json=asked)
    assert made.status_code == 201, made.text
    assert made.json()["name"] == f"USD-EUR-{YESTERDAY:%Y-%m-%d}.yaml"
    await approve(operator, made.json()["id"])
    [item] = (await inbox(operator))["items"]
    assert (item["state"], item["lacks"], item["unpriced_events"]) == ("booked", [], 1)
    assert item["kept"] == "unpriced; booked before its rate was stated; keeps no amount until re-rated"


async def test_a_rate_of_later_leaves_the_earlier_events_in_view(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "globex", "gpt-4o", {"input_tokens": 1000})
    since = YESTERDAY.replace(hour=0) + timedelta(days=1)
    later = identified(
        FxRate(base="USD", quote="EUR", rate="0.9", effective_from=since, source="test", recorded_at=RECORDED)
    )
    await record(book.connection, [later], by="test", note="")
    await booked(book, "globex", "gpt-4o", {"input_tokens": 5}, at=since, known=(later,))
    [item] = (await inbox(operator))["items"]
    assert item["reasons"] == [f"no rate USD → EUR before {since:%Y-%m-%d}"]
    assert (item["state"], item["unpriced_events"], item["events"]) == ("open", 1, 1), (
        "the later one is priced"
    )
    made = await operator.post(
        "/v1/catalog/inbox/rates", json={"base": "USD", "quote": "EUR", "rate": "0.91"}
    )
    assert made.status_code == 201, made.text
    assert made.json()["name"] == f"USD-EUR-{YESTERDAY:%Y-%m-%d}.yaml"


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        ({"rate": "-1"}, 422, "not a plain decimal"),
        ({"rate": ""}, 422, "not a plain decimal"),
        ({"quote": "CHF"}, 422, "nothing waits for a rate USD → CHF: say from when it holds"),
        ({"quote": "euros"}, 422, "quote"),
        ({"quote": "CHF", "effective_from": "2026-11-01T00:00:00Z"}, 201, ""),
    ],
)
async def test_a_rate_is_checked_like_any_other_price(
    operator: httpx.AsyncClient, book: Book, asked: dict[str, str], status: int, reason: str
) -> None:
    await booked(book, "globex", "gpt-4o", {"input_tokens": 1000})
    answer = await operator.post(
        "/v1/catalog/inbox/rates", json={"base": "USD", "quote": "EUR", "rate": "0.9"} | asked
    )
    assert answer.status_code == status, answer.text
    assert reason in answer.text


async def test_rates_are_everybodys_and_a_tenant_is_told_so(operator: httpx.AsyncClient, book: Book) -> None:
    await booked(book, "globex", "gpt-4o", {"input_tokens": 1000})
    mine = {"Authorization": f"Bearer {await book.key('globex', 'admin')}"}
    asked = {"base": "USD", "quote": "EUR", "rate": "0.9"}
    answer = await operator.post("/v1/catalog/inbox/rates", json=asked, headers=mine)
    assert (answer.status_code, "everybody's: an operator proposes it" in answer.json()["detail"]) == (
        422,
        True,
    )


async def test_a_unit_that_nobody_knows_is_listed_at_once_with_the_one_that_was_meant(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "gpt-4o", {"input_token": 1000})
    await booked(book, "globex", "gpt-4o", {"sparks": 3})
    found = await inbox(operator)
    units = {each["unit"]: each for each in found["units"]}
    assert units["input_token"]["says"] == "input_token is no unit: did you mean input_tokens?"
    assert (units["input_token"]["of"], units["input_token"]["tenants"]) == (["openai/gpt-4o"], ["acme"])
    assert (units["sparks"]["nearest"], units["sparks"]["tenants"]) == ("", ["globex"])
    [item] = found["items"]
    assert (item["units"], item["nearest"], item["proposal"]) == (["input_token", "sparks"], [], None)
    mine = {"Authorization": f"Bearer {await book.key('acme', 'read')}"}
    assert [each["unit"] for each in (await inbox(operator, headers=mine))["units"]] == ["input_token"]


async def test_another_spelling_of_a_model_is_proposed_as_one_alias_and_no_copied_price_list(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "GPT_4o-2027-01-31", {"input_tokens": 1000})
    [item] = (await inbox(operator))["items"]
    assert (item["proposal"]["kind"], item["proposal"]["says"]) == (
        "alias", "gpt_4o-2027-01-31 is another name of openai/gpt-4o",
    )  # fmt: skip
    asked = {"provider": "openai", "sku": "gpt_4o-2027-01-31"}
    made = (await operator.post("/v1/catalog/inbox", json=asked)).json()
    assert (made["review"]["entries"], made["review"]["changes_total"]) == (2, 0), "one entry in place of one"
    assert made["review"]["names"] == ["gpt_4o-2027-01-31 means openai/gpt-4o"]
    assert made["review"]["effect"]["keep"] == 1
    await approve(operator, made["id"])
    shown = (await operator.get("/v1/catalog/model?provider=openai&sku=gpt_4o-2027-01-31")).json()
    assert (shown["sku"], shown["aliases"]) == ("gpt-4o", ["gpt-4o-latest", "gpt_4o-2027-01-31"])
    assert [item["state"] for item in (await inbox(operator))["items"]] == ["booked"]


async def test_a_tenant_gets_prices_of_its_own_instead_of_a_name_for_everybody(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "gpt4o", {"input_tokens": 1000})
    mine = {"Authorization": f"Bearer {await book.key('acme', 'admin')}"}
    [item] = (await inbox(operator, headers=mine))["items"]
    assert item["proposal"]["kind"] == "price"
    [item] = (await inbox(operator))["items"]
    assert item["proposal"]["kind"] == "alias"


async def test_a_name_that_could_be_two_models_is_no_alias(operator: httpx.AsyncClient, book: Book) -> None:
    dated = [price(f"gpt-5-2026-0{month}-01", "input_tokens", "1") for month in (1, 2)]
    await record(book.connection, dated, by="test", note="")
    await booked(book, "acme", "gpt5", {"input_tokens": 1000}, known=tuple(dated))
    [item] = (await inbox(operator))["items"]
    assert item["proposal"]["kind"] == "price"


async def test_a_name_that_is_taken_away_is_asked_to_be_confirmed(operator: httpx.AsyncClient) -> None:
    bare = f'{FILE}[[model]]\nprovider = "openai"\nsku = "gpt-4o"\nfamily = "gpt"\n'
    made = await propose(operator, bare, replace="true")
    assert made["review"]["names"] == ["gpt-4o-latest no longer means openai/gpt-4o"]
    assert (await approve(operator, made["id"], 409))["findings"][0]["rule"] == "names"
    await approve(operator, made["id"], confirm=True)


async def test_what_lacks_something_stands_before_what_only_keeps_its_bound(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "gpt-8", {"input_tokens": 1000})
    stated = price("gpt-9", "input_tokens", "3")
    await booked(book, "acme", "gpt-9", {"input_tokens": 1000})
    await record(book.connection, [stated], by="test", note="")
    found = [(each["sku"], each["state"]) for each in (await inbox(operator))["items"]]
    assert found == [("gpt-8", "open"), ("gpt-9", "booked")]


async def test_an_unpriced_line_of_long_ago_says_what_it_was_booked_without(
    operator: httpx.AsyncClient, book: Book
) -> None:
    event = used("openai", "gpt-4o", {"input_tokens": 5}, at=YESTERDAY)
    line = Line(
        unit="input_tokens",
        status="unpriced",
        reason="No price for input_tokens of openai/gpt-4o on 2026-11-24",
    )
    await book.entry(event, "0", [line], status="unpriced")
    await book.spend(
        "acme", YESTERDAY.isoformat(), "0", unpriced=1, provider="openai", sku="gpt-4o", cost_class="model"
    )
    [item] = (await inbox(operator))["items"]
    assert item["kept"] == "unpriced; booked before its price was stated; keeps no amount until re-rated"


async def test_a_unit_that_was_priced_by_one_that_costs_less_asks_for_its_own_price(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "gpt-4o", {"cache_write_12h_tokens": 1000})
    [item] = (await inbox(operator))["items"]
    assert (item["state"], item["at_stake"][0]["provisional"]) == ("open", "0.0025")
    assert item["reasons"] == ["no price for cache_write_12h_tokens of openai/gpt-4o"]
    assert item["lacks"][0]["advice"] == "state the price of cache_write_12h_tokens for openai/gpt-4o"
