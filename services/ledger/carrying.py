"""Which of a batch's events go into another accounting period than that of their time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, timedelta
from typing import Any

from spendmeter.book.closings import Shut, carry, open_period, read_shut
from spendmeter.book.rollup import rollup
from spendmeter.book.timelines import read_timelines
from spendmeter.contracts.rated import RatedUsage
from spendmeter.contracts.terms import Timeline

AROUND = timedelta(days=2)
"""So near a month's edge in UTC a moment may lie in either month, in some zone or after a move to another."""


@dataclass(frozen=True, kw_only=True)
class Carrying:
    """`moved`: by identity the period of each event that its head has in another, or in none; `carried`: by
    period those that do not lie in that of their day."""

    moved: Mapping[str, date] = field(default_factory=dict)
    carried: Mapping[date, Sequence[RatedUsage]] = field(default_factory=dict)
    timelines: Mapping[str, Timeline] = field(default_factory=dict)

    async def write(self, connection: Any, partition: int, next_offset: int) -> None:
        """Beside the entries, what these carry."""
        sums = {period: rollup(events) for period, events in self.carried.items()}
        await carry(connection, partition, next_offset, sums, self.timelines)


async def read_carrying(connection: Any, booked: Sequence[RatedUsage]) -> Carrying:
    """Asked after the lock of the partition's position. Where nothing of the batch may lie in another period
    than that of its day, it is one statement."""
    shut = await read_shut(connection, {event.tenant for event in booked})
    near = [event for event in booked if may_be_elsewhere(event, shut)] if shut else []
    if not near:
        return Carrying()
    return sort_out(near, shut, await read_timelines(connection, {event.tenant for event in near}))


def sort_out(events: Sequence[RatedUsage], shut: Shut, timelines: Mapping[str, Timeline]) -> Carrying:
    """Of events whose tenants have closed a period. Pure."""
    moved: dict[str, date] = {}
    carried: dict[date, list[RatedUsage]] = defaultdict(list)
    for event in events:
        month = timelines[event.tenant].month(event.time)
        period = open_period(event.accounting_period or month, shut[event.tenant])
        if period != event.accounting_period:
            moved[event.identity] = period
        if period != month:
            carried[period].append(event)
    return Carrying(moved=moved, carried=carried, timelines=timelines)


def may_be_elsewhere(event: RatedUsage, shut: Shut) -> bool:
    """Whether it must be asked in which month its day lies and where it is booked: where that may be shut,
    where its rater put it into another month than UTC does, and near a month's edge, where its rater may have
    known other terms than the book does. Also when all periods were opened again. Pure."""
    if event.tenant not in shut:
        return False
    last, time = shut[event.tenant], event.time.astimezone(UTC)
    month = time.date().replace(day=1)
    if event.accounting_period != month or (last is not None and month <= last):
        return True
    return not time.month == (time - AROUND).month == (time + AROUND).month
