"""What approving a proposal does and what it leaves as it is; what a refusal needs; what a file leaves behind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from spendmeter.contracts.catalog import FxRate, Withdrawal
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import Line
from spendmeter.platform.catalog_store import read_publication, record
from spendmeter.pricing.catalog import load_snapshot
from tests.api.book import Book
from tests.api.catalog_admin import FILE, IN, approve, propose
from tests.api.catalog_admin import prices as price_file
from tests.pricing.entries import RECORDED, terms, used
from tests.pricing.test_catalog import PUBLISHED

FX = f'{FILE}[[fx]]\nbase = "USD"\nquote = "EUR"\nrate = "0.9"\neffective_from = 2026-11-01T00:00:00Z\n'


async def booked(book: Book, tenant: str, *ids: str, days_ago: int = 1, sku: str = "m") -> None:
    """Events of 2,500 input tokens, each at 0.0025 USD."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    for shard, name in enumerate(ids):
        event = msgspec.structs.replace(
            used("openai", sku, {"input_tokens": 2500}, at=at, tenant=tenant), id=name
        )
        line = Line(unit="input_tokens", entry=IN.id, price="0.000001", amount="0.0025")
        await book.entry(event, "0.0025", [line])
        await book.spend(
            tenant, at.isoformat(), "0.0025", cost_class="model", provider="openai", sku=sku, shard=shard
        )


async def test_approving_says_that_booked_events_keep_their_price_and_counts_them(
    operator: httpx.AsyncClient, book: Book
) -> None:
    await booked(book, "acme", "a", "b", "c")
    await booked(book, "acme", "old", days_ago=31)
    await booked(book, "acme", "other", sku="n")  # has no price: its bound moves with its sibling's price
    made = await propose(operator, price_file(amount="2"), withdraw=IN.id)
    said = made["review"]["effect"]
    day = (datetime.now(UTC) - timedelta(days=30)).strftime("%Y-%m-%d")
    assert said["keep"] == 3
    assert said["says"].startswith(f"usage from now on; 3 events booked since {day} ")
    assert said["says"].endswith("Z keep their price")
    assert made["review"]["impact"]["amounts"] == [
        {"currency": "USD", "before": "0.01", "after": "0.02", "difference": "0.01"}
    ], "three and the bound of the sibling, as if they were priced again"
    await booked(book, "globex", "d")
    done = await approve(operator, made["id"], confirm=True)
    assert done["review"]["effect"]["keep"] == 4, "counted again when it is approved"
    booked_at = await book.connection.fetchval("SELECT sum(effective) FROM entries")
    assert str(booked_at) == "0.0150", "six events at 0.0025, as they were"


async def test_where_nothing_is_booked_that_is_said(operator: httpx.AsyncClient) -> None:
    said = (await propose(operator, price_file("n")))["review"]["effect"]
    assert (said["keep"], "nothing booked since" in said["says"]) == (0, True)


@pytest.mark.parametrize(
    ("text", "keep"),
    [
        (FX, 2),
        (f'{FILE}[[terms]]\ntenant = "acme"\nfallback = {{ input_tokens = "1" }}\n', 1),
        (f'{FILE}[[unit]]\nunit = "wishes"\nabout = "wishes"\n[[calendar]]\nname = "x"\ntime_zone = "UTC"\n', 0),
        (f'{FILE}[[provider]]\nprovider = "openai"\nmatch = ["open-ai"]\n', 3),
    ],
    ids=["a rate: those whose book is in euros", "a tenant's terms: its own", "a unit, a calendar: none", "names: all"],
)  # fmt: skip
async def test_only_what_a_change_concerns_is_counted(
    operator: httpx.AsyncClient, book: Book, text: str, keep: int
) -> None:
    await record(book.connection, [terms("globex", currency="EUR")], by="test", note="")
    await booked(book, "acme", "a")
    await booked(book, "globex", "b", "c")
    assert (await propose(operator, text))["review"]["effect"]["keep"] == keep


