"""Reads a price file of any format into catalog entries: all of it, or a reason with its place.

    read_prices("prices.toml", raw)

The formats differ in how they spell tables; what a table may say is the same for all (`files.py`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import PurePath
from typing import Any, NamedTuple, get_args

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
from spendmeter.pricing.catalog import litellm, spreadsheet
from spendmeter.pricing.catalog.files import KINDS, Header, converted, entries
from spendmeter.pricing.conditions import CatalogError

FILE_BYTES_MAX = 10 * 1024 * 1024
FILE_ENTRIES_MAX = 50_000
YAML_DEPTH_MAX = 16
TOML_DOTS_MAX = 100
"""In one line: tomllib takes the square of a dotted key's length."""

Tables = Iterable[tuple[str, str, dict[str, Any]]]
"""Place in the file ("line 7", "model[2]"), kind of table, the table."""


class _File(NamedTuple):
    header: dict[str, Any]
    tables: Tables
    strict: bool = True
    """Whether numbers and booleans are such, and not text."""
    kinds: Collection[str] = ()
    """The tables that may stand beside the header's fields."""
    not_taken: Mapping[str, tuple[str, ...]] = {}
    """By model, the fields of another vendor's file that are not taken over; filled while tables are read."""


def read_prices(
    name: str,
    raw: bytes,
    *,
    recorded_at: datetime | None = None,
    units: Collection[str] = (),
    places: dict[str, str] | None = None,
    not_taken: dict[str, tuple[str, ...]] | None = None,
) -> list[CatalogEntry]:
    """The entries of a price file, with their ids and version 0; `places` is told where each is stated, and
    `not_taken` which fields of which model of another vendor's file are not taken over.

    `name` tells the format by its ending (.toml, .yaml, .yml, .csv, .jsonl; .json is LiteLLM's or
    genai-prices') and is the
    source of what states none. `recorded_at` is for files that do not say it themselves; `units` are those
    that the catalog has beyond the registry and the file. Raises CatalogError: file, place and rule.
    """
    try:
        file = _parsed(name, raw)
        stated = {"recorded_at": recorded_at} if recorded_at else {}
        said = {"source": name} | stated | file.header
        header = converted(said, Header, strict=file.strict, more=file.kinds)
        read = _read(file, header, {*UNITS, *units}, {} if places is None else places)
    except (msgspec.ValidationError, ValueError) as error:
        raise _at(name, error) from None
    except RecursionError:
        raise CatalogError(f"{name}: is nested too deep") from None
    if not_taken is not None:
        not_taken.update(file.not_taken)
    return read


def _read(file: _File, header: Header, known: set[str], places: dict[str, str]) -> list[CatalogEntry]:
    read: list[CatalogEntry] = []
    for place, kind, table in file.tables:
        try:
            found = list(entries(header, kind, table, strict=file.strict))
        except (msgspec.ValidationError, CatalogError) as error:
            raise _at(place, error) from None
        except OverflowError:
            raise _at(place, CatalogError("an instant is outside the years 1 to 9999 in UTC")) from None
        for entry in found:
            if entry.id in places:
                raise _at(place, CatalogError(f"says again what {places[entry.id]} says"))
            places[entry.id] = place
            read.append(entry)
        if len(read) > FILE_ENTRIES_MAX:
            raise _at(place, CatalogError(f"a price file states at most {FILE_ENTRIES_MAX:,} entries"))
    stated = [entry for entry in read if isinstance(entry, UnitEntry)]
    known |= {entry.unit for entry in stated}
    for entry in stated:
        if reason := explain_foreign_unit(entry.unit, [entry.unit]):  # no event may use it
            raise _at(places[entry.id], CatalogError(reason))
    for entry in read:
        for unit in _units(entry):
            if unit not in known:
                near = nearest_unit(unit, known)
                meant = f": did you mean {near}? Else" if near else ";"
                reason = f"unknown unit {unit!r}{meant} state it in a unit table first"
                raise _at(places[entry.id], CatalogError(reason))
    return read


