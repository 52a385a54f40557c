"""What the ledger's watch asks of Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from services.ledger.watch import SQL, Watch
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET

LOCK = 4711
FREED_S_MAX = 30


async def nothing() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def test_a_ledger_frozen_inside_copy_is_ended_by_one_that_is_awake_and_an_idle_one_is_not(
    ledger: asyncpg.Connection, database: str
) -> None:
    frozen, idle = [await asyncpg.connect(role_url(database, "ledger", SECRET)) for _ in range(2)]
    await frozen.execute("CREATE TEMP TABLE copied (value int)")
    transaction = frozen.transaction()
    await transaction.start()
    await frozen.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
    copying = asyncio.create_task(frozen.copy_to_table("copied", source=nothing()))
    async with asyncio.timeout(FREED_S_MAX):
        while not await ledger.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
            await ledger.execute(SQL["end_frozen"])
            await asyncio.sleep(0.2)
    assert await idle.fetchval("SELECT 1") == 1
    copying.cancel()
    await asyncio.gather(copying, return_exceptions=True)
    frozen.terminate()
    await idle.close()


def test_what_is_in_flight_is_shown_for_three_seconds_and_then_not_at_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    monkeypatch.setattr("spendmeter.platform.telemetry.metrics.get_meter", provider.get_meter)
    now = [100.0]
    nothing: Any = None
    watch = Watch(
        lanes={}, consumer=nothing, logs=nothing, admin=nothing, pool=nothing, rating_group="",
        meters=Meters(), clock=lambda: now[0],
    )  # fmt: skip

    def shown() -> list[float]:
        read = reader.get_metrics_data()
        resources = read.resource_metrics if read else ()
        metrics = [metric for each in resources for scope in each.scope_metrics for metric in scope.metrics]
        return [point.value for metric in metrics for point in metric.data.data_points]

    watch.show()
    assert shown() == []
    watch.measured(7)
    now[0] = 103.0
    assert (shown(), shown()) == ([7], [7])
    now[0] = 103.1
    assert shown() == []
    watch.measured(0)
    assert shown() == [0]
