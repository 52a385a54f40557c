"""One key asks dear questions, DEAR_AT_ONCE at a time; meanwhile another tenant asks small ones, one after the
other. How long do the small ones take?

Method: a day of initech's minutes is written into the rollups by SQL (SERIES series in each of MINUTES minutes),
since booking so many events would take minutes; it is removed afterwards. The dear question groups that day by
workflow and minute, with quantities. The small one is acme's last hour. Times are those of a client on the same
machine, with a connection of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median, quantiles
from typing import Any

import httpx

from tests.flow.system import System

SERIES = 600
MINUTES = 1_440
DEAR_AT_ONCE = 12
SECONDS = 20.0
DEAR_TIMEOUT_S = 60.0
FIRST = datetime(2026, 3, 2, tzinfo=UTC)

FILL = (
    """
    INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow,
        workflow_version, agent, environment, key_id)
    SELECT 'initech', decode('fff' || lpad(to_hex(n), 29, '0'), 'hex'), 'model', 'openai', 'gpt-4o', 'team-' || n % 10, '',
        '', 'workflow-' || n, '', '', '', '' FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, unpriced_events,
        list, contracted, effective, of_which_provisional, usage)
    SELECT $3::timestamptz + minute * interval '1 minute', $3::date, 0, 'initech',
        decode('fff' || lpad(to_hex(n), 29, '0'), 'hex'), 'USD', 3, 0, 0.01, 0.01, 0.01, 0,
        '{"input_tokens": 3000, "output_tokens": 300}'
    FROM generate_series(1, $1::int) AS n, generate_series(0, $2::int - 1) AS minute
    """,
)
CLEAR = (
    "DELETE FROM rollups_minute WHERE tenant = 'initech' AND series_id >= '\\xfff00000000000000000000000000000'",
    "DELETE FROM series WHERE tenant = 'initech' AND series_id >= '\\xfff00000000000000000000000000000'",
)


def measure(
    system: System, *, series: int = SERIES, minutes: int = MINUTES, seconds: float = SECONDS
) -> dict[str, float]:
    """`other_tenant_p50_ms` and `_p99_ms` of small questions beside dear ones, `_alone_` of the same before;
    `dear_*`: how many dear ones were answered, and how many were told to come back."""
    return asyncio.run(_measure(system, series, minutes, seconds))


async def _measure(system: System, series: int, minutes: int, seconds: float) -> dict[str, float]:
    owner = await system.database()
    try:
        await owner.execute(FILL[0], series)
        await owner.execute(FILL[1], series, minutes, FIRST, timeout=300)
        await owner.execute("ANALYZE rollups_minute")
        async with (
            httpx.AsyncClient(base_url=system.api, headers=_key(system, "acme"), timeout=30) as small,
            httpx.AsyncClient(
                base_url=system.api,
                headers=_key(system, "initech"),
                timeout=DEAR_TIMEOUT_S,
                limits=httpx.Limits(max_connections=DEAR_AT_ONCE),
            ) as dear,
        ):
            alone = await _ask_for(small, seconds / 4)
            answers: Counter[int] = Counter()
            asking = [asyncio.create_task(_keep_asking(dear, minutes, answers)) for _ in range(DEAR_AT_ONCE)]
            await asyncio.sleep(1)
            beside = await _ask_for(small, seconds)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
    finally:
        for statement in CLEAR:
            await owner.execute(statement, timeout=300)
        await owner.close()
    return {
        "other_tenant_alone_p50_ms": round(median(alone), 1),
        "other_tenant_p50_ms": round(median(beside), 1),
        "other_tenant_p99_ms": round(quantiles(beside, n=100)[98], 1),
        "dear_answered": answers[200],
        "dear_told_to_come_back": answers[429],
        "dear_otherwise": sum(answers.values()) - answers[200] - answers[429],
    }


def _key(system: System, tenant: str) -> dict[str, str]:
    """Each question is read for itself: equal ones would share an answer, and cost nobody anything."""
    return {"Authorization": f"Bearer {system.keys[tenant]}", "Cache-Control": "no-cache"}


async def _ask_for(client: httpx.AsyncClient, seconds: float) -> list[float]:
    """Milliseconds of each small question. AssertionError for one that is not answered."""
    took_ms, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        now = datetime.now(UTC)
        began = time.perf_counter()
        answer = await client.get("/v1/spend", params=_range(now - timedelta(hours=1), now))
        took_ms.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
        await asyncio.sleep(0.02)
    return took_ms


async def _keep_asking(client: httpx.AsyncClient, minutes: int, answers: Counter[int]) -> None:
    question: dict[str, Any] = _range(FIRST, FIRST + timedelta(minutes=minutes))
    question |= {"group_by": "workflow", "bucket": "minute" if minutes < 3_000 else "hour"}
    while True:
        answer = await client.get("/v1/spend", params=question)
        answers[answer.status_code] += 1
        if answer.status_code != 200:
            await asyncio.sleep(min(1.0, float(answer.headers.get("retry-after", "0.1"))))


def _range(first: datetime, last: datetime) -> dict[str, str]:
    return {"from": first.isoformat(), "to": last.isoformat()}
