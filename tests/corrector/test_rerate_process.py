"""A job in the process as it runs in production, killed again and again while events arrive."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import asyncpg
import pytest

from spendmeter.contracts.corrections import RerateRequest, Selection
from spendmeter.platform.kafka_access import KafkaAccess
from tests.corrector.rerate_world import NOON, RerateBook, use
from tests.corrector.test_worker import System
from tests.pricing.entries import price
from tests.pricing.test_causes import withdrawn
from tests.waiting import until

EVENTS = 6_000
ARRIVING = 1_000
"""Of them booked while the job runs, by a rater that does not know its version."""
KILLS = 3
TOKENS = 7
PER_ONE, PER_MILLION = price("m", "input_tokens", "2", per=1), price("m", "input_tokens", "2")


@pytest.fixture
async def system(kafka_access: KafkaAccess, database: str, tmp_path: Path) -> AsyncIterator[System]:
    looking = await asyncpg.connect(database)  # beside the owner's, by which events are booked meanwhile
    running = System(kafka_access, database, looking, tmp_path / "corrector.log")
    await running.make_topics()
    await running.producer.start()
    yield running
    await running.close()
    await looking.close()
    print(running.log.read_text("utf-8")[-5000:])


async def test_kill_9_in_the_middle_of_a_job_while_events_arrive_changes_each_event_once(
    rerate_book: RerateBook, system: System
) -> None:
    """6,000 events of 7 tokens at 2 a million are 0.000014 each: 0.084 in all. At 2 a token they were 84,000."""
    await rerate_book.publish(PER_ONE)
    chance = random.Random(11)
    events = [
        use(f"e{n}", usage={"input_tokens": TOKENS}, at=NOON + timedelta(seconds=chance.randrange(7200)))
        for n in range(EVENTS)
    ]
    await rerate_book.book(*events[ARRIVING:])
    right = await rerate_book.publish(withdrawn(PER_ONE), PER_MILLION)
    job = RerateRequest(
        id="job",
        tenant="acme",
        selection=Selection(),
        version=right,
        reason="a test",
        by="ada",
        at=NOON,
        apply=True,
    )
    await system.ask(job, job)  # the broker has it twice
    arriving = asyncio.create_task(arrive(rerate_book, events[:ARRIVING]))
    killed = 0
    for _ in range(KILLS):
        process = await system.corrector()
        seen = await progress(system)

        async def is_further(before: int = seen) -> bool:
            return await progress(system) > before or await state(system) == "applied"

        await until(is_further, "the job to go on")
        await asyncio.sleep(chance.uniform(0, 0.15))
        killed += await state(system) != "applied"
        process.kill()
        await process.wait()
    assert killed > 0
    await arriving
    await system.corrector()

    async def is_done() -> bool:
        late = "SELECT count(*) FROM late_rated WHERE origin_offset >= (SELECT coalesce(max(next_offset), 0) FROM late_marks)"
        return await state(system) == "applied" and await system.owner.fetchval(late) == 0

    await until(is_done, "the job to be done")
    assert await rerate_book.money() == EVENTS * TOKENS * Decimal("0.000002") == Decimal("0.084")
    written = await system.owner.fetch("SELECT seq, count(*) FROM entries GROUP BY seq ORDER BY seq")
    assert [tuple(row) for row in written] == [(0, EVENTS), (1, EVENTS), (2, EVENTS)]
    numbers = await system.owner.fetchrow(
        "SELECT count(DISTINCT origin_offset), min(origin_offset), max(origin_offset) FROM entries WHERE origin_partition = -1"
    )
    assert tuple(numbers) == (2 * EVENTS, 0, 2 * EVENTS - 1)
    assert (await rerate_book.counts("job"))["changed"] == EVENTS
    day = await system.owner.fetchval("SELECT sum(effective) FROM rollups WHERE size = 'day' AND part = -1")
    assert day == Decimal("0.084") - Decimal(84_000)


async def arrive(world: RerateBook, events: list) -> None:  # type: ignore[type-arg]
    for start in range(0, len(events), 50):
        await world.book(*events[start : start + 50], version=1, partition=1)
        await asyncio.sleep(0.2)


async def progress(system: System) -> int:
    return int(await system.owner.fetchval("SELECT coalesce(sum(seen), 0) FROM rerate_passes"))


async def state(system: System) -> str:
    return str(await system.owner.fetchval("SELECT state FROM rerate_jobs WHERE rerate_id = 'job'"))
