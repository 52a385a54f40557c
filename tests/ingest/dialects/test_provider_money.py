"""Providers' answers in the ways of pricing.md: what each vendor means by its numbers, and what it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.provider_calls import JSONL, jsonl, list_price, refusals, said, translated

GPT = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
RESP = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
CLAUDE = "msg_01XFDUDYJgAACzvnptvVoYEL"
GEMINI = "fJQtaKSLHYq7vdIP_8T_uAw"
UUID = "0daf962f-a275-4a3c-839a-047854645532"


def chat(usage: dict[str, Any], model: str = "gpt-4o", **more: Any) -> dict[str, Any]:
    return {
        "id": GPT, "object": "chat.completion", "created": 1_795_694_400, "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "..."}, "finish_reason": "stop"}],
        "usage": usage,
    } | more  # fmt: skip


def message(usage: dict[str, Any], model: str = "claude-sonnet-4-5-20250929", **more: Any) -> dict[str, Any]:
    return {
        "id": CLAUDE, "type": "message", "role": "assistant", "model": model,
        "content": [{"type": "text", "text": "..."}], "stop_reason": "end_turn", "usage": usage,
    } | more  # fmt: skip


def generated(usage: dict[str, Any], model: str = "gemini-2.5-pro", **more: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [{"text": "..."}], "role": "model"}, "finishReason": "STOP"} | more],
        "usageMetadata": usage, "modelVersion": model, "responseId": GEMINI,
    }  # fmt: skip


def test_cached_input_is_charged_once_at_the_cached_rate(book: PriceBook) -> None:
    """Golden case 1: 2,000 x 2.50 + 8,000 x 1.25 + 1,000 x 10, for a million."""
    usage = {
        "prompt_tokens": 10_000,
        "completion_tokens": 1_000,
        "prompt_tokens_details": {"cached_tokens": 8_000},
    }
    assert list_price(said("openai", chat(usage)), book) == Decimal("0.025")
    assert list_price(said("azure", chat(usage, "gpt-4o-2024-08-06")), book) == Decimal("0.025")


def test_anthropics_input_leaves_the_cache_out(book: PriceBook) -> None:
    """Golden case 2: 5 x 3 + 1,000 x 3.75 + 253 x 6 + 128,955 x 0.30 + 10 x 15."""
    usage = {
        "input_tokens": 5, "cache_creation_input_tokens": 1_253, "cache_read_input_tokens": 128_955,
        "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 253}, "output_tokens": 10,
    }  # fmt: skip
    assert list_price(said("anthropic", message(usage)), book) == Decimal("0.0441195")


def test_a_long_gemini_prompt_costs_what_its_whole_length_does(book: PriceBook) -> None:
    """Golden case 5, above 200,000: 5,005 x 2.50 + 257,955 x 0.25 + 1,744 x 15."""
    usage = {"promptTokenCount": 262_960, "cachedContentTokenCount": 257_955, "candidatesTokenCount": 1_744}
    expected = Decimal("0.0125125") + Decimal("0.06448875") + Decimal("0.02616")
    assert expected == Decimal("0.10316125")
    assert list_price(said("gemini", generated(usage)), book) == expected


def test_a_cache_that_was_written_is_not_charged_as_input_too(book: PriceBook) -> None:
    """Golden case 6: 3 x 3 + 12,304 x 3.75 + 550 x 15."""
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 12_304,
        "cache_read_input_tokens": 0,
        "output_tokens": 550,
    }
    assert list_price(said("anthropic", message(usage)), book) == Decimal("0.054399")


def test_claude_on_vertex_has_more_in_its_cache_than_in_its_input(book: PriceBook) -> None:
    """Golden case 8: never negative. Global: 1 x 3 + 225 x 3.75 + 965,602 x 0.30 + 82 x 15, each for a million at
    twice the price (half again for output) above 200,000; in a region a tenth more."""
    usage = {
        "input_tokens": 1,
        "cache_creation_input_tokens": 225,
        "cache_read_input_tokens": 965_602,
        "output_tokens": 82,
    }
    body = message(usage, id="msg_vrtx_013Zva2CMHLNnXjNJJKqJ2EF")
    event = said("vertex", body)
    assert event["data"]["usage"] == {
        "input_tokens": 1, "cache_write_5m_tokens": 225, "cache_read_tokens": 965_602, "output_tokens": 82,
    }  # fmt: skip
    expected = (1 * 6 + 225 * Decimal("7.5") + 965_602 * Decimal("0.6") + 82 * Decimal("22.5")) / 1_000_000
    assert list_price(event, book) == expected
    regional = said("vertex", body, query={"region": "us-east5"})
    assert list_price(regional, book) == expected * Decimal("1.1")
    assert event["data"]["provider"] == "vertex_ai"


def test_the_tier_that_served_is_billed_and_not_the_one_that_was_asked_for(book: PriceBook) -> None:
    """Golden case 9: 1,000 x 2.50 standard; priority is 4.25."""
    usage = {"prompt_tokens": 1_000, "completion_tokens": 0}
    served = said("openai", chat(usage, service_tier="default"), query={"service_tier": "priority"})
    assert list_price(served, book) == Decimal("0.0025")
    priority = said("openai", chat(usage, service_tier="priority"))
    assert list_price(priority, book) == Decimal("0.00425")


def test_openrouters_cost_with_a_key_of_ones_own_is_both_parts(book: PriceBook) -> None:
    """Golden case 12."""
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "cost": 0,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.0360795},
    }
    body = chat(usage, "anthropic/claude-sonnet-4.5", id="gen-1734028800-qLk3vT9xZmWc2RbYpN7d")
    event = said("openrouter", body)
    assert event["data"]["reported_cost"] == {"amount": "0.0360795", "currency": "USD"}
    assert list_price(event, book) == Decimal("0.000111")  # compared, not booked: 12 x 3 + 5 x 15
    assert (event["source"], event["id"]) == ("call:openrouter", "gen-1734028800-qLk3vT9xZmWc2RbYpN7d")


@pytest.mark.parametrize("id", [None, "null", "chatcmpl-213"])
def test_ids_that_come_again_at_another_source_are_nobodys_identity(id: str | None) -> None:
    """Golden case 14: every event is kept, so none is taken for another."""
    body = chat({"prompt_tokens": 1, "completion_tokens": 1}, id=id)
    ((field, reason),) = refusals("openai", body)
    assert field == "id"
    assert "Idempotency-Key" in reason
    sent = [said("openai", body, query={"id": own}) for own in ("a", "b")]
    assert {(event["source"], event["id"]) for event in sent} == {("raw:openai", "a"), ("raw:openai", "b")}


def test_a_counted_id_is_its_sources_own() -> None:
    body = chat({"prompt_tokens": 1, "completion_tokens": 1}, id="chatcmpl-213")
    events = [said("openai", body, query={"source": source}) for source in ("ollama-1", "ollama-2")]
    assert [(event["source"], event["id"]) for event in events] == [
        ("ollama-1", "chatcmpl-213"), ("ollama-2", "chatcmpl-213"),
    ]  # fmt: skip
    keyed = said("openai", body, headers={"idempotency-key": "k-1"}, query={"source": "ollama-1"})
    assert (keyed["source"], keyed["id"]) == ("ollama-1", "k-1")


def test_usage_of_zero_is_an_event_and_missing_usage_is_refused() -> None:
    """Golden case 15."""
    zero = said("openai", chat({"prompt_tokens": 0, "completion_tokens": 0}))
    assert zero["data"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    missing = chat({})
    del missing["usage"]
    assert refusals("openai", missing) == [("usage", "no usage: the answer states none")]


def test_a_sender_that_must_have_counted_the_cache_beside_the_input_is_taken_so_and_marked() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 11}}
    found = translated("openai", chat(usage))
    (event,) = [sent.said["data"] for sent in found.events]
    assert event["usage"] == {"input_tokens": 10, "cache_read_tokens": 11, "output_tokens": 1}
    assert event["normalised"] == "assumed"
    assert found.noted == {"quantities assumed": 1}


def test_what_openrouter_was_paid_is_not_added_to_what_it_paid() -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "cost": 0.00014,
        "is_byok": False,
        "cost_details": {"upstream_inference_cost": 0.00014},
    }
    event = said(
        "openrouter", chat(usage, id="gen-1734028800-qLk3vT9xZmWc2RbYpN7d"), query={"subject": "acme/bot"}
    )
    assert event["data"]["reported_cost"] == {"amount": "0.00014", "currency": "USD"}
    assert event["subject"] == "acme/bot"


def test_reasoning_of_xais_chat_lies_beside_the_completion(book: PriceBook) -> None:
    """grok-4.3 at 1.25 in and 2.50 out: 20 x 1.25 + 108 x 2.50; the cost that xAI says is kept beside."""
    usage = {
        "prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 128, "num_sources_used": 0,
        "completion_tokens_details": {"reasoning_tokens": 100}, "cost_in_usd_ticks": 2_950_000,
    }  # fmt: skip
    event = said("xai", chat(usage, "grok-4.3", id=UUID))
    assert event["data"]["usage"] == {"input_tokens": 20, "output_tokens": 8, "reasoning_tokens": 100}
    assert event["data"]["reported_cost"] == {"amount": "0.000295", "currency": "USD"}
    assert (event["source"], event["data"]["provider"]) == ("call:x-ai", "x-ai")
    assert list_price(event, book) == Decimal("0.000295")


def test_xai_counts_images_from_the_cache_twice_and_we_once() -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 9,
        "input_tokens_details": {"image_tokens": 80, "cached_tokens": 60},
    }
    event = said("xai", {"id": UUID, "object": "response", "model": "grok-4.3", "output": [], "usage": usage})
    assert event["data"]["usage"] == {
        "input_tokens": 0, "input_image_tokens": 40, "cache_read_tokens": 60, "output_tokens": 9,
    }  # fmt: skip


def test_a_write_for_half_a_day_costs_twice_one_for_half_an_hour(book: PriceBook) -> None:
    """gpt-5.6-sol at 4 in: 40 x 4 + 20 x 5 + 30 x 10."""
    details = {
        "cached_tokens": 0,
        "cache_write_tokens": 50,
        "cache_write_tokens_details": {"ttl_30m_tokens": 20, "ttl_12h_tokens": 30},
    }
    usage = {"input_tokens": 90, "input_tokens_details": details, "output_tokens": 0}
    body = {
        "id": RESP,
        "object": "response",
        "status": "completed",
        "model": "gpt-5.6-sol",
        "output": [],
        "usage": usage,
    }
    event = said("openai", body)
    assert event["data"]["usage"] == {
        "input_tokens": 40, "cache_write_5m_tokens": 20, "cache_write_12h_tokens": 30, "output_tokens": 0,
    }  # fmt: skip
    assert list_price(event, book) == Decimal("0.00056")


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("gemini-2.5-flash", "0.035"),  # a grounded prompt is one fee
        ("gemini-3-pro-preview", "0.028"),  # each different query is one: 2 x 0.014
    ],
)
def test_grounding_is_billed_by_the_prompt_until_gemini_3_and_by_the_query_then(
    book: PriceBook, model: str, expected: str
) -> None:
    grounding = {
        "groundingMetadata": {
            "webSearchQueries": ["rain", "", " ", "sun", "rain"],
            "groundingChunks": [{"web": {}}],
        }
    }
    event = said("gemini", generated({"promptTokenCount": 0, "candidatesTokenCount": 0}, model, **grounding))
    assert list_price(event, book) == Decimal(expected)


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),  # in the region that was asked
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "3.3"),
        ("global.anthropic.claude-sonnet-4-5-20250929-v1:0", "3"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "3.3",
        ),
    ],
)
def test_bedrocks_model_id_decides_the_price_and_comes_beside_the_body(
    book: PriceBook, model: str, price: str
) -> None:
    """The body of InvokeModel names the model without its region, that of Converse not at all."""
    usage = {"input_tokens": 100_000, "output_tokens": 0}
    invoked = message(usage, "claude-sonnet-4-5-20250929", id="msg_bdrk_01KzeXTbGC2QoqmZNvm2qKLH")
    conversed = {
        "output": {"message": {"role": "assistant", "content": [{"text": "..."}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 100_000, "outputTokens": 0, "totalTokens": 100_000}, "metrics": {"latencyMs": 830},
        "ResponseMetadata": {"RequestId": UUID, "HTTPStatusCode": 200},
    }  # fmt: skip
    for body in (invoked, conversed):
        event = said("bedrock", body, query={"model": model})
        assert list_price(event, book) == Decimal(price) / 10
    assert event["data"]["performance"] == {"latency_ms": 830}
    assert (event["source"], event["id"]) == ("call:aws", UUID)
    assert ("model", "the answer names none: add ?model=") in refusals("bedrock", conversed)


def test_a_batch_costs_half(book: PriceBook) -> None:
    """OpenAI's rows: 1,000 x 2.50 / 2 each; Anthropic's: 100 x 3 / 2."""
    usage = {"prompt_tokens": 1_000, "completion_tokens": 0}
    row = {
        "id": "batch_req_1",
        "custom_id": "r-1",
        "response": {"status_code": 200, "request_id": "x", "body": chat(usage)},
        "error": None,
    }
    found = translated("openai", jsonl(row), JSONL)
    assert list_price(found.events[0].said, book) == Decimal("0.00125")
    row = {
        "custom_id": "r-1",
        "result": {
            "type": "succeeded",
            "message": message({"input_tokens": 100, "output_tokens": 0, "service_tier": "batch"}),
        },
    }
    found = translated("anthropic", jsonl(row), JSONL)
    assert list_price(found.events[0].said, book) == Decimal("0.00015")


def test_deepseeks_cache_hits_and_misses_make_the_prompt(book: PriceBook) -> None:
    """Golden case 11's usage, in DeepSeek's words, at the hours' prices of 2025: 0.300 by day, half at night."""
    usage = {
        "prompt_tokens": 1_000_000, "completion_tokens": 100_000,
        "prompt_cache_hit_tokens": 400_000, "prompt_cache_miss_tokens": 600_000,
    }  # fmt: skip
    body = chat(usage, "deepseek-chat", id=UUID)
    for at, expected in (("2025-08-01T16:29:59Z", "0.300"), ("2025-08-01T16:30:00Z", "0.150")):
        event = said("deepseek", body, query={"time": at})
        assert event["time"] == at
        assert list_price(event, book) == Decimal(expected)


