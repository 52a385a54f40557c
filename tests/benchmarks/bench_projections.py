"""What the projections cost an event, and what the index costs that they read the book by.

Method: events as rating encodes them (three lines, 600 series, three tenants, five events a run) are booked by four
lanes on a real Postgres, fsync on, with the role that each has in production; half of the events once without the
index `entries_origin`. Then the corrector's projections (cells, runs, run_outcomes) fold the whole book from its
beginning, and after that 2,000 events a second as they are booked: they are looked at once a second of a clock that
goes on with them, and folded when the projector thinks fit (live; a look folds much or nothing). live_at_once is the
same without waiting for more. Counts CPU of this process and of Postgres. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from services.corrector.projections.projector import Projector
from services.ledger.batch import BookPosition, collect
from services.ledger.book import book, prepare
from spendmeter.contracts.events import Labels
from spendmeter.platform.migrate import migrate
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from spendmeter.platform.service import collect_seldom
from spendmeter.platform.telemetry import Meters
from tests.benchmarks.bench_ledger import SECRET, cpu_of
from tests.ledger_records import RATED_TOPIC, TOPIC, on_topic, rated, usage_event
from tests.stack import Stack

LANES = 4
BATCH = 2_000
SECONDS = 20
A_SECOND = 2_000


class Booked:
    """A database, its lanes, and what a stretch of work costs there."""

    def __init__(self, stack: Stack, url: str, ledger: Any, corrector: Any) -> None:
        self._stack, self.url, self.ledger, self.corrector = stack, url, ledger, corrector
        self._next = dict.fromkeys(range(LANES), 0)

    async def begin(self) -> None:
        for lane in range(LANES):
            await self.ledger.execute(
                "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3)",
                lane, RATED_TOPIC, TOPIC,
            )  # fmt: skip

    async def book(self, lane: int, records: list[tuple[int, bytes]]) -> None:
        at = self._next[lane]
        self._next[lane] += len(records)
        position = BookPosition(
            partition=lane, rated_topic=RATED_TOPIC, position=at, origin_topic=TOPIC, next_origin=at
        )
        for start in range(0, len(records), BATCH):
            batch = collect(position, records[start : start + BATCH])
            async with self.ledger.acquire() as connection:
                position = (await book(connection, batch)).progress

    async def cost(self, work: Awaitable[object], events: int) -> tuple[float, float, float]:
        """Microseconds an event: of this process, of Postgres, and of the clock."""
        mine, theirs, began = time.process_time(), cpu_of(self._stack.postgres_pid), time.perf_counter()
        await work
        spent = (
            time.process_time() - mine,
            cpu_of(self._stack.postgres_pid) - theirs,
            time.perf_counter() - began,
        )
        mine_us, theirs_us, clock_us = (round(each / events * 1e6, 1) for each in spent)
        return mine_us, theirs_us, clock_us


def render(lane: int, start: int, events: int) -> list[tuple[int, bytes]]:
    records = []
    now = datetime.now(UTC)
    for offset in range(start, start + events):
        picked, run = random.Random(f"{lane} {offset}"), f"run-{lane}-{offset // 5}"
        labels = Labels(
            team=f"team{picked.randrange(20)}",
            feature=f"feature{picked.randrange(10)}",
            workflow="refund",
            workflow_version="v2",
            run=run,
        )
        usage = {"input_tokens": 5 + picked.randrange(1000), "cache_read_tokens": 128955, "output_tokens": 10}
        event = usage_event(
            f"{lane} {offset}",
            tenant=f"tenant{random.Random(run).randrange(3)}",
            time=now,
            labels=labels,
            usage=usage,
        )
        records.append(rated(event, offset, partition=lane, amount="0.00375"))
    return on_topic(*records, start=start)


async def opened(stack: Stack, name: str) -> Booked:
    url = stack.owner_url.rsplit("/", 1)[0] + f"/{name}"
    await migrate(url, SECRET)
    ledger = await create_pool(role_url(url, "ledger", SECRET), size_max=LANES, service="bench", init=prepare)
    corrector = await create_pool(role_url(url, "corrector", SECRET), size_max=2, service="bench")
    booked = Booked(stack, url, ledger, corrector)
    await booked.begin()
    return booked


async def book_all(booked: Booked, work: list[list[tuple[int, bytes]]]) -> None:
    await asyncio.gather(*(booked.book(lane, records) for lane, records in enumerate(work)))


async def run(stack: Stack, events: int) -> dict[str, object]:
    share = events // LANES
    work = [render(lane, 0, share) for lane in range(LANES)]
    plain = await opened(stack, "plain")
    owner = await asyncpg.connect(plain.url)
    await owner.execute("DROP INDEX entries_origin")
    await owner.close()
    without = await plain.cost(book_all(plain, work), events)
    booked = await opened(stack, "booked")
    indexed = await booked.cost(book_all(booked, work), events)

    collect_seldom()  # as the corrector does
    seconds = 0
    projector = Projector(pool=booked.corrector, meters=Meters(), clock=lambda: float(seconds))
    catching_up = await booked.cost(projector.catch_up(), events)
    live, at_once = [[0.0, 0.0, 0.0] for _ in range(2)]
    for fold, total in ((projector.look, live), (projector.catch_up, at_once)):
        for _ in range(SECONDS):
            each = A_SECOND // LANES
            await book_all(booked, [render(lane, share + seconds * each, each) for lane in range(LANES)])
            seconds += 1
            spent = await booked.cost(fold(), A_SECOND)
            total[:] = [round(so_far + more / SECONDS, 1) for so_far, more in zip(total, spent, strict=True)]
        await projector.catch_up()
    idle = await booked.cost(projector.catch_up(), 1)
    owner = await asyncpg.connect(booked.url)
    counts = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM cells) AS cells, "
        "(SELECT count(*) FROM runs) AS runs, (SELECT sum(effective) FROM cells) = "
        "(SELECT sum(effective) FROM entries) AS equal, (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('entries_origin'))::bigint / "
        "(SELECT count(*) FROM entries) AS index_bytes, pg_total_relation_size('cells') / "
        "(SELECT count(*) FROM cells) AS cell_bytes, pg_total_relation_size('runs') / "
        "(SELECT count(*) FROM runs) AS run_bytes"
    )
    await owner.close()
    names = ("python_us", "postgres_us", "clock_us")
    figures = {
        "catching_up": catching_up,
        "live": live,
        "live_at_once": at_once,
        "booking": indexed,
        "booking_without_index": without,
    }
    return {
        **{
            f"{what}_{name}": figure
            for what, each in figures.items()
            for name, figure in zip(names, each, strict=True)
        },
        "idle_us_a_look": round(sum(idle[:2])),
        **dict(counts),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    options = arguments.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as stack:
        print(json.dumps(asyncio.run(run(stack, options.events))))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
