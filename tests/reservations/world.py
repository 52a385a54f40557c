"""Hard budgets in a real Postgres, asked by the desk of a worker, and settled from a real book."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from services.reservations.desk import Desk
from services.reservations.operations import HoldDecision, Operation
from services.reservations.read import prepare
from services.reservations.settler import Settler
from services.reservations.turns import Pool
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.corrector.written_book import Book


async def open_pool(database: str, secret: str) -> Pool:
    """As a process of the service has one."""
    url = role_url(database, "reservations", secret)
    return await create_pool(url, size_max=4, service="reservations", init=prepare)


@dataclass(kw_only=True)
class World:
    """`budget`, `ask`, `settle`, and what Postgres says of counters."""

    owner: asyncpg.Connection
    book: Book
    pool: Pool

    def __post_init__(self) -> None:
        self.desk = Desk(lambda: self.pool, Meters())
        self.settler = Settler(self.pool, Meters())

    async def budget(self, amount: str, period: str = "month", share: str = "1", **scope: str) -> UUID:
        """A hard budget of acme's."""
        made: UUID = await self.owner.fetchval(
            "INSERT INTO budgets (tenant, name, filter, amount, currency, period, hard, key_share) "
            "VALUES ('acme', 'b', $1::jsonb, $2, 'USD', $3, true, $4) RETURNING id",
            msgspec.json.encode(scope).decode(), Decimal(amount), period, Decimal(share),
        )  # fmt: skip
        return made

    async def ask(self, operation: Operation) -> HoldDecision:
        return await self.desk.ask("acme", operation)

    async def settle(self) -> None:
        self.settler._counters_at = 0.0  # else it looks for missing counters every two seconds
        await self.settler.look()

    async def counter(self, budget: UUID) -> tuple[Decimal, Decimal, Decimal]:
        """(booked, held, debt) of the period that runs."""
        row = await self.owner.fetchrow(
            "SELECT booked, held, debt FROM budget_counters "
            "WHERE budget_id = $1 AND period_start <= now() AND now() < period_end",
            budget,
        )
        return tuple(row)

    async def held_by_hand(self, budget: UUID) -> Decimal:
        """What reservations say that they hold of it in any period that runs."""
        found: Any = await self.owner.fetchval(
            "SELECT coalesce(sum(r.held), 0) FROM reservations r, unnest(budget_ids, period_starts) AS p (id, start) "
            "JOIN budget_counters c ON c.budget_id = p.id AND c.period_start = p.start "
            "WHERE p.id = $1 AND now() BETWEEN c.period_start AND c.period_end",
            budget,
        )
        return Decimal(found)
