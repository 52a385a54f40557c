"""LiteLLM's model_prices_and_context_window.json as tables of a price file: a second opinion, and a source of
proposals. Its amounts are taken as the digits that are written, never through a float.

Every field of a model is a price, a factor or an hour that is taken over, or known to say nothing of money,
or else named as not taken over: in the model's note, and to whoever reads the file (a price per pixel, one by
the length of a video, and whatever LiteLLM adds tomorrow). LiteLLM writes 0 both for free and for unknown: a
model of nothing but zeros has no prices here. A name that is only another model's (`alias_of`) is not taken
over: the file does not say since when it means that.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from spendmeter.contracts.money import plain
from spendmeter.pricing.catalog.files import PriceTable
from spendmeter.pricing.catalog.litellm_fields import RULES, leaves, may_be_a_price, words
from spendmeter.pricing.catalog.litellm_hours import OffPeak
from spendmeter.pricing.catalog.litellm_prices import amount, prices
from spendmeter.pricing.conditions import CatalogError

_PROVIDERS: Mapping[str, str] = RULES["providers"]
_FACTORS: Mapping[str, Mapping[str, Any]] = RULES["factors"]
_IN_REGION = [re.compile(pattern) for pattern in RULES["names"]["regions"]]
_ALIAS = "alias_of"
_EXPONENT_MAX = 30


def decoded(text: str) -> dict[str, Any]:
    """A table of JSON. Raises msgspec.DecodeError, or CatalogError for a number out of range."""
    return msgspec.json.Decoder(dict[str, Any], float_hook=_decimal).decode(text)


class ListedName(NamedTuple):
    """A name of the file as LiteLLM writes it, and its rates as of a price file."""

    provider: str
    name: str
    mode: str
    rates: list[dict[str, Any]]


class _Named(NamedTuple):
    """What a name of the file is about."""

    provider: str
    sku: str
    region: str = ""


class _Stated(NamedTuple):
    """What the file says of one name."""

    rates: list[dict[str, Any]]
    factors: list[dict[str, Any]]
    hours: OffPeak | None
    about: dict[str, str]


def tables(
    by_name: Mapping[str, Mapping[str, Any]], not_taken: MutableMapping[str, tuple[str, ...]]
) -> Iterator[PriceTable]:
    """A model table a model, or price tables where only its prices in another region are new; then its
    factors, each calendar before the first that reads it. `not_taken` gets, by model, the fields that are not
    taken over. Raises CatalogError with the model's name."""
    seen: dict[_Named, _Stated] = {}
    skus: set[tuple[str, str]] = set()
    calendars: set[str] = set()
    also = _aliases(by_name, not_taken)
    for name, model in by_name.items():
        if name in RULES["no_models"] or _is_alias(model):
            continue
        named = _named(name, model, by_name)
        stated = _stated(name, model, also.get(name, ()), named.region, not_taken)
        before = seen.setdefault(named._replace(sku=named.sku.lower()), stated)
        if before is not stated:
            if before[:3] != stated[:3]:
                raise CatalogError(f"{name}: another spelling of it has other prices")
            continue
        if stated.hours and stated.hours.calendar not in calendars:
            calendars.add(stated.hours.calendar)
            yield name, "calendar", {"name": stated.hours.calendar, "time_zone": stated.hours.time_zone}
        new = (named.provider, named.sku.lower()) not in skus
        skus.add((named.provider, named.sku.lower()))
        for kind, table in _tables(named, stated, new):
            yield name, kind, table


def as_called(by_name: Mapping[str, Mapping[str, Any]]) -> Iterator[ListedName]:
    """Every name that has prices, as it stands in the file, regions and sellers in front and all. Raises
    CatalogError with the name."""
    for name, model in by_name.items():
        provider = model.get("litellm_provider")
        if name in RULES["no_models"] or not isinstance(provider, str) or _is_alias(model):
            continue
        rates = _stated(name, model, (), "", {}).rates
        if rates:
            yield ListedName(provider, name, str(model.get("mode")), rates)


