"""What events add to the money under remarks, and what taking them back takes away."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec import UNSET, UnsetType

from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.contracts.rated import Remarked
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("remarks.sql"))
SPELLINGS_MAX = 200
"""Of a tenant, a day and a shard so many have a row of their own, as the inbox lists: senders make tiers
and regions up. What comes after them is added up in one row, which keeps the figures exact."""

RemarkKey = tuple[str, str, bool, str, str, str]
"""(tenant, provider, batch, tier, region, currency), as `Remarked` has them."""


class RemarkedUsage(Protocol):
    """What is added up of an event as it was booked: a `RatedUsage`, or an entry read again."""

    @property
    def tenant(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def currency(self) -> str: ...
    @property
    def effective(self) -> str | Decimal: ...
    @property
    def remarked(self) -> Remarked | UnsetType: ...


@dataclass(kw_only=True, slots=True)
class RemarkSum:
    """What is added to one row. An event is in one row, whatever it has remarks of, so that rows add up
    to what events cost; between the first and the last time lie all of its events."""

    events: int = 0
    effective: Decimal = ZERO
    first_at: datetime
    last_at: datetime


RemarkSums = dict[RemarkKey, RemarkSum]
RemarkPlace = tuple[date, int]
"""(day of recording in UTC, shard): where an entry added to."""
TAKEN_BACK = -2
"""The shard from which all is subtracted."""


def add_up_remarks(
    booked: Iterable[RemarkedUsage], *, sign: Literal[1, -1] = 1, sums: RemarkSums | None = None
) -> RemarkSums:
    """Sums by key, added to `sums` where there are some; empty where no event has a remark. -1 takes back
    what these events once added; the times between which they lie stay."""
    sums = {} if sums is None else sums
    add = EXACT.add if sign > 0 else EXACT.subtract
    for event in booked:
        remarked = event.remarked
        if remarked is UNSET or not (remarked.batch or remarked.tier or remarked.region):
            continue
        key = (
            event.tenant,
            remarked.provider,
            remarked.batch,
            remarked.tier,
            remarked.region,
            event.currency,
        )
        row = sums.get(key)
        if row is None:
            row = sums[key] = RemarkSum(first_at=event.time, last_at=event.time)
        row.events += sign
        row.effective = add(row.effective, Decimal(event.effective))
        row.first_at, row.last_at = min(row.first_at, event.time), max(row.last_at, event.time)
    return sums


async def take_from_remarks(connection: Any, taken: Mapping[RemarkPlace, RemarkSums]) -> None:
    """Subtract each sum (it is negative) today, under the spelling or as one of the others, whichever it was
    added to at its place. The caller holds TAKEN_BACK."""
    rows = [(*place, *_columns(key, row)) for place, sums in taken.items() for key, row in sums.items()]
    if rows:
        await connection.execute(SQL["take_from_remarks"], TAKEN_BACK, *map(list, zip(*rows, strict=True)))


async def add_to_remarks(connection: Any, shard: int, sums: RemarkSums) -> None:
    """Add each sum to its row of today and of this shard, which the caller holds."""
    rows = [_columns(key, row) for key, row in sums.items()]
    if rows:
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(SQL["add_to_remarks"], shard, SPELLINGS_MAX, *columns)


def _columns(key: RemarkKey, row: RemarkSum) -> tuple[Any, ...]:
    return (*key, row.events, str(row.effective), row.first_at, row.last_at)
