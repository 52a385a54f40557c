"""A catalog as a proposed change finds it, made short for tests."""

from __future__ import annotations

from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot


def snapshot(*entries: CatalogEntry, version: int = 1) -> CatalogSnapshot:
    return CatalogSnapshot(
        version=version, entries={entry.id: entry for entry in entries}, book=PriceBook(entries, version)
    )
