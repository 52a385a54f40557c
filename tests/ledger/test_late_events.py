"""100,000 events of 30 days, booked in random order while rollups are made: each size is a GROUP BY of entries."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg

from services.ledger.book import prepare
from services.ledger.roller import Roller
from spendmeter.contracts.events import Labels
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.ledger.conftest import SECRET
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import rated, usage_event
from tests.terms import counts_in

EVENTS, LANES, BATCH = 100_000, 2, 2_000
FIRST = datetime(2026, 10, 10, tzinfo=UTC)
DAYS = 30
"""Over a change of the clock: in Berlin the night of 2026-10-25 has an hour more."""
WRONG = """
WITH said AS (
    SELECT CASE size WHEN 'five_minutes' THEN 5 WHEN 'hour' THEN 60 ELSE 1440 END AS minutes, bucket, series_id,
        currency, sum(events) AS events, sum(unpriced_events) AS unpriced, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective, sum(of_which_provisional) AS provisional,
        sum(input_tokens) AS input, sum(output_tokens) AS output, sum(requests) AS requests,
        sum((usage ->> 'gb_months')::numeric) AS gb_months
    FROM rollups GROUP BY 1, 2, 3, 4
    UNION ALL
    SELECT 1, bucket, series_id, currency, sum(events), sum(unpriced_events), sum(list), sum(contracted),
        sum(effective), sum(of_which_provisional), sum(input_tokens), sum(output_tokens), sum(requests),
        sum((usage ->> 'gb_months')::numeric)
    FROM rollups_minute GROUP BY 1, 2, 3, 4
), should AS (
    SELECT minutes, CASE minutes
            WHEN 1 THEN date_trunc('minute', occurred_at)
            WHEN 5 THEN date_bin('5 minutes', occurred_at, 'epoch')
            WHEN 60 THEN date_trunc('hour', occurred_at)
            ELSE date_trunc('day', occurred_at, 'Europe/Berlin')
        END AS bucket, series_id, currency, count(*)::numeric AS events,
        count(*) FILTER (WHERE status = 'unpriced')::numeric AS unpriced, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective,
        coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0) AS provisional,
        sum((usage ->> 'input_tokens')::numeric) AS input, sum((usage ->> 'output_tokens')::numeric) AS output,
        sum((usage ->> 'requests')::numeric) AS requests, sum((usage ->> 'gb_months')::numeric) AS gb_months
    FROM entries, LATERAL (SELECT event::jsonb #> '{data,usage}' AS usage) AS stated,
        unnest(ARRAY[1, 5, 60, 1440]) AS minutes
    GROUP BY 1, 2, 3, 4
)
SELECT * FROM said FULL JOIN should USING (minutes, bucket, series_id, currency)
WHERE (said.events, said.unpriced, said.list, said.contracted, said.effective, said.provisional, said.input,
        said.output, said.requests, said.gb_months)
    IS DISTINCT FROM (should.events, should.unpriced, should.list, should.contracted, should.effective,
        should.provisional, should.input, should.output, should.requests, should.gb_months)
LIMIT 5
"""


def some_event(chance: random.Random, partition: int, offset: int) -> Any:
    usage: dict[str, Any] = {"input_tokens": chance.randrange(1000)}
    if chance.random() < 0.5:
        usage["output_tokens"] = chance.randrange(1000)
    if chance.random() < 0.2:
        usage |= {"requests": chance.randrange(2), "gb_months": Decimal(chance.randrange(1000)).scaleb(-3)}
    event = usage_event(
        f"e{partition}-{offset}",
        time=FIRST + timedelta(seconds=chance.randrange(DAYS * 86_400)),
        labels=Labels(team=chance.choice(["search", "ads", "ops"])),
        usage=usage,
    )
    status = chance.choice(["priced", "priced", "provisional", "unpriced"])
    amount = "0" if status == "unpriced" else f"{chance.randrange(10**6)}e-7"
    return rated(event, offset, partition=partition, amount=amount, status=status)


async def test_every_size_equals_the_entries_of_100_000_late_events(
    owner: asyncpg.Connection, database: str
) -> None:
    await counts_in(owner, "acme", zone="Europe/Berlin")
    over = asyncio.Event()
    async with asyncpg.create_pool(
        role_url(database, "ledger", SECRET), init=prepare, min_size=LANES + 1, max_size=LANES + 1
    ) as pool:
        roller = Roller(pool=pool, meters=Meters())

        async def lane(partition: int) -> None:
            chance = random.Random(partition)
            async with pool.acquire() as connection:
                progress = await begin(connection, partition)
                for start in range(0, EVENTS // LANES, BATCH):
                    events = [some_event(chance, partition, start + n) for n in range(BATCH)]
                    progress = (await book_all(connection, progress, *events)).progress

        async def roll_up() -> None:
            while not over.is_set():
                await roller.roll_up(FIRST + timedelta(days=DAYS + 2))

        rolling = asyncio.create_task(roll_up())
        await asyncio.gather(*map(lane, range(LANES)))
        over.set()
        await rolling
        while await roller.roll_up(FIRST + timedelta(days=DAYS + 2)):
            pass
    assert await owner.fetchval("SELECT sum(events) FROM rollups_minute") == EVENTS
    assert await owner.fetchval("SELECT count(*) FROM touched") == 0
    assert await owner.fetch(WRONG) == []
