"""Up to when the book is complete, told from log ends that were seen and positions that passed them. Pure.

A log end read at T proves: whatever the broker had accepted before T lies below it. So once the book has
passed that offset, the partition is complete through T. The latest such T is known exactly when nothing is in
flight; behind a backlog it is the youngest end seen so far that the position has passed, which is why the
ends are remembered. A process that starts behind a backlog has seen none, and says None instead of a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

SNAPSHOT_AGE_MAX = timedelta(seconds=60)
"""Requests answer side by side: one that looks at an older snapshot of the book must not be told what a
younger one has proved, so ends are remembered for so long after they were passed."""
ENDS_MAX = 1_000
"""Ends remembered a partition; the longer the backlog, the farther they are apart: coarser, never wrong."""


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """Everything accepted before `complete_through` is in the book; None = not known yet."""

    complete_through: datetime | None
    in_flight: int


class Progress:
    """Remembers log ends; `observe` the rows of accounting_by_partition() in any order of time."""

    def __init__(self) -> None:
        self._ends: dict[int, list[tuple[int, datetime]]] = {}
        self._proved: dict[int, tuple[int, datetime]] = {}
        """By partition: the position that proved the latest, and what it proved."""

    def observe(self, rows: Iterable[Mapping[str, Any]]) -> Completeness:
        """What these rows, and the ends seen before, prove."""
        in_flight = 0
        through: list[datetime | None] = []
        for row in rows:
            in_flight += max(0, row["log_end"] - row["next_origin"])
            through.append(self._partition(row["partition"], row))
        known = [at for at in through if at is not None]
        complete = bool(through) and len(known) == len(through)
        return Completeness(complete_through=min(known) if complete else None, in_flight=in_flight)

    def _partition(self, partition: int, row: Mapping[str, Any]) -> datetime | None:
        if row["read_at"] is None:
            return None
        if row["stopped"]:  # its log was lost or created anew: ends and offsets no longer belong together
            self._ends.pop(partition, None)
            return self._known(partition, row)
        end, at, ends = row["log_end"], row["read_at"], self._ends.setdefault(partition, [])
        if not ends or at - ends[-1][1] > (ends[-1][1] - ends[0][1]) * 2 / ENDS_MAX:
            ends.append((end, at))
        if len(ends) > ENDS_MAX:
            del ends[1::2]
        passed = [at for end, at in [*ends, (end, at)] if end <= row["next_origin"]]
        if not passed:
            return self._known(partition, row)
        self._proved[partition] = (row["next_origin"], max(passed))
        outlived = sum(at < max(passed) - SNAPSHOT_AGE_MAX for at in passed[:-1])
        del ends[: max(0, outlived - 1)]
        return self._proved[partition][1]

    def _known(self, partition: int, row: Mapping[str, Any]) -> datetime | None:
        proved = self._proved.get(partition)
        return proved[1] if proved is not None and row["next_origin"] >= proved[0] else None
