"""What spans become: each call once, in disjoint quantities, whoever instrumented it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from services.ingest.accept import AcceptedEvents, accept_translated
from services.ingest.credentials import NumberedMaps
from services.ingest.dialects.otlp_calls import SECOND_OF_ID, SECOND_SPAN, translate_spans
from services.ingest.dialects.otlp_spans import (
    AGENTS_REPEAT,
    ATTRIBUTES,
    COST_UNREADABLE,
    INTERRUPTED,
    NO_CALL,
    NO_USAGE,
    OTHER_SIGNAL,
    PENDING,
    UNBOUNDED,
    UNMETERED,
    USAGE_OF_NO_CALL,
)
from services.ingest.dialects.otlp_wire import JSON, PROTOBUF
from services.ingest.dialects.translated import LEFT_OUT, Translated
from services.ingest.entrances import Incoming
from services.ingest.otlp_entrance import LABEL_OF_ALL
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.label_maps import LabelRule, TenantMaps
from spendmeter.contracts.otel_names import OTEL
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.otlp import TRACE, span, traces
from tests.ingest.test_accept import submission

NOW = datetime(2026, 11, 26, 10, 0, 5, tzinfo=UTC)
ACME = RequestMaps(tenant="acme")
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
USED = CALL | {"gen_ai.usage.input_tokens": 10_000, "gen_ai.usage.output_tokens": 1_000}
DONE = {"gen_ai.response.finish_reasons": ["stop"]}
ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"


def translate(
    *spans: dict[str, Any], maps: RequestMaps = ACME, resource: dict[str, Any] | None = None
) -> Translated:
    return translate_spans(traces(*spans, resource=resource).SerializeToString(), PROTOBUF, maps)


def said(attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The one event of a span."""
    found = translate(span(attributes=attributes, **fields))
    assert (found.refused, len(found.events)) == ([], 1), (found.refused, found.skipped)
    return found.events[0].said


