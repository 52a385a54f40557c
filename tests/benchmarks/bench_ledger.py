"""What booking costs: the ledger's own transaction on a real Postgres, without Kafka.

Method: records as rating encodes them (3 lines, 600 series in the current minute, 3 tenants, 1 % duplicates),
rendered before the clock starts; four lanes, each a connection of the ledger's own role (row-level security
on), fsync on; batches of 2,000. Counts CPU of this process and of Postgres, and reads the book afterwards.

Then: jobs price all of it anew, every event at another amount, checked against quantities x prices
(rerate_per_s, while applying). The same records by one worker and by three, each a process: the same money
(workers_ratio). The same records into a book that holds --tall entries over 90 days (ratio_10m; 0 = left out).
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import psutil

from services.ledger.batch import BookPosition, collect
from services.ledger.book import book, prepare
from spendmeter.contracts.events import Labels
from spendmeter.platform.migrate import migrate
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from tests.benchmarks.rerating import rerate_all
from tests.ledger_records import RATED_TOPIC, TOPIC, on_topic, rated, usage_event
from tests.stack import Stack

SECRET = "bench"
TENANTS = ["tenant0", "tenant1", "tenant2"]


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


async def book_share(url: str, partitions: list[int], events: int, size: int, ready: Any) -> None:
    """What one worker does: book its partitions, all at once."""
    work = {partition: render(partition, events, partition) for partition in partitions}
    pool = await create_pool(
        role_url(url, "ledger", SECRET), size_max=len(partitions), service="bench", init=prepare
    )
    ready.wait()
    await asyncio.gather(*(lane(pool, partition, records, size) for partition, records in work.items()))
    await pool.close()


def worker(*share: Any) -> None:
    asyncio.run(book_share(*share))


async def by_workers(stack: Stack, workers: int, events: int, size: int) -> tuple[float, str]:
    """Events a second of three partitions, shared among so many processes; and the money."""
    url = f"{stack.owner_url.rsplit('/', 1)[0]}/bench_by_{workers}"
    await migrate(url, SECRET)
    spawn = multiprocessing.get_context("spawn")
    ready = spawn.Barrier(workers + 1)
    shares = [list(range(3))[number::workers] for number in range(workers)]
    processes = [
        spawn.Process(target=worker, args=(url, share, events // 3, size, ready)) for share in shares
    ]
    for process in processes:
        process.start()
    ready.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    took = time.perf_counter() - began
    owner = await asyncpg.connect(url)
    money = await owner.fetchval("SELECT sum(effective) FROM rollups_minute")
    await owner.close()
    return events // 3 * 3 / took, str(money)


async def fill(url: str, entries: int) -> None:
    """Entries of 90 days that look like the booked ones, each with its identity."""
    owner = await asyncpg.connect(url)
    for first in range(0, entries, 500_000):
        await owner.execute(FILL, first, min(first + 500_000, entries) - 1, entries)
    await owner.execute("VACUUM ANALYZE entries, identities")
    await owner.execute("CHECKPOINT")
    await owner.close()


FILL = """
WITH made AS (
    SELECT decode(md5(n::text), 'hex') AS identity, now() - interval '91 days' + n * (interval '90 days' / $3::int) AS at, n
    FROM generate_series($1::int, $2::int) AS n
), claimed AS (
    INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset)
    SELECT identity, at, identity || identity, 99, n FROM made
)
INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, accounting_period, identity, series_id,
    tenant, status, currency, list, contracted, effective, event, lines)
SELECT at, n, 99, 1, date_trunc('month', at), identity, decode(md5((n % 600)::text), 'hex'), 'tenant' || n % 3, 'priced',
    'USD', 0.0035, 0.0035, 0.0035, repeat(md5(n::text), 14), repeat(md5((n % 600)::text), 6) FROM made
"""


async def run(
    stack: Stack, name: str, events: int, lanes: int, size: int, tall: int = 0
) -> dict[str, object]:
    url = f"{stack.owner_url.rsplit('/', 1)[0]}/{name}"
    await migrate(url, SECRET)
    if tall:
        await fill(url, tall)
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
    cpu = partial(cpu_of, stack.postgres_pid)
    rerated = {} if tall else await rerate_all(url, SECRET, TENANTS, lanes, cpu)
    record_bytes = sum(len(value) for _, value in work[0][:1000]) / len(work[0][:1000])
    return {
        "events_per_s": round(events / took),
        "python_us": round(python_us, 1),
        "postgres_us": round(postgres_us, 1),
        "record_bytes": round(record_bytes),
        **{name: int(value) for name, value in counts.items()},
        **rerated,
    }


async def run_all(stack: Stack, options: argparse.Namespace) -> dict[str, object]:
    asked = options.events, options.lanes, options.batch
    found = await run(stack, "bench", *asked)
    (one, its), (three, theirs) = [
        await by_workers(stack, workers, options.events, options.batch) for workers in (1, 3)
    ]
    assert its == theirs, f"one worker booked {its}, three booked {theirs}"
    found |= {"workers_ratio": round(three / one, 2), "ratio_10m": None}
    if options.tall:
        tall = await run(stack, "bench_tall", *asked, options.tall)
        ratio = float(str(tall["events_per_s"])) / float(str(found["events_per_s"]))
        found |= {"tall_entries": options.tall, "ratio_10m": round(ratio, 2)}
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--lanes", type=int, default=4)
    arguments.add_argument("--batch", type=int, default=2_000)
    arguments.add_argument("--tall", type=int, default=10_000_000)
    options = arguments.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as stack:
        print(json.dumps(asyncio.run(run_all(stack, options))))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
