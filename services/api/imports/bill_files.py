"""The rows of a bill's file, one after the other: CSV (also in gzip), Parquet, or a zip of several of these.

Read in a process of its own (`reader.py`): nothing here is held to a bound of memory but by that.
"""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import IO, Any

from services.api.imports.focus import NEEDED, columns_of
from services.api.imports.rows import BadRow, Value

CELL_CHARACTERS_MAX = 1024 * 1024
ROWS_AT_ONCE = 1_000
PARTS_MAX = 1_000
PACKED_PARQUET_BYTES_MAX = 256 * 1024 * 1024
NAMED_MAX = 3
"""Of the columns that a file lacks."""
_GZIP, _PARQUET, _ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"

Cells = dict[str, Value]
PlacedRow = tuple[str, Cells] | BadRow


class FileError(ValueError):
    """A file that is no bill; the text says why."""


def read_bill(file: IO[bytes]) -> Iterator[PlacedRow]:
    """Each row by FOCUS' names of columns, with where it stands. Raises FileError."""
    if _head(file).startswith(_ZIP):
        yield from _zipped(file)
    else:
        yield from _rows(file, "")


def _head(file: IO[bytes]) -> bytes:
    head = file.read(4)
    file.seek(0)
    return head


def _zipped(file: IO[bytes]) -> Iterator[PlacedRow]:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [part for part in archive.infolist() if not part.is_dir()]
            if not 0 < len(parts) <= PARTS_MAX:
                raise FileError(f"a zip has 1 to {PARTS_MAX} files")
            for number, part in enumerate(parts, 1):
                with archive.open(part) as opened:
                    where = f"file {number}, " if len(parts) > 1 else ""
                    yield from _rows(_whole(opened, where) if _is_parquet(opened) else opened, where)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise FileError(f"is no zip that can be read: {type(error).__name__}") from None


def _is_parquet(file: IO[bytes]) -> bool:
    return _head(file).startswith(_PARQUET)


def _whole(file: IO[bytes], where: str) -> IO[bytes]:
    """In memory: Parquet is read from here and from there, and what is packed from its beginning alone."""
    read = file.read(PACKED_PARQUET_BYTES_MAX + 1)
    if len(read) > PACKED_PARQUET_BYTES_MAX:
        size = f"{PACKED_PARQUET_BYTES_MAX // 1024**2} MiB"
        raise FileError(f"{where}has Parquet of more than {size} in a zip: send that file by itself")
    return io.BytesIO(read)


def _rows(file: IO[bytes], where: str) -> Iterator[PlacedRow]:
    head = _head(file)
    if head.startswith(_PARQUET):
        yield from _parquet(file, where)
        return
    with ExitStack() as stack:
        unpacked: Any = stack.enter_context(gzip.open(file)) if head.startswith(_GZIP) else file
        text = io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="surrogateescape", newline="")
        try:
            yield from _csv(text, where)
        except (EOFError, OSError) as error:
            raise FileError(f"ends early, or is no gzip: {type(error).__name__}") from None


def _csv(text: IO[str], where: str) -> Iterator[PlacedRow]:
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    first = text.readline()
    rows = csv.reader(chain([first], text), delimiter=_delimiter(first), strict=True)
    header = _next(rows)
    if isinstance(header, str) or header is None:
        raise FileError("has no header: the first line names the columns")
    columns = _checked(header)
    places = {name: header.index(own) for name, own in columns.items()}
    before = rows.line_num
    while (row := _next(rows)) is not None:
        place, before = f"{where}line {before + 1}", rows.line_num
        if isinstance(row, str):
            yield BadRow(place=place, field="", reason=row)
        elif len(row) != len(header):
            reason = f"has {len(row)} cells, and the header {len(header)}"
            if row:
                yield BadRow(place=place, field="", reason=reason)
        else:
            yield place, {name: row[at] for name, at in places.items()}


def _next(rows: Any) -> list[str] | str | None:
    """The next row; what is wrong with it; None = there is none."""
    try:
        row: list[str] | None = next(rows, None)
        return row
    except csv.Error as error:
        return f"is no CSV: {error}"


def _delimiter(header: str) -> str:
    return max(",;\t|", key=header.count)


def _parquet(file: IO[bytes], where: str) -> Iterator[PlacedRow]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    try:
        opened = parquet.ParquetFile(file)
        columns = _checked(opened.schema_arrow.names)
        number = 0
        for batch in opened.iter_batches(batch_size=ROWS_AT_ONCE, columns=list(columns.values())):
            named = batch.select(list(columns.values())).rename_columns(list(columns))
            for cells in named.to_pylist(maps_as_pydicts=None):
                number += 1
                yield f"{where}row {number}", cells
    except (arrow.ArrowException, OSError) as error:
        raise FileError(f"is no Parquet that can be read: {type(error).__name__}") from None


def _checked(header: Sequence[str]) -> dict[str, str]:
    """By FOCUS' name of a column the file's. Raises FileError."""
    columns = columns_of(header)
    if missing := [name for name in NEEDED if name not in columns]:
        some = ", ".join(missing[:NAMED_MAX]) + (", ..." if len(missing) > NAMED_MAX else "")
        raise FileError(f"has no column {some}: it is no FOCUS bill (1.0 to 1.4)")
    return columns
