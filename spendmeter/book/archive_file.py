"""A month of the book as a Parquet file with a manifest beside it, and back. Not for an event loop.

Every column is there, and every digit: numbers are texts as Postgres writes them. Rows lie in the order of
(recorded_on, recorded_at, origin_partition, origin_offset, identity, seq).
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

COLUMNS = (
    "occurred_at recorded_at origin_offset origin_partition catalog_version accounting_period recorded_on "
    "seq identity series_id tenant status currency list contracted effective event lines correction_id"
).split()
_TYPES = {
    "occurred_at": "instant", "recorded_at": "instant", "origin_offset": "int64", "origin_partition": "int32",
    "catalog_version": "int32", "accounting_period": "date32", "recorded_on": "date32", "seq": "int16",
    "identity": "binary", "series_id": "binary",
}  # fmt: skip
BATCH_ROWS = 20_000
_BLOCK_BYTES = 1 << 20

EntryRow = tuple[Any, ...]


class BadArchive(Exception):
    """A file is not what its manifest says, or not what lies in the book; the text says which."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What stands beside a file: `entries_202501.parquet` has an `entries_202501.json`."""

    month: str
    """ISO date of its first day."""
    file: str
    entries: int
    sha256: str
    days: dict[str, int]
    """Entries by the day of their recording."""


def file_name(month: date) -> str:
    return f"entries_{month:%Y%m}.parquet"


class MonthFile:
    """Writes a file beside the one that it will be: nobody finds half of one. A context; `rows` may be called
    again and again, `finish` once."""

    def __init__(self, folder: Path, month: date) -> None:
        import pyarrow as arrow
        from pyarrow import parquet

        self._arrow, self._month = arrow, month
        self.path = folder / file_name(month)
        self._fresh = self.path.with_suffix(".new")
        self._schema = arrow.schema([(name, _type(arrow, name)) for name in COLUMNS])
        self._writer = parquet.ParquetWriter(self._fresh, self._schema, compression="zstd")
        self._days: dict[str, int] = {}

    def __enter__(self) -> MonthFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()
        self._fresh.unlink(missing_ok=True)

    def rows(self, rows: Sequence[EntryRow]) -> None:
        """More rows, in order."""
        columns = zip(*rows, strict=True)
        arrays = [
            self._arrow.array(column, type=field.type)
            for field, column in zip(self._schema, columns, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))
        place = COLUMNS.index("recorded_on")
        for row in rows:
            day = row[place].isoformat()
            self._days[day] = self._days.get(day, 0) + 1

    def close(self) -> Path:
        """All rows are there; where they can be read back before anybody takes them for the file."""
        self._writer.close()
        _to_disk(self._fresh)
        return self._fresh

    def finish(self) -> Manifest:
        """It is the file from here on."""
        manifest = Manifest(
            month=self._month.isoformat(),
            file=self.path.name,
            entries=sum(self._days.values()),
            sha256=sha256_of(self._fresh),
            days=self._days,
        )
        note = self.path.with_suffix(".json.new")
        note.write_text(json.dumps(asdict(manifest), indent=2) + "\n", "utf-8")
        _to_disk(note)
        self._fresh.replace(self.path)
        note.replace(self.path.with_suffix(".json"))
        _to_disk(self.path.parent)
        return manifest


def read_manifest(folder: Path, month: date) -> Manifest:
    """What stands beside the month's file, which is held against it. Raises BadArchive, OSError."""
    path = folder / file_name(month)
    manifest = Manifest(**json.loads(path.with_suffix(".json").read_text("utf-8")))
    if manifest.month != month.isoformat() or sha256_of(path) != manifest.sha256:
        raise BadArchive(f"{path} is not the file that its manifest is about")
    return manifest


def read_rows(path: Path) -> Iterator[list[EntryRow]]:
    """Its rows in order, some thousands at a time."""
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH_ROWS, columns=COLUMNS):
            yield list(zip(*(column.to_pylist() for column in batch.columns), strict=True))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _type(arrow: Any, name: str) -> Any:
    kind = _TYPES.get(name, "string")
    return arrow.timestamp("us", tz="UTC") if kind == "instant" else getattr(arrow, kind)()


def _to_disk(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
