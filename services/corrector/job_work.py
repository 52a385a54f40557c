"""What a job needs to be worked at: its book, the series it selects, what became of catalog entries.

A tenant may have a million series: those of a chunk are looked up with it, and some are remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
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

SPENDERS_MAX = 10_000
"""Series that are remembered with whose spend they are: some 4 MB."""
SERIES_MAX = 10_000
"""Selected by provider and model, and named to Postgres. Where more are, it is asked for all of the tenant's
entries, and those of a chunk are looked at one by one."""
SERIES_READ = 10_000

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
    _knows_series: bool = False

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
        pass's barrier: what has others is booked late, or by no older version. None = all, or so many that
        `selected` is to be asked."""
        if not self._knows_series:
            self._series = await self._named_series(connection) if self.is_by_name else None
            self._knows_series = True
        return self._series

    async def selected(self, connection: Any, entries: Sequence[EntryInForce]) -> Sequence[EntryInForce]:
        """Those of a series and of a time that are selected."""
        since, until = self.selection.since, self.selection.until
        entries = [
            entry
            for entry in entries
            if not (since and entry.occurred_at < since) and not (until and entry.occurred_at >= until)
        ]
        if not self.is_by_name:
            return entries
        spenders = await self.spenders(connection, {entry.series_id for entry in entries})
        named = {key for key, spender in spenders.items() if self._is_named(spender.provider, spender.sku)}
        return [entry for entry in entries if entry.series_id in named]

    async def spenders(self, connection: Any, series: Set[bytes]) -> Mapping[bytes, Spender]:
        """Whose spend each of these series is: a chunk's, at most."""
        found = {key: self._spenders[key] for key in series if key in self._spenders}
        if missing := series - found.keys():
            rows = await connection.fetch(SQL["spenders"], self.tenant, list(missing))
            read = {row["series_id"]: Spender(row["team"], row["provider"], row["sku"]) for row in rows}
            if len(self._spenders) + len(read) > SPENDERS_MAX:
                self._spenders.clear()
            self._spenders |= read
            found |= read
        return found

    async def concerned(
        self, connection: Any, found: Sequence[RepricedEntry]
    ) -> list[tuple[RepricedEntry, list[CauseStep]]]:
        """Those of the repriced that the job is about, each with its difference by cause."""
        if unknown := entries_named(found) - self._asked:
            for row in await connection.fetch(SQL["facts"], list(unknown), self.version):
                self._facts[row["id"]] = EntryFacts(row["version"], row["withdrawn"])
            self._asked |= unknown
        return list(concerned(found, self.reach, self._facts))

    async def _named_series(self, connection: Any) -> list[bytes] | None:
        named: list[bytes] = []
        last = b""
        while len(named) <= SERIES_MAX:
            rows = await connection.fetch(SQL["series"], self.tenant, last, SERIES_READ)
            names = {(row["provider"], row["sku"]) for row in rows}
            wanted = {name for name in names if self._is_named(*name)}
            named += [row["series_id"] for row in rows if (row["provider"], row["sku"]) in wanted]
            if len(rows) < SERIES_READ:
                return named if len(named) <= SERIES_MAX else None
            last = rows[-1]["series_id"]
        return None

    @property
    def is_by_name(self) -> bool:
        """Whether providers or models are selected."""
        return bool(self.selection.providers or self.selection.skus)

    def _is_named(self, provider: str, sku: str) -> bool:
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
