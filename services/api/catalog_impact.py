"""What a change of the catalog means in money: booked events of the last days, priced by both books."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, Inexact
from typing import Any

import asyncpg
from pydantic import BaseModel

from services.api.answers import Money
from services.api.catalog import SQL
from services.api.catalog_book import Standing
from services.api.database import Connection, Database
from services.api.receipt import read_event
from spendmeter.contracts.catalog import Adjustment, CatalogEntry, Model, PeriodTerm, Price, Withdrawal
from spendmeter.contracts.events import UsageData, UsageEvent
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook

IMPACT_DAYS = 30
IMPACT_EVENTS_MAX = 20_000
IMPACT_SECONDS_MAX = 8.0
_DAY = timedelta(days=1)


class Difference(BaseModel):
    """Effective cost of the events that were repriced, in one book currency."""

    currency: str
    before: Money
    after: Money
    difference: Money


class Impact(BaseModel):
    """`repriced` of `events` (null = too many to count in time) since `since`, the newest first, back to
    `reached`.

    Nothing is extrapolated: what was not repriced is not in the amounts. Events by status say what had no
    price, which no amount can.
    """

    since: datetime
    reached: datetime
    events: int | None
    repriced: int
    amounts: list[Difference]
    statuses_before: dict[str, int]
    statuses_after: dict[str, int]


async def impact(
    database: Database, acting: str, standing: Standing, after: PriceBook, added: Sequence[CatalogEntry],
    now: datetime,
) -> Impact:  # fmt: skip
    """The money of `added` for those whose prices `acting` may see."""
    since = now - timedelta(days=IMPACT_DAYS)
    deadline_s = time.monotonic() + IMPACT_SECONDS_MAX
    async with database.reading(acting) as connection:
        used = await connection.fetch(SQL["used"])
    books = standing.book, after
    touched = set(_touched(standing.entries, added))
    affected = await asyncio.to_thread(lambda: [row for row in used if _affected(row, touched, books)])
    series = [each for row in affected for each in row["series"]]
    events: list[UsageEvent] = []
    count: int | None = 0
    reached = since if not series else now + _DAY  # an event may be an hour ahead
    if series:
        tenants = sorted({row["tenant"] for row in affected})
        count = await _in_time(database, acting, deadline_s, "events_count", tenants, series, since)
    while reached > since and len(events) < IMPACT_EVENTS_MAX:
        left, until = IMPACT_EVENTS_MAX - len(events), reached
        day = await _in_time(
            database, acting, deadline_s, "events", series, max(since, until - _DAY), until, left, many=True
        )
        if day is None:
            break
        events += [read_event(row["event"]) for row in day]
        reached = day[-1]["occurred_at"] if len(day) == left else max(since, until - _DAY)
    ratings = [await asyncio.to_thread(_rated, events, book) for book in books]
    return Impact(
        since=since, reached=reached, events=count, repriced=len(events), amounts=_differences(*ratings),
        statuses_before=Counter(rating.status for rating in ratings[0]),
        statuses_after=Counter(rating.status for rating in ratings[1]),
    )  # fmt: skip


async def _in_time(
    database: Database, acting: str, deadline_s: float, name: str, *values: Any, many: bool = False
) -> Any:
    """The answer of a statement; None when time is up."""
    left_ms = int((deadline_s - time.monotonic()) * 1000)
    if left_ms <= 0:
        return None
    try:
        async with database.reading(acting) as connection:
            await _bound(connection, left_ms)
            return await (connection.fetch if many else connection.fetchval)(SQL[name], *values)
    except asyncpg.QueryCanceledError:
        return None


async def _bound(connection: Connection, left_ms: int) -> None:
    await connection.execute("SELECT set_config('statement_timeout', $1, true)", f"{left_ms}ms")


def _touched(entries: Mapping[str, CatalogEntry], added: Iterable[CatalogEntry]) -> Iterable[tuple[str, str]]:
    """Provider and sku of what changes; sku '' = all of the provider's, both '' = anything."""
    for entry in added:
        match entry:
            case Withdrawal():
                yield from _touched({}, [entries[each] for each in entry.entries])
            case Price() | Model():
                yield entry.provider.lower(), entry.sku.lower()
            case Adjustment():
                yield entry.provider.lower(), ""
            case PeriodTerm():
                pass  # trued up by the ledger; no event's own price
            case _:
                yield "", ""


def _affected(row: Any, touched: set[tuple[str, str]], books: tuple[PriceBook, PriceBook]) -> bool:
    """Whether either book prices this usage by what changes; what has no price is bounded by its siblings."""
    for book in books:
        plan = book.plan(row["tenant"], UsageData(provider=row["provider"], sku=row["sku"], usage={}))
        provider = plan.provider or ""
        if touched & {("", ""), (provider, ""), (provider, plan.sku or "")}:
            return True
        if plan.sku is None and any(provider == changed for changed, _ in touched):
            return True
    return False


def _rated(events: Sequence[UsageEvent], book: PriceBook) -> list[Rating]:
    ratings = []
    for event in events:
        try:
            ratings.append(rate(event, book))
        except Inexact as error:  # booked, so the old book could; the new price has digits beyond money
            raise CatalogError(
                f"what {event.data.provider}/{event.data.sku} costs would have more digits than money"
            ) from error
    return ratings


def _differences(before: Sequence[Rating], after: Sequence[Rating]) -> list[Difference]:
    sums: dict[str, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for which, ratings in enumerate((before, after)):
        for rating in ratings:
            pair = sums[rating.currency]
            pair[which] = EXACT.add(pair[which], rating.effective)
    return [
        Difference(currency=currency, before=old, after=new, difference=EXACT.subtract(new, old))
        for currency, (old, new) in sorted(sums.items())
    ]
