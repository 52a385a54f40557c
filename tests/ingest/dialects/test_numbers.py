"""Numbers as floats are written, with more places than an event has; and such as no float is, endless in plain digits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.ingest.accept import AcceptedEvents, accept_translated
from services.ingest.dialects.litellm import translate_litellm
from services.ingest.dialects.stated import Unusable, cost_of
from services.ingest.otlp_metrics_entrance import OTLP_METRICS
from tests.ingest.dialects.agents import CLAUDE_RESOURCE, sent
from tests.ingest.dialects.otlp import in_json, metrics
from tests.ingest.dialects.provider_calls import translated
from tests.ingest.dialects.test_litellm import payload
from tests.ingest.dialects.test_metered import LITELLM, one
from tests.ingest.dialects.test_otlp_metrics import DELTA, counted
from tests.ingest.fuzz.holds import bounded
from tests.ingest.test_accept import NOW, submission

CHAT = b'{"id": "k", "object": "chat.completion", "model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1, "cost": %s}}'


def taken(provider: str, body: bytes) -> AcceptedEvents:
    found = translated(provider, body, query={"model": "whisper-1", "id": "k"})
    return accept_translated(found, submission(), partly=True)


def test_the_duration_that_openai_documents_is_taken_to_twelve_places() -> None:
    found = taken(
        "openai", b'{"task": "transcribe", "language": "english", "duration": 8.470000267028809, "text": "x"}'
    )
    assert [event.data.usage for event in found.events] == [{"audio_seconds": Decimal("8.470000267029")}]


@pytest.mark.parametrize(
    ("stated", "amount"),
    [
        ("0.00014250000000000002", "0.0001425"), ("1.4e-05", "0.000014"), ("1E-999999999", "0"),
        ("0.000033333333333333335", "0.000033333333"),
    ],
)  # fmt: skip
def test_a_cost_that_a_float_stood_for_is_no_reason_to_lose_the_call(stated: str, amount: str) -> None:
    with bounded():
        (event,) = taken("openrouter", CHAT % stated.encode()).events
    assert event.data.reported_cost.amount == amount


@pytest.mark.parametrize("stated", ["1E+999999999", "1e400", "-1", "9223372036854775808"])
def test_a_cost_beyond_all_money_is_refused(stated: str) -> None:
    with bounded():
        found = taken("openrouter", CHAT % stated.encode())
    assert [bad["field"] for bad in found.refused] == ["usage"]


def test_a_gateways_cost_has_the_places_of_an_event() -> None:
    assert cost_of(Decimal("0.000033333333333333335"), "cost") == {
        "amount": "0.000033333333",
        "currency": "USD",
    }
    with pytest.raises(Unusable):
        cost_of(Decimal("1E+999999999"), "cost")
    body = json.dumps(payload(response_cost=0.000033333333333333335)).encode()
    (event,) = accept_translated(translate_litellm(body), submission(keeps_late=True)).events
    assert event.data.reported_cost.amount == "0.000033333333"
    assert (
        one(LITELLM | {"data": LITELLM["data"] | {"cost": 1 / 30_000}}).data.reported_cost.amount
        == "0.000033333333"
    )


@pytest.mark.parametrize("seconds", ["1E-999999999", "0.0000000000001"])
def test_a_quantity_that_is_endless_in_plain_digits_takes_no_time(seconds: str) -> None:
    with bounded():
        (event,) = taken("openai", b'{"seconds": %s}' % seconds.encode()).events
    assert event.data.usage == {"audio_seconds": 0}


def test_a_time_of_no_year_is_the_time_of_receipt() -> None:
    point = {"start_time_unix_nano": 1, "time_unix_nano": 2**64 - 1, "as_double": 3.0}
    request = metrics(counted("claude_code.commit.count", point, temporality=DELTA), resource=CLAUDE_RESOURCE)
    far = in_json(request).replace(b"18446744073709551615", b"1791795687200000000060")
    for body in (request, far):
        (outcome,) = sent(OTLP_METRICS, body, media_type="application/json").outcomes
        assert outcome.time == datetime(2026, 11, 26, 10, 0, 9, tzinfo=UTC)
    assert outcome.time > NOW, "the door's own clock"
