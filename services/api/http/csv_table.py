"""A table as CSV, for spreadsheets. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel

from services.api.http.unrun import unrun


def csv_of(rows: Sequence[Mapping[str, Any]], model: type[BaseModel]) -> str:
    """RFC 4180: a header, then a line a row. What is a number stays one; a text that a spreadsheet would run
    begins with an apostrophe. A field of names and values is a column a name."""
    flat = [dict(_cells(row, model)) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row)) or list(model.model_fields)
    columns.sort(key=lambda name: name.split(".")[0] in model.model_fields)  # first what it is about
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([row.get(name, "") for name in columns] for row in flat)
    return written.getvalue()


def _cells(row: Mapping[str, Any], model: type[BaseModel]) -> Iterable[tuple[str, str]]:
    for name, value in row.items():
        field = model.model_fields.get(name)
        number = field is not None and _is_number(field.annotation)
        if isinstance(value, dict):
            for key, each in value.items():
                yield f"{name}.{key}", _cell(each, number)
        else:
            yield name, _cell(value, number)


def _is_number(annotation: Any) -> bool:
    """Whether the field is of amounts, quantities or counts, or of names with these."""
    origin = get_origin(annotation)
    if origin is dict:
        return _is_number(get_args(annotation)[1])
    if origin in {Annotated, Union, UnionType}:
        return any(_is_number(each) for each in get_args(annotation))
    return annotation in {int, float, Decimal}


def _cell(value: Any, number: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if number and not isinstance(value, list):
        return str(value)
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = " ".join(value)
    return unrun(value if isinstance(value, str) else msgspec.json.encode(value).decode())
