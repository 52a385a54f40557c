"""Streams: whole, as chunks or transcripts, and broken off."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest

from services.ingest.refused import RequestRefused
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.provider_calls import (
    JSONL,
    SSE,
    event_of,
    jsonl,
    rated,
    refusals,
    said,
    sse,
    translated,
)

GPT = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
RESP = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
CLAUDE = "msg_01XFDUDYJgAACzvnptvVoYEL"
GEMINI = "fJQtaKSLHYq7vdIP_8T_uAw"
UUID = "0daf962f-a275-4a3c-839a-047854645532"


def chunk(
    text: str | None = None, finish: str | None = None, usage: Any = None, **more: Any
) -> dict[str, Any]:
    choices = (
        [] if usage and text is None else [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]
    )
    return {
        "id": GPT,
        "object": "chat.completion.chunk",
        "created": 1_795_694_400,
        "model": "gpt-4o",
        "choices": choices,
        "usage": usage,
    } | more


USAGE = {"prompt_tokens": 19, "completion_tokens": 10}
CLAUDE_STREAM: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": CLAUDE, "type": "message", "model": "claude-sonnet-4-5-20250929", "content": [], "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "It may rain today. "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Take an umbrella along!"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}},
    {"type": "message_stop"},
]  # fmt: skip
RESPONSES = [
    {"type": "response.created", "response": {"id": RESP, "object": "response", "status": "in_progress", "model": "gpt-5.4", "output": [], "usage": None}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Take an umbrella"},
    {"type": "response.output_text.done", "item_id": "msg_1", "text": "Take an umbrella"},
    {"type": "response.completed", "response": {"id": RESP, "object": "response", "status": "completed", "model": "gpt-5.4", "output": [], "usage": {"input_tokens": 37, "output_tokens": 11}}},
]  # fmt: skip


def gemini(text: str, usage: dict[str, Any] | None = None, finish: str | None = None) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}} | (
        {"finishReason": finish} if finish else {}
    )
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": GEMINI} | (
        {"usageMetadata": usage} if usage else {}
    )


GEMINI_STREAM = [
    gemini("Take", {"promptTokenCount": 8, "totalTokenCount": 8}),
    gemini(" an", {"promptTokenCount": 8, "candidatesTokenCount": 2}),
    gemini(
        " umbrella.", {"promptTokenCount": 8, "candidatesTokenCount": 5, "thoughtsTokenCount": 30}, "STOP"
    ),
]
WHOLE: list[tuple[str, list[dict[str, Any]], bool, dict[str, str], str, dict[str, int]]] = [
    ("openai", [chunk(""), chunk("Hi"), chunk(None, "stop"), chunk(usage=USAGE)], True, {}, GPT, {"input_tokens": 19, "output_tokens": 10}),
    ("azure", [{"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": []}, chunk("Hi"), chunk(None, "stop"), chunk(usage=USAGE)], True, {}, GPT, {"input_tokens": 19, "output_tokens": 10}),
    ("openai", RESPONSES, False, {}, RESP, {"input_tokens": 37, "output_tokens": 11}),
    # OpenRouter's last chunk has its usage beside an empty choice
    ("openrouter", [chunk("Hi", id="gen-1734028800-qLk3vT9xZmWc2RbYpN7d"), chunk("", "stop", id="gen-1734028800-qLk3vT9xZmWc2RbYpN7d"), chunk("", None, USAGE, id="gen-1734028800-qLk3vT9xZmWc2RbYpN7d")], True, {}, "gen-1734028800-qLk3vT9xZmWc2RbYpN7d", {"input_tokens": 19, "output_tokens": 10}),
    # xAI and Perplexity say so far with every chunk
    ("xai", [chunk("Hi", None, {"prompt_tokens": 19, "completion_tokens": 1}, id=UUID), chunk("", "stop", USAGE, id=UUID)], True, {}, UUID, {"input_tokens": 19, "output_tokens": 10}),
    ("perplexity", [chunk("Hi", None, {"prompt_tokens": 19, "completion_tokens": 1}, id=UUID), chunk("", "stop", USAGE | {"search_context_size": "low"}, id=UUID)], False, {}, UUID, {"input_tokens": 19, "output_tokens": 10, "low_context_requests": 1}),
    ("groq", [chunk("Hi"), chunk("", "stop", None, x_groq={"id": "req_1", "usage": USAGE})], True, {}, GPT, {"input_tokens": 19, "output_tokens": 10}),
    ("mistral", [chunk("Hi", id="e5cc70bb28c444948073e77776eb30ef"), chunk("", "stop", USAGE, id="e5cc70bb28c444948073e77776eb30ef")], True, {}, "e5cc70bb28c444948073e77776eb30ef", {"input_tokens": 19, "output_tokens": 10}),
    ("deepseek", [chunk("Hi", id=UUID), chunk("", "stop", USAGE | {"prompt_cache_hit_tokens": 9, "prompt_cache_miss_tokens": 10}, id=UUID)], True, {}, UUID, {"input_tokens": 10, "cache_read_tokens": 9, "output_tokens": 10}),
    ("anthropic", CLAUDE_STREAM, False, {}, CLAUDE, {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 15}),
    ("vertex", CLAUDE_STREAM, False, {}, CLAUDE, {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 15}),
    ("gemini", GEMINI_STREAM, False, {}, GEMINI, {"input_tokens": 8, "output_tokens": 5, "reasoning_tokens": 30}),
    ("cohere", [{"type": "message-start", "id": UUID, "delta": {"message": {"role": "assistant"}}}, {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hi"}}}}, {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"billed_units": {"input_tokens": 3, "output_tokens": 1}}}}], False, {"model": "command-a-03-2025"}, UUID, {"input_tokens": 3, "output_tokens": 1}),
    ("cohere", [{"event_type": "stream-start", "is_finished": False, "generation_id": UUID}, {"event_type": "text-generation", "text": "Hi"}, {"event_type": "stream-end", "is_finished": True, "finish_reason": "COMPLETE", "response": {"generation_id": UUID, "text": "Hi", "meta": {"billed_units": {"input_tokens": 3, "output_tokens": 1}}}}], False, {"model": "command-a-03-2025"}, UUID, {"input_tokens": 3, "output_tokens": 1}),
    ("bedrock", [{"messageStart": {"role": "assistant"}}, {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}}, {"contentBlockStop": {"contentBlockIndex": 0}}, {"messageStop": {"stopReason": "end_turn"}}, {"metadata": {"usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokens": 7}, "metrics": {"latencyMs": 830}}}], False, {"model": "amazon.nova-pro-v1:0", "id": UUID}, UUID, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 2}),
    ("bedrock", [*CLAUDE_STREAM[:-1], CLAUDE_STREAM[-1] | {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 25, "outputTokenCount": 15, "invocationLatency": 830, "firstByteLatency": 100}}], False, {"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}, CLAUDE, {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 15}),
    ("openai", [{"type": "speech.audio.delta", "audio": "aGk="}, {"type": "speech.audio.done", "usage": {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}}], False, {"model": "gpt-4o-mini-tts", "id": "k"}, "k", {"input_tokens": 14, "output_tokens": 0, "output_audio_tokens": 101}),
    ("openai", [{"type": "transcript.text.delta", "delta": "Hi"}, {"type": "transcript.text.done", "text": "Hi", "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"audio_tokens": 14}, "output_tokens": 45}}], False, {"model": "gpt-4o-transcribe", "id": "k"}, "k", {"input_tokens": 0, "input_audio_tokens": 14, "output_tokens": 45}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "events", "done", "query", "id", "usage"), WHOLE, ids=[f"{row[0]}-{place}" for place, row in enumerate(WHOLE)])  # fmt: skip
@pytest.mark.parametrize("form", ["chunks", "transcript"])
def test_a_stream_is_one_call_with_what_the_vendor_said_at_its_end(
    provider: str,
    events: list[Any],
    done: bool,
    query: dict[str, str],
    id: str,
    usage: dict[str, int],
    form: str,
) -> None:
    body, media = (events, "application/json") if form == "chunks" else (sse(*events, done=done), SSE)
    event = said(provider, body, media, query=query)
    assert event["id"] == id
    assert event["data"]["usage"] == usage
    assert "estimated" not in event["data"]
    event_of(event)


def test_a_transcript_may_be_written_in_every_way_that_the_standard_allows() -> None:
    plain = sse(*CLAUDE_STREAM)
    named = sse(*CLAUDE_STREAM, named=True)
    returns = b"\xef\xbb\xbf: a remark\r\nid: 1\r\nretry: 10\r\n\r\n" + named.replace(b"\n", b"\r\n")
    cut = plain[:-1]  # the empty line after the last event is missing
    spaced = plain.replace(b"data: ", b"data:").replace(b', "usage"', b',\ndata: "usage"')
    for body in (plain, named, returns, cut, spaced):
        assert said("anthropic", body, SSE)["data"]["usage"]["output_tokens"] == 15


def broken(provider: str, events: list[Any], **query: str) -> tuple[dict[str, Any], Any]:
    found = translated(provider, sse(*events), SSE, query=query)
    assert not found.refused
    (event,) = [sent.said["data"] for sent in found.events]
    return event, found.noted


def test_a_stream_that_breaks_off_is_metered_by_what_it_sent() -> None:
    """Input as Anthropic stated it first; for the output the text, 42 letters in two deltas: 11 tokens at 4 each."""
    event, noted = broken("anthropic", CLAUDE_STREAM[:5])
    assert event["usage"] == {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 11}
    assert event["estimated"] == ["output_tokens"]
    assert noted == {"quantities estimated": 1}


def test_a_stream_that_breaks_off_after_its_last_count_is_what_it_counted() -> None:
    """Never less than what the vendor said so far, and still an estimate."""
    event, _ = broken("xai", [chunk("Hi", None, {"prompt_tokens": 19, "completion_tokens": 7}, id=UUID)])
    assert event["usage"] == {"input_tokens": 19, "output_tokens": 7}
    assert event["estimated"] == ["output_tokens"]
    event, _ = broken("gemini", GEMINI_STREAM[:2])
    assert event["usage"] == {"input_tokens": 8, "output_tokens": 2}
    assert event["estimated"] == ["output_tokens"]


def test_each_chunk_of_text_is_a_token_at_least() -> None:
    event, _ = broken("gemini", [gemini("a"), gemini("b"), gemini("c")])
    assert event["usage"]["output_tokens"] == 3


def test_a_stream_without_any_count_is_counted_and_says_that_its_input_is_unknown() -> None:
    """OpenAI counts only where `stream_options.include_usage` asks for it, also where the stream is whole."""
    for events in (
        [chunk("It may rain."), chunk(" Stay.")],
        [chunk("It may rain."), chunk(" Stay.", "stop")],
    ):
        event, noted = broken("openai", events)
        assert event["usage"] == {"input_tokens": 0, "output_tokens": 5}  # 18 letters
        assert event["estimated"] == ["input_tokens", "output_tokens"]
        assert noted["input unknown: send ?input_tokens="] == 1
        event, noted = broken("openai", events, input_tokens="120")
        assert event["usage"] == {"input_tokens": 120, "output_tokens": 5}
        assert event["estimated"] == ["input_tokens", "output_tokens"]
        assert noted == {"quantities estimated": 1}


def test_arguments_of_tools_and_thoughts_are_counted_like_text() -> None:
    call = {"index": 0, "function": {"name": "f", "arguments": '{"a": "rain"}'}}
    choice = {
        "index": 0,
        "delta": {"reasoning_content": "Hmm, yes", "tool_calls": [call]},
        "finish_reason": None,
    }
    event, _ = broken(
        "deepseek",
        [{"id": UUID, "object": "chat.completion.chunk", "model": "deepseek-chat", "choices": [choice]}],
    )
    assert event["usage"]["output_tokens"] == 6  # 8 and 13 letters
    event, _ = broken("openai", RESPONSES[:2])
    assert event["usage"]["output_tokens"] == 4


def test_what_broke_off_is_provisional_and_the_whole_message_has_the_same_identity(book: PriceBook) -> None:
    early = said("anthropic", sse(*CLAUDE_STREAM[:5]), SSE)
    late = said("anthropic", sse(*CLAUDE_STREAM), SSE)
    assert (early["source"], early["id"]) == (late["source"], late["id"])
    status = {line.unit: line.status for line in rated(early, book).lines}
    assert status["output_tokens"] == "provisional"
    assert status["input_tokens"] == "priced"
    assert rated(late, book).status == "priced"
    assert all(late["data"]["usage"][unit] >= quantity for unit, quantity in early["data"]["usage"].items())


@pytest.mark.parametrize(("provider", "events", "done", "query", "id", "usage"), WHOLE, ids=[f"{row[0]}-{place}" for place, row in enumerate(WHOLE)])  # fmt: skip
def test_wherever_a_stream_breaks_off_the_whole_message_amends_what_was_booked(
    provider: str, events: list[Any], done: bool, query: dict[str, str], id: str, usage: dict[str, int]
) -> None:
    """What the corrector asks of a later message (`raising.py`): the same identity, and of quantities that are no
    estimates no less."""
    broken_off = 0
    for count in range(1, len(events)):
        found = translated(provider, sse(*events[:count]), SSE, query={"input_tokens": "9", **query})
        for early in (sent.said for sent in found.events):
            assert early["id"] == id
            estimated = early["data"].get("estimated", ())
            counted = {
                unit: quantity for unit, quantity in early["data"]["usage"].items() if unit not in estimated
            }
            assert all(usage.get(unit, 0) >= quantity for unit, quantity in counted.items())
            broken_off += bool(estimated)
    assert broken_off or id == "k"


def test_chunks_of_a_text_completion_look_like_the_whole() -> None:
    head = {
        "id": "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7Yq3Xd",
        "object": "text_completion",
        "model": "gpt-3.5-turbo-instruct",
    }
    chunks = [
        head | {"choices": [{"text": "Take an ", "finish_reason": None}]},
        head | {"choices": [{"text": "umbrella", "finish_reason": "stop"}]},
    ]
    event, _ = broken("openai", chunks[:1])
    assert event["usage"] == {"input_tokens": 0, "output_tokens": 2}
    whole = said("openai", sse(*chunks, head | {"choices": [], "usage": USAGE}, done=True), SSE)
    assert whole["data"]["usage"] == {"input_tokens": 19, "output_tokens": 10}
    assert "estimated" not in whole["data"]


def test_a_zero_that_a_proxy_adds_takes_nothing_away() -> None:
    """Anthropic's counts only grow; some who pass its streams on say 0 of the input at the end."""
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 15},
    }
    event = said("anthropic", [*CLAUDE_STREAM[:6], end])
    assert event["data"]["usage"] == {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 15}


