"""What `columns.toml` says: FOCUS' columns by version, and its words for our classes and units. Pure."""

import tomllib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from spendmeter.pricing.names import family, version

FocusVersion = Literal["1.2", "1.4"]
VERSIONS: tuple[FocusVersion, ...] = get_args(FocusVersion)
ColumnScope = Literal["time", "series", "meter", "figures"]
SCOPES: tuple[ColumnScope, ...] = get_args(ColumnScope)
ColumnKind = Literal["text", "json", "instant", "decimal"]
TOKENS_PRICED = 1_000_000
"""Prices of tokens are for so many."""
UNITS_KEPT_MAX = 4096
"""Whose words are remembered: senders make some up."""
_TOKENS = "Tokens"
_DATA = tomllib.loads(Path(__file__).with_name("columns.toml").read_text("utf-8"))


class FocusColumn(Struct, frozen=True, kw_only=True):
    """One column; `since` and `until` '' = every version."""

    name: str
    of: ColumnScope
    kind: ColumnKind = "text"
    since: str = ""
    until: str = ""


class FocusService(Struct, frozen=True, kw_only=True):
    """What a cost class is in FOCUS."""

    category: str
    subcategory: str
    name: str


COLUMNS = tuple(
    msgspec.convert({"name": name, **said}, FocusColumn) for name, said in _DATA["columns"].items()
)
SERVICES: Mapping[str, FocusService] = msgspec.convert(_DATA["service"], dict[str, FocusService])
_UNITS = sorted(_DATA["unit"].items(), key=lambda each: -len(each[0]))
_DEVELOPERS: Mapping[str, str] = _DATA["developer"]
_CACHE_ACTIONS = {"cache_read_": "Read", "cache_write_": "Write"}


def columns_in(focus: FocusVersion, scope: ColumnScope) -> Sequence[FocusColumn]:
    """Those that a version has of a scope, in their order."""
    at = VERSIONS.index(focus)
    return [
        column
        for column in COLUMNS
        if column.of == scope
        and (not column.since or at >= VERSIONS.index(column.since))
        and (not column.until or at <= VERSIONS.index(column.until))
    ]


def service_of(cost_class: str) -> FocusService:
    """Its service; of a class that nobody names here, the rest."""
    return SERVICES.get(cost_class, SERVICES["other"])


def service_name(cost_class: str, provider: str) -> str:
    """What rated usage of a provider is called: a name has one category, so it says the class as well."""
    return f"{service_of(cost_class).name} ({provider})"


@lru_cache(UNITS_KEPT_MAX)
def meter_words(unit: str) -> str:
    """A unit as people read it: "Cache Read Tokens"; '' = whole events."""
    return " ".join(word.upper() if word in ("io", "gb", "gpu") else word.title() for word in unit.split("_"))


@lru_cache(UNITS_KEPT_MAX)
def consumed_unit(unit: str) -> str:
    """What a unit counts: "Tokens". '' = whole events."""
    if not unit:
        return "Events"
    return next((words for end, words in _UNITS if unit.endswith(end)), meter_words(unit))


def pricing_unit(consumed: str) -> tuple[int, str]:
    """For how many of a consumed unit its price is, and what FOCUS calls so many."""
    return (TOKENS_PRICED, f"{TOKENS_PRICED} {_TOKENS}") if consumed == _TOKENS else (1, consumed)


def model_details(sku: str, unit: str) -> dict[str, str]:
    """What SkuPriceDetails says of a model's meter, by the names of the 1.5 draft; what is not known is left
    out."""
    found = {"x_ModelId": sku}
    if line := family(sku):
        found["x_ModelFamily"] = line
        if maker := next((by for word, by in _DEVELOPERS.items() if line.startswith(word)), ""):
            found["x_ModelDeveloper"] = maker
    if numbers := version(sku):
        found["x_ModelVersion"] = ".".join(map(str, numbers))
    return found | _token_details(unit)


def _token_details(unit: str) -> dict[str, str]:
    if not unit.endswith("_tokens"):
        return {}
    if unit.startswith(("output_", "reasoning_")):
        return {"x_TokenDirection": "Output"}
    for begin, action in _CACHE_ACTIONS.items():
        if unit.startswith(begin):
            return {"x_TokenDirection": "Input", "x_TokenCacheAction": action}
    if unit.startswith(("input_", "embedding_")):
        return {"x_TokenDirection": "Input", "x_TokenCacheAction": "Uncached"}
    return {}
