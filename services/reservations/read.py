"""A tenant's hard budgets as a transaction sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

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
from spendmeter.contracts.terms import Timeline, timeline_of
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
    elsewhere: tuple[tuple[HardBudget, str], ...]
    """In another currency than the book's, not in force yet, or no more; with it."""
    kinds: Mapping[UUID, BudgetPeriod]
    """Of their periods."""
    revisions: Mapping[UUID, int]
    periods: Mapping[HoldPlace, datetime]
    """Their ends."""


@dataclass(frozen=True, kw_only=True)
class TenantRead:
    """What one question told of a tenant: `now` is when Postgres was asked, `row` what `state` says."""

    now: datetime
    force: BudgetsInForce
    row: Mapping[str, Any]

    def counters(self) -> dict[HoldPlace, BudgetCounter]:
        """The tenant's counters. Raises CountersOutdated."""
        force, known = self.force, self.counter_rows()
        for place, end in force.periods.items():
            row = known.get(place)
            if row is None or row["period_end"] != end or row["revision"] != force.revisions[place[0]]:
                raise CountersOutdated
        if any(budget not in force.budgets for budget, _ in known):
            raise CountersOutdated
        return {place: counter_of(row, force.budgets[place[0]]) for place, row in known.items()}

    def counter_rows(self) -> dict[HoldPlace, Any]:
        """As they are stored, outdated or not."""
        return {(row["budget_id"], row["period_start"]): row for row in self.row["counters"]}

    def state(self, tenant: str) -> TenantState:
        """What deciding takes. Raises CountersOutdated."""
        held = msgspec.convert(self.row["held"], list[_HeldByKey])
        return TenantState(
            tenant=tenant,
            currency=self.force.currency,
            counters=self.counters(),
            elsewhere=self.force.elsewhere,
            reservations={row["id"]: reservation_of(row) for row in self.row["reservations"]},
            answers={
                (row["endpoint"], row["idempotency_key"]): StoredAnswer(
                    payload=row["payload"], decision=row["decision"].encode()
                )
                for row in self.row["answers"]
            },
            open_by_key={each.key_id: each.open for each in held if each.open},
            held_by_key={
                (each.key_id, (each.budget_id, each.period_start)): each.held
                for each in held
                if each.budget_id and each.period_start
            },
            booked=frozenset(self.row["booked"]),
            reserved={row["identity"]: row["id"] for row in self.row["reserved"]},
        )


class _HeldByKey(Struct, frozen=True):
    """Of a key, how many are open; or of one place, what is held in it."""

    key_id: str
    budget_id: UUID | None
    period_start: datetime | None
    open: int
    held: Decimal


async def prepare(connection: Any) -> None:
    """jsonb as what it holds; once a connection. In binary: else no row that has one could be in another."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        format="binary",
        encoder=lambda value: b"\x01" + msgspec.json.encode(value),
        decoder=lambda value: msgspec.json.decode(value[1:]),
    )


async def lock(connection: Any, tenant: str) -> None:
    """Wait until the tenant is ours, until COMMIT. Raises LockNotAvailable."""
    await connection.execute(SQL["begin"], tenant)


async def read(
    connection: Any,
    tenant: str,
    operations: Sequence[Operation] = (),
    *,
    events: Sequence[bytes] = (),
    due_max: int = DUE_MAX,
) -> TenantRead:
    """All that these operations, or entries of these events, are decided by: one question, for whoever waits
    holds the lock."""
    row = await connection.fetchrow(
        SQL["state"],
        tenant,
        _named(operations),
        due_max,
        events,
        list({str(each.worker) for each in operations if isinstance(each, Redeem)}),
        [each.endpoint for each in operations],
        [each.idempotency_key for each in operations],
        [each.identity for each in operations if isinstance(each, Reserve | Commit) and each.identity],
        list({each.key_id for each in operations}),
    )
    return TenantRead(now=row["now"], force=_in_force(row), row=row)


def _in_force(row: Any) -> BudgetsInForce:
    """As of then."""
    now, timeline = row["now"], timeline_of(map(_since_ever, row["terms"]))
    currency = timeline.at(now).currency
    rows = [each for each in row["budgets"] if each["currency"] == currency]
    kinds = {each["id"]: _period_of(each) for each in rows}
    periods = {
        (budget, start): end
        for budget, kind in kinds.items()
        for at in (now, now + TTL_MAX + GRACE)
        for bounds in (kind.bounds(at, timeline),)
        if bounds  # stated days are over, or to come
        for start, end in (bounds,)
        if timeline.at(start).currency == currency
    }
    return BudgetsInForce(
        timeline=timeline,
        currency=currency,
        budgets={each["id"]: budget_of(each) for each in rows},
        elsewhere=tuple(
            (budget_of(each), each["currency"])
            for each in row["budgets"]
            if each["currency"] != currency and _period_of(each).bounds(now, timeline)
        ),
        kinds=kinds,
        revisions={each["id"]: each["revision"] for each in rows},
        periods=periods,
    )


def _since_ever(terms: Any) -> dict[str, Any]:
    """Terms, as `timelines.sql` says them: asyncpg reads -infinity as an instant without a zone."""
    since = terms["effective_from"]
    return dict(terms) | {"effective_from": None if since == datetime.min else since}  # noqa: DTZ901


def _period_of(row: Any) -> BudgetPeriod:
    return BudgetPeriod(row["period"], row["starts_on"], row["ends_on"], row["last_hours"])


def _named(operations: Sequence[Operation]) -> list[UUID]:
    """Reservations that they are about; a Draw's is its worker's tranche."""
    named = [each.reservation for each in operations if isinstance(each, Commit | Release | Extend)]
    return named + [tranche_id(each.worker, each.place) for each in operations if isinstance(each, Draw)]
