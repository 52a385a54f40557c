"""What senders that are not installed here write into spans, read off their source: the same call, counted as each does.

The call, of claude-sonnet-4-5: 5,000 tokens in that no cache had, 4,000 read from it, 500 written to it (300 for five
minutes, 200 for an hour), 100 out.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from services.ingest.dialects.otlp_calls import SECOND_SPAN, translate_spans
from services.ingest.dialects.otlp_spans import (
    AGENTS_REPEAT,
    FROM_CACHE,
    NO_CALL,
    NO_USAGE,
    UNMETERED,
    UNREAD,
)
from services.ingest.dialects.otlp_wire import JSON, PROTOBUF
from services.ingest.dialects.translated import ASSUMED, Translated
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.otel_names import opened
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.otlp import in_json, span, traces
from tests.ingest.dialects.test_otlp_spans import CALL, DONE, ID, USED, accepted, answered

ACME = RequestMaps(tenant="acme")
MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL"
MODEL = "claude-sonnet-4-5-20250929"
CLAUDE: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.request.model": MODEL,
}
ON_BEDROCK: dict[str, Any] = CLAUDE | {
    "gen_ai.provider.name": "aws.bedrock", "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
}  # fmt: skip
FRESH: dict[str, Any] = {"gen_ai.usage.input_tokens": 5_000, "gen_ai.usage.output_tokens": 100}
ALL_IN: dict[str, Any] = {"gen_ai.usage.input_tokens": 9_500, "gen_ai.usage.output_tokens": 100}
BY_CONVENTION: dict[str, Any] = {
    "gen_ai.usage.cache_read.input_tokens": 4_000,
    "gen_ai.usage.cache_creation.input_tokens": 500,
}

EXACT = {
    "input_tokens": 5_000, "cache_read_tokens": 4_000, "cache_write_5m_tokens": 300, "cache_write_1h_tokens": 200, "output_tokens": 100,
}  # fmt: skip
# where how long what was written lives is not said
WITHOUT_HOUR = {
    "input_tokens": 5_000,
    "cache_read_tokens": 4_000,
    "cache_write_5m_tokens": 500,
    "output_tokens": 100,
}
# where nothing says what was written
READ_ALONE = {"input_tokens": 5_000, "cache_read_tokens": 4_000, "output_tokens": 100}


def translate(*spans: dict[str, Any], scope: str = "a.library") -> Translated:
    request = traces(*spans)
    request.resource_spans[0].scope_spans[0].scope.name = scope
    return translate_spans(request.SerializeToString(), PROTOBUF, ACME)


def counted(attributes: dict[str, Any], scope: str = "a.library") -> tuple[dict[str, int], str]:
    """The quantities of the one call that a span tells of, and whether they are assumed."""
    found = translate(span(attributes=attributes), scope=scope)
    (event,) = found.events
    normalised = event.said["data"].get("normalised", "stated")
    assert found.noted[ASSUMED] == (normalised == "assumed")
    return event.said["data"]["usage"], normalised


# Vercel's AI SDK, npm `ai`: gen_ai.usage.input_tokens of versions 4 and 5 is what the provider package calls inputTokens:
# of @ai-sdk/anthropic 1.2.12 and 2.0.112 (dist/index.js, doGenerate: `inputTokens = response.usage.input_tokens`) and of
# @ai-sdk/amazon-bedrock 3.0.137 what no cache had; of @ai-sdk/anthropic 3.0.140 all (convertAnthropicMessagesUsage: `total`).
RAW: dict[str, Any] = {
    "input_tokens": 5_000, "cache_read_input_tokens": 4_000, "cache_creation_input_tokens": 500, "output_tokens": 100,
    "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200}, "service_tier": "standard",
}  # fmt: skip


def ai_sdk(operation: str, metadata: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    """A span of the AI SDK's around one call of a provider."""
    told = {"ai.response.providerMetadata": json.dumps(metadata)} if metadata else {}
    return {
        "operation.name": operation, "ai.operationId": operation, "ai.model.provider": "anthropic.messages", "ai.model.id": MODEL,
        "gen_ai.system": "anthropic.messages", "gen_ai.request.model": MODEL, "gen_ai.response.model": MODEL,
        "gen_ai.response.id": MESSAGE_ID, "ai.response.id": MESSAGE_ID, "gen_ai.response.finish_reasons": ["stop"],
    } | told | said  # fmt: skip