def test_anthropics_place_and_speed_have_their_price(book: PriceBook) -> None:
    """Opus 4.6: 5 for a million in the US 1.1 times; six times as much when fast: 1,000 x 5 x 1.1, 1,000 x 30."""
    usage = {"input_tokens": 1_000, "output_tokens": 0, "service_tier": "standard"}
    us = said("anthropic", message(usage | {"inference_geo": "us"}, "claude-opus-4-6"))
    assert us["data"]["context"] == {"service_tier": "standard", "region": "us"}
    assert list_price(us, book) == Decimal("0.0055")
    anywhere = said("anthropic", message(usage | {"inference_geo": "global"}, "claude-opus-4-6"))
    assert list_price(anywhere, book) == Decimal("0.005")
    fast = said(
        "anthropic",
        message(usage | {"speed": "fast"}, "claude-opus-4-6"),
        query={"time": "2026-03-20T00:00:00Z"},
    )
    assert list_price(fast, book) == Decimal("0.030")


def test_an_adviser_is_charged_at_its_own_models_price(book: PriceBook) -> None:
    """1,000 x 3 of the one that answered; 2,000 x 5 of the one that advised."""
    advice = {
        "type": "advisor_message",
        "model": "claude-opus-4-6",
        "input_tokens": 2_000,
        "output_tokens": 0,
    }
    body = message(
        {
            "input_tokens": 1_000,
            "output_tokens": 0,
            "iterations": [{"type": "message", "input_tokens": 1_000, "output_tokens": 0}, advice],
        }
    )
    found = translated("anthropic", body)
    assert [(sent.said["id"], sent.said["data"]["sku"]) for sent in found.events] == [
        (CLAUDE, "claude-sonnet-4-5-20250929"), (f"{CLAUDE}/advisor-1", "claude-opus-4-6"),
    ]  # fmt: skip
    assert [list_price(sent.said, book) for sent in found.events] == [Decimal("0.003"), Decimal("0.01")]
