"""What coding agents log of their calls: booked once, with the right quantities, and without what they wrote."""

from __future__ import annotations

import json
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest

from services.ingest.dialects.otlp_spans import UNMETERED
from services.ingest.otlp_logs_entrance import OTLP_LOGS
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from services.ingest.pseudonyms import PREFIX
from services.ingest.refused import RequestRefused
from spendmeter.contracts.event_identity import content_hash, identity
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.pricing.catalog import load_own, load_public
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.agents import (
    CLAUDE_RESOURCE,
    CODEX_RESOURCE,
    CONVERSATION,
    GEMINI_RESOURCE,
    REQUEST,
    SESSION,
    api_request,
    api_response,
    sent,
    sse_event,
)
from tests.ingest.dialects.otlp import START_NS, TRACE, logs, span, traces

BOOK = PriceBook([*load_public(), *load_own()])


def claude(*records: dict[str, Any], **how: Any) -> list[UsageEvent]:
    found = sent(OTLP_LOGS, logs(*records, resource=CLAUDE_RESOURCE | how.pop("resource", {})), **how)
    assert not found.refused, found.refused
    return list(found.events)


def codex(*records: dict[str, Any], **how: Any) -> list[UsageEvent]:
    found = sent(OTLP_LOGS, logs(*records, resource=CODEX_RESOURCE | how.pop("resource", {})), **how)
    assert not found.refused, found.refused
    return list(found.events)


def identities(events: list[UsageEvent]) -> list[bytes]:
    return [identity(event.tenant, event.source, event.id) for event in events]


def test_a_request_of_claude_codes_is_a_call_with_what_it_says() -> None:
    (event,) = claude(api_request())
    said = json.loads(encode_event(event))
    assert said["data"]["labels"].pop("user").startswith(PREFIX)
    assert (said["source"], said["id"], said["time"]) == (
        "call:anthropic",
        REQUEST,
        "2026-11-26T10:00:00.123000Z",
    )
    assert said["data"] == {
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5-20250929",
        "usage": {
            "input_tokens": 5, "cache_read_tokens": 128_955, "cache_write_5m_tokens": 1_253, "output_tokens": 10,
        },
        "labels": {"agent": "claude-code", "run": SESSION},
        "performance": {"latency_ms": 4210, "status": "ok"},
        "reported_cost": {"amount": "0.0493965", "currency": "USD"},
        "normalised": "assumed",
    }  # fmt: skip


def cost(event: UsageEvent) -> Decimal:
    """What it comes to by the prices that we ship."""
    rating = rate(event, BOOK)
    assert {line.status for line in rating.lines} == {"priced"}
    return sum((Decimal(line.amount or "NaN") for line in rating.lines), Decimal(0))


def test_its_money_is_that_of_the_messages_api_where_what_is_cached_lies_beside_the_input() -> None:
    (event,) = claude(api_request())
    # 5 x 3 + 128,955 x 0.30 + 1,253 x 3.75 + 10 x 15, in dollars by the million
    assert cost(event) == Decimal("0.04355025")
    (fast,) = claude(api_request(speed="fast"))
    assert fast.data.context.service_tier == "fast"


def test_codex_counts_what_is_cached_inside_the_input_and_reasoning_inside_the_output() -> None:
    (event,) = codex(sse_event())
    said = json.loads(encode_event(event))
    assert said["data"]["usage"] == {
        "input_tokens": 808, "cache_read_tokens": 8192, "output_tokens": 152, "reasoning_tokens": 448,
    }  # fmt: skip
    assert said["data"]["labels"].pop("user").startswith(PREFIX)
    assert said["data"]["labels"] == {"agent": "codex", "run": CONVERSATION, "environment": "dev"}
    assert (said["source"], said["time"]) == ("otlp", "2026-11-26T10:00:00.123000Z")
    # gpt-5.1: 808 x 1.25 + 8,192 x 0.125 + 600 x 10
    assert cost(event) == Decimal("0.008034")


def test_what_is_written_to_a_cache_is_part_of_codexs_input_too_and_the_tier_is_kept() -> None:
    (event,) = codex(sse_event(cache_write_token_count=100, service_tier="flex"))
    assert event.data.usage["input_tokens"] == 708
    assert event.data.usage["cache_write_5m_tokens"] == 100
    assert event.data.context.service_tier == "flex"


