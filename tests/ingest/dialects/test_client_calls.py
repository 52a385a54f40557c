"""What the client library tells of calls, as the door reads it: made by the client itself, of the vendors' answers."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from services.ingest.dialects.client_calls import translate_calls
from services.ingest.dialects.translated import SaidEvent, Translated
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.gate import check_rules
from spendmeter.pricing.price_book import PriceBook
from spendmeter_client.answers import skeleton
from spendmeter_client.events import Circumstances, answer_event
from spendmeter_client.seen import Seen
from tests.ingest.dialects.provider_calls import list_price
from tests.ingest.dialects.vendors import (
    AUDIO_USAGE,
    CHAT_USAGE,
    MESSAGES_USAGE,
    chat,
    chat_chunks,
    message,
    message_events,
    response,
)

GPT = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
CLAUDE = "msg_01XFDUDYJgAACzvnptvVoYEL"


def told(provider: str, answer: dict[str, Any], **more: Any) -> bytes:
    """As the client sends it."""
    around = Circumstances("own-1", "bot", {"team": "search"}, None, 830, {"name": "done"}, more)
    return answer_event(provider, answer, around)


def translated(*parts: bytes) -> Translated:
    return translate_calls(list(parts))


def event_of(part: bytes) -> SaidEvent:
    """The one event that it becomes; the gate takes it."""
    found = translated(part)
    assert (found.refused, found.dropped) == ([], set())
    (sent,) = found.events
    raw = json.dumps(sent.said).encode()
    check_rules(read_event(raw), False)
    return sent.said


def seen(chunks: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a stream that was left after these chunks has said, and how the client marks that."""
    gathered = Seen()
    for chunk in chunks:
        gathered.add(chunk)
    return gathered.answer(), {
        "interrupted": True, "sent_bytes": gathered.bytes, "sent_pieces": gathered.pieces,
    }  # fmt: skip


def test_a_chat_completion_is_priced_by_its_disjoint_parts(book: PriceBook) -> None:
    """86 x 2.50 + 1,920 x 1.25 + (236 + 64) x 10, for a million."""
    event = event_of(told("openai", skeleton(chat("gpt-4o", GPT, CHAT_USAGE, False))))
    assert (event["source"], event["id"], event["subject"]) == ("call:openai", GPT, "bot")
    data = event["data"]
    assert data["usage"] == {
        "input_tokens": 86, "cache_read_tokens": 1920, "output_tokens": 236, "reasoning_tokens": 64,
    }  # fmt: skip
    assert (data["labels"], data["performance"], data["outcome"]) == (
        {"team": "search"}, {"latency_ms": 830}, {"name": "done"},
    )  # fmt: skip
    assert list_price(event, book) == Decimal("0.000215") + Decimal("0.0024") + Decimal("0.003")


def test_a_message_is_priced_with_the_lives_of_its_cache_writes(book: PriceBook) -> None:
    """Golden case 2: 5 x 3 + 1,000 x 3.75 + 253 x 6 + 128,955 x 0.30 + 10 x 15."""
    event = event_of(told("anthropic", skeleton(message("claude-sonnet-4-5", CLAUDE, False))))
    assert list_price(event, book) == Decimal("0.0441195")


def test_spoken_tokens_keep_their_unit() -> None:
    event = event_of(told("openai", skeleton(chat("gpt-4o-audio-preview", GPT, AUDIO_USAGE, False))))
    assert event["data"]["usage"] == {
        "input_tokens": 20, "input_audio_tokens": 100, "output_tokens": 20, "output_audio_tokens": 60,
    }  # fmt: skip


def test_searches_are_counted_by_their_size() -> None:
    answer = response("gpt-5.6-sol", "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b") | {
        "output": [{"type": "web_search_call", "action": {"type": "search", "query": "?"}}] * 2,
        "tools": [{"type": "web_search", "search_context_size": "high"}],
    }
    assert event_of(told("openai", skeleton(answer)))["data"]["usage"]["high_context_searches"] == 2


def test_googles_different_queries_are_counted() -> None:
    grounded = {"groundingMetadata": {"webSearchQueries": ["rain", "sun", "rain", " "]}}
    answer = {
        "responseId": "r-1", "modelVersion": "gemini-3-pro-preview", "candidates": [grounded],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9},
    }  # fmt: skip
    event = event_of(told("google", skeleton(answer)))
    assert event["data"]["usage"] == {"input_tokens": 7, "output_tokens": 9, "searches": 2}
    assert (event["source"], event["id"]) == ("bot", "own-1")


def test_a_model_of_bedrock_is_what_the_application_says() -> None:
    answer = {
        "ResponseMetadata": {"RequestId": "1b2c", "HTTPHeaders": {}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 9},
    }  # fmt: skip
    event = event_of(told("bedrock", skeleton(answer), model="anthropic.claude-sonnet-4-5-20250929-v1:0"))
    assert (event["data"]["sku"], event["data"]["usage"]) == (
        "anthropic.claude-sonnet-4-5-20250929-v1:0", {"input_tokens": 3, "output_tokens": 9},
    )  # fmt: skip


def test_a_message_that_broke_off_is_its_start_and_an_estimate_of_the_rest() -> None:
    """Its start says one token of output; 18 bytes of text are five tokens of four bytes, of which that is one."""
    said, mark = seen(list(message_events("claude-sonnet-4-5", CLAUDE))[:3])
    data = event_of(told("anthropic", said, **mark))["data"]
    assert mark["sent_bytes"] == 18
    assert data["usage"] == {
        "input_tokens": 5, "cache_read_tokens": 128_955, "cache_write_5m_tokens": 1000, "cache_write_1h_tokens": 253,
        "output_tokens": 5,
    }  # fmt: skip
    assert data["estimated"] == ["output_tokens"]


