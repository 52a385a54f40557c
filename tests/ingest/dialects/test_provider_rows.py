"""Results of batches, bodies that say little, and what is refused: by field and rule."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from services.ingest.dialects.providers.facts import PROVIDERS
from services.ingest.refused import RequestRefused
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.provider_calls import (
    JSONL,
    event_of,
    jsonl,
    list_price,
    rated,
    refusals,
    said,
    translated,
)
from tests.ingest.dialects.test_provider_money import CLAUDE, GPT, UUID, chat, generated, message

USAGE = {"prompt_tokens": 1_000, "completion_tokens": 10}


def openai_row(number: int, **more: Any) -> dict[str, Any]:
    body = chat(USAGE, id=f"{GPT[:-1]}{number}")
    return {
        "id": f"batch_req_{number}",
        "custom_id": f"r-{number}",
        "response": {"status_code": 200, "request_id": "q", "body": body},
        "error": None,
    } | more


def test_rows_that_failed_are_skipped_and_bad_rows_named_by_their_line() -> None:
    rows = jsonl(
        openai_row(1),
        openai_row(2, response=None, error={"code": "batch_expired", "message": "..."}),
        b"{not json",
        b"",
        openai_row(3, response={"status_code": 400, "body": {"error": {"message": "..."}}}),
        openai_row(
            4,
            response={
                "status_code": 200,
                "body": {"id": f"{GPT[:-1]}4", "object": "chat.completion", "model": "m", "choices": [{}]},
            },
        ),
        openai_row(5),
    )
    found = translated("openai", rows, JSONL)
    assert [(sent.index, sent.said["id"][-1], sent.said["data"]["context"]) for sent in found.events] == [
        (0, "1", {"batch": True}), (6, "5", {"batch": True}),
    ]  # fmt: skip
    assert found.skipped == {"a failed request of a batch": 2}
    assert found.refused == [
        {"index": 2, "field": "line 3", "reason": "is no JSON object"},
        {"index": 5, "field": "usage", "reason": "no usage: the answer states none"},
    ]


BATCHES: list[tuple[str, list[dict[str, Any]], dict[str, str], list[str], int]] = [
    ("anthropic", [{"custom_id": "a", "result": {"type": "succeeded", "message": message({"input_tokens": 5, "output_tokens": 1, "service_tier": "batch"})}}, {"custom_id": "b", "result": {"type": "errored", "error": {"type": "error"}}}, {"custom_id": "c", "result": {"type": "expired"}}], {}, [CLAUDE], 2),
    ("mistral", [{"id": "1", "custom_id": "0", "response": {"status_code": 200, "body": chat(USAGE, "mistral-small-latest", id="e5cc70bb28c444948073e77776eb30ef")}, "error": None}], {}, ["e5cc70bb28c444948073e77776eb30ef"], 0),
    ("gemini", [{"key": "k1", "response": generated({"promptTokenCount": 5, "candidatesTokenCount": 1})}, {"key": "k2", "error": {"code": 3}}], {}, ["fJQtaKSLHYq7vdIP_8T_uAw"], 1),
    ("vertex", [{"status": "", "processed_time": "2026-11-20T12:00:00Z", "request": {"contents": []}, "response": generated({"promptTokenCount": 5, "candidatesTokenCount": 1})}, {"status": "Bad Request", "request": {}, "response": {}}], {}, ["fJQtaKSLHYq7vdIP_8T_uAw"], 1),
    ("bedrock", [{"recordId": "CALL01", "modelInput": {"messages": []}, "modelOutput": message({"input_tokens": 5, "output_tokens": 1})}, {"recordId": "CALL02", "modelInput": {}, "error": {"errorCode": 400}}], {"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"}, [CLAUDE], 1),
    ("openai", [{"id": "batch_req_1", "custom_id": "e", "response": {"status_code": 200, "body": {"object": "list", "model": "text-embedding-3-small", "data": [], "usage": {"prompt_tokens": 8}}}, "error": None}], {"id": "batch_abc"}, ["batch_abc#0"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "rows", "query", "ids", "failed"), BATCHES)
def test_every_vendors_batch_is_read(
    provider: str, rows: list[dict[str, Any]], query: dict[str, str], ids: list[str], failed: int
) -> None:
    found = translated(provider, jsonl(*rows), JSONL, query=query)
    assert not found.refused
    assert [sent.said["id"] for sent in found.events] == ids
    assert all(sent.said["data"]["context"]["batch"] is True for sent in found.events)
    assert sum(found.skipped.values()) == failed


ALONE: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("openai", USAGE, {"input_tokens": 1_000, "output_tokens": 10}),
    ("openai", {"usage": USAGE}, {"input_tokens": 1_000, "output_tokens": 10}),
    ("openai", {"seconds": 12}, {"audio_seconds": 12}),
    ("openai", {"characters": 1_000}, {"characters": 1_000}),
    ("anthropic", {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("vertex", {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("vertex", {"promptTokenCount": 5, "cachedContentTokenCount": 2, "candidatesTokenCount": 1}, {"input_tokens": 3, "cache_read_tokens": 2, "output_tokens": 1}),
    ("azure", {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("openrouter", {"usage": {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("bedrock", {"inputTokens": 5, "cacheReadInputTokens": 7, "outputTokens": 1}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("bedrock", {"input_tokens": 5, "cache_read_input_tokens": 7, "output_tokens": 1}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 1}),
    ("cohere", {"billed_units": {"input_tokens": 5, "output_tokens": 1}}, {"input_tokens": 5, "output_tokens": 1}),
    ("xai", USAGE | {"completion_tokens_details": {"reasoning_tokens": 3}}, {"input_tokens": 1_000, "output_tokens": 10, "reasoning_tokens": 3}),
    ("deepseek", {"prompt_cache_hit_tokens": 3, "prompt_cache_miss_tokens": 4, "completion_tokens": 1}, {"input_tokens": 4, "cache_read_tokens": 3, "output_tokens": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("provider", "usage", "expected"), ALONE)
def test_a_usage_object_alone_needs_model_and_id_beside_it(
    provider: str, usage: dict[str, Any], expected: dict[str, int]
) -> None:
    event = said(provider, usage, query={"model": "m", "id": "k"})
    assert event["data"]["usage"] == expected
    assert (event["source"], event["id"], event["data"]["sku"]) == (
        f"raw:{event['data']['provider']}",
        "k",
        "m",
    )
    assert [field for field, _ in refusals(provider, usage, query={"id": "k"})] == ["model"]
    assert [field for field, _ in refusals(provider, usage, query={"model": "m"})] == ["id"]


BEDROCK_BODIES: list[tuple[dict[str, Any], dict[str, str], dict[str, int]]] = [
    ({"output": {"message": {}}, "stopReason": "end_turn", "usage": {"inputTokens": 5, "outputTokens": 2, "cacheReadInputTokenCount": 7}}, {}, {"input_tokens": 5, "cache_read_tokens": 7, "output_tokens": 2}),
    ({"generation": "...", "prompt_token_count": 5, "generation_token_count": 2, "stop_reason": "stop"}, {}, {"input_tokens": 5, "output_tokens": 2}),
    ({"inputTextTokenCount": 5, "results": [{"tokenCount": 2, "outputText": "..."}]}, {}, {"input_tokens": 5, "output_tokens": 2}),
    ({"embedding": [0.1], "inputTextTokenCount": 5}, {}, {"input_tokens": 5, "output_tokens": 0}),
    ({"outputs": [{"text": "..."}]}, {"x-amzn-bedrock-input-token-count": "5", "x-amzn-bedrock-output-token-count": "2"}, {"input_tokens": 5, "output_tokens": 2}),
    ({"id": "x", "object": "chat.completion", "choices": [{"message": {}}], "model": "openai.gpt-oss-120b-1:0", "usage": {"prompt_tokens": 5, "completion_tokens": 2}}, {}, {"input_tokens": 5, "output_tokens": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "headers", "expected"), BEDROCK_BODIES)
def test_each_makers_body_at_bedrock_is_read_or_the_headers_of_its_answer(
    body: dict[str, Any], headers: dict[str, str], expected: dict[str, int]
) -> None:
    event = said(
        "bedrock", body, query={"model": "meta.llama3-1-70b-instruct-v1:0", "id": "k"}, headers=headers
    )
    assert event["data"]["usage"] == expected
    assert event["data"]["sku"] == "meta.llama3-1-70b-instruct-v1:0"


def test_what_boto3_hands_on_is_read_with_its_metadata() -> None:
    """The shape is held against the client's own: every field that is read is one that it has."""
    client = boto3.session.Session().client("bedrock-runtime", region_name="us-east-1")
    output = client.meta.service_model.operation_model("Converse").output_shape
    body = {
        "ResponseMetadata": {"RequestId": UUID, "HTTPStatusCode": 200, "HTTPHeaders": {"x-amzn-requestid": UUID}, "RetryAttempts": 0},
        "output": {"message": {"role": "assistant", "content": [{"text": "..."}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 5, "outputTokens": 2, "totalTokens": 37, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 20, "cacheDetails": [{"ttl": "1h", "inputTokens": 20}]},
        "metrics": {"latencyMs": 551}, "serviceTier": {"type": "flex"},
    }  # fmt: skip
    assert set(body) - {"ResponseMetadata"} <= set(output.members)
    assert set(body["usage"]) <= set(output.members["usage"].members)
    event = said("bedrock", body, query={"model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0"})
    assert event["data"]["usage"] == {
        "input_tokens": 5, "cache_read_tokens": 10, "cache_write_1h_tokens": 20, "output_tokens": 2,
    }  # fmt: skip
    assert event["data"]["context"] == {"service_tier": "flex"}
    fast = body | {"performanceConfig": {"latency": "optimized"}, "serviceTier": {"type": "default"}}
    assert said("bedrock", fast, query={"model": "m"})["data"]["context"] == {"service_tier": "optimized"}


def test_images_without_tokens_are_counted_and_those_with_are_not() -> None:
    made = {
        "created": 1_795_694_400,
        "data": [{"url": "https://example.com/1"}, {"url": "https://example.com/2"}],
    }
    event = said(
        "openai", made | {"size": "1024x1024", "quality": "hd"}, query={"model": "dall-e-3", "id": "k"}
    )
    assert (event["data"]["sku"], event["data"]["usage"]) == ("dall-e-3/hd/1024x1024", {"images": 2})
    event = said(
        "xai",
        made | {"usage": {"cost_in_usd_ticks": 400_000_000}},
        query={"model": "grok-2-image", "id": "k"},
    )
    assert event["data"]["usage"] == {"images": 2}
    assert event["data"]["reported_cost"] == {"amount": "0.04", "currency": "USD"}
    event = said(
        "vertex",
        {"predictions": [{"bytesBase64Encoded": "aGk=", "mimeType": "image/png"}]},
        query={"model": "imagen-4.0-generate-001", "id": "k"},
    )
    assert event["data"]["usage"] == {"images": 1}


def test_embeddings_on_vertex_say_their_tokens_text_by_text() -> None:
    body = {
        "predictions": [
            {"embeddings": {"values": [0.1], "statistics": {"token_count": tokens}}} for tokens in (6, 5)
        ]
    }
    event = said("vertex", body, query={"model": "gemini-embedding-001", "id": "k"})
    assert event["data"]["usage"] == {"input_tokens": 11}


def test_the_image_tools_tokens_are_an_event_of_the_image_model(book: PriceBook) -> None:
    """100 x 2.50 of gpt-5.4; and of gpt-image-1 20 x 5 of text and 1,000 x 40 of image, for a million."""
    body = {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "object": "response", "model": "gpt-5.4", "status": "completed",
        "output": [{"type": "image_generation_call", "result": "aGk="}], "tools": [{"type": "image_generation", "model": "gpt-image-1"}],
        "usage": {"input_tokens": 100, "output_tokens": 0},
        "tool_usage": {"image_gen": {"input_tokens": 20, "input_tokens_details": {"text_tokens": 20, "image_tokens": 0}, "output_tokens": 1_000, "total_tokens": 1_020}, "web_search": {"num_requests": 0}},
    }  # fmt: skip
    call, painted = [sent.said for sent in translated("openai", body).events]
    assert call["data"]["usage"] == {"input_tokens": 100, "output_tokens": 0}
    assert painted["id"] == f"{call['id']}/image_generation"
    assert painted["data"]["sku"] == "gpt-image-1"
    assert float(list_price(call, book)) == pytest.approx(0.00025)
    assert float(list_price(painted, book)) == pytest.approx(0.0401)


def test_billable_searches_are_those_that_openai_says_are() -> None:
    searched = {"type": "web_search_call", "action": {"type": "search", "query": "rain"}}
    body = {
        "id": "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b", "object": "response", "model": "gpt-5.4", "status": "completed",
        "output": [searched, searched], "tools": [{"type": "web_search", "search_context_size": "low"}], "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip
    assert said("openai", body)["data"]["usage"]["low_context_searches"] == 2
    told = body | {"tool_usage": {"web_search": {"num_requests": 1}}}
    assert said("openai", told)["data"]["usage"]["low_context_searches"] == 1


def test_a_chat_that_searched_says_so_beside_the_body() -> None:
    event = said("openai", chat(USAGE, "gpt-4o-search-preview"), query={"search_context_size": "high"})
    assert event["data"]["usage"]["high_context_searches"] == 1


def test_groqs_compound_systems_are_charged_model_by_model() -> None:
    models = [
        {"model": "openai/gpt-oss-120b", "usage": {"prompt_tokens": 5, "completion_tokens": 1}},
        {"model": "llama-3.3-70b-versatile", "usage": {"prompt_tokens": 7, "completion_tokens": 2}},
    ]
    body = chat(
        {"prompt_tokens": 12, "completion_tokens": 3}, "groq/compound", usage_breakdown={"models": models}
    )
    events = [sent.said for sent in translated("groq", body).events]
    assert [(each["data"]["sku"], each["data"]["usage"]["input_tokens"]) for each in events] == [
        ("openai/gpt-oss-120b", 5), ("llama-3.3-70b-versatile", 7),
    ]  # fmt: skip
    assert [each["id"] for each in events] == [GPT, f"{GPT}/model-1"]


def test_labels_and_the_rest_of_the_query_go_onto_every_event() -> None:
    found = translated(
        "openai",
        chat(USAGE),
        labels={"team": "search"},
        query={"region": "eu", "batch": "true", "label.team": "x", "modell": "m"},
    )
    (event,) = [sent.said["data"] for sent in found.events]
    assert event["labels"] == {"team": "search"}
    assert event["context"] == {"region": "eu", "batch": True}
    assert found.dropped == {"query.modell"}


def test_an_error_instead_of_an_answer_costs_nothing_and_is_counted() -> None:
    for provider, body in (
        ("openai", {"error": {"message": "...", "type": "invalid_request_error"}}),
        ("anthropic", {"type": "error", "error": {"type": "overloaded_error"}}),
        ("gemini", {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}),
        (
            "openai",
            {
                "id": "resp_1",
                "object": "response",
                "status": "failed",
                "error": {"code": "server_error"},
                "output": [],
                "usage": None,
            },
        ),
    ):
        found = translated(provider, body)
        assert (found.events, found.refused, found.skipped) == ([], [], {"an error instead of an answer": 1})


@pytest.mark.parametrize(
    ("body", "query", "field", "reason"),
    [
        (b"", {}, "body", "is no JSON object"),
        (b"{", {}, "body", "is no JSON object"),
        (b"5", {}, "body", "is no JSON object"),
        (b"[]", {}, "body", "no usage: the body holds no answer of this provider"),
        ({}, {}, "usage", "no usage: the answer states none"),
        (chat({"prompt_tokens": -1}), {}, "usage", "prompt_tokens must be a whole number of at least 0"),
        (chat({"prompt_tokens": 1, "prompt_tokens_details": {"audio_tokens": 2}}), {}, "usage", "input_tokens would be below 0: the parts of this openai usage exceed their total"),
        (chat({"note": "x" * 70_000}), {}, "body", "usage may have at most 65536 bytes"),
        (b'{"usage": {"prompt_tokens": 1e99999999999999999999}}', {}, "body", "holds a number out of range"),
        (b'{"usage": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, {}, "body", "is nested too deep"),
        (b'{"choices": [' + b"1," * 20_001 + b"1]}", {}, "body", "a list may have at most 20000 elements"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_by_field_and_rule(
    body: Any, query: dict[str, str], field: str, reason: str
) -> None:
    assert refusals("openai", body, query=query) == [(field, reason)]


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ({"batch": "yes"}, "query.batch", "must be true or false"),
        ({"input_tokens": "many"}, "query.input_tokens", "must be a whole number of at least 0"),
    ],
)
def test_what_is_stated_beside_the_body_must_be_possible(
    query: dict[str, str], field: str, reason: str
) -> None:
    with pytest.raises(RequestRefused) as refused:
        translated("openai", chat(USAGE), query=query)
    assert refused.value.errors == [{"index": None, "field": field, "reason": reason}]


def test_an_unknown_provider_is_told_which_are_known() -> None:
    with pytest.raises(RequestRefused, match="answers are read of alibaba, anthropic, azure") as refused:
        translated("esperanto", {})
    assert refused.value.status == 404


def test_the_id_of_a_request_to_aws_may_stand_in_a_header() -> None:
    """Converse over HTTP, without boto3: the body has none."""
    body = {"usage": {"inputTokens": 5, "outputTokens": 2}, "stopReason": "end_turn"}
    event = said("bedrock", body, query={"model": "m"}, headers={"x-amzn-requestid": UUID})
    assert (event["source"], event["id"]) == ("call:aws", UUID)


def test_headers_of_bedrock_that_are_no_numbers_are_refused() -> None:
    headers = {"x-amzn-bedrock-input-token-count": "many"}
    reason = "the header x-amzn-bedrock-input-token-count must be a whole number of at least 0"
    assert refusals("bedrock", {"outputs": []}, headers=headers) == [("body", reason)]


def test_every_provider_of_the_data_has_prices_under_its_name(book: PriceBook) -> None:
    """The name in events is one that the catalog finds: an unknown model of it has a bound."""
    for name, facts in PROVIDERS.items():
        event = said(
            name,
            {"prompt_tokens": 9}
            if facts.shapes[0] == "openai"
            else {"input_tokens": 9, "output_tokens": 0}
            if "anthropic" in facts.shapes
            else {"promptTokenCount": 9}
            if facts.shapes[0] == "google"
            else {"inputTokens": 9, "outputTokens": 0}
            if name == "bedrock"
            else {"billed_units": {"input_tokens": 9}},
            query={"model": "nobody-knows-it", "id": "k"},
        )
        assert rated(event, book).list > 0, name


def test_every_unit_that_a_reading_makes_is_registered() -> None:
    for body in (chat(USAGE), {"usage": {"seconds": 2}}):
        assert (
            event_of(said("openai", body, query={"model": "m", "id": "k"})).data.usage.keys() <= UNITS.keys()
        )
