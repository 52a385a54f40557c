"""A tenant's book of a version prices its usage as the book of all entries does, from a real catalog in Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta

import asyncpg
import pytest

from services.corrector import price_books
from services.corrector.price_books import NotPublished, VersionBooks, book_of
from spendmeter.contracts.catalog import CatalogEntry, Conditions, Price, Withdrawal, encode_catalog
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.catalog_store import record
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.databases import migrated_database
from tests.pricing.entries import NOON, RECORDED, adjustment, model, price, terms, used

EVERY_NTH_SKU = 9
OWN: list[CatalogEntry] = [
    terms("acme", contracts=("frame-9",), currency="EUR", effective_from=NOON - timedelta(days=9)),
    terms("globex", contracts=("frame-7",), fallback_event="2"),
    price("house-model", "input_tokens", "7", layer="organisation", tenant="acme"),
    price("house-model", "input_tokens", "70", layer="organisation", tenant="globex"),
    price("gpt-4o", "input_tokens", "1.5", layer="contract", contract="frame-9", kind="contracted"),
    price("gpt-4o", "input_tokens", "1.25", layer="contract", contract="frame-7", kind="contracted"),
    adjustment("rebate", "0.9", layer="contract", contract="frame-9", kind="contracted"),
    adjustment("rebate", "0.5", layer="contract", contract="frame-7", kind="contracted"),
    price("gpt-4o", "output_tokens", "9", layer="organisation", tenant="globex", when=Conditions(tiers=("house-tier",))),
    price("gpt-9-giant", "input_tokens", "900", layer="organisation", tenant="globex"),
    model("gpt-9-giant", tenant="globex"),
]  # fmt: skip


def sample(entries: Sequence[CatalogEntry], tenant: str) -> Iterator[UsageEvent]:
    """What the tenant might use: of every ninth sku all units at once, in two ways of serving, and of names like it
    that nobody has stated."""
    units: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        if isinstance(entry, Price):
            units.setdefault((entry.provider, entry.sku), []).append(entry.unit)
    for provider, sku in [*list(units)[::EVERY_NTH_SKU], ("openai", "gpt-4o"), ("openai", "house-model"), ("openai", "gpt-9-giant")]:  # fmt: skip
        usage = dict.fromkeys(units[provider, sku], 1000)
        yield used(provider, sku, usage, tenant=tenant)
        yield used(provider, sku, usage, tenant=tenant, service_tier="house-tier", region="eu-west-1", at=NOON - timedelta(days=20))  # fmt: skip
        yield used(provider, f"{sku}-next", usage, tenant=tenant)


@pytest.mark.parametrize("tenant", ["acme", "globex", "nobody"])
def test_a_tenants_book_prices_its_usage_as_the_book_of_all_entries_does(tenant: str) -> None:
    """Line by line, to the reason on it: known models, unknown ones and their bounds, contracts, currencies."""
    gone = identified(Withdrawal(entries=(OWN[2].id, OWN[3].id), source="test", recorded_at=RECORDED))
    entries = [published(entry, 1) for entry in (*load_snapshot(), *OWN, gone)]
    full = PriceBook(entries, 1)
    own = book_of(
        tenant, 1, [encode_catalog(each).decode() for each in entries if each.tenant in ("", tenant)]
    )
    assert own.agreement("acme" if tenant == "globex" else "globex").stated == ()
    events = list(sample(entries, tenant))
    assert len(events) > 500
    assert [rate(event, own) for event in events] == [rate(event, full) for event in events]


@pytest.fixture(scope="module")
async def catalog(owner_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A database with three publications: a price; acme's own of the same; the first price withdrawn, another in its
    place."""
    connection = await asyncpg.connect(await migrated_database(owner_url, "price_books"))
    first = price("m", "input_tokens", "2")
    for entries in (
        [first],
        [price("m", "input_tokens", "1", layer="organisation", tenant="acme")],
        [
            identified(Withdrawal(entries=(first.id,), source="t", recorded_at=RECORDED)),
            price("m", "input_tokens", "3"),
        ],
    ):
        assert await record(connection, entries, by="test", note="test")
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("tenant", "costs"),
    [("acme", ["2", "1", "1"]), ("globex", ["2", "2", "3"])],
    ids=["its own", "everybody's"],
)
async def test_a_version_is_what_was_published_up_to_it_and_not_withdrawn_by_then(
    catalog: asyncpg.Connection, tenant: str, costs: list[str]
) -> None:
    books, event = VersionBooks(), used("openai", "m", {"input_tokens": 1_000_000}, tenant=tenant)
    last = await catalog.fetchval("SELECT max(version) FROM catalog_publications")
    found = [rate(event, await books.at(catalog, tenant, version)) for version in range(last - 2, last + 1)]
    assert [str(rating.effective.normalize()) for rating in found] == costs
    assert [rating.catalog_version for rating in found] == [last - 2, last - 1, last]


async def test_a_version_that_nobody_published_is_refused(catalog: asyncpg.Connection) -> None:
    with pytest.raises(NotPublished, match="no version 99"):
        await VersionBooks().at(catalog, "acme", 99)


async def test_tenants_that_have_agreed_nothing_share_a_book_and_no_more_than_three_are_kept(
    catalog: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    monkeypatch.setattr(price_books, "book_of", lambda *a: made.append(a[:2]) or book_of(*a))
    books, last = VersionBooks(), await catalog.fetchval("SELECT max(version) FROM catalog_publications")
    assert await books.at(catalog, "globex", last) is await books.at(catalog, "initech", last)
    for version in (last - 2, last - 1, last):
        await books.at(catalog, "acme", version)
    await books.at(catalog, "initech", last)  # the eldest, and gone
    assert made == [("", last), ("", last - 2), ("acme", last - 1), ("acme", last), ("", last)]
