"""Assets as a spreadsheet says them, and shares as an argument does. Pure."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

COLUMNS = (
    "id",
    "kind",
    "name",
    "provider",
    "sku",
    "cost_class",
    "currency",
    "starts_on",
    "accrue_from",
    "months",
    "ends_on",
    "cost",
    "salvage",
    "seats",
    "price_per_seat_month",
    "rate_per_hour",
    "hours_per_week",
    "capacity",
    "reason",
)
LABEL = "label."
ASSIGNED = "assigned"


class BadAssetFile(ValueError):
    """The file is no table of assets; the text says why."""


def share(text: str) -> dict[str, Any]:
    """`team=search,project=x:4` as a part of an asset. Raises ValueError with the form."""
    labels, colon, weight = text.rpartition(":")
    if not (colon and weight.isdecimal()):
        labels, weight = text, "1"
    pairs = [each.partition("=") for each in labels.split(",")]
    if not all(name and equals and value for name, equals, value in pairs):
        raise ValueError("write NAME=VALUE:SEATS, as in team=search:4")
    return {"labels": {name.strip(): value.strip() for name, _, value in pairs}, "weight": int(weight)}


def read_assets(lines: Iterable[str]) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Of each row its line in the file, and what is to be registered, or why it cannot be read. Raises
    BadAssetFile."""
    text = iter(lines)
    head = next(text, "")
    delimiter = ";" if ";" in head and "," not in head else ","
    columns = [name.strip() for name in next(csv.reader([head], delimiter=delimiter), [])]
    _check(columns)
    rows = csv.reader(text, delimiter=delimiter)
    for cells in rows:
        if any(cell.strip() for cell in cells):
            yield rows.line_num + 1, _asset(columns, cells)


def _check(columns: list[str]) -> None:
    if "id" not in columns:
        raise BadAssetFile("the first line names the columns, and id is one of them")
    for name in columns:
        if name not in COLUMNS and name != ASSIGNED and not name.startswith(LABEL):
            known = ", ".join((*COLUMNS, ASSIGNED, f"{LABEL}team"))
            raise BadAssetFile(f"column {name!r} is none of {known}")
    if len(set(columns)) < len(columns):
        raise BadAssetFile("a column is there twice")


def _asset(columns: list[str], cells: list[str]) -> dict[str, Any] | str:
    if len(cells) > len(columns):
        return f"has {len(cells)} cells, and there are {len(columns)} columns"
    said = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if cell.strip()}
    asset: dict[str, Any] = {name: value for name, value in said.items() if name in COLUMNS}
    if labels := {name[len(LABEL) :]: value for name, value in said.items() if name.startswith(LABEL)}:
        asset["labels"] = labels
    if shares := said.get(ASSIGNED):
        try:
            asset[ASSIGNED] = [share(each) for each in shares.split("|")]
        except ValueError as error:
            return f"{ASSIGNED}: {error}"
    return asset
