"""Price files: how prices are written down, one line or table a model, and the catalog entries they mean.

A public snapshot is JSON Lines (a header, then one provider or model a line, sorted, so that a diff shows
what changed); our own files are TOML with the same fields under [[provider]], [[model]], [[calendar]] and
[[unit]].
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from spendmeter.contracts.catalog import (
    ANY,
    Calendar,
    CatalogEntry,
    Conditions,
    Layer,
    Model,
    PlainDecimal,
    Price,
    PriceKind,
    Provider,
    Unit,
    identified,
)
from spendmeter.contracts.events import Instant


class Rates(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Prices that share their conditions: `prices` by unit, each in `currency` for `per` units."""

    when: Conditions = ANY
    per: int = 1_000_000
    currency: str = "USD"
    kind: PriceKind = "list"
    minimum: PlainDecimal = "0"
    per_event: bool = False
    prices: dict[str, PlainDecimal]


class ProviderLine(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="provider"
):
    """One provider; see `catalog.Provider`."""

    provider: str
    match: tuple[str, ...] = ()
    resells: tuple[str, ...] = ()


class ModelLine(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="model"
):
    """One sku: its names (see `catalog.Model`) and its prices."""

    provider: str
    sku: str
    aliases: tuple[str, ...] = ()
    match: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    family: str = ""
    retired: bool = False
    source: str = ""
    """Where this model's prices are written, if not where the file's are."""
    note: str = ""
    rates: tuple[Rates, ...] = ()


class CalendarLine(
    Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="calendar"
):
    """One vendor's calendar; see `catalog.Calendar`."""

    name: str
    time_zone: str
    holidays: tuple[str, ...] = ()


class UnitLine(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, tag="unit"):
    """One unit that units.toml lacks; see `catalog.Unit`."""

    unit: str
    about: str
    parent: str | None = None
    context: bool = False


Line = ProviderLine | ModelLine | CalendarLine | UnitLine


class Header(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all entries of a file share."""

    source: str
    recorded_at: Instant
    by: str = ""
    layer: Layer = "public"
    tenant: str = ""
    contract: str = ""


class _Toml(Header, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: tuple[ProviderLine, ...] = ()
    model: tuple[ModelLine, ...] = ()
    calendar: tuple[CalendarLine, ...] = ()
    unit: tuple[UnitLine, ...] = ()


_decode_header = msgspec.json.Decoder(Header).decode
_decode_line = msgspec.json.Decoder(Line).decode
_encode = msgspec.json.Encoder().encode
_MODEL = '{"type":"model","provider":'  # how the lines of models begin


def read_jsonl(path: Path, providers: Collection[str] = ()) -> list[CatalogEntry]:
    """The entries of a snapshot; with `providers`, of the models only theirs."""
    first, *rest = path.read_bytes().splitlines()
    header = _decode_header(first)
    if providers:
        theirs = tuple(f'{_MODEL}"{provider}",'.encode() for provider in providers)
        rest = [line for line in rest if line.startswith(theirs) or not line.startswith(_MODEL.encode())]
    return list(entries(header, map(_decode_line, rest)))


def write_jsonl(path: Path, header: Header, lines: Iterable[Line]) -> None:
    """The snapshot of these lines, in their order."""
    path.write_bytes(b"".join(_encode(line) + b"\n" for line in (header, *lines)))


def read_toml(path: Path) -> list[CatalogEntry]:
    """The entries of one of our own files. Raises ValueError with the place of what is wrong."""
    try:
        file = msgspec.convert(tomllib.loads(path.read_text("utf-8")), _Toml)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{path.name}: {error}") from None
    return list(entries(file, (*file.calendar, *file.unit, *file.provider, *file.model)))


def entries(header: Header, lines: Iterable[Line]) -> Iterator[CatalogEntry]:
    """What the lines say, as entries with their ids."""
    for line in lines:
        said: dict[str, Any] = {"recorded_at": header.recorded_at, "by": header.by, "source": header.source}
        match line:
            case ProviderLine():
                yield identified(Provider(**said, **msgspec.structs.asdict(line)))
            case CalendarLine():
                yield identified(Calendar(**said, **msgspec.structs.asdict(line)))
            case UnitLine():
                yield identified(Unit(**said, **msgspec.structs.asdict(line)))
            case ModelLine():
                said |= {"source": line.source or header.source, "note": line.note}
                yield from _model(header, line, said)


def _model(header: Header, line: ModelLine, said: dict[str, Any]) -> Iterator[CatalogEntry]:
    names = msgspec.structs.asdict(line)
    del names["rates"], names["source"], names["note"]
    yield identified(Model(**said, **names))
    said |= {"tenant": header.tenant, "layer": header.layer, "contract": header.contract}
    said |= {"provider": line.provider, "sku": line.sku}
    for rates in line.rates:
        shared = said | msgspec.structs.asdict(rates)
        for unit, price in shared.pop("prices").items():
            yield identified(Price(**shared, unit=unit, price=price))
