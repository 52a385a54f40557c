"""LiteLLM's model_prices_and_context_window.json as tables of a price file: a second opinion, and a source of
proposals. Its amounts are taken as the digits that are written, never through a float.

Every field of a model is a price that is taken over, or known to say nothing of money, or else named as not
taken over: in the model's note, and to whoever reads the file (a price per pixel, one by the length of a
video, and whatever LiteLLM adds tomorrow). LiteLLM writes 0 both for free and for unknown: a model of nothing
but zeros has no prices here.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, MutableMapping
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
_ZEROS = "prices of 0, which mean free or unknown"
_ELSEWHERE = frozenset({"litellm_provider", "mode", "source"})
"""Read where they are needed."""
_NO_PRICE_STARTS = ("supports_", "max_", "bedrock_", "gemini_", "uses_", "use_")
_NO_PRICE = frozenset(
    "audio_transcription_config deprecation_date output_vector_size prompt_cache_min_tokens rpm tpm "
    "supported_endpoints supported_modalities supported_output_modalities supported_regions".split()
)
"""What a model can do and how it is called. A field that is not here is named: it may be a price."""
_MONEY = re.compile("cost|pric|multiplier|uplift|discount")

Cells = dict[tuple[str, str, int], Decimal]
"""Price of one unit by unit, way of serving ("_flex") and the context length above which it applies."""


def models(text: str) -> dict[str, dict[str, Any]]:
    """The file by model. Raises msgspec.DecodeError, or CatalogError for a number out of range."""
    return msgspec.json.Decoder(dict[str, dict[str, Any]], float_hook=_decimal).decode(text)


def tables(
    said: Mapping[str, Mapping[str, Any]], not_taken: MutableMapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """A model table a model, then its residency uplifts; `not_taken` is told, by model, the fields that are
    not taken over. Raises CatalogError with the model's name."""
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
    """The prices, and the names of the fields that are none and may be."""
    cells: Cells = {}
    left_out: set[str] = set()
    for key, value in model.items():
        if key in _ELSEWHERE or _UPLIFT.fullmatch(key) or _says_no_price(key):
            continue
        if key == "search_context_cost_per_query":
            left_out |= _searches(msgspec.convert(value, dict[str, Any]), cells)
        elif key == "tiered_pricing":
            left_out |= _tiers(msgspec.convert(value, list[dict[str, Any]]), cells)
        elif (cell := _cell(key, str(model.get("mode")))) is None:
            left_out |= set(_leaves(key, value))
        elif value is not None:
            cells[cell] = _amount(value)
    return cells, left_out


def _says_no_price(key: str) -> bool:
    return key in _NO_PRICE or (key.startswith(_NO_PRICE_STARTS) and not _MONEY.search(key))


def _cell(key: str, mode: str) -> tuple[str, str, int] | None:
    """Which price a field is; None = none that the catalog has a unit for."""
    parts = _KEY.fullmatch(key)
    assert parts is not None, "the expression takes any text"
    unit = _UNITS.get(parts["base"]) or _BY_MODE.get((parts["base"], mode))
    return None if unit is None else (unit, parts["served"] or "", int(parts["over"] or 0) * 1000)


def _leaves(name: str, value: Any) -> Iterator[str]:
    """A field's name with those inside it; nothing where it says nothing."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    elif value is not None:
        yield name


def _searches(costs: Mapping[str, Any], cells: Cells) -> set[str]:
    """By the size of the context: one unit where all sizes cost the same."""
    sizes = {unit: _amount(costs[size]) for size, unit in _SEARCHES.items() if size in costs}
    same = len(set(sizes.values())) == 1
    cells |= {("searches" if same else unit, "", 0): amount for unit, amount in sizes.items()}
    return {f"search_context_cost_per_query.{size}" for size in costs.keys() - _SEARCHES.keys()}


def _tiers(tiers: list[dict[str, Any]], cells: Cells) -> set[str]:
    """Dashscope's: more than the start and up to the end, told by each tier's `range`."""
    left_out = set()
    for tier in tiers:
        over, *_ = msgspec.convert(tier.get("range"), list[int | Decimal] | None) or [0]
        for key, value in tier.items():
            if key in _UNITS:
                cells[_UNITS[key], "", int(over)] = _amount(value)
            elif key != "range":
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