@pytest.mark.parametrize("left", [10, 60, 120])
def test_a_stream_may_break_off_in_the_middle_of_an_event(left: int) -> None:
    body = sse(*CLAUDE_STREAM[:4]) + sse(CLAUDE_STREAM[4])[:left]
    found = translated("anthropic", body, SSE)
    (event,) = [sent.said["data"] for sent in found.events]
    assert event["usage"]["input_tokens"] == 25
    assert event["estimated"] == ["output_tokens"]
    assert not found.refused


def test_a_piece_of_audio_is_a_token_at_least_and_not_its_length() -> None:
    sound = {"type": "response.output_audio.delta", "delta": "UklGRg==" * 10_000}
    event, _ = broken("openai", [RESPONSES[0], sound, sound])
    assert event["usage"]["output_tokens"] == 2


def test_a_body_has_bounds_of_lines_and_of_events() -> None:
    for media, line, most in ((JSONL, b"{}\n", 10_000), (SSE, b"data: {}\n\n", 100_000)):
        with pytest.raises(RequestRefused, match=f"at most {most} ") as refused:
            translated("openai", line * (most + 1), media)
        assert refused.value.status == 413


def test_a_stream_that_sent_nothing_says_nothing() -> None:
    assert refusals("openai", sse(chunk("")), SSE) == [("usage", "no usage: the answer states none")]
    assert refusals("openai", b"", SSE) == [("body", "no usage: the body holds no answer of this provider")]


