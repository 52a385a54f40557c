"""A table as Parquet, for programs: amounts are decimals and times instants. Not for an event loop."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from io import BytesIO
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel

from services.api.http.problems import HttpRefusal

CellKind = Literal["text", "integer", "decimal", "instant", "truth"]
DIGITS, PLACES = 38, 18
"""Of a decimal, and of these after its point: always the same, so that two answers can be put together."""
_KINDS: Mapping[Any, CellKind] = {int: "integer", Decimal: "decimal", datetime: "instant", bool: "truth"}


def parquet_of(rows: Sequence[Mapping[str, Any]], model: type[BaseModel]) -> bytes:
    """A column a field, the dimensions first; a field of names and values is a column a name. Raises
    HttpRefusal (406) rather than cut a digit off."""
    import pyarrow as arrow
    from pyarrow import parquet

    types = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "decimal": arrow.decimal128(DIGITS, PLACES),
        "instant": arrow.timestamp("us", tz="UTC"),
        "truth": arrow.bool_(),
    }
    arrays = {}
    for name, (kind, cells) in _columns(rows, model).items():
        plain = kind in ("integer", "truth")
        array = arrow.array(cells, type=types[kind] if plain else arrow.string())
        try:
            arrays[name] = array if plain else array.cast(types[kind])
        except arrow.ArrowInvalid:
            detail = f"Accept: {name} has more digits than Parquet's decimals; ask for application/json"
            raise HttpRefusal(406, "Not acceptable", detail) from None
    written = BytesIO()
    parquet.write_table(arrow.table(arrays), written, compression="zstd")
    return written.getvalue()


def _columns(
    rows: Sequence[Mapping[str, Any]], model: type[BaseModel]
) -> dict[str, tuple[CellKind, list[Any]]]:
    """(kind, cells) by name: what no model names, which are dimensions, goes first."""
    fields = {name: _kind(field.annotation) for name, field in model.model_fields.items()}
    found = dict[str, tuple[CellKind, list[Any]]]()
    flat = [dict(_cells(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row)) or list(fields)
    for name in sorted(names, key=lambda name: name.split(".")[0] in fields):
        kind = fields.get(name.split(".")[0], "text")
        found[name] = kind, [_cell(row.get(name), kind) for row in flat]
    return found


def _cells(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [
        pair
        for name, value in row.items()
        for pair in (
            [(f"{name}.{key}", each) for key, each in value.items()]
            if isinstance(value, dict)
            else [(name, value)]
        )
    ]


def _cell(value: Any, kind: CellKind) -> Any:
    if value is None or kind in ("integer", "truth") or isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return msgspec.json.encode(value).decode()


def _kind(annotation: Any) -> CellKind:
    """Of a field, or of the values of one that is of names and values."""
    origin = get_origin(annotation)
    if origin is dict:
        return _kind(get_args(annotation)[1])
    if origin in {Annotated, Union, UnionType}:
        return next((kind for each in get_args(annotation) if (kind := _kind(each)) != "text"), "text")
    return _KINDS.get(annotation, "text")
