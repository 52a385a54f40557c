"""Whatever comes as a provider's answer: no crash, nothing above what was sent, and nothing of its content."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local.home import CLONE
from services.ingest.dialects.providers.answer import NAMES
from services.ingest.dialects.providers.facts import PROVIDERS
from spendmeter.contracts.dialect_parts import DialectError
from spendmeter.contracts.dialects import disjoint
from tests.ingest.dialects.provider_calls import JSON, JSONL, SSE, jsonl, sse, translated
from tests.ingest.dialects.test_provider_clients import BY_CLIENTS
from tests.ingest.dialects.test_provider_money import generated, message
from tests.ingest.dialects.test_provider_rows import BATCHES
from tests.ingest.dialects.test_provider_streams import WHOLE

CANARY = "tell-nobody-7f3a91"
KEPT = frozenset(
    {"id", "model", "type", "object", "modelVersion", "responseId", "RequestId", "modality", "ttl", "status", "role", "createTime",
     "service_tier", "inference_geo", "trafficType", "finishReason", "finish_reason", "stop_reason", "item_id", "event_type",
     "generation_id", "search_context_size", "container_id", "speed", "size", "quality", "latency", "invokedModelId", "custom_id", "recordId", "key", "bytes",
     "processed_time"}
)  # fmt: skip
"""Fields that say what a call was: everything else is content."""
COUNTS = st.integers(0, 10_000)
SMALL = st.dictionaries(
    st.sampled_from(
        ["cached_tokens", "audio_tokens", "image_tokens", "text_tokens", "video_tokens", "cache_write_tokens", "reasoning_tokens"]
    ),
    COUNTS,
)  # fmt: skip
OF_OPENAI = st.fixed_dictionaries(
    {"prompt_tokens": COUNTS, "completion_tokens": COUNTS},
    optional={
        "prompt_tokens_details": SMALL, "completion_tokens_details": SMALL, "prompt_cache_hit_tokens": COUNTS,
        "prompt_cache_miss_tokens": COUNTS, "connector_tokens": COUNTS, "citation_tokens": COUNTS, "reasoning_tokens": COUNTS,
        "num_sources_used": COUNTS,
    },
)  # fmt: skip
OF_ANTHROPIC = st.fixed_dictionaries(
    {"input_tokens": COUNTS, "output_tokens": COUNTS},
    optional={
        "cache_creation_input_tokens": COUNTS, "cache_read_input_tokens": COUNTS,
        "cache_creation": st.dictionaries(st.sampled_from(["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]), COUNTS),
        "output_tokens_details": st.fixed_dictionaries({"thinking_tokens": COUNTS}),
    },
)  # fmt: skip
MODES = st.lists(
    st.fixed_dictionaries(
        {"modality": st.sampled_from(["TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"]), "tokenCount": COUNTS}
    ),
    max_size=4,
)
OF_GOOGLE = st.fixed_dictionaries(
    {"promptTokenCount": COUNTS, "candidatesTokenCount": COUNTS},
    optional={
        "cachedContentTokenCount": COUNTS, "thoughtsTokenCount": COUNTS, "toolUsePromptTokenCount": COUNTS,
        "promptTokensDetails": MODES, "cacheTokensDetails": MODES, "candidatesTokensDetails": MODES,
    },
)  # fmt: skip
OF_BEDROCK = st.fixed_dictionaries(
    {"inputTokens": COUNTS, "outputTokens": COUNTS},
    optional={"cacheReadInputTokens": COUNTS, "cacheWriteInputTokens": COUNTS},
)
USAGES = {"openai": OF_OPENAI, "anthropic": OF_ANTHROPIC, "google": OF_GOOGLE, "bedrock": OF_BEDROCK}
BESIDE = {
    "xai-chat": ("prompt_tokens", "completion_tokens", "reasoning_tokens"), "mistral": ("prompt_tokens", "completion_tokens", "connector_tokens"),
    "perplexity": ("prompt_tokens", "completion_tokens", "reasoning_tokens", "citation_tokens"),
    "anthropic": ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"),
    "bedrock": ("inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens"),
    "gemini": ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount"),
}  # fmt: skip
"""What lies beside each other in a vendor's words: all tokens there are."""


def sent_tokens(dialect: str, usage: dict[str, Any], normalised: str) -> int:
    total = sum(usage.get(name, 0) for name in BESIDE.get(dialect, ("prompt_tokens", "completion_tokens")))
    inside = usage.get("prompt_tokens_details", {})
    if dialect == "xai-chat":
        total += usage.get("completion_tokens_details", {}).get("reasoning_tokens", 0)
    if dialect == "anthropic":
        total += max(
            0, sum(usage.get("cache_creation", {}).values()) - usage.get("cache_creation_input_tokens", 0)
        )
    if normalised == "assumed":  # what was read from and written to caches lay beside after all
        total += inside.get("cached_tokens", 0) + inside.get("cache_write_tokens", 0)
        total += usage.get("prompt_cache_hit_tokens", 0) + usage.get("cachedContentTokenCount", 0)
    return total


@pytest.mark.parametrize(
    ("dialect", "shape"),
    [("openai", "openai"), ("xai-chat", "openai"), ("deepseek", "openai"), ("mistral", "openai"), ("openrouter", "openai"),
     ("perplexity", "openai"), ("anthropic", "anthropic"), ("gemini", "google"), ("bedrock", "bedrock")],
)  # fmt: skip
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_quantities_are_never_more_than_what_was_sent(dialect: str, shape: str, data: st.DataObject) -> None:
    usage = data.draw(USAGES[shape])
    try:
        quantities, normalised = disjoint(dialect, usage)
    except DialectError:
        return
    tokens = [quantity for unit, quantity in quantities.items() if unit.endswith("_tokens")]
    assert all(quantity >= 0 for quantity in quantities.values())
    assert sum(tokens) <= sent_tokens(dialect, usage, normalised)


