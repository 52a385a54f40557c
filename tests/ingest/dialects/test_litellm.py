"""What LiteLLM says of its calls: payloads that the installed LiteLLM itself makes, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from services.ingest.accept import accept_translated
from services.ingest.dialects.litellm import (
    A_READ,
    FAILED,
    FROM_CACHE,
    NO_PAYLOAD,
    NO_USAGE,
    ONE_REQUEST,
    PAYLOADS_MAX,
    translate_litellm,
)
from services.ingest.dialects.translated import SaidEvent
from services.ingest.gateway_entrances import refuse_litellm
from services.ingest.refused import RequestRefused, bad_request, too_often
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.pricing.catalog import load_snapshot
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.litellm_gateway import CALLS, OPENAI_ID, SECRETS, run_litellm, vendors
from tests.ingest.test_accept import credential, submission

USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def payload(**more: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": "chatcmpl-1", "call_type": "acompletion", "status": "success", "cache_hit": None,
        "custom_llm_provider": "openai", "model": "gpt-4o", "startTime": 1795717422.25, "response_time": 0.5,
        "response_cost": 0.00035, "prompt_tokens": 100, "completion_tokens": 10,
    }  # fmt: skip
    return facts | more


def said(**more: Any) -> SaidEvent:
    found = translate_litellm(json.dumps(payload(**more)).encode())
    assert not found.refused, found.refused
    (event,) = found.events
    return event.said


def usage(of: Any, provider: str = "openai", **more: Any) -> dict[str, int]:
    answer: dict[str, int] = said(
        metadata={"usage_object": of}, custom_llm_provider=provider, **more
    )["data"]["usage"]  # fmt: skip
    return answer


def refusal(**more: Any) -> tuple[str, str]:
    (bad,) = translate_litellm(json.dumps(payload(**more)).encode()).refused
    return bad["field"], bad["reason"]


def skipped(**more: Any) -> str:
    found = translate_litellm(json.dumps(payload(**more)).encode())
    assert not found.events
    ((why, count),) = found.skipped.items()
    assert count == 1
    return why


@pytest.fixture(scope="module")
def posted() -> Iterator[dict[str, list[bytes]]]:
    """What the installed LiteLLM posts, in each of its formats."""
    bodies = {}
    for log_format in ("json_array", "ndjson", "single"):
        with vendors() as stand_in:
            run_litellm(CALLS, stand_in, log_format, SPENDMETER_URL=stand_in.url, SPENDMETER_KEY="sm_x")
            bodies[log_format] = stand_in.posts("/api/v1/litellm")
    yield bodies


@pytest.mark.parametrize("log_format", ["json_array", "ndjson", "single"])
def test_what_the_installed_litellm_posts_costs_what_the_vendors_charge(
    posted: dict[str, list[bytes]], log_format: str
) -> None:
    book = PriceBook(load_snapshot(), version=1)
    found = [translate_litellm(body) for body in posted[log_format]]
    assert not any(each.refused for each in found)
    why = [reason for each in found for reason in each.skipped.elements()]
    assert sorted(why) == [FROM_CACHE, FAILED]
    accepted = [accept_translated(each, submission(keeps_late=True), partly=True) for each in found]
    assert not any(each.refused or each.dropped for each in accepted)
    events = [event for each in accepted for event in each.events]
    # gpt-4o-mini: (1200 - 1024) x 0.15/M + 1024 x 0.075/M + 50 x 0.60/M = 0.0000264 + 0.0000768 + 0.00003
    # claude-sonnet-4-5, of pricing.md's golden cases; embedding: 8 x 0.02/M
    # the mocked ones, whose tokens LiteLLM counts itself: what it says they cost, which it worked out by itself
    costs = {(event.data.provider, event.data.sku, rate(event, book).list) for event in events}
    assert costs >= {
        ("openai", "gpt-4o-mini", Decimal("0.0001332")),
        ("anthropic", "claude-sonnet-4-5", Decimal("0.0441195")),
        ("openai", "text-embedding-3-small", Decimal("0.00000016")),
    }
    assert len(events) == 5
    for event in events:
        assert event.data.reported_cost is not None
        assert Decimal(event.data.reported_cost.amount) == rate(event, book).list, event.data.sku


def test_nothing_that_was_said_or_who_by_name_leaves_the_door(posted: dict[str, list[bytes]]) -> None:
    bodies = posted["json_array"]
    assert all(secret.encode() in b"".join(bodies) for secret in SECRETS), "it was there"
    written = b"".join(encode_event(event) for body in bodies for event in accepted_from(body))
    for secret in (*SECRETS, "jo@example.com", "sk-x", "end-1", "u-7"):
        assert secret.encode() not in written, secret


def test_a_call_is_the_one_that_openai_would_tell_of(posted: dict[str, list[bytes]]) -> None:
    first = accepted_from(posted["json_array"][0])[0]
    assert (first.source, first.id) == ("call:openai", OPENAI_ID)
    assert first.data.usage == {
        "input_tokens": 176, "cache_read_tokens": 1024, "output_tokens": 30, "reasoning_tokens": 20,
    }  # fmt: skip
    labels = first.data.labels
    assert (labels.team, labels.agent, labels.feature) == ("search", "search-prod", "answers")
    assert labels.user != "u-7"
    assert first.data.context.service_tier == "default"
    assert (first.data.performance.status, first.subject) == ("ok", "search-prod")


def accepted_from(body: bytes, **more: Any) -> list[UsageEvent]:
    found = accept_translated(translate_litellm(body), submission(keeps_late=True, **more), partly=True)
    return list(found.events)


def test_a_trusted_gateways_cost_is_booked_and_anybody_elses_is_compared() -> None:
    book = PriceBook(load_snapshot(), version=1)
    body = json.dumps(payload(response_cost=0.0005)).encode()
    (trusted,) = accepted_from(body, by=credential(trust_reported_cost=True))
    (other,) = accepted_from(body)
    assert (rate(trusted, book).status, rate(trusted, book).list) == ("reported", Decimal("0.0005"))
    # gpt-4o: 100 x 2.50/M + 10 x 10/M = 0.00025 + 0.0001
    assert (rate(other, book).status, rate(other, book).list) == ("priced", Decimal("0.00035"))


def test_a_float_cost_is_the_money_that_was_meant() -> None:
    assert said(response_cost=0.00013319999999999999)["data"]["reported_cost"]["amount"] == "0.0001332"
    assert said(response_cost=1.35e-05)["data"]["reported_cost"]["amount"] == "0.0000135"


def test_a_cost_of_nothing_is_not_reported_so_that_the_price_decides() -> None:
    """LiteLLM says 0 of what it has no price for, too."""
    for nothing in (0, 0.0, None):
        assert "reported_cost" not in said(response_cost=nothing)["data"]


@pytest.mark.parametrize("bad", [-1, "NaN", True, [], "1e400000"])
def test_a_cost_that_is_none_is_refused_by_its_field(bad: Any) -> None:
    field, reason = refusal(response_cost=bad)
    assert field == "response_cost"
    assert reason.startswith("must be an amount of at least 0")


def test_what_costs_nothing_at_the_vendor_is_no_event() -> None:
    assert skipped(cache_hit=True) == FROM_CACHE
    assert skipped(status="failure", prompt_tokens=0, completion_tokens=0, response_cost=0) == FAILED
    assert skipped(call_type="aget_responses", response_cost=0) == A_READ
    assert skipped(prompt_tokens=0, completion_tokens=0, response_cost=0) == NO_USAGE
    assert translate_litellm(b"[null]").skipped == {NO_PAYLOAD: 1}


def test_a_call_that_failed_after_it_used_something_is_booked() -> None:
    assert said(status="failure")["data"]["performance"] == {"status": "error", "latency_ms": 500}


def test_a_read_that_litellm_puts_a_cost_on_is_booked() -> None:
    assert said(call_type="aget_responses")["data"]["usage"]["input_tokens"] == 100


def test_a_cost_without_quantities_counts_as_one_request() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0.04, "model": "tts-1"}
    found = translate_litellm(json.dumps(payload(call_type="aspeech", **nothing)).encode())
    (event,) = found.events
    assert event.said["data"]["usage"] == {"requests": 1}
    assert event.said["data"]["reported_cost"] == {"amount": "0.04", "currency": "USD"}
    assert found.noted == {ONE_REQUEST: 1}


@pytest.mark.parametrize(
    ("provider", "of", "expected"),
    [
        # written to the cache: 1,253 of which 253 for an hour; all inside the prompt
        ("anthropic", {"prompt_tokens": 130213, "completion_tokens": 10, "prompt_tokens_details": {
            "cached_tokens": 128955, "cache_write_tokens": 1253,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 253}}},
         {"input_tokens": 5, "cache_read_tokens": 128955, "cache_write_5m_tokens": 1000, "cache_write_1h_tokens": 253,
          "output_tokens": 10}),
        ("openai", {"prompt_tokens": 100, "completion_tokens": 1, "prompt_tokens_details": {
            "cache_write_tokens": 60, "cache_creation_token_details": {"ephemeral_12h_input_tokens": 20}}},
         {"input_tokens": 40, "cache_write_5m_tokens": 40, "cache_write_12h_tokens": 20, "output_tokens": 1}),
        ("gemini", {"prompt_tokens": 500, "completion_tokens": 40, "prompt_tokens_details": {
            "video_tokens": 258, "audio_tokens": 32, "web_search_requests": 2, "google_maps_grounding_requests": 3}},
         {"input_tokens": 210, "input_video_tokens": 258, "input_audio_tokens": 32, "output_tokens": 40, "searches": 2,
          "maps_grounded_prompts": 1}),
        ("anthropic", {**USAGE, "server_tool_use": {"web_search_requests": 3}},
         {"input_tokens": 100, "output_tokens": 10, "searches": 3}),
        # LiteLLM folds xAI's reasoning into the completion, as OpenAI does
        ("xai", {**USAGE, "completion_tokens_details": {"reasoning_tokens": 4}},
         {"input_tokens": 100, "output_tokens": 6, "reasoning_tokens": 4}),
        ("perplexity", {**USAGE, "citation_tokens": 7, "num_search_queries": 2},
         {"input_tokens": 100, "output_tokens": 10, "citation_tokens": 7, "searches": 2}),
    ],
)  # fmt: skip
def test_its_usage_is_read_as_it_counts(provider: str, of: Any, expected: dict[str, int]) -> None:
    assert usage(of, provider) == expected


def test_searches_of_an_answer_and_reranks_are_counted() -> None:
    answer = {"output": [
        {"type": "web_search_call", "action": {"type": "search"}}, {"type": "message", "content": "x"},
        {"type": "web_search_call", "action": {"type": "open_page"}},
    ], "tools": [{"type": "web_search"}]}  # fmt: skip
    assert usage(USAGE, response=answer, call_type="aresponses")["searches"] == 1
    reranked = {"meta": {"billed_units": {"search_units": 2}}, "results": []}
    nothing = {"prompt_tokens": 0, "completion_tokens": 0}
    event = said(
        call_type="arerank", custom_llm_provider="cohere", model="rerank-v3.5", response=reranked, **nothing
    )
    assert event["data"]["usage"] == {"reranks": 2}


def test_a_tool_behind_the_gateway_is_a_tool() -> None:
    tool = {"name": "get_issue", "mcp_server_name": "github", "arguments": {"x": "SECRETPROMPT"}}
    data = said(call_type="call_mcp_tool", metadata={"mcp_tool_call_metadata": tool}, response_cost=0.01)[
        "data"
    ]
    assert (data["cost_class"], data["provider"], data["sku"]) == ("tool", "github", "get_issue")
    assert data["usage"] == {"tool_calls": 1}


@pytest.mark.parametrize(
    ("name", "ours"), [("vertex_ai", "google"), ("gemini", "google"), ("bedrock", "aws"), ("azure_ai", "azure"),
                       ("xai", "x-ai"), ("fireworks_ai", "fireworks"), ("groq", "groq"), ("text-completion-openai", "openai")],
)  # fmt: skip
def test_providers_have_one_name(name: str, ours: str) -> None:
    assert said(custom_llm_provider=name)["data"]["provider"] == ours


@pytest.mark.parametrize(
    ("provider", "model", "priced", "sku"),
    [
        # as LiteLLM's proxy writes them: openai/ is the provider, and prod-eu a deployment of gpt-4o-mini
        ("openai", "openai/gpt-4o-mini", "openai/gpt-4o-mini", "gpt-4o-mini"),
        ("azure", "azure/prod-eu", "azure/gpt-4o-mini", "gpt-4o-mini"),
        ("azure", "azure/prod-eu", None, "prod-eu"),
        ("openrouter", "openrouter/anthropic/claude-sonnet-4.5", None, "anthropic/claude-sonnet-4.5"),
    ],
)
def test_a_model_has_its_vendors_name(provider: str, model: str, priced: str | None, sku: str) -> None:
    known = {"model_map_key": priced or model, "model_map_value": {"mode": "chat"} if priced else None}
    data = said(custom_llm_provider=provider, model=model, model_map_information=known)["data"]
    assert data["sku"] == sku


def test_how_it_was_served_is_said() -> None:
    served = {"service_tier": "flex", "data_residency": "eu", "vertex_location": None}
    assert said(cost_breakdown=served)["data"]["context"] == {"service_tier": "flex", "region": "eu"}
    of = {**USAGE, "service_tier": "standard", "inference_geo": "us", "speed": "fast"}
    context = said(metadata={"usage_object": of}, call_type="aretrieve_batch")["data"]["context"]
    assert context == {"service_tier": "fast", "region": "us", "batch": True}


def test_what_the_caller_says_wins_over_its_key_and_tags_over_both() -> None:
    key = {
        "user_api_key_alias": "k", "user_api_key_team_id": "t1", "user_api_key_project_alias": "web",
        "user_api_key_end_user_id": "e", "requester_metadata": {"team": "r", "feature": "f", "prompt": "SECRETPROMPT"},
        "spend_logs_metadata": {"feature": "g", "environment": "prod"},
    }  # fmt: skip
    tags = ["team:x", "cost_centre=42", "User-Agent: litellm/1", "plain", "run : 7"]
    labels = said(metadata=key, request_tags=tags, session_id="s1")["data"]["labels"]
    assert said(metadata={"requester_metadata": {"session_id": "s9"}})["data"]["labels"] == {"run": "s9"}
    assert labels == {
        "team": "x", "project": "web", "agent": "k", "user": "e", "feature": "g", "environment": "prod", "run": "7",
        "cost_centre": "42",
    }  # fmt: skip


def test_labels_of_the_request_lie_beneath_a_payloads_own() -> None:
    body = json.dumps(payload(metadata={"user_api_key_team_alias": "search"})).encode()
    (event,) = translate_litellm(body, {"team": "other", "environment": "prod"}).events
    assert event.said["data"]["labels"] == {"team": "search", "environment": "prod"}


def test_it_happened_when_it_began() -> None:
    assert said()["time"] == datetime(2026, 11, 26, 18, 23, 42, 250000, tzinfo=UTC)
    assert "time" not in said(startTime=None)


def test_an_id_that_others_may_have_is_the_gateways_own() -> None:
    assert (said()["source"], said()["id"]) == ("litellm-proxy", "chatcmpl-1")
    assert said(id="", litellm_call_id="x")["id"] == "x"


def test_one_bad_payload_refuses_no_other_and_is_named_without_what_it_says() -> None:
    lines = [
        payload(),
        payload(id=None),
        payload(custom_llm_provider=None, response_cost=0),
        payload(metadata="SECRETPROMPT"),
        5,
    ]
    body = "\n".join([*map(json.dumps, lines), "{SECRETPROMPT"]).encode()
    found = translate_litellm(body)
    assert len(found.events) == 1
    assert [(bad["index"], bad["field"]) for bad in found.refused] == [
        (1, "id"), (2, "custom_llm_provider"), (3, "metadata"), (4, ""), (5, ""),
    ]  # fmt: skip
    assert "SECRETPROMPT" not in str(found.refused)
    assert "generic_api_use_v1" in found.refused[2]["reason"]


def test_what_is_no_number_in_an_answer_costs_no_batch() -> None:
    """As Python writes the logarithm of a probability of nothing."""
    odd = payload(id="a", response={"logprobs": [float("-inf"), float("nan")], "text": 'Infinity "NaN" \\'})
    whole = [odd, payload(id="b", response_time=float("nan"))]
    for body in (json.dumps(whole), "\n".join(map(json.dumps, whole)), json.dumps(whole, indent=1)):
        assert "Infinity" in body
        found = translate_litellm(body.encode())
        assert [event.said["id"] for event in found.events] == ["a", "b"]


@pytest.mark.parametrize("bad", [{"prompt_tokens": -1}, {"prompt_tokens": "7"}, {"prompt_tokens": 1.5}])
def test_usage_that_is_none_is_refused(bad: Any) -> None:
    field, reason = refusal(metadata={"usage_object": bad})
    assert field == "metadata.usage_object"
    assert "prompt_tokens" in reason


def test_more_of_a_part_than_there_is_is_refused() -> None:
    for side in ("prompt", "completion"):
        of = {**USAGE, f"{side}_tokens_details": {"video_tokens": 101}}
        field, reason = refusal(metadata={"usage_object": of})
        assert field == "metadata.usage_object"
        assert "part" in reason


@pytest.mark.parametrize("body", [b"", b"  \n", b"[", b"[" + b"[" * 100_000])
def test_what_is_no_list_is_refused_whole(body: bytes) -> None:
    with pytest.raises(RequestRefused) as caught:
        translate_litellm(body)
    assert caught.value.status == 400


def test_more_than_so_many_are_too_large_a_request() -> None:
    for body in (b"[" + b"0," * PAYLOADS_MAX + b"0]", b"0\n" * (PAYLOADS_MAX + 1)):
        with pytest.raises(RequestRefused) as caught:
            translate_litellm(body)
        assert caught.value.status == 413


def test_a_gateway_that_comes_too_often_is_told_to_repeat() -> None:
    """LiteLLM repeats what is answered with 500 and more, and nothing else."""
    answer = refuse_litellm("/api/v1/litellm", "application/json", too_often("the rate of this key", 7))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")
    assert refuse_litellm("/api/v1/litellm", "", bad_request("no JSON")).status_code == 400


UNKNOWN = """
import asyncio, os, litellm
from litellm.integrations.generic_api.generic_api_callback import GenericAPILogger

async def main():
    log = GenericAPILogger(endpoint=os.environ["VENDORS"] + "/log", headers={})
    litellm.callbacks = ["openmeter", log]
    asked = [{"role": "user", "content": "x"}]
    await litellm.acompletion(model="openai/unheard-of", messages=asked, mock_response="y", user="u", metadata={})
    await asyncio.sleep(1)
    await log.flush_queue()

asyncio.run(main())
"""


def test_litellm_says_0_in_its_log_of_what_it_has_no_price_for_and_nothing_in_its_callback() -> None:
    """On which it rests that a cost of 0 is no event there, and no cost here."""
    with vendors() as stand_in:
        run_litellm(UNKNOWN, stand_in, OPENMETER_API_ENDPOINT=stand_in.url, OPENMETER_API_KEY="k")
    (called_back,) = map(json.loads, stand_in.posts("/api/v1/events"))
    ((logged,),) = map(json.loads, stand_in.posts("/log"))
    assert (called_back["data"]["cost"], logged["response_cost"]) == (None, 0.0)
