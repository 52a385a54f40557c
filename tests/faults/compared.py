"""The sender's own log against the book: what is lost, what is there twice, and whether the money is the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from tests.faults.loading import literal_prices, sent, worth
from tests.faults.watch import watching
from tests.flow.system import System

RECOVERED_S_MAX = 150.0
AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError, TimeoutError)
BOOKED = """
SELECT tenant, event::jsonb->>'id' AS id, count(*) AS times, sum(effective) AS money FROM entries
WHERE seq = 0 AND event::jsonb->>'source' = 'load' AND starts_with(event::jsonb->>'id', $1) GROUP BY 1, 2
"""
ROLLED_UP = """
SELECT (SELECT coalesce(sum(events), 0) FROM rollups_minute WHERE shard >= 0)
    - (SELECT coalesce(sum(booked), 0) FROM positions)
"""
PROVED_S_MAX = 120.0
UNPROVED = """
SELECT coalesce(sum(p.next_origin - coalesce(m.next_origin, 0)), 0)
FROM positions p LEFT JOIN proved_marks m USING (partition)
"""
FOUND = "SELECT invariant || ': ' || what || ' ' || named FROM proof_findings ORDER BY found_at LIMIT 3"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Between what one load sent and what of it is booked."""

    events: int
    lost: int
    doubled: int
    money: Decimal
    expected: Decimal

    @property
    def wrong(self) -> str:
        """'' = nothing."""
        if self.lost or self.doubled:
            return f"{self.lost} lost, {self.doubled} twice, of {self.events}"
        return "" if self.money == self.expected else f"{self.money} USD booked, {self.expected} were spent"


def difference(
    lines: list[dict[str, Any]], booked: Mapping[tuple[str, str], tuple[int, Decimal]]
) -> Difference:
    """An event that was accepted is there once. One of which the sender knows no answer may be missing."""
    prices = literal_prices()
    known = {(line["tenant"], line["id"]): line for line in lines}
    lost = sum(line["outcome"] == "accepted" and key not in booked for key, line in known.items())
    strangers = sum(times for key, (times, _) in booked.items() if key not in known)
    repeats = sum(times - 1 for times, _ in booked.values())
    return Difference(
        events=len(known),
        lost=lost,
        doubled=strangers + repeats,
        money=sum((money for _, money in booked.values()), Decimal(0)),
        expected=sum((worth(line, prices) for key, line in known.items() if key in booked), Decimal(0)),
    )


async def compared(owner: asyncpg.Connection, log: Path, seed: int) -> Difference:
    """All that the load of this seed sent, once nothing is in flight."""
    rows = await owner.fetch(BOOKED, f"load-{seed}-")
    booked = {(row["tenant"], row["id"]): (row["times"], row["money"]) for row in rows}
    return difference(sent(log), booked)


async def rolled_up_otherwise(owner: asyncpg.Connection) -> int:
    """Events in the rollups beyond those that are booked; less than 0 = some are missing there."""
    return int(await owner.fetchval(ROLLED_UP))


async def unproved(owner: asyncpg.Connection) -> str:
    """What the reconciler says of the book, once it has looked at all of it: '' = nothing is wrong."""
    deadline = time.monotonic() + PROVED_S_MAX
    while not (found := [each for (each,) in await owner.fetch(FOUND)]) and await owner.fetchval(UNPROVED):
        if time.monotonic() > deadline:
            return f"{await owner.fetchval(UNPROVED):,} offsets are not proved after {PROVED_S_MAX:.0f} s"
        await asyncio.sleep(0.2)
    return f"the reconciler found {'; '.join(found)}" if found else ""


async def recovered(system: System, since: float) -> float:
    """Seconds from `since` until all that the broker had when it answered again is booked."""
    deadline = since + RECOVERED_S_MAX
    ends: dict[int, int] = {}
    while True:
        try:
            async with watching(system) as watch:
                ends = ends or {at.partition: end for at, end in (await watch.ends()).items()}
                while await watch.behind(ends):
                    assert time.monotonic() < deadline, f"not recovered within {RECOVERED_S_MAX:.0f} s"
                    await asyncio.sleep(0.1)
                return time.monotonic() - since
        except AWAY as trouble:
            assert time.monotonic() < deadline, f"still away: {trouble!r}"
            await asyncio.sleep(0.2)