def test_numbers_may_be_texts_and_texts_that_are_no_numbers_reject_their_record_by_name() -> None:
    (event,) = claude(
        api_request(input_tokens="5", output_tokens="10", cost_usd="0.0493965", duration_ms="4210")
    )
    (plain,) = claude(api_request())
    assert content_hash(event) == content_hash(plain)
    for bad in ("5 secret", -1, 1.5, True, ["x"], "9" * 40):
        found = sent(OTLP_LOGS, logs(api_request(input_tokens=bad), api_request(), resource=CLAUDE_RESOURCE))
        (refused,) = found.refused
        assert (refused["index"], refused["field"]) == (0, "input_tokens")
        assert "secret" not in refused["reason"]
        assert len(found.events) == 1


def test_a_cost_that_cannot_be_read_is_no_reason_to_lose_the_call() -> None:
    for bad, amount in (
        ("NaN", None),
        ("1e999999", None),
        (True, None),
        ("\uff11\uff12", None),
        ("1_000", None),
        ("5e-05", "0.00005"),
        (-1, None),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
    ):
        (event,) = claude(api_request(cost_usd=bad))
        reported = event.data.reported_cost
        assert (reported and reported.amount) == amount
    (event,) = claude(api_request(cost_usd=None, cost_usd_micros=49_397))
    assert event.data.reported_cost.amount == "0.049397"


def test_a_batch_that_is_sent_again_is_the_same_events() -> None:
    records = [
        api_request(),
        api_request(8, request_id=None, client_request_id=None),
        sse_event(),
        sse_event(),
    ]
    first, again = (sent(OTLP_LOGS, logs(*records, resource=CLAUDE_RESOURCE)).events for _ in range(2))
    assert identities(list(first)) == identities(list(again))
    assert len(set(identities(list(first)))) == 4
    assert [content_hash(event) for event in first] == [content_hash(event) for event in again]


def test_a_request_is_known_by_its_request_id_else_by_the_clients() -> None:
    retold = claude(api_request(), api_request(9, at_ns=START_NS + 10**9))
    assert len(set(identities(retold))) == 1, "one request, whatever its place in the session"
    (by_client,) = claude(
        api_request(request_id=None, client_request_id="7d0c1a52-4a7c-4b0a-9d21-7f4f2c1c9b66")
    )
    assert (by_client.source, by_client.id) == ("otlp", "claude-code:7d0c1a52-4a7c-4b0a-9d21-7f4f2c1c9b66")
    (of_others,) = claude(api_request(request_id="1234"))
    assert (of_others.source, of_others.id) == ("otlp", "claude-code:1234")


def test_a_resumed_session_that_counts_from_the_start_again_loses_no_call() -> None:
    """Both are number 7 of one session, a day apart; their requests have no id."""
    none = {"request_id": None, "client_request_id": None}
    before = api_request(7, **none)
    later = api_request(
        7, at_ns=START_NS + 86_400 * 10**9, **{"event.timestamp": "2026-11-26T10:00:08Z"}, **none
    )
    events = claude(before, later)
    assert len(set(identities(events))) == 2
    assert {event.data.labels.run for event in events} == {SESSION}


def test_responses_of_codex_that_say_the_same_of_the_same_moment_are_two_calls() -> None:
    first, second, other = codex(sse_event(), sse_event(), sse_event(output_token_count="601"))
    assert second.id == first.id + "#2"
    assert other.id.rpartition(":")[0] == first.id.rpartition(":")[0]
    assert len({first.id, second.id, other.id}) == 3
    assert codex(sse_event())[0].id == first.id


def test_events_without_usage_and_calls_that_failed_are_passed_over_with_the_reason() -> None:
    failed = api_request(**{"event.name": "api_error"}, input_tokens=None, output_tokens=None)
    found = sent(
        OTLP_LOGS,
        logs(
            failed,
            api_request(**{"event.name": "user_prompt"}),
            sse_event(input_token_count=None, output_token_count=None),
            sse_event(input_token_count=None, output_token_count=None, **{"error.message": "x"}),
            sse_event(**{"event.kind": "response.output_item.done"}),
            {"body": {"string_value": "GET / 200"}},
            resource=CLAUDE_RESOURCE,
        ),
    )
    assert not found.events and not found.refused
    assert found.skipped == {"a call that failed": 2, "no usage": 4}


def test_a_failed_call_that_used_something_is_priced_as_what_it_is() -> None:
    (event,) = claude(api_request(**{"event.name": "api_error"}, cost_usd=None))
    assert event.data.performance.status == "error"


