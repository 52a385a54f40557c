"""What every dialect's events go through: the same gate as our own, and a clock that cannot be right."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pytest

from services.ingest.accept import LATE, AcceptedEvents, accept_translated
from services.ingest.dialects.translated import SaidEvent, Translated, usage_event
from services.ingest.refused import RequestRefused
from spendmeter.contracts.event_identity import content_hash
from tests.ingest.test_accept import NOW, submission


def call(id: str = "c1", **said: Any) -> SaidEvent:
    facts = {"source": "otlp", "provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 7}}
    return usage_event(id=id, **facts | said)


def accepted(*calls: SaidEvent, partly: bool = False, events_max: int = 1000, **how: Any) -> AcceptedEvents:
    found = Translated()
    for index, said in enumerate(calls):
        found.take(index, said)
    return accept_translated(found, submission(**how), partly=partly, events_max=events_max)


def test_it_is_stamped_like_an_event_of_ours() -> None:
    (event,) = accepted(
        call(
            labels={"team": "search", "user": "jo"},
            reported_cost={"amount": Decimal("0.10"), "currency": "USD"},
        )
    ).events
    assert (event.tenant, event.keyid, event.receivedat, event.time) == ("acme", "k7f3a00000000", NOW, NOW)
    assert event.data.labels.user == ""  # until it is settled: test_privacy.py
    assert event.data.reported_cost.amount == "0.10"
    assert event.subject == "otlp"


def test_one_bad_event_refuses_all_or_only_itself() -> None:
    bad = call("c2", usage={"prompt_tokens": 5})
    with pytest.raises(RequestRefused) as caught:
        accepted(call(), bad)
    assert caught.value.status is HTTPStatus.BAD_REQUEST
    assert [(each["index"], each["field"]) for each in caught.value.errors] == [
        (1, "data.usage.prompt_tokens")
    ]
    found = accepted(call(), bad, call("c3"), partly=True)
    assert [event.id for event in found.events] == ["c1", "c3"]
    assert list(found.places) == [0, 2]
    assert [each["index"] for each in found.refused] == [1]


def test_what_the_dialect_refused_is_named_in_its_place() -> None:
    found = Translated(skipped=Counter({"no usage": 3}), noted=Counter({"quantities assumed": 1}))
    found.refuse(0, "must be a whole number", "attributes.x")
    found.take(1, call(usage={}))
    answer = accept_translated(found, submission(), partly=True)
    assert [(each["index"], each["field"]) for each in answer.refused] == [
        (0, "attributes.x"),
        (1, "data.usage"),
    ]
    assert (answer.skipped, answer.noted) == ({"no usage": 3}, {"quantities assumed": 1})


def test_too_many_events_are_one_too_large_a_request() -> None:
    with pytest.raises(RequestRefused) as caught:
        accepted(call("a"), call("b"), events_max=1)
    assert caught.value.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE


@pytest.mark.parametrize("off", [timedelta(hours=2), timedelta(days=-401), timedelta(days=-20_000)])
def test_a_time_that_cannot_be_right_becomes_that_of_receipt_and_stays_readable(off: timedelta) -> None:
    found = accepted(call(time=NOW + off), keeps_late=True)
    (event,) = found.events
    assert (event.time, event.claimedtime) == (NOW, (NOW + off).isoformat())
    assert found.noted == {LATE: 1}
    (again,) = accepted(call(time=NOW + off + timedelta(seconds=1)), keeps_late=True).events
    assert content_hash(again) == content_hash(event)  # an exporter that sends it again sends a duplicate


def test_elsewhere_such_a_time_is_refused() -> None:
    with pytest.raises(RequestRefused):
        accepted(call(time=datetime(1970, 1, 1, tzinfo=UTC)))


def test_what_is_estimated_names_units_that_the_event_has() -> None:
    (event,) = accepted(
        call(estimated=["input_tokens", "input_tokens"], normalised="assumed", cadence="bill")
    ).events
    assert (event.data.estimated, event.data.normalised, event.data.cadence) == (
        ("input_tokens",),
        "assumed",
        "bill",
    )
    for bad in ({"estimated": ["output_tokens"]}, {"normalised": "guessed"}, {"cadence": "weekly"}):
        with pytest.raises(RequestRefused) as caught:
            accepted(call(**bad))
        assert [each["field"] for each in caught.value.errors] == [f"data.{next(iter(bad))}"]
