"""What of LiteLLM's log must cost no call its money: strange labels and ids, older words, images without tokens."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from services.ingest.accept import accept_translated
from services.ingest.dialects.litellm import FROM_CACHE, translate_litellm
from services.ingest.dialects.translated import LEFT_OUT, Translated
from services.ingest.entrances import Incoming
from services.ingest.gateway_entrances import LITELLM
from spendmeter.contracts.events import UsageEvent
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.test_accept import NOW, submission

LONG, UNSEEN = "x" * 129, "a\u202eb"


def translated(**more: Any) -> Translated:
    facts: dict[str, Any] = {
        "id": "chatcmpl-1", "call_type": "acompletion", "status": "success", "custom_llm_provider": "openai",
        "model": "gpt-4o", "startTime": 1795717422.25, "response_cost": 0.00035, "prompt_tokens": 100,
        "completion_tokens": 10,
    }  # fmt: skip
    return translate_litellm(json.dumps([facts | more]).encode())


def taken(found: Translated) -> UsageEvent:
    """The one event, which the gate takes, of a tenant with a dimension of its own."""
    by = submission(keeps_late=True)
    declared = replace(by.snapshot, dimensions={"acme": frozenset({"cost_centre"})})
    accepted = accept_translated(found, replace(by, snapshot=declared), partly=True)
    assert (accepted.refused, len(accepted.events)) == ([], 1)
    return accepted.events[0]


def usage_of(usage: dict[str, Any], **more: Any) -> Any:
    return taken(translated(metadata={"usage_object": usage}, **more)).data


@pytest.mark.parametrize(
    "more",
    [
        {"end_user": LONG},
        {"end_user": UNSEEN},
        {"end_user": "\ufb2c" * 60},  # 180 characters as labels are written: each is three
        {"session_id": LONG},
        {"request_tags": [f"feature:{LONG}"]},
        {"request_tags": [f"cost_centre:{UNSEEN}"]},
        {"request_tags": ["cost_centre:~other"]},  # what stands for all that is folded
        {"metadata": {"user_api_key_alias": LONG}},
        {"metadata": {"user_api_key_team_alias": UNSEEN}},
        {"metadata": {"requester_metadata": {"workflow": LONG}}},
        {"metadata": {"spend_logs_metadata": {"project": UNSEEN}}},
    ],
)
def test_a_label_that_cannot_be_is_left_out_and_the_money_is_kept(more: dict[str, Any]) -> None:
    found = translated(**more)
    event = taken(found)
    assert found.noted == {LEFT_OUT: 1}
    assert event.data.usage == {"input_tokens": 100, "output_tokens": 10}
    assert event.data.labels.own == {}


def test_a_label_that_cannot_be_takes_the_place_of_none_that_can() -> None:
    key = {"user_api_key_team_alias": "search", "requester_metadata": {"team": LONG}}
    found = translated(metadata=key, request_tags=[f"team:{UNSEEN}", "feature:answers", "own:x", "folded:y"])
    labels = taken(found).data.labels
    assert (labels.team, labels.feature, found.noted) == ("search", "answers", {LEFT_OUT: 2})


def test_a_label_of_the_endpoint_that_cannot_be_costs_no_call() -> None:
    incoming = Incoming(
        body=json.dumps([{"id": "a", "custom_llm_provider": "openai", "model": "gpt-4o", "prompt_tokens": 1}]).encode(),
        media_type="application/json", headers={"spendmeter-labels": f"team={LONG},feature=f"}, query={}, path={}, url="",
        now=NOW,
    )  # fmt: skip
    accepted = LITELLM.read(incoming, submission(now=NOW))
    assert [event.data.labels.feature for event in accepted.events] == ["f"]
    assert accepted.noted == {LEFT_OUT: 1}


def test_an_id_that_no_event_can_have_is_its_digest_the_same_each_time() -> None:
    long = "resp_" + "b" * 300
    first, again = taken(translated(id=long)), taken(translated(id=long))
    assert (first.source, first.id, len(first.id)) == ("litellm-proxy", again.id, 32)
    assert taken(translated(id=long + "c")).id != first.id


@pytest.mark.parametrize("none", ["None", "null", " ", None])
def test_a_call_whose_answer_has_no_id_has_the_gateways_own(none: Any) -> None:
    """Older versions wrote the text None: of all such calls one would be booked, and the others be its repeats."""
    event = taken(translated(id=none, litellm_call_id="2c9c4b0e-6f1a-4c55-8a6e-0f4d3f7a1b2c"))
    assert (event.source, event.id) == ("call:openai", "2c9c4b0e-6f1a-4c55-8a6e-0f4d3f7a1b2c")
    (refused,) = translated(id=none).refused
    assert (refused["field"], refused["reason"]) == ("id", "is missing")


def test_what_a_cache_answered_is_known_by_its_id_too() -> None:
    assert translated(id="chatcmpl-1_cache_hit1795717422.25").skipped == {FROM_CACHE: 1}


def test_a_text_that_was_cut_in_an_emoji_costs_no_batch() -> None:
    """As Python writes what a browser sent: of 512 payloads one such refused them all."""
    cut = {"messages": [{"role": "user", "content": "\ud83d"}], "response": {"choices": [{"text": "\ude00"}]}}
    assert taken(translated(**cut)).data.usage == {"input_tokens": 100, "output_tokens": 10}
    assert taken(translated(end_user="\ud83d"))


def test_a_cache_in_the_words_of_older_versions_has_its_own_price(book: PriceBook) -> None:
    """Streams of 2025 said it beside the prompt that holds it (LiteLLM's issue 11789): 4 x 3 + 2,455 x 0.30 + 23 x 15."""
    of = {"prompt_tokens": 2459, "completion_tokens": 23, "prompt_tokens_details": {"cached_tokens": 0},
          "cache_read_input_tokens": 2455, "cache_creation_input_tokens": 0}  # fmt: skip
    claude = {"custom_llm_provider": "anthropic", "model": "claude-sonnet-4-5"}
    event = taken(translated(metadata={"usage_object": of}, **claude))
    assert event.data.usage == {"input_tokens": 4, "cache_read_tokens": 2455, "output_tokens": 23}
    assert rate(event, book).list == Decimal("0.0010935")


@pytest.mark.parametrize(
    "of",
    [
        # golden case 6 as versions before `cache_write_tokens` had it: 3 x 3 + 12,304 x 3.75 + 550 x 15
        {"prompt_tokens": 12307, "prompt_tokens_details": {"cached_tokens": 0, "cache_creation_tokens": 12304}},
        {"prompt_tokens": 12307, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0},
        # as Anthropic itself says it, which a pass-through endpoint passes on: beside its input
        {"input_tokens": 3, "output_tokens": 550, "cache_creation_input_tokens": 12304, "cache_read_input_tokens": 0},
    ],
)  # fmt: skip
def test_what_was_written_to_a_cache_costs_a_quarter_more(of: dict[str, Any], book: PriceBook) -> None:
    whole = of if "output_tokens" in of else of | {"completion_tokens": 550}
    claude = {"custom_llm_provider": "anthropic", "model": "claude-sonnet-4-5"}
    event = taken(translated(metadata={"usage_object": whole}, **claude))
    assert event.data.usage == {"input_tokens": 3, "cache_write_5m_tokens": 12304, "output_tokens": 550}
    assert event.data.normalised == "stated"
    assert rate(event, book).list == Decimal("0.054399")


def test_what_a_painter_put_out_is_images(book: PriceBook) -> None:
    """gpt-image-1.5: 50 x 5 + 4,160 x 32 for a million; as text they would be 10."""
    of = {"prompt_tokens": 50, "completion_tokens": 4160, "prompt_tokens_details": {"text_tokens": 50}}
    event = taken(
        translated(call_type="aimage_generation", model="gpt-image-1.5", metadata={"usage_object": of})
    )
    assert event.data.usage == {"input_tokens": 50, "output_image_tokens": 4160}
    assert rate(event, book).list == Decimal("0.13337")


@pytest.mark.parametrize(
    ("more", "sku", "images"),
    [
        ({"model_parameters": {"n": 2, "quality": "hd", "size": "1024x1024"}}, "dall-e-3/hd/1024x1024", 2),
        ({"response": {"data": [{"url": "u"}] * 3}, "model_parameters": {"n": 2}}, "dall-e-3", 3),
        ({"response": "redacted-by-litellm", "model_parameters": "x"}, "dall-e-3", 1),
        ({"model_parameters": {"n": True, "size": 7}}, "dall-e-3", 1),
        # as LiteLLM 1.110 counts them itself, beside an image model's tokens of 0
        (
            {
                "metadata": {
                    "usage_object": {"prompt_tokens": 0, "completion_tokens": 0, "output_image_count": 2}
                },
                "model_parameters": {"n": 1, "size": "1024x1024"},
            },
            "dall-e-3/1024x1024",
            2,
        ),
    ],
)
@pytest.mark.parametrize("cost", [0, 0.08])
def test_images_without_tokens_are_counted_also_where_litellm_knows_no_price(
    more: dict[str, Any], sku: str, images: int, cost: float, book: PriceBook
) -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": cost, "model": "dall-e-3"}
    event = taken(translated(call_type="aimage_generation", **nothing, **more))
    assert (event.data.sku, event.data.usage) == (sku, {"images": images})
    assert (event.data.reported_cost is None) is (cost == 0)


def test_images_that_were_not_made_are_no_images() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "response_cost": 0}
    assert translated(call_type="aimage_generation", status="failure", **nothing).events == []


