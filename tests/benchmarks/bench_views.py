"""How fast the book is read at any age, while it is written: the real system, with a history behind it.

    python -m tests.benchmarks.bench_views [--events 10000000] [--days 90] [--saturated 1440] [--corrections 100000]
        [--seconds 120]

1. `spendmeter up` in a fresh folder. tests.benchmarks.load sends for some seconds: what was booked then is what the
   events of history say.
2. History, by SQL: --events of one tenant over --days, 200 teams with 60 models each (12,000 series), of which 600
   spend on a day; in the last --saturated minutes each of some 600 series in every minute on all four partitions.
   The ledger's own code rolls all of it up; minutes are kept as long as it all, so that none are dropped meanwhile.
   There are moments in each quarter of an hour of it, and since then --corrections of these events were corrected.
3. For --seconds tests.benchmarks.load has 2,000 events/s of those series booked, and 20 readers ask one question
   a second each, in turn: the last 15 minutes by minute, the last 24 hours by hour, both by model; today by team;
   30 days by day and model, now and as they stood at one of a thousand instants (`as_of`: none is asked for twice); a
   receipt, of 500 spread over the history. With quantities, all of the one tenant. A
   time is from when a question was due to its whole answer; who was told to come back later is counted. The first
   10 s come on top, and are said apart (`cold_max_ms`): api has read nothing then, and all ask for all of it at once.
4. CPU is that of each process (with its children) a second; memory is the resident size before and after.

What else the machine did decides about the 99th percentile: `load_average` says what waited when it began.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from spendmeter.verify.usage import identity
from tests.benchmarks.history import SQL, book_new, roll_up
from tests.benchmarks.load import SOURCE
from tests.flow.system import System

TENANT = "acme"
RATE, READERS, RECEIPTS, PARTITIONS = 2_000, 20, 500, 4
COLD_S = 10
"""Seconds in which nothing had been asked before: their times are said apart."""
STATEMENT_S_MAX = 1_800


async def main_of(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    kept = {"SPENDMETER_MINUTES_KEPT_DAYS": "400"}
    with System(folder / "home", partitions=PARTITIONS, environment=kept) as system:
        owner = await asyncpg.connect(system.owner_url, command_timeout=STATEMENT_S_MAX)
        try:
            await load(system, folder, 15)
            receipts = await history(system, owner, options)
            figures = dict(await owner.fetchrow(SQL["figures"]))
            print(json.dumps(figures), flush=True)
            return {**figures, **await measure(system, folder, receipts, options.seconds, options.days)}
        finally:
            await owner.close()


async def load(system: System, folder: Path, seconds: float) -> dict[str, Any]:
    """2,000 events a second of one tenant's 60 teams with 10 models each."""
    keys = folder / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps({TENANT: system.keys[TENANT]}))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.load", "--ingest", system.ingest, "--keys", str(keys),
        "--rate", str(RATE), "--seconds", str(seconds), "--teams", "60", "--tenants", "1", "--log", "none",
        "--seed", str(random.randrange(10**6)), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    return dict(json.loads(output.decode().strip().splitlines()[-1]))


async def history(system: System, owner: asyncpg.Connection, options: argparse.Namespace) -> list[str]:
    """Ids of events whose receipts can be asked for."""
    await owner.execute(SQL["months"], options.days + 31)
    await owner.execute(SQL["series"], TENANT)
    await owner.execute(SQL["said_table"])
    await owner.execute(SQL["said"], TENANT)
    series = await owner.fetchval("SELECT count(*) FROM said")
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    saturated = now - timedelta(minutes=options.saturated)
    dense = options.saturated * series * PARTITIONS
    a_day = max(0, options.events - dense) // options.days
    for day in range(options.days, 0, -1):
        end = saturated - timedelta(days=day - 1)
        await fill(owner, end - timedelta(days=1), end, day, a_day, saturated=False)
    for number, start in enumerate(range(0, options.saturated, 60)):
        minutes = min(60, options.saturated - start)
        first = saturated + timedelta(minutes=start)
        events = minutes * series * PARTITIONS
        await fill(owner, first, first, -1 - number, events, saturated=True)
    await owner.execute(SQL["moments"], saturated - timedelta(days=options.days), now - timedelta(minutes=30))
    receipts = await add_receipts(owner, now - timedelta(days=options.days), options.days)
    corrected = await correct(owner, options)
    await owner.execute("VACUUM ANALYZE")
    seconds = await roll_up(system.owner_url, owner)
    print(
        f"{series} series saturated; {corrected} events corrected; all rolled up in {seconds:.0f} s",
        flush=True,
    )
    return receipts


async def correct(owner: asyncpg.Connection, options: argparse.Namespace) -> int:
    """So many pairs of entries, all over the history; how many. Back once they are in a moment."""
    corrected = await owner.fetchval(SQL["corrected"], TENANT, options.corrections, options.events)
    while await owner.fetchval(SQL["unsorted"]):
        await asyncio.sleep(1)
    return int(corrected)