OF_5: dict[str, Any] = {
    "anthropic": {"usage": RAW, "cacheCreationInputTokens": 500, "stopSequence": None, "iterations": None}
}
OF_4: dict[str, Any] = {"anthropic": {"cacheCreationInputTokens": 500, "cacheReadInputTokens": 4_000}}
DETAILS: dict[str, Any] = {
    "ai.usage.inputTokens": 9_500, "ai.usage.inputTokenDetails.noCacheTokens": 5_000, "ai.usage.inputTokenDetails.cacheReadTokens": 4_000,
    "ai.usage.inputTokenDetails.cacheWriteTokens": 500, "ai.usage.outputTokens": 100, "ai.usage.totalTokens": 9_600,
    "ai.usage.cachedInputTokens": 4_000,
}  # fmt: skip
STREAMED: dict[str, Any] = {
    "ai.usage.inputTokens": 5_000,
    "ai.usage.cachedInputTokens": 4_000,
    "ai.usage.totalTokens": 5_100,
}
BEDROCK_5: dict[str, Any] = {
    "gen_ai.system": "amazon-bedrock",
    "gen_ai.response.model": "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
}
AI_SDK: dict[str, tuple[dict[str, Any], dict[str, int], str]] = {
    "ai 5.0.277, generateText": (ai_sdk("ai.generateText.doGenerate", OF_5) | FRESH, EXACT, "stated"),
    "ai 5.0.277, streamText": (ai_sdk("ai.streamText.doStream", OF_5) | FRESH | STREAMED, EXACT, "stated"),
    # behind a Collector that strips what may hold content
    "ai 5.0.277, streamText, bare": (ai_sdk("ai.streamText.doStream") | FRESH | STREAMED, READ_ALONE, "assumed"),
    "ai 5.0.277, streamText, Bedrock": (
        ai_sdk("ai.streamText.doStream", {"bedrock": {"usage": {"cacheWriteInputTokens": 500}}}) | FRESH | STREAMED | BEDROCK_5,
        WITHOUT_HOUR, "assumed",
    ),
    "ai 4.3.19, generateText": (ai_sdk("ai.generateText.doGenerate", OF_4) | FRESH, WITHOUT_HOUR, "assumed"),
    "ai 4.3.19, generateObject": (
        ai_sdk("ai.generateObject.doGenerate", OF_4) | {"gen_ai.usage.prompt_tokens": 5_000, "gen_ai.usage.completion_tokens": 100},
        WITHOUT_HOUR, "assumed",
    ),
    "ai 6.0.325, generateText": (ai_sdk("ai.generateText.doGenerate", OF_5) | ALL_IN | DETAILS, EXACT, "stated"),
    "ai 6.0.325, generateText, bare": (ai_sdk("ai.generateText.doGenerate") | ALL_IN | DETAILS, WITHOUT_HOUR, "stated"),
    # which has no details
    "ai 6.0.325, streamObject": (
        ai_sdk("ai.streamObject.doStream", OF_5) | ALL_IN | {"ai.usage.cachedInputTokens": 4_000, "ai.usage.totalTokens": 9_600},
        EXACT, "stated",
    ),
    # @ai-sdk/otel 1.0.173, src/open-telemetry.ts, with the option providerMetadata; on Bedrock the metadata has no fresh input
    "ai 7.0.173, chat, Bedrock": (
        ON_BEDROCK | ALL_IN | BY_CONVENTION | {"ai.response.providerMetadata": '{"bedrock": {"usage": {"cacheWriteInputTokens": 500}}}'},
        WITHOUT_HOUR, "stated",
    ),
    "ai 7.0.173, chat": (CLAUDE | ALL_IN | BY_CONVENTION | {"ai.response.providerMetadata": json.dumps(OF_5)}, EXACT, "stated"),
}  # fmt: skip