def test_of_a_tool_that_is_priced_by_its_traces_no_log_counts() -> None:
    found = sent(
        OTLP_LOGS,
        logs(api_request(), sse_event(), resource=CLAUDE_RESOURCE),
        maps={"signals": {"claude-code": "traces"}},
    )
    assert [event.data.labels.agent for event in found.events] == ["codex"]
    assert found.skipped == {"a coding agent's other signal": 1}


def test_labels_are_what_the_request_says_then_what_the_tool_says_then_what_the_tenant_has_set() -> None:
    process = {"team.id": "search", "deployment.environment.name": "ci", "cost.project": "site"}
    headers = {"spendmeter-labels": "team=nobody,feature=coding"}
    (event,) = claude(api_request(**{"workflow.name": "review"}), resource=process, headers=headers)
    labels = event.data.labels
    assert (labels.team, labels.feature, labels.environment) == ("search", "coding", "ci")
    assert (labels.project, labels.workflow) == ("site", "review")
    rules = [
        {"attribute": "organization.id", "label": "team", "values": {"org-1": "platform"}},
        {"attribute": "query_source", "label": "feature"},
    ]
    (mapped,) = claude(api_request(), resource=process, headers=headers, maps={"labels": rules})
    assert (mapped.data.labels.team, mapped.data.labels.feature) == ("platform", "repl_main_thread")


def test_an_attribute_may_mean_a_dimension_of_the_tenants_own_once_that_is_declared() -> None:
    rules = {"labels": [{"attribute": "cost.center", "label": "cost_centre"}]}
    request = logs(api_request(), resource=CLAUDE_RESOURCE | {"cost.center": "4711"})
    declared = sent(OTLP_LOGS, request, maps=rules, dimensions={"acme": {"cost_centre"}})
    assert declared.events[0].data.labels.own == {"cost_centre": "4711"}
    found = sent(OTLP_LOGS, request, maps=rules)
    assert (found.events[0].data.labels.own, found.dropped) == ({}, ["data.labels.cost_centre"])


def test_a_person_is_one_pseudonym_in_all_tools_and_never_a_name() -> None:
    (one,), (other,) = claude(api_request()), codex(sse_event(**{"user.email": "JO@example.com"}))
    assert one.data.labels.user == other.data.labels.user
    for event in (one, other):
        assert b"xample.com" not in encode_event(event)
        assert b"acct-9" not in encode_event(event)


def test_models_of_other_sellers_are_theirs() -> None:
    names = ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5@20250929", "claude-opus-4-5")
    found = claude(*(api_request(request_id=f"r{model}", model=model) for model in names))
    assert [event.data.provider for event in found] == ["aws", "vertex_ai", "anthropic"]


def test_by_spans_the_same_call_has_the_same_identity_and_labels() -> None:
    """So a tenant that changes the signal counts no call twice."""
    said = {
        name: value for name, value in api_request()["attributes"].items() if not name.startswith("event.")
    }
    request = traces(
        span(
            1, name="claude_code.llm_request", attributes=said | {"model": "claude-sonnet-4-5-20250929[1m]"}
        ),
        resource=CLAUDE_RESOURCE,
    )
    (by_span,) = sent(OTLP_TRACES, request, maps={"signals": {"claude-code": "traces"}}).events
    (by_log,) = claude(api_request())
    assert identities([by_span]) == identities([by_log])
    assert by_span.data.labels == by_log.data.labels
    assert (by_span.data.sku, by_span.data.usage) == (by_log.data.sku, by_log.data.usage)
    assert not sent(OTLP_TRACES, request).events, "unless the tenant says so, its spans are repeats"


def test_gemini_clis_thoughts_lie_beside_its_answer_and_its_genai_event_is_a_repeat_that_lacks_them() -> None:
    counts = {"gen_ai.usage.input_tokens": 12_000, "gen_ai.usage.output_tokens": 350}
    repeat = {"event_name": "gen_ai.client.inference.operation.details", "attributes": GENAI | counts}
    found = sent(OTLP_LOGS, logs(api_response(), repeat, api_response(), resource=GEMINI_RESOURCE))
    assert found.skipped == {"a coding agent's second event of a call": 1}
    event, second = found.events
    assert event.data.usage == {
        "input_tokens": 4_000, "cache_read_tokens": 8_000, "output_tokens": 350, "reasoning_tokens": 420,
    }  # fmt: skip
    # gemini-2.5-pro: 4,000 x 1.25 + 8,000 x 0.125 + 770 x 10
    assert cost(event) == Decimal("0.0137")
    assert (event.data.provider, event.data.labels.agent, event.data.labels.run) == (
        "google",
        "gemini-cli",
        SESSION,
    )
    assert event.data.performance.latency_ms == 2100
    assert second.id == event.id + "#2"


