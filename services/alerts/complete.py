"""Up to when all that was accepted is booked, or folded: only by that is something quiet.

Where the ledger stands still nothing comes in either, and that is no silence of those who spend.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import asyncpg

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("complete.sql"))
RUNS = "runs"
READ_EVERY_S = 1.0
READINGS_MAX = 600
"""A second apart: what is folded may be a minute behind, and the book ten."""


class LogReading(NamedTuple):
    """How far the logs reached at a moment."""

    at: datetime
    ends: Mapping[int, int]


@dataclass
class Completeness:
    """What `booked` and `folded` say only grows; None = nothing is known yet. Pure."""

    booked: datetime | None = None
    folded: datetime | None = None
    _readings: deque[LogReading] = field(default_factory=lambda: deque(maxlen=READINGS_MAX))

    def observe(self, reading: LogReading, booked: Mapping[int, int], folded: Mapping[int, int]) -> None:
        """Take over how far the logs reach, and up to where they are booked and folded, by partition."""
        if not self._readings or reading.at > self._readings[-1].at:
            self._readings.append(reading)
        self.booked = self._through(booked) or self.booked
        self.folded = self._through(folded) or self.folded
        known = [at for at in (self.booked, self.folded) if at is not None]
        while len(known) > 1 and self._readings[0].at < min(known):
            self._readings.popleft()

    def booked_by(self, now: datetime) -> datetime | None:
        """Up to when what is not in the book was not spent; None = nobody can say.

        Where no log's end is known at all, by the clock.
        """
        return self.booked if self._readings else now

    def _through(self, passed: Mapping[int, int]) -> datetime | None:
        for reading in reversed(self._readings):
            if all(passed.get(partition, 0) >= end for partition, end in reading.ends.items()):
                return reading.at
        return None


@dataclass(eq=False)
class CompletenessReader:
    """Asks Postgres, once a second at most, for all tenants of a worker together."""

    pool: asyncpg.Pool[asyncpg.Record]
    known: Completeness = field(default_factory=Completeness)
    _read_at_s: float = float("-inf")

    async def read(self) -> Completeness:
        """As of a second ago at most. Raises CONNECTION_ERRORS."""
        if time.monotonic() - self._read_at_s >= READ_EVERY_S:
            self._read_at_s = time.monotonic()
            rows = await self.pool.fetch(SQL["progress"], RUNS)
            if rows:
                self.known.observe(
                    LogReading(
                        min(row["read_at"] for row in rows),
                        {row["partition"]: row["log_end"] for row in rows},
                    ),
                    {row["partition"]: row["booked"] for row in rows},
                    {row["partition"]: row["folded"] for row in rows},
                )
        return self.known