OF_USAGE = sorted(
    {
        name
        for file in ("dialects_openai", "dialects_own")
        for name in re.findall(r'"(\w+)"', (CLONE / f"spendmeter/contracts/{file}.py").read_text("utf-8"))
    }
    | {
        "cached_tokens_details",
        "cached_image_tokens",
        "usage",
        "tool_usage",
        "image_gen",
        "data",
        "b64_json",
        "iterations",
        "cost",
    }
)
"""Names that some vendor's usage has."""
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 2**70), st.text(max_size=8), st.just(CANARY), st.floats(allow_nan=False, allow_infinity=False), st.just(10**400)
)  # fmt: skip
THINGS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(sorted({*NAMES, *OF_USAGE, "usage"})), inner, max_size=5),
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(provider=st.sampled_from(sorted(PROVIDERS)), body=THINGS, media=st.sampled_from([JSON, JSONL, SSE]))
def test_nothing_that_comes_as_an_answer_is_a_crash(provider: str, body: Any, media: str) -> None:
    raw = json.dumps(body).encode()
    sent = {JSON: raw, JSONL: jsonl(raw, raw), SSE: b"data: " + raw + b"\n\n"}[media]
    found = translated(provider, sent, media, query={"model": "m", "id": "k"})
    for event in found.events:
        quantities = event.said["data"]["usage"].values()
        assert all(isinstance(quantity, int | Decimal) and quantity >= 0 for quantity in quantities)
    for bad in found.refused:
        assert CANARY not in bad["reason"] + bad["field"]


@settings(max_examples=300, deadline=None)
@given(
    provider=st.sampled_from(sorted(PROVIDERS)),
    usage=st.dictionaries(st.sampled_from(OF_USAGE), THINGS, max_size=6),
    around=st.sampled_from(["usage", "usageMetadata", "usage_info", "meta", ""]),
    more=st.dictionaries(
        st.sampled_from(
            ["data", "tools", "output", "candidates", "iterations", "tool_usage", "choices", "type"]
        ),
        THINGS,
        max_size=3,
    ),
)
def test_a_usage_object_of_any_shape_is_no_crash(
    provider: str, usage: dict[str, Any], around: str, more: dict[str, Any]
) -> None:
    body = {around: usage, **more} if around else usage
    found = translated(provider, json.dumps(body).encode(), query={"model": "m", "id": "k"})
    assert CANARY not in repr([bad["reason"] for bad in found.refused])


def test_numbers_too_large_to_write_down_are_no_work() -> None:
    for name in ("duration", "created", "prompt_token_count", "inputTextTokenCount"):
        body = (
            b'{"%s": 1E+999999999, "results": [{"tokenCount": 1E+99999999}], "usage": {"prompt_tokens": 1}}'
            % name.encode()
        )
        for provider in ("openai", "bedrock"):
            translated(provider, body, query={"model": "m", "id": "k"})
    many = json.dumps({"usage": {"prompt_tokens": 10**400}}).encode()
    assert translated("openai", many, query={"model": "m", "id": "k"}).events == []


@settings(max_examples=200, deadline=None)
@given(
    raw=st.binary(max_size=200),
    media=st.sampled_from([JSON, JSONL, SSE]),
    provider=st.sampled_from(sorted(PROVIDERS)),
)
def test_bytes_of_any_kind_are_no_crash(raw: bytes, media: str, provider: str) -> None:
    translated(provider, raw, media)


def spoiled(value: Any, name: str = "") -> Any:
    """The value with every text of content replaced, and a field more that nobody knows."""
    if isinstance(value, dict):
        return {key: spoiled(inner, key) for key, inner in value.items()} | {"nobody_knows": CANARY}
    if isinstance(value, list):
        return [spoiled(inner, name) for inner in value]
    return CANARY if isinstance(value, str) and name not in KEPT else value


BODIES: list[tuple[str, bytes, str]] = [
    *((row[0], json.dumps(spoiled(row[2])).encode(), JSON) for row in BY_CLIENTS),
    *((row[0], sse(*map(spoiled, row[1])), SSE) for row in WHOLE),
    *((row[0], sse(*map(spoiled, row[1][:-1])), SSE) for row in WHOLE),
    *((row[0], jsonl(*map(spoiled, row[1])), JSONL) for row in BATCHES),
    ("openai", json.dumps({"error": {"message": CANARY, "code": CANARY}}).encode(), JSON),
    ("openai", CANARY.encode(), JSON),
    ("openai", json.dumps({"usage": CANARY}).encode(), JSON),
    ("openai", json.dumps({"usage": {"prompt_tokens": CANARY, CANARY: 5}}).encode(), JSON),
    ("anthropic", json.dumps(message({"input_tokens": CANARY, "output_tokens": 1})).encode(), JSON),
    ("gemini", json.dumps(generated({"promptTokenCount": [CANARY]})).encode(), JSON),
    ("bedrock", json.dumps({"chunk": {"bytes": CANARY}}).encode(), JSON),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "body", "media"), BODIES, ids=[f"{row[0]}-{place}" for place, row in enumerate(BODIES)])  # fmt: skip
def test_nothing_of_what_was_said_or_answered_goes_further(provider: str, body: bytes, media: str) -> None:
    assert CANARY.encode() in body
    found = translated(provider, body, media, query={"model": "m", "id": "k", "transcription_model": "w"})
    assert CANARY not in repr(found)
