"""Reads a price file of any format into catalog entries: all of it, or a reason with its place.

    read_prices("prices.toml", raw)

The formats differ in how they spell tables (`formats.py`); what a table may say is the same for all
(`files.py`).
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any, get_args

import msgspec

from spendmeter.contracts.catalog import (
    Adjustment,
    CatalogEntry,
    PeriodTerm,
    PlainDecimal,
    Price,
    TenantTerms,
    UnitEntry,
)
from spendmeter.contracts.foreign_units import explain_foreign_unit
from spendmeter.contracts.units import UNITS, nearest_unit
from spendmeter.pricing.catalog.files import Header, convert_table, entries
from spendmeter.pricing.catalog.formats import PriceFile, parse
from spendmeter.pricing.conditions import CatalogError

FILE_ENTRIES_MAX = 50_000


def read_prices(
    name: str,
    raw: bytes,
    *,
    recorded_at: datetime | None = None,
    units: Collection[str] = (),
    places: dict[str, str] | None = None,
    not_taken: dict[str, tuple[str, ...]] | None = None,
) -> list[CatalogEntry]:
    """The entries of a price file, with their ids and version 0. `places` gets where each is stated, and
    `not_taken` which fields of which model of another vendor's file are not taken over.

    `name` tells the format by its ending (.toml, .yaml, .yml, .csv, .jsonl; .json is LiteLLM's, genai-prices'
    or OpenRouter's) and is the source of what states none. `recorded_at` is for files that do not say it
    themselves; `units` are those that the catalog has beyond the registry and the file. Raises CatalogError:
    file, place and rule.
    """
    places = {} if places is None else places
    try:
        file = parse(name, raw)
        read = read_tables(file, {"source": name}, recorded_at=recorded_at, units=units, places=places)
    except (msgspec.ValidationError, ValueError) as error:
        raise at_place(name, error) from None
    except RecursionError:
        raise CatalogError(f"{name}: is nested too deep") from None
    if not_taken is not None:
        not_taken.update(file.not_taken)
    return read


def read_tables(
    file: PriceFile,
    defaults: dict[str, Any],
    *,
    recorded_at: datetime | None = None,
    units: Collection[str] = (),
    places: dict[str, str],
) -> list[CatalogEntry]:
    """The entries of a file that is taken apart; `defaults` are for what its header leaves out. Raises
    msgspec.ValidationError, or CatalogError, with the place in the file and the rule."""
    defaults = defaults | ({"recorded_at": recorded_at} if recorded_at else {})
    header = convert_table(defaults | file.header, Header, strict=file.strict, more=file.kinds)
    read = _entries(file, header, places)
    _check_units(read, {*UNITS, *units}, places)
    return read


def _entries(file: PriceFile, header: Header, places: dict[str, str]) -> list[CatalogEntry]:
    read: list[CatalogEntry] = []
    for place, kind, table in file.tables:
        try:
            found = list(entries(header, kind, table, strict=file.strict))
        except (msgspec.ValidationError, CatalogError) as error:
            raise at_place(place, error) from None
        except OverflowError:
            raise at_place(place, CatalogError("an instant is outside the years 1 to 9999 in UTC")) from None
        for entry in found:
            if entry.id in places:
                raise at_place(place, CatalogError(f"says again what {places[entry.id]} says"))
            places[entry.id] = place
            read.append(entry)
        if len(read) > FILE_ENTRIES_MAX:
            raise at_place(place, CatalogError(f"a price file states at most {FILE_ENTRIES_MAX:,} entries"))
    return read


def _check_units(read: list[CatalogEntry], known: set[str], places: dict[str, str]) -> None:
    declared = [entry for entry in read if isinstance(entry, UnitEntry)]
    known |= {entry.unit for entry in declared}
    for new in declared:
        if reason := explain_foreign_unit(new.unit, [new.unit]):  # no event may use it
            raise at_place(places[new.id], CatalogError(reason))
    for entry in read:
        for unit in _units(entry):
            if unit not in known:
                near = nearest_unit(unit, known)
                hint = f": did you mean {near}? Else" if near else ";"
                reason = f"unknown unit {unit!r}{hint} state it in a unit table first"
                raise at_place(places[entry.id], CatalogError(reason))


def _units(entry: CatalogEntry) -> Collection[str]:
    match entry:
        case Price():
            return (entry.unit,)
        case Adjustment() | PeriodTerm():
            return entry.units
        case TenantTerms():
            return entry.fallback
        case _:
            return ()


def at_place(place: str, error: Exception) -> CatalogError:
    """The error with its place, in the words of a price file."""
    reason, _, path = str(error).partition(" - at `$")
    inner = path.rstrip("`").lstrip(".")
    if repr(get_args(PlainDecimal)[1].pattern) in reason:
        reason = (
            "not a plain decimal: no sign, no exponent, no zeros in front or at the end, 18 digits a side"
        )
    elif reason in {"Expected `str`, got `float`", "Expected `str`, got `int`"}:
        reason += ": an amount is written in quotes, so that no digit of it is lost"
    return CatalogError(": ".join(part for part in (place, inner, reason) if part))
