"""Everything on this one machine, as fast as it goes: broker, database, eight services, load generator.

    python -m tests.benchmarks.bench_flow [--seconds 60] [--probes 240] [--partitions 4] [--rate max]

1. `spendmeter up` in a fresh folder: real Kafka and Postgres (fsync on), keys, row-level security, totals and
   telemetry as always.
2. tests.benchmarks.load sends at its maximum rate (or --rate): 3 tenants, 20 teams, 10 models, 1 % duplicates, requests of
   100 events. booked_per_s = events booked / time from the first request until nothing was in flight: what
   queued up counts against it. us_per_event = CPU of each process (with its children) over that time / events.
   The reconciler proves meanwhile. Every 0.1 s each partition's position and the reconciler's mark are read:
   proof_behind_s_max = the longest from when a position was first seen until the mark had reached it, by the bench's
   own clock, up to the last event; proved_until_behind_s_max = how far `proved_until`, which the reconciler writes and
   the API shows, was behind the database's clock at most (a moment is written once a second: that is in it).
   reconciler_mib_max = its resident memory then. proved_after_s = from the last booking until all was proved.
3. At 1,000 events a second, probes: one event each with a team of its own, its clock started by the 204 and
   stopped when /v1/spend shows it (asked every 20 ms). visible_p99_ms is over all of them.
4. lost and doubled: every identity of the sender's log against every row of the book. The other figures are
   counted from the book and the broker after the run, the roles from pg_stat_activity during it.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.home import CLONE
from spendmeter.verify.usage import identity
from tests.benchmarks.proof_watch import watching_proof
from tests.flow.system import System, usage_event

PROBE_RATE = 1_000
PROBES_AT_ONCE = 3
POLL_S = 0.02
VISIBLE_S_MAX = 30.0
SETTLE_S_MAX = 300.0


async def load(
    system: System, folder: Path, *, seed: int, rate: str, seconds: float, batch: int
) -> dict[str, Any]:
    """Run the load generator to its end; what it reports."""
    keys = folder / "keys.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(system.keys))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.load", "--ingest", system.ingest, "--keys", str(keys),
        "--rate", rate, "--seconds", str(seconds), "--seed", str(seed), "--request-events", str(batch),
        "--out", str(folder / f"sent-{seed}.jsonl"),
        cwd=CLONE, env=os.environ | {"PYTHONPATH": str(CLONE)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    report: dict[str, Any] = json.loads(output.decode().strip().splitlines()[-1])
    return report


async def saturate(
    system: System, folder: Path, owner: asyncpg.Connection, seconds: float, rate: str
) -> dict[str, Any]:
    """Phase 2."""
    cpu, began = system.cpu_seconds(), time.monotonic()
    async with watching_proof(system.database, system.process("reconciler").identity.process()) as watch:
        sending = asyncio.create_task(load(system, folder, seed=1, rate=rate, seconds=seconds, batch=100))
        await asyncio.sleep(seconds / 2)
        roles = await roles_in_use(owner)
        report = await sending
        print(f"sent: {json.dumps(report)}", flush=True)
        await settled(system, owner)
        took = time.monotonic() - began
        booked = int(await owner.fetchval("SELECT sum(booked) FROM positions"))
        proof = await proved(owner)
    used = {name: total - cpu.get(name, 0.0) for name, total in system.cpu_seconds().items()}
    each = {name: round(seconds / booked * 1e6, 1) for name, seconds in used.items()}
    return {
        "booked_per_s": round(booked / took),
        "accepted": report["accepted"],
        "seconds": round(took, 1),
        "request_p99_ms": report.get("p99_ms"),
        "us_per_event": each | {"load": report["generator_us_per_event"]},
        "roles": roles,
        **proof,
        **watch.figures(),
    }


async def proved(owner: asyncpg.Connection) -> dict[str, Any]:
    """How long after the last booking all of it was proved, and with what found."""
    began = time.monotonic()
    behind = (
        "SELECT count(*) FROM positions p LEFT JOIN proved_marks m USING (partition) "
        "WHERE coalesce(m.looked, 0) < p.next_origin"
    )
    while await owner.fetchval(behind):
        assert time.monotonic() - began < SETTLE_S_MAX, f"not proved after {SETTLE_S_MAX} s"
        await asyncio.sleep(0.05)
    return {
        "proved_after_s": round(time.monotonic() - began, 1),
        "findings": await owner.fetchval("SELECT count(*) FROM proof_findings"),
    }


async def settled(system: System, owner: asyncpg.Connection) -> None:
    """Wait until nothing is in flight, by the broker's own offsets."""
    deadline = time.monotonic() + SETTLE_S_MAX
    while await ends(system, "usage.events") > await owner.fetchval("SELECT sum(next_origin) FROM positions"):
        assert time.monotonic() < deadline, f"still in flight after {SETTLE_S_MAX} s"
        await asyncio.sleep(0.05)


