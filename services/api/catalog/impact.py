"""What a change of the catalog means in money: booked events of the last days, priced by both books."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from pydantic import BaseModel, Field

from services.api.catalog.access import CatalogAccess
from services.api.catalog.sql import SQL
from services.api.http.models import DecimalString
from spendmeter.contracts.event_reading import decode_event
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.proposals.reach import concerned, costs, rate_all, reach_of

IMPACT_DAYS = 30
IMPACT_EVENTS_MAX = 20_000
IMPACT_SECONDS_MAX = 8.0
_DAY = timedelta(days=1)


class CostChange(BaseModel):
    """Effective cost of the events that were repriced, in one book currency."""

    currency: str
    before: DecimalString
    after: DecimalString
    difference: DecimalString


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
    amounts: list[CostChange]
    statuses_before: dict[str, int]
    statuses_after: dict[str, int]


async def effect_of(access: CatalogAccess, change: CheckedChange, now: datetime) -> Effect:
    """How many booked events the change concerns and leaves as they are."""
    deadline, since = Deadline(access), _since(now)
    _, named = await _concerned(access, change)
    return _effect(await deadline.count(named, since), since)


async def impact_of(access: CatalogAccess, change: CheckedChange, now: datetime) -> tuple[Impact, Effect]:
    """The money of a change for those whose prices the caller may see, and what approving it leaves as it
    is. Raises CatalogError for a price by which an amount has more digits than money."""
    deadline, since = Deadline(access), _since(now)
    affected, named = await _concerned(access, change)
    count = await deadline.count(affected, since)
    events, reached = await _newest_events(deadline, affected, since, now)
    before, after = [
        await asyncio.to_thread(rate_all, events, book) for book in (change.snapshot.book, change.book)
    ]
    impact = Impact(
        since=since,
        reached=reached,
        events=count,
        repriced=len(events),
        amounts=_cost_changes(costs(before), costs(after)),
        statuses_before=Counter(rating.status for rating in before),
        statuses_after=Counter(rating.status for rating in after),
    )
    if len(named) != len(affected):
        count = await deadline.count(named, since)
    return impact, _effect(count, since)


def _cost_changes(before: Mapping[str, Decimal], after: Mapping[str, Decimal]) -> list[CostChange]:
    found = []
    for currency in sorted({*before, *after}):
        old, new = before.get(currency, ZERO), after.get(currency, ZERO)
        difference = EXACT.subtract(new, old)
        found.append(CostChange(currency=currency, before=old, after=new, difference=difference))
    return found


def _since(now: datetime) -> datetime:
    """To the minute, as rollups count."""
    return (now - timedelta(days=IMPACT_DAYS)).replace(second=0, microsecond=0)


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


async def _concerned(access: CatalogAccess, change: CheckedChange) -> tuple[list[Any], list[Any]]:
    """Whose usage of what may be priced otherwise from now on, and those of them that the change is of: what
    has no price is bounded by its siblings."""
    async with access.reading() as connection:
        used = await connection.fetch(SQL["used"])
    reach = reach_of(change.snapshot.entries, change.added)
    books = change.snapshot.book, change.book

    def look() -> tuple[list[Any], list[Any]]:
        found = [(concerned(row["tenant"], row["provider"], row["sku"], reach, books), row) for row in used]
        return [row for how, row in found if how], [row for how, row in found if how == "named"]

    return await asyncio.to_thread(look)


async def _newest_events(
    deadline: Deadline, affected: Sequence[Any], since: datetime, now: datetime
) -> tuple[list[UsageEvent], datetime]:
    """As many as may be repriced in time, day by day, and back to when that is all of them."""
    series = _series(affected)
    events: list[UsageEvent] = []
    reached = now + _DAY if series else since  # an event may be an hour ahead
    while reached > since and len(events) < IMPACT_EVENTS_MAX:
        left, start = IMPACT_EVENTS_MAX - len(events), max(since, reached - _DAY)
        day = await deadline.ask("events", series, start, reached, left, many=True)
        if day is None:
            break
        events += [decode_event(row["event"]) for row in day]
        reached = day[-1]["occurred_at"] if len(day) == left else start
    return events, reached


def _series(rows: Sequence[Any]) -> list[Any]:
    return [each for row in rows for each in row["series"]]


class Deadline:
    """Statements that are all to end by one instant; what is not answered by then is None."""

    def __init__(self, access: CatalogAccess) -> None:
        self._access = access
        self._at_s = time.monotonic() + IMPACT_SECONDS_MAX

    async def ask(self, name: str, *values: Any, many: bool = False) -> Any:
        """The rows, or the value, of a statement."""
        left_ms = int((self._at_s - time.monotonic()) * 1000)
        if left_ms <= 0:
            return None
        try:
            async with self._access.reading() as connection:
                await connection.execute(SQL["time_limit"], f"{left_ms}ms")
                return await (connection.fetch if many else connection.fetchval)(SQL[name], *values)
        except asyncpg.QueryCanceledError:
            return None

    async def count(self, used: Sequence[Any], since: datetime) -> int | None:
        """How many events of these are booked since then."""
        if not used:
            return 0
        tenants = sorted({row["tenant"] for row in used})
        count: int | None = await self.ask("events_count", tenants, _series(used), since)
        return count
