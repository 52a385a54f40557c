"""CSV: one price a row, under the names of the columns. Empty cells say nothing; ";" parts tiers and regions.

What one row cannot say (hours, calendars, aliases, discounts) takes TOML or YAML.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from spendmeter.pricing.catalog.files import PriceTable
from spendmeter.pricing.conditions import CatalogError

REQUIRED = ("provider", "sku", "unit", "price", "per")
_FIELDS = {
    *REQUIRED,
    *"currency kind minimum maximum per_event assumes all_in layer tenant contract source note".split(),
}
_WHEN = set(
    "effective_from effective_to batch "
    "context_min context_min_inclusive context_max context_max_inclusive".split()
)
_LISTS = {"tier": "tiers", "region": "regions"}
COLUMNS = frozenset({*_FIELDS, *_WHEN, *_LISTS})


def tables(text: str) -> Iterator[PriceTable]:
    """A price table a row, all its values text. Raises CatalogError with the line."""
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = rows.fieldnames or ()
        if unknown := [column for column in columns if column not in COLUMNS]:
            raise CatalogError(
                f"line 1: unknown column {unknown[0]!r}; known are {', '.join(sorted(COLUMNS))}"
            )
        if missing := [column for column in REQUIRED if column not in columns]:
            raise CatalogError(f"line 1: missing column {missing[0]!r}")
        if len({*columns}) != len(columns):
            raise CatalogError("line 1: a column stands twice")
        for row in rows:
            place = f"line {rows.line_num}"
            if None in row or None in row.values():
                raise CatalogError(f"{place}: has not as many cells as there are columns")
            cells = {name: cell.strip() for name, cell in row.items() if cell.strip()}
            if missing := [column for column in REQUIRED if cells and column not in cells]:
                raise CatalogError(f"{place}: no {missing[0]}")
            if cells:
                yield place, "price", _table(cells)
    except csv.Error as error:
        raise CatalogError(f"line {rows.line_num}: {error}") from None


def _table(cells: Mapping[str, str]) -> dict[str, Any]:
    when: dict[str, Any] = {name: cell for name, cell in cells.items() if name in _WHEN}
    when |= {_LISTS[name]: cell.split(";") for name, cell in cells.items() if name in _LISTS}
    table: dict[str, Any] = {name: cell for name, cell in cells.items() if name in _FIELDS}
    table |= {name: _shortest(table[name]) for name in ("minimum", "maximum") if name in table}
    return table | {"when": when, "prices": {table.pop("unit"): _shortest(table.pop("price"))}}


def _shortest(amount: str) -> str:
    """Without the zeros at the end, which a spreadsheet adds as it likes: "3.00" is "3"."""
    return re.sub(r"\.?0+\Z", "", amount) if re.fullmatch(r"[0-9]+\.[0-9]+", amount) else amount
