"""Up to when all that was accepted is booked, or folded: only by that is something quiet.

Where the ledger stands still nothing comes in either, and that is no silence of those who spend.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg

from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("complete.sql"))
RUNS = "runs"
READ_EVERY_S = 1.0
SECOND = timedelta(milliseconds=900)
READINGS_MAX = 1_000
AGE_PARTS = 100
"""A second apart; when there are more, a hundredth of their age: of a book that is hours behind it is known
to two parts in a hundred how far."""


class LogReading(NamedTuple):
    """How far the logs reached at a moment."""

    at: datetime
    ends: Mapping[int, int]


@dataclass
class Completeness:
    """What `booked` and `folded` say only grows; None = nothing is known yet. Pure."""

    booked: datetime | None = None
    folded: datetime | None = None
    _readings: list[LogReading] = field(default_factory=list)

    def observe(self, reading: LogReading, booked: Mapping[int, int], folded: Mapping[int, int]) -> None:
        """Take over how far the logs reach, and up to where they are booked and folded, by partition."""
        if not self._readings or reading.at > self._readings[-1].at:
            self._readings.append(reading)
        self.booked = self._through(booked) or self.booked
        self.folded = self._through(folded) or self.folded
        known = [at for at in (self.booked, self.folded) if at is not None]
        if len(known) > 1:
            self._readings = [each for each in self._readings if each.at >= min(known)]
        if len(self._readings) > READINGS_MAX:
            self._thin_out()

    def _thin_out(self) -> None:
        newest = self._readings[-1]
        kept = [newest]
        for reading in reversed(self._readings):
            if kept[-1].at - reading.at >= max(SECOND, (newest.at - reading.at) / AGE_PARTS):
                kept.append(reading)
        self._readings = kept[:READINGS_MAX][::-1]

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
