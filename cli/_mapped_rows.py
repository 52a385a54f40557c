"""Any CSV or JSONL as calls, by what its columns mean: `--map input_tokens=prompt --map label.team=team`.

A name on the left is a field of the event, or else a unit; on the right stands a column, in JSONL with dots
on the way into objects (`usage.prompt`). An empty cell says nothing. Pure but for the file.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli._trace_rows import BadSample, BadTrace, SampleRow, text_of

LABEL = "label."
OF_DATA = {
    "provider": ("provider",),
    "sku": ("sku",),
    "tier": ("context", "service_tier"),
    "region": ("context", "region"),
    "latency_ms": ("performance", "latency_ms"),
    "status": ("performance", "status"),
    "cost": ("reported_cost", "amount"),
    "currency": ("reported_cost", "currency"),
}
"""Where in the data of an event a field stands."""
FIELDS = ("time", "id", "model", *OF_DATA)
MILLISECONDS_MIN = 100_000_000_000
"""A time that is a number is in seconds since 1970, from here on in milliseconds."""
CURRENCY = "USD"


def mapped_rows(file: Path, columns: Mapping[str, str]) -> Iterator[SampleRow | BadSample]:
    """The file's rows by `columns`: name to column. Raises BadTrace."""
    with text_of(file) as opened:
        first = opened.readline()
        opened.seek(0)
        tables = (
            _json_tables(opened) if first.lstrip().startswith("{") else _csv_tables(file, opened, columns)
        )
        for line, table in tables:
            if table is None:
                yield BadSample(line=line, reason="is no JSON object")
                continue
            try:
                yield _row(line, {name: _cell(table, column) for name, column in columns.items()})
            except ValueError as error:
                yield BadSample(line=line, reason=str(error))


def _csv_tables(
    file: Path, opened: Iterable[str], columns: Mapping[str, str]
) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    reader = csv.DictReader(opened)
    heading = reader.fieldnames or ()
    if missing := [column for column in columns.values() if column not in heading]:
        raise BadTrace(f"{file} has no column {missing[0]!r}; it has {', '.join(heading)}")
    for table in reader:
        yield reader.line_num, table


def _json_tables(opened: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any] | None]]:
    for number, line in enumerate(opened, 1):
        if not line.strip():
            continue
        try:
            table = json.loads(line, parse_float=str)
        except ValueError:
            table = None
        yield number, table if isinstance(table, dict) else None


def _cell(table: Mapping[str, Any], column: str) -> Any:
    """What stands there; None = nothing."""
    found: Any = table
    for name in [column] if column in table else column.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    found = found.strip() if isinstance(found, str) else found
    return None if found == "" else found


def _row(line: int, cells: Mapping[str, Any]) -> SampleRow:
    """Raises ValueError."""
    said = {name: cell for name, cell in cells.items() if cell is not None}
    at = _instant(said["time"]) if "time" in said else None
    data: dict[str, Any] = {}
    usage: dict[str, Any] = {}
    for name, cell in said.items():
        if isinstance(cell, dict | list | bool):
            raise ValueError(f"{name}: is neither a text nor a number")  # noqa: TRY004 a row's fault, not ours
        if name.startswith(LABEL):
            data.setdefault("labels", {})[name.removeprefix(LABEL)] = str(cell)
        elif name == "model":
            provider, slash, sku = str(cell).partition("/")
            data |= {"provider": provider, "sku": sku} if slash else {"sku": provider}
        elif name in OF_DATA:
            _put(data, OF_DATA[name], int(cell) if name == "latency_ms" else str(cell))
        elif name not in FIELDS:
            usage[name] = cell
    if "reported_cost" in data:
        data["reported_cost"].setdefault("currency", CURRENCY)
    fields = ({"id": str(said["id"])} if "id" in said else {}) | {"data": data}
    return SampleRow(line=line, usage=usage, at=at, offset_s=at.timestamp() if at else None, fields=fields)


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *tables, last = path
    for name in tables:
        data = data.setdefault(name, {})
    data[last] = value


def _instant(said: Any) -> datetime:
    """ISO, in UTC where it names no zone, or a number. Raises ValueError."""
    text = str(said)
    try:
        if text.replace(".", "", 1).isdecimal():
            number = float(text)
            return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS_MIN else number, UTC)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError("time: is neither ISO nor a number of seconds since 1970") from None
