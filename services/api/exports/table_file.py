"""A table that is held anyway, as a file, for programs and spreadsheets: CSV and Parquet as the export writes
them, some rows at a time, so that no second copy of it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from itertools import islice
from typing import NamedTuple

from services.api.exports.files import ROWS_A_GROUP, CountedPipe, ExportForm, parquet_types
from services.api.exports.layout import csv_cell
from services.api.exports.vocabulary import ColumnKind

ROWS_AT_ONCE = 1_000

TableRow = Mapping[str, str]
"""By column; what is not named is null."""


class TableColumn(NamedTuple):
    """Its name, and what it holds."""

    name: str
    kind: ColumnKind


def table_file(
    form: ExportForm, columns: Sequence[TableColumn], rows: Iterable[TableRow], places: int
) -> Iterator[bytes]:
    """Piece by piece. `places`: of decimals in Parquet; one with more raises rather than be cut."""
    return _csv(columns, rows) if form == "csv" else _parquet(columns, rows, places)


def _csv(columns: Sequence[TableColumn], rows: Iterable[TableRow]) -> Iterator[bytes]:
    yield (",".join(column.name for column in columns) + "\r\n").encode()
    for some in _batches(rows, ROWS_AT_ONCE):
        lines = (",".join(csv_cell(row.get(name, ""), kind) for name, kind in columns) for row in some)
        yield "".join(f"{line}\r\n" for line in lines).encode()


def _parquet(columns: Sequence[TableColumn], rows: Iterable[TableRow], places: int) -> Iterator[bytes]:
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    types = parquet_types(arrow, places)
    schema = arrow.schema([(name, types[kind]) for name, kind in columns])
    pieces = _Pieces()
    sink = arrow.PythonFile(CountedPipe(pieces), mode="w")
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for some in _batches(rows, ROWS_A_GROUP):
            texts = ([row.get(name) or None for row in some] for name, _ in columns)
            arrays = [
                arrow.array(cells, arrow.string()).cast(type_)
                for cells, type_ in zip(texts, schema.types, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
            yield pieces.taken()
    yield pieces.taken()


class _Pieces(BytesIO):
    """What was written since it was taken last."""

    def taken(self) -> bytes:
        """That; it is gone from here."""
        found = self.getvalue()
        self.seek(0)
        self.truncate()
        return found


def _batches(rows: Iterable[TableRow], size: int) -> Iterator[list[TableRow]]:
    waiting = iter(rows)
    while some := list(islice(waiting, size)):
        yield some
