"""Two other pricers' word: genai-prices, whose data the catalog has, and litellm, whose data is its own.

Where they disagree with us, the disagreement is listed and explained. The whole grid is `make parity`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage, data
from genai_prices.types import (
    ClauseAnd,
    ClauseContains,
    ClauseEndsWith,
    ClauseEquals,
    ClauseOr,
    ClauseStartsWith,
    MatchLogic,
    ModelInfo,
    Provider,
)

from spendmeter.contracts.catalog import Model
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.names import find_model, model_names
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
USAGES = [
    {"input_tokens": 1_000, "output_tokens": 777},
    {"input_tokens": 1_000, "cache_read_tokens": 300_000, "output_tokens": 777},
    {"input_tokens": 3, "cache_write_5m_tokens": 12_304, "cache_write_1h_tokens": 5, "output_tokens": 550},
]
CONTEXTS = [
    ({}, {}),
    ({"processing": "batch"}, {"batch": True}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
]


def _inclusive(usage: dict[str, int]) -> Usage:
    """The same usage as genai-prices counts it: input includes what was cached."""
    written = usage.get("cache_write_5m_tokens", 0) + usage.get("cache_write_1h_tokens", 0)
    return Usage(
        input_tokens=usage["input_tokens"] + usage.get("cache_read_tokens", 0) + written,
        cache_read_tokens=usage.get("cache_read_tokens", 0),
        cache_write_tokens=written,
        cache_write_1h_tokens=usage.get("cache_write_1h_tokens", 0),
        output_tokens=usage["output_tokens"],
    )


def test_every_model_costs_what_genai_prices_says_to_the_last_digit(book: PriceBook) -> None:
    compared = 0
    unequal = []
    for provider, model in _models():
        if (provider.id, model.id.lower()) not in book.prices:
            assert not _says_free(model), model.id
            continue  # no price: we bound what genai-prices calls free
        for usage in USAGES:
            for said, context in CONTEXTS:
                if said and not model.price_variants:
                    continue
                theirs = _theirs(provider, model, usage, said)
                ours = rate(used(provider.id, model.id, usage, at=AT, **context), book)
                compared += 1
                if ours.list != theirs:
                    unequal.append((provider.id, model.id, usage, said, ours.list, theirs))
    assert unequal == []
    assert compared > 7_000


def _models() -> Iterator[tuple[Provider, ModelInfo]]:
    return ((provider, model) for provider in data.providers for model in provider.models)


def _theirs(provider: Provider, model: ModelInfo, usage: dict[str, int], said: dict[str, str]) -> Decimal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.calc_price(
            _inclusive(usage), provider, genai_request_timestamp=AT, price_context=said
        ).total_price


def _says_free(model: ModelInfo) -> bool:
    return model.id.endswith(":free")


def test_every_name_means_the_model_that_genai_prices_says() -> None:
    models: dict[str, list[Model]] = {}
    for entry in load_snapshot():
        if isinstance(entry, Model):
            models.setdefault(entry.provider, []).append(entry)
    unequal = []
    for provider in data.providers:
        names = model_names(models[provider.id])
        for model in provider.models:
            for name in {model.id, *_names(model.match)}:
                theirs = provider.find_model(name)
                ours = find_model(names, name)
                # A model's own id means that model, which genai-prices does not always know.
                if ours != (theirs.id.lower() if theirs else None) and not (
                    theirs is None and name == model.id
                ):
                    unequal.append((provider.id, name, ours, theirs and theirs.id))
    assert unequal == []


def _names(clause: MatchLogic) -> Iterator[str]:
    match clause:
        case ClauseOr():
            for part in clause.or_:
                yield from _names(part)
        case ClauseAnd():
            for part in clause.and_:
                yield from _names(part)
        case ClauseEquals():
            yield clause.equals
        case ClauseStartsWith():
            yield from (clause.starts_with, f"{clause.starts_with}-20260101", f"{clause.starts_with}x")
        case ClauseContains():
            yield from (clause.contains, f"abc/{clause.contains}-v1:0")
        case ClauseEndsWith():
            yield from (clause.ends_with, f"arn:aws/{clause.ends_with}")


LITELLM_PREFIXES = {
    "openai": "", "anthropic": "", "google": "gemini/", "mistral": "mistral/", "deepseek": "deepseek/",
    "x-ai": "xai/", "groq": "groq/",
}  # fmt: skip
NO_HOURS, NO_DATES, NO_CACHED = "no hours in litellm", "an older price in litellm", "no cached price here"
OTHER_PRICE = "the two catalogs state different prices"
LITELLM_DISAGREES = {
    "deepseek/deepseek-chat": NO_HOURS,
    "deepseek/deepseek-reasoner": NO_HOURS,
    "deepseek/deepseek-v4-flash": NO_HOURS,
    "deepseek/deepseek-v4-pro": NO_HOURS,
    "deepseek/deepseek-v3.2": OTHER_PRICE,
    "gemini/gemini-1.5-flash": OTHER_PRICE,
    "gemini/gemini-2.0-flash-lite": NO_CACHED,
    "gemini/gemini-2.5-flash-image": NO_CACHED,
    "gemini/gemini-3.1-flash-image-preview": NO_CACHED,
    "gemini/gemini-3.6-flash": NO_DATES,
    "gemini/gemini-robotics-er-2-preview": NO_DATES,
    "gpt-4o-mini-tts": OTHER_PRICE,
    "gpt-4o-search-preview": NO_CACHED,
    "gpt-5.4-pro": NO_CACHED,
    "gpt-5.5-pro": NO_CACHED,
    "gpt-5.6-sol": NO_DATES,
    "chatgpt-image-latest": OTHER_PRICE,
    "gpt-image-2": OTHER_PRICE,
    "gpt-realtime-2": OTHER_PRICE,
    "groq/gemma-7b-it": OTHER_PRICE,
    "groq/openai/gpt-oss-safeguard-20b": OTHER_PRICE,
    "mistral/mistral-embed": OTHER_PRICE,
    "mistral/mistral-small-latest": OTHER_PRICE,
    "xai/grok-4.5": OTHER_PRICE,
}


@pytest.fixture(scope="module")
def litellm_costs() -> Iterator[dict[str, dict[str, float]]]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    return litellm.model_cost


def test_where_litellm_knows_a_model_of_the_big_vendors_it_says_the_same(
    book: PriceBook, litellm_costs
) -> None:
    from litellm import cost_per_token

    compared = 0
    unequal = {}
    for provider, model in _models():
        name = f"{LITELLM_PREFIXES.get(provider.id)}{model.id}"
        if provider.id not in LITELLM_PREFIXES or name not in litellm_costs:
            continue
        # A cached token without a price costs nothing in litellm; we charge it as input and say so.
        cached = 8_000 if "cache_read_input_token_cost" in litellm_costs[name] else 0
        usage = {"input_tokens": 2_000, "cache_read_tokens": cached, "output_tokens": 1_000}
        ours = rate(used(provider.id, model.id, usage, at=AT), book)
        if ours.status != "priced":
            continue
        prompt, completion = cost_per_token(
            model=name, prompt_tokens=2_000 + cached, completion_tokens=1_000, cache_read_input_tokens=cached
        )
        compared += 1
        theirs = Decimal(repr(prompt)) + Decimal(repr(completion))
        if abs(ours.list - theirs) > Decimal("1e-12"):
            unequal[name] = (str(ours.list), str(theirs))
    assert unequal.keys() == LITELLM_DISAGREES.keys(), unequal
    assert compared > 100
