"""Draws this worker's tranches, lets calls through from them while Postgres is away, and redeems them then.

Nothing is drawn while anything has to be redeemed, and after a start during an outage nothing is let through:
what a worker has spent of a tranche is never less than it knows.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from msgspec import structs

from services.reservations.desk import Desk, Undecided
from services.reservations.journal import Journal, JournalLine
from services.reservations.memory import CounterMemory
from services.reservations.operations import Draw, HoldDecision, Operation, Redeem, Reserve
from services.reservations.reserving import say
from services.reservations.tranche import let_through, wanted
from services.reservations.values import GRACE, HoldPlace, Reservation, TenantState
from services.reservations.work import HoldWork
from spendmeter.contracts.money import ZERO
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import log

LOOK_S = 2.0
LINES_MAX = 10_000
"""Let through during one outage."""


class Tranches:
    """Run `keep` beside the desk, whose `when_away` is `decide`."""

    def __init__(self, desk: Desk, memory: CounterMemory, folder: Path) -> None:
        self._desk = desk
        self._memory = memory
        self._left: dict[str, dict[HoldPlace, Decimal]] = {}
        self._writing = asyncio.Lock()
        self._journal: Journal | None = None
        try:
            self._journal = Journal(folder)
        except OSError as error:
            log().warning(
                "no tranches: nothing can be kept here", path=str(folder), error=type(error).__name__
            )

    async def keep(self) -> None:
        """Redeem and draw, for ever."""
        await keep_doing(self.look, "tranches not drawn", every_s=LOOK_S, away=(Undecided,))

    async def look(self) -> None:
        """Once. Raises Undecided."""
        if self._journal is None:
            return
        for line in list(self._journal.lines):
            await self._desk.ask(line.tenant, line.redeem)
            async with self._writing:
                self._journal.redeemed(line)
        for tenant in self._memory.tenants():
            await self._draw(tenant, self._journal)

    async def _draw(self, tenant: str, journal: Journal) -> None:
        places = wanted(self._memory.counters(tenant))
        left = self._left[tenant] = {place: self._left.get(tenant, {}).get(place, ZERO) for place in places}
        for place, amount in places.items():
            if left[place] >= amount or journal.lines:
                continue
            asked = Draw(
                key_id="", endpoint="draw", idempotency_key=str(uuid4()), payload=b"", worker=journal.worker,
                place=place, amount=amount,
            )  # fmt: skip
            decision = await self._desk.ask(tenant, asked)
            if not journal.lines:  # else something was let through meanwhile, of what it held before
                left[place] = decision.reservation.held if decision.reservation else ZERO

    async def decide(self, tenant: str, operation: Operation) -> HoldDecision | None:
        """Let a reservation through from the tranches of all budgets that cover it; None = refuse."""
        if self._journal is None or type(operation) is not Reserve:  # a Debit was spent: it can wait
            return None
        async with self._writing:
            return await self._decide(self._journal, tenant, operation)

    async def _decide(self, journal: Journal, tenant: str, asked: Reserve) -> HoldDecision | None:
        for line in journal.lines:
            same = line.tenant, line.redeem.endpoint, line.redeem.idempotency_key
            if same == (tenant, asked.endpoint, asked.idempotency_key):
                return (
                    _told(tenant, line.redeem, replayed=True)
                    if line.redeem.payload == asked.payload
                    else None
                )
        dimensions, now = {**asked.dimensions, "key_id": asked.key_id}, datetime.now(UTC)
        covering = [
            each
            for each in self._memory.counters(tenant)
            if each.period_start <= now + asked.ttl + GRACE
            and now < each.period_end
            and each.budget.covers(dimensions)
        ]
        if not covering or self._memory.missing(tenant, dimensions) or len(journal.lines) >= LINES_MAX:
            return None
        left = let_through(covering, self._left.get(tenant, {}), asked.bound)
        if left is None:
            return None
        redeem = Redeem(**vars(asked), worker=journal.worker)
        await asyncio.to_thread(journal.append, JournalLine(tenant=tenant, redeem=redeem))
        self._left[tenant].update(left)
        return _told(tenant, redeem, replayed=False)


def _told(tenant: str, redeem: Redeem, *, replayed: bool) -> HoldDecision:
    now = datetime.now(UTC)
    made = Reservation(
        id=redeem.id, key_id=redeem.key_id, identity=b"", stated=False, dimensions={}, places=(),
        bound=redeem.bound, held=redeem.bound, state="held", created_at=now, expires_at=now + redeem.ttl,
        provisional=redeem.provisional,
    )  # fmt: skip
    decision = say(HoldWork(TenantState(tenant=tenant, currency="")), made)
    return structs.replace(decision, detail="from a tranche: Postgres is away", replayed=replayed)
