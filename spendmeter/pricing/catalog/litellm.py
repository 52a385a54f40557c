"""LiteLLM's model_prices_and_context_window.json as tables of a price file: a second opinion, and a source of
proposals. Its amounts are taken as the digits that are written, never through a float.

What the catalog has no way to say (a price per pixel, one by the length of a video) is left out, and the
model's note names it. LiteLLM writes 0 both for free and for unknown: a model of nothing but zeros has no
prices here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from spendmeter.contracts.money import plain
from spendmeter.pricing.conditions import CatalogError

_NO_MODELS = frozenset({"sample_spec", "fallback_generalizations"})
_PROVIDERS = {"fireworks_ai": "fireworks", "vertex_ai": "vertex_ai"}
"""Names that our providers' matches would not find, and families of names."""
_UNITS = {
    "input_cost_per_token": "input_tokens",
    "cache_read_input_token_cost": "cache_read_tokens",
    "cache_creation_input_token_cost": "cache_write_5m_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
    "input_cost_per_audio_token": "input_audio_tokens",
    "cache_read_input_audio_token_cost": "cache_read_audio_tokens",
    "input_cost_per_image_token": "input_image_tokens",
    "output_cost_per_token": "output_tokens",
    "output_cost_per_reasoning_token": "reasoning_tokens",
    "output_cost_per_audio_token": "output_audio_tokens",
    "output_cost_per_image_token": "output_image_tokens",
    "output_cost_per_video_token": "output_video_tokens",
    "citation_cost_per_token": "citation_tokens",
    "input_cost_per_character": "characters",
    "output_cost_per_image": "images",
    "ocr_cost_per_page": "pages",
    "annotation_cost_per_page": "annotated_pages",
    "code_interpreter_cost_per_session": "sessions",
}
_BY_MODE = {
    ("input_cost_per_second", "audio_transcription"): "audio_seconds",
    ("output_cost_per_second", "video_generation"): "video_seconds",
    ("output_cost_per_video_per_second", "video_generation"): "video_seconds",
    ("input_cost_per_query", "rerank"): "reranks",
    ("input_cost_per_query", "search"): "searches",
}
_SEARCHES = {f"search_context_size_{size}": f"{size}_context_searches" for size in ("low", "medium", "high")}
_SERVED: Mapping[str, Mapping[str, Any]] = {
    "": {}, "_batches": {"batch": True}, "_flex": {"tiers": ["flex"]}, "_priority": {"tiers": ["priority"]},
}  # fmt: skip
_KEY = re.compile(r"(?P<base>.+?)(_above_(?P<over>\d+)k_tokens)?(?P<served>_batches|_flex|_priority)?")
_UPLIFT = re.compile(r"regional_processing_uplift_multiplier_(?P<region>[a-z]+)")
_EXPONENT_MAX = 30

Cells = dict[tuple[str, str, int], Decimal]
"""Price of one unit by unit, way of serving ("_flex") and the context length above which it applies."""


def models(text: str) -> dict[str, dict[str, Any]]:
    """The file by model. Raises msgspec.DecodeError, or CatalogError for a number out of range."""
    return msgspec.json.Decoder(dict[str, dict[str, Any]], float_hook=_decimal).decode(text)


def tables(said: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A model table a model, then its residency uplifts. Raises CatalogError with the model's name."""
    seen: dict[tuple[str, str], Any] = {}
    for name, model in said.items():
        if name in _NO_MODELS:
            continue
        if not isinstance(model.get("litellm_provider"), str):
            raise CatalogError(f"{name}: no litellm_provider; this is not LiteLLM's price file")
        provider, sku = _named(name, model["litellm_provider"], said)
        try:
            cells, left_out = _cells(model)
        except (ValueError, msgspec.ValidationError) as error:
            raise CatalogError(f"{name}: {error}") from None
        rates = _rates(cells) if any(cells.values()) else []
        if (before := seen.setdefault((provider, sku.lower()), rates)) is not rates:
            if before != rates:
                raise CatalogError(f"{name}: another spelling of it has other prices")
            continue
        table = {"provider": provider, "sku": sku, "rates": rates, "source": str(model.get("source", ""))}
        table["note"] = f"not taken over: {', '.join(sorted(left_out))}" if left_out else ""
        yield name, "model", table
        for key, factor in model.items():
            if uplift := _UPLIFT.fullmatch(key):
                region = uplift["region"]
                yield name, "adjustment", {
                    "name": "residency", "provider": provider, "skus": [sku], "when": {"regions": [region]},
                    "factor": plain(_amount(factor)),
                }  # fmt: skip


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


def _cells(model: Mapping[str, Any]) -> tuple[Cells, set[str]]:
    cells: Cells = {}
    left_out: set[str] = set()
    for key, value in model.items():
        if key == "search_context_cost_per_query":
            costs = msgspec.convert(value, dict[str, Any])
            sizes = {unit: _amount(costs[size]) for size, unit in _SEARCHES.items() if size in costs}
            same = len(set(sizes.values())) == 1
            cells |= {("searches" if same else unit, "", 0): amount for unit, amount in sizes.items()}
        elif key == "tiered_pricing":
            left_out |= _tiers(msgspec.convert(value, list[dict[str, Any]]), cells)
        elif isinstance(value, int | Decimal) and not isinstance(value, bool):
            parts = _KEY.fullmatch(key)
            assert parts is not None, "the expression takes any text"
            unit = _UNITS.get(parts["base"]) or _BY_MODE.get((parts["base"], str(model.get("mode"))))
            if unit is not None:
                cells[unit, parts["served"] or "", int(parts["over"] or 0) * 1000] = _amount(value)
            elif "cost" in key:
                left_out.add(key)
    return cells, left_out


def _tiers(tiers: list[dict[str, Any]], cells: Cells) -> set[str]:
    """Dashscope's: more than the start and up to the end, told by each tier's `range`."""
    left_out = set()
    for tier in tiers:
        over, *_ = msgspec.convert(tier.get("range"), list[int | Decimal] | None) or [0]
        for key, value in tier.items():
            if key in _UNITS:
                cells[_UNITS[key], "", int(over)] = _amount(value)
            elif "cost" in key:
                left_out.add(f"tiered_pricing.{key}")
    return left_out


def _amount(value: Any) -> Decimal:
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!s:.40} is not an amount of at least 0")
    return Decimal(value)


def _rates(cells: Cells) -> list[dict[str, Any]]:
    groups: dict[tuple[str, int, int], dict[str, str]] = defaultdict(dict)
    for (unit, served, over), amount in cells.items():
        ends = [other for u, s, other in cells if (u, s) == (unit, served) and other > over]
        groups[served, over, min(ends, default=0)][unit] = plain(amount.scaleb(6))
    rates = []
    for (served, over, end), prices in groups.items():
        when = dict(_SERVED[served])
        when |= ({"context_min": over} if over else {}) | ({"context_max": end} if end else {})
        rates.append({"when": when, "per": 1_000_000, "prices": prices})
    return rates