async def ends(system: System, topic: str) -> int:
    """Records ever put on a topic."""
    async with AIOKafkaConsumer(topic, **system.kafka.options()) as consumer:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        return sum((await consumer.end_offsets(partitions)).values())


async def roles_in_use(owner: asyncpg.Connection) -> list[dict[str, Any]]:
    """Whose connections are open now, and whether they bypass row-level security."""
    rows = await owner.fetch(
        "SELECT application_name AS application, usename AS role, count(*) AS connections, "
        "rolbypassrls OR rolsuper AS bypasses_rls FROM pg_stat_activity JOIN pg_roles ON rolname = usename "
        "WHERE datname = current_database() AND application_name LIKE 'spendmeter-%' GROUP BY 1, 2, 4 ORDER BY 1"
    )
    return [dict(row) for row in rows]


async def probe_all(system: System, folder: Path, probes: int) -> list[float]:
    """Phase 3: milliseconds from accepted to visible, in order."""
    background = asyncio.create_task(
        load(system, folder, seed=2, rate=str(PROBE_RATE), seconds=probes * 0.35 + 10, batch=10)
    )
    await asyncio.sleep(3)
    taken: list[float] = []
    numbers = iter(range(probes))
    async with httpx.AsyncClient(timeout=VISIBLE_S_MAX) as client:

        async def worker() -> None:
            for number in numbers:
                taken.append(await probe(system, client, f"probe-{number:04}"))

        await asyncio.gather(*(worker() for _ in range(PROBES_AT_ONCE)))
    print(f"under: {json.dumps(await background)}", flush=True)
    return sorted(taken)


async def probe(system: System, client: httpx.AsyncClient, team: str) -> float:
    """Milliseconds until one event with this team can be seen."""
    bearer = {"Authorization": f"Bearer {system.keys['acme']}", "Cache-Control": "no-cache"}
    api = system.api
    now = datetime.now(UTC)
    event = usage_event(team, source="probe", labels={"team": team}) | {"time": now.isoformat()}
    headers = bearer | {"Content-Type": "application/cloudevents+json"}
    (await client.post(f"{system.ingest}/api/v1/events", json=event, headers=headers)).raise_for_status()
    accepted = time.monotonic()
    query = {
        "from": (now - timedelta(minutes=2)).isoformat(), "to": (now + timedelta(minutes=2)).isoformat(),
        "bucket": "minute", "group_by": "team", "filter.team": team,
    }  # fmt: skip
    while time.monotonic() - accepted < VISIBLE_S_MAX:
        answer = (await client.get(f"{api}/v1/spend", params=query, headers=bearer)).raise_for_status().json()
        if any(row["events"] for row in answer["totals"]):
            return (time.monotonic() - accepted) * 1e3
        await asyncio.sleep(POLL_S)
    raise TimeoutError(f"{team} was not visible after {VISIBLE_S_MAX} s")


async def counted(system: System, folder: Path, owner: asyncpg.Connection) -> dict[str, Any]:
    """Phase 4."""
    sent: dict[bytes, None] = {}
    for log in folder.glob("sent-*.jsonl"):
        with log.open("rb") as lines:
            for line in map(json.loads, lines):
                if line["outcome"] == "accepted":
                    sent[identity(line["tenant"], line["source"], line["id"])] = None
    rows, doubled = set(), 0
    async with owner.transaction():
        async for (key,) in owner.cursor("SELECT identity FROM entries", prefetch=50_000):
            doubled += key in rows
            rows.add(key)
    queries = {
        "series": "SELECT count(*) FROM series",
        "partitions": "SELECT count(*) FROM positions WHERE booked > 0",
        "tenants": "SELECT count(DISTINCT tenant) FROM series",
        "prices": "SELECT count(DISTINCT line->>'entry') FROM entries, jsonb_array_elements(lines::jsonb) line",
        "duplicates": "SELECT sum(duplicate)::bigint FROM positions",
    }
    evidence = {name: await owner.fetchval(query, timeout=600) for name, query in queries.items()}
    return {
        "lost": sum(key not in rows for key in sent),
        "doubled": doubled,
        **evidence,
        "totals_published": await ends(system, "spend.totals"),
    }


async def run(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with System(folder / "home", partitions=options.partitions) as system:
        owner = await system.database()
        try:
            figures = await saturate(system, folder, owner, options.seconds, options.rate)
            visible = await probe_all(system, folder, options.probes)
            await settled(system, owner)
            figures |= {
                "visible_p50_ms": round(visible[len(visible) // 2]),
                "visible_p99_ms": round(visible[len(visible) * 99 // 100]),
                "probes": len(visible),
            }
            return figures | await counted(system, folder, owner)
        finally:
            await owner.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--probes", type=int, default=240)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--rate", default="max", help="events a second of phase 2, or max")
    options = parser.parse_args()
    print(__doc__)
    memory = psutil.virtual_memory().total / 2**30
    print(f"{os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench") as folder:
        print(json.dumps(asyncio.run(run(options, Path(folder)))))


if __name__ == "__main__":
    main()