def test_cowork_is_claude_code_in_the_desktop_under_a_label_of_its_own() -> None:
    """Its events lack the tool's name, and a person may be known by the process alone."""
    record = api_request(**{"user.email": None}) | {"body": {}, "event_name": "api_request"}
    (event,) = claude(record, resource={"service.name": "cowork", "enduser.id": "jo@example.com"})
    assert event.data.labels.agent == "claude-cowork"
    assert event.id == REQUEST
    assert event.data.labels.user == claude(api_request())[0].data.labels.user


GENAI = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.output_tokens": 50,
    "gen_ai.response.finish_reasons": ["stop"], "gen_ai.input.messages": "secret",
}  # fmt: skip


def genai(**more: Any) -> dict[str, Any]:
    return {
        "event_name": "gen_ai.client.inference.operation.details",
        "time_unix_nano": START_NS,
        "attributes": GENAI | more.pop("attributes", {}),
    } | more


def test_a_genai_event_that_carries_usage_is_the_call_that_its_span_is() -> None:
    of_span = {"trace_id": bytes.fromhex(TRACE), "span_id": (1).to_bytes(8, "big")}
    (by_log,) = sent(OTLP_LOGS, logs(genai(**of_span), resource={"service.name": "checkout"})).events
    (by_span,) = sent(OTLP_TRACES, traces(span(1, attributes=GENAI))).events
    assert identities([by_log]) == identities([by_span])
    assert by_log.data.usage == {"input_tokens": 600, "cache_read_tokens": 400, "output_tokens": 50}
    assert by_log.data.labels == by_span.data.labels
    assert b"secret" not in encode_event(by_log)


def test_a_genai_event_of_no_span_is_a_call_of_its_own_by_its_responses_id_or_its_moment() -> None:
    known = {"attributes": {"gen_ai.response.id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"}}
    records = [genai(), genai(time_unix_nano=START_NS + 1), genai(**known)]
    first, again = (list(sent(OTLP_LOGS, logs(*records)).events) for _ in range(2))
    assert identities(first) == identities(again)
    assert len(set(identities(first))) == 3
    assert first[2].source == "call:openai"


def test_a_genai_event_without_usage_or_with_one_that_is_none_is_no_call() -> None:
    none = {name: None for name in GENAI if name.startswith("gen_ai.usage")}
    bad = {"gen_ai.usage.input_tokens": "many"}
    found = sent(OTLP_LOGS, logs(genai(attributes=none), genai(attributes=bad), genai()))
    assert len(found.events) == 1 and [each["index"] for each in found.refused] == [1]
    assert found.skipped == {UNMETERED: 1}, "it was answered: it says how it finished"


CANARY = "canary-7c1e"


def test_nothing_that_anybody_wrote_leaves_the_door() -> None:
    written = ("prompt", "response", "body", "tool_input", "tool_parameters", "error", "arguments", "output")
    loose = {name: f"{CANARY}-{name}" for name in written}
    found = sent(
        OTLP_LOGS,
        logs(
            api_request(**loose),
            sse_event(**loose),
            api_request(**loose, request_id="x", input_tokens=CANARY),
            {"body": {"string_value": CANARY}, "attributes": {"event.name": CANARY}},
            resource=CLAUDE_RESOURCE | {"process.command_args": CANARY, "host.name": CANARY},
        ),
        maps={
            "labels": [
                {"attribute": "prompt", "label": "team"},
                {"attribute": "response", "label": "feature"},
            ]
        },
    )
    assert len(found.events) == 2 and len(found.refused) == 1
    said = b"".join(encode_event(event) for event in found.events) + repr(found.refused).encode()
    assert CANARY.encode() not in said + repr(found.skipped).encode() + repr(found.dropped).encode()


def test_what_is_no_request_is_refused_whole() -> None:
    for body in (b"\xff\xff", b"\x0a\xff"):
        with pytest.raises(RequestRefused) as caught:
            sent(OTLP_LOGS, body)
        assert caught.value.status is HTTPStatus.BAD_REQUEST
