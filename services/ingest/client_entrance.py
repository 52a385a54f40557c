"""The entrance of the client library: `POST /api/v1/usage`, many calls of many providers in one request."""

from typing import Any

from services.ingest.accept import EVENTS_MAX, AcceptedEvents, Submission, accept_translated
from services.ingest.dialects.client_calls import ANSWER_TYPE, translate_calls
from services.ingest.dialects.elements import elements_of
from services.ingest.entrances import Entrance, Incoming

PATH = "/api/v1/usage"
OF_ONE_CALL_MAX = 4
"""Events: a model that was asked on behalf of the call is one more."""


def read_calls(incoming: Incoming, submission: Submission) -> AcceptedEvents:
    """All calls of the request, or none: one bad one refuses it, and each bad one is named by its place.
    Raises RequestRefused."""
    found = translate_calls(elements_of(incoming.body, EVENTS_MAX))
    return accept_translated(found, submission, events_max=EVENTS_MAX * OF_ONE_CALL_MAX)


_CALL: dict[str, Any] = {
    "specversion": "1.0",
    "type": ANSWER_TYPE,
    "id": "3f1c0a9be7d24d5fa0b1c2d3e4f50617",
    "source": "checkout-bot",
    "subject": "checkout-bot",
    "data": {
        "provider": "openai",
        "response": {
            "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
            "model": "gpt-4o-2024-08-06",
            "usage": {
                "prompt_tokens": 10000,
                "completion_tokens": 1000,
                "prompt_tokens_details": {"cached_tokens": 8000},
            },
        },
        "labels": {"team": "payments"},
        "performance": {"latency_ms": 830},
    },
}
_SCHEMA = {"type": "array", "items": {"type": "object"}, "maxItems": EVENTS_MAX}

CLIENT_CALLS = Entrance(
    path=PATH,
    name="client",
    read=read_calls,
    keeps_late=True,
    openapi={
        "summary": "Send calls of many providers at once",
        "description": "As the client library does: each call names its provider, and holds its answer so far"
        " as that says which call it was and what it used. The rest is as in an event.",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _SCHEMA, "example": [_CALL]}},
        },
    },
)
