"""Streams of the vendors' SDKs pass through unchanged, and are metered however they end."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anthropic
import openai
import pytest

from spendmeter_client import Meter
from spendmeter_client.seen import Seen
from tests.client.stand_in import StandIn
from tests.ingest.dialects.vendors import (
    CHAT_USAGE,
    CONTENT,
    MESSAGES_USAGE,
    RESPONSES_USAGE,
    response,
    vendor,
)

ASKED: list[Any] = [{"role": "user", "content": CONTENT}]
SENT = len(CONTENT)


@pytest.fixture(scope="module")
def vendor_url() -> Iterator[str]:
    with vendor() as url:
        yield url


@pytest.fixture
def chat(vendor_url: str) -> Iterator[Any]:
    """What makes a stream of a chat with OpenAI."""
    with openai.OpenAI(api_key="k", base_url=vendor_url + "/v1", max_retries=0) as client:
        yield lambda **more: client.chat.completions.create(
            model="gpt-4o", messages=ASKED, stream=True, **more
        )


@pytest.fixture
def messages(vendor_url: str) -> Iterator[Any]:
    with anthropic.Anthropic(api_key="k", base_url=vendor_url, max_retries=0) as client:
        yield lambda: client.messages.create(
            model="claude-sonnet-4-5", messages=ASKED, max_tokens=9, stream=True
        )


def metered(server: StandIn, meter: Meter) -> dict[str, Any]:
    """The data of the one event that was sent; it says nothing of the content."""
    assert meter.flush()
    (event,) = server.taken
    assert CONTENT not in json.dumps(event)
    return event["data"]


WITH_USAGE = {"stream_options": {"include_usage": True}}


def test_a_chat_is_metered_by_its_last_chunk(server: StandIn, meter: Meter, chat: Any) -> None:
    texts = []
    for chunk in meter.stream("openai", chat(**WITH_USAGE), labels={"team": "search"}):
        texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    assert texts == [CONTENT]
    data = metered(server, meter)
    assert (data["response"]["usage"], data["response"]["model"]) == (CHAT_USAGE, "gpt-4o-2024-08-06")
    assert (data["labels"], "interrupted" in data, data["performance"]["latency_ms"] >= 0) == (
        {"team": "search"}, False, True,
    )  # fmt: skip


def test_a_chat_that_never_says_its_usage_says_how_much_it_sent(
    server: StandIn, meter: Meter, chat: Any
) -> None:
    assert len(list(meter.stream("openai", chat(), input_tokens=2006))) == 3
    data = metered(server, meter)
    assert "usage" not in data["response"]
    assert (data["interrupted"], data["sent_pieces"], data["sent_bytes"], data["input_tokens"]) == (
        True,
        1,
        SENT,
        2006,
    )


def test_a_chat_that_is_left_says_how_much_it_sent(server: StandIn, meter: Meter, chat: Any) -> None:
    with meter.stream("openai", chat(**WITH_USAGE)) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
    data = metered(server, meter)
    assert (data["interrupted"], data["sent_bytes"]) == (True, SENT)
    assert data["response"]["id"].startswith("chatcmpl-")


def test_a_chat_that_nobody_holds_any_more_is_metered(server: StandIn, meter: Meter, chat: Any) -> None:
    stream = meter.stream("openai", chat(**WITH_USAGE))
    next(stream)
    del stream
    gc.collect()
    assert metered(server, meter)["interrupted"] is True


def test_a_chat_that_is_left_after_its_usage_was_said_is_complete(
    server: StandIn, meter: Meter, chat: Any
) -> None:
    stream = meter.stream("openai", chat(**WITH_USAGE))
    for chunk in stream:
        if chunk.usage:
            break
    stream.close()
    stream.close()
    data = metered(server, meter)
    assert (data["response"]["usage"], "interrupted" in data) == (CHAT_USAGE, False)


def test_a_message_is_metered_by_its_start_and_its_last_delta(
    server: StandIn, meter: Meter, messages: Any
) -> None:
    kinds = [event.type for event in meter.stream("anthropic", messages())]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    data = metered(server, meter)
    assert data["response"]["usage"] == MESSAGES_USAGE  # 10 output tokens at the end, 1 at the start
    assert data["response"]["model"] == "claude-sonnet-4-5-20250929"
    assert "interrupted" not in data


def test_a_message_that_is_left_has_the_usage_of_its_start(
    server: StandIn, meter: Meter, messages: Any
) -> None:
    with meter.stream("anthropic", messages()) as stream:
        for event in stream:
            if event.type == "content_block_delta":
                break
    data = metered(server, meter)
    assert data["response"]["usage"] == MESSAGES_USAGE | {"output_tokens": 1}
    assert (data["interrupted"], data["sent_pieces"], data["sent_bytes"]) == (True, 1, SENT)


@pytest.mark.parametrize("way", ["text_stream", "events"])
def test_a_message_that_is_read_with_the_sdks_helpers_is_metered(
    server: StandIn, meter: Meter, vendor_url: str, way: str
) -> None:
    with anthropic.Anthropic(api_key="k", base_url=vendor_url, max_retries=0) as client:
        manager = client.messages.stream(model="claude-sonnet-4-5", messages=ASKED, max_tokens=9)
        with meter.stream("anthropic", manager) as stream:
            said = list(stream.text_stream if way == "text_stream" else stream)
    assert said[0] == CONTENT if way == "text_stream" else said[-1].type == "message_stop"
    data = metered(server, meter)
    assert (data["response"]["usage"], "interrupted" in data) == (MESSAGES_USAGE, False)


def test_a_message_that_is_left_with_the_sdks_helpers_counts_its_text_once(
    server: StandIn, meter: Meter, vendor_url: str
) -> None:
    with anthropic.Anthropic(api_key="k", base_url=vendor_url, max_retries=0) as client:
        manager = client.messages.stream(model="claude-sonnet-4-5", messages=ASKED, max_tokens=9)
        with meter.stream("anthropic", manager) as stream:
            for event in stream:
                if event.type == "text":
                    break
    data = metered(server, meter)
    assert (data["interrupted"], data["sent_pieces"], data["sent_bytes"]) == (True, 1, SENT)


@pytest.mark.parametrize("way", ["events", "until done"])
def test_a_chat_that_is_read_with_the_sdks_helpers_is_metered(
    server: StandIn, meter: Meter, vendor_url: str, way: str
) -> None:
    with openai.OpenAI(api_key="k", base_url=vendor_url + "/v1", max_retries=0) as client:
        manager = client.chat.completions.stream(model="gpt-4o", messages=ASKED, **WITH_USAGE)
        with meter.stream("openai", manager) as stream:
            if way == "events":
                list(stream)
            else:
                stream.until_done()
    data = metered(server, meter)
    assert (data["response"]["usage"], "interrupted" in data) == (CHAT_USAGE, False)


async def test_an_async_chat_is_metered(server: StandIn, meter: Meter, vendor_url: str) -> None:
    async with openai.AsyncOpenAI(api_key="k", base_url=vendor_url + "/v1", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=ASKED, stream=True, **WITH_USAGE
        )
        async with meter.stream("openai", stream) as chunks:
            assert len([chunk async for chunk in chunks]) == 4
    data = await asyncio.to_thread(metered, server, meter)
    assert (data["response"]["usage"], "interrupted" in data) == (CHAT_USAGE, False)


async def test_a_task_that_is_cancelled_while_it_waits_for_a_chunk_has_its_stream_metered(
    server: StandIn, meter: Meter
) -> None:
    async def stream() -> AsyncIterator[dict[str, Any]]:
        yield {"id": "r1", "model": "m", "choices": [{"delta": {"content": CONTENT}}]}
        await asyncio.sleep(60)

    async def read() -> None:
        async for _ in meter.stream("openai", stream()):
            pass

    task = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    data = await asyncio.to_thread(metered, server, meter)
    assert (data["interrupted"], data["sent_bytes"]) == (True, SENT)


def test_a_stream_that_breaks_raises_as_it_did_and_is_metered(server: StandIn, meter: Meter) -> None:
    def stream() -> Iterator[dict[str, Any]]:
        yield {"id": "r1", "model": "m", "choices": [{"delta": {"content": CONTENT}}]}
        raise ConnectionResetError("of the vendor's")

    with pytest.raises(ConnectionResetError, match="of the vendor's"):
        list(meter.stream("openai", stream()))
    assert metered(server, meter)["interrupted"] is True


def test_a_stream_that_broke_before_it_said_anything_is_no_call(server: StandIn, meter: Meter) -> None:
    def stream() -> Iterator[dict[str, Any]]:
        raise ConnectionResetError
        yield {}

    with pytest.raises(ConnectionResetError):
        list(meter.stream("openai", stream()))
    assert meter.stats.recorded == 0


def test_chunks_that_nobody_can_read_pass_through_and_are_told_of(
    meter: Meter, caplog: pytest.LogCaptureFixture
) -> None:
    class Odd:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    chunks = [Odd(), None, 7, "text", b"bytes", []]
    assert list(meter.stream("openai", chunks)) == chunks
    assert meter.stats.dropped_by == {"invalid": 1}
    assert "chunks of a stream could not be read, and are not metered: RuntimeError" in caplog.text


def test_a_metered_stream_has_what_the_stream_has(meter: Meter, chat: Any) -> None:
    stream = meter.stream("openai", chat(**WITH_USAGE))
    assert stream.response.status_code == 200
    with pytest.raises(AttributeError):
        stream.no_such_thing  # noqa: B018
    list(stream)


SAID = {
    "openai's responses": ([
        {"type": "response.created", "response": response("gpt-5.6-sol", "resp_1") | {"usage": None, "status": "in_progress"}},
        {"type": "response.output_text.delta", "delta": "four", "item_id": "msg_1"},
        {"type": "response.output_text.done", "text": "four"},
        {"type": "response.completed", "response": response("gpt-5.6-sol", "resp_1")},
    ], RESPONSES_USAGE, 4),
    "google's": ([
        {"responseId": "r", "modelVersion": "gemini-3-pro", "candidates": [{"content": {"parts": [{"text": "fo"}]}}], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1}},
        {"responseId": "r", "modelVersion": "gemini-3-pro", "candidates": [{"content": {"parts": [{"text": "ür"}]}, "finishReason": "STOP"}], "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 2}},
    ], {"promptTokenCount": 7, "candidatesTokenCount": 2}, 5),
    "cohere's": ([
        {"type": "message-start", "id": "c1", "delta": {"message": {"role": "assistant"}}},
        {"type": "content-delta", "delta": {"message": {"content": {"text": "four"}}}},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"billed_units": {"input_tokens": 3, "output_tokens": 1}}}},
    ], {"billed_units": {"input_tokens": 3, "output_tokens": 1}}, 4),
    "bedrock's": ([
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"delta": {"text": "four"}, "contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "end_turn"}},
        {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 1}, "metrics": {"latencyMs": 5}}},
    ], {"inputTokens": 3, "outputTokens": 1}, 4),
    "mistral's": ([
        {"data": {"id": "m1", "model": "mistral-large", "choices": [{"delta": {"content": "fo"}, "finish_reason": None}]}},
        {"data": {"id": "m1", "model": "mistral-large", "choices": [{"delta": {"content": "ur"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}},
    ], {"prompt_tokens": 3, "completion_tokens": 1}, 4),
}  # fmt: skip


@pytest.mark.parametrize("vendor", SAID)
def test_usage_and_length_of_streams_as(vendor: str) -> None:
    chunks, usage, size = SAID[vendor]
    seen = Seen()
    for chunk in chunks[:-1]:
        seen.add(chunk)
    assert not seen.complete
    seen.add(chunks[-1])
    said = seen.answer()
    assert (said.get("usage") or said["usageMetadata"], seen.bytes) == (usage, size)
    assert seen.complete
    assert "four" not in json.dumps(said)
