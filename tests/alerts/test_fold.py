"""A tenant with more series than anybody reads: its minutes stay small, and no money is lost from them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.alerts.bursts.learning import Learner
from services.alerts.bursts.minute_reader import MinuteReader
from services.alerts.bursts.minutes import COMBINATIONS_MAX, VALUES_MAX
from services.alerts.counting.counter_reader import CounterReader
from services.alerts.counting.counters import CounterKey
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.contracts.terms import Timeline
from tests.alerts.conftest import Book

MANY = 3_000


@asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    yield


@pytest.fixture
async def crowd(book: Book) -> datetime:
    """MANY agents of ten teams spend 0.01 each, one of them 40, in this minute and in each of the last seven."""
    await book.owner.execute(
        f"INSERT INTO series (tenant, series_id, {', '.join(DIMENSIONS)}) "
        "SELECT 'acme', decode(md5(n::text), 'hex'), 'model', 'openai', 'gpt-4o', 'team' || n % 10, '', '', '', '', "
        "'agent' || n, '', 'k1' FROM generate_series(1, $1) n",
        MANY,
    )
    now = datetime.now(UTC)
    await book.owner.execute(
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
        "SELECT $2::timestamptz - m * interval '1 minute', current_date, 0, 'acme', decode(md5(n::text), 'hex'), "
        "'USD', 1, 0, 0, 0, CASE WHEN n = 7 THEN 40 ELSE 0.01 END, 0, '{}' "
        "FROM generate_series(1, $1) n, generate_series(0, 7) m",
        MANY, now.replace(second=0, microsecond=0),
    )  # fmt: skip
    for minutes in range(8):
        await book.touch(now.replace(second=0, microsecond=0) - timedelta(minutes=minutes))
    return now


async def test_the_detectors_minutes_are_bounded_and_lose_no_money(
    crowd: datetime, pool: asyncpg.Pool
) -> None:
    async with Learner() as learner:
        reader = MinuteReader(pool, "acme", "USD", at_once, learner)
        await reader.look(crowd)
        recent = reader.recent
        assert len(recent.spent) <= 2 * (COMBINATIONS_MAX + 1)
        a_minute = Decimal(40) + (MANY - 1) * Decimal("0.01")
        minute = crowd.replace(second=0, microsecond=0)

        def spent(dimension: str, value: str) -> Any:
            return sum(row.amount for row in recent.of({dimension: value} if value else {}, minute, minute))

        assert spent("tenant", "") == a_minute
        assert spent("agent", "agent7") == 40
        assert spent("team", "team3") == 300 * Decimal("0.01")  # none of its agents is known by name
        assert spent("team", "team7") == 40 + 299 * Decimal("0.01")
        agents = {row.series.agent for row in recent.spent} - {""}
        assert len(agents) <= VALUES_MAX
        assert reader.learned.scopes["tenant", ""].per_minute == a_minute
        assert reader.learned.scopes["agent", "agent7"].per_minute == 40


async def test_a_budget_of_one_agent_among_thousands_counts_its_money_alone(
    crowd: datetime, pool: asyncpg.Pool
) -> None:
    reader = CounterReader(pool, "acme", Timeline(), at_once)
    midnight = crowd.replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight - timedelta(days=1)
    end = midnight + timedelta(days=1)
    one = CounterKey("USD", (("agent", "agent2999"), ("team", "team9")))
    nobody = CounterKey("USD", (("agent", "agent2999"), ("team", "team1")))
    euros = CounterKey("EUR", ())
    whole = CounterKey("USD", ())
    await reader.look(crowd, {one: since, nobody: since, euros: since, whole: since})
    of = reader.counters.of
    assert of(one, since, end).effective == 8 * Decimal("0.01")
    assert of(nobody, since, end).effective == of(euros, since, end).effective == 0
    assert of(whole, since, end).effective == 8 * (40 + (MANY - 1) * Decimal("0.01"))
    (first, *_) = of(whole, since, end).leaders
    assert (await reader.series([first]))[first.series_id].agent == "agent7"