def _tables(named: _Named, stated: _Stated, new: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    of = {"provider": named.provider, "sku": named.sku, **stated.about}
    if new:
        yield "model", {**of, "rates": stated.rates}
    else:
        for rates in stated.rates:
            yield "price", {name: value for name, value in of.items() if value} | rates
    for factor in stated.factors:
        yield "adjustment", {"provider": named.provider, "skus": [named.sku], **factor}


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent that no Decimal can hold
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX:
        raise CatalogError(f"{text:.40} is out of range")
    return value


def _is_alias(model: Mapping[str, Any]) -> bool:
    """Whether it is nothing but another name of a model."""
    return _ALIAS in model and not any(may_be_a_price(name, model[name]) for name in model.keys() - {_ALIAS})


def _aliases(
    by_name: Mapping[str, Mapping[str, Any]], not_taken: MutableMapping[str, tuple[str, ...]]
) -> dict[str, list[str]]:
    """The other names of each model."""
    also: dict[str, list[str]] = defaultdict(list)
    for name, model in by_name.items():
        if _is_alias(model):
            also[str(model[_ALIAS])].append(name)
            not_taken[name] = (_ALIAS,)
    return also


def _named(name: str, model: Mapping[str, Any], names: Mapping[str, Any]) -> _Named:
    """A name repeats its provider in front unless that is LiteLLM's default. Raises CatalogError."""
    provider = model.get("litellm_provider")
    if not isinstance(provider, str):
        raise CatalogError(f"{name}: no litellm_provider; this is not LiteLLM's price file")
    family = next((family for family in _PROVIDERS if provider.startswith(family)), provider)
    ours = _PROVIDERS.get(family, family)
    for pattern in _IN_REGION:
        if found := pattern.fullmatch(name):
            return _Named(ours, found["sku"], found["region"])
    sku = name.removeprefix(f"{family}/")
    return _Named(ours, name if sku in names and sku != name else sku)


def _stated(
    name: str,
    model: Mapping[str, Any],
    also: Sequence[str],
    region: str,
    not_taken: MutableMapping[str, tuple[str, ...]],
) -> _Stated:
    """Raises CatalogError with the model's name."""
    try:
        factors, rest = _factors(model)
        rates, hours, left_out = prices(rest)
    except (ValueError, msgspec.ValidationError) as error:
        raise CatalogError(f"{name}: {error}") from None
    if left_out:
        not_taken[name] = tuple(sorted(left_out))
    if region:
        rates = [{**each, "when": {**each["when"], "regions": [region]}} for each in rates]
        if factors:  # what they multiply is the price of a region already
            not_taken[name] = tuple(sorted({*not_taken.get(name, ()), *(each["field"] for each in factors)}))
    about = {"source": str(model.get("source", "")), "note": _note(not_taken.get(name, ()), also, model)}
    kept = [] if region else [{key: each[key] for key in each.keys() - {"field"}} for each in factors]
    return _Stated(rates, kept, hours, about)


def _factors(model: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The factors on all of its prices, and the model without them. Raises ValueError."""
    found, rest = [], {}
    for field, value in model.items():
        inside = {name: each for name, each in leaves(field, value) if name in _FACTORS}
        for name, factor in inside.items():
            found.append(
                {**_FACTORS[name], "unless_stated": True, "factor": plain(amount(factor)), "field": name}
            )
        if isinstance(value, dict):
            value = {key: each for key, each in value.items() if f"{field}.{key}" not in inside}
        if field not in inside:
            rest[field] = value
    return found, rest


def _note(left_out: Sequence[str], also: Sequence[str], model: Mapping[str, Any]) -> str:
    """What is not taken over, and what the file says to people."""
    said = [f"not taken over: {', '.join(left_out)}"] if left_out else []
    said += [f"also called {', '.join(also)}, since a day that is not stated: not taken over"] if also else []
    return "; ".join([*said, *words(model)])
