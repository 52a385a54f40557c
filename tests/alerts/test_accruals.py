"""What accrues by the hour: no burst for the detector, and money for budgets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg

from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import CounterKey
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.service_keys import ACCRUALS, key_id
from tests.alerts.conftest import Book

MINUTE = timedelta(minutes=1)


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    yield


async def test_an_hour_of_a_dear_asset_is_no_burst_and_its_minutes_teach_nothing(
    book: Book, pool: asyncpg.Pool
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    hourly = {"provider": "own", "sku": "reviewers", "cost_class": "labour", "key_id": key_id(ACCRUALS)}
    # A quiet application that slept from an hour ago to ten minutes ago; assets accrued all the time.
    for minutes in (*range(10), *range(60, 70)):
        await book.spend("0.01", now - minutes * MINUTE)
    for minutes in range(0, 70, 5):
        await book.spend("50", now - minutes * MINUTE, **hourly)
    async with Learner() as learner:
        reader = MinuteReader(pool, "acme", "USD", at_once, learner)
        await reader.look(now + timedelta(seconds=30))
        assert {str(row.amount) for row in reader.recent.spent} == {"0.01"}
        assert str(reader.learned.scopes["tenant", ""].per_minute) == "0.01"
        assert reader.learned.minutes <= 20  # an hour in which only assets accrued was slept through

    midnight = now.replace(hour=0, minute=0)
    since, until = midnight - timedelta(days=1), midnight + timedelta(days=1)
    counter = CounterReader(pool, "acme", Timeline(), at_once)
    whole = CounterKey("USD", ())
    await counter.look(now + timedelta(seconds=30), {whole: since})
    assert str(counter.counters.of(whole, since, until).effective) == "700.20"
