"""Postgres away, and a budget that allows it: calls go on from a tranche, and nothing is spent twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from services.reservations.desk import Desk, Undecided
from services.reservations.memory import CounterMemory
from services.reservations.tranches import Tranches
from spendmeter.platform.telemetry import Meters
from tests.reservations.turns import reserve
from tests.reservations.world import World

D = Decimal


@dataclass
class Worker:
    """One whose Postgres can be taken away, and that can be killed: then another takes its folder up."""

    world: World
    folder: Path
    away: bool = False

    def __post_init__(self) -> None:
        self.memory = CounterMemory(self.world.pool)
        self.desk = Desk(self._pool, Meters(), lambda tenant, turn: self.memory.note(tenant, turn.counters))
        self.tranches = Tranches(self.desk, self.memory, self.folder)
        self.desk.when_away = self.tranches.decide

    def _pool(self) -> Any:
        return None if self.away else self.world.pool

    async def reserve(self, number: int, bound: str, **dimensions: str) -> str:
        """What became of it: done, kept, or why not."""
        try:
            decision = await self.desk.ask("acme", reserve(number, bound, **dimensions))
        except Undecided:
            return "undecided"
        return decision.reason or ("kept" if decision.detail else "done")


@pytest.fixture
async def worker(world: World, tmp_path: Path) -> AsyncIterator[Worker]:
    yield Worker(world, tmp_path / "worker")


async def allowing(world: World, amount: str, **scope: str) -> UUID:
    budget = await world.budget(amount, **scope)
    await world.owner.execute("UPDATE budgets SET when_away = 'tranche' WHERE id = $1", budget)
    await world.settle()
    return budget


async def test_calls_go_on_from_one_percent_and_are_redeemed_once(world: World, worker: Worker) -> None:
    budget = await allowing(world, "100")
    await worker.memory.refresh()
    await worker.tranches.look()
    assert (await world.counter(budget))[1] == 1  # drawn
    worker.away = True
    assert [await worker.reserve(n, "0.4") for n in (1, 2, 3, 1)] == ["kept", "kept", "undecided", "kept"]
    worker.away = False
    await worker.tranches.look()
    # 0.8 of the tranche became two reservations; then it was filled up again: 0.8 + 1.
    assert (await world.counter(budget))[1] == await world.held_by_hand(budget) == D("1.8")
    assert await worker.reserve(1, "0.4") == "done", "the same answer, from Postgres now"
    assert (await world.counter(budget))[1] == D("1.8")


async def test_every_budget_that_covers_a_call_has_to_allow_it(world: World, worker: Worker) -> None:
    await allowing(world, "100")
    await world.budget("100", team="a")
    await world.settle()
    await worker.memory.refresh()
    await worker.tranches.look()
    worker.away = True
    assert [await worker.reserve(1, "0.4", team="a"), await worker.reserve(2, "0.4", team="b")] == [
        "undecided",
        "kept",
    ]


async def test_a_worker_that_is_killed_meanwhile_lets_nothing_through_until_it_has_redeemed(
    world: World, worker: Worker
) -> None:
    budget = await allowing(world, "100")
    await worker.memory.refresh()
    await worker.tranches.look()
    worker.away = True
    assert await worker.reserve(1, "0.4") == "kept"
    another = Worker(world, worker.folder, away=True)
    await another.memory.refresh()
    assert await another.reserve(2, "0.4") == "undecided"
    another.away = False
    await another.tranches.look()
    assert (await world.counter(budget))[1] == await world.held_by_hand(budget) == D("1.4")
    assert await world.owner.fetchval("SELECT count(*) FROM reservations") == 2  # the tranche is the same one


async def test_what_is_changed_meanwhile_leaves_the_tranche_where_it_was_drawn(
    world: World, worker: Worker
) -> None:
    budget = await allowing(world, "100", team="a")
    await worker.memory.refresh()
    await worker.tranches.look()
    await world.owner.execute("UPDATE budgets SET amount = 200, revision = revision + 1")
    await world.settle()
    assert (await world.counter(budget))[1] == 1
