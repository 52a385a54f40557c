"""Makes a tenant's counters anew: a budget became hard, was changed or removed, or its next period is near.

What was booked is read from the rollups, and where the book stood, in one snapshot; what is held survives and
is matched anew. Nobody decides meanwhile: the tenant is locked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from services.reservations.matching import held_in, matched
from services.reservations.read import SQL as TURN
from services.reservations.read import BudgetsInForce, lock, read
from services.reservations.rows import counter_rows, reservation_of, reservation_rows
from services.reservations.values import BudgetCounter, HoldPlace, Reservation
from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.contracts.money import ZERO
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("sql") / "settle.sql")
KEPT_AFTER_END = timedelta(days=1)
"""Counters of periods that are over: events of their last minutes come later."""
ACQUIRE_S = 2.0
"""It takes two connections: where many do so at once, some give theirs back and come again."""
IDLE_MAX = "30s"
"""Of the transaction that holds the lock, while another one reads."""


async def recount(pool: asyncpg.Pool[asyncpg.Record], tenant: str) -> None:
    """Do it. Raises CONNECTION_ERRORS."""
    async with pool.acquire(timeout=ACQUIRE_S) as connection, connection.transaction():
        await connection.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_MAX}'")
        await lock(connection, tenant)
        known = await read(connection, tenant, due_max=0)
        now, force, before = known.now, known.force, known.counter_rows()
        open_now = [reservation_of(row) for row in await connection.fetch(TURN["open"], tenant)]
        async with (
            pool.acquire(timeout=ACQUIRE_S) as reader,
            reader.transaction(isolation="repeatable_read", readonly=True),
        ):
            await hold_minutes(reader)
            periods = _periods(force, now)
            booked = await _booked(reader, tenant, force, periods)
            marks = await reader.fetch(SQL["standing"])
            in_book = {
                row["identity"]
                for row in await reader.fetch(SQL["in_book"], [each.identity for each in open_now])
            }
        again = matched(open_now, force.budgets, periods, in_book)
        held = held_in(again)
        counters = [
            _counter(force, place, end, booked.get(place, ZERO), held.get(place, ZERO), before.get(place))
            for place, end in periods.items()
        ]
        await _write(connection, tenant, force, counters, again, marks)
        await _record(connection, tenant, before, counters)
    log().info("counters of hard budgets made anew", tenant=tenant, count=len(counters))


def _periods(force: BudgetsInForce, now: datetime) -> dict[HoldPlace, datetime]:
    """Those that run or are near, and those that ended a moment ago; with their ends."""
    periods = dict(force.periods)
    for budget, kind in force.kinds.items():
        bounds = kind.bounds(now - KEPT_AFTER_END, force.timeline)
        if bounds and force.timeline.at(bounds[0]).currency == force.currency:
            periods[budget, bounds[0]] = bounds[1]
    return periods


async def _booked(
    reader: Any, tenant: str, force: BudgetsInForce, periods: Mapping[HoldPlace, datetime]
) -> dict[HoldPlace, Decimal]:
    of: dict[tuple[datetime, datetime], list[UUID]] = {}
    for (budget, start), end in periods.items():
        of.setdefault((start, end), []).append(budget)
    found: dict[HoldPlace, Decimal] = {}
    for bounds, budgets in of.items():
        read = await spent_in(reader, tenant, bounds, force.timeline)
        filters = [dict(force.budgets[budget].filter) for budget in budgets]
        for row in await reader.fetch(SQL["spent"], *read, force.currency, filters):
            found[budgets[row["place"] - 1], bounds[0]] = row["effective"]
    return found


def _counter(
    force: BudgetsInForce, place: HoldPlace, end: datetime, booked: Decimal, held: Decimal, before: Any
) -> BudgetCounter:
    counter = BudgetCounter(
        budget=force.budgets[place[0]],
        period_start=place[1],
        period_end=end,
        currency=force.currency,
        booked=booked,
        held=held,
    )
    if before is None:
        return counter
    kept = {name: before[name] for name in ("debt", "peak_minute", "peak_running", "peak")}
    return replace(counter, **kept)


async def _write(
    connection: Any,
    tenant: str,
    force: BudgetsInForce,
    counters: Sequence[BudgetCounter],
    reservations: Sequence[Reservation],
    marks: Sequence[Any],
) -> None:
    revisions = {each.place: force.revisions[each.budget.id] for each in counters}
    await connection.execute(SQL["replace_counters"], tenant, counter_rows(counters, revisions))
    if reservations:
        await connection.execute(TURN["write_reservations"], tenant, reservation_rows(reservations))
    columns = zip(*((row["partition"], row["account"], row["book_offset"]) for row in marks), strict=True)
    if marks:
        await connection.execute(SQL["set_marks"], tenant, *map(list, columns))


async def _record(
    connection: Any, tenant: str, before: Mapping[HoldPlace, Any], counters: Sequence[BudgetCounter]
) -> None:
    """The act, with what every counter was and is."""
    was = {f"{budget} {start:%Y-%m-%dT%H:%MZ}": _said(row) for (budget, start), row in before.items()}
    now = {
        f"{each.budget.id} {each.period_start:%Y-%m-%dT%H:%MZ}": {
            "booked": str(each.booked), "held": str(each.held), "amount": str(each.budget.amount),
            "filter": dict(each.budget.filter),
        }
        for each in counters
    }  # fmt: skip
    await connection.execute(SQL["record_act"], tenant, "budgets or periods are others", was, now)


def _said(row: Any) -> dict[str, str]:
    return {"booked": str(row["booked"]), "held": str(row["held"]), "revision": str(row["revision"])}
