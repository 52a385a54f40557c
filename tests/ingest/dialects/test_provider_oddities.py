"""What vendors say otherwise than their protocol: each case is one that a plain reading prices wrong."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

import pytest

from services.ingest.accept import accept_translated
from services.ingest.dialects.provider_responses import CUT
from services.ingest.entrances import Incoming
from services.ingest.provider_entrance import PROVIDER_RESPONSES
from services.ingest.refused import RequestRefused
from tests.ingest.dialects.provider_calls import JSON, JSONL, refusals, said, translated
from tests.ingest.test_accept import NOW, submission

MODEL = {"id": "r1", "model": "some-model"}
DONE = [{"message": {}, "finish_reason": "stop"}]


def usage_of(provider: str, body: Any, media_type: str = JSON, **more: Any) -> dict[str, Any]:
    used: dict[str, Any] = said(provider, body, media_type, **more)["data"]["usage"]
    return used


@pytest.mark.parametrize(
    ("provider", "response"),
    [
        (
            "vertex",
            {"id": "msg_vrtx_013Zva2CMHLNnXjNJJKqJ2EF", "type": "message", "model": "claude-sonnet-4-5",
             "usage": {"input_tokens": 100, "output_tokens": 50}},
        ),
        (
            "fireworks",
            {"id": "0daf962f-a275-4a3c-839a-047854645532", "object": "chat.completion", "model": "m",
             "choices": DONE, "usage": {"prompt_tokens": 100, "completion_tokens": 50}},
        ),
    ],
)  # fmt: skip
def test_a_row_of_a_batch_may_hold_its_answer_without_a_wrapping(
    provider: str, response: dict[str, Any]
) -> None:
    row = json.dumps({"custom_id": "request-1", "response": response, "status": ""}).encode()
    event = said(provider, row, JSONL)
    assert event["data"]["usage"] == {"input_tokens": 100, "output_tokens": 50}
    assert event["data"]["context"] == {"batch": True}
    failed = json.dumps({"custom_id": "request-1", "response": {"error": {"code": 429}}, "status": ""})
    assert translated(provider, failed.encode(), JSONL).events == []


GEMINI = [
    {"responseId": "fJQtaKSLHYq7vdIP_8T_uAw", "modelVersion": "gemini-2.5-pro", "candidates": [{"content": {"parts": [{"text": 'say "[{" \\'}]}}],
     "usageMetadata": {"promptTokenCount": 100}},
    {"responseId": "fJQtaKSLHYq7vdIP_8T_uAw", "modelVersion": "gemini-2.5-pro", "candidates": [{"content": {"parts": [{"text": "more"}]}}],
     "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 7}},
]  # fmt: skip


def _cut_lists() -> list[bytes]:
    """Of a list of chunks that never closes: between two of them, behind a comma, and at every byte of the second."""
    first, second = (json.dumps(chunk).encode() for chunk in GEMINI)
    return [
        b"[" + first,
        b" [" + first + b"\r\n",
        *(b"[" + first + b"\n,\r\n" + second[:n] for n in range(len(second))),
    ]


def test_a_list_of_chunks_that_is_cut_off_is_what_came_of_it() -> None:
    for body in _cut_lists():
        found = translated("gemini", body)
        assert (found.refused, len(found.events)) == ([], 1), body
        made = found.events[0].said["data"]
        # 100 in; the text 'say "[{" \\' has 10 bytes in UTF-8, of which four are a token: 3
        assert (made["usage"], made["estimated"]) == (
            {"input_tokens": 100, "output_tokens": 3},
            ["output_tokens"],
        )
        assert found.noted[CUT] == 1
    both = b"[" + b",".join(json.dumps(chunk).encode() for chunk in GEMINI)
    made = translated("gemini", both).events[0].said["data"]
    assert (made["usage"]["output_tokens"], made["estimated"]) == (7, ["output_tokens"])


@pytest.mark.parametrize(
    "body", [b"[", b'[{"cand', b"[{}}", b"[{}] [{}", b'[{"a": 1} {"b": 2}]', b'["a', b"[[{}", b"[{}, nul}"]
)
def test_a_list_that_is_none_is_refused(body: bytes) -> None:
    assert [field for field, _ in refusals("gemini", body)] == ["body"]


def test_a_list_that_is_cut_off_is_looked_through_once() -> None:
    deep = b'[{"a":1},' + b"[" * 1_000_000
    quoted = b'[{"a":1},"' + b'\\"[{' * 1_000_000
    for body in (deep, quoted):
        assert len(refusals("gemini", body)) == 1


@pytest.mark.parametrize(
    ("headers", "query", "field", "reason"),
    [
        ({"spendmeter-labels": "team=" + "x" * 129}, {}, "header Spendmeter-Labels", "a label has at most 128 characters"),
        ({}, {"label.team": "x" * 129}, "query label.team", "a label has at most 128 characters"),
        ({}, {"label.canary": "a\u202eb"}, "query label.*", "a label has a character that cannot be seen"),
        ({"spendmeter-labels": "canary"}, {}, "header Spendmeter-Labels", "is a list of name=value, separated by commas"),
    ],
)  # fmt: skip
def test_a_label_of_all_calls_that_cannot_be_refuses_the_request_by_where_it_is_said(
    headers: dict[str, str], query: dict[str, str], field: str, reason: str
) -> None:
    incoming = Incoming(
        body=json.dumps(GEMINI).encode(), media_type=JSON, headers=headers, query=query, path={"provider": "gemini"}, url="", now=NOW
    )  # fmt: skip
    with pytest.raises(RequestRefused) as caught:
        PROVIDER_RESPONSES.read(incoming, submission(now=NOW))
    assert caught.value.status == HTTPStatus.BAD_REQUEST
    assert caught.value.errors == [{"index": None, "field": field, "reason": reason}]
    assert "canary" not in str(caught.value)


def _metrics(read: int, made: int) -> dict[str, Any]:
    return {"amazon-bedrock-invocationMetrics": {"inputTokenCount": read, "outputTokenCount": made}}


LLAMA = [
    {"generation": "He", "prompt_token_count": 17, "generation_token_count": 1, "stop_reason": None},
    {"generation": "llo", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
    {"generation": "", "generation_token_count": 3, "stop_reason": "stop", **_metrics(17, 3)},
]
MISTRAL = [
    {"outputs": [{"text": "He", "stop_reason": None}]},
    {"outputs": [{"text": "", "stop_reason": "stop"}], **_metrics(17, 3)},
]
TITAN = [
    {"outputText": "He", "inputTextTokenCount": 17, "completionReason": None},
    {"outputText": "", "inputTextTokenCount": 17, "completionReason": "FINISH", **_metrics(17, 3)},
]
GPT_OSS = [
    {"object": "chat.completion.chunk", "choices": [{"delta": {"content": "He"}, "finish_reason": None}]},
    {"object": "chat.completion.chunk", "choices": [{"delta": {}, "finish_reason": "stop"}],
     **_metrics(17, 3)},
]  # fmt: skip


@pytest.mark.parametrize("chunks", [LLAMA, MISTRAL, TITAN, GPT_OSS])
def test_a_stream_of_any_makers_model_at_bedrock_is_one_call(chunks: list[dict[str, Any]]) -> None:
    event = said("bedrock", chunks, query=MODEL)
    assert event["data"]["usage"] == {"input_tokens": 17, "output_tokens": 3}
    assert "estimated" not in event["data"]


def test_a_stream_of_llamas_that_breaks_off_is_what_it_counted_and_an_estimate() -> None:
    data = said("bedrock", LLAMA[:2], query=MODEL)["data"]
    assert (data["usage"], data["estimated"]) == (
        {"input_tokens": 17, "output_tokens": 2},
        ["output_tokens"],
    )


def test_what_headers_count_of_a_whole_answer_is_no_estimate() -> None:
    counted = {"x-amzn-bedrock-input-token-count": "17", "x-amzn-bedrock-output-token-count": "3"}
    data = said("bedrock", MISTRAL[0], query=MODEL, headers=counted)["data"]
    assert (data["usage"], "estimated" in data) == ({"input_tokens": 17, "output_tokens": 3}, False)


def test_moonshot_says_its_usage_in_a_choice_and_its_cache_beside_the_details() -> None:
    # 1,336 of which 1,280 came from the cache, at a quarter of the price
    used = {"prompt_tokens": 1336, "completion_tokens": 31, "total_tokens": 1367, "cached_tokens": 1280}
    disjoint = {"input_tokens": 56, "cache_read_tokens": 1280, "output_tokens": 31}
    chunk = {"id": "chatcmpl-69bb", "object": "chat.completion.chunk", "model": "kimi-k2"}
    stream = [
        chunk | {"choices": [{"delta": {"content": "hello"}, "finish_reason": None}]},
        chunk | {"choices": [{"delta": {}, "finish_reason": "stop", "usage": used}]},
    ]
    assert usage_of("moonshotai", stream, query=MODEL) == disjoint
    whole = {"id": "c", "object": "chat.completion", "model": "kimi-k2", "choices": DONE, "usage": used}
    assert usage_of("moonshotai", whole, query=MODEL) == disjoint


def test_alibaba_says_what_it_wrote_to_its_cache_in_anthropics_words() -> None:
    inside = {"cached_tokens": 0, "cache_creation_input_tokens": 1529}
    used = {"prompt_tokens": 1605, "completion_tokens": 187, "prompt_tokens_details": inside}
    whole = {"id": "c", "object": "chat.completion", "model": "qwen3-max", "choices": DONE, "usage": used}
    assert usage_of("alibaba", whole, query=MODEL) == {
        "input_tokens": 76,  # 1,605 - 1,529
        "cache_write_5m_tokens": 1529,
        "output_tokens": 187,
    }


def test_thoughts_that_lie_in_the_total_alone_are_metered() -> None:
    chat = {"id": "c", "object": "chat.completion", "model": "m", "choices": DONE}
    used = {"prompt_tokens": 9, "completion_tokens": 10, "total_tokens": 819}
    assert usage_of("gemini", chat | {"usage": used}, query=MODEL) == {
        "input_tokens": 9,
        "output_tokens": 10,
        "reasoning_tokens": 800,  # 819 - 9 - 10
    }
    # a Grok at Azure names them, and leaves them out of its completion all the same
    named = used | {"completion_tokens_details": {"reasoning_tokens": 800}}
    assert usage_of("azure", chat | {"usage": named}, query=MODEL) == {
        "input_tokens": 9,
        "output_tokens": 10,
        "reasoning_tokens": 800,
    }
    inside = {"prompt_tokens": 9, "completion_tokens": 810, "total_tokens": 819}
    inside |= {"completion_tokens_details": {"reasoning_tokens": 800}}
    assert usage_of("azure", chat | {"usage": inside}, query=MODEL)["output_tokens"] == 10


@pytest.mark.parametrize(
    ("provider", "usage", "context"),
    [
        ("anthropic", {"input_tokens": 100, "output_tokens": 5, "service_tier": "batch"}, {"batch": True}),
        (
            "anthropic",
            {"input_tokens": 100, "output_tokens": 5, "speed": "fast", "inference_geo": "us"},
            {"service_tier": "fast", "region": "us"},
        ),
        (
            "vertex",
            {"promptTokenCount": 100, "candidatesTokenCount": 5, "trafficType": "ON_DEMAND_FLEX"},
            {"service_tier": "ON_DEMAND_FLEX"},
        ),
    ],
)
def test_how_a_call_was_served_is_read_off_its_usage_alone(
    provider: str, usage: dict[str, Any], context: dict[str, Any]
) -> None:
    data = said(provider, usage, query=MODEL)["data"]
    assert (data["context"], data["usage"]) == (context, {"input_tokens": 100, "output_tokens": 5})


def test_zeros_that_a_server_puts_where_it_counts_nothing_are_no_count() -> None:
    chunk = {"id": "c1", "object": "chat.completion.chunk", "model": "m"}
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    text = chunk | {"choices": [{"delta": {"content": "eight chars, and so on"}, "finish_reason": "stop"}]}
    end = chunk | {"choices": [], "usage": zero}
    data = said("openai", [text, end], query=MODEL)["data"]
    assert data["estimated"] == ["input_tokens", "output_tokens"]
    assert data["usage"]["output_tokens"] == 6  # 22 bytes, at 4 a token
    counted = text | {"usage": {"prompt_tokens": 500, "completion_tokens": 20, "total_tokens": 520}}
    assert usage_of("openai", [counted, end], query=MODEL) == {"input_tokens": 500, "output_tokens": 20}


@pytest.mark.parametrize(
    ("provider", "body", "cost"),
    [
        ("openrouter", b'{"usage":{"prompt_tokens":9,"cost":0.000014049999999999999}}', "0.00001405"),
        ("openrouter", b'{"usage":{"prompt_tokens":9,"cost":5.8500000000000005e-06}}', "0.00000585"),
        ("perplexity", b'{"usage":{"prompt_tokens":9,"cost":{"total_cost":0.30000000000000004}}}', "0.3"),
        ("openrouter", b'{"usage":{"prompt_tokens":9,"cost":1e-999999}}', "0"),
    ],
)
def test_a_cost_that_a_double_cannot_hold_loses_no_call(provider: str, body: bytes, cost: str) -> None:
    taken = accept_translated(translated(provider, body, query=MODEL), submission(), partly=True)
    assert taken.refused == []
    assert taken.events[0].data.reported_cost is not None
    assert taken.events[0].data.reported_cost.amount == cost


def test_seconds_that_a_double_cannot_hold_lose_no_call() -> None:
    body = {"text": "hm", "duration": 8.470000267028809}  # as OpenAI's own reference has it
    taken = accept_translated(translated("openai", body, query=MODEL), submission(), partly=True)
    assert taken.refused == []
    assert [str(each) for each in taken.events[0].data.usage.values()] == ["8.470000267029"]


@pytest.mark.parametrize("cost", ["[0, [1, 2], 3]", "1e999999", "true"])
def test_a_cost_that_is_no_amount_is_refused(cost: str) -> None:
    body = b'{"usage":{"prompt_tokens":9,"cost":@}}'.replace(b"@", cost.encode())
    assert translated("openrouter", body, query=MODEL).events == []
