"""Price files: the tables that prices are written down in, and the catalog entries they mean.

[[model]] is a sku with its names and prices; [[price]] prices a sku that is named elsewhere; every other
table is a catalog entry with that entry's own fields (`TABLES`). What a file says at its top (`Header`) holds
for all of its tables. TOML, YAML and our JSON Lines spell the same tables; CSV and LiteLLM's JSON are turned
into them (`read.py`).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from spendmeter.contracts.catalog import (
    ANY,
    Adjustment,
    Alias,
    CalendarEntry,
    CatalogEntry,
    Conditions,
    FxRate,
    HoursWindow,
    Layer,
    Match,
    Model,
    NameRule,
    PeriodTerm,
    PlainDecimal,
    Price,
    PriceKind,
    Provider,
    ShortText,
    Spelling,
    Step,
    TenantTerms,
    UnitEntry,
    Withdrawal,
)
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.events import Currency, Instant, Name, UnitName
from spendmeter.pricing.catalog import public_holidays
from spendmeter.pricing.conditions import CatalogError

TABLES: Mapping[str, type[CatalogEntry]] = {
    "adjustment": Adjustment,
    "alias": Alias,
    "calendar": CalendarEntry,
    "fx": FxRate,
    "name_rule": NameRule,
    "period": PeriodTerm,
    "provider": Provider,
    "spelling": Spelling,
    "terms": TenantTerms,
    "unit": UnitEntry,
    "withdrawal": Withdrawal,
}
"""The tables that are one catalog entry each, by name."""
KINDS = frozenset({*TABLES, "model", "price"})
PriceTable = tuple[str, str, dict[str, Any]]
"""Place in the file ("line 7", "model[2]"), kind of table, the table."""
ZEROS = "prices of 0, which mean free or unknown"
"""What is not taken over of other vendors' lists."""


class Header(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What all entries of a file share."""

    source: Annotated[str, Meta(min_length=1)]
    recorded_at: Instant
    by: str = ""
    layer: Layer = "public"
    tenant: Annotated[str, Meta(max_length=64)] = ""
    contract: ShortText = ""


class Rates(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Prices that share their conditions: `prices` by unit, each in `currency` for `per` units."""

    when: Conditions = ANY
    per: Annotated[int, Meta(ge=1, le=2**63 - 1)] = 1_000_000
    currency: Currency = "USD"
    kind: PriceKind = "list"
    minimum: PlainDecimal = "0"
    maximum: PlainDecimal | None = None
    per_event: bool = False
    assumes: ShortText = ""
    all_in: bool = False
    prices: dict[UnitName, PlainDecimal]


class ModelLine(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="model"
):
    """One sku: its names (see `catalog.Model`) and its prices."""

    provider: Name
    sku: Name
    aliases: tuple[Match, ...] = ()
    match: tuple[Match, ...] = ()
    unless: tuple[Match, ...] = ()
    family: ShortText = ""
    retired: bool = False
    source: str = ""
    """Where this model's prices are written, if not where the file's are."""
    note: str = ""
    rates: tuple[Rates, ...] = ()


class PriceLine(Rates, frozen=True, kw_only=True):
    """Prices of a sku that is named elsewhere: a contract's, or an organisation's own."""

    provider: Name
    sku: Name
    layer: Layer
    tenant: Annotated[str, Meta(max_length=64)]
    contract: ShortText
    source: str
    note: str = ""


def entries(header: Header, kind: str, table: dict[str, Any], *, strict: bool) -> Iterator[CatalogEntry]:
    """What one table says, as entries with their ids. Not `strict` = numbers and booleans come as text.

    Raises msgspec.ValidationError, or CatalogError, with the field and the rule.
    """
    stamp = {"recorded_at": header.recorded_at, "by": header.by}
    scope = {"layer": header.layer, "tenant": header.tenant, "contract": header.contract}
    if kind == "model":
        yield from _model(header, convert_table(table, ModelLine, strict=strict), stamp | scope)
        return
    if kind == "price":
        table = scope | {"source": header.source} | table
        yield from _prices(msgspec.structs.asdict(convert_table(table, PriceLine, strict=strict)), stamp)
        return
    looked_up: Collection[str] = ()
    if kind == "calendar":
        table, looked_up = public_holidays.with_dates(table, strict=strict), public_holidays.FIELDS
    struct = TABLES[kind]
    fields = struct.__struct_fields__
    inherited = scope if "layer" in fields else {"tenant": header.tenant} if struct is TenantTerms else {}
    reserved = {"id", "version", *stamp} | (set() if inherited else {"tenant"})
    allowed = [name for name in fields if name not in reserved]
    if unknown := sorted(table.keys() - set(allowed)):
        raise CatalogError(unknown_field(unknown[0], [*allowed, *looked_up]))
    yield identified(
        convert_table({"source": header.source} | stamp | inherited | table, struct, strict=strict)
    )


def clock(minute: int) -> str:
    """A minute of the day as windows state it."""
    return f"{minute // 60:02}:{minute % 60:02}"


_T = TypeVar("_T", bound=Struct)
_UNKNOWN = re.compile(
    r"Object contains unknown field `(?P<field>.*?)`(?P<at> - at `\$(?P<path>.*)`)?", re.DOTALL
)
_INNER: Mapping[str, type[Struct]] = {
    "rates": Rates,
    "when": Conditions,
    "windows": HoursWindow,
    "steps": Step,
}
"""What stands inside a table, by the field that holds it."""


def convert_table(table: dict[str, Any], struct: type[_T], *, strict: bool, more: Collection[str] = ()) -> _T:
    """The table as `struct`. Raises msgspec.ValidationError; or CatalogError for a field that it does not
    have, with those that it has and `more`."""
    try:
        return msgspec.convert(table, struct, strict=strict)
    except msgspec.ValidationError as error:
        found = _UNKNOWN.fullmatch(str(error))
        if found is None:
            raise
        path = re.findall(r"\w+", found["path"] or "")
        inside = next((_INNER[name] for name in reversed(path) if name in _INNER), struct)
        allowed = [*inside.__struct_fields__, *(more if inside is struct else ())]
        raise CatalogError(unknown_field(found["field"], allowed) + (found["at"] or "")) from None


def unknown_field(name: str, allowed: Collection[str]) -> str:
    """Why a field is refused: which ones are allowed, and the nearest of them."""
    near = get_close_matches(name, allowed, n=1)
    hint = f": did you mean {near[0]}?" if near else ";"
    return f"unknown field {name!r}{hint} allowed are {', '.join(allowed)}"


def _model(header: Header, line: ModelLine, shared: dict[str, Any]) -> Iterator[CatalogEntry]:
    names = msgspec.structs.asdict(line)
    del names["rates"]
    names["source"] = line.source or header.source
    scoped = {"layer", "tenant", "contract"}
    yield identified(Model(**names, **{name: shared[name] for name in shared.keys() - scoped}))
    shared |= {name: names[name] for name in ("provider", "sku", "source", "note")}
    for rates in line.rates:
        yield from _prices(msgspec.structs.asdict(rates), shared)


def _prices(line: dict[str, Any], shared: dict[str, Any]) -> Iterator[CatalogEntry]:
    for unit, price in line.pop("prices").items():
        yield identified(Price(**line, **shared, unit=unit, price=price))


_encode = msgspec.json.Encoder().encode


def write_jsonl(path: Path, header: Header, lines: Iterable[ModelLine | dict[str, Any]]) -> None:
    """The snapshot of these lines, in their order: the header, then a table a line, its kind under "type"."""
    path.write_bytes(b"".join(_encode(line) + b"\n" for line in (header, *lines)))
