"""The inbox: what was priced without regard to how it was served, and what to do about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Inexact
from typing import Any

import httpx
import pytest

from services.api.catalog.inbox import REMARKS_MAX
from spendmeter.contracts.catalog import Conditions, Spelling
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import record
from tests.api.book import Book
from tests.api.test_catalog_inbox import NOW, operator  # noqa: F401 - fixture
from tests.pricing.entries import adjustment, used

EARLIER = NOW - timedelta(days=3)


async def remarks(client: httpx.AsyncClient, **who: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/catalog/inbox", **who)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["remarks"]
    return found


async def test_each_provider_kind_and_value_is_one_row_with_its_money_whoever_spells_it_how(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
) -> None:
    await book.under_remarks("acme", "0.5", EARLIER, events=3, region="EU-West-9")
    await book.under_remarks("globex", "0.25", NOW, region="eu-west-9", tier="Fast", provider="OpenAI")
    await book.under_remarks("globex", "2", NOW, region="eu-west-9", currency="EUR")
    await book.under_remarks("acme", "1", EARLIER, batch=True, provider="anthropic")
    found = await remarks(operator)
    assert [(each["kind"], each["provider"], each["value"]) for each in found] == [
        ("region", "openai", "eu-west-9"), ("batch", "anthropic", "batch"), ("tier", "openai", "fast"),
    ]  # fmt: skip
    region, batch, tier = found
    assert (region["state"], region["events"], region["tenants"]) == ("open", 5, ["acme", "globex"])
    assert region["money"] == [
        {"currency": "EUR", "effective": "2"}, {"currency": "USD", "effective": "0.75"},
    ]  # fmt: skip
    assert (region["since"][:10], region["last_seen"][:10]) == (f"{EARLIER:%Y-%m-%d}", f"{NOW:%Y-%m-%d}")
    assert region["says"] == "no price is for region eu-west-9: this one is for any"
    assert region["advice"] == (
        "state what openai charges in region eu-west-9, or to which regions it belongs (a spelling table)"
    )
    assert tier["says"] == "no price is for tier fast: this one is for any"
    assert batch["says"] == "no price is for a batch: this one is for any request"


async def test_a_tenant_sees_its_own_rows_alone(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
) -> None:
    await book.under_remarks("acme", "0.5", NOW, region="eu-west-9")
    await book.under_remarks("globex", "0.25", NOW, region="eu-west-9")
    await book.under_remarks("globex", "9", NOW, region="mars-1")
    mine = await remarks(operator, headers={"Authorization": f"Bearer {await book.key('acme')}"})
    assert [(each["value"], each["money"][0]["effective"]) for each in mine] == [("eu-west-9", "0.5")]
    assert mine[0]["tenants"] == ["acme"]


async def test_names_that_senders_make_up_do_not_make_the_list_without_end(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
) -> None:
    """The dearest are those that are listed, however late the others come."""
    await book.under_remarks("acme", "50", EARLIER, region="mars")
    for number in range(REMARKS_MAX + 5):
        await book.under_remarks("acme", f"0.{number:03d}", NOW, region=f"r{number:03d}")
    found = await remarks(operator)
    assert len(found) == REMARKS_MAX
    assert [found[place]["value"] for place in (0, 1, -1)] == ["mars", "r204", "r006"]


async def test_what_came_after_the_first_spellings_of_a_day_is_one_row_that_says_so(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
) -> None:
    await book.under_remarks("acme", "3", NOW, provider="", region="other", events=900)
    [row] = await remarks(operator)
    assert (row["state"], row["provider"], row["value"]) == ("open", "", "other")
    assert row["says"] == "no price is for this region: more were stated in a day than are listed one by one"
    assert row["advice"].startswith("ask who sends")


async def test_a_row_is_booked_once_the_catalog_prices_its_last_events_as_they_were_served(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
) -> None:
    regional = adjustment("residency", "1.1", when=Conditions(regions=("eu",)))
    await record(book.connection, [regional], by="test", note="")
    event = used("openai", "gpt-5", {"input_tokens": 1_000_000}, at=NOW, region="EU-West-9")
    lines = [Line(unit="input_tokens", entry="x", price="0.00000125", amount="1.25", remarks=("region",))]
    await book.entry(event, "1.25", lines)
    await book.under_remarks("acme", "1.25", NOW, region="EU-West-9")
    [row] = await remarks(operator)
    assert (row["state"], row["kept"]) == ("open", "")
    spelling = Spelling(
        of="region", provider="openai", name="eu", match=("eu-west-#",), source="t", recorded_at=NOW
    )
    await record(book.connection, [identified(spelling)], by="test", note="")
    [row] = await remarks(operator)
    assert (row["state"], row["advice"], row["events"]) == ("booked", "", 1)
    assert row["kept"] == (
        "booked before a price or a spelling for it was stated; keeps its price until re-rated"
    )


async def test_a_row_whose_last_events_cannot_be_priced_now_is_open(
    operator: httpx.AsyncClient,  # noqa: F811
    book: Book,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> None:
        raise Inexact

    event = used("openai", "gpt-5", {"input_tokens": 1_000_000}, at=NOW, region="eu-west-9")
    lines = [Line(unit="input_tokens", entry="x", price="0.00000125", amount="1.25", remarks=("region",))]
    await book.entry(event, "1.25", lines)
    await book.under_remarks("acme", "1.25", NOW, region="eu-west-9")
    monkeypatch.setattr("services.api.catalog.remarks.rate", fail)
    [row] = await remarks(operator)
    assert row["state"] == "open"
