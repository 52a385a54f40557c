"""Whatever gateways and other meters' clients send: an answer, never a crash; no quantity that was not sent."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.accept import accept_translated
from services.ingest.dialects.litellm import translate_litellm
from services.ingest.own_events import read_own
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import UsageEvent, encode_event
from tests.ingest.dialects.test_litellm import payload
from tests.ingest.dialects.test_metered import KONG, LITELLM, asking, cloud_event, lago
from tests.ingest.test_accept import submission

SECRET = "SECRETPROMPT"
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
COUNTS = {
    "prompt_tokens": 100, "completion_tokens": 10, "server_tool_use": {"web_search_requests": 1},
    "prompt_tokens_details": {
        "cached_tokens": 8, "cache_write_tokens": 4, "audio_tokens": 3, "video_tokens": 2, "web_search_requests": 1,
        "cache_creation_token_details": {"ephemeral_5m_input_tokens": 1, "ephemeral_1h_input_tokens": 2},
    },
    "completion_tokens_details": {"reasoning_tokens": 3, "video_tokens": 1},
}  # fmt: skip
PAYLOAD = payload(
    metadata={"usage_object": COUNTS, "user_api_key_alias": "k", "requester_metadata": {"team": "t"}},
    request_tags=["team:x"], cost_breakdown={"service_tier": "flex"}, end_user="u", session_id="s",
    response={"usage": COUNTS, "output": [{"type": "web_search_call", "action": {}}], "meta": None},
    model_map_information={"model_map_key": "a", "model_map_value": {}}, messages=SECRET,
)  # fmt: skip


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for name, each in inner for place in places(each, (*at, name)))]


def changed(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    name, *rest = at
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[name] = changed(copy[name], tuple(rest), new)
    return copy


def mutated(whole: Any) -> st.SearchStrategy[Any]:
    """The value with something else in one of its places, or two."""
    one = st.tuples(st.sampled_from(places(whole)[1:]), anything).map(lambda change: changed(whole, *change))
    return one | one.flatmap(lambda once: st.just(once) if not places(once)[1:] else mutated_once(once))


def mutated_once(whole: Any) -> st.SearchStrategy[Any]:
    return st.tuples(st.sampled_from(places(whole)[1:]), anything).map(lambda change: changed(whole, *change))


def numbers(value: Any) -> list[Decimal]:
    if isinstance(value, dict | list):
        return [
            each
            for inner in (value.values() if isinstance(value, dict) else value)
            for each in numbers(inner)
        ]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return []
    try:
        return [Decimal(str(value))]
    except ArithmeticError:
        return []


def sound(events: Any, sent: Any) -> None:
    most = max([Decimal(1), *(each for each in numbers(sent) if each.is_finite())])
    for event in events:
        assert isinstance(event, UsageEvent)
        for quantity in event.data.usage.values():
            assert 0 <= Decimal(quantity) <= most
        cost = event.data.reported_cost
        assert cost is None or 0 < Decimal(cost.amount) <= most * Decimal("1.0001")
        encode_event(event)


@settings(max_examples=80, deadline=None)
@given(mutated(PAYLOAD))
def test_a_payload_of_litellms_is_taken_or_named(sent: Any) -> None:
    found = accept_translated(
        translate_litellm(json.dumps([sent]).encode()), submission(keeps_late=True), partly=True
    )
    sound(found.events, sent)
    assert len(found.events) + len(found.refused) + sum(found.skipped.values()) == 1
    assert SECRET not in str([bad["reason"] for bad in found.refused])


@settings(max_examples=80, deadline=None)
@given(
    st.one_of(
        mutated(LITELLM), mutated(KONG[0]), mutated(cloud_event("prompt", data={"tokens": "7", "model": "m", "type": "input"})),
        mutated({"event": lago()}), mutated({"events": [lago(), lago(transaction_id="b")]}),
    )
)  # fmt: skip
def test_an_event_of_another_meter_is_taken_or_refused(sent: Any) -> None:
    incoming, asked = asking(json.dumps(sent).encode())
    try:
        sound(read_own(incoming, asked).events, sent)
    except RequestRefused as refused:
        assert refused.status in (400, 403, 413, 422)
        assert SECRET not in str([bad["reason"] for bad in refused.errors])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_are_answered(body: bytes) -> None:
    for read in (lambda: translate_litellm(body), lambda: read_own(*asking(body))):
        try:
            read()
        except RequestRefused as refused:
            assert refused.status in (400, 413, 422)
