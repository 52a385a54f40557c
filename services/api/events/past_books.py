"""The book of prices of earlier versions, as far as one event needs it; what was read last is kept.

A version never changes, so nothing here is ever out of date.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from services.api.database.transactions import TenantConnection
from services.api.events.receipt import possible_sellers, possible_skus
from spendmeter.book.entry import ENTRY_PARTS
from spendmeter.contracts.catalog import (
    Adjustment,
    Alias,
    CalendarEntry,
    CatalogEntry,
    Model,
    NameRule,
    Price,
    Provider,
    Spelling,
    TenantTerms,
    UnitEntry,
    decode_catalog,
)
from spendmeter.contracts.events import UsageEvent
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.visibility import Viewer, viewer

KEPT_MAX = 8
"""Of each kind: the names of a seller's models are some MB."""
GENERAL = (Provider, UnitEntry, CalendarEntry, Spelling, NameRule, TenantTerms, Adjustment)

SQL = load_sql(Path(__file__).with_name("events.sql"), ENTRY_PARTS)

_BookKey = tuple[str, int, tuple[str, ...], frozenset[str]]
"""Tenant, version, sellers, skus."""
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Last(Generic[K, V]):
    """The last KEPT_MAX that were used."""

    def __init__(self) -> None:
        self.kept: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self.kept:
            self.kept.move_to_end(key)
        return self.kept.get(key)

    def put(self, key: K, value: V) -> V:
        self.kept[key] = value
        if len(self.kept) > KEPT_MAX:
            self.kept.popitem(last=False)
        return value


class _Names(NamedTuple):
    """Whose prices an event may be charged at, and all that says which they are."""

    viewer: Viewer
    sellers: tuple[str, ...]
    entries: list[CatalogEntry]
    book: PriceBook
    """What names mean there, by everybody's entries."""


class PastBooks:
    """`await books.of(connection, event, version)`, in the event's tenant's transaction."""

    def __init__(self) -> None:
        self._names: _Last[tuple[str, int, str, str], _Names] = _Last()
        self._books: _Last[tuple[str, int, tuple[str, ...], frozenset[str]], PriceBook | CatalogError] = (
            _Last()
        )

    @property
    def size(self) -> int:
        """Kept books, those of names among them."""
        return len(self._names.kept) + len(self._books.kept)

    async def of(
        self, connection: TenantConnection, event: UsageEvent, version: int
    ) -> PriceBook | CatalogError:
        """What the book of a version had for the event, as far as its tenant may see it."""
        names = await self._names_of(connection, event, version)
        skus = frozenset(possible_skus(event, names.book))
        key = event.tenant, version, names.sellers, skus
        known = self._books.get(key)
        if known is not None:
            return known
        prices = await _entries(connection, version, Price, of=names.sellers, skus=skus)
        try:
            book = PriceBook(names.viewer.visible([*names.entries, *prices]), version)
        except CatalogError as error:
            return self._books.put(key, error)
        return self._books.put(key, book)

    async def _names_of(self, connection: TenantConnection, event: UsageEvent, version: int) -> _Names:
        key = event.tenant, version, event.data.provider, event.data.sku
        known = self._names.get(key)
        if known is not None:
            return known
        general = await _entries(connection, version, *GENERAL, of=None, skus={""})
        sellers = possible_sellers(event, general)
        entries = [*general, *await _entries(connection, version, Model, Alias, of=sellers, skus=None)]
        book = PriceBook(each for each in entries if isinstance(each, Provider | Model | Alias | NameRule))
        return self._names.put(key, _Names(viewer(event.tenant, general), sellers, entries, book))


async def _entries(
    connection: TenantConnection,
    version: int,
    *kinds: type[Any],
    of: tuple[str, ...] | None,
    skus: set[str] | frozenset[str] | None,
) -> list[Any]:
    types = [kind.__struct_config__.tag for kind in kinds]
    rows = await connection.fetch(SQL["catalog_candidates"], version, types, of, skus)
    return [decode_catalog(row["body"]) for row in rows]
