"""What a job needs to be worked at: its book, the series it selects, what became of catalog entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from services.corrector.differences import Spender
from services.corrector.in_force import EntryInForce
from services.corrector.minutes import MinutePlan
from services.corrector.price_books import VersionBooks
from services.corrector.rerating import RepricedEntry, concerned, entries_named
from services.corrector.selection import PublicationReach, is_named
from spendmeter.contracts.corrections import Selection
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.causes import CauseStep, EntryFacts
from spendmeter.pricing.price_book import PriceBook

SQL = load_sql(Path(__file__).with_name("sql") / "rerates.sql")

JobName = tuple[str, str]
"""(tenant, id): each tenant has ids of its own."""


def name_of(job: Any) -> JobName:
    """Of the job in a row."""
    return job["tenant"], job["rerate_id"]


@dataclass(frozen=True, kw_only=True)
class DryRunPosition:
    """Where the book stood when a dry run began."""

    booked_to: Sequence[int]
    """By partition, the next offset."""
    corrected_to: int
    """The number of the corrector's next entry."""

    def has(self, entry: EntryInForce) -> bool:
        """Whether the entry was there."""
        partition = entry.origin_partition
        if partition < 0:
            return entry.origin_offset < self.corrected_to
        return partition < len(self.booked_to) and entry.origin_offset < self.booked_to[partition]


@dataclass(kw_only=True)
class JobWork:
    """One job's, as long as its process works at it."""

    rerate_id: str
    tenant: str
    selection: Selection
    version: int
    book: PriceBook
    reach: PublicationReach | None
    dry_run: DryRunPosition | None
    """None = of before such positions were noted."""
    minutes: MinutePlan = field(default_factory=MinutePlan)
    _spenders: dict[bytes, Spender] = field(default_factory=dict)
    _facts: dict[str, EntryFacts] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)
    """Entries of which the facts were asked for, those too that the catalog does not know."""
    _series: list[bytes] | None = None

    @property
    def name(self) -> JobName:
        """Which job it is."""
        return self.tenant, self.rerate_id

    def is_since_dry_run(self, entry: EntryInForce) -> bool:
        """Whether an entry was booked, or corrected by others, since the dry run began: it did not see it."""
        if self.dry_run is None or entry.correction_id == self.rerate_id:
            return False
        return not self.dry_run.has(entry)

    async def series(self, connection: Any) -> list[bytes] | None:
        """Those that are selected by provider and model, as they were when it was first asked, after the
        pass's barrier: what has others is booked late, or by no older version. None = all."""
        if not (self.selection.providers or self.selection.skus):
            return None
        if self._series is None:
            await self._read_series(connection)
            self._series = [series_id for series_id in self._spenders if self._is_named(series_id)]
        return self._series

    async def takes(self, connection: Any, entry: EntryInForce) -> bool:
        """Whether a single entry is of a series and a time that are selected."""
        since, until = self.selection.since, self.selection.until
        if (since and entry.occurred_at < since) or (until and entry.occurred_at >= until):
            return False
        await self.spender(connection, entry.series_id)
        return self._is_named(entry.series_id)

    async def spender(self, connection: Any, series_id: bytes) -> Spender:
        """Whose spend a series is; one that came meanwhile is read."""
        if series_id not in self._spenders:
            await self._read_series(connection)
        return self._spenders[series_id]

    async def concerned(
        self, connection: Any, found: Sequence[RepricedEntry]
    ) -> list[tuple[RepricedEntry, list[CauseStep]]]:
        """Those of the repriced that the job is about, each with its difference by cause."""
        if unknown := entries_named(found) - self._asked:
            for row in await connection.fetch(SQL["facts"], list(unknown), self.version):
                self._facts[row["id"]] = EntryFacts(row["version"], row["withdrawn"])
            self._asked |= unknown
        return list(concerned(found, self.reach, self._facts))

    async def _read_series(self, connection: Any) -> None:
        rows = await connection.fetch(SQL["series"], self.tenant)
        self._spenders = {row["series_id"]: Spender(row["team"], row["provider"], row["sku"]) for row in rows}

    def _is_named(self, series_id: bytes) -> bool:
        _, provider, sku = self._spenders[series_id]
        return is_named(self.selection, self.tenant, provider, sku, self.book)


async def work_at(connection: Any, job: Any, books: VersionBooks) -> JobWork:
    """What the job in a row of `rerate_jobs` needs. Raises NotPublished, CatalogError, and
    msgspec.ValidationError for what no job selects by."""
    tenant, version = job["tenant"], job["version"]
    selection = msgspec.json.decode(job["selection"], type=Selection)
    reach = None
    if (publication := selection.publication) is not None:
        before = await books.at(connection, tenant, publication - 1) if publication > 1 else PriceBook([])
        after = await books.at(connection, tenant, publication)
        reach = PublicationReach(version=publication, before=before, after=after)
    return JobWork(
        rerate_id=job["rerate_id"],
        tenant=tenant,
        selection=selection,
        version=version,
        book=await books.at(connection, tenant, version),
        reach=reach,
        dry_run=None
        if job["booked_to"] is None
        else DryRunPosition(booked_to=job["booked_to"], corrected_to=job["corrected_to"]),
    )