def test_a_chat_that_never_said_its_usage_is_an_estimate_of_what_it_sent() -> None:
    said, mark = seen(chat_chunks("gpt-4o", GPT, False))
    data = event_of(told("openai", said, **mark, input_tokens=2006))["data"]
    assert data["usage"] == {"input_tokens": 2006, "output_tokens": 5}
    assert sorted(data["estimated"]) == ["input_tokens", "output_tokens"]  # a cache may have had some of it
    data = event_of(told("openai", said, **mark))["data"]
    assert sorted(data["estimated"]) == ["input_tokens", "output_tokens"]


def test_a_stream_that_was_read_to_its_end_is_what_it_says() -> None:
    said, _ = seen(message_events("claude-sonnet-4-5", CLAUDE))
    whole = event_of(told("anthropic", skeleton(message("claude-sonnet-4-5", CLAUDE, False))))
    assert said["usage"] == MESSAGES_USAGE
    assert event_of(told("anthropic", said))["data"] == whole["data"]


GOOD = {
    "id": "1", "source": "bot", "type": "spendmeter.answer.v1",
    "data": {"provider": "openai", "response": {"model": "gpt-4o", "usage": {"prompt_tokens": 5}}},
}  # fmt: skip


def with_data(**more: Any) -> dict[str, Any]:
    return GOOD | {"data": GOOD["data"] | more}


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (b"{", ""),
        (json.dumps(GOOD).encode().replace(b'"data"', b'"\xff":1,"data"'), ""),
        (json.dumps(GOOD).encode().replace(b'"provider"', b'"\xff":1,"provider"'), ""),
        ([], ""),
        ({}, ""),
        (GOOD | {"type": "spendmeter.usage.v1"}, "type"),
        (GOOD | {"id": 5}, "id"),
        (with_data(provider="nobody"), "data.provider"),
        (with_data(response=7), "body"),
        (with_data(response={"model": "gpt-4o"}), "usage"),
        (with_data(response={"usage": {"prompt_tokens": 5}}), "model"),
        (with_data(response={"model": "gpt-4o", "usage": {"prompt_tokens": "canary"}}), "usage"),
        (with_data(sent_bytes=-1), "data.sent_bytes"),
        (with_data(interrupted="canary"), "data.interrupted"),
    ],
)
def test_what_is_bad_is_named_by_its_place_beside_the_others(bad: Any, field: str) -> None:
    raw = bad if isinstance(bad, bytes) else json.dumps(bad).encode()
    found = translated(json.dumps(GOOD).encode(), raw, json.dumps(GOOD).encode())
    assert [event.index for event in found.events] == [0, 2]
    assert [(each["index"], each["field"]) for each in found.refused] == [(1, field)]
    assert "canary" not in found.refused[0]["reason"]


def test_fields_of_ours_that_nobody_knows_are_named() -> None:
    odd = with_data(colour="red") | {"shape": "round"}
    assert translated(json.dumps(odd).encode()).dropped == {"shape", "data.colour"}


def test_what_other_models_used_on_its_behalf_is_told(book: PriceBook) -> None:
    """Of gpt-image-1.5 20 x 5 of text and 1,000 x 32 of image, for a million; of gpt-5.4, a drawing's writer, 100 x 2.50
    + 50 x 15; and two pages."""
    painted = {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "object": "response", "model": "gpt-5.4", "status": "completed",
        "output": [{"type": "image_generation_call", "result": "SECRETANSWER"}], "usage": {"input_tokens": 100, "output_tokens": 0},
        "tools": [{"type": "image_generation", "model": "gpt-image-1.5", "background": "auto"}],
        "tool_usage": {"image_gen": {"input_tokens": 20, "output_tokens": 1_000, "total_tokens": 1_020}, "web_search": {"num_requests": 0}},
    }  # fmt: skip
    drawn = {
        "created": 1_795_694_400, "data": [{"b64_json": "SECRETANSWER"}], "usage": {"input_tokens": 10, "output_tokens": 20},
        "svg_usage": {"model": "gpt-5.4", "input_tokens": 100, "output_tokens": 50, "reasoning_tokens": 20, "total_tokens": 150},
    }  # fmt: skip
    read = {
        "pages": [{"markdown": "SECRETANSWER"}],
        "model": "mistral-ocr-latest",
        "usage_info": {"pages_processed": 2},
    }
    parts = [
        told("openai", skeleton(painted)),
        told("openai", skeleton(drawn), model="gpt-image-1.5"),
        told("mistral", skeleton(read)),
    ]
    assert not any(b"SECRET" in part for part in parts)
    found = translated(*parts)
    assert found.refused == []
    events = {event.said["id"].rpartition("/")[2]: event.said for event in found.events}
    assert events["image_generation"]["data"]["sku"] == "gpt-image-1.5"
    assert list_price(events["image_generation"], book) == Decimal("0.0321")
    assert list_price(events["svg"], book) == Decimal("0.001")
    assert found.events[-1].said["data"]["usage"] == {"pages": 2}


def test_a_refusal_before_any_output_is_known_by_what_the_client_tells() -> None:
    refused = {"id": CLAUDE, "type": "message", "model": "claude-fable-5", "content": [], "stop_reason": "refusal",
               "usage": {"input_tokens": 106, "output_tokens": 0}}  # fmt: skip
    found = translated(told("anthropic", skeleton(refused)))
    assert (found.events, sum(found.skipped.values())) == ([], 1)
