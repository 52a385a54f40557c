"""A label of other meters' clients that cannot be: left out, noted, and the money kept, at every one of their doors."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.accept import AcceptedEvents
from services.ingest.credentials import NumberedMeters
from services.ingest.dialects.translated import LEFT_OUT
from services.ingest.entrances import Incoming
from services.ingest.gateway_entrances import LAGO_BATCH
from services.ingest.own_events import OWN_EVENTS
from spendmeter.contracts.meters import UsageMeter
from tests.ingest.test_accept import NOW, submission

LONG = "x" * 129
"""More than a label has."""
PICTURES = UsageMeter(
    event_type="image.generated", provider="openai", sku="$.model", counted=True, unit="images",
    labels={"team": "$.team", "user": "@subject"},
)  # fmt: skip
TOKENS = {"model": "gpt-4o", "prompt_tokens": 100, "completion_tokens": 10, "cost": 0.01}


def read(entrance: Any, body: Any, media_type: str = "application/json") -> AcceptedEvents:
    incoming = Incoming(
        body=json.dumps(body).encode(), media_type=media_type, headers={}, query={}, path={}, url="", now=NOW
    )
    by = submission(age_max=timedelta(days=400))
    own = {"acme": NumberedMeters(number=1, meters={PICTURES.event_type: PICTURES})}
    accepted: AcceptedEvents = entrance.read(incoming, replace(by, snapshot=replace(by.snapshot, meters=own)))
    return accepted


def cloud_event(kind: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "type": kind, "id": "e-1", "source": "s", "subject": subject, "data": data}


@pytest.mark.parametrize(
    ("event", "usage"),
    [
        (cloud_event("litellm_tokens", LONG, TOKENS), {"input_tokens": 100, "output_tokens": 10}),
        (
            cloud_event("kong.llm_request", LONG, {"provider": "openai", "model": "gpt-4o", "tokens": 7, "type": "request"}),
            {"input_tokens": 7},
        ),
        (cloud_event("image.generated", "", {"model": "dall-e-3", "team": "a\u202eb"}), {"images": 1}),
    ],
)  # fmt: skip
def test_at_openmeters_and_kongs_door(event: dict[str, Any], usage: dict[str, int]) -> None:
    accepted = read(OWN_EVENTS, event)
    assert [taken.data.usage for taken in accepted.events] == [usage]
    labels = accepted.events[0].data.labels
    assert (labels.user, labels.agent, labels.team) == ("", "", "")
    assert accepted.noted[LEFT_OUT] == 1


def test_at_lagos_door() -> None:
    event = {
        "transaction_id": "t-1",
        "external_subscription_id": LONG,
        "code": "litellm_tokens",
        "properties": TOKENS,
    }
    accepted = read(LAGO_BATCH, {"events": [event]})
    assert [taken.data.usage for taken in accepted.events] == [{"input_tokens": 100, "output_tokens": 10}]
    assert accepted.noted[LEFT_OUT] == 1


def test_a_subject_that_no_event_can_have_is_cut_and_refuses_none() -> None:
    event = cloud_event(
        "kong.llm_request", "s" * 300, {"provider": "openai", "model": "m", "tokens": 7, "type": "request"}
    )
    assert [taken.subject for taken in read(OWN_EVENTS, event).events] == ["s" * 256]
