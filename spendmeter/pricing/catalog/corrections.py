"""Corrections of the public catalog: what vendors charge where its source says otherwise, or nothing; each
with its rule, the page on which that stands, and amounts worked out by hand (`corrections/<vendor>.toml`).

The public catalog stays byte for byte what its source says; `overlay.py` lays these over it.
"""

import dataclasses
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import CatalogEntry, Provider, ShortText
from spendmeter.contracts.events import Instant, Name
from spendmeter.pricing.catalog.files import KINDS, PriceTable, convert_table
from spendmeter.pricing.catalog.formats import PriceFile, toml_document
from spendmeter.pricing.catalog.read import at_place, read_tables
from spendmeter.pricing.conditions import CatalogError

CORRECTIONS = Path(__file__).with_name("corrections")
TABLES_OF_NOBODYS = frozenset({"fx", "period", "terms", "withdrawal"})
"""Tables of a price file that correct no public price."""
TABLES = KINDS - TABLES_OF_NOBODYS
_ITS_VENDORS = frozenset({"adjustment", "alias", "model", "price", "spelling"})
"""Tables that are about the file's vendor where they name no other provider."""
_Sentence = Annotated[str, Meta(min_length=1, max_length=600)]


class Replaced(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What the public catalog says of a sku: prices and names or, with `units`, the prices of these alone. A
    correction that replaces it states the prices anew, and the names where it has any."""

    provider: str = ""
    """'' = the file's vendor."""
    sku: Name
    units: tuple[Name, ...] = ()
    was: str
    """The digest (`overlay.said_of`) of what the public catalog said when the rule was written."""


class WorkedOut(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What `spendmeter price` must say, worked out by hand."""

    price: _Sentence
    """The arguments of the command."""
    want: str
    """The total."""
    status: str = "priced"
    working: _Sentence


class Correction(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a correction says of itself, beside the tables of a price file that it has."""

    name: Annotated[str, Meta(pattern=r"^[a-z0-9]+([-.][a-z0-9]+)*\Z", max_length=64)]
    rule: _Sentence
    source: Annotated[str, Meta(min_length=8, max_length=400)]
    read: date
    """The day on which the page was read; of a stored copy, its day."""
    second_hand: bool = False
    """Whether it is somebody else's word for what the vendor says."""
    drops: ShortText = ""
    """Why a condition that the replaced prices had is stated no longer."""
    replaces: tuple[Replaced, ...] = ()
    beside: tuple[Replaced, ...] = ()
    """Public prices that say something else than the rule and were looked at: they are right, and stay."""
    check: Annotated[tuple[WorkedOut, ...], Meta(min_length=1)]


class CorrectionFile(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The corrections of one vendor's prices."""

    vendor: Name
    recorded_at: Instant
    by: str = "spendmeter"
    correction: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A correction and the entries that it makes."""

    vendor: str
    said: Correction
    entries: tuple[CatalogEntry, ...]

    @property
    def key(self) -> str:
        """As tests, notes and pages name it: "anthropic/batch-half"."""
        return f"{self.vendor}/{self.said.name}"

    def provider_of(self, replaced: Replaced) -> str:
        """Whose sku is replaced."""
        return replaced.provider or self.vendor

    @cached_property
    def providers(self) -> frozenset[str]:
        """Whom it is about, lower case."""
        named = {getattr(entry, "provider", "").lower() for entry in self.entries} - {""}
        replaced = {self.provider_of(each).lower() for each in self.said.replaces}
        stated = [entry for entry in self.entries if isinstance(entry, Provider)]
        makers = {name.lower() for entry in stated for name in (*entry.resells, *entry.makers)}
        return frozenset({self.vendor, *named, *replaced, *makers})


class Sourced(Protocol):
    """What stands on a page."""

    @property
    def source(self) -> str: ...
    @property
    def read(self) -> date: ...
    @property
    def second_hand(self) -> bool: ...


def where(said: Sourced) -> str:
    """Where a rule stands, since when we know it, and whether the vendor says it itself."""
    return f"{said.source} (read {said.read}{', second-hand' if said.second_hand else ''})"


def shipped_corrections(*providers: str) -> list[Rule]:
    """Those of this release, by file and in its order; with `providers`, what they say of these alone."""
    names = [f'"{provider}"'.encode() for provider in providers]
    files = [(path.name, path.read_bytes()) for path in sorted(CORRECTIONS.glob("*.toml"))]
    named = [
        file
        for file in files
        if not names or any(name in file[1] for name in (*names, b"correction.provider"))
    ]
    rules = [rule for name, raw in named for rule in read_corrections(name, raw)]
    return [_about(rule, providers) for rule in rules] if providers else rules


def _about(rule: Rule, providers: Collection[str]) -> Rule:
    """What it says of these providers, and of nobody in particular; and every provider that it names, as the
    public catalog's part of one has them all."""
    theirs = ("", *providers)
    entries = tuple(
        e for e in rule.entries if isinstance(e, Provider) or getattr(e, "provider", "").lower() in theirs
    )
    return dataclasses.replace(rule, entries=entries)


def read_corrections(name: str, raw: bytes, *, units: Collection[str] = ()) -> list[Rule]:
    """The corrections of one file; `units` are those that it may name beside the registry's and its own.
    Raises CatalogError: file, correction and rule."""
    try:
        file = convert_table(toml_document(raw.decode()), CorrectionFile, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise at_place(name, error) from None
    if name != f"{file.vendor.lower()}.toml":
        raise CatalogError(f"{name}: is of vendor {file.vendor!r}: name it {file.vendor.lower()}.toml")
    rules = []
    for number, table in enumerate(file.correction):
        try:
            rules.append(_rule(file, table, units))
        except (msgspec.ValidationError, CatalogError) as error:
            raise at_place(f"{name}: {table.get('name', f'correction[{number}]')}", error) from None
    for key, times in Counter(rule.key for rule in rules).items():
        if times > 1:
            raise CatalogError(f"{name}: {times} corrections are named {key}")
    return rules


def _rule(file: CorrectionFile, table: dict[str, Any], units: Collection[str]) -> Rule:
    fields = {name: value for name, value in table.items() if name not in TABLES}
    said = convert_table(fields, Correction, strict=True, more=sorted(TABLES))
    header = {"source": where(said), "recorded_at": file.recorded_at, "by": file.by}
    read = read_tables(PriceFile(header, _tables(file.vendor, table)), {}, units=units, places={})
    if others := [entry for entry in read if entry.tenant or getattr(entry, "layer", "public") != "public"]:
        raise CatalogError(f"{type(others[0]).__name__} is not everybody's: a correction is of public prices")
    note = f"{file.vendor}/{said.name}: {said.rule}"
    noted = (replace(entry, note=" ".join(filter(None, (note, entry.note)))) for entry in read)
    return Rule(vendor=file.vendor.lower(), said=said, entries=tuple(noted))


def _tables(vendor: str, table: dict[str, Any]) -> Iterator[PriceTable]:
    for kind in table.keys() & TABLES:
        listed = table[kind]
        if not isinstance(listed, list):
            raise CatalogError(f"{kind} is not a list of tables")
        for number, each in enumerate(listed):
            its = {"provider": vendor} if kind in _ITS_VENDORS else {}
            yield f"{kind}[{number}]", kind, its | each
