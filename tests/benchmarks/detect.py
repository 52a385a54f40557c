"""The detector of services/alerts/detect on any series: `python -m tests.benchmarks.detect FILE.csv`.

FILE has the columns timestamp and value (`-` = standard input), oldest first, times as ISO 8601 or "YYYY-MM-DD HH:MM:SS"
(no offset = UTC). Prints timestamp,score,alarm, a row for each that came, from what came until then: score is 0 for what is
usual and for repeats of what was told. Both what is too high and what is too low counts. A gap is
unknown, not silence; a row without a value scores 0. The bucket is the median step of the first rows, which score 0.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, tzinfo
from itertools import pairwise
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.alerts.detect.scope import QUIET, Surprise, observe
from services.alerts.detect.state import ScopeState

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
        try:
            at = datetime.fromisoformat(row[when].strip())
        except ValueError:
            raise ValueError(f"line {rows.line_num}: {row[when]!r} is no time") from None
        cell = row[what].strip() if len(row) > what else ""
        yield row[when], at if at.tzinfo else at.replace(tzinfo=UTC), _number(cell, rows.line_num)


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
    stamps: list[str] = []

    def times() -> Iterator[tuple[datetime, float | None]]:
        for stamp, at, value in read_rows(lines):
            stamps.append(stamp)
            yield at, value

    for verdict in verdicts(times(), zone=zone, both=both):
        out.writerow([stamps.pop(), f"{verdict.fresh:.6g}", int(verdict.alarms)])


if __name__ == "__main__":
    main()
