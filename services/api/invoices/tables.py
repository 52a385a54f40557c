"""A bill's file as tables: CSV or Parquet, either in gzip, or a zip of several parts.

Read in a process of its own (`reader.py`). What a packed file unpacks to is counted as it is read.
"""

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, Protocol

from services.api.invoices.billed import BillError
from services.api.invoices.table_cells import RowCells

CELL_CHARACTERS_MAX = 1024 * 1024
ROW_CHARACTERS_MAX = 2 * CELL_CHARACTERS_MAX
UNPACKED_MAX = 1024**3
"""Characters of all parts of a file, or bytes of what is read of Parquet."""
ROWS_MAX = 2_000_000
PARTS_MAX = 1_000
PARQUET_BYTES_MAX = 256 * 1024**2
"""Of Parquet that is itself packed: it is read from here and from there, so all of it is in memory."""
ROWS_AT_ONCE = 1_000
BATCH_BYTES_MAX = 64 * 1024**2
_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"

Columns = Mapping[str, str]
"""By our name of a column the file's."""


class Table(Protocol):
    """One part of a bill."""

    header: Sequence[str]

    def rows(self, columns: Columns) -> Iterator[RowCells]:
        """By our names; '' = empty. Raises BillError."""


class _Spent:
    """How much was read of a file, of all its parts."""

    def __init__(self) -> None:
        self.unpacked = self.rows = 0

    def unpack(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > UNPACKED_MAX:
            raise BillError(f"unpacks to more than {UNPACKED_MAX:,} characters: import it in parts")

    def row(self) -> None:
        self.rows += 1
        if self.rows > ROWS_MAX:
            raise BillError(f"has more than {ROWS_MAX:,} rows: import it in parts")


def tables_of(file: IO[bytes]) -> Iterator[Table]:
    """Each to be read before the next. Raises BillError."""
    spent = _Spent()
    if not _begins(file, _ZIP):
        yield from _part(file, spent)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [part for part in archive.infolist() if not part.is_dir()]
            if not 0 < len(parts) <= PARTS_MAX:
                raise BillError(f"is a zip of {len(parts):,} files: of 1 to {PARTS_MAX:,} a bill is read")
            for part in parts:
                with archive.open(part) as opened:
                    yield from _part(opened, spent)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error) as error:
        raise BillError(f"is no zip that can be read: {type(error).__name__}") from None


def _begins(file: IO[bytes], with_bytes: bytes) -> bool:
    head = file.read(len(with_bytes))
    file.seek(0)
    return head == with_bytes


def _part(file: IO[bytes], spent: _Spent) -> Iterator[Table]:
    with ExitStack() as stack:
        try:
            is_packed = _begins(file, _GZIP)
            unpacked: Any = stack.enter_context(gzip.GzipFile(fileobj=file)) if is_packed else file
            if _begins(unpacked, _PARQUET):
                whole = file.seekable() and not is_packed and not isinstance(file, zipfile.ZipExtFile)
                yield _Parquet(file if whole else _in_memory(unpacked), spent)
            else:
                yield _Csv(unpacked, spent)
        except (EOFError, OSError, zlib.error) as error:
            raise BillError(f"ends early, or is no gzip: {type(error).__name__}") from None


def _in_memory(file: IO[bytes]) -> IO[bytes]:
    read = file.read(PARQUET_BYTES_MAX + 1)
    if len(read) > PARQUET_BYTES_MAX:
        raise BillError(
            f"has Parquet that unpacks to more than {PARQUET_BYTES_MAX:,} bytes: send it unpacked"
        )
    return io.BytesIO(read)


class _Csv:
    """Several one after the other are one, where each has the first one's header."""

    def __init__(self, file: IO[bytes], spent: _Spent) -> None:
        csv.field_size_limit(CELL_CHARACTERS_MAX)
        self._spent = spent
        self._lines = _BoundedLines(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), spent)
        self._rows = csv.reader(self._lines, strict=True)
        self.header: Sequence[str] = self._next() or []

    def _next(self) -> list[str] | None:
        try:
            return next(self._rows, None)
        except (csv.Error, EOFError, OSError, UnicodeDecodeError, zlib.error) as error:
            raise BillError(f"is no CSV that can be read: {type(error).__name__}") from None

    def rows(self, columns: Columns) -> Iterator[RowCells]:
        header = self.header
        places = {name: header.index(own) for name, own in columns.items()}
        while (line := self._next()) is not None:
            self._lines.of_row = 0
            if line and line[0].removeprefix("\ufeff") == header[0]:  # of the next part
                if line[1:] != header[1:]:
                    raise BillError("has parts with other columns than the first: import what has the same")
                continue
            self._spent.row()
            if len(line) == len(header):
                yield {name: line[at].strip() for name, at in places.items()}
            elif line:
                raise BillError(
                    f"has {len(line)} cells in line {self._rows.line_num}, and its header {len(header)}"
                )


class _BoundedLines:
    """Lines of a file that may be packed: a few bytes of one may be gigabytes, in one line or one row."""

    def __init__(self, file: IO[str], spent: _Spent) -> None:
        self._file, self._spent, self.of_row = file, spent, 0

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(ROW_CHARACTERS_MAX):
            self.of_row += len(line)
            if self.of_row >= ROW_CHARACTERS_MAX:
                raise BillError(f"has a row of more than {ROW_CHARACTERS_MAX:,} characters")
            self._spent.unpack(len(line))
            yield line


class _Parquet:
    """Of its columns only those that are asked for are unpacked."""

    def __init__(self, file: IO[bytes], spent: _Spent) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        arrow.set_memory_pool(arrow.system_memory_pool())  # others reserve more than they use
        self._errors = arrow.ArrowException, OSError, MemoryError
        self._spent = spent
        try:
            self._file = parquet.ParquetFile(file, pre_buffer=False)
            self.header: Sequence[str] = self._file.schema_arrow.names
        except self._errors as error:
            raise BillError(f"is no Parquet that can be read: {type(error).__name__}") from None

    def rows(self, columns: Columns) -> Iterator[RowCells]:
        own = list(columns.values())
        try:
            for batch in self._file.iter_batches(batch_size=ROWS_AT_ONCE, columns=own, use_threads=False):
                if batch.nbytes > BATCH_BYTES_MAX:
                    raise BillError(f"has {ROWS_AT_ONCE:,} rows of more than {BATCH_BYTES_MAX:,} bytes")
                self._spent.unpack(batch.nbytes)
                named = batch.select(own).rename_columns(list(columns))
                for cells in named.to_pylist(maps_as_pydicts="lossy"):
                    self._spent.row()
                    yield {name: _text(value) for name, value in cells.items()}
        except self._errors as error:
            raise BillError(f"is no Parquet that can be read: {type(error).__name__}") from None


def _text(value: Any) -> str:
    """As CSV would have it: a float by its shortest digits, a map as JSON."""
    match value:
        case None:
            return ""
        case str():
            return value.strip()
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case bool():
            return str(value).lower()
        case float():
            return repr(value)
        case Decimal():
            return f"{value:f}"
        case dict() | list():
            return json.dumps(value, default=str)
        case _:
            return str(value)