async def fill(
    owner: asyncpg.Connection, start: datetime, end: datetime, day: int, events: int, *, saturated: bool
) -> None:
    """Entries, identities, minutes and marks of so many events."""
    async with owner.transaction():
        await owner.execute(SQL["new"])
        await owner.execute(SQL["events"], start, end, day, events, saturated)
        await book_new(owner, TENANT)


async def add_receipts(owner: asyncpg.Connection, start: datetime, days: int) -> list[str]:
    """Events that can be found by their ids, spread over the history."""
    said = json.loads(await owner.fetchval("SELECT event FROM said WHERE n = 0"))
    ids = [f"receipt-{number}" for number in range(RECEIPTS)]
    times = [start + timedelta(days=days) * number / RECEIPTS for number in range(RECEIPTS)]
    identities = [identity(TENANT, SOURCE, event_id) for event_id in ids]
    events = [
        json.dumps(said | {"id": event_id, "time": at.isoformat()})
        for event_id, at in zip(ids, times, strict=True)
    ]
    await owner.execute(SQL["receipts"], identities, times)
    await owner.execute(SQL["receipt_entries"], identities, times, events, TENANT)
    return ids


def questions(receipts: list[str], days: int) -> Iterator[tuple[str, str, dict[str, str]]]:
    """(name, path, parameters), in turn and without end."""
    for number in itertools.count():
        now = datetime.now(UTC)
        yield "spend_minute", "/v1/spend", {
            "from": (now - timedelta(minutes=15)).isoformat(), "bucket": "minute", "group_by": "sku",
        }  # fmt: skip
        yield "spend_hour", "/v1/spend", {
            "from": (now - timedelta(hours=24)).isoformat(), "bucket": "hour", "group_by": "sku",
        }  # fmt: skip
        yield "spend_day", "/v1/spend", {"range": "today", "group_by": "team"}
        first = (now - timedelta(days=29)).date().isoformat()
        yield "spend_30d", "/v1/spend", {"from": first, "bucket": "day", "group_by": "sku"}
        then = now - timedelta(days=1) - timedelta(days=days - 2) * (number * 389 % 1000) / 1000
        yield "as_of", "/v1/spend", {
            "from": (then - timedelta(days=29)).date().isoformat(), "to": then.isoformat(), "bucket": "day",
            "group_by": "sku", "as_of": then.isoformat(),
        }  # fmt: skip
        yield "receipt", "/v1/events", {"source": SOURCE, "id": receipts[number * 7 % len(receipts)]}


async def measure(
    system: System, folder: Path, receipts: list[str], seconds: float, days: int
) -> dict[str, Any]:
    """Phase 3."""
    waiting = os.getloadavg()[0]
    taken: defaultdict[str, list[float]] = defaultdict(list)
    answers: Counter[int] = Counter()
    booking = asyncio.create_task(load(system, folder, COLD_S + seconds + 10))
    cold: list[float] = []
    await asyncio.sleep(5)
    memory, cpu, began = resident_mib(system), system.cpu_seconds(), time.monotonic()
    headers = {"Authorization": f"Bearer {system.keys[TENANT]}"}
    async with httpx.AsyncClient(base_url=system.api, headers=headers, timeout=30) as client:

        async def reader(number: int) -> None:
            mine = itertools.islice(questions(receipts, days), number, None)
            for turn in range(COLD_S + int(seconds)):
                due = began + turn + number / READERS
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                name, path, parameters = next(mine)
                answer = await client.get(path, params=parameters)
                answers[answer.status_code] += 1
                if answer.status_code == 200:
                    (taken[name] if turn >= COLD_S else cold).append((time.monotonic() - due) * 1e3)

        await asyncio.gather(*map(reader, range(READERS)))
    took = time.monotonic() - began
    used = {name: total - cpu.get(name, 0.0) for name, total in system.cpu_seconds().items()}
    figures: dict[str, Any] = {}
    for name, times in sorted(taken.items()):
        times.sort()
        for part in (50, 99):
            figures[f"{name}_p{part}_ms"] = round(times[len(times) * part // 100], 1)
    return {
        **figures,
        "cold_max_ms": round(max(cold, default=0.0), 1),
        "answers": {str(status): number for status, number in answers.items()},
        "booked_per_s": (await booking)["accepted_per_s"],
        "cpu_s_per_s": {name: round(total / took, 3) for name, total in used.items()},
        "memory_mib_before": memory,
        "memory_mib": resident_mib(system),
        "load_average": round(waiting, 1),
    }


def resident_mib(system: System) -> dict[str, int]:
    """Of each process; of Kafka and Postgres their first one alone."""
    return {
        entry.name: psutil.Process(entry.pid).memory_info().rss >> 20
        for entry in system.state.processes
        if entry.pid
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--saturated", type=int, default=1_440, help="minutes")
    parser.add_argument("--corrections", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=120)
    options = parser.parse_args()
    print(__doc__)
    print(f"{os.cpu_count()} cores", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        print(json.dumps(asyncio.run(main_of(options, Path(folder)))))


if __name__ == "__main__":
    main()