@pytest.mark.parametrize("sender", AI_SDK)
def test_of_the_ai_sdk_each_version_is_counted_as_it_counts(sender: str) -> None:
    attributes, usage, normalised = AI_SDK[sender]
    assert counted(attributes, "ai") == (usage, normalised)


def test_what_is_cached_is_not_taken_out_of_an_input_that_never_held_it(book: PriceBook) -> None:
    (event,) = accepted(translate(span(attributes=AI_SDK["ai 5.0.277, generateText"][0])))
    # 5,000 x 3 + 4,000 x 0.30 + 300 x 3.75 + 200 x 6 + 100 x 15 dollars by the million
    assert (event.source, rate(event, book).list) == ("call:anthropic", Decimal("0.020025"))


def test_of_other_providers_the_ai_sdks_input_holds_what_is_cached() -> None:
    # @ai-sdk/openai 2: inputTokens is prompt_tokens
    openai = {
        "gen_ai.system": "openai.responses",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o",
    }
    used = {"gen_ai.usage.input_tokens": 2_006, "gen_ai.usage.output_tokens": 300, "ai.usage.cachedInputTokens": 1_920}  # fmt: skip
    want = {"input_tokens": 86, "cache_read_tokens": 1_920, "output_tokens": 300}
    assert counted(ai_sdk("ai.streamText.doStream") | openai | used) == (want, "stated")
    fresh = {"ai.usage.inputTokenDetails.noCacheTokens": 86}
    assert counted(ai_sdk("ai.generateText.doGenerate") | openai | used | fresh) == (want, "stated")


@pytest.mark.parametrize("thought", [150, 500])
def test_thoughts_lie_beside_an_output_where_the_total_says_so(thought: int) -> None:
    # @ai-sdk/google 2.0.108: outputTokens is candidatesTokenCount, totalTokens the vendor's: 1,000 + 200 + thoughts
    google = {"gen_ai.system": "google.generative-ai", "gen_ai.request.model": "gemini-2.5-pro", "gen_ai.response.model": "gemini-2.5-pro"}  # fmt: skip
    used = {"gen_ai.usage.input_tokens": 1_000, "gen_ai.usage.output_tokens": 200}
    want = {"input_tokens": 1_000, "output_tokens": 200, "reasoning_tokens": thought}
    streamed = {"ai.usage.reasoningTokens": thought, "ai.usage.totalTokens": 1_200 + thought}
    normalised = "assumed" if thought > 200 else "stated"
    assert counted(ai_sdk("ai.streamText.doStream") | google | used | streamed) == (want, normalised)
    told = {"google": {"usageMetadata": {"thoughtsTokenCount": thought, "totalTokenCount": 1_200 + thought}}}
    assert counted(ai_sdk("ai.generateText.doGenerate", told) | google | used) == (want, normalised)
    # where the total has nothing beside the two, they lie inside: 200 - 150
    if thought < 200:
        inside = streamed | {"ai.usage.totalTokens": 1_200}
        assert counted(ai_sdk("ai.streamText.doStream") | google | used | inside)[0]["output_tokens"] == 50