def _at(place: str, error: Exception) -> CatalogError:
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


def _parsed(name: str, raw: bytes) -> _File:
    if len(raw) > FILE_BYTES_MAX:
        raise CatalogError(f"a price file has at most {FILE_BYTES_MAX:,} bytes, this one {len(raw):,}")
    parse = _FORMATS.get(PurePath(name).suffix.lower())
    if parse is None:
        raise CatalogError(f"is of no known format; known are {', '.join(_FORMATS)}")
    try:
        return parse(raw.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise CatalogError(str(error)) from None


def _toml(text: str) -> _File:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > TOML_DOTS_MAX:
            raise CatalogError(f"line {number}: has more than {TOML_DOTS_MAX} dots")
    return _document(tomllib.loads(text), strict=True)


def _yaml(text: str) -> _File:
    import yaml  # type: ignore[import-untyped]  # only who reads YAML waits for it

    class Loader(yaml.CBaseLoader):  # type: ignore[misc]  # every scalar stays the text that it is
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value]
            if len(keys) != len({*map(str, keys)}):
                raise CatalogError(f"line {node.start_mark.line + 1}: a key stands twice in one table")
            return super().construct_mapping(node, deep)

    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            opens = isinstance(event, yaml.CollectionStartEvent)
            depth += opens - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > YAML_DEPTH_MAX:
                what = "is nested too deep" if opens else "aliases are not read"
                raise CatalogError(f"line {event.start_mark.line + 1}: {what}")
        return _document(yaml.load(text, Loader=Loader), strict=False)  # noqa: S506 - texts, lists and maps
    except yaml.YAMLError as error:
        raise CatalogError(" ".join(str(error).split())) from None


def _document(said: Any, *, strict: bool) -> _File:
    if not isinstance(said, dict):
        raise CatalogError("is not a table of fields and lists of tables")
    header = {name: value for name, value in said.items() if name not in KINDS}
    return _File(header, _listed(said), strict, kinds=sorted(KINDS))


def _listed(said: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind in [name for name in said if name in KINDS]:
        listed = said[kind]
        if not isinstance(listed, list) or not all(isinstance(table, dict) for table in listed):
            raise CatalogError(f"{kind} is not a list of tables")
        for number, table in enumerate(listed):
            yield f"{kind}[{number}]", kind, table


def _jsonl(text: str) -> _File:
    first, *rest = text.rstrip("\n").split("\n")
    return _File(msgspec.json.decode(first, type=dict[str, Any]), _lines(rest))


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for number, line in enumerate(lines, start=2):
        try:
            table = msgspec.json.decode(line, type=dict[str, Any])
            kind = table.pop("type", None)
        except msgspec.DecodeError as error:
            raise CatalogError(f"line {number}: {error}") from None
        if kind not in KINDS:
            raise CatalogError(f"line {number}: unknown type {kind!r}; known are {', '.join(sorted(KINDS))}")
        yield f"line {number}", kind, table


def _csv(text: str) -> _File:
    return _File({}, spreadsheet.tables(text), strict=False)


def _json(text: str) -> _File:
    """Of a vendor of price lists: a list is genai-prices', a table LiteLLM's."""
    not_taken: dict[str, tuple[str, ...]] = {}
    if text.lstrip().startswith("["):
        from spendmeter.pricing.catalog import genai  # only who imports its data waits for it

        tables = genai.tables(genai.published(text, not_taken))
    else:
        tables = litellm.tables(litellm.models(text), not_taken)
    return _File({}, tables, not_taken=not_taken)


_FORMATS = {
    ".toml": _toml, ".yaml": _yaml, ".yml": _yaml, ".csv": _csv, ".json": _json, ".jsonl": _jsonl,
}  # fmt: skip


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