def test_events_of_bedrock_may_come_packed() -> None:
    """InvokeModelWithResponseStream hands on each event as bytes: in JSON, base64."""
    packed = [{"chunk": {"bytes": b64encode(msgspec.json.encode(event)).decode()}} for event in CLAUDE_STREAM]
    event = said("bedrock", packed, query={"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"})
    assert event["data"]["usage"] == {"input_tokens": 25, "cache_read_tokens": 100, "output_tokens": 15}
    assert refusals("bedrock", {"chunk": {"bytes": "?"}}) == [("body", "chunk.bytes must be JSON in base64")]


def test_a_realtime_session_is_a_call_for_each_response_and_one_for_each_thing_heard() -> None:
    usage = {
        "input_tokens": 5,
        "output_tokens": 2,
        "input_token_details": {"audio_tokens": 5},
        "output_token_details": {"audio_tokens": 2},
    }
    ids = ["resp_BGGyIbxvqDrcEgmSQDTQh", "resp_CHHzJcywRErsFhnTREURi"]
    events = [
        {"type": "session.created", "event_id": "event_1", "session": {"type": "realtime", "model": "gpt-realtime", "instructions": "x"}},
        {"type": "response.done", "response": {"object": "realtime.response", "id": ids[0], "status": "completed", "usage": usage}},
        {"type": "conversation.item.input_audio_transcription.completed", "item_id": "item_BGGyIgZmQvbHh6VpLk3Td", "transcript": "x", "usage": {"type": "duration", "seconds": 2.5}},
        {"type": "response.done", "response": {"object": "realtime.response", "id": ids[1], "status": "completed", "usage": usage}},
    ]  # fmt: skip
    found = translated("openai", events, query={"transcription_model": "whisper-1"})
    assert [(sent.said["id"], sent.said["data"]["sku"]) for sent in found.events] == [
        (ids[0], "gpt-realtime"), ("item_BGGyIgZmQvbHh6VpLk3Td", "whisper-1"), (ids[1], "gpt-realtime"),
    ]  # fmt: skip
    assert found.events[0].said["data"]["usage"] == {
        "input_tokens": 0,
        "input_audio_tokens": 5,
        "output_tokens": 0,
        "output_audio_tokens": 2,
    }
    found = translated("openai", events)
    assert [(bad["field"], bad["reason"]) for bad in found.refused] == [
        ("transcription_model", "the answer names none: add ?transcription_model=")
    ]


