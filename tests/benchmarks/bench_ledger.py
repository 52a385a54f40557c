"""What booking costs: the ledger's own transaction on a real Postgres, without Kafka.

Method: records as rating encodes them (3 lines, 600 series in the current minute, 3 tenants, 1 % duplicates),
rendered before the clock starts; four lanes, each a connection of the ledger's own role (row-level security
on), fsync on; batches of 2,000. Counts CPU of this process and of Postgres, and reads the book afterwards.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil

from services.ledger.batch import BookPosition, collect
from services.ledger.book import book, prepare
from spendmeter.contracts.events import Labels
from spendmeter.platform.migrate import migrate
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from tests.ledger_records import RATED_TOPIC, TOPIC, on_topic, rated, usage_event
from tests.stack import Stack

SECRET = "bench"


def render(partition: int, events: int, seed: int) -> list[tuple[int, bytes]]:
    chance = random.Random(seed)
    now = datetime.now(UTC)
    records = []
    ids: list[str] = []
    for offset in range(events):
        duplicate = ids and chance.random() < 0.01
        event_id = chance.choice(ids[-5000:]) if duplicate else str(uuid4())
        ids.append(event_id)
        picked = random.Random(event_id)
        event = usage_event(
            event_id,
            tenant=f"tenant{picked.randrange(3)}",
            time=now,
            labels=Labels(team=f"team{picked.randrange(20)}", feature=f"feature{picked.randrange(10)}"),
            usage={
                "input_tokens": 5 + picked.randrange(1000),
                "cache_read_tokens": 128955,
                "output_tokens": 10,
            },
        )
        records.append(rated(event, offset, partition=partition))
    return on_topic(*records)


async def lane(pool: asyncpg.Pool, partition: int, records: list[tuple[int, bytes]], size: int) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3)",
            partition,
            RATED_TOPIC,
            TOPIC,
        )
    progress = BookPosition(
        partition=partition, rated_topic=RATED_TOPIC, position=0, origin_topic=TOPIC, next_origin=0
    )
    known: frozenset[tuple[str, str]] = frozenset()
    for start in range(0, len(records), size):
        batch = collect(progress, records[start : start + size])
        async with pool.acquire() as connection:
            done = await book(connection, batch, known)
        progress = done.progress
        known |= done.series


def cpu_of(pid: int) -> float:
    parent = psutil.Process(pid)
    return sum(sum(p.cpu_times()[:2]) for p in [parent, *parent.children(recursive=True)])


async def run(stack: Stack, events: int, lanes: int, size: int) -> dict[str, object]:
    url = stack.owner_url.rsplit("/", 1)[0] + "/bench"
    await migrate(url, SECRET)
    work = [render(partition, events // lanes, partition) for partition in range(lanes)]
    pool = await create_pool(role_url(url, "ledger", SECRET), size_max=lanes, service="bench", init=prepare)
    connections = [await pool.acquire() for _ in range(lanes)]
    for connection in connections:
        await pool.release(connection)
    mine, theirs, began = time.process_time(), cpu_of(stack.postgres_pid), time.perf_counter()
    await asyncio.gather(*(lane(pool, partition, records, size) for partition, records in enumerate(work)))
    took = time.perf_counter() - began
    python_us = (time.process_time() - mine) / events * 1e6
    postgres_us = (cpu_of(stack.postgres_pid) - theirs) / events * 1e6
    owner = await asyncpg.connect(url)
    counts = await owner.fetchrow(
        "SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM series) AS series, "
        "(SELECT count(*) FROM unbooked WHERE outcome = 'duplicate') AS duplicates, "
        "(SELECT count(*) FROM rollups_minute) AS rollup_rows, (SELECT sum(events) FROM rollups_minute) AS rolled_up, "
        "(SELECT avg(pg_column_size(e.*))::int FROM (SELECT * FROM entries LIMIT 1000) e) AS entry_bytes"
    )
    await owner.close()
    await pool.close()
    record_bytes = sum(len(value) for _, value in work[0][:1000]) / len(work[0][:1000])
    return {
        "events_per_s": round(events / took),
        "python_us": round(python_us, 1),
        "postgres_us": round(postgres_us, 1),
        "record_bytes": round(record_bytes),
        **{name: int(value) for name, value in counts.items()},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--lanes", type=int, default=4)
    arguments.add_argument("--batch", type=int, default=2_000)
    options = arguments.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as stack:
        print(json.dumps(asyncio.run(run(stack, options.events, options.lanes, options.batch))))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
