"""LiteLLM's model_prices_and_context_window.json as tables of a price file: a second opinion, and a source of
proposals. Its amounts are taken as the digits that are written, never through a float.

Every field of a model is a price that is taken over, or known to say nothing of money, or else named as not
taken over: in the model's note, and to whoever reads the file (a price per pixel, one by the length of a
video, and whatever LiteLLM adds tomorrow). LiteLLM writes 0 both for free and for unknown: a model of nothing
but zeros has no prices here.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import msgspec

from spendmeter.contracts.money import plain
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.catalog.files import PriceTable
from spendmeter.pricing.conditions import CatalogError

_RULES = tomllib.loads(Path(__file__).with_name("litellm.toml").read_text("utf-8"))
_PROVIDERS: Mapping[str, str] = _RULES["providers"]
_SERVING: Mapping[str, Mapping[str, Any]] = {"": {}} | _RULES["serving"]
_SAYS_NO_PRICE = frozenset(_RULES["no_price"] + _RULES["read"])
_NO_PRICE_STARTS = tuple(_RULES["no_price_starts"])
_UNITS = {(key, mode): name for name, unit in UNITS.items() for key, mode in unit.litellm.items()}
"""By the source's name of a price and the mode of the models of which it is one ("" = any)."""
_SEARCHES = "search_context_cost_per_query"
_KEY = re.compile(rf"(?P<base>.+?)(_above_(?P<over>\d+)k_tokens)?(?P<served>{'|'.join(_SERVING)})")
_UPLIFT = re.compile(r"regional_processing_uplift_multiplier_(?P<region>[a-z]+)")
_MONEY = re.compile("cost|pric|multiplier|uplift|discount")
_EXPONENT_MAX = 30
_ZEROS = "prices of 0, which mean free or unknown"

UnitPrices = dict[tuple[str, str, int], Decimal]
"""Price of one unit by unit, way of serving ("_flex") and the context length above which it applies."""


def models(text: str) -> dict[str, dict[str, Any]]:
    """The file by model. Raises msgspec.DecodeError, or CatalogError for a number out of range."""
    return msgspec.json.Decoder(dict[str, dict[str, Any]], float_hook=_decimal).decode(text)


def tables(
    by_name: Mapping[str, Mapping[str, Any]], not_taken: MutableMapping[str, tuple[str, ...]]
) -> Iterator[PriceTable]:
    """A model table a model, then its residency uplifts; `not_taken` gets, by model, the fields that are not
    taken over. Raises CatalogError with the model's name."""
    seen: dict[tuple[str, str], Any] = {}
    for name, model in by_name.items():
        if name in _RULES["no_models"]:
            continue
        if not isinstance(model.get("litellm_provider"), str):
            raise CatalogError(f"{name}: no litellm_provider; this is not LiteLLM's price file")
        provider, sku = _named(name, model["litellm_provider"], by_name)
        try:
            cells, left_out = _cells(model)
        except (ValueError, msgspec.ValidationError) as error:
            raise CatalogError(f"{name}: {error}") from None
        rates = _rates(cells) if any(cells.values()) else []
        if cells and not rates:
            left_out.add(_ZEROS)
        if left_out:
            not_taken[name] = tuple(sorted(left_out))
        if (before := seen.setdefault((provider, sku.lower()), rates)) is not rates:
            if before != rates:
                raise CatalogError(f"{name}: another spelling of it has other prices")
            continue
        table = {"provider": provider, "sku": sku, "rates": rates, "source": str(model.get("source", ""))}
        table["note"] = f"not taken over: {', '.join(not_taken[name])}" if left_out else ""
        yield name, "model", table
        for key, factor in model.items():
            if uplift := _UPLIFT.fullmatch(key):
                of = {"name": "residency", "provider": provider, "skus": [sku]}
                when = {"regions": [uplift["region"]]}
                yield name, "adjustment", of | {"when": when, "factor": plain(_amount(factor))}


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent that no Decimal can hold
        value = Decimal("NaN")
    if not value.is_finite() or abs(value.adjusted()) > _EXPONENT_MAX:
        raise CatalogError(f"{text:.40} is out of range")
    return value


