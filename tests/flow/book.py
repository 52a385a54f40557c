"""What the book says of the events of one source, read by its owner."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from decimal import Decimal

import asyncpg

BOOKED_WITHIN_S = 60


async def outcomes(owner: asyncpg.Connection, source: str) -> Counter[str]:
    """Events of a source by what became of them."""
    counted = Counter(
        {
            "booked": await owner.fetchval(
                "SELECT count(*) FROM entries WHERE seq = 0 AND event::jsonb->>'source' = $1", source
            )
        }
    )
    for outcome, number in await owner.fetch(
        "SELECT outcome, count(*) FROM unbooked WHERE source = $1 GROUP BY 1", source
    ):
        counted[outcome] += number
    return +counted


async def settled(
    owner: asyncpg.Connection, source: str, events: int, within_s: float = BOOKED_WITHIN_S
) -> Counter[str]:
    """The outcomes of a source once there are `events` of them."""
    deadline = time.monotonic() + within_s
    while (counted := await outcomes(owner, source)).total() < events:
        assert time.monotonic() < deadline, f"{source}: {dict(counted)} of {events} within {within_s} s"
        await asyncio.sleep(0.1)
    return counted


async def folded(owner: asyncpg.Connection, within_s: float = BOOKED_WITHIN_S) -> None:
    """Once the projections have come to where the book stands now."""
    deadline = time.monotonic() + within_s
    behind = (
        "SELECT count(*) FROM projection_marks JOIN (SELECT partition, next_origin FROM positions "
        "UNION ALL SELECT -1, next_entry FROM corrector) AS stands (partition, reached) USING (partition) "
        "WHERE next_offset < reached"
    )
    while await owner.fetchval(behind):
        assert time.monotonic() < deadline, f"projections are behind after {within_s} s"
        await asyncio.sleep(0.1)


async def money(owner: asyncpg.Connection, source: str) -> Decimal:
    """The sum of a source's effective amounts, corrections included."""
    total = await owner.fetchval(
        "SELECT sum(effective) FROM entries WHERE identity IN ("
        "SELECT identity FROM entries WHERE seq = 0 AND event::jsonb->>'source' = $1)",
        source,
    )
    assert isinstance(total, Decimal)
    return total


async def position(owner: asyncpg.Connection, column: str, partition: int) -> int:
    """positions.column of a partition; 0 before its first batch."""
    found = await owner.fetchval(f"SELECT {column} FROM positions WHERE partition = $1", partition)
    return int(found or 0)
