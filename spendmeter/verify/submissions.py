"""The sender's log: what was submitted, and what ingest answered.

One JSON object a line, plain or .gz: {"tenant", "source", "id", "provider", "sku", "usage", "outcome":
"accepted" | "refused" | "unknown", "labels", "time"}. Several lines may name one event.
"""

from __future__ import annotations

import asyncio
import gzip
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from spendmeter.platform.sql import load_sql
from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report
from spendmeter.verify.usage import (
    EventReading,
    Unreadable,
    decode,
    identity,
    metered_digest,
    quantities,
    stated_labels,
)

ROWS_AT_ONCE = 5_000
_OUTCOMES = ("accepted", "refused", "unknown")
_SQL = load_sql(Path(__file__).with_name("submissions.sql"))

_LogNote = tuple[bytes, bytes | None, str, int | None, int | None]
"""(identity, digest of what it says, kind, partition, offset)."""


class _Doubtful(NamedTuple):
    """A submission's notes, counted by kind; `differ`: the topic says something else than the log."""

    key: bytes
    accepted: int
    unknown: int
    seen: int
    booked: int
    gone: int
    differ: int


class _Wrong(NamedTuple):
    invariant: str
    what: str
    where: str = ""


class Submissions:
    """Every event of the logs, and every copy on the topic, by identity. They lie in a temporary file, about
    100 bytes each; in memory is a page cache of some megabytes. `with Submissions(files) as it`."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self.count = 0
        self._file = tempfile.NamedTemporaryFile(prefix="spendmeter-verify-", suffix=".sqlite")  # noqa: SIM115
        self._table = sqlite3.connect(self._file.name, isolation_level=None)
        self._table.executescript(_SQL["tables"])
        self._notes: list[_LogNote] = []

    def __enter__(self) -> Submissions:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()
        self._file.close()

    async def read(self, progress: Progress) -> None:
        """Read the logs. Raises ValueError naming the line that is none."""
        progress.start("reading the sender's log")
        for where, line in self._lines():
            key, said, kind = _row(where, line)
            if self._note((key, said, kind, None, None)):
                progress.done += ROWS_AT_ONCE
                await asyncio.sleep(0)  # whoever shows the progress gets a turn

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for file in self.files:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as log:
                for number, line in enumerate(log, 1):
                    where = f"{file.name}, line {number}"
                    try:
                        yield where, decode(line.strip())
                    except Unreadable as error:
                        raise ValueError(f"{where} {error}") from None

    def _note(self, note: _LogNote) -> bool:
        """Take a note; True when as many as are written at once are complete."""
        self._notes.append(note)
        full = len(self._notes) == ROWS_AT_ONCE
        if full:
            self._flush()
        return full

    def _flush(self) -> None:
        self._table.execute("BEGIN")
        self._table.executemany(_SQL["note"], self._notes)
        self._table.execute("COMMIT")
        self._notes = []

    def note_copy(self, key: bytes, event: EventReading, partition: int, offset: int) -> None:
        """Take note of a copy on the topic."""
        said = metered_digest(event.provider, event.sku, event.usage, stated_labels(event.body))
        self._note((key, said, "seen", partition, offset))

    def note_entry(self, key: bytes, *, gone: bool) -> None:
        """Take note of an entry whose record was not on the topic: `gone` = the broker no longer has it."""
        self._note((key, None, "gone" if gone else "booked", None, None))

    def conclude(self, report: Report) -> None:
        """Judge every submission once the whole topic was seen."""
        self._flush()
        self._table.execute(_SQL["index"])
        counts = self._table.execute(_SQL["counted"]).fetchone()
        self.count, accepted, refused, unknown, extra, unnamed, doubtful = counts
        for invariant, count in (("I1", accepted), ("I2", refused), ("I3", unknown)):
            report.check(invariant, count)
        report.pass_over("I1", "events on the topic that no log names", unnamed)
        report.facts["copies_beyond_the_log"] = extra
        wrong: dict[bytes, list[_Wrong]] = {}
        for row in self._table.execute(_SQL["doubtful"]) if doubtful else ():
            self._judge(wrong, _Doubtful._make(row), report)
        for where, line in self._lines() if wrong else ():
            for found in wrong.pop(_row(where, line)[0], ()):
                named = f"{line['tenant']} {line['source']}/{line['id']}{found.where}"
                report.find(found.invariant, found.what, named)

    def _judge(self, wrong: dict[bytes, list[_Wrong]], row: _Doubtful, report: Report) -> None:
        """A submission that may be wrong."""
        key, accepted, seen = row.key, row.accepted, row.seen
        if row.differ:
            for partition, offset in self._table.execute(_SQL["changed"], (key,)).fetchall():
                what = "changed on the way: the topic says something else than the log"
                self._find(wrong, key, _Wrong("I1", what, f" at usage.events {partition}@{offset}"), report)
        invariant = "I1" if accepted else "I3" if row.unknown else "I2"
        if seen < accepted and row.gone:
            report.pass_over(invariant, "submissions whose event the broker no longer has")
        elif seen < accepted:
            what = f"lost: {accepted} acknowledged, {seen} on the topic"
            self._find(wrong, key, _Wrong(invariant, what), report)
        elif invariant == "I2" and (seen or row.booked or row.gone):
            what = f"refused, and yet {seen} on the topic"
            self._find(wrong, key, _Wrong(invariant, what), report)

    def _find(self, wrong: dict[bytes, list[_Wrong]], key: bytes, found: _Wrong, report: Report) -> None:
        """Remember something wrong until the log is read again for its name; beyond what is named, count."""
        if len(wrong) < report.named_max:
            wrong.setdefault(key, []).append(found)
        else:
            report.find(found.invariant, found.what, f"identity {key.hex()}{found.where}")


def _row(where: str, line: dict[str, Any]) -> tuple[bytes, bytes, str]:
    try:
        usage = quantities(line["usage"])
        said = metered_digest(line["provider"], line["sku"], usage, line.get("labels") or {})
        key, outcome = identity(line["tenant"], line["source"], line["id"]), line["outcome"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{where} is no submission: {type(error).__name__} {error}") from None
    if outcome not in _OUTCOMES:
        raise ValueError(f"{where}: outcome {outcome!r} is not one of {', '.join(_OUTCOMES)}")
    return key, said, outcome
