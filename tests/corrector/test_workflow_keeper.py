"""Moments of workflows follow what their runs say: late, corrected, retracted, accepted and reversed later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from services.corrector.outcomes.intake import collect
from services.corrector.outcomes.keep import keep, read_position
from services.corrector.projections.projector import Projector
from services.corrector.workflows.keeper import MomentsKeeper
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Labels, Outcome, UsageData
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.corrector.book_by_hand import BookByHand, Entry
from tests.databases import SECRET
from tests.ledger_records import NOON, usage_event

TODAY = NOON.date()


class Kept:
    """A book, its runs by day, and their moments."""

    def __init__(self, owner: asyncpg.Connection, pool: asyncpg.Pool) -> None:
        self.owner, self.pool = owner, pool
        self.book = BookByHand(owner)
        self._outcomes = 0

    async def event(self, id: str, amount: str, days: float = 0, run: str = "r1", **said: Any) -> Entry:
        labels = Labels(run=run, workflow="refund", workflow_version="v2", team="web")
        event = usage_event(id=id, time=NOON + timedelta(days=days), tenant="acme")
        data = {"provider": "openai", "sku": "gpt-4o", "usage": {"requests": 1}, "labels": labels, **said}
        entry = Entry(
            event=msgspec.structs.replace(event, data=UsageData(**data)), lines=(), amount=Decimal(amount)
        )
        await self.book.book(0, entry)
        return entry

    async def said(self, id: str, days: float = 0, source: str = "bot", **data: Any) -> None:
        event = {"specversion": "1.0", "type": OUTCOME_TYPE, "id": id, "source": source, "subject": "s"}
        at = (NOON + timedelta(days=days)).isoformat()
        raw = msgspec.json.encode({**event, "tenant": "acme", "time": at, "data": data})
        async with self.pool.acquire() as connection:
            position = await read_position(connection, "topic")
            await keep(connection, position, collect(position.position, [(self._outcomes, raw)]))
        self._outcomes += 1

    async def days(self) -> dict[int, Any]:
        """By day from today on (runs, what they cost), once all is folded and made."""
        await self.follow()
        rows = await self.owner.fetch(
            "SELECT day, sum(runs)::int, sum(ai + human + adjacent) FROM workflow_days GROUP BY day ORDER BY day"
        )
        return {(day - TODAY).days: (runs, cost) for day, runs, cost in rows}

    async def accepted(self, lag: int) -> list[tuple[int, ...]]:
        """(day, accepted, reversed) as of `lag`."""
        await self.follow()
        rows = await self.owner.fetch(
            "SELECT day, sum(accepted)::int, sum(reversed)::int FROM workflow_outcome_days WHERE lag <= $1 "
            "GROUP BY day ORDER BY day",
            lag,
        )
        return [((day - TODAY).days, *counts) for day, *counts in rows]

    async def follow(self) -> None:
        await Projector(pool=self.pool, meters=Meters()).catch_up()
        await MomentsKeeper(pool=self.pool, meters=Meters()).catch_up()


@pytest.fixture
async def kept(owner: asyncpg.Connection, database: str) -> AsyncIterator[Kept]:
    url = role_url(database, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=3, server_settings={"timezone": "UTC"}) as pool:
        found = Kept(owner, pool)
        await found.book.begin(1)
        yield found


async def test_a_run_moves_to_the_day_on_which_it_goes_on_and_back_when_that_is_retracted(kept: Kept) -> None:
    await kept.event("e1", "1")
    await kept.event("other", "5", run="r2")
    assert await kept.days() == {0: (2, 6)}
    late = await kept.event("e2", "2", days=3)
    assert await kept.days() == {0: (1, 5), 3: (1, 3)}
    await kept.event("e3", "4", days=1)
    assert await kept.days() == {0: (1, 5), 3: (1, 7)}
    await kept.book.correct(late.event, None)
    assert await kept.days() == {0: (1, 5), 1: (1, 5)}


async def test_an_amount_that_is_corrected_is_corrected_in_the_moments_of_its_day(kept: Kept) -> None:
    entry = await kept.event("e1", "1")
    await kept.days()
    await kept.book.correct(entry.event, replace(entry, amount=Decimal("0.25")))
    assert await kept.days() == {0: (1, Decimal("0.25"))}


async def test_a_reversal_ten_days_later_changes_how_it_stood_then_and_not_before(kept: Kept) -> None:
    await kept.event("e1", "1")
    await kept.said("o1", name="done", accepted=True, labels={"run": "r1"})
    assert await kept.accepted(14) == [(0, 1, 0)]
    await kept.said("x1", days=10, reverses="o1")
    assert await kept.accepted(14) == [(0, 0, 1)]
    assert await kept.accepted(9) == [(0, 1, 0)]


async def test_a_verdict_on_what_a_usage_event_states_counts_for_its_run(kept: Kept) -> None:
    await kept.event("e1", "1", outcome=Outcome(name="done"))
    assert await kept.accepted(14) == [(0, 0, 0)]
    await kept.owner.execute("UPDATE run_outcomes SET identity = $1", identity("acme", "bot", "e1"))
    await kept.said("v1", days=2, verdict_on="e1", accepted=True)
    assert await kept.accepted(14) == [(0, 1, 0)]


async def test_an_outcome_before_its_run_is_of_no_run_until_the_run_comes(kept: Kept) -> None:
    await kept.said("o1", days=-2, name="done", accepted=True, labels={"run": "r1", "workflow": "refund"})
    assert await kept.accepted(14) == [(-2, 1, 0)]
    await kept.event("e1", "1")
    assert await kept.accepted(14) == [(0, 1, 0)]
