"""Keeps true-ups: works out a tenant's periods when a day is over, when something of an earlier one has
changed and when the catalog has, and books what is left to do, in one transaction with its marks.

Killed anywhere, or overtaken, it has done nothing, and who comes after works out the same. Run twice, it
finds nothing left to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from services.corrector.fence import Standing, move
from services.corrector.price_books import NotPublished, VersionBooks
from services.corrector.projections.projector import SQL as PROJECTIONS_SQL
from services.corrector.true_ups.due import BookedTrueUp, Reckoning, TermPeriod, TermStanding, UsedOnDay
from services.corrector.true_ups.statements import SQL
from services.corrector.true_ups.written import write
from spendmeter.book.changed import TenantDay, day_of
from spendmeter.platform.telemetry import log
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.period_terms import TenantPeriodTerms
from spendmeter.pricing.price_book import PriceBook

GRACE = timedelta(minutes=10)
"""After midnight of UTC a day is counted: what comes later makes a revision."""
FOLDED_WITHIN = timedelta(minutes=1)
"""While an older entry waits to be folded the cells are no days' sums, and nothing is worked out."""
RECKONING_MAX = "10min"
"""So long a transaction may be silent while a tenant's years are added up: it holds nothing that others wait
for until it moves the corrector's row."""
RESTS = 20
"""A tenant rests for so many times as long as it took: what comes late all day takes a twentieth of the
corrector at most, and makes as many fewer revisions the more there are."""
DAYS_BACK = 400
"""So far back lie days that other terms, names or rates are applied to: no older event is accepted."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What a committed transaction has done."""

    standing: Standing
    booked: int = 0
    changed: Sequence[TenantDay] = ()
    more: bool = False
    """Whether another tenant may be due just now."""


@dataclass(kw_only=True, eq=False)
class TrueUpKeeper:
    """`look` works out one tenant that is due."""

    books: VersionBooks = field(default_factory=VersionBooks)
    rests: float = RESTS
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._resting: dict[str, float] = {}
        """By tenant, until when; those alone that still do."""

    async def look(self, connection: Any, standing: Standing, now: datetime) -> Kept:
        """Bring the periods of one tenant up to date. Raises Overtaken."""
        horizon, began = (now.astimezone(UTC) - GRACE).date(), self.clock()
        self._resting = {tenant: until for tenant, until in self._resting.items() if until > began}
        newest = await connection.fetchval(SQL["newest"]) or 0
        tenant = await connection.fetchval(SQL["due_tenant"], horizon, newest, list(self._resting))
        if tenant is None:
            await connection.execute(SQL["forget_others"])
            return Kept(standing=standing)
        basis = await connection.fetchval(SQL["basis"], tenant, newest)
        if await connection.fetchval(SQL["is_worked_out"], tenant, horizon, basis):
            async with connection.transaction():
                after = await move(connection, standing)
                await connection.execute(SQL["put_mark"], tenant, horizon, newest, basis)
            return Kept(standing=after, more=True)
        if not await _is_folded(connection, now):
            return Kept(standing=standing)
        try:
            book = await self.books.at(connection, tenant, newest)
        except (NotPublished, CatalogError) as error:
            log().error("true-ups wait for a catalog that can be read", tenant=tenant, reason=str(error))
            after = await _pass_over(connection, standing, tenant, horizon, newest)
            return Kept(standing=after, more=True)
        try:
            async with connection.transaction():
                return await self._keep(connection, standing, tenant, book, horizon, basis)
        finally:
            took = self.clock() - began
            self._resting[tenant] = began + took + self.rests * took

    async def _keep(
        self,
        connection: Any,
        standing: Standing,
        tenant: str,
        book: PriceBook,
        horizon: date,
        basis: str,
    ) -> Kept:
        terms = TenantPeriodTerms(book.period_terms, book.agreement(tenant))
        for reason in terms.refused.values():
            log().warning("a term of a period cannot be booked", tenant=tenant, reason=reason)
        days = await _days_due(connection, tenant, basis, horizon)
        standings, left = [], []
        silent_max = await connection.fetchval(SQL["silent_max"])
        await connection.execute(SQL["be_silent"], RECKONING_MAX)
        if days:
            wanted = await _wanted(connection, tenant, terms, days)
            standings = await _standings(connection, tenant, book, terms, horizon, wanted)
            left = sorted(wanted - {(each.term, each.period) for each in standings})
        booked = [each for each in standings if each.amount]
        await connection.execute(SQL["be_silent"], silent_max)
        after = await move(connection, standing, entries=len(booked))
        await write(connection, tenant, book, standing.next_entry, booked)
        for each in standings:
            await connection.execute(SQL["put_period"], *_period_row(tenant, each, book.version))
        for term, (start, _) in left:
            await connection.execute(SQL["drop_period"], tenant, term, start)
        await connection.execute(SQL["put_mark"], tenant, horizon, book.version, basis)
        changed = [day_of(tenant, each.at) for each in booked]
        return Kept(standing=after, booked=len(booked), changed=changed, more=True)


