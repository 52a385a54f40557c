"""What the vendors' own SDKs return, metered: counts and names leave, what was said never does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import anthropic
import openai
import pytest
from openai.types.responses import Response

from spendmeter_client import Drop, Meter
from spendmeter_client.answers import skeleton
from tests.client.stand_in import StandIn
from tests.ingest.dialects.vendors import (
    CHAT_USAGE,
    CONTENT,
    EMBEDDING_USAGE,
    MESSAGES_USAGE,
    RESPONSES_USAGE,
    response,
    vendor,
)

ASKED: list[Any] = [{"role": "user", "content": CONTENT}]


@pytest.fixture(scope="module")
def vendor_url() -> Iterator[str]:
    with vendor() as url:
        yield url


@pytest.fixture
def openai_client(vendor_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=vendor_url + "/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def anthropic_client(vendor_url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key="k", base_url=vendor_url, max_retries=0) as client:
        yield client


def metered(server: StandIn, meter: Meter) -> dict[str, Any]:
    """The data of the one event that was sent; it says nothing of the content."""
    assert meter.flush()
    (got,) = server.got
    assert got.path == "/api/v1/usage"
    (event,) = got.events
    assert CONTENT not in json.dumps(event)
    return event["data"]


def test_a_chat_completion_of_openai(server: StandIn, meter: Meter, openai_client: openai.OpenAI) -> None:
    answer = openai_client.chat.completions.create(model="gpt-4o", messages=ASKED)
    meter.response("openai", answer, labels={"team": "search"}, latency_ms=12)
    data = metered(server, meter)
    assert (data["provider"], data["labels"], data["performance"]) == (
        "openai",
        {"team": "search"},
        {"latency_ms": 12},
    )
    assert data["response"] == {
        "id": answer.id, "object": "chat.completion", "model": "gpt-4o-2024-08-06", "service_tier": "default", "usage": CHAT_USAGE,
    }  # fmt: skip


def test_a_response_of_openai(server: StandIn, meter: Meter, openai_client: openai.OpenAI) -> None:
    meter.response("openai", openai_client.responses.create(model="gpt-5.6-sol", input=CONTENT))
    said = metered(server, meter)["response"]
    assert (said["object"], said["model"], said["usage"]) == (
        "response",
        "gpt-5.6-sol",
        RESPONSES_USAGE,
    )


def test_an_embedding_of_openai(server: StandIn, meter: Meter, openai_client: openai.OpenAI) -> None:
    meter.response("openai", openai_client.embeddings.create(model="text-embedding-3-small", input=CONTENT))
    assert metered(server, meter)["response"] == {
        "object": "list", "model": "text-embedding-3-small", "usage": EMBEDDING_USAGE,
    }  # fmt: skip


def test_a_message_of_anthropic(server: StandIn, meter: Meter, anthropic_client: anthropic.Anthropic) -> None:
    answer = anthropic_client.messages.create(model="claude-sonnet-4-5", messages=ASKED, max_tokens=9)
    meter.response("anthropic", answer)
    assert metered(server, meter)["response"] == {
        "id": answer.id, "type": "message", "model": "claude-sonnet-4-5-20250929", "stop_reason": "end_turn",
        "usage": MESSAGES_USAGE,
    }  # fmt: skip


def test_of_tools_that_the_vendor_ran_their_kinds_leave_and_not_what_they_were_asked() -> None:
    answer = response("gpt-5.6-sol", "resp_1") | {
        "output": [
            {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search", "query": CONTENT}},
            {"id": "ws_2", "type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": CONTENT}},
            {"id": "ci_1", "type": "code_interpreter_call", "container_id": "cntr_7", "code": CONTENT, "status": "completed", "outputs": None},
        ],
        "tools": [{"type": "web_search_preview", "search_context_size": "high"}, {"type": "function", "name": CONTENT, "parameters": {}, "strict": True}],
    }  # fmt: skip
    said = skeleton(Response.model_validate(answer))
    assert CONTENT not in json.dumps(said)
    assert said["output"] == [
        {"type": "web_search_call", "action": {"type": "search"}},
        {"type": "web_search_call", "action": {"type": "open_page"}},
        {"type": "code_interpreter_call", "container_id": "cntr_7"},
    ]
    assert said["tools"] == [{"type": "web_search_preview", "search_context_size": "high"}]


def test_googles_queries_leave_as_numbers_each_different_one_by_one_of_its_own() -> None:
    queries = [f"{CONTENT} a", f"{CONTENT} b", f"{CONTENT} a", " ", ""]
    answer = SimpleNamespace(
        response_id="r-1",
        model_version="gemini-3-pro",
        usage_metadata=SimpleNamespace(
            prompt_token_count=7, candidates_token_count=9, secret=SimpleNamespace()
        ),
        candidates=[
            SimpleNamespace(
                content=CONTENT,
                grounding_metadata=SimpleNamespace(
                    web_search_queries=queries, grounding_chunks=[SimpleNamespace(maps={"title": CONTENT})]
                ),
            )
        ],
    )
    assert skeleton(answer) == {
        "response_id": "r-1", "model_version": "gemini-3-pro",
        "usage_metadata": {"prompt_token_count": 7, "candidates_token_count": 9},
        "candidates": [{"groundingMetadata": {
            "webSearchQueries": ["query 1", "query 2", "query 1"], "groundingChunks": [{"maps": {}}],
        }}],
    }  # fmt: skip


def test_an_answer_as_a_table_is_read_like_the_object() -> None:
    table = {
        "id": "r1",
        "model": "m",
        "usage": {"prompt_tokens": 5, "cost": Decimal("0.5")},
        "choices": [CONTENT],
    }
    assert skeleton(table) == {
        "id": "r1",
        "model": "m",
        "usage": {"prompt_tokens": 5, "cost": Decimal("0.5")},
    }


def test_text_where_counts_should_be_stays_where_it_is() -> None:
    long = CONTENT * 20
    assert skeleton(
        {"id": long * 9, "model": ["m"], "usage": {"a": long, "b": [1, long], "c": 2, "tier": "flex"}}
    ) == {"usage": {"b": [1, None], "c": 2, "tier": "flex"}}


class _Odd:
    """Raises for whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(CONTENT)


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, object(), SimpleNamespace(usage=None), _Odd])
def test_what_is_no_answer_is_counted_and_raises_nothing(meter: Meter, drops: list[Drop], odd: Any) -> None:
    assert meter.response("openai", _Odd() if odd is _Odd else odd) == ""
    assert meter.stats.dropped_by == {"invalid": 1}
    assert drops[0].reason in ("response: says neither id, model nor usage", "RuntimeError")
