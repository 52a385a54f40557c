"""How long a comparison of versions takes over a million runs, and what keeping their moments costs.

Method: runs of three versions and ten teams over 100 days, each with an outcome that is accepted, refused or open and
every fiftieth reversed ten days later, lie in a real Postgres as the corrector leaves them. All days are due; the
keeper makes them with its own code and role, which is timed. Then one day is due again, as it is when anything of it
changes. Then the route is asked over ASGI with the api's role, 90 days of all versions: the first time, when nothing
is drawn yet, and again and again (p50, p99 of --asked, and the processor time of
this process, without Postgres). The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database.transactions import Database, prepare
from services.corrector.workflows.keeper import MomentsKeeper
from spendmeter.platform.migrate import migrate
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.benchmarks.bench_ledger import SECRET
from tests.stack import Stack

DAYS = 100
RUNS = """
INSERT INTO run_days SELECT 'acme', day, 'run-' || n, 'refund', 'v' || n % 3, 'team-' || n % 10, 'USD', 5, 0, 5,
    (n % 7 = 0)::int, (1 + n % 97) * 0.0013, (n % 11 = 0)::int * 0.8, 0.002, 0, (n % 11 = 0)::int * 0.01, at, at + '4 min'
FROM (SELECT n, $2::date + (n % $3)::int AS day FROM generate_series(1, $1::int) AS n) AS runs,
    LATERAL (SELECT (day + time '09:00' + make_interval(secs => n % 36000)) AT TIME ZONE 'UTC' AS at) AS times
"""
OUTCOMES = """
INSERT INTO outcomes (identity, tenant, source, event_id, key_id, kind, target, name, count, value, currency, accepted, run,
    workflow, workflow_version, labels, hash, occurred_at)
SELECT decode(md5('o' || run), 'hex'), tenant, 's', run, 'k', 'outcome', NULL, 'done', 1, 0, '',
    CASE WHEN length(run) % 2 = 0 OR ai > 0.02 THEN true WHEN ai > 0.01 THEN false END, run, '', '', '{}', '', last_at
FROM run_days
"""
REVERSALS = """
INSERT INTO outcomes (identity, tenant, source, event_id, key_id, kind, target, name, count, value, currency, run, workflow,
    workflow_version, labels, hash, occurred_at)
SELECT decode(md5('r' || run), 'hex'), tenant, 's', 'r-' || run, 'k', 'reversal', identity, '', 1, 0, '', '', '', '', '{}',
    '', occurred_at + interval '10 days'
FROM outcomes WHERE right(run, 2) IN ('00', '50')
"""
DUE = "INSERT INTO run_days_due SELECT DISTINCT tenant, day, '' FROM run_days"


async def filled(stack: Stack, runs: int) -> tuple[str, str]:
    """A database with these runs, and a key that reads them."""
    url = stack.owner_url.rsplit("/", 1)[0] + "/flows"
    await migrate(url, SECRET)
    owner = await asyncpg.connect(url)
    first = datetime.now(UTC).date() - timedelta(days=DAYS + 15)
    await owner.execute(RUNS, runs, first, DAYS)
    for statement in (OUTCOMES, REVERSALS, DUE):
        await owner.execute(statement)
    await owner.execute("ANALYZE")
    book = Book(owner)
    await book.tenant("acme")
    key = await book.key("acme", "read")
    await owner.close()
    return url, key


async def keep(url: str, runs: int) -> dict[str, float]:
    """What making the moments costs, in microseconds a run of the clock; and of one day, in ms."""
    pool = await create_pool(role_url(url, "corrector", SECRET), size_max=2, service="bench")
    keeper = MomentsKeeper(pool=pool, meters=Meters())
    began = time.perf_counter()
    days = await keeper.catch_up()
    everything = time.perf_counter() - began
    await pool.execute("INSERT INTO run_days_due SELECT tenant, max(day), '' FROM run_days GROUP BY tenant")
    began = time.perf_counter()
    await keeper.catch_up()
    one = time.perf_counter() - began
    await pool.close()
    return {
        "days": days,
        "keep_us_a_run": round(everything / runs * 1e6, 1),
        "keep_ms_a_day": round(one * 1e3, 1),
    }


async def ask(url: str, key: str, times: int) -> dict[str, Any]:
    """How long the route takes, in ms."""
    pool = await create_pool(role_url(url, "api", SECRET), size_max=4, service="bench", init=prepare)
    app = create_app(Settings(), Database(pool), BookProgress(), lambda: "")
    until = datetime.now(UTC).date() - timedelta(days=15)
    asked = {"workflow": "refund", "from": str(until - timedelta(days=90)), "to": str(until), "against": "v0"}
    took, body, spent = [], {}, 0.0
    transport = httpx.ASGITransport(app=app)
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as client:
        for number in range(times):
            if number == 1:
                spent = time.process_time()
            began = time.perf_counter()
            answer = await client.get("/v1/workflows/comparison", params=asked)
            took.append(time.perf_counter() - began)
            assert answer.status_code == 200, answer.text
            body = answer.json()
    spent = (time.process_time() - spent) / max(1, times - 1)
    await pool.close()
    later = sorted(took[1:])
    return {
        "runs_answered": sum(each["runs"] for each in body["versions"]),
        "answer_kb": round(len(json.dumps(body)) / 1024, 1),
        "first_ms": round(took[0] * 1e3, 1),
        "python_ms": round(spent * 1e3, 1),
        "p50_ms": round(later[len(later) // 2] * 1e3, 1),
        "p99_ms": round(later[int(len(later) * 0.99)] * 1e3, 1),
    }


async def run(stack: Stack, runs: int, times: int) -> dict[str, Any]:
    url, key = await filled(stack, runs)
    return {"runs": runs, **await keep(url, runs), **await ask(url, key, times)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--runs", type=int, default=1_000_000)
    arguments.add_argument("--asked", type=int, default=200)
    options = arguments.parse_args()
    print(__doc__)
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ["postgres"]) as stack:
        print(json.dumps(asyncio.run(run(stack, options.runs, options.asked))))


if __name__ == "__main__":
    main()
