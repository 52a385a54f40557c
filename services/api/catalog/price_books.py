"""The catalog at its newest publication, compiled: what routes read it by, and proposals are checked with."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from services.api.catalog.sql import SQL
from services.api.database.transactions import Database
from spendmeter.contracts.catalog import CatalogEntry, decode_catalog
from spendmeter.platform.keys import OPERATOR
from spendmeter.platform.telemetry import log
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot


class CatalogTopic(Protocol):
    """What a recorder must know of the topic: after a restore it has versions that the database lacks."""

    async def looked(self) -> None:
        """Back when it was looked at, or after a while."""

    def refuses_after(self, version: int) -> str:
        """Why nothing may be recorded on top of this version; '' = it may."""


class NoTopic:
    """Nobody publishes here."""

    async def looked(self) -> None:
        """At once."""

    def refuses_after(self, version: int) -> str:
        """Nothing is refused."""
        return ""


class PriceBooks:
    """Follows Postgres: `newest` reads what is new. `recorded` is set by who records a publication, and wakes
    the publisher, who knows the `topic`."""

    def __init__(self, database: Database) -> None:
        self.recorded = asyncio.Event()
        self.topic: CatalogTopic = NoTopic()
        self._database = database
        self._snapshot = CatalogSnapshot(version=0, entries={}, book=PriceBook([]))
        self._lock = asyncio.Lock()
        self._next: asyncio.Task[CatalogSnapshot] | None = None
        """A reading that has not begun: it sees whatever was published before somebody asks for it."""

    async def newest(self) -> CatalogSnapshot:
        """As of the newest publication. However many ask while one is read, the next is read once for all of
        them. Raises CONNECTION_ERRORS."""
        if self._next is None:
            self._next = asyncio.create_task(self._read())
        return await asyncio.shield(self._next)

    async def _read(self) -> CatalogSnapshot:
        async with self._lock:
            self._next = None
            async with self._database.reading(OPERATOR) as connection:
                publication = await connection.fetchrow(SQL["publication"])
                version = publication["version"] if publication else 0
                if version == self._snapshot.version:
                    return self._snapshot
                since = self._snapshot.version if version > self._snapshot.version else 0
                rows = await connection.fetch(SQL["entries"], since, version)
            known = self._snapshot.entries if since else {}
            self._snapshot = await asyncio.to_thread(_compile, known, rows, version, self._snapshot.book)
            return self._snapshot


def _compile(
    known: Mapping[str, CatalogEntry], rows: Sequence[Any], version: int, last: PriceBook
) -> CatalogSnapshot:
    more = [decode_catalog(row["body"]) for row in rows]
    entries = {**known, **{entry.id: entry for entry in more}}
    try:
        book = PriceBook(entries.values(), version)
    except CatalogError as error:
        log().error("the newest publication is no price book", version=version, reason=str(error))
        book = last
    return CatalogSnapshot(version=version, entries=entries, book=book)
