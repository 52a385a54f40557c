"""What vendors' newest clients know of answers (openai 3.57, anthropic 2.14, google-genai 3.6, botocore 1.44), and what
it costs: each is one that a reading of the year before prices wrong, or not at all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import botocore.session  # type: ignore[import-untyped]
import pytest
from anthropic.types.beta import BetaMessage
from google.genai._gaos.types.interactions import Usage as InteractionUsage
from openai.types import ImagesResponse
from openai.types.live import SessionClosedEvent, SessionUsageUpdatedEvent

from services.ingest.dialects.provider_responses import FREE_REFUSAL, NO_ANSWER
from services.ingest.dialects.providers.bedrock import _ERRORS
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.provider_calls import list_price, said, translated

CLAUDE = "msg_01XFDUDYJgAACzvnptvVoYEL"
RESP = "resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b"
SESSION = {
    "id": "sess_BGGyIbxvqDrcEgmSQDTQh",
    "model": "gpt-live-1",
    "status": "active",
    "expires_at": 1_795_694_400,
}
MILLION = Decimal(1_000_000)


def message(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    facts = {
        "id": CLAUDE, "type": "message", "role": "assistant", "model": "claude-opus-4-8", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "..."}], "usage": usage,
    }  # fmt: skip
    BetaMessage.model_validate(facts | more)
    return facts | more


def a_round(kind: str, model: str, read: int, made: int) -> dict[str, Any]:
    return {
        "type": kind, "model": model, "input_tokens": read, "output_tokens": made,
        "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
    }  # fmt: skip


DECLINED_AT_ONCE = a_round("message", "claude-fable-5", 408, 0)
DECLINED_LATER = a_round("message", "claude-fable-5", 408, 100)
ANSWERED = a_round("fallback_message", "claude-opus-4-8", 412, 264)


def test_who_answers_in_anothers_place_has_its_own_price_and_who_declines_at_once_none(
    book: PriceBook,
) -> None:
    """claude-opus-4-8 at 5 and 25: 412 x 5 + 264 x 25."""
    usage = {"input_tokens": 412, "output_tokens": 264, "iterations": [DECLINED_AT_ONCE, ANSWERED]}
    whole = said("anthropic", message(usage))
    begun = message({"input_tokens": 408, "output_tokens": 1}, model="claude-fable-5", stop_reason=None)
    streamed = said("anthropic", [
        {"type": "message_start", "message": begun},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "..."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    ])  # fmt: skip
    for event in (whole, streamed):
        assert event["data"]["sku"] == "claude-opus-4-8"
        assert list_price(event, book) == (412 * 5 + 264 * 25) / MILLION


def test_who_declined_in_the_middle_of_an_answer_is_an_event_of_its_own(book: PriceBook) -> None:
    """claude-fable-5 at 10 and 50: 408 x 10 + 100 x 50; and of claude-opus-4-8 both of its rounds."""
    earlier = a_round("message", "claude-opus-4-8", 300, 20)
    usage = {"input_tokens": 412, "output_tokens": 264, "iterations": [DECLINED_LATER, earlier, ANSWERED]}
    served, declined = [sent.said for sent in translated("anthropic", message(usage)).events]
    assert (served["data"]["sku"], served["id"]) == ("claude-opus-4-8", CLAUDE)
    assert served["data"]["usage"] == {"input_tokens": 712, "output_tokens": 284}
    assert (declined["data"]["sku"], declined["id"]) == ("claude-fable-5", f"{CLAUDE}/declined-0")
    assert list_price(declined, book) == (408 * 10 + 100 * 50) / MILLION


def test_the_rounds_of_one_model_are_inside_its_totals() -> None:
    rounds = [a_round("message", "claude-opus-4-8", 300, 20), a_round("message", "claude-opus-4-8", 112, 30)]
    event = said("anthropic", message({"input_tokens": 412, "output_tokens": 50, "iterations": rounds}))
    assert event["data"]["usage"] == {"input_tokens": 412, "output_tokens": 50}


@pytest.mark.parametrize(
    "body",
    [
        message({"input_tokens": 106, "output_tokens": 1}, content=[], stop_reason="refusal"),
        {"id": CLAUDE, "type": "message", "model": "m", "stop_reason": "refusal", "usage": {"input_tokens": 106, "output_tokens": 0}},
        [
            {"type": "message_start", "message": message({"input_tokens": 106, "output_tokens": 1}, content=[], stop_reason=None)},
            {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": {"output_tokens": 1}},
            {"type": "message_stop"},
        ],
    ],
)  # fmt: skip
def test_what_was_refused_before_any_output_is_billed_by_amazon_alone(body: Any) -> None:
    found = translated("anthropic", body)
    assert (found.events, found.skipped) == ([], {FREE_REFUSAL: 1})
    event = said("bedrock", body, query={"model": "anthropic.claude-fable-5", "id": "k"})
    assert event["data"]["usage"]["input_tokens"] == 106


@pytest.mark.parametrize("content", [[{"type": "text", "text": "..."}], None])
def test_what_was_refused_after_some_output_is_billed(content: Any) -> None:
    body = message({"input_tokens": 106, "output_tokens": 40}, stop_reason="refusal")
    body = body | {"content": content} if content else {k: v for k, v in body.items() if k != "content"}
    assert said("anthropic", body)["data"]["usage"] == {"input_tokens": 106, "output_tokens": 40}


def test_a_drawing_is_what_its_writer_and_its_painter_used(book: PriceBook) -> None:
    """gpt-5.4 at 2.50 and 15: 100 x 2.50 + 50 x 15, of which 20 are reasoning; gpt-image-1.5 at 5 and 32 beside."""
    body = {
        "created": 1_795_694_400, "data": [{"b64_json": "aGk="}], "output_format": "svg",
        "usage": {"input_tokens": 10, "input_tokens_details": {"text_tokens": 10, "image_tokens": 0}, "output_tokens": 1_000, "total_tokens": 1_010},
        "svg_usage": {"model": "gpt-5.4", "input_tokens": 100, "output_tokens": 50, "reasoning_tokens": 20, "total_tokens": 150},
    }  # fmt: skip
    ImagesResponse.model_validate(body)
    painted, written = [
        sent.said for sent in translated("openai", body, query={"model": "gpt-image-1.5", "id": "k"}).events
    ]
    assert list_price(painted, book) == (10 * 5 + 1_000 * 32) / MILLION
    assert (written["id"], written["data"]["sku"]) == ("k/svg", "gpt-5.4")
    assert written["data"]["usage"] == {"input_tokens": 100, "output_tokens": 30, "reasoning_tokens": 20}
    assert list_price(written, book) == (100 * Decimal("2.5") + 50 * 15) / MILLION


def live(*seconds: int, closed: bool) -> list[dict[str, Any]]:
    delegated = {"id": RESP, "object": "response", "model": "gpt-5.4", "status": "completed", "output": [],
                 "usage": {"input_tokens": 100, "output_tokens": 5}}  # fmt: skip
    events: list[dict[str, Any]] = [{"type": "session.started", "event_id": "e", "session": SESSION}]
    for so_far in seconds:
        updated = {"type": "session.usage.updated", "event_id": "e", "usage": {"seconds": so_far}}
        SessionUsageUpdatedEvent.model_validate(updated)
        nested = {"type": "response.completed", "response": delegated}
        events += [updated, {"type": "response.event", "event_id": "e", "event": nested}]
    if closed:
        events.append(
            {
                "type": "session.closed",
                "event_id": "e",
                "reason": "expired",
                "session": SESSION,
                "usage": {"seconds": 3_600},
            }
        )
        SessionClosedEvent.model_validate(events[-1])
    return events  # fmt: skip


def test_a_live_session_costs_by_what_it_last_said_and_its_responses_beside_it(book: PriceBook) -> None:
    """An hour of gpt-live-1 is 3.00, however often it said how long it was; and 100 x 2.50 + 5 x 15 of gpt-5.4."""
    session, response = [sent.said for sent in translated("openai", live(10, 25, closed=True)).events]
    assert (session["source"], session["id"]) == ("call:openai", SESSION["id"])
    assert (session["data"]["sku"], session["data"]["usage"]) == ("gpt-live-1", {"audio_seconds": 3_600})
    assert list_price(session, book) == 3
    assert (response["id"], list_price(response, book)) == (RESP, Decimal("0.000325"))


def test_a_live_session_that_broke_off_is_what_it_said_and_an_estimate() -> None:
    session, _ = [sent.said["data"] for sent in translated("openai", live(10, 25, closed=False)).events]
    assert (session["usage"], session["estimated"]) == ({"audio_seconds": 25}, ["audio_seconds"])


def test_a_batch_that_tells_of_itself_costs_what_batches_do(book: PriceBook) -> None:
    """gpt-5.4 at half of 2.50 and 15: 1,000 x 1.25 + 100 x 7.50."""
    body = {"id": "batch_67ccd2bed1ec8190b14f964abc054267", "object": "batch", "model": "gpt-5.4", "status": "completed",
            "usage": {"input_tokens": 1_000, "output_tokens": 100, "total_tokens": 1_100}}  # fmt: skip
    event = said("openai", body, query={"id": "k"})
    assert list_price(event, book) == (1_000 * Decimal("1.25") + 100 * Decimal("7.5")) / MILLION


INTERACTION = {
    "total_input_tokens": 1_000, "total_cached_tokens": 400, "total_tool_use_tokens": 50, "total_output_tokens": 200,
    "total_thought_tokens": 300, "total_tokens": 1_550,
    "input_tokens_by_modality": [{"modality": "text", "tokens": 700}, {"modality": "audio", "tokens": 300}],
    "cached_tokens_by_modality": [{"modality": "text", "tokens": 300}, {"modality": "audio", "tokens": 100}],
    "output_tokens_by_modality": [{"modality": "text", "tokens": 200}],
    "grounding_tool_count": [{"type": "google_search", "count": 2}, {"type": "google_maps", "count": 3}],
}  # fmt: skip
INTERACTED = {
    # 1,000 + 50 that tools put before it, less 400 from the cache and 200 of audio that were not
    "input_tokens": 450, "input_audio_tokens": 200, "cache_read_tokens": 300, "cache_read_audio_tokens": 100,
    "output_tokens": 200, "reasoning_tokens": 300, "searches": 2, "maps_grounded_prompts": 1,
}  # fmt: skip


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
def test_an_interaction_is_read_whole_in_events_and_by_its_usage_alone(provider: str) -> None:
    InteractionUsage.model_validate(INTERACTION)
    whole = {"id": "v1_abc", "object": "interaction", "model": "gemini-3-pro-preview", "status": "completed",
             "steps": [{"type": "model_output", "content": []}], "usage": INTERACTION}  # fmt: skip
    begun = {
        "id": "v1_abc",
        "object": "interaction",
        "model": "gemini-3-pro-preview",
        "status": "in_progress",
    }
    events = [
        {"event_type": "interaction.created", "interaction": begun},
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "Rain, again"}},
        {"event_type": "interaction.completed", "interaction": whole},
    ]
    query = {"model": "gemini-3-pro-preview", "id": "k"}
    for body in (whole, events, INTERACTION):
        data = said(provider, body, query=query)["data"]
        assert (data["sku"], data["usage"], "estimated" in data) == (
            "gemini-3-pro-preview",
            INTERACTED,
            False,
        )
    cut = said(provider, events[:2], query=query | {"input_tokens": "40"})["data"]
    # 11 bytes of text, at four a token
    assert (cut["usage"]["output_tokens"], cut["estimated"]) == (3, ["input_tokens", "output_tokens"])


def test_every_error_with_which_a_stream_of_amazons_may_end_is_known() -> None:
    streams = botocore.session.get_session().get_service_model("bedrock-runtime")
    names = {
        name
        for shape in ("ConverseStreamOutput", "ResponseStream")
        for name in streams.shape_for(shape).members
    }
    assert {name for name in names if name.endswith("Exception")} == set(_ERRORS)
    for name in _ERRORS:
        found = translated("bedrock", [{name: {"message": "..."}}], query={"model": "m", "id": "k"})
        assert (found.events, found.refused, found.skipped) == ([], [], {NO_ANSWER: 1})
    begun = [{"messageStart": {"role": "assistant"}}, {"contentBlockDelta": {"delta": {"text": "Rain"}}}]
    data = said(
        "bedrock",
        [*begun, {"modelTimeoutException": {}}],
        query={"model": "m", "id": "k", "input_tokens": "9"},
    )["data"]
    assert (data["usage"], len(data["estimated"])) == ({"input_tokens": 9, "output_tokens": 1}, 2)


def test_images_of_amazons_are_counted() -> None:
    event = said(
        "bedrock", {"images": ["aGk=", "aGk="]}, query={"model": "amazon.nova-canvas-v1:0", "id": "k"}
    )
    assert event["data"]["usage"] == {"images": 2}


def test_what_a_live_session_of_googles_says_beside_its_turns_is_no_call() -> None:
    turn = {
        "serverContent": {"turnComplete": True},
        "usageMetadata": {"promptTokenCount": 100, "responseTokenCount": 20},
    }
    said_beside = [
        {"setupComplete": {}},
        {"serverContent": {"modelTurn": {}}},
        {"goAway": {"timeLeft": "1s"}},
    ]
    found = translated("gemini", [*said_beside[:2], turn, said_beside[2]], query={"model": "m", "id": "k"})
    assert (found.refused, [sent.said["data"]["usage"] for sent in found.events]) == (
        [],
        [{"input_tokens": 100, "output_tokens": 20}],
    )


def test_a_transcription_that_is_streamed_names_its_model_at_the_end() -> None:
    done = {"type": "transcription.done", "model": "voxtral-mini-2507", "text": "...", "language": "en",
            "usage": {"prompt_audio_seconds": 30, "prompt_tokens": 4, "completion_tokens": 30}}  # fmt: skip
    event = said("mistral", [{"type": "transcription.text.delta", "text": "."}, done], query={"id": "k"})
    assert event["data"]["sku"] == "voxtral-mini-2507"
    assert event["data"]["usage"] == {"audio_seconds": 30, "input_tokens": 4, "output_tokens": 30}