def test_thoughts_that_only_the_total_holds_are_priced_as_thoughts(book: PriceBook) -> None:
    # opentelemetry-instrumentation-google-generativeai and -vertexai 0.62.4, span_utils.py: output is candidates_token_count,
    # total the vendor's, thoughts nowhere: 1,700 - 1,000 - 200
    gemini = {"gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "gcp.gemini", "gen_ai.request.model": "gemini-2.5-pro"}  # fmt: skip
    used = {
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 200,
        "gen_ai.usage.total_tokens": 1_700,
    }
    want = {"input_tokens": 1_000, "output_tokens": 200, "reasoning_tokens": 500}
    assert counted(gemini | used) == (want, "assumed")
    (event,) = accepted(translate(span(attributes=gemini | used)))
    # 1,000 x 1.25 + 700 x 10 dollars by the million
    assert rate(event, book).list == Decimal("0.00825")
    assert counted(gemini | used | {"gen_ai.usage.total_tokens": 1_200})[0] == {"input_tokens": 1_000, "output_tokens": 200}  # fmt: skip


def test_what_a_total_holds_and_nobody_names_makes_the_quantities_assumed() -> None:
    # openinference-instrumentation-bedrock 0.1.61, Converse: Bedrock's totalTokens has what is cached, and no attribute does
    converse = ON_BEDROCK | FRESH | {"gen_ai.usage.total_tokens": 9_600}
    assert counted(converse) == ({"input_tokens": 5_000, "output_tokens": 100}, "assumed")
    assert counted(ON_BEDROCK | FRESH | {"gen_ai.usage.total_tokens": 5_100})[1] == "stated"


def test_the_ai_sdks_outer_spans_repeat_and_its_embeddings_are_calls() -> None:
    # ai 5.0.277, dist/index.js: recordSpan "ai.embed" and "ai.embed.doEmbed", each with ai.usage.tokens and nothing of gen_ai
    model = {
        "ai.model.provider": "openai.embedding",
        "ai.model.id": "text-embedding-3-small",
        "ai.usage.tokens": 8,
    }
    totals = {
        "ai.operationId": "ai.generateText",
        "ai.usage.promptTokens": 5_000,
        "ai.usage.completionTokens": 100,
    }
    found = translate(
        span(1, attributes=model | {"ai.operationId": "ai.embed"}),
        span(2, attributes=model | {"ai.operationId": "ai.embed.doEmbed"}, parent_span_id=bytes(7) + b"\1"),
        span(3, attributes=totals),
    )
    (event,) = found.events
    said = event.said["data"]
    assert (said["provider"], said["sku"], said["usage"]) == (
        "openai",
        "text-embedding-3-small",
        {"input_tokens": 8},
    )
    assert (event.index, found.skipped) == (1, {AGENTS_REPEAT: 2})


def test_what_is_all_called_chat_is_told_apart_by_what_the_ai_sdk_calls_it() -> None:
    # @traceloop/node-server-sdk 0.27.0, dist/index.js, transformLLMSpans: every span of the AI SDK becomes a chat with usage, the
    # outer one, which ends in a later export, with the sum of its steps; the metadata is gone but for what was written
    chat = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.usage.total_tokens": 5_100,
    }
    written = {"gen_ai.usage.cache_creation.input_tokens": 500}
    outer = chat | FRESH | written | {"ai.operationId": "ai.generateText", "gen_ai.request.model": MODEL}
    found = translate(span(attributes=outer), scope="ai")
    assert (found.events, found.skipped) == ([], {AGENTS_REPEAT: 1})
    inner = ai_sdk("ai.generateText.doGenerate") | chat | FRESH | written
    want = {"input_tokens": 5_000, "cache_write_5m_tokens": 500, "output_tokens": 100}
    assert counted(inner, "ai") == (want, "assumed")


def test_a_nan_is_not_said_in_either_encoding() -> None:
    # ai 4.3.19: `usage ?? { tokens: NaN }`, and promptTokens: NaN of a stream that was not asked for its usage
    embed = {"ai.operationId": "ai.embed.doEmbed", "ai.usage.tokens": float("nan")}
    chat = (
        CALL | DONE | {"gen_ai.usage.input_tokens": float("nan"), "gen_ai.usage.output_tokens": float("nan")}
    )
    costs = USED | {"gen_ai.usage.cost": float("nan")}
    request = traces(span(1, attributes=embed), span(2, attributes=chat), span(3, attributes=costs))
    signalling = in_json(request).replace(b'"NaN"', b'"sNaN"')
    assert signalling.count(b"sNaN") == 4
    for body, media_type in (
        (request.SerializeToString(), PROTOBUF),
        (in_json(request), JSON),
        (signalling, JSON),
    ):
        found = translate_spans(body, media_type, ACME)
        assert (found.refused, found.skipped) == ([], {NO_USAGE: 1, UNMETERED: 1})
        assert "reported_cost" not in found.events[0].said["data"]


