"""A tenant's hard budgets as a transaction sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.reservations.operations import Commit, Draw, Extend, Operation, Redeem, Release, Reserve
from services.reservations.rows import budget_of, counter_of, reservation_of
from services.reservations.tranche import tranche_id
from services.reservations.values import (
    GRACE,
    TTL_MAX,
    BudgetCounter,
    HardBudget,
    HoldPlace,
    StoredAnswer,
    TenantState,
)
from spendmeter.book.budget_periods import BudgetPeriod
from spendmeter.book.timelines import read_timelines
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "turn.sql")
DUE_MAX = 1_000
"""Freed in one turn; the rest in the next ones."""


class CountersOutdated(Exception):
    """Budgets or their periods are others than the counters are of: they have to be made anew first."""


@dataclass(frozen=True, kw_only=True)
class BudgetsInForce:
    """A tenant's hard budgets, their revisions, and the periods that a reservation made now may touch."""

    timeline: Timeline
    currency: str
    budgets: Mapping[UUID, HardBudget]
    kinds: Mapping[UUID, BudgetPeriod]
    """Of their periods."""
    revisions: Mapping[UUID, int]
    periods: Mapping[HoldPlace, datetime]
    """Their ends."""


async def prepare(connection: Any) -> None:
    """jsonb as what it holds; once a connection."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
    )


async def lock(connection: Any, tenant: str) -> datetime:
    """Wait until the tenant is ours, until COMMIT; the time by which is decided. Raises LockNotAvailable."""
    await connection.execute(SQL["begin"], tenant)
    now: datetime = await connection.fetchval(SQL["now"])
    return now


async def budgets_in_force(connection: Any, tenant: str, now: datetime) -> BudgetsInForce:
    """As of now. A budget in another currency than the book's is not in force yet, or no more."""
    timeline = (await read_timelines(connection, [tenant]))[tenant]
    currency = timeline.at(now).currency
    rows = [row for row in await connection.fetch(SQL["budgets"], tenant) if row["currency"] == currency]
    kinds = {
        row["id"]: BudgetPeriod(row["period"], row["starts_on"], row["ends_on"], row["last_hours"])
        for row in rows
    }
    periods = {
        (row["id"], start): end
        for row in rows
        for at in (now, now + TTL_MAX + GRACE)
        for bounds in (kinds[row["id"]].bounds(at, timeline),)
        if bounds  # stated days are over, or to come
        for start, end in (bounds,)
        if timeline.at(start).currency == currency
    }
    return BudgetsInForce(
        timeline=timeline,
        currency=currency,
        budgets={row["id"]: budget_of(row) for row in rows},
        kinds=kinds,
        revisions={row["id"]: row["revision"] for row in rows},
        periods=periods,
    )


async def counters_of(connection: Any, tenant: str, force: BudgetsInForce) -> dict[HoldPlace, BudgetCounter]:
    """The tenant's counters. Raises CountersOutdated."""
    rows = await connection.fetch(SQL["counters"], tenant)
    known = {(row["budget_id"], row["period_start"]): row for row in rows}
    for place, end in force.periods.items():
        row = known.get(place)
        if row is None or row["period_end"] != end or row["revision"] != force.revisions[place[0]]:
            raise CountersOutdated(tenant)
    if any(budget not in force.budgets for budget, _ in known):
        raise CountersOutdated(tenant)
    return {place: counter_of(row, force.budgets[place[0]]) for place, row in known.items()}


async def state_for(
    connection: Any, tenant: str, operations: Sequence[Operation], now: datetime
) -> TenantState:
    """All that deciding these operations takes. Raises CountersOutdated."""
    force = await budgets_in_force(connection, tenant, now)
    counters = await counters_of(connection, tenant, force)
    named = [each.reservation for each in operations if isinstance(each, Commit | Release | Extend)]
    named += _tranches(operations, counters)
    reservations = await connection.fetch(SQL["reservations"], tenant, named, now, DUE_MAX)
    state = TenantState(
        tenant=tenant,
        currency=force.currency,
        counters=counters,
        reservations={row["id"]: reservation_of(row) for row in reservations},
    )
    if not operations:
        return state
    endpoints, keys = [each.endpoint for each in operations], [each.idempotency_key for each in operations]
    for row in await connection.fetch(SQL["answers"], tenant, endpoints, keys):
        answer = StoredAnswer(payload=row["payload"], decision=row["decision"].encode())
        state.answers[row["endpoint"], row["idempotency_key"]] = answer
    await _read_shares(connection, state, operations)
    await _read_identities(connection, state, operations)
    return state


async def _read_identities(connection: Any, state: TenantState, operations: Sequence[Operation]) -> None:
    """Which of the events that operations are about are booked already, or another reservation's."""
    stated = [each.identity for each in operations if isinstance(each, Reserve | Commit) and each.identity]
    stated += [each.identity for each in state.reservations.values() if each.stated and each.is_open]
    if not stated:
        return
    rows = await connection.fetch(SQL["booked"], state.tenant, stated)
    state.booked = frozenset(row["identity"] for row in rows)
    rows = await connection.fetch(SQL["reserved"], state.tenant, stated)
    state.reserved = {row["identity"]: row["id"] for row in rows}


def _tranches(operations: Sequence[Operation], counters: Mapping[HoldPlace, BudgetCounter]) -> list[UUID]:
    """Reservations of workers' tranches that are drawn, or spent from."""
    drawn = [tranche_id(each.worker, each.place) for each in operations if isinstance(each, Draw)]
    workers = {each.worker for each in operations if isinstance(each, Redeem)}
    return drawn + [tranche_id(worker, place) for worker in workers for place in counters]


async def _read_shares(connection: Any, state: TenantState, operations: Sequence[Operation]) -> None:
    """What the keys hold that ask, or whose reservations have run out."""
    keys = {each.key_id for each in operations} | {each.key_id for each in state.reservations.values()}
    for row in await connection.fetch(SQL["held_by_key"], state.tenant, list(keys)):
        if row["open"] is not None:
            state.open_by_key[row["key_id"]] = row["open"]
        else:
            state.held_by_key[row["key_id"], (row["budget_id"], row["period_start"])] = row["held"]