async def _pass_over(
    connection: Any, standing: Standing, tenant: str, horizon: date, version: int
) -> Standing:
    """Until the next version, by which all of its days are worked out: others come after it."""
    async with connection.transaction():
        after = await move(connection, standing)
        await connection.execute(SQL["take_due"], tenant, horizon)
        await connection.execute(SQL["put_mark"], tenant, horizon, version, "")
    return after


async def _is_folded(connection: Any, now: datetime) -> bool:
    """Whether the cells hold what was booked but for the last minute's."""
    for row in await connection.fetch(PROJECTIONS_SQL["standing"], ["cells"]):
        folded = row["next_offset"] or 0
        if folded >= row["book_offset"]:
            continue
        waits = row["partition"], folded, row["book_offset"], row["begun_at"], row["ended_at"]
        since = await connection.fetchval(SQL["waits_for"], *waits)
        if since is not None and since < now - FOLDED_WITHIN:
            return False
    return True


async def _days_due(connection: Any, tenant: str, basis: str, horizon: date) -> Sequence[tuple[date, date]]:
    """Spans of days whose periods are to be worked out again."""
    due = await connection.fetch(SQL["take_due"], tenant, horizon)
    mark = await connection.fetchrow(SQL["mark"], tenant)
    if mark is None or mark["basis"] != basis:
        return [(horizon - timedelta(days=DAYS_BACK), horizon)]
    day = timedelta(days=1)
    spans = [(each, each + day) for each in sorted({row["day"] for row in due})]
    if mark["horizon"] < horizon:
        spans.append((mark["horizon"], horizon))
    return spans


async def _wanted(
    connection: Any, tenant: str, terms: TenantPeriodTerms, spans: Sequence[tuple[date, date]]
) -> set[TermPeriod]:
    """The periods that reach into the spans, of what counts now and of what did before."""
    wanted: set[TermPeriod] = set()
    for since, until in spans:
        wanted |= terms.within(since, until)
        rows = await connection.fetch(SQL["periods"], tenant, since, until)
        wanted |= {(row["term"], (row["period_start"], row["period_end"])) for row in rows}
    return wanted


async def _standings(
    connection: Any,
    tenant: str,
    book: PriceBook,
    terms: TenantPeriodTerms,
    horizon: date,
    wanted: set[TermPeriod],
) -> list[TermStanding]:
    if not wanted:
        return []
    since = min(start for _, (start, _) in wanted)
    until = max(end for _, (_, end) in wanted)
    uses = await connection.fetch(SQL["uses"], tenant, since, min(until, horizon))
    earlier = await connection.fetch(SQL["booked"], tenant, since, until)
    reckoning = Reckoning(
        tenant=tenant,
        book=book,
        terms=terms,
        horizon=horizon,
        uses=[UsedOnDay(*row) for row in uses],
        earlier=[_booked(row) for row in earlier],
    )
    return await asyncio.to_thread(reckoning.standings, wanted)


def _booked(row: Any) -> BookedTrueUp:
    said = dict(row)
    return BookedTrueUp(period=(said.pop("period_start"), said.pop("period_end")), **said)


def _period_row(tenant: str, each: TermStanding, version: int) -> tuple[Any, ...]:
    return (
        tenant, each.term, *each.period, each.covered_to, each.ended, each.effect, each.provider,
        list(each.units), each.cost_class, each.currency, each.quantity, each.booked, each.due, each.trued_up,
        each.used, each.unused, each.revision + bool(each.amount), list(each.explanation), list(each.missing),
        each.refused, version,
    )  # fmt: skip