def _named(name: str, provider: str, names: Mapping[str, Any]) -> tuple[str, str]:
    """Provider and sku. A name repeats its provider in front unless LiteLLM thinks of it as the default."""
    family = next((family for family in _PROVIDERS if provider.startswith(family)), provider)
    sku = name.removeprefix(f"{family}/")
    return _PROVIDERS.get(family, family), name if sku in names and sku != name else sku


def _cells(model: Mapping[str, Any]) -> tuple[UnitPrices, set[str]]:
    """The prices, and the names of the fields that are none and may be."""
    cells: UnitPrices = {}
    left_out: set[str] = set()
    for key, value in model.items():
        if _UPLIFT.fullmatch(key) or _says_no_price(key):
            continue
        if key == _SEARCHES:
            left_out |= _searches(msgspec.convert(value, dict[str, Any]), cells)
        elif key == "tiered_pricing":
            left_out |= _tiers(msgspec.convert(value, list[dict[str, Any]]), cells)
        elif (cell := _cell(key, str(model.get("mode")))) is None:
            left_out |= set(_leaves(key, value))
        elif value is not None:
            cells[cell] = _amount(value)
    return cells, left_out


def _says_no_price(key: str) -> bool:
    return key in _SAYS_NO_PRICE or (key.startswith(_NO_PRICE_STARTS) and not _MONEY.search(key))


def _cell(key: str, mode: str) -> tuple[str, str, int] | None:
    """Which price a field is; None = none that the catalog has a unit for."""
    parts = _KEY.fullmatch(key)
    assert parts is not None, "the expression takes any text"
    unit = _UNITS.get((parts["base"], "")) or _UNITS.get((parts["base"], mode))
    return None if unit is None else (unit, parts["served"], int(parts["over"] or 0) * 1000)


def _leaves(name: str, value: Any) -> Iterator[str]:
    """A field's name with those inside it; nothing where it says nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    elif value is not None:
        yield name


def _searches(costs: Mapping[str, Any], cells: UnitPrices) -> set[str]:
    """By the size of the context: one unit where all sizes cost the same."""
    by_key = {f"{_SEARCHES}.{size}": amount for size, amount in costs.items()}
    sizes = {unit: _amount(by_key[key]) for (key, _), unit in _UNITS.items() if key in by_key}
    same = len(set(sizes.values())) == 1
    cells |= {("searches" if same else unit, "", 0): amount for unit, amount in sizes.items()}
    return {key for key in by_key if (key, "") not in _UNITS}


def _tiers(tiers: list[dict[str, Any]], cells: UnitPrices) -> set[str]:
    """Dashscope's: more than the start and up to the end, as each tier says's `range`."""
    left_out = set()
    for tier in tiers:
        over, *_ = msgspec.convert(tier.get("range"), list[int | Decimal] | None) or [0]
        for key, value in tier.items():
            if (key, "") in _UNITS:
                cells[_UNITS[key, ""], "", int(over)] = _amount(value)
            elif key != "range":
                left_out.add(f"tiered_pricing.{key}")
    return left_out


def _amount(value: Any) -> Decimal:
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!s:.40} is not an amount of at least 0")
    return Decimal(value)


def _rates(cells: UnitPrices) -> list[dict[str, Any]]:
    groups: dict[tuple[str, int, int], dict[str, str]] = defaultdict(dict)
    for (unit, served, over), amount in cells.items():
        ends = [other for u, s, other in cells if (u, s) == (unit, served) and other > over]
        groups[served, over, min(ends, default=0)][unit] = plain(amount.scaleb(6))
    rates = []
    for (served, over, end), prices in groups.items():
        when = dict(_SERVING[served])
        when |= ({"context_min": over} if over else {}) | ({"context_max": end} if end else {})
        rates.append({"when": when, "per": 1_000_000, "prices": prices})
    return rates
