"""OpenRouter's list of models (https://openrouter.ai/api/v1/models) as tables of a price file. Its amounts
are US dollars for one, as text.

Every price is taken over, known to say nothing, or named as not taken over: one that varies (-1), one for
which there is no unit, one beside a discount (the list does not say whether it is in the price already), one
that is another one under conditions that nobody reads. What costs 0 is free where the model's name says so
(`:free`); else 0 means free or unknown. Its `canonical_slug` is another name of a model where it is of one.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from spendmeter.contracts.money import plain
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog.files import ZEROS, PriceTable
from spendmeter.pricing.catalog.openrouter_overrides import (
    CALENDAR,
    OVERRIDES_MAX,
    Override,
    conditions,
    override,
)
from spendmeter.pricing.conditions import CatalogError

PROVIDER = "openrouter"
_RULES = tomllib.loads(Path(__file__).with_name("openrouter.toml").read_text("utf-8"))
_NO_PRICE = frozenset(_RULES["no_price"])
_ZERO_IS_A_PRICE = frozenset(_RULES["zero_is_a_price"])
_UNITS = {unit.openrouter: name for name, unit in UNITS.items() if unit.openrouter}
_AMOUNT = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,30})?(e-[0-9]{1,2})?")
_VARIES = Decimal(-1)


class RoutedModel(Struct, frozen=True, kw_only=True):
    """One of the list; what else it says is `fields`."""

    id: str
    fields: dict[str, Any]
    pricing: dict[str, Any]


class _Stated(NamedTuple):
    """What a model's prices are: at any time, and otherwise; and what is not taken over."""

    base: dict[str, Decimal]
    other: list[tuple[Override, dict[str, Decimal]]]
    not_taken: set[str]


def is_list_of_models(raw: Mapping[str, Any]) -> bool:
    """Whether JSON of this shape is OpenRouter's."""
    listed = raw.get("data")
    return isinstance(listed, list) and all(isinstance(each, dict) and "pricing" in each for each in listed)


def models(raw: Mapping[str, Any]) -> list[RoutedModel]:
    """The list. Raises msgspec.ValidationError."""
    listed = msgspec.convert(raw["data"], list[dict[str, Any]])
    return [msgspec.convert({**each, "fields": each}, RoutedModel) for each in listed]


def tables(
    listed: Sequence[RoutedModel], not_taken: MutableMapping[str, tuple[str, ...]]
) -> Iterator[PriceTable]:
    """A model table a model, the calendar before the first that reads it; `not_taken` gets, by model, the
    fields that are not taken over. Raises CatalogError with the model's name."""
    names = Counter(name for each in listed for name in {each.id, _slug(each)})
    read_hours = False
    for model in listed:
        try:
            stated = _stated(model)
            rates = list(_rates(stated))
        except (ValueError, msgspec.ValidationError) as error:
            raise CatalogError(f"{model.id}: {error}") from None
        left_out = tuple(sorted(stated.not_taken))
        if left_out:
            not_taken[model.id] = left_out
        if not read_hours and any("calendar" in each["when"] for each in rates):
            read_hours = True
            yield CALENDAR, "calendar", {"name": CALENDAR, "time_zone": "UTC"}
        aliases = [_slug(model)] if _slug(model) not in ("", model.id) and names[_slug(model)] == 1 else []
        note = f"not taken over: {', '.join(left_out)}" if left_out else ""
        yield model.id, "model", {
            "provider": PROVIDER, "sku": model.id, "aliases": aliases, "rates": rates, "note": note,
            "source": f"https://openrouter.ai/{model.id}",
        }  # fmt: skip


def _slug(model: RoutedModel) -> str:
    return str(model.fields.get("canonical_slug") or "")


def _stated(model: RoutedModel) -> _Stated:
    """Raises ValueError or msgspec.ValidationError for what is no price list of OpenRouter's."""
    left_out = {name for name in model.fields.keys() - _NO_PRICE if model.fields[name] is not None}
    pricing = {name: value for name, value in model.pricing.items() if value is not None}
    overrides = msgspec.convert(pricing.pop("overrides", []), list[dict[str, Any]])
    discount = msgspec.convert(pricing.pop("discount", 0), int | Decimal)
    if len(overrides) > OVERRIDES_MAX:
        raise ValueError(f"has more than {OVERRIDES_MAX} overrides")
    base = _taken(pricing, "pricing", left_out)
    other = []
    unread: set[str] = set()
    for stated in overrides:
        amounts = _taken({n: v for n, v in stated.items() if n in _UNITS}, "pricing.overrides", left_out)
        try:
            other.append((override({n: v for n, v in stated.items() if n not in _UNITS}), amounts))
        except (ValueError, msgspec.ValidationError):
            left_out |= {f"pricing.overrides.{name}" for name in stated}
            unread |= {name for name in stated if name in _UNITS} or base.keys()
    if discount:
        left_out |= {"pricing.discount", *(f"pricing.{name}" for name in base)}
        return _Stated({}, [], left_out)
    left_out |= {f"pricing.{name}" for name in unread & base.keys()}
    base = {name: amount for name, amount in base.items() if name not in unread}
    return _Stated(*_without_zeros(model.id, base, other, left_out), left_out)


def _taken(pricing: Mapping[str, Any], of: str, left_out: set[str]) -> dict[str, Decimal]:
    """The prices that have a unit and do not vary; what else costs anything is named."""
    taken = {}
    for name, value in pricing.items():
        amount = _amount(value)
        if amount == _VARIES:
            left_out.add(f"{of}.{name}, which varies")
        elif amount < 0:
            raise ValueError(f"{of}.{name}: {value} is less than 0")
        elif name in _UNITS and (amount or name in _ZERO_IS_A_PRICE):
            taken[name] = amount
        elif amount:
            left_out.add(f"{of}.{name}")
    return taken


def _amount(value: Any) -> Decimal:
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    raise ValueError(f"{value!s:.40} is not an amount")


def _without_zeros(
    name: str,
    base: dict[str, Decimal],
    other: list[tuple[Override, dict[str, Decimal]]],
    left_out: set[str],
) -> tuple[dict[str, Decimal], list[tuple[Override, dict[str, Decimal]]]]:
    """A 0 is a price where the name says that the model is free, and nothing of it costs anything."""
    priced = [base, *(prices for _, prices in other)]
    zero = {key for prices in priced for key in prices if not prices[key]}
    is_free = name.endswith(":free") and not any(any(prices.values()) for prices in priced)
    if is_free or not zero:
        return base, other
    left_out.add(ZEROS)
    kept = {key: amount for key, amount in base.items() if key not in zero}
    return kept, [(when, {k: v for k, v in prices.items() if k in kept}) for when, prices in other]


def _rates(stated: _Stated) -> Iterator[dict[str, Any]]:
    """The prices by what they have in common."""
    groups: dict[str, tuple[dict[str, Any], dict[str, str]]] = {}
    for name, amount in stated.base.items():
        entries = [(when, prices[name]) for when, prices in stated.other if name in prices]
        cells = [
            ({}, amount),
            *((when, entries[place][1]) for place, when in conditions([e for e, _ in entries])),
        ]
        for when, cost in cells:
            once = {"per_event": True} if name == "request" else {}  # a fee a call is charged once an event
            common = {"when": when, "per": 1_000_000, **once}
            _, prices = groups.setdefault(repr(common), (common, {}))
            prices[_UNITS[name]] = plain(cost.scaleb(6))
    for common, prices in groups.values():
        yield common | {"prices": prices}
