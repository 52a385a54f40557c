"""Rows put together of pieces: what many rows have alike is made, and written out, once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from services.api.exports.vocabulary import (
    SCOPES,
    ColumnKind,
    ColumnScope,
    FocusColumn,
    FocusVersion,
    columns_in,
)
from services.api.http.unrun import unrun

_QUOTED = frozenset('",\r\n')


@dataclass(frozen=True, slots=True, eq=False)
class RowPiece:
    """The cells of one scope; '' = null. `csv`: the same as they are written, without an end."""

    cells: tuple[str, ...]
    csv: str


class FocusRow(NamedTuple):
    """One row: the figures' cells stand last, decimals with a point, as they are written."""

    time: RowPiece
    series: RowPiece
    meter: RowPiece
    figures: Sequence[str]


class Layout:
    """The columns of one version, by scope."""

    def __init__(self, version: FocusVersion) -> None:
        self.version = version
        self.scopes: dict[ColumnScope, Sequence[FocusColumn]] = {
            each: columns_in(version, each) for each in SCOPES
        }
        self.columns = [column for scope in SCOPES for column in self.scopes[scope]]

    def piece(self, scope: ColumnScope, said: Mapping[str, str]) -> RowPiece:
        """What is said of the scope's columns; of those that this version lacks nothing is written."""
        columns = self.scopes[scope]
        cells = tuple(said.get(column.name, "") for column in columns)
        written = [csv_cell(text, column.kind) for text, column in zip(cells, columns, strict=True)]
        return RowPiece(cells, ",".join(written))


def csv_cell(text: str, kind: ColumnKind) -> str:
    """As RFC 4180 has it. A decimal has a point, for who reads a number without one takes its column for
    integers. A text that a spreadsheet would run begins with an apostrophe, as in every CSV of ours."""
    if kind == "decimal":
        return pointed(text)
    if kind == "text":
        text = unrun(text)
    return '"' + text.replace('"', '""') + '"' if _QUOTED.intersection(text) else text


def pointed(text: str) -> str:
    """A decimal with a point: "12" is written 12.0. '' stays as it is."""
    return text if "." in text or not text else f"{text}.0"