def test_how_it_was_served_and_what_was_searched_is_read_off_the_providers_metadata() -> None:
    searched = {"anthropic": {"usage": RAW | {"server_tool_use": {"web_search_requests": 3}}}}
    assert counted(ai_sdk("ai.generateText.doGenerate", searched) | FRESH)[0]["searches"] == 3
    # @ai-sdk/openai 2, responses: providerMetadata.openai.serviceTier
    served = ai_sdk("ai.generateText.doGenerate", {"openai": {"serviceTier": "flex"}}) | FRESH
    (event,) = translate(span(attributes=served)).events
    assert event.said["data"]["context"] == {"service_tier": "flex"}


@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "null", '"x"', "{'a': b}", '{"anthropic": 5}', '{"anthropic": {"usage": [1]}}', "[" * 100_000,
        '{"anthropic": {"cacheCreationInputTokens": -5, "usage": {"input_tokens": "5", "cache_read_input_tokens": "x"}}}',
        '{"anthropic": {"cacheCreationInputTokens": null, "usage": {"input_tokens": true, "cache_read_input_tokens": 1.5}}}',
    ],
)  # fmt: skip
def test_a_text_that_holds_no_table_of_numbers_says_nothing(text: str) -> None:
    attributes = ai_sdk("ai.generateText.doGenerate") | FRESH | {"ai.response.providerMetadata": text}
    assert counted(attributes) == ({"input_tokens": 5_000, "output_tokens": 100}, "stated")


def test_nothing_else_of_a_providers_metadata_is_kept() -> None:
    secret = "canary-7f21"
    metadata = {
        "anthropic": {"usage": RAW, "stopSequence": secret, secret: 1},
        "google": {"groundingMetadata": secret},
    }
    found = translate(span(attributes=ai_sdk("ai.generateText.doGenerate", metadata) | FRESH))
    assert len(found.events) == 1
    assert secret not in repr(found)


HANDED_ON: dict[str, Any] = {
    # opentelemetry-instrumentation-bedrock 0.62.4, span_utils.py, converse_usage_record: inputTokens as it is, total its own sum
    "opentelemetry.instrumentation.bedrock": ON_BEDROCK | {"gen_ai.usage.total_tokens": 5_100},
    # opentelemetry-instrumentation-botocore 0.66b2, extensions/bedrock.py, _converse_on_success
    "opentelemetry.instrumentation.botocore.bedrock-runtime": ON_BEDROCK,
    # openlit 1.45.0, instrumentation/anthropic/utils.py (process_chat_response: input_tokens) and bedrock/utils.py (inputTokens)
    "openlit.instrumentation.anthropic": CLAUDE | {"gen_ai.client.token.usage": 5_100},
    "openlit.instrumentation.bedrock": ON_BEDROCK | {"gen_ai.client.token.usage": 5_100},
    # @traceloop/instrumentation-anthropic 0.27.0, dist/index.js, _endSpan
    "@traceloop/instrumentation-anthropic": CLAUDE | {"gen_ai.usage.total_tokens": 5_100},
}


@pytest.mark.parametrize("scope", HANDED_ON)
def test_who_is_known_to_hand_on_what_the_vendor_counts_counts_so(scope: str) -> None:
    attributes = HANDED_ON[scope] | FRESH | BY_CONVENTION
    assert counted(attributes, scope) == (WITHOUT_HOUR, "assumed")
    # of anybody else the convention holds: 5,000 - 4,500
    assert counted(attributes, "opentelemetry.instrumentation.anthropic") == (WITHOUT_HOUR | {"input_tokens": 500}, "stated")  # fmt: skip
    assert counted(HANDED_ON[scope] | FRESH, scope) == (
        {"input_tokens": 5_000, "output_tokens": 100},
        "stated",
    )


