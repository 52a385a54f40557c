"""How far the reconciler is behind the book while both run, and how much memory it holds."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import psutil

LOOK_INTERVAL_S = 0.1
STANDS = """
SELECT p.partition, p.next_origin, coalesce(m.looked, 0) AS looked FROM positions p LEFT JOIN proved_marks m USING (partition)
"""
SAID_BEHIND = "SELECT extract(epoch FROM clock_timestamp() - held_until)::float FROM proved_until"


@dataclass(eq=False)
class Lag:
    """How long a position takes to be reached by the mark that follows it: by partition, and by one clock."""

    seconds_max: float = 0.0
    _waiting: defaultdict[int, deque[tuple[float, int]]] = field(default_factory=lambda: defaultdict(deque))

    def see(self, now: float, partition: int, position: int, mark: int) -> None:
        """A position counts from when it was first seen; one that is not reached yet counts up to now."""
        waiting = self._waiting[partition]
        if position > (waiting[-1][1] if waiting else mark):
            waiting.append((now, position))
        if waiting:
            self.seconds_max = max(self.seconds_max, now - waiting[0][0])
        while waiting and waiting[0][1] <= mark:
            waiting.popleft()


@dataclass(eq=False)
class ProofWatch:
    """What was seen at most."""

    behind: Lag = field(default_factory=Lag)
    said_behind_s_max: float = 0.0
    resident_mib_max: int = 0

    async def look(self, owner: asyncpg.Connection, reconciler: psutil.Process | None) -> None:
        """Look once."""
        rows = await owner.fetch(STANDS)
        now = time.monotonic()
        for row in rows:
            self.behind.see(now, row["partition"], row["next_origin"], row["looked"])
        said = await owner.fetchval(SAID_BEHIND)
        self.said_behind_s_max = max(self.said_behind_s_max, said or 0.0)
        if reconciler is not None:
            self.resident_mib_max = max(self.resident_mib_max, reconciler.memory_info().rss >> 20)

    def figures(self) -> Mapping[str, Any]:
        return {
            "proof_behind_s_max": round(self.behind.seconds_max, 1),
            "proved_until_behind_s_max": round(self.said_behind_s_max, 1),
            "reconciler_mib_max": self.resident_mib_max,
        }


@asynccontextmanager
async def watching_proof(
    connect: Callable[[], Any], reconciler: psutil.Process | None
) -> AsyncIterator[ProofWatch]:
    """Look until the end of the block, through a connection of its own."""
    owner, watch = await connect(), ProofWatch()

    async def look_on() -> None:
        while True:
            await watch.look(owner, reconciler)
            await asyncio.sleep(LOOK_INTERVAL_S)

    looking = asyncio.create_task(look_on())
    try:
        yield watch
        if looking.done():
            looking.result()
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await owner.close()