def test_a_live_session_is_a_call_for_each_turn() -> None:
    turn = {"serverContent": {"modelTurn": {"parts": [{"text": "x"}]}}}
    ends = [
        turn | {"usageMetadata": {"promptTokenCount": count, "responseTokenCount": 3}} for count in (7, 9)
    ]
    found = translated(
        "gemini", [turn, ends[0], turn, ends[1]], query={"model": "gemini-live-2.5-flash", "id": "k"}
    )
    assert [(sent.said["id"], sent.said["data"]["usage"]["input_tokens"]) for sent in found.events] == [
        ("k#0", 7),
        ("k#1", 9),
    ]


def test_several_calls_in_one_body_are_told_apart_by_their_ids_and_without_by_their_place() -> None:
    ids = [GPT, GPT.replace("B9M", "C9M")]
    found = translated(
        "openai",
        [
            chunk("a", id=ids[0]),
            chunk("b", id=ids[1]),
            chunk(usage=USAGE, id=ids[0]),
            chunk(usage=USAGE, id=ids[1]),
        ],
    )
    assert [sent.said["id"] for sent in found.events] == ids
    embedded = {
        "object": "list",
        "model": "text-embedding-3-small",
        "data": [],
        "usage": {"prompt_tokens": 8},
    }
    found = translated("openai", [embedded, embedded], headers={"idempotency-key": "k"})
    assert [sent.said["id"] for sent in found.events] == ["k#0", "k#1"]


def test_lines_may_be_answers_themselves() -> None:
    found = translated(
        "openai",
        jsonl({"id": GPT, "object": "chat.completion", "model": "gpt-4o", "choices": [{}], "usage": USAGE}),
        JSONL,
    )
    assert "context" not in found.events[0].said["data"]
