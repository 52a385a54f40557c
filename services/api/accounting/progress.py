"""Up to when the book is complete, told from log ends that were seen and positions that passed them. Pure.

Ends come from two sides: the ledger writes them beside its positions, and this process asks the broker,
so that a ledger that stands still is not the only one to say how much waits for it. The younger one counts.

A log end read at T proves: whatever the broker had accepted before T lies below it. So once the book has
passed that offset, the partition is complete through T. The latest such T is known exactly when nothing is in
flight; behind a backlog it is the youngest end seen so far that the position has passed, which is why the
ends are remembered. A process that starts behind a backlog has seen none, and says None instead of a guess.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.api.http.models import Complete

CORRECTIONS = -1
"""Their partition: the corrector's, which has no log end."""
OUTCOMES = ("booked", "duplicate", "conflict", "rejected", "holes")
SNAPSHOT_AGE_MAX = timedelta(seconds=60)
"""Requests answer side by side: one that looks at an older snapshot of the book must not be told what a
younger one has proved, so ends are remembered for so long after they were passed."""
ENDS_MAX = 1_000
"""Ends remembered a partition; the longer the backlog, the farther they are apart: coarser, never wrong."""


MEASURED_AGE_MAX = timedelta(seconds=3)
"""How much is in flight changes by the second: a figure older than this is no figure."""


class BookProgress:
    """Remembers log ends; `observe` the rows of accounting_by_partition() in any order of time."""

    def __init__(self) -> None:
        self._ends: dict[int, list[tuple[int, datetime]]] = {}
        self._proved: dict[int, tuple[int, datetime]] = {}
        """By partition: the position that proved the latest, and what it proved."""
        self.proved_until: datetime | None = None
        """Up to when the reconciler has proved the book, as it was seen last."""
        self._log_ends: Mapping[int, int] = {}
        self._log_ends_at = datetime.min.replace(tzinfo=UTC)

    def record_log_ends(self, ends: Mapping[int, int], read_at: datetime) -> None:
        """The broker said so of each partition of usage.events; it was asked at `read_at`."""
        self._log_ends, self._log_ends_at = ends, read_at

    def observe(self, rows: Iterable[Mapping[str, Any]], now: datetime) -> Complete:
        """What these rows, and the ends seen before, prove."""
        rows = self.with_log_ends(rows)
        through = [self._partition(row["partition"], row) for row in rows]
        known = [at for at in through if at is not None]
        complete = bool(through) and len(known) == len(through)
        age = max((now - row["read_at"] for row in rows if row["read_at"]), default=None)
        if not all(row["read_at"] for row in rows):
            age = None
        flying = [in_flight(row, now) for row in rows]
        return Complete(
            complete_through=min(known) if complete else None,
            in_flight=sum(each or 0 for each in flying) if rows and None not in flying else None,
            in_flight_age_s=None if age is None else max(0.0, round(age.total_seconds(), 1)),
        )

    def folded(
        self, rows: Sequence[Mapping[str, Any]], behind: Iterable[Mapping[str, Any]], now: datetime
    ) -> Complete:
        """The same of what follows the book: `behind` are rows of behind_book(). It is as the book was when
        that had come no farther; of what is behind in accounts that are closed, or in corrections, nobody
        knows when it was accepted."""
        booked, lacks = self.observe(rows, now), list(behind)
        if not lacks:
            return booked
        back = {each["partition"]: each["behind"] for each in lacks if each["is_open"]}
        known = len(back) == len(lacks) and CORRECTIONS not in back
        earlier = [
            {**row, "next_origin": max(0, row["next_origin"] - back.get(row["partition"], 0))} for row in rows
        ]
        through = self.observe(earlier, now).complete_through if known else None
        return booked.model_copy(update={"complete_through": through})

    def with_log_ends(self, rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The same rows with the youngest log end of each, and one for every partition that has none yet."""
        found = {row["partition"]: dict(row) for row in rows}
        for partition, end in self._log_ends.items():
            row = found.setdefault(partition, _unbooked(partition))
            if row["stopped"] or (row["read_at"] is not None and row["read_at"] >= self._log_ends_at):
                continue
            # A log only grows: a shorter one is another one, or damaged, and proves nothing.
            lost = row["read_at"] is not None and end < row["log_end"]
            row |= {"log_end": end, "read_at": None if lost else self._log_ends_at}
        return [row for _, row in sorted(found.items())]

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


def of_one_team(complete: Complete) -> Complete:
    """What somebody who sees one team is told of it: how much is in flight, and from when to when something
    was, is of everybody. To the minute that was over before, it is as true."""
    through = complete.complete_through
    return Complete(
        complete_through=None if through is None else through.replace(second=0, microsecond=0),
        in_flight=None,
        in_flight_age_s=None,
    )


def in_flight(row: Mapping[str, Any], now: datetime) -> int | None:
    """Of one partition; None = its log end is not known, or of long ago."""
    if row["read_at"] is None or now - row["read_at"] > MEASURED_AGE_MAX:
        return None
    return max(0, int(row["log_end"]) - int(row["next_origin"]))


def _unbooked(partition: int) -> dict[str, Any]:
    """A partition of which nothing was ever booked."""
    counts = dict.fromkeys(("next_origin", *OUTCOMES, "stray", "log_end"), 0)
    return {"partition": partition, **counts, "read_at": None, "stopped": ""}