async def test_a_refusal_says_what_the_request_needs(operator: httpx.AsyncClient) -> None:
    assert (await propose(operator, price_file(), 422))["needs"] == "replace"
    twice = price_file("n") + price_file("n", "4", header="")
    assert "needs" not in await propose(operator, twice, 422), "replacing would not help"
    made = await propose(operator, price_file(amount="9"), withdraw=IN.id)
    assert (await approve(operator, made["id"], 409))["needs"] == "confirm"


async def test_what_is_not_taken_over_from_a_file_stays_with_the_proposal(
    operator: httpx.AsyncClient,
) -> None:
    model = (
        '"litellm_provider": "openai", "input_cost_per_token": 1e-06, "off_peak_pricing": {"discount": 0.5}'
    )
    text = f'{{"x": {{{model}}}, "y": {{{model}, "tokenizer": "t"}}}}'
    made = await propose(operator, text, name="litellm.json")
    left: list[dict[str, Any]] = [
        {"field": "off_peak_pricing.discount", "models": 2, "of": ["x", "y"]},
        {"field": "tokenizer", "models": 1, "of": ["y"]},
    ]
    assert made["review"]["not_taken"] == left
    assert (await approve(operator, made["id"]))["review"]["not_taken"] == left


async def test_a_release_of_the_public_catalog_is_proposed_with_our_corrections_over_it(
    operator: httpx.AsyncClient, book: Book
) -> None:
    anthropic = [*load_snapshot("anthropic")]
    known = {entry.id for entry in anthropic}
    await record(book.connection, anthropic, by="migrate", note="", replaces=True)
    published = [each for each in json.loads(PUBLISHED) if each["id"] == "anthropic"]
    (opus,) = [each for each in published[0]["models"] if each["id"] == "claude-opus-4-6"]
    (batch,) = [variant for variant in opus["price_variants"] if variant["when"] == {"processing": "batch"}]
    batch["prices"]["input_mtok"] = 2.6
    del batch["constraint"]  # since ever: which is not half of 5
    query = {"name": "data.json", "replace": "true"}
    made = await propose(operator, json.dumps(published), **query)
    said = [each["message"] for each in made["review"]["findings"] if each["rule"] == "corrections"]
    assert any("is contradicted" in each and "0.0000026 a unit, the rule 0.0000025" in each for each in said)
    await approve(operator, made["id"], confirm=True)
    entries, _ = await read_publication(book.connection)
    gone = {key for entry in entries if isinstance(entry, Withdrawal) for key in entry.entries}
    ours = {entry.id for entry in anthropic if entry.by == "spendmeter"}
    assert ours and ours <= known - gone, "no correction is undone"


async def test_a_proposal_that_was_made_before_effects_were_said_is_still_shown(
    operator: httpx.AsyncClient, book: Book
) -> None:
    made = await propose(operator, price_file("n"))
    await book.connection.execute("UPDATE catalog_proposals SET review = review - 'effect' - 'not_taken'")
    answer = await operator.get(f"/v1/catalog/proposals/{made['id']}")
    assert (answer.status_code, answer.json()["review"]["effect"]) == (200, None)
    assert (await approve(operator, made["id"]))["review"]["effect"]["keep"] == 0


async def test_a_rate_that_is_withdrawn_concerns_those_who_were_converted_by_it(
    operator: httpx.AsyncClient, book: Book
) -> None:
    rate = identified(
        FxRate(
            base="USD", quote="EUR", rate="0.9", effective_from=RECORDED, source="test", recorded_at=RECORDED
        )
    )
    await record(book.connection, [rate, terms("globex", currency="EUR")], by="test", note="")
    await booked(book, "acme", "a")
    await booked(book, "globex", "b")
    gone = await propose(operator, "", withdraw=rate.id)
    assert gone["review"]["effect"]["keep"] == 1
