"""genai-prices as a second reader of whole answers: the same model, and the same totals where it does not lag."""

from __future__ import annotations

from typing import Any

import pytest
from genai_prices import data

from tests.ingest.dialects.provider_calls import said
from tests.ingest.dialects.test_provider_clients import CHAT, GENERATED, MESSAGE, RESPONSE
from tests.ingest.dialects.test_provider_money import UUID, chat, generated, message

CACHED = {
    "prompt_tokens": 100,
    "completion_tokens": 40,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 25},
}
READ_BY_BOTH: list[tuple[str, str, str, dict[str, Any]]] = [
    ("openai", "openai", "chat", CHAT),
    ("openai", "openai", "chat", chat(CACHED)),
    ("openai", "openai", "responses", RESPONSE),
    ("openai", "openai", "embeddings", {"id": UUID, "object": "list", "model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 8}}),
    ("azure", "azure", "chat", chat(CACHED)),
    ("azure", "azure", "anthropic", message({"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3})),
    ("anthropic", "anthropic", "default", MESSAGE),
    ("gemini", "google", "default", GENERATED),
    ("vertex", "google", "default", generated({"promptTokenCount": 262_960, "cachedContentTokenCount": 257_955, "candidatesTokenCount": 1_744})),
    ("vertex", "google", "anthropic", message({"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 3})),
    ("mistral", "mistral", "default", chat(CACHED, "mistral-large-latest", id=UUID)),
    ("deepseek", "deepseek", "chat", chat(CACHED | {"prompt_cache_hit_tokens": 30, "prompt_cache_miss_tokens": 70}, "deepseek-chat", id=UUID)),
    ("groq", "groq", "default", chat(CACHED, "llama-3.3-70b-versatile")),
    ("openrouter", "openrouter", "chat", chat(CACHED, "openai/gpt-4o", id=UUID)),
    ("xai", "x-ai", "chat", chat(CACHED, "grok-4.3", id=UUID)),
    ("xai", "x-ai", "responses", RESPONSE | {"model": "grok-4.3", "usage": {"input_tokens": 9, "output_tokens": 3}}),
    ("perplexity", "perplexity", "default", chat({"prompt_tokens": 33, "completion_tokens": 7, "citation_tokens": 19, "reasoning_tokens": 73, "num_search_queries": 18}, "sonar-deep-research", id=UUID)),
    ("cohere", "cohere", "default", {"id": UUID, "model": "command-a", "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 418}}}),
]  # fmt: skip
FRESH = ("input_tokens", "input_audio_tokens", "input_image_tokens", "input_video_tokens")
READ = ("cache_read_tokens", "cache_read_audio_tokens", "cache_read_image_tokens")
WRITTEN = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens")
MADE = ("output_tokens", "reasoning_tokens", "output_audio_tokens", "output_image_tokens", "citation_tokens")


@pytest.mark.parametrize(("provider", "theirs", "flavor", "body"), READ_BY_BOTH, ids=[f"{row[0]}-{row[2]}-{place}" for place, row in enumerate(READ_BY_BOTH)])  # fmt: skip
def test_a_second_reader_finds_the_same_model_and_totals(
    provider: str, theirs: str, flavor: str, body: dict[str, Any]
) -> None:
    (vendor,) = [each for each in data.providers if each.id == theirs]
    model, usage = vendor.extract_usage(body, api_flavor=flavor)
    event = said(provider, body)["data"]
    quantities = event["usage"]

    def sum_of(*units: str) -> int:
        return sum(int(quantities.get(unit, 0)) for unit in units)

    assert event["sku"] == model
    assert sum_of(*FRESH, *READ, *WRITTEN) == (usage.input_tokens or 0)
    assert sum_of(*READ) == (usage.cache_read_tokens or 0)
    assert sum_of(*WRITTEN) == (usage.cache_write_tokens or 0)
    assert sum_of(*MADE) == (usage.output_tokens or 0)
