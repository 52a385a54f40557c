"""An export as a file, written from its beginning to its end: CSV as RFC 4180 has it, or Parquet."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import IO, Any, Literal, Protocol

from services.api.exports.layout import FocusRow, Layout, RowPiece
from services.api.exports.vocabulary import SCOPES, ColumnKind, FocusColumn

ExportForm = Literal["csv", "parquet"]
ROWS_A_GROUP = 32_768
"""Of Parquet: so many rows are held at once."""
PARQUET_DIGITS = 38
"""Of a decimal, before and after its point: more than that most readers of Parquet cannot read."""
PARQUET_PLACES = (18, 24)
"""Digits after the point: the second where the first would cut some off."""


def parquet_places(largest: Decimal, places: int) -> int | None:
    """How many digits after the point decimals get that hold `places` of them, and `largest` before it.
    None = that is too few."""
    for offered in PARQUET_PLACES:
        if offered >= places:
            return offered if largest < Decimal(10) ** (PARQUET_DIGITS - offered) else None
    return None


def parquet_types(arrow: Any, places: int) -> dict[ColumnKind, Any]:
    """What each kind of column is in Arrow."""
    return {
        "text": arrow.string(),
        "json": arrow.string(),
        "instant": arrow.timestamp("us", tz="UTC"),
        "decimal": arrow.decimal128(PARQUET_DIGITS, places),
    }


class ExportFile(AbstractContextManager["ExportFile"], Protocol):
    """Where rows go; it is whole once it was left without an error."""

    def write(self, rows: Sequence[FocusRow]) -> None:
        """These too."""


def export_file(form: ExportForm, layout: Layout, out: IO[bytes], places: int) -> ExportFile:
    """One of the form; `places`: of decimals in Parquet."""
    return CsvFile(layout, out) if form == "csv" else ParquetFile(layout, out, places)


class CsvFile(ExportFile):
    """A header and a line a row; '' is null."""

    def __init__(self, layout: Layout, out: IO[bytes]) -> None:
        self._out = out
        out.write((",".join(column.name for column in layout.columns) + "\r\n").encode())

    def write(self, rows: Sequence[FocusRow]) -> None:
        """Texts were written out with their piece; figures need no quotes."""
        lines = [
            f"{time.csv},{series.csv},{meter.csv},{','.join(figures)}\r\n"
            for time, series, meter, figures in rows
        ]
        self._out.write("".join(lines).encode())

    def __exit__(self, *error: object) -> None:
        self._out.flush()


class ParquetFile(ExportFile):
    """Groups of rows. It fails rather than cut a digit off."""

    def __init__(self, layout: Layout, out: IO[bytes], places: int) -> None:
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        self._arrow, self._layout = arrow, layout
        self._types = parquet_types(arrow, places)
        self._schema = arrow.schema([(each.name, self._types[each.kind]) for each in layout.columns])
        self._sink = arrow.PythonFile(CountedPipe(out), mode="w")
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._held: list[FocusRow] = []

    def write(self, rows: Sequence[FocusRow]) -> None:
        """Held until they are a group."""
        self._held.extend(rows)
        while len(self._held) >= ROWS_A_GROUP:
            self._group(self._held[:ROWS_A_GROUP])
            del self._held[:ROWS_A_GROUP]

    def __exit__(self, *error: object) -> None:
        if error[0] is None:
            if self._held:
                self._group(self._held)
            self._writer.close()
            self._sink.flush()

    def _group(self, rows: Sequence[FocusRow]) -> None:
        columns: list[Any] = []
        for place, scope in enumerate(SCOPES[:-1]):
            columns += self._pieces(self._layout.scopes[scope], [row[place] for row in rows])
        made: dict[tuple[tuple[str, ...], str], Any] = {}
        figures = zip(*(row.figures for row in rows), strict=True)
        for column, cells in zip(self._layout.scopes["figures"], figures, strict=True):
            key = cells, column.kind  # costs are mostly one, and their column the same
            if key not in made:
                made[key] = self._array(column, cells)
            columns.append(made[key])
        self._writer.write_table(self._arrow.Table.from_arrays(columns, schema=self._schema))

    def _pieces(self, columns: Sequence[FocusColumn], pieces: Sequence[Any]) -> list[Any]:
        """Each piece once, and then where it stands."""
        places: dict[RowPiece, int] = {}
        taken = self._arrow.array([places.setdefault(piece, len(places)) for piece in pieces])
        return [
            self._array(column, (piece.cells[number] for piece in places)).take(taken)
            for number, column in enumerate(columns)
        ]

    def _array(self, column: FocusColumn, cells: Iterable[str]) -> Any:
        texts = self._arrow.array([cell or None for cell in cells], type=self._arrow.string())
        return texts.cast(self._types[column.kind])


class CountedPipe:
    """A pipe, of which Parquet asks where it stands."""

    closed = False

    def __init__(self, out: IO[bytes]) -> None:
        self._out, self._written = out, 0

    def write(self, data: Any) -> int:
        """All of it."""
        self._out.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """Bytes so far."""
        return self._written

    def flush(self) -> None:
        """On to who reads."""
        self._out.flush()
