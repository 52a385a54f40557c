"""The minutes of a pass: read once for many chunks, and none is passed over."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.corrector import minutes
from services.corrector.minutes import MinutePlan
from tests.ledger_records import NOON

MINUTE = timedelta(minutes=1)


class Rollups:
    """Answers `minutes` of a book with an event in every second minute from noon on."""

    def __init__(self, count: int) -> None:
        self.asked: list[datetime] = []
        self._minutes = [NOON + 2 * n * MINUTE for n in range(count)]

    async def fetch(self, _: str, tenant: str, since: datetime, until: datetime, *rest: Any) -> list[Any]:
        self.asked.append(since)
        named = [minute for minute in self._minutes if since <= minute < until][: rest[-1]]
        return [(minute, minute + MINUTE, 1) for minute in named]


async def read(plan: MinutePlan, rollups: Rollups, since: datetime) -> list[datetime]:
    until = NOON + timedelta(days=1)
    found = await plan.since(rollups, since, tenant="acme", until=until, series=None, unknown_alone=False)
    return [named.start for named in found]


async def test_one_reading_serves_until_its_last_minute_is_done() -> None:
    rollups, plan = Rollups(3), MinutePlan()
    assert await read(plan, rollups, NOON) == [NOON, NOON + 2 * MINUTE, NOON + 4 * MINUTE]
    assert await read(plan, rollups, NOON + MINUTE) == [NOON + 2 * MINUTE, NOON + 4 * MINUTE]
    assert await read(plan, rollups, NOON + 4 * MINUTE) == [NOON + 4 * MINUTE]
    assert rollups.asked == [NOON]
    assert await read(plan, rollups, NOON + 5 * MINUTE) == []
    assert rollups.asked == [NOON, NOON + 5 * MINUTE]  # there may be more by now


async def test_a_chunk_that_is_read_again_finds_the_minutes_before_the_plan() -> None:
    """What was read ahead was thrown away, and the plan began there."""
    rollups, plan = Rollups(3), MinutePlan()
    await read(plan, rollups, NOON + 2 * MINUTE)
    assert await read(plan, rollups, NOON) == [NOON, NOON + 2 * MINUTE, NOON + 4 * MINUTE]


async def test_so_many_minutes_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minutes, "MINUTES_MAX", 2)
    rollups, plan, since = Rollups(5), MinutePlan(), NOON
    seen: list[datetime] = []
    while found := await read(plan, rollups, since):
        seen += found
        since = found[-1] + MINUTE
    assert seen == [NOON + 2 * n * MINUTE for n in range(5)]
    assert len(rollups.asked) == 4
