"""A book whose cells are folded and whose periods are worked out, by a clock of the test's."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec.structs import replace

from services.corrector.fence import read_standing
from services.corrector.projections.projector import Projector
from services.corrector.true_ups.keeper import TrueUpKeeper
from spendmeter.contracts.catalog import Conditions, PeriodTerm
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.catalog import learn_catalog
from spendmeter.verify.closings import check_closings
from spendmeter.verify.corrections import check_corrections
from spendmeter.verify.entries import Entries
from spendmeter.verify.projections import check_projections
from spendmeter.verify.report import Report
from spendmeter.verify.rollups import check_in_database
from spendmeter.verify.streams import KnownSeries
from spendmeter.verify.true_ups import check_true_ups
from tests.corrector.written_book import Book
from tests.databases import SECRET
from tests.ledger_records import TOPIC, usage_event

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
STARTED = datetime(2026, 11, 1, tzinfo=UTC)
NOVEMBER = STARTED.date()


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def term(effect: str, **said: Any) -> PeriodTerm:
    """Of gpt-4o's input tokens at OpenAI, of acme's own, from November on, unless `said` otherwise."""
    said = {
        "provider": "openai", "units": ("input_tokens",), "tenant": "acme", "layer": "contract", "source": "test",
        "recorded_at": STARTED, "when": Conditions(effective_from=STARTED),
    } | said  # fmt: skip
    return identified(PeriodTerm(effect=effect, **said))


@dataclass(kw_only=True)
class TrueUpBook:
    book: Book
    projector: Projector
    keeper: TrueUpKeeper = field(default_factory=lambda: TrueUpKeeper(rests=0))
    passed_over: dict[Any, Any] = field(default_factory=dict)
    """By verify, when it came last."""
    _used: int = 0

    async def use(self, tokens: int, time: datetime = NOW, tenant: str = "acme", **said: Any) -> str:
        """One event of input tokens of gpt-4o, 2.5 USD a million."""
        self._used += 1
        name = f"e{self._used}"
        said = {"usage": {"input_tokens": tokens}} | said
        await self.book.book_events(usage_event(name, tenant=tenant, time=time, **said))
        return name

    async def use_sku(self, sku: str, tokens: int, output: int, time: datetime) -> str:
        """One event of another model."""
        self._used += 1
        event = usage_event(
            f"e{self._used}", time=time, usage={"input_tokens": tokens, "output_tokens": output}
        )
        await self.book.book_events(replace(event, data=replace(event.data, sku=sku)))
        return event.id

    async def reckon(self, now: datetime = NOW) -> int:
        """Fold, and work out whatever is due; how many true-ups were booked."""
        await self.projector.catch_up()
        booked = 0
        while True:
            standing = await read_standing(self.book.corrector, TOPIC)
            kept = await self.keeper.look(self.book.corrector, standing, now)
            booked += kept.booked
            if not kept.more:
                await self.projector.catch_up()
                return booked

    async def true_ups(self, term: PeriodTerm | None = None) -> list[Decimal]:
        """The amounts, in the order of their revisions."""
        rows = await self.book.owner.fetch(
            "SELECT amount FROM true_ups WHERE $1::text IS NULL OR term = $1 ORDER BY term, period_start, revision",
            term and term.id,
        )
        return [row["amount"] for row in rows]

    async def period(self, term: PeriodTerm, start: date = NOVEMBER) -> dict[str, Any]:
        row = await self.book.owner.fetchrow(
            "SELECT * FROM true_up_periods WHERE term = $1 AND period_start = $2", term.id, start
        )
        return dict(row) if row else {}

    async def faults(self) -> list[str]:
        """What verify finds wrong with it."""
        report = Report()
        entries = Entries(report=report)
        async with self.book.owner.transaction(isolation="repeatable_read", readonly=True):
            await learn_catalog(self.book.owner, entries, report)
            await check_in_database(self.book.owner, report)
            await check_projections(self.book.owner, report)
            await check_corrections(self.book.owner, entries, KnownSeries(self.book.owner))
            await check_true_ups(self.book.owner, entries)
            await check_closings(self.book.owner, report)
        self.passed_over = dict(report.unchecked["I4"])
        return [f"{each.what}: {each.row}" for found in report.named.values() for each in found]

    async def spent(
        self, tenant: str = "acme", table: str = "rollups_minute"
    ) -> tuple[int, Decimal, Decimal]:
        """(events, contracted, effective)."""
        row = await self.book.owner.fetchrow(
            f"SELECT coalesce(sum(events), 0)::bigint, coalesce(sum(contracted), 0), coalesce(sum(effective), 0) "
            f"FROM {table} WHERE tenant = $1",
            tenant,
        )
        return tuple(row)


@asynccontextmanager
async def opened(book: Book, database: str) -> AsyncIterator[TrueUpBook]:
    await book.owner.execute(
        "INSERT INTO tenants (tenant, name) VALUES ('acme', 'Acme'), ('globex', 'Globex') ON CONFLICT DO NOTHING"
    )
    url = role_url(database, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        yield TrueUpBook(book=book, projector=Projector(pool=pool, meters=Meters()))
