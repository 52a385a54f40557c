"""What a meter may say, and whose model a name is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from spendmeter.contracts.meters import (
    BUILT_IN_METERS,
    METERS_MAX,
    UsageMeter,
    maker_of,
    troubles_with_meter,
    troubles_with_meters,
)

WELL = {
    "event_type": "prompt",
    "provider": "openai",
    "sku": "$.model",
    "value": "$.tokens",
    "unit": "input_tokens",
}


def meter(**more: Any) -> UsageMeter:
    return msgspec.convert(WELL | more, UsageMeter)


def fields(*meters: UsageMeter) -> list[str]:
    return [field for field, _ in troubles_with_meters(meters)]


def test_those_that_everybody_has_are_well_and_say_where_they_were_seen() -> None:
    assert set(BUILT_IN_METERS) == {"litellm_tokens", "kong.llm_request", "kong.api_request", "prompt"}
    for built_in in BUILT_IN_METERS.values():
        assert not list(troubles_with_meter(built_in)), built_in.event_type
        assert built_in.source


@pytest.mark.parametrize(
    "well",
    [
        {}, {"unit": "", "unit_by": "$.kind", "units": {"in": "input_tokens"}}, {"provider": "@maker"},
        {"value": "", "unit": "", "usage": {"input_tokens": "$.a.b", "images": "$.n"}},
        {"value": "", "unit": "", "dialect": "anthropic", "usage_at": "$.usage"},
        {"value": "", "counted": True, "unit": "images"}, {"labels": {"team": "$.team", "cost_centre": "@subject"}},
        {"cost": ["$.cost"], "currency": "EUR", "cost_class": "tool"}, {"skipped_when": {"$.hit": ["true"]}},
    ],
)  # fmt: skip
def test_a_meter_may_say_the_quantity_in_each_of_four_ways(well: dict[str, Any]) -> None:
    assert not list(troubles_with_meter(meter(**well)))


def test_what_is_ignored_says_why_and_nothing_else() -> None:
    assert not list(troubles_with_meter(UsageMeter(event_type="ping", ignored="a heartbeat")))
    assert fields(meter(ignored="a heartbeat")) == ["meters.0.ignored"]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ({"event_type": ""}, "event_type"), ({"event_type": "spendmeter.usage.v1"}, "event_type"),
        ({"event_type": "a\u202eb"}, "event_type"), ({"event_type": "x" * 129}, "event_type"),
        ({"provider": ""}, "provider"), ({"provider": "@owner"}, "provider"), ({"provider": "$model"}, "provider"),
        ({"provider_else": "@x"}, "provider_else"), ({"sku": "$..model"}, "sku"), ({"sku": "@maker"}, "sku"),
        ({"value": "tokens"}, "value"), ({"value": ""}, "value"), ({"counted": True}, "value"),
        ({"unit": ""}, "unit"), ({"unit_by": "$.a", "units": {"b": "images"}}, "unit"), ({"unit": "Input"}, "unit"),
        ({"unit": "prompt_tokens"}, "unit"), ({"unit": "", "unit_by": "a", "units": {"b": "images"}}, "unit_by"),
        ({"unit": "", "unit_by": "$.a", "units": {"b": "cost"}}, "units"),
        ({"value": "", "unit": "", "usage": {"images": "n"}}, "usage"),
        ({"value": "", "unit": "", "dialect": "esperanto"}, "dialect"),
        ({"value": "", "unit": "", "dialect": "openai", "usage_at": "x"}, "usage_at"),
        ({"labels": {"Cost Centre": "$.x"}}, "labels"), ({"labels": {"team": "$["}}, "labels.team"),
        ({"cost": ["cost"]}, "cost"), ({"skipped_when": {"hit": ["true"]}}, "skipped_when"),
        ({"currency": "usd"}, "currency"),
        ({"unit": "", "unit_by": "$.a", "units": {str(n): "images" for n in range(33)}}, "units"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_by_its_field(bad: dict[str, Any], field: str) -> None:
    assert fields(meter(**bad)) == [f"meters.0.{field}"]


def test_an_event_type_has_one_meter_and_a_tenant_so_many() -> None:
    assert fields(meter(), meter()) == ["meters.1.event_type"]
    many = [meter(event_type=str(number)) for number in range(METERS_MAX + 1)]
    assert fields(*many) == ["meters"]


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("gpt-4o-mini", "openai"), ("o3-mini", "openai"), ("claude-sonnet-4-5", "anthropic"), ("grok-4", "x-ai"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "aws"), ("text-embedding-3-small", "openai"),
        ("text-embedding-004", "google"), ("openai/gpt-4o", "openai"), ("mistral-large-latest", "mistral"),
        ("mistral.mistral-large-2402-v1:0", "aws"), ("command-r", "cohere"), ("llama3", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_models_name_says_whose_it_is_or_nothing(model: str, maker: str) -> None:
    assert maker_of(model) == maker
