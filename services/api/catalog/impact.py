"""What a change of the catalog means in money: booked events of the last days, priced by both books."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal, Inexact
from typing import Any, Literal

import asyncpg
from pydantic import BaseModel, Field

from services.api.catalog.book import Standing
from services.api.catalog.publisher import SQL
from services.api.database.transactions import Database, TenantConnection
from services.api.events.receipt import read_event
from services.api.http.models import PlainDecimal
from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    CatalogEntry,
    FxRate,
    Model,
    PeriodTerm,
    Price,
    TenantTerms,
    UnitEntry,
    Withdrawal,
)
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
    before: PlainDecimal
    after: PlainDecimal
    difference: PlainDecimal


class Effect(BaseModel):
    """What approving does, and does not: nothing that is booked is priced again."""

    says: str
    keep: int | None = Field(
        description="events booked since `since` that it concerns and that keep their price; null = too many "
        "to count in time"
    )
    since: datetime


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


async def effect(
    database: Database, acting: str, standing: Standing, after: PriceBook, added: Sequence[CatalogEntry],
    now: datetime,
) -> Effect:  # fmt: skip
    """How many booked events `added` concerns and leaves as they are."""
    deadline_s = time.monotonic() + IMPACT_SECONDS_MAX
    since = _since(now)
    affected = await _concerned(database, acting, (standing.book, after), standing.entries, added)
    named = [row for row, by_name in affected if by_name]
    return _effect(await _counted(database, acting, deadline_s, named, since), since)


def _effect(keep: int | None, since: datetime) -> Effect:
    day = f"{since:%Y-%m-%d %H:%M}Z"
    if keep is None:
        kept = f"what is booked keeps its price (more events since {day} than could be counted)"
    elif keep == 1:
        kept = f"1 event booked since {day} keeps its price"
    elif keep:
        kept = f"{keep:,} events booked since {day} keep their price"
    else:
        kept = f"nothing booked since {day} is concerned"
    return Effect(says=f"usage from now on; {kept}", keep=keep, since=since)


def _since(now: datetime) -> datetime:
    """To the minute, as rollups count."""
    return (now - timedelta(days=IMPACT_DAYS)).replace(second=0, microsecond=0)


async def _concerned(
    database: Database, acting: str, books: tuple[PriceBook, PriceBook], entries: Mapping[str, CatalogEntry],
    added: Sequence[CatalogEntry],
) -> list[tuple[Any, bool]]:  # fmt: skip
    """Whose usage of what may be priced otherwise from now on, and whether the change is of itself: what has
    no price is bounded by its siblings."""
    async with database.reading(acting) as connection:
        used = await connection.fetch(SQL["used"])
    touched = set(_touched(entries, added))

    def look() -> list[tuple[Any, bool]]:
        found = ((row, _affected(row, touched, books)) for row in used)
        return [(row, how == "named") for row, how in found if how]

    return await asyncio.to_thread(look)


async def _counted(
    database: Database, acting: str, deadline_s: float, affected: Sequence[Any], since: datetime
) -> int | None:
    """How many events of these are booked since then; None = too many to count in time."""
    if not affected:
        return 0
    tenants = sorted({row["tenant"] for row in affected})
    series = [each for row in affected for each in row["series"]]
    count: int | None = await _in_time(database, acting, deadline_s, "events_count", tenants, series, since)
    return count


async def impact(
    database: Database, acting: str, standing: Standing, after: PriceBook, added: Sequence[CatalogEntry],
    now: datetime,
) -> tuple[Impact, Effect]:  # fmt: skip
    """The money of `added` for those whose prices `acting` may see, and what approving it leaves as it is."""
    since = _since(now)
    deadline_s = time.monotonic() + IMPACT_SECONDS_MAX
    books = standing.book, after
    concerned = await _concerned(database, acting, books, standing.entries, added)
    affected = [row for row, _ in concerned]
    named = [row for row, by_name in concerned if by_name]
    series = [each for row in affected for each in row["series"]]
    events: list[UsageEvent] = []
    reached = since if not series else now + _DAY  # an event may be an hour ahead
    count = await _counted(database, acting, deadline_s, affected, since)
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
    money = Impact(
        since=since, reached=reached, events=count, repriced=len(events), amounts=_differences(*ratings),
        statuses_before=Counter(rating.status for rating in ratings[0]),
        statuses_after=Counter(rating.status for rating in ratings[1]),
    )  # fmt: skip
    if len(named) != len(affected):
        count = await _counted(database, acting, deadline_s, named, since)
    return money, _effect(count, since)


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


async def _bound(connection: TenantConnection, left_ms: int) -> None:
    await connection.execute("SELECT set_config('statement_timeout', $1, true)", f"{left_ms}ms")


_Subject = tuple[str, str, str, str]
"""Provider, sku, book currency and tenant of what changes; '' = any."""


def _touched(
    entries: Mapping[str, CatalogEntry], added: Iterable[CatalogEntry], gone: bool = False
) -> Iterable[_Subject]:
    for entry in added:
        match entry:
            case Withdrawal():
                yield from _touched({}, [entries[each] for each in entry.entries], gone=True)
            case Price() | Model():
                yield entry.provider.lower(), entry.sku.lower(), "", ""
            case Adjustment():
                yield entry.provider.lower(), "", "", ""
            case FxRate():
                yield "", "", entry.quote, ""
            case TenantTerms():
                yield "", "", "", entry.tenant
            case PeriodTerm():
                pass  # trued up by the ledger; no event's own price
            case CalendarEntry() | UnitEntry(parent=None) if not gone:
                pass  # nothing is priced by it but what is stated with it
            case _:
                yield "", "", "", ""


def _affected(
    row: Any, touched: set[_Subject], books: tuple[PriceBook, PriceBook]
) -> Literal["named", "sibling"] | None:
    """Whether either book prices this usage by what changes, or bounds it by a sibling that does."""
    sibling = False
    for book in books:
        plan = book.plan(row["tenant"], UsageData(provider=row["provider"], sku=row["sku"], usage={}))
        provider = plan.provider or ""
        of_it = {(provider, "", "", ""), (provider, plan.sku or "", "", "")}
        of_it |= {("", "", currency, "") for currency in book.agreement(row["tenant"]).currencies}
        if touched & {("", "", "", ""), ("", "", "", row["tenant"]), *of_it}:
            return "named"
        sibling |= plan.sku is None and any(provider == changed for changed, *_ in touched if changed)
    return "sibling" if sibling else None


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