SPRING: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.system": "anthropic", "gen_ai.request.model": MODEL, "gen_ai.response.id": MESSAGE_ID,
    "gen_ai.usage.input_tokens": "5000", "gen_ai.usage.output_tokens": "100", "gen_ai.usage.total_tokens": "5100",
    "gen_ai.usage.cache_read.input_tokens": "4000", "gen_ai.usage.cache_creation.input_tokens": "500",
    "gen_ai.request.max_tokens": "512", "gen_ai.response.finish_reasons": '["end_turn"]',
}  # fmt: skip


def test_a_count_may_be_written_in_digits() -> None:
    # spring-ai 2.0.0, DefaultChatModelObservationConvention.java: String.valueOf of each; AnthropicChatModel.java, getDefaultUsage:
    # inputTokens as Anthropic says it. The tracer is Spring Boot's
    assert counted(SPRING, "org.springframework.boot") == (WITHOUT_HOUR, "assumed")
    cut = {key: value for key, value in SPRING.items() if "output_tokens" not in key and "finish" not in key}
    (event,) = translate(span(attributes=cut), scope="org.springframework.boot").events
    assert (event.said["data"]["usage"]["output_tokens"], event.said["data"]["estimated"]) == (
        512,
        ["output_tokens"],
    )
    for no_count in ("-5", "5.5", "1e3", "5" * 19, "\u0665", "5 "):
        found = translate(span(attributes=SPRING | {"gen_ai.usage.input_tokens": no_count}))
        assert [bad["reason"] for bad in found.refused] == [
            "gen_ai.usage.input_tokens must be a whole number of at least 0"
        ]
    zeros = {"gen_ai.usage.input_tokens": "0", "gen_ai.usage.output_tokens": "0"}
    assert translate(span(attributes=zeros), span(2, attributes=SPRING | zeros | {"gen_ai.usage.cache_read.input_tokens": "0", "gen_ai.usage.cache_creation.input_tokens": "0"})).skipped == {NO_CALL: 1, UNMETERED: 1}  # fmt: skip


def test_a_total_says_where_what_is_cached_lies() -> None:
    # Strands Agents at 006ad58 (telemetry/tracer.py, end_model_invoke_span): Bedrock's inputTokens and totalTokens, 5,000 + 100 + 4,500
    older = CLAUDE | {"gen_ai.provider.name": "strands-agents"} | FRESH
    older |= {"gen_ai.usage.cache_read_input_tokens": 4_000, "gen_ai.usage.cache_write_input_tokens": 500}
    assert counted(older | {"gen_ai.usage.total_tokens": 9_600}) == (WITHOUT_HOUR, "stated")
    # strands-agents 1.62.0 (the same place): all of it, by both names
    newer = older | ALL_IN | BY_CONVENTION | {"gen_ai.usage.total_tokens": 9_600}
    assert counted(newer) == (WITHOUT_HOUR, "stated")


def test_names_older_than_any_convention_are_taken_by_it_and_that_is_assumed_where_vendors_count_otherwise() -> (
    None
):
    # OpenLLMetry's until its conventions 0.5: gen_ai.usage.cache_read_input_tokens, input with what is cached
    older = ALL_IN | {
        "gen_ai.usage.cache_read_input_tokens": 4_000,
        "gen_ai.usage.cache_creation_input_tokens": 500,
    }
    assert counted(CLAUDE | older) == (WITHOUT_HOUR, "assumed")
    assert counted(CALL | older) == (WITHOUT_HOUR, "stated")