NOTHING = {"prompt_tokens": 0, "completion_tokens": 0}


@pytest.mark.parametrize(
    ("more", "provider", "sku", "usage"),
    [
        ({"call_type": "aocr", "custom_llm_provider": "mistral", "model": "mistral/mistral-ocr-latest",
          "metadata": {"usage_object": {"pages_processed": 2, "doc_size_bytes": 3002}}}, "mistral", "mistral-ocr-latest", {"pages": 2}),
        ({"call_type": "avideo_generation", "model": "sora-2", "metadata": {"usage_object": {"duration_seconds": 4.0}}},
         "openai", "sora-2", {"video_seconds": 4}),
        # an endpoint that is passed through, with `cost_per_request` set; a search of a store
        ({"call_type": "pass_through_endpoint", "custom_llm_provider": None, "model": "unknown"}, "litellm", "unknown", {"requests": 1}),
        ({"custom_llm_provider": None, "prompt_tokens": 7}, "openai", "gpt-4o", {"input_tokens": 7, "output_tokens": 0}),
        ({"call_type": "avector_store_search", "model": ""}, "openai", "avector_store_search", {"requests": 1}),
    ],
)  # fmt: skip
def test_a_call_without_tokens_or_a_model_keeps_its_cost(
    more: dict[str, Any], provider: str, sku: str, usage: dict[str, int]
) -> None:
    data = taken(translated(**NOTHING | more)).data
    assert (data.provider, data.sku, data.usage) == (provider, sku, usage)
    assert data.reported_cost is not None
    assert data.reported_cost.amount == "0.00035"


@pytest.mark.parametrize(
    ("provider", "model", "sku"),
    [("openai", "responses/gpt-5", "gpt-5"), ("bedrock", "bedrock/converse/us.meta.llama", "us.meta.llama"),
     ("openrouter", "openrouter/openai/gpt-5", "openai/gpt-5"), ("openai", "responses", "responses")],
)  # fmt: skip
def test_how_a_model_was_asked_is_not_its_name(provider: str, model: str, sku: str) -> None:
    assert taken(translated(custom_llm_provider=provider, model=model)).data.sku == sku
