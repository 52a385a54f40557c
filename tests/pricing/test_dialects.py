"""What "input tokens" means, vendor by vendor: every row of the table, and genai-prices as a second reader."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from genai_prices import data

from spendmeter.contracts.dialect_parts import DialectError
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.dialects_openai import reported_cost
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.pricing.entries import used

CLAUDE = {
    "input_tokens": 5,
    "cache_read_input_tokens": 128_955,
    "cache_creation_input_tokens": 1_253,
    "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 253},
    "output_tokens": 10,
}
STATED: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("anthropic", CLAUDE, {"input_tokens": 5, "cache_read_tokens": 128_955, "cache_write_5m_tokens": 1_000, "cache_write_1h_tokens": 253, "output_tokens": 10}),
    ("anthropic", {"input_tokens": 3, "cache_creation_input_tokens": 12_304, "cache_read_input_tokens": 0, "output_tokens": 550}, {"input_tokens": 3, "cache_write_5m_tokens": 12_304, "output_tokens": 550}),
    ("anthropic", {"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 0, "output_tokens": 0}),
    ("anthropic", {"input_tokens": 9, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}, "server_tool_use": {"web_search_requests": 2}}, {"input_tokens": 9, "output_tokens": 3, "reasoning_tokens": 4, "searches": 2}),
    ("openai", {"prompt_tokens": 10_000, "completion_tokens": 1_000, "total_tokens": 11_000, "prompt_tokens_details": {"cached_tokens": 8_000, "audio_tokens": 0}}, {"input_tokens": 2_000, "cache_read_tokens": 8_000, "output_tokens": 1_000}),
    ("openai", {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 50}, "output_tokens": 40, "output_tokens_details": {"reasoning_tokens": 25}}, {"input_tokens": 20, "cache_read_tokens": 30, "cache_write_5m_tokens": 50, "output_tokens": 15, "reasoning_tokens": 25}),
    ("azure", {"prompt_tokens": 50, "completion_tokens": 20, "prompt_tokens_details": {"audio_tokens": 30}, "completion_tokens_details": {"audio_tokens": 12, "reasoning_tokens": 0}}, {"input_tokens": 20, "input_audio_tokens": 30, "output_tokens": 8, "output_audio_tokens": 12}),
    ("openai", {"input_tokens": 100, "output_tokens": 10, "input_token_details": {"text_tokens": 40, "audio_tokens": 60, "cached_tokens": 50, "cached_tokens_details": {"text_tokens": 20, "audio_tokens": 30}}}, {"input_tokens": 20, "cache_read_tokens": 20, "input_audio_tokens": 30, "cache_read_audio_tokens": 30, "output_tokens": 10}),
    ("openai", {"type": "duration", "seconds": 12}, {"audio_seconds": 12}),
    ("openai", {"prompt_tokens": 8, "total_tokens": 8}, {"input_tokens": 8}),
    ("gemini", {"promptTokenCount": 262_960, "cachedContentTokenCount": 257_955, "candidatesTokenCount": 1_744}, {"input_tokens": 5_005, "cache_read_tokens": 257_955, "output_tokens": 1_744}),
    ("vertex", {"prompt_token_count": 10, "tool_use_prompt_token_count": 5, "candidates_token_count": 3, "thoughts_token_count": 40}, {"input_tokens": 15, "output_tokens": 3, "reasoning_tokens": 40}),
    ("gemini", {"promptTokenCount": 100, "cachedContentTokenCount": 50, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}, {"modality": "AUDIO", "tokenCount": 60}, {"modality": "DOCUMENT", "tokenCount": 10}], "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 40}, {"modality": "TEXT", "tokenCount": 10}], "candidatesTokenCount": 1}, {"input_tokens": 20, "input_audio_tokens": 20, "input_image_tokens": 10, "cache_read_tokens": 10, "cache_read_audio_tokens": 40, "output_tokens": 1}),
    ("xai-chat", {"prompt_tokens": 20, "completion_tokens": 8, "completion_tokens_details": {"reasoning_tokens": 100}}, {"input_tokens": 20, "output_tokens": 8, "reasoning_tokens": 100}),
    ("openai", {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 50, "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 30}}, "output_tokens": 4}, {"input_tokens": 40, "cache_read_tokens": 10, "cache_write_5m_tokens": 20, "cache_write_12h_tokens": 30, "output_tokens": 4}),
    ("xai-responses", {"input_tokens": 9, "output_tokens": 3, "num_sources_used": 0, "num_server_side_tools_used": 6, "server_side_tool_usage_details": {"web_search_calls": 2, "x_search_calls": 3, "code_interpreter_calls": 1, "mcp_calls": 4}}, {"input_tokens": 9, "output_tokens": 3, "searches": 2, "social_searches": 3, "code_executions": 1}),
    ("xai-chat", {"prompt_tokens": 9, "completion_tokens": 3, "num_sources_used": 7}, {"input_tokens": 9, "output_tokens": 3, "search_results": 7}),
    ("perplexity", {"prompt_tokens": 7, "completion_tokens": 149, "total_tokens": 156, "search_context_size": "medium"}, {"input_tokens": 7, "output_tokens": 149, "medium_context_requests": 1}),
    ("perplexity", {"prompt_tokens": 33, "completion_tokens": 7_163, "total_tokens": 7_196, "citation_tokens": 19_028, "num_search_queries": 18, "reasoning_tokens": 73_997}, {"input_tokens": 33, "output_tokens": 7_163, "reasoning_tokens": 73_997, "citation_tokens": 19_028, "searches": 18}),
    ("xai-responses", {"input_tokens": 20, "output_tokens": 108, "output_tokens_details": {"reasoning_tokens": 100}}, {"input_tokens": 20, "output_tokens": 8, "reasoning_tokens": 100}),
    ("otel", {"gen_ai.usage.input_tokens": 130_213, "gen_ai.usage.cache_read.input_tokens": 128_955, "gen_ai.usage.cache_creation.input_tokens": 1_253, "gen_ai.usage.output_tokens": 10, "gen_ai.system": "anthropic"}, {"input_tokens": 5, "cache_read_tokens": 128_955, "cache_write_5m_tokens": 1_253, "output_tokens": 10}),
    ("otel", {"gen_ai.usage.prompt_tokens": 7, "gen_ai.usage.completion_tokens": 3}, {"input_tokens": 7, "output_tokens": 3}),
    ("openrouter", {"prompt_tokens": 12, "completion_tokens": 5, "cost": "0.01", "prompt_tokens_details": {"cached_tokens": 2}}, {"input_tokens": 10, "cache_read_tokens": 2, "output_tokens": 5}),
    ("bedrock", {"inputTokens": 5, "cacheReadInputTokens": 100, "cacheWriteInputTokens": 30, "cacheDetails": [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 10}], "outputTokens": 2}, {"input_tokens": 5, "cache_read_tokens": 100, "cache_write_5m_tokens": 20, "cache_write_1h_tokens": 10, "output_tokens": 2}),
]  # fmt: skip


BEYOND: list[tuple[str, dict[str, Any], dict[str, int | Decimal]]] = [
    # What genai-prices does not read, or reads otherwise.
    ("deepseek", {"prompt_tokens": 1_000_000, "prompt_cache_hit_tokens": 400_000, "prompt_cache_miss_tokens": 600_000, "completion_tokens": 100_000, "completion_tokens_details": {"reasoning_tokens": 90_000}, "prompt_tokens_details": {"cached_tokens": 400_000}}, {"input_tokens": 600_000, "cache_read_tokens": 400_000, "output_tokens": 10_000, "reasoning_tokens": 90_000}),
    ("deepseek", {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 4}, {"input_tokens": 4, "cache_read_tokens": 3}),
    ("mistral", {"prompt_audio_seconds": 203, "prompt_tokens": 4, "total_tokens": 3_264, "completion_tokens": 635}, {"input_tokens": 4, "audio_seconds": 203, "output_tokens": 635}),
    ("mistral", {"prompt_tokens": 20, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 16}}, {"input_tokens": 4, "cache_read_tokens": 16, "output_tokens": 5}),
    ("mistral", {"prompt_tokens": 143, "completion_tokens": 1_199, "total_tokens": 8_435, "connector_tokens": 7_093, "connectors": {"web_search": 2, "code_interpreter": 1}}, {"input_tokens": 7_236, "output_tokens": 1_199, "searches": 2, "code_executions": 1}),
    ("mistral", {"pages_processed": 29, "doc_size_bytes": 2_048}, {"pages": 29}),
    ("cohere", {"billed_units": {"input_tokens": 5, "output_tokens": 418}, "tokens": {"input_tokens": 71, "output_tokens": 418}, "cached_tokens": 64}, {"input_tokens": 5, "output_tokens": 418}),
    ("cohere", {"tokens": {"input_tokens": 71.0, "output_tokens": Decimal("418.0")}, "cached_tokens": 64}, {"input_tokens": 7, "cache_read_tokens": 64, "output_tokens": 418}),
    ("cohere", {"billed_units": {"search_units": 1}}, {"reranks": 1}),
    ("cohere", {"billed_units": {"images": 1, "image_tokens": 258, "text_tokens": 4}}, {"input_tokens": 4, "input_image_tokens": 258}),
    ("cohere", {"billed_units": {"images": 3}}, {"images": 3}),
    # Anthropic's words alone leave the cache out; beside OpenAI's they repeat what is inside
    ("openai", {"input_tokens": 3, "output_tokens": 5, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 60}, {"input_tokens": 3, "cache_write_5m_tokens": 40, "cache_read_tokens": 60, "output_tokens": 5}),
    ("openai", {"prompt_tokens": 103, "completion_tokens": 5, "cache_creation_input_tokens": 40, "cache_read_input_tokens": 60}, {"input_tokens": 3, "cache_write_5m_tokens": 40, "cache_read_tokens": 60, "output_tokens": 5}),
    ("openai", {"input_tokens": 103, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 40}, "cache_creation_input_tokens": 40}, {"input_tokens": 3, "cache_write_5m_tokens": 40, "cache_read_tokens": 60, "output_tokens": 5}),
    # 60 of the 80 image tokens came from the cache: what it left of the prompt is 40, and no more is taken
    ("xai-chat", {"prompt_tokens": 100, "completion_tokens": 9, "prompt_tokens_details": {"text_tokens": 20, "image_tokens": 80, "audio_tokens": 0, "cached_tokens": 60}}, {"input_tokens": 0, "input_image_tokens": 40, "cache_read_tokens": 60, "output_tokens": 9}),
    ("perplexity", {"input_tokens": 500, "output_tokens": 40, "total_tokens": 540, "input_tokens_details": {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 50}, "tool_calls_details": {"search_web": {"invocation": 3}, "fetch_url": {"invocation": 1}}}, {"input_tokens": 350, "cache_read_tokens": 100, "cache_write_5m_tokens": 50, "output_tokens": 40, "searches": 3, "web_fetches": 1}),
    ("openrouter", {"prompt_tokens": 50, "completion_tokens": 5, "prompt_tokens_details": {"video_tokens": 30, "file_tokens": 5}, "server_tool_use": {"web_search_requests": 2}}, {"input_tokens": 20, "input_video_tokens": 30, "output_tokens": 5, "searches": 2}),
    ("openai", {"input_tokens": 100, "input_tokens_details": {"cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 30}}, "output_tokens": 4}, {"input_tokens": 50, "cache_write_5m_tokens": 20, "cache_write_12h_tokens": 30, "output_tokens": 4}),
    ("openai", {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 1_056, "output_tokens_details": {"image_tokens": 1_056, "text_tokens": 0}}, {"input_tokens": 10, "input_image_tokens": 40, "output_tokens": 0, "output_image_tokens": 1_056}),
    ("openai", {"type": "duration", "seconds": 12.5}, {"audio_seconds": Decimal("12.5")}),
    ("gemini", {"promptTokenCount": 10, "responseTokenCount": 7, "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 7}]}, {"input_tokens": 10, "output_tokens": 0, "output_audio_tokens": 7}),
    # the tokens of a compaction lie beside the totals; those of the turns of a tool's loop inside them
    ("anthropic", {"input_tokens": 100, "output_tokens": 50, "iterations": [{"type": "compaction", "input_tokens": 1_000, "output_tokens": 200, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 3}, {"type": "message", "input_tokens": 100, "output_tokens": 50}]}, {"input_tokens": 1_100, "cache_read_tokens": 3, "cache_write_5m_tokens": 10, "output_tokens": 250}),
    ("anthropic", {"input_tokens": 1, "output_tokens": 1, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 2}}, {"input_tokens": 1, "output_tokens": 1, "web_fetches": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "usage", "quantities"), [*STATED, *BEYOND])
def test_quantities_are_disjoint(
    dialect: str, usage: dict[str, Any], quantities: dict[str, int | Decimal]
) -> None:
    assert disjoint(dialect, usage) == (quantities, "stated")


ASSUMED: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    # An OpenTelemetry exporter that passes Anthropic's numbers on as they come.
    ("otel", {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.cache_creation.input_tokens": 225, "gen_ai.usage.cache_read.input_tokens": 965_602, "gen_ai.usage.output_tokens": 82}, {"input_tokens": 1, "cache_write_5m_tokens": 225, "cache_read_tokens": 965_602, "output_tokens": 82}),
    ("openai", {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 11}, "completion_tokens": 1}, {"input_tokens": 10, "cache_read_tokens": 11, "output_tokens": 1}),
    ("anthropic", {"input_tokens": 1, "cache_creation_input_tokens": 100, "cache_creation": {"ephemeral_1h_input_tokens": 60}, "output_tokens": 1}, {"input_tokens": 1, "cache_write_5m_tokens": 40, "cache_write_1h_tokens": 60, "output_tokens": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("dialect", "usage", "quantities"), ASSUMED)
def test_a_sender_that_must_have_been_exclusive_is_taken_so_and_it_is_said(
    dialect: str, usage: dict[str, Any], quantities: dict[str, int]
) -> None:
    assert disjoint(dialect, usage) == (quantities, "assumed")


@pytest.mark.parametrize(
    ("dialect", "usage", "reason"),
    [
        ("openai", {"prompt_tokens": 10, "prompt_tokens_details": {"audio_tokens": 11}}, "input_tokens would be below 0"),
        ("openai", {"prompt_tokens": 1, "completion_tokens": 5, "completion_tokens_details": {"reasoning_tokens": 6}}, "output_tokens would be below 0"),
        ("openai", {"input_tokens": 9, "input_token_details": {"cached_tokens": 2, "cached_tokens_details": {"audio_tokens": 3}, "audio_tokens": 3}}, "cache_read_tokens would be below 0"),
        ("anthropic", {"input_tokens": 1, "cache_creation_input_tokens": 5, "cache_creation": {"ephemeral_5m_input_tokens": 6}}, "cache_creation_input_tokens is less than its parts"),
        ("bedrock", {"inputTokens": 1, "cacheWriteInputTokens": 5, "cacheDetails": [{"ttl": "1h", "inputTokens": 6}]}, "cacheWriteInputTokens is less than its parts"),
        ("openai", {"prompt_tokens": -1}, "prompt_tokens must be a whole number of at least 0"),
        ("openai", {"prompt_tokens": 1.5}, "must be a whole number"),
        ("openai", {"prompt_tokens": True}, "must be a whole number"),
        ("openai", {"prompt_tokens": "12"}, "must be a whole number"),
        ("openai", {"prompt_tokens": 2**63}, "must be a whole number"),
        ("openai", {"prompt_tokens": Decimal("1E+999999")}, "must be a whole number"),
        ("openai", {"prompt_tokens": float("nan")}, "must be a whole number"),
        ("openai", {"prompt_tokens": Decimal("NaN")}, "must be a whole number"),
        ("openai", {"seconds": "12"}, "seconds must be a number of at least 0"),
        ("deepseek", {"prompt_tokens": 5, "prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 4}, "prompt_tokens is less than its parts"),
        ("openai", {}, "no usage: openai states neither input nor output"),
        ("gemini", {"totalTokenCount": 5}, "no usage"),
        ("esperanto", {"prompt_tokens": 1}, "unknown dialect 'esperanto'; known are anthropic"),
    ],
)  # fmt: skip
def test_nothing_is_clamped(dialect: str, usage: dict[str, Any], reason: str) -> None:
    with pytest.raises(DialectError, match=reason):
        disjoint(dialect, usage)


CANARY = "what somebody wrote"


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [
        ("openai", {"prompt_tokens": CANARY}),
        ("openai", {"seconds": CANARY}),
        ("gemini", {"promptTokensDetails": [{"modality": CANARY, "tokenCount": CANARY}]}),
        ("perplexity", {"search_context_size": CANARY}),
        ("cohere", {"billed_units": {"input_tokens": CANARY}}),
    ],
)
def test_a_reason_names_the_field_and_the_rule_and_nothing_that_was_sent(
    dialect: str, usage: dict[str, Any]
) -> None:
    with pytest.raises(DialectError) as raised:
        disjoint(dialect, usage)
    assert CANARY not in str(raised.value)
    with pytest.raises(DialectError, match=r"^cost must be a decimal of at least 0$"):
        reported_cost({"cost": CANARY})


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost_in_usd_ticks": 37_756_000}, "0.0037756"),
        ({"cost": {"input_tokens_cost": Decimal("0.001"), "request_cost": Decimal("0.005"), "total_cost": Decimal("0.006")}}, "0.006"),
        ({"cost": 0, "cost_details": {"upstream_inference_cost": Decimal("0.0360795")}}, "0.0360795"),
        ({"cost": Decimal("0.002"), "is_byok": True, "cost_details": {"upstream_inference_cost": "0.03"}}, "0.032"),
        ({"cost": Decimal("0.03"), "is_byok": False, "cost_details": {"upstream_inference_cost": "0.03"}}, "0.03"),
        ({"cost": Decimal("0.03"), "cost_details": {"upstream_inference_cost": "0.03"}}, "0.03"),
        ({"cost": Decimal("0.03"), "cost_details": {"upstream_inference_cost": None}}, "0.03"),
        ({"prompt_tokens": 1}, None),
    ],
)  # fmt: skip
def test_openrouters_cost_is_counted_once(usage: dict[str, Any], cost: str | None) -> None:
    assert reported_cost(usage) == (None if cost is None else Decimal(cost))


def test_a_cost_through_a_float_is_refused() -> None:
    with pytest.raises(DialectError, match="cost must be a decimal"):
        reported_cost({"cost": 0.1})


ORACLE = {
    "anthropic": ("anthropic", "default", "usage"), "openai": ("openai", "", "usage"),
    "azure": ("openai", "", "usage"), "gemini": ("google", "default", "usageMetadata"),
    "xai-chat": ("x-ai", "chat", "usage"), "xai-responses": ("x-ai", "responses", "usage"),
    "openrouter": ("openrouter", "chat", "usage"), "bedrock": ("aws", "default", "usage"),
}  # fmt: skip
OPENAI_FLAVORS = {
    "prompt_tokens": "chat",
    "input_tokens_details": "responses",
    "input_token_details": "realtime",
}


@pytest.mark.parametrize(
    ("dialect", "usage"),
    [(d, u) for d, u, _ in STATED if d in ORACLE and {*u} & {*OPENAI_FLAVORS, "input_tokens", "inputTokens", "promptTokenCount"}],
)  # fmt: skip
def test_genai_prices_reads_the_same(dialect: str, usage: dict[str, Any]) -> None:
    provider, flavor, root = ORACLE[dialect]
    flavor = flavor or next(flavor for key, flavor in OPENAI_FLAVORS.items() if key in usage)
    if "completion_tokens" not in usage and "prompt_tokens" in usage:
        flavor = "embeddings"
    raw: dict[str, Any] = {root: usage, "model": "m", "modelVersion": "m"}
    raw = {"response": raw, "model": "m"} if flavor == "realtime" else raw
    (vendor,) = [each for each in data.providers if each.id == provider]
    _, theirs = vendor.extract_usage(raw, api_flavor=flavor)
    ours, _ = disjoint(dialect, usage)

    def sum_of(*units: str) -> int:
        return sum(ours.get(unit, 0) for unit in units)

    writes = sum_of("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens")
    reads = sum_of("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
    fresh = sum_of("input_tokens", "input_audio_tokens", "input_image_tokens", "input_video_tokens")
    made = sum_of("output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens")
    assert (fresh + reads + writes, reads, writes, made) == (
        theirs.input_tokens, theirs.cache_read_tokens or 0, theirs.cache_write_tokens or 0, theirs.output_tokens or 0,
    )  # fmt: skip
    assert sum_of("cache_write_1h_tokens") == (theirs.cache_write_1h_tokens or 0)
    assert sum_of("input_audio_tokens", "cache_read_audio_tokens") == (theirs.input_audio_tokens or 0)


def test_anthropics_raw_usage_costs_what_the_golden_case_says(book: PriceBook) -> None:
    quantities, _ = disjoint("anthropic", CLAUDE)
    assert rate(used("anthropic", "claude-sonnet-4-5", quantities), book).list == Decimal("0.0441195")
