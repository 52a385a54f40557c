"""The book of one version of the catalog, as it prices one tenant's usage.

Of everybody's entries and the tenant's own: what others have agreed prices nothing of its usage
(docs/decisions/corrector-books.md).
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spendmeter.contracts.catalog import CatalogEntry, UnitEntry, Withdrawal, decode_catalog
from spendmeter.contracts.units import UNITS
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.visibility import viewer

SQL = load_sql(Path(__file__).with_name("sql") / "price_books.sql")
BOOKS_MAX = 3
"""Of the shipped catalog a book with its entries takes some 20 MB, and a tenth of a second to be made."""
UNITS_MAX = 500
"""Versions whose units are remembered."""
ENTRIES_MAX = 200_000
"""Of all remembered books, at some 1 kB each. One book may have more, and is then the only one."""


class NotPublished(Exception):
    """There is no such version of the catalog."""


class VersionBooks:
    """`await at(connection, tenant, version)`; the last few are remembered, the eldest goes first."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, int], tuple[PriceBook, int]] = {}

    async def at(self, connection: Any, tenant: str, version: int) -> PriceBook:
        """What prices the tenant's usage by this version. Raises NotPublished, and CatalogError where the
        entries make no book."""
        if known := self._books.pop((tenant, version), None):
            self._books[tenant, version] = known
            return known[0]
        whose = await connection.fetchrow(SQL["whose"], tenant, version)
        if whose is None:
            raise NotPublished(f"the catalog has no version {version}")
        if not whose["own_entries"] and tenant:
            return await self.at(connection, "", version)  # one book for all who have agreed nothing
        rows = await connection.fetch(SQL["entries"], tenant, version)
        book = await asyncio.to_thread(book_of, tenant, version, [row["body"] for row in rows])
        self._remember((tenant, version), book, len(rows))
        return book

    def _remember(self, key: tuple[str, int], book: PriceBook, entries: int) -> None:
        self._books[key] = book, entries
        while len(self._books) > BOOKS_MAX or (
            len(self._books) > 1 and sum(count for _, count in self._books.values()) > ENTRIES_MAX
        ):
            del self._books[next(iter(self._books))]


class VersionUnits:
    """`await at(connection, version)`: the units that a version had, as keys. They never change."""

    def __init__(self) -> None:
        self._units: dict[int, Mapping[str, object]] = {}

    async def at(self, connection: Any, version: int) -> Mapping[str, object]:
        """Of what is registered, and what the catalog added."""
        if (known := self._units.get(version)) is None:
            rows = await connection.fetch(SQL["units"], version, [_tag(UnitEntry), _tag(Withdrawal)])
            entries = [decode_catalog(row["body"]) for row in rows]
            gone = {name for each in entries if isinstance(each, Withdrawal) for name in each.entries}
            added = [each.unit for each in entries if isinstance(each, UnitEntry) and each.id not in gone]
            if len(self._units) >= UNITS_MAX:
                self._units.clear()
            known = self._units[version] = dict.fromkeys([*UNITS, *added])
        return known


def _tag(kind: type[CatalogEntry]) -> str:
    return str(kind.__struct_config__.tag)


def book_of(tenant: str, version: int, bodies: Sequence[str]) -> PriceBook:
    """The tenant's book of these entries, as they were published: without prices of contracts that it never
    had, and without what a withdrawal names of others. Raises CatalogError."""
    entries = [decode_catalog(body) for body in bodies]
    return PriceBook(viewer(tenant, entries).visible(entries), version)