def data(attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = said(attributes, **fields)["data"]
    return made


def accepted(found: Translated) -> list[UsageEvent]:
    """The events past the gate of our own door, which all of them must pass."""
    taken = accept_translated(found, submission(now=NOW, keeps_late=True), partly=True)
    assert taken.refused == []
    return list(taken.events)


def test_a_call_is_an_event_with_whose_it_is_and_how_it_went() -> None:
    attributes = USED | DONE | {
        "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.response.id": ID, "openai.response.service_tier": "default",
        "openai.request.service_tier": "priority", "cost.feature": "assistant", "cost.workflow": "refund", "cost.workflow_version": "v2",
        "cost.run": 81, "cost.outcome": "refund_resolved", "cost.region": "eu", "cost.batch": True, "gen_ai.agent.name": "triage",
    }  # fmt: skip
    resource = {"deployment.environment.name": "prod", "team": "payments"}
    (event,) = translate(span(attributes=attributes), resource=resource).events
    assert event.said == {
        "specversion": "1.0", "type": "spendmeter.usage.v1", "id": ID, "source": "call:openai", "subject": "call:openai",
        "time": datetime(2026, 11, 26, 10, 0, 0, 830_000, tzinfo=UTC),
        "data": event.said["data"],
    }  # fmt: skip
    assert event.said["data"] | {"normalised": "", "cadence": ""} == {
        "provider": "openai", "sku": "gpt-4o-2024-08-06", "usage": {"input_tokens": 10_000, "output_tokens": 1_000}, "cost_class": "model",
        "context": {"service_tier": "default", "region": "eu", "batch": True},
        "labels": {
            "team": "payments", "project": "checkout", "feature": "assistant", "workflow": "refund", "workflow_version": "v2", "run": "81",
            "agent": "triage", "environment": "prod",
        },
        "performance": {"status": "ok", "latency_ms": 830}, "outcome": {"name": "refund_resolved", "count": 1}, "normalised": "", "cadence": "",
    }  # fmt: skip


# Each spelling of each quantity, and what of 10,000 in and 1,000 out is left beside it.
SPELLED = [
    ("input", 7, {"input_tokens": 7, "output_tokens": 1_000}),
    ("output", 7, {"input_tokens": 10_000, "output_tokens": 7}),
    ("cache_read", 7, {"cache_read_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("cache_write", 7, {"cache_write_5m_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("cache_write_5m", 7, {"cache_write_5m_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("cache_write_1h", 7, {"cache_write_1h_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("reasoning", 7, {"reasoning_tokens": 7, "input_tokens": 10_000, "output_tokens": 993}),
    ("input_audio", 7, {"input_audio_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("input_image", 7, {"input_image_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("input_video", 7, {"input_video_tokens": 7, "input_tokens": 9_993, "output_tokens": 1_000}),
    ("output_audio", 7, {"output_audio_tokens": 7, "input_tokens": 10_000, "output_tokens": 993}),
    ("output_image", 7, {"output_image_tokens": 7, "input_tokens": 10_000, "output_tokens": 993}),
    ("beside_input", 7, {"input_tokens": 10_007, "output_tokens": 1_000}),
    ("beside_output", 7, {"input_tokens": 10_000, "output_tokens": 1_007}),
    ("searches", 7, {"searches": 7, "input_tokens": 10_000, "output_tokens": 1_000}),
]  # fmt: skip


@pytest.mark.parametrize(("meaning", "quantity", "usage"), SPELLED)
def test_every_spelling_of_a_quantity_is_read(meaning: str, quantity: int, usage: dict[str, int]) -> None:
    for name in getattr(OTEL.usage, meaning):
        attributes = {key: value for key, value in USED.items() if meaning not in key.rpartition(".")[2]}
        assert data(attributes | {name: quantity})["usage"] == usage, name


def test_all_quantities_are_tried() -> None:
    both = {"cache_read_audio", "cache_read_image"}  # below
    assert {meaning for meaning, *_ in SPELLED} | both == set(OTEL.usage.__struct_fields__)


def test_what_of_another_kind_was_cached_has_its_own_unit() -> None:
    attributes = USED | {
        "gen_ai.usage.audio.input_tokens": 900, "gen_ai.usage.audio.cache_read.input_tokens": 400, "gen_ai.usage.image.input_tokens": 90,
        "gen_ai.usage.image.cache_read.input_tokens": 40, "gen_ai.usage.cache_read.input_tokens": 2_000,
    }  # fmt: skip
    # cached: 2,000 = 400 audio + 40 image + 1,560 text; not cached: 500 audio, 50 image; the rest of 10,000 is 7,450
    assert data(attributes)["usage"] == {
        "cache_read_tokens": 1_560, "cache_read_audio_tokens": 400, "cache_read_image_tokens": 40, "input_audio_tokens": 500,
        "input_image_tokens": 50, "input_tokens": 7_450, "output_tokens": 1_000,
    }  # fmt: skip


@pytest.mark.parametrize("table", ["provider", "model", "response_id", "service_tier", "region", "outcome"])
def test_every_spelling_of_what_was_called_is_read(table: str) -> None:
    names = getattr(OTEL.call, table)
    bare = {key: value for key, value in USED.items() if key not in names}
    read: dict[str, Callable[[dict[str, Any]], Any]] = {
        "provider": lambda event: event["data"]["provider"],
        "model": lambda event: event["data"]["sku"],
        "response_id": lambda event: event["id"],
        "service_tier": lambda event: event["data"]["context"]["service_tier"],
        "region": lambda event: event["data"]["context"]["region"],
        "outcome": lambda event: event["data"]["outcome"]["name"],
    }
    value = ID if table == "response_id" else "mistral"
    for name in names:
        assert read[table](said(bare | {name: value})) == value, name
    if table != "response_id":
        everything = {name: f"v{place}" for place, name in enumerate(names)}
        assert read[table](said(bare | everything)) == "v0", "the first one counts"


def test_every_spelling_of_a_label_is_read_and_a_spans_own_goes_first() -> None:
    for label, names in OTEL.labels.items():
        for name in names:
            found = translate(span(attributes=USED), resource={name: "x"}).events[0].said["data"]["labels"]
            assert found[label] == "x", name
            found = (
                translate(span(attributes=USED | {name: "own"}), resource={name: "x"})
                .events[0]
                .said["data"]["labels"]
            )
            assert found[label] == "own", name


@pytest.mark.parametrize("spelled", ["openai", "OpenAI", " OPENAI ", "openai.chat", "openai.responses"])
def test_a_provider_may_be_written_in_any_case(spelled: str) -> None:
    assert data(USED | {"gen_ai.provider.name": spelled})["provider"] == "openai"


def test_what_is_not_said_is_booked_as_unknown_and_not_as_nothing(book: PriceBook) -> None:
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10}
    assert (data(attributes)["provider"], data(attributes)["sku"]) == ("unknown", "unknown")
    (event,) = accepted(translate(span(attributes=attributes)))
    assert rate(event, book).status == "unpriced"


@pytest.mark.parametrize("name", OTEL.reported.amount)
def test_a_reported_cost_is_kept_to_be_compared(name: str) -> None:
    assert data(USED | {name: 0.0441195})["reported_cost"] == {"amount": "0.0441195", "currency": "USD"}
    assert data(USED | {name: "4.20", "gen_ai.usage.cost.currency": "EUR"})["reported_cost"] == {
        "amount": "4.20",
        "currency": "EUR",
    }
    assert data(USED | {name: 2})["reported_cost"]["amount"] == "2"
    # a double of 17 digits is what a sum in floats leaves; nobody is charged in 1e-13
    assert data(USED | {name: 0.1 + 0.2})["reported_cost"]["amount"] == "0.3"


@pytest.mark.parametrize("cost", [-1.0, float("inf"), "a lot", True, [1], 1e30])
def test_a_cost_that_is_no_money_is_left_out_and_noted(cost: Any) -> None:
    found = translate(span(attributes=USED | {"gen_ai.usage.cost": cost}))
    assert "reported_cost" not in found.events[0].said["data"]
    assert found.noted[COST_UNREADABLE] == 1


def test_an_agents_span_repeats_its_children_and_is_counted_once(book: PriceBook) -> None:
    # case 13 of the golden ones: 2 children of 10,000 in (8,000 cached) and 1,000 out: 2 x 0.025
    child = USED | DONE | {"gen_ai.usage.cache_read.input_tokens": 8_000}
    totals = {
        "gen_ai.usage.input_tokens": 20_000,
        "gen_ai.usage.output_tokens": 2_000,
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.provider.name": "openai",
    }
    agent = totals | {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.aggregated_usage.input_tokens": 20_000,
        "gen_ai.response.id": ID,
    }
    found = translate(
        span(2, attributes=child, parent_span_id=_id(1)), span(3, attributes=child, parent_span_id=_id(1)),
        span(4, attributes={"gen_ai.operation.name": "execute_tool"}, parent_span_id=_id(1)), span(1, attributes=agent),
        span(5, attributes={"http.request.method": "POST"}),
    )  # fmt: skip
    assert [event.index for event in found.events] == [0, 1]
    assert (found.skipped, found.refused) == ({AGENTS_REPEAT: 2, NO_CALL: 1}, [])
    assert sum(rate(event, book).list for event in accepted(found)) == Decimal("0.050")


@pytest.mark.parametrize(
    "operation",
    ["invoke_agent", "invoke_workflow", "execute_tool", "agent_step", "create_agent", "Invoke_Agent"],
)
def test_operations_that_repeat_are_skipped_whatever_they_state(operation: str) -> None:
    found = translate(span(attributes=USED | {"gen_ai.operation.name": operation, "gen_ai.response.id": ID}))
    assert (found.events, found.skipped) == ([], {AGENTS_REPEAT: 1})


@pytest.mark.parametrize("kind", ["CHAIN", "AGENT", "TOOL", "RETRIEVER", "GUARDRAIL", "EVALUATOR"])
def test_kinds_of_openinference_that_repeat_are_skipped(kind: str) -> None:
    attributes = {"openinference.span.kind": kind, "llm.token_count.prompt": 10, "llm.model_name": "gpt-4o"}
    assert translate(span(attributes=attributes)).skipped == {AGENTS_REPEAT: 1}


@pytest.mark.parametrize(
    "kind",
    [
        {"gen_ai.operation.name": "chat"}, {"gen_ai.operation.name": "generate_content"}, {"gen_ai.operation.name": "text_completion"},
        {"gen_ai.operation.name": "embeddings"}, {"llm.request.type": "chat"}, {"llm.request.type": "completion"}, {"gen_ai.response.id": ID},
        {"openinference.span.kind": "LLM"}, {"openinference.span.kind": "EMBEDDING"},
    ],
)  # fmt: skip
def test_every_kind_of_call_is_one(kind: dict[str, str]) -> None:
    assert data(kind | {"gen_ai.usage.input_tokens": 10, "gen_ai.request.model": "gpt-4o"})["usage"] == {
        "input_tokens": 10
    }


def test_usage_without_a_call_is_none() -> None:
    found = translate(
        span(attributes={"gen_ai.usage.input_tokens": 10}),
        span(2, attributes={"gen_ai.operation.name": "reticulate", "gen_ai.usage.input_tokens": 10}),
    )
    assert found.skipped == {USAGE_OF_NO_CALL: 2}
    assert answered(found) == f"not metered: 2 x {USAGE_OF_NO_CALL}"
    # an operation that nobody knows may be one that repeats others
    found = translate(span(attributes=ADK | {"gen_ai.operation.name": "reticulate"}))
    assert (found.events, found.skipped) == ([], {USAGE_OF_NO_CALL: 1})


ADK = {
    "gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-pro", "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 20,
}  # fmt: skip


def test_a_span_that_says_model_and_usage_and_nothing_else_is_a_call(book: PriceBook) -> None:
    event = said(ADK, name="call_llm")
    (priced,) = accepted(translate(span(attributes=ADK, name="call_llm")))
    # 100 x 1.25 + 20 x 10 dollars by the million
    assert rate(priced, book).list == Decimal("0.000325")
    assert (event["source"], event["data"]["sku"]) == ("otlp", "gemini-2.5-pro")
    assert event["data"]["usage"] == {"input_tokens": 100, "output_tokens": 20}
    for repeat in ("execute_tool", "invoke_agent"):
        assert translate(span(attributes=ADK | {"gen_ai.operation.name": repeat})).skipped == {
            AGENTS_REPEAT: 1
        }
    # Codex' own, under whatever name its service goes: priced by its logs
    assert translate(span(attributes=ADK, name="handle_responses")).events == []


def test_a_call_by_its_usage_alone_that_says_again_what_is_inside_it_is_a_repeat() -> None:
    def events(*inside: dict[str, Any], model: str = "gemini-2.5-pro", **used: int) -> list[int]:
        usage = {f"gen_ai.usage.{side}_tokens": quantity for side, quantity in used.items()}
        outer = span(1, name="call_llm", attributes=ADK | usage)
        between = span(2, name="agent_run", attributes={}, parent_span_id=_id(1))
        inner = [span(3 + n, attributes=each, parent_span_id=_id(2)) for n, each in enumerate(inside)]
        return [event.index for event in translate(outer, between, *inner).events]

    chat = ADK | {"gen_ai.operation.name": "generate_content"}
    assert events(chat) == [2]
    assert events(chat, input=103) == [2], "of the model that was asked, however it is counted"
    # the sum of two calls of 100 in and 20 out
    other = chat | {"gen_ai.request.model": "gemini-2.5-flash"}
    assert events(other, other, input=200, output=40) == [2, 3]
    assert events(other, input=103) == [0, 2], "another call"
    # an agent that hands over to another: each asked the model, and nothing says more of either
    assert events(ADK, input=103) == [0, 2]
    assert events(ADK) == [2]


def test_a_kind_that_is_unknown_says_nothing_beside_an_operation() -> None:
    assert data(USED | {"openinference.span.kind": "UNKNOWN"})["usage"]["input_tokens"] == 10_000
    for attributes in (ADK, USED | {"gen_ai.operation.name": "invoke_agent"}):
        found = translate(span(attributes=attributes | {"openinference.span.kind": "UNKNOWN"}))
        assert found.skipped == {AGENTS_REPEAT: 1}


def test_what_stands_in_repeats_of_usage_is_ignored() -> None:
    attributes = USED | {
        "gen_ai.usage.details.input_tokens": 5,
        "gen_ai.aggregated_usage.output_tokens": 9,
        "gen_ai.usage.total_tokens": 11_000,
    }
    assert data(attributes)["usage"] == {"input_tokens": 10_000, "output_tokens": 1_000}


def test_a_call_without_an_id_of_its_own_is_its_span() -> None:
    event = said(USED | {"gen_ai.response.id": "chatcmpl-213"})
    assert (event["source"], event["id"]) == ("otlp", f"{TRACE}-0000000000000001")


def test_two_spans_of_one_call_are_one_event_and_the_fuller_one_counts() -> None:
    # a vendor's SDK inside, an instrumentation around it: the inner one knows how long the written tokens live
    inner = USED | DONE | {
        "gen_ai.response.id": ID, "gen_ai.usage.cache_write.input_tokens": 100, "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 60,
    }  # fmt: skip
    outer = (
        USED
        | DONE
        | {
            "gen_ai.response.id": ID,
            "gen_ai.usage.cache_creation.input_tokens": 100,
            "cost.team": "search",
            "gen_ai.usage.cost": "0.1",
        }
    )
    for first, second in ((inner, outer), (outer, inner)):
        found = translate(span(2, attributes=first), span(1, attributes=second))
        (event,) = found.events
        assert event.said["data"]["usage"]["cache_write_1h_tokens"] == 60
        assert event.said["data"]["labels"]["team"] == "search"
        assert event.said["data"]["reported_cost"]["amount"] == "0.1"
        assert found.skipped == {SECOND_SPAN: 1}


def test_an_outer_span_without_the_responses_id_is_one_with_the_call_inside() -> None:
    outer = {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 10_000,
        "llm.token_count.completion": 1_000,
    }
    inner = span(2, attributes=USED | {"gen_ai.response.id": ID}, parent_span_id=_id(1))
    found = translate(inner, span(1, attributes=outer))
    assert ([event.said["source"] for event in found.events], found.skipped) == (
        ["call:openai"],
        {SECOND_SPAN: 1},
    )
    # it may know the model by the name that was asked for, and if all it counts is the same, by any
    dated = USED | {"gen_ai.response.id": ID, "gen_ai.response.model": "gpt-4o-2024-08-06"}
    counts_otherwise = outer | {"llm.token_count.prompt": 9_999}
    for around in (counts_otherwise, outer | {"llm.model_name": "my-deployment"}):
        found = translate(span(2, attributes=dated, parent_span_id=_id(1)), span(1, attributes=around))
        assert [event.said["source"] for event in found.events] == ["call:openai"]
    # around a call of another model that used something else it is a call of its own
    found = translate(inner, span(1, attributes=counts_otherwise | {"llm.model_name": "o3"}))
    assert len(found.events) == 2
    # and so it is where it has a response of its own
    found = translate(inner, span(1, attributes=outer | {"gen_ai.response.id": "chatcmpl-213"}))
    assert len(found.events) == 2


OUTER = {
    "openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 10_000,
    "llm.token_count.completion": 1_000,
}  # fmt: skip


@pytest.mark.parametrize("between", [1, 2, 40])
def test_other_spans_may_stand_between_an_outer_span_and_the_call_inside(between: int) -> None:
    spans = [span(1, attributes=OUTER | {"cost.team": "search"})]
    spans += [span(2 + n, name="POST", attributes={}, parent_span_id=_id(1 + n)) for n in range(between)]
    inner = USED | {"gen_ai.response.id": ID}
    spans.append(span(2 + between, attributes=inner, parent_span_id=_id(1 + between)))
    for sent in (spans, spans[::-1]):
        found = translate(*sent)
        assert [event.said["source"] for event in found.events] == ["call:openai"]
        assert found.skipped == {NO_CALL: between, SECOND_SPAN: 1}
        assert found.events[0].said["data"]["labels"]["team"] == "search"


def test_two_calls_under_one_span_between_are_both_looked_at() -> None:
    # the nearest call around is found for both, also where the first walked past the span between already
    def sent(*models: str) -> list[dict[str, Any]]:
        return [
            span(1, attributes=OUTER),
            span(2, attributes={}, parent_span_id=_id(1)),
            *(
                span(3 + n, attributes=USED | {"gen_ai.request.model": model, "gen_ai.usage.input_tokens": 10 + n}, parent_span_id=_id(2))
                for n, model in enumerate(models)
            ),
        ]  # fmt: skip

    assert len(translate(*sent("gpt-4o", "o3")).events) == 2
    assert len(translate(*sent("o3", "gpt-4o")).events) == 2
    assert len(translate(*sent("o3", "o3")).events) == 3


def test_around_a_tool_that_asks_a_model_itself_a_call_is_one_of_its_own_unless_it_counts_the_same() -> None:
    def events(asked: dict[str, Any]) -> int:
        tool = span(2, attributes={"gen_ai.operation.name": "execute_tool"}, parent_span_id=_id(1))
        inner = span(3, attributes=asked | {"gen_ai.response.id": ID}, parent_span_id=_id(2))
        return len(translate(span(1, attributes=OUTER), tool, inner).events)

    assert events(USED | {"gen_ai.usage.input_tokens": 70}) == 2
    assert events(USED) == 1


def test_spans_around_each_other_in_a_ring_end_nowhere() -> None:
    ring = [span(n, attributes={}, parent_span_id=_id(3 - n)) for n in (1, 2)]
    calls = [span(n, attributes=OUTER, parent_span_id=_id(1)) for n in (3, 4)]
    calls.append(span(5, attributes=OUTER, parent_span_id=_id(5)))
    assert len(translate(*ring, *calls).events) == 3


@pytest.mark.parametrize("answer", ['{"id":"%s","choices":[]}', '{ "id": "%s" }'])
def test_a_vendors_id_is_read_off_the_answer_where_no_attribute_has_it(answer: str) -> None:
    spoken = {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 10,
    }
    event = said(spoken | {"output.value": answer % ID})
    assert (event["source"], event["id"]) == ("call:openai", ID)
    for other in (
        '{"id":"chatcmpl-213"}',
        json.dumps({"text": json.dumps({"id": ID})}),
        ID,
        '{"id":"my-own-secret-answer"}',
        "[]",
    ):
        assert said(spoken | {"output.value": other})["source"] == "otlp"


def test_a_second_span_with_an_id_that_others_may_have_is_kept_and_noted() -> None:
    attributes = USED | {"gen_ai.response.id": "chatcmpl-213"}
    found = translate(
        span(1, attributes=attributes),
        span(2, attributes=attributes),
        span(3, attributes=attributes, trace_id=b"\x01" * 16),
    )
    assert (len(found.events), found.noted) == (3, {SECOND_OF_ID: 1})


def test_a_call_that_never_said_its_usage_is_not_booked_as_zero() -> None:
    answered = CALL | {"gen_ai.response.id": ID}
    found = translate(
        span(1, attributes=answered), span(2, attributes=CALL, status={"code": 2}),
        span(3, attributes=USED | {"logfire.span_type": "pending_span"}),
        span(4, attributes=CALL | {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}),
    )  # fmt: skip
    assert (found.events, found.skipped) == ([], {UNMETERED: 1, NO_USAGE: 2, PENDING: 1})


def test_an_explicit_zero_is_believed_only_of_a_call_that_failed() -> None:
    # no answered call reads and writes nothing: the zeros are an instrumentation's that was never told (a stream without
    # include_usage), and booked they would take the identity of the call from the span that knows
    zero = CALL | DONE | {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}
    found = translate(span(1, attributes=zero), span(2, attributes=zero | {"gen_ai.response.id": ID}))
    assert (found.events, found.skipped) == ([], {UNMETERED: 2})
    assert answered(found) == f"not metered: 2 x {UNMETERED}"
    failed = {"status": {"code": 2}}
    assert data(zero, **failed)["usage"] == {"input_tokens": 0, "output_tokens": 0}
    # beside the span that knows, in either order, the zeros change nothing
    knows = span(3, attributes=USED | {"gen_ai.response.id": ID})
    for sent in (
        [span(2, attributes=zero | {"gen_ai.response.id": ID}), knows],
        [knows, span(2, attributes=zero)],
    ):
        assert [event.said["data"]["usage"]["input_tokens"] for event in translate(*sent).events] == [10_000]


def test_reasoning_beyond_the_output_lies_beside_it_and_loses_no_call() -> None:
    # as Gemini and Grok count, whose instrumentations hand on what they say
    found = data(CALL | {"gen_ai.usage.output_tokens": 20, "gen_ai.usage.reasoning.output_tokens": 500})
    assert found["usage"] == {"output_tokens": 20, "reasoning_tokens": 500}
    assert found["normalised"] == "assumed"


@pytest.mark.parametrize(
    "service",
    [
        "coworking-booking", "coworker", "codexa-search", "codex-review-bot", "claude-code-reviewer", "codex", "gemini-cli-proxy", "my-claude-code",
        "Claude-Code", "cowork.booking",
    ],
)  # fmt: skip
def test_a_service_whose_name_merely_begins_like_a_coding_agents_is_none(service: str) -> None:
    assert len(translate(span(attributes=USED), resource={"service.name": service}).events) == 1


def test_an_interrupted_call_is_estimated_at_the_most_that_it_may_have_had() -> None:
    cut = CALL | {
        "gen_ai.response.id": ID,
        "gen_ai.usage.input_tokens": 500,
        "gen_ai.request.max_tokens": 512,
    }
    found = translate(span(attributes=cut))
    made = found.events[0].said["data"]
    assert (made["usage"], made["estimated"], found.noted) == (
        {"input_tokens": 500, "output_tokens": 512},
        ["output_tokens"],
        {INTERRUPTED: 1},
    )
    found = translate(span(attributes={**cut, "gen_ai.request.max_tokens": None}))
    assert (found.events[0].said["data"]["usage"], found.noted) == ({"input_tokens": 500}, {UNBOUNDED: 1})
    # what was last said of a stream without an end is an estimate as well
    made = data(cut | {"gen_ai.usage.output_tokens": 40, "gen_ai.request.stream": True})
    assert (made["usage"]["output_tokens"], made["estimated"]) == (40, ["output_tokens"])
    assert "estimated" not in data(
        cut | DONE | {"gen_ai.usage.output_tokens": 40, "gen_ai.request.stream": True}
    )


def test_embeddings_have_no_output_and_are_not_interrupted() -> None:
    made = data(
        {
            "gen_ai.operation.name": "embeddings",
            "gen_ai.request.model": "e",
            "gen_ai.response.id": ID,
            "gen_ai.usage.input_tokens": 9,
            "gen_ai.request.max_tokens": 5,
        }
    )
    assert (made["usage"], "estimated" in made) == ({"input_tokens": 9}, False)


def test_a_failed_call_that_used_something_is_metered_with_its_status() -> None:
    assert data(USED, status={"code": 2})["performance"] == {"status": "error", "latency_ms": 830}


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"gen_ai.usage.input_tokens": -5}, "gen_ai.usage.input_tokens must be a whole number of at least 0"),
        ({"gen_ai.usage.input_tokens": 1.5}, "gen_ai.usage.input_tokens must be a whole number of at least 0"),
        ({"gen_ai.usage.input_tokens": "canary"}, "gen_ai.usage.input_tokens must be a whole number of at least 0"),
        ({"gen_ai.usage.audio.output_tokens": 2_000}, "output_tokens would be below 0: the parts of this otel usage exceed their total"),
        ({"gen_ai.usage.audio.input_tokens": 20_000}, "input_tokens would be below 0: the parts of this otel usage exceed their total"),
    ],
)  # fmt: skip
def test_usage_that_cannot_be_is_refused_by_field_and_rule(attributes: dict[str, Any], reason: str) -> None:
    found = translate(span(attributes=USED), span(2, attributes=USED | attributes))
    assert (len(found.events), found.refused) == (1, [{"index": 1, "field": "attributes", "reason": reason}])


def test_a_whole_number_may_be_a_double() -> None:
    assert data(USED | {"gen_ai.usage.input_tokens": 12.0})["usage"]["input_tokens"] == 12


def test_a_span_without_ids_is_refused_unless_the_call_has_its_own() -> None:
    found = translate(
        span(attributes=USED, trace_id=b""), span(attributes=USED | {"gen_ai.response.id": ID}, span_id=b"")
    )
    assert [(bad["index"], bad["field"]) for bad in found.refused] == [(0, "trace_id, span_id")]
    assert found.events[0].said["id"] == ID


@pytest.mark.parametrize("ns", [0, 2**64 - 1])
def test_a_time_that_is_none_is_that_of_receipt(ns: int) -> None:
    found = translate(span(attributes=USED, start_time_unix_nano=ns, end_time_unix_nano=ns))
    assert "time" not in found.events[0].said
    assert found.events[0].said["data"]["performance"] == {"status": "ok"}
    assert accepted(found)[0].time == NOW


@pytest.mark.parametrize("year", [1999, 2031])
def test_a_clock_far_off_loses_nothing_and_what_it_claimed_is_kept(year: int) -> None:
    ns = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    (event,) = accepted(translate(span(attributes=USED, end_time_unix_nano=ns)))
    assert (event.time, event.claimedtime) == (NOW, f"{year}-01-01T00:00:00+00:00")


def test_labels_that_cannot_be_are_left_out_and_the_money_is_kept() -> None:
    found = translate(
        span(attributes=USED | {"cost.team": "x" * 129, "cost.run": "a\u202eb"}),
        resource={"service.name": "unknown_service:python"},
    )
    assert (found.events[0].said["data"].get("labels"), found.noted) == (None, {LEFT_OUT: 2})
    accepted(found)


def test_a_tenants_map_says_whose_it_is_whatever_the_sender_says() -> None:
    maps = TenantMaps(labels=(LabelRule(attribute="organization.id", label="team", values={"o-1": "legal"}),))
    known = RequestMaps(
        tenant="acme", attributes=maps.attributes, by_tenant={"acme": NumberedMaps(number=1, maps=maps)}
    )
    found = translate(
        span(attributes=USED | {"cost.team": "search"}), maps=known, resource={"organization.id": "o-1"}
    )
    assert found.events[0].said["data"]["labels"]["team"] == "legal"
    assert "tenant" not in found.events[0].said


def test_an_operators_map_says_which_tenant_a_process_is_of() -> None:
    maps = TenantMaps(labels=(LabelRule(attribute="org", label="tenant"),))
    known = RequestMaps(attributes=maps.attributes, by_tenant={"*": NumberedMaps(number=1, maps=maps)})
    assert (
        translate(span(attributes=USED), maps=known, resource={"org": "globex"}).events[0].said["tenant"]
        == "globex"
    )


@pytest.mark.parametrize(
    "service",
    [
        "claude-code", "cowork", "gemini-cli", "codex_cli_rs", "codex_exec", "codex_tui", "codex_mcp_server", "codex-app-server", "codex_vscode",
        "Codex Desktop",
    ],
)  # fmt: skip
def test_a_coding_agents_spans_are_priced_only_where_its_tenant_says_so(service: str) -> None:
    spans = (
        span(1, attributes=CLAUDES, name="claude_code.llm_request"),
        span(2, attributes=USED, name="handle_responses"),
    )
    assert translate(*spans, resource={"service.name": service}).skipped == {OTHER_SIGNAL: 2}


def answered(found: Translated) -> str:
    """What the answer to an exporter says of a request of which nothing was rejected."""
    accepted = AcceptedEvents(events=[], refused=found.refused, skipped=found.skipped, noted=found.noted)
    incoming = Incoming(body=b"", media_type=JSON, headers={}, query={}, path={}, url="", now=NOW)
    said: dict[str, Any] = json.loads(OTLP_TRACES.answer(incoming, accepted).body)
    message: str = said.get("partialSuccess", {}).get("errorMessage", "")
    return message


def test_a_coding_agents_spans_that_are_passed_over_are_told_of() -> None:
    found = translate(span(attributes=CLAUDES), resource={"service.name": "claude-code"})
    assert answered(found) == f"passed over: 1 x {OTHER_SIGNAL}"
    found = translate(
        span(attributes=CALL | {"gen_ai.response.id": ID}), span(2, attributes=USED, trace_id=b"")
    )
    refused = "item 1: trace_id, span_id must be 16 and 8 bytes that are not all zero"
    assert answered(found) == f"{refused}; not metered: 1 x {UNMETERED}"
    assert answered(translate(span(attributes=USED), span(2, attributes={}))) == ""


CLAUDES = {
    "model": "claude-sonnet-4-5", "input_tokens": 5, "output_tokens": 10, "cache_read_tokens": 128_955, "cache_creation_tokens": 1_253,
    "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy", "session.id": "s-1",
}  # fmt: skip


def test_by_spans_claude_code_counts_what_is_cached_beside_its_input() -> None:
    found = translate(
        span(1, attributes=CLAUDES, name="claude_code.llm_request"), span(2, attributes=CLAUDES, name="claude_code.interaction"),
        maps=by_traces("claude-code"), resource={"service.name": "claude-code"},
    )  # fmt: skip
    (event,) = found.events
    assert (event.said["source"], event.said["id"]) == ("call:anthropic", "req_011CSHoEeqs5C35K2UUqR7Fy")
    assert event.said["data"]["usage"] == {
        "input_tokens": 5,
        "output_tokens": 10,
        "cache_read_tokens": 128_955,
        "cache_write_5m_tokens": 1_253,
    }
    assert event.said["data"]["labels"] == {"agent": "claude-code", "run": "s-1"}
    assert (event.said["data"]["performance"]["latency_ms"], found.skipped) == (830, {NO_CALL: 1})
    accepted(found)


def test_by_spans_codex_is_read_as_everybody_is() -> None:
    used = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.request.model": "gpt-5.4",
        "gen_ai.provider.name": "openai",
    }
    found = translate(
        span(attributes=used, name="handle_responses"),
        maps=by_traces("codex"),
        resource={"service.name": "codex_exec"},
    )
    assert found.events[0].said["data"]["usage"] == {
        "input_tokens": 2,
        "cache_read_tokens": 8,
        "output_tokens": 3,
    }


def by_traces(tool: str) -> RequestMaps:
    maps = TenantMaps(signals={tool: "traces"})
    return RequestMaps(tenant="acme", by_tenant={"acme": NumberedMaps(number=1, maps=maps)})


def test_what_the_request_says_of_all_its_spans_goes_under_what_they_say() -> None:
    body = traces(span(attributes=USED | {"cost.team": "search"}))
    found = translate_spans(body.SerializeToString(), PROTOBUF, ACME, {"team": "x", "feature": "f"})
    assert found.events[0].said["data"]["labels"] == {"team": "search", "feature": "f", "project": "checkout"}


@pytest.mark.parametrize("unfit", ["x" * 129, "a\u202eb"])
def test_a_label_of_the_whole_request_that_cannot_be_is_left_out_and_told_and_the_money_kept(
    unfit: str,
) -> None:
    # an exporter drops what is refused, and would drop all that it ever sends
    for headers, query in (
        ({"spendmeter-labels": f"team={unfit},feature=f"}, {}),
        ({"spendmeter-labels": "feature=f,team=ok"}, {"label.team": unfit}),
        ({"spendmeter-labels": "feature=f,team"}, {}),
    ):
        incoming = Incoming(
            body=traces(span(attributes=USED)).SerializeToString(), media_type=PROTOBUF, headers=headers, query=query, path={}, url="", now=NOW,
            maps=ACME,
        )  # fmt: skip
        found = OTLP_TRACES.read(incoming, submission(now=NOW, keeps_late=True))
        assert (found.refused, found.noted) == ([], {LABEL_OF_ALL: 1})
        (event,) = found.events
        assert (event.data.labels.team, event.data.labels.feature) == ("", "f")
        said = ExportTraceServiceResponse.FromString(OTLP_TRACES.answer(incoming, found).body).partial_success
        assert (said.rejected_spans, said.error_message) == (0, f"left out: 1 x {LABEL_OF_ALL}")


def test_nothing_outside_the_list_reaches_an_event() -> None:
    secret = "canary-7f21"
    names = [
        "gen_ai.prompt", "gen_ai.completion", "gen_ai.prompt.0.content", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
        "gen_ai.tool.definitions", "input.value", "output.value", "llm.input_messages.0.message.content", "llm.invocation_parameters", "url.full",
        "exception.message", "cost.secret", "llm.prompts", "embedding.embeddings.0.embedding.text", "traceloop.entity.input",
    ]  # fmt: skip
    fields = {
        "name": secret,
        "status": {"code": 2, "message": secret},
        "events": [{"name": secret}],
        "trace_state": secret,
    }
    found = translate(
        span(attributes=USED | dict.fromkeys(names, secret), **fields),
        span(2, attributes=USED | {"gen_ai.usage.input_tokens": secret}),
        resource={"host.name": secret},
    )
    assert len(found.events) == 1
    assert secret not in repr(found)
    assert {name for name in names if name in ATTRIBUTES} == {"output.value"}


def _id(number: int) -> bytes:
    return number.to_bytes(8, "big")


def test_no_attribute_means_two_things() -> None:
    tables = [
        getattr(table, field)
        for table in (OTEL.usage, OTEL.call, OTEL.reported)
        for field in table.__struct_fields__
    ]
    names = [name for spellings in (*tables, *OTEL.labels.values()) for name in spellings]
    assert sorted(names) == sorted({*names, *OTEL.known.names} - OTEL.known.names)
