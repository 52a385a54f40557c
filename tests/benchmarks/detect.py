"""The detector of services/alerts/detect on any series: `python -m tests.benchmarks.detect FILE.csv`.

FILE has the columns timestamp and value (`-` = standard input), times as ISO 8601, "YYYY-MM-DD HH:MM:SS" (no offset = UTC) or
seconds since 1970 (or their thousandths, millionths, billionths); smaller whole numbers count rows, an hour each. Prints
timestamp,score,alarm, a row for each that came and in that order, each judged by the rows of earlier times alone: score is 0 for
what is usual and for repeats of what was told. Both what is too high and what is too low counts. A gap is unknown, not
silence; a row without a value scores 0. The bucket is the median step of the first rows, which score 0 (as does all of
the first 24 hours that are known, or buckets where these are longer).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.alerts.detect.scope import QUIET, Surprise, observe
from services.alerts.detect.state import ScopeState

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS_COUNTED_MAX, SECONDS_MAX = 1e8, 1e11
"""Seconds since 1970 are more than that from 1973 on, and fewer than that until the year 5138."""
STEPS = 24
"""Steps from which the bucket is told; a shorter series has no history to judge by anyway."""


def read_rows(lines: Iterable[str]) -> Iterator[tuple[str, datetime, float | None]]:
    """Stamp as written, time, value (None = blank). ValueError names the line and what is wrong there."""
    rows = csv.reader(lines)
    header = [name.strip().lower() for name in next(rows, [])]
    if "timestamp" not in header or "value" not in header:
        raise ValueError(
            "line 1: the columns timestamp and value are needed" if header else "the file is empty"
        )
    when, what = header.index("timestamp"), header.index("value")
    for row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= when:
            raise ValueError(f"line {rows.line_num}: no timestamp")
        at = _time(row[when].strip())
        if at is None:
            raise ValueError(f"line {rows.line_num}: {row[when]!r} is no time")
        cell = row[what].strip() if len(row) > what else ""
        yield row[when], at, _number(cell, rows.line_num)


def _time(cell: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(cell)
    except ValueError:
        return _counted(cell)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _counted(cell: str) -> datetime | None:
    """A number's time: of rows, seconds or parts of seconds, told apart by size. None = it is no number, or beyond any year."""
    try:
        number = float(cell)
        if abs(number) < ROWS_COUNTED_MAX:
            return EPOCH + timedelta(hours=number)
        for _ in range(3):
            number = number / 1_000 if abs(number) >= SECONDS_MAX else number
        return EPOCH + timedelta(seconds=number)
    except (ValueError, OverflowError):
        return None


def _number(cell: str, line: int) -> float | None:
    if cell.lower() in ("", "nan", "na", "null", "none"):
        return None
    try:
        number = float(cell)
    except ValueError:
        raise ValueError(f"line {line}: {cell!r} is no number") from None
    return number if isfinite(number) else None


def verdicts(
    rows: Iterable[tuple[datetime, float | None]], *, zone: tzinfo = UTC, both: bool = True, gaps: bool = True
) -> Iterator[Surprise]:
    """One of each row, which depends on it and on those before it alone."""
    first: list[tuple[datetime, float | None]] = []
    state: ScopeState | None = None
    for at, value in rows:
        if state is None:
            first.append((at, value))
            yield QUIET
            if len(first) > STEPS:
                state = _begun(first, zone=zone, gaps=gaps)
        elif value is None:
            yield QUIET
        else:
            yield observe(state, at, value, zone=zone, both=both, gaps=gaps)


def _begun(rows: Sequence[tuple[datetime, float | None]], *, zone: tzinfo, gaps: bool) -> ScopeState:
    steps = [(later - at).total_seconds() for (at, _), (later, _) in pairwise(rows)]
    state = ScopeState(max(1, round(median([step for step in steps if step > 0] or [1.0]))))
    for at, value in rows:
        if value is not None:
            observe(state, at, value, zone=zone, both=True, gaps=gaps)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--zone", default="UTC", help="the series' days and hours, as in Europe/Berlin")
    parser.add_argument("--up", action="store_true", help="only what is too high, as alerts do")
    options = parser.parse_args()
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(["timestamp", "score", "alarm"])
    try:
        with _opened(options.file) as lines:
            _write(out, lines, ZoneInfo(options.zone), both=not options.up)
    except (OSError, ValueError, csv.Error, ZoneInfoNotFoundError) as error:
        sys.exit(f"{options.file}: {error}")


def _opened(name: str) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdin) if name == "-" else Path(name).open(newline="", encoding="utf-8-sig")


def _write(out, lines, zone, *, both) -> None:
    rows = list(read_rows(lines))
    by_time = sorted(range(len(rows)), key=lambda row: rows[row][1])
    if by_time != list(range(len(rows))):
        print(
            "The rows are not in the order of their times; each is judged by earlier times.", file=sys.stderr
        )
    found = dict(
        zip(by_time, verdicts((rows[row][1:] for row in by_time), zone=zone, both=both), strict=True)
    )
    for row, (stamp, _, _) in enumerate(rows):
        out.writerow([stamp, f"{found[row].fresh:.6g}", int(found[row].alarms)])


if __name__ == "__main__":
    main()
