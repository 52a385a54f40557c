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

from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report
from spendmeter.verify.usage import Unreadable, Usage, decode, identity, metered_digest, quantity

ROWS_AT_ONCE = 5_000
_OUTCOMES = ("accepted", "refused", "unknown")
_GONE, _BOOKED = 1, 2
_TABLES = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE;
CREATE TABLE sent (key BLOB, said BLOB, outcome TEXT);
CREATE TABLE seen (key BLOB, said BLOB, partition INT, at INT);
CREATE TABLE in_book (key BLOB PRIMARY KEY, how INT) WITHOUT ROWID;
"""
_INDEXES = "CREATE INDEX sent_key ON sent (key, said); CREATE INDEX seen_key ON seen (key)"
_UNNAMED = "SELECT count(*) FROM seen WHERE key NOT IN (SELECT key FROM sent)"
_CHANGED = """
SELECT key, partition, at FROM seen WHERE key IN (SELECT key FROM sent)
    AND NOT EXISTS (SELECT 1 FROM sent WHERE sent.key = seen.key AND sent.said = seen.said)
"""
_JUDGED = """
SELECT s.key, s.accepted, s.unknown, (SELECT count(*) FROM seen WHERE seen.key = s.key) AS seen, b.how
FROM (SELECT key, sum(outcome = 'accepted') AS accepted, sum(outcome = 'unknown') AS unknown
    FROM sent GROUP BY key) s LEFT JOIN in_book b ON b.key = s.key
"""


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
        self._table.executescript(_TABLES)
        self._seen: list[tuple[bytes, bytes, int, int]] = []

    def __enter__(self) -> Submissions:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.close()
        self._file.close()

    async def read(self, progress: Progress) -> None:
        """Read the logs. Raises ValueError naming the line that is none."""
        progress.start("reading the sender's log")
        rows = []
        for where, line in self._lines():
            rows.append(_row(where, line))
            if len(rows) == ROWS_AT_ONCE:
                self._insert("INSERT INTO sent VALUES (?, ?, ?)", rows)
                progress.done += len(rows)
                rows = []
                await asyncio.sleep(0)  # whoever shows the progress gets a turn
        self._insert("INSERT INTO sent VALUES (?, ?, ?)", rows)
        (self.count,) = self._table.execute("SELECT count(DISTINCT key) FROM sent").fetchone()

    def _lines(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for file in self.files:
            with gzip.open(file, "rb") if file.suffix == ".gz" else file.open("rb") as log:
                for number, line in enumerate(log, 1):
                    where = f"{file.name}, line {number}"
                    try:
                        yield where, decode(line)
                    except Unreadable as error:
                        raise ValueError(f"{where} {error}") from None

    def _insert(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._table.execute("BEGIN")
        self._table.executemany(statement, rows)
        self._table.execute("COMMIT")

    def saw(self, key: bytes, event: Usage, partition: int, offset: int) -> None:
        """Take note of a copy on the topic."""
        labels = event.body["data"].get("labels") or {}
        said = metered_digest(event.provider, event.sku, event.usage, labels)
        self._seen.append((key, said, partition, offset))
        if len(self._seen) == ROWS_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        self._insert("INSERT INTO seen VALUES (?, ?, ?, ?)", self._seen)
        self._seen = []

    def saw_in_book(self, key: bytes, *, gone: bool) -> None:
        """Take note of an entry whose record was not on the topic: `gone` = the broker no longer has it."""
        self._table.execute("INSERT OR REPLACE INTO in_book VALUES (?, ?)", (key, _GONE if gone else _BOOKED))

    def conclude(self, report: Report) -> None:
        """Judge every submission once the whole topic was seen."""
        self._flush()
        self._table.executescript(_INDEXES)
        (unnamed,) = self._table.execute(_UNNAMED).fetchone()
        report.pass_over("I1", "events on the topic that no log names", unnamed)
        wrong: dict[bytes, list[_Wrong]] = {}
        for key, partition, offset in self._table.execute(_CHANGED):
            what = "changed on the way: the topic says something else than the log"
            self._find(wrong, key, _Wrong("I1", what, f" at usage.events {partition}@{offset}"), report)
        extra = 0
        for key, accepted, unknown, seen, how in self._table.execute(_JUDGED):
            invariant = "I1" if accepted else "I3" if unknown else "I2"
            report.check(invariant)
            extra += max(0, seen - accepted - unknown)
            if seen < accepted and how == _GONE:
                report.pass_over(invariant, "submissions whose event the broker no longer has")
            elif seen < accepted:
                what = f"lost: {accepted} acknowledged, {seen} on the topic"
                self._find(wrong, key, _Wrong(invariant, what), report)
            elif invariant == "I2" and (seen or how):
                what = f"refused, and yet {seen} on the topic"
                self._find(wrong, key, _Wrong(invariant, what), report)
        report.facts["copies_beyond_the_log"] = extra
        for where, line in self._lines() if wrong else ():
            for found in wrong.pop(_row(where, line)[0], ()):
                named = f"{line['tenant']} {line['source']}/{line['id']}{found.where}"
                report.find(found.invariant, found.what, named)

    def _find(self, wrong: dict[bytes, list[_Wrong]], key: bytes, found: _Wrong, report: Report) -> None:
        """Remember something wrong until the log is read again for its name; beyond what is named, count."""
        if len(wrong) < report.named_max:
            wrong.setdefault(key, []).append(found)
        else:
            report.find(found.invariant, found.what, f"identity {key.hex()}{found.where}")


def _row(where: str, line: dict[str, Any]) -> tuple[bytes, bytes, str]:
    try:
        usage = {unit: quantity(value) for unit, value in line["usage"].items()}
        said = metered_digest(line["provider"], line["sku"], usage, line.get("labels") or {})
        key, outcome = identity(line["tenant"], line["source"], line["id"]), line["outcome"]
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{where} is no submission: {type(error).__name__} {error}") from None
    if outcome not in _OUTCOMES:
        raise ValueError(f"{where}: outcome {outcome!r} is not one of {', '.join(_OUTCOMES)}")
    return key, said, outcome