OTHERS: dict[str, Any] = {
    # langsmith 0.15.1, wrappers/_anthropic.py (_create_usage_metadata) and _internal/otel/_otel_exporter.py: a dict as Python prints it
    "langsmith 0.15.1": CLAUDE | ALL_IN | {
        "gen_ai.usage.total_tokens": 9_600,
        "gen_ai.usage.input_token_details": str({"cache_read": 4_000, "ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 200}),
        "gen_ai.usage.output_token_details": str({"reasoning": None}),
    },
    # @mastra/otel-exporter 1.4.0, dist/index.js, formatUsageMetrics
    "mastra 1.4.0": CLAUDE | ALL_IN | BY_CONVENTION | {
        "gen_ai.usage.cache_creation.5m_input_tokens": 300, "gen_ai.usage.cache_creation.1h_input_tokens": 200,
    },
}  # fmt: skip


# litellm 1.110.2, its callback "otel" around a call of Anthropic's, as it exports it: the input is all of it, and what was
# cached stands in a dict as Python prints it
LITELLM: dict[str, Any] = {
    "gen_ai.operation.name": "chat", "gen_ai.system": "anthropic", "gen_ai.request.model": MODEL, "gen_ai.response.model": MODEL,
    "gen_ai.response.id": MESSAGE_ID, "gen_ai.response.finish_reasons": '["stop"]', "llm.is_streaming": "False",
    "gen_ai.usage.input_tokens": 9_500, "gen_ai.usage.output_tokens": 100, "gen_ai.usage.total_tokens": 9_600,
    "gen_ai.cost.input_cost": 0.018075, "gen_ai.cost.total_cost": 0.019575000000000006, "litellm.cache_hit": False,
    "metadata.usage_object": "{'completion_tokens': 100, 'prompt_tokens': 9500, 'total_tokens': 9600, 'completion_tokens_details': None, "
    "'prompt_tokens_details': {'audio_tokens': None, 'cache_write_tokens': 500, 'cached_tokens': 4000, 'image_tokens': None, 'text_tokens': None, "
    "'video_tokens': None, 'initial_prompt_tokens': None, 'cache_creation_tokens': 500}, 'cache_read_input_tokens': 4000, "
    "'cache_creation_input_tokens': 500, 'more': False}",
}  # fmt: skip


def test_what_litellm_says_of_caches_is_read_off_its_usage_object(book: PriceBook) -> None:
    assert counted(LITELLM, "litellm") == (WITHOUT_HOUR, "stated")
    (event,) = accepted(translate(span(attributes=LITELLM)))
    # 5,000 x 3 + 4,000 x 0.30 + 500 x 3.75 + 100 x 15 dollars by the million: what LiteLLM makes of it
    assert rate(event, book).list == Decimal("0.019575")
    assert event.data.reported_cost is not None
    assert event.data.reported_cost.amount == "0.019575"
    hour = "'cached_tokens': 4000, 'cache_creation_token_details': {'ephemeral_5m_input_tokens': 300, 'ephemeral_1h_input_tokens': 200}"
    told = LITELLM["metadata.usage_object"].replace("'cached_tokens': 4000", hour)
    assert counted(LITELLM | {"metadata.usage_object": told}) == (EXACT, "stated")


@pytest.mark.parametrize("sender", OTHERS)
def test_other_senders_names_are_read(sender: str) -> None:
    assert counted(OTHERS[sender]) == (EXACT, "stated")


def test_earlier_details_of_pydantic_ai_are_read() -> None:
    # pydantic-ai-slim 0.4.11, usage.py (opentelemetry_attributes) and models/anthropic.py (_map_usage: request_tokens is all of it)
    details = {"gen_ai.usage.details.input_tokens": 5_000, "gen_ai.usage.details.cache_read_input_tokens": 4_000, "gen_ai.usage.details.cache_creation_input_tokens": 500}  # fmt: skip
    assert counted(CLAUDE | ALL_IN | details) == (WITHOUT_HOUR, "stated")
    # models/openai.py: cached_tokens of prompt_tokens
    used = {"gen_ai.usage.input_tokens": 2_006, "gen_ai.usage.output_tokens": 300}
    found = counted(CALL | used | {"gen_ai.usage.details.cached_tokens": 1_920})
    assert found == ({"input_tokens": 86, "cache_read_tokens": 1_920, "output_tokens": 300}, "stated")


@pytest.mark.parametrize("hit", [True, "True"])
def test_what_a_gateway_answers_out_of_a_cache_of_its_own_costs_nothing(hit: object) -> None:
    # litellm 1.110.2, integrations/opentelemetry.py: litellm.cache_hit, beside the usage of the call that filled the cache
    found = translate(span(attributes=USED | {"litellm.cache_hit": hit}))
    assert (found.events, found.skipped) == ([], {FROM_CACHE: 1})
    assert len(translate(span(attributes=USED | {"litellm.cache_hit": False})).events) == 1


def test_usage_in_a_form_that_is_not_read_is_told_of() -> None:
    # langfuse 5.0.4, _client/attributes.py: usage_details as JSON, in keys that an application chooses
    langfuse = {
        "langfuse.observation.type": "generation", "langfuse.observation.model.name": MODEL,
        "langfuse.observation.usage_details": '{"input": 5000, "output": 100}',
    }  # fmt: skip
    found = translate(span(attributes=langfuse), span(2, attributes={"langfuse.observation.type": "span"}))
    assert (found.events, found.skipped) == ([], {UNREAD: 1, NO_CALL: 1})
    assert answered(found) == f"not metered: 1 x {UNREAD}"
    # and where the conventions' names stand beside it, those are read
    assert counted(CLAUDE | FRESH | langfuse) == ({"input_tokens": 5_000, "output_tokens": 100}, "stated")


def test_a_stream_that_says_why_it_ended_in_openllmetrys_old_name_was_not_interrupted() -> None:
    # OpenLLMetry up to 2025: gen_ai.completion.0.finish_reason, also of @traceloop/instrumentation-anthropic at 008de81
    streamed = USED | {"gen_ai.response.id": ID, "gen_ai.is_streaming": True}
    (event,) = translate(span(attributes=streamed | {"gen_ai.completion.0.finish_reason": "stop"})).events
    assert "estimated" not in event.said["data"]
    assert translate(span(attributes=streamed)).events[0].said["data"]["estimated"] == ["output_tokens"]


def test_of_two_spans_of_one_call_that_which_says_more_counts_whichever_way_each_counts() -> None:
    inner = CLAUDE | ALL_IN | BY_CONVENTION | {"gen_ai.response.id": MESSAGE_ID}
    outer = AI_SDK["ai 5.0.277, generateText"][0]
    found = translate(span(1, attributes=outer), span(2, attributes=inner, parent_span_id=bytes(7) + b"\1"))
    assert ([event.said["data"]["usage"] for event in found.events], found.skipped) == (
        [EXACT],
        {SECOND_SPAN: 1},
    )


def test_of_two_spans_that_say_as_much_that_counts_of_which_nothing_is_assumed() -> None:
    bare = CLAUDE | {"gen_ai.response.id": MESSAGE_ID}
    unsure = {"gen_ai.usage.cache_read_input_tokens": 4_000, "gen_ai.usage.cache_creation_input_tokens": 500}
    # by the older names 5,000 - 4,500 might be 500; the other span knows that they lie beside
    older, newer = bare | FRESH | unsure, bare | ALL_IN | BY_CONVENTION
    for pair in ((older, newer), (newer, older)):
        found = translate(*(span(n, attributes=each) for n, each in enumerate(pair, 1)))
        assert [event.said["data"]["usage"] for event in found.events] == [WITHOUT_HOUR]


def test_the_dialect_reads_what_is_opened_for_it() -> None:
    attributes = AI_SDK["ai 5.0.277, generateText"][0]
    assert disjoint("otel", opened(attributes)) == (EXACT, "stated")
    assert opened(CALL) is CALL
