"""Answers as the vendors' own clients hand them on: read into their types, and written down again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from anthropic.types.beta import BetaMessage
from cohere import V2ChatResponse, V2RerankResponse
from google.genai.types import EmbedContentResponse, GenerateContentResponse
from mistralai.client.models import ChatCompletionResponse, OCRResponse
from openai.types import CreateEmbeddingResponse, ImagesResponse
from openai.types.audio import Transcription, TranscriptionVerbose
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.realtime import ResponseDoneEvent
from openai.types.responses import Response, ResponseCompletedEvent
from pydantic import BaseModel, TypeAdapter

from tests.ingest.dialects.provider_calls import said, translated

GPT = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
RESP = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
CLAUDE = "msg_01XFDUDYJgAACzvnptvVoYEL"
GEMINI = "fJQtaKSLHYq7vdIP_8T_uAw"
UUID = "0daf962f-a275-4a3c-839a-047854645532"
TEXT = {"type": "output_text", "text": "Rain.", "annotations": [], "logprobs": []}
RESPONSE: dict[str, Any] = {
    "id": RESP, "object": "response", "created_at": 1_795_694_400.5, "status": "completed", "model": "gpt-5.4-2026-03-05",
    "error": None, "incomplete_details": None, "instructions": None, "metadata": {}, "parallel_tool_calls": True,
    "temperature": 1.0, "tool_choice": "auto", "top_p": 1.0, "service_tier": "flex",
    "tools": [{"type": "web_search", "search_context_size": "high"}],
    "output": [
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "rain"}},
        {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": "open_page", "url": "https://example.com"}},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [TEXT]},
    ],
    "usage": {
        "input_tokens": 328, "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 28},
        "output_tokens": 52, "output_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 380,
    },
}  # fmt: skip
CHAT: dict[str, Any] = {
    "id": GPT, "object": "chat.completion", "created": 1_795_694_400, "model": "gpt-4o-audio-preview-2025-06-03",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Rain.", "refusal": None}, "finish_reason": "stop", "logprobs": None}],
    "service_tier": "default",
    "usage": {
        "prompt_tokens": 50, "completion_tokens": 20, "total_tokens": 70,
        "prompt_tokens_details": {"audio_tokens": 30, "cached_tokens": 0},
        "completion_tokens_details": {"audio_tokens": 12, "reasoning_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
    },
}  # fmt: skip
MESSAGE: dict[str, Any] = {
    "id": CLAUDE, "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
    "stop_sequence": None, "content": [{"type": "text", "text": "Rain.", "citations": None}],
    "usage": {
        "input_tokens": 2_095, "cache_creation_input_tokens": 2_051, "cache_read_input_tokens": 2_051,
        "cache_creation": {"ephemeral_5m_input_tokens": 1_000, "ephemeral_1h_input_tokens": 1_051}, "inference_geo": "us",
        "output_tokens": 503, "server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}, "service_tier": "priority",
    },
}  # fmt: skip
GENERATED: dict[str, Any] = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Rain."}]}, "finishReason": "STOP", "index": 0,
            "groundingMetadata": {"webSearchQueries": ["rain", "rain", "sun"], "groundingChunks": [{"web": {"uri": "https://example.com", "title": "x"}}]},
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 110, "cachedContentTokenCount": 50, "candidatesTokenCount": 40, "thoughtsTokenCount": 200,
        "toolUsePromptTokenCount": 30, "totalTokenCount": 380, "trafficType": "ON_DEMAND_FLEX",
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 50}, {"modality": "AUDIO", "tokenCount": 60}],
        "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 40}, {"modality": "TEXT", "tokenCount": 10}],
    },
    "modelVersion": "gemini-3-pro-preview", "responseId": GEMINI, "createTime": "2026-11-20T12:00:00.123456Z",
}  # fmt: skip
GENERATED_USAGE = {
    # 140 in all: 40 heard from the cache, 10 read from it, 20 heard anew; 70 of text
    "input_tokens": 70, "input_audio_tokens": 20, "cache_read_tokens": 10, "cache_read_audio_tokens": 40,
    "output_tokens": 40, "reasoning_tokens": 200, "searches": 2,
}  # fmt: skip
BY_CLIENTS: list[tuple[str, Any, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("openai", ChatCompletion, CHAT, {"input_tokens": 20, "input_audio_tokens": 30, "output_tokens": 8, "output_audio_tokens": 12}, {"service_tier": "default"}),
    ("openai", Response, RESPONSE, {"input_tokens": 200, "cache_read_tokens": 100, "cache_write_5m_tokens": 28, "output_tokens": 32, "reasoning_tokens": 20, "high_context_searches": 1}, {"service_tier": "flex"}),
    ("openai", ResponseCompletedEvent, {"type": "response.completed", "sequence_number": 9, "response": RESPONSE}, {"input_tokens": 200, "cache_read_tokens": 100, "cache_write_5m_tokens": 28, "output_tokens": 32, "reasoning_tokens": 20, "high_context_searches": 1}, {"service_tier": "flex"}),
    ("openai", CreateEmbeddingResponse, {"object": "list", "model": "text-embedding-3-small", "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}, {"input_tokens": 8}, {}),
    ("openai", ImagesResponse, {"created": 1_795_694_400, "data": [{"b64_json": "aGVsbG8="}], "size": "1024x1024", "quality": "high", "usage": {"input_tokens": 50, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}, "output_tokens": 4_160, "total_tokens": 4_210}}, {"input_tokens": 10, "input_image_tokens": 40, "output_tokens": 0, "output_image_tokens": 4_160}, {}),
    ("openai", Transcription, {"text": "Rain.", "usage": {"type": "tokens", "input_tokens": 14, "input_token_details": {"text_tokens": 0, "audio_tokens": 14}, "output_tokens": 45, "total_tokens": 59}}, {"input_tokens": 0, "input_audio_tokens": 14, "output_tokens": 45}, {}),
    ("openai", Transcription, {"text": "Rain.", "usage": {"type": "duration", "seconds": 9}}, {"audio_seconds": 9}, {}),
    ("openai", TranscriptionVerbose, {"task": "transcribe", "language": "english", "duration": 8.5, "text": "Rain."}, {"audio_seconds": "8.5"}, {}),
    ("openai", ResponseDoneEvent, {"type": "response.done", "event_id": "event_1", "response": {"object": "realtime.response", "id": "resp_BGGyIbxvqDrcEgmSQDTQh", "status": "completed", "output": [], "usage": {"total_tokens": 253, "input_tokens": 132, "output_tokens": 121, "input_token_details": {"text_tokens": 60, "audio_tokens": 62, "image_tokens": 10, "cached_tokens": 74, "cached_tokens_details": {"text_tokens": 10, "audio_tokens": 60, "image_tokens": 4}}, "output_token_details": {"text_tokens": 30, "audio_tokens": 91}}}}, {"input_tokens": 50, "input_audio_tokens": 2, "input_image_tokens": 6, "cache_read_tokens": 10, "cache_read_audio_tokens": 60, "cache_read_image_tokens": 4, "output_tokens": 30, "output_audio_tokens": 91}, {}),
    ("anthropic", Message, MESSAGE, {"input_tokens": 2_095, "cache_read_tokens": 2_051, "cache_write_5m_tokens": 1_000, "cache_write_1h_tokens": 1_051, "output_tokens": 503, "searches": 3, "web_fetches": 1}, {"service_tier": "priority", "region": "us"}),
    ("vertex", BetaMessage, MESSAGE, {"input_tokens": 2_095, "cache_read_tokens": 2_051, "cache_write_5m_tokens": 1_000, "cache_write_1h_tokens": 1_051, "output_tokens": 503, "searches": 3, "web_fetches": 1}, {"service_tier": "priority", "region": "us"}),
    ("gemini", GenerateContentResponse, GENERATED, GENERATED_USAGE, {"service_tier": "ON_DEMAND_FLEX"}),
    ("vertex", GenerateContentResponse, GENERATED, GENERATED_USAGE, {"service_tier": "ON_DEMAND_FLEX"}),
    ("gemini", EmbedContentResponse, {"embeddings": [{"values": [0.1]}], "usageMetadata": {"promptTokenCount": 7}}, {"input_tokens": 7}, {}),
    ("mistral", ChatCompletionResponse, {"id": "e5cc70bb28c444948073e77776eb30ef", "object": "chat.completion", "model": "mistral-large-latest", "created": 1_795_694_400, "usage": {"prompt_tokens": 16, "completion_tokens": 34, "total_tokens": 50, "service_tier": "priority"}, "choices": [{"index": 0, "message": {"role": "assistant", "content": "Rain."}, "finish_reason": "stop"}]}, {"input_tokens": 16, "output_tokens": 34}, {"service_tier": "priority"}),
    ("mistral", OCRResponse, {"pages": [{"index": 0, "markdown": "Rain.", "images": [], "dimensions": None}], "model": "mistral-ocr-2505", "usage_info": {"pages_processed": 29, "doc_size_bytes": 3_002}}, {"pages": 29}, {}),
    ("mistral", OCRResponse, {"pages": [{"index": 0, "markdown": "Rain.", "images": [], "dimensions": None}], "model": "mistral-ocr-2505", "document_annotation": "{}", "usage_info": {"pages_processed": 29}}, {"annotated_pages": 29}, {}),
    ("cohere", V2ChatResponse, {"id": UUID, "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "Rain."}]}, "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 418}, "tokens": {"input_tokens": 71, "output_tokens": 418}}}, {"input_tokens": 5, "output_tokens": 418}, {}),
    ("cohere", V2RerankResponse, {"id": UUID, "results": [{"index": 3, "relevance_score": 0.99}], "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}}}, {"reranks": 1}, {}),
]  # fmt: skip


def by_client(kind: Any, body: dict[str, Any], mode: str) -> bytes:
    """What the client makes of the body: as its type writes itself, in JSON."""
    typed: BaseModel = (
        kind.model_validate(body) if mode == "strict" else TypeAdapter(kind).validate_python(body)
    )
    return typed.model_dump_json(by_alias=mode == "aliases", exclude_none=mode == "stated").encode()


@pytest.mark.parametrize(("provider", "kind", "body", "usage", "context"), BY_CLIENTS, ids=[f"{row[0]}-{row[1].__name__}-{place}" for place, row in enumerate(BY_CLIENTS)])  # fmt: skip
@pytest.mark.parametrize("mode", ["raw", "whole", "aliases", "stated"])
def test_an_answer_is_read_as_its_client_hands_it_on(
    provider: str, kind: Any, body: dict[str, Any], usage: dict[str, Any], context: dict[str, Any], mode: str
) -> None:
    sent = json.dumps(body).encode() if mode == "raw" else by_client(kind, body, mode)
    event = said(provider, sent, query={"model": "m", "id": "k"})
    found = {
        unit: str(quantity) if unit == "audio_seconds" and "." in str(quantity) else quantity
        for unit, quantity in event["data"]["usage"].items()
    }
    assert found == usage
    assert event["data"].get("context", {}) == context


def test_the_chunks_that_openais_client_hands_on_make_one_call() -> None:
    head = {
        "id": GPT,
        "object": "chat.completion.chunk",
        "created": 1_795_694_400,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
    }
    usage = {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}
    chunks = [
        head | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}], "usage": None},
        head | {"choices": [{"index": 0, "delta": {"content": "Rain."}, "finish_reason": None}], "usage": None},
        head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
        head | {"choices": [], "usage": usage},
    ]  # fmt: skip
    dumped = [json.loads(ChatCompletionChunk.model_validate(chunk).model_dump_json()) for chunk in chunks]
    for sent in (chunks, dumped, chunks[-1], dumped[-1]):
        event = said("openai", sent)
        assert event["data"]["usage"] == {"input_tokens": 19, "output_tokens": 10}
        assert (event["id"], event["data"]["sku"]) == (GPT, "gpt-4o-2024-08-06")
        assert "estimated" not in event["data"]


def test_the_events_that_anthropics_client_hands_on_make_one_call() -> None:
    """Input from the first, output from the last, which says what all of it came to."""
    start = MESSAGE | {"content": [], "stop_reason": None, "usage": MESSAGE["usage"] | {"output_tokens": 3}}
    events = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": None}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Rain."}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 503}},
        {"type": "message_stop"},
    ]  # fmt: skip
    typed: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    dumped = [json.loads(typed.dump_json(typed.validate_python(event))) for event in events]
    for sent in (events, dumped):
        found = translated("anthropic", sent)
        (event,) = [sent.said for sent in found.events]
        assert event["data"]["usage"] == {
            "input_tokens": 2_095, "cache_read_tokens": 2_051, "cache_write_5m_tokens": 1_000,
            "cache_write_1h_tokens": 1_051, "output_tokens": 503, "searches": 3, "web_fetches": 1,
        }  # fmt: skip
        assert event["id"] == CLAUDE
        assert not found.noted
