"""The entrances of gateways and of other meters' clients: LiteLLM, OpenMeter and Kong, Lago."""

from typing import Any

import msgspec
from starlette.responses import Response

from services.ingest.accept import AcceptedEvents
from services.ingest.body import BodyBounds
from services.ingest.dialects.litellm import PAYLOADS_MAX, translate_litellm
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import (
    Entrance,
    Incoming,
    answer_empty,
    dropped_header,
    refuse_with_problem,
    stated_labels,
    translated,
)
from services.ingest.refused import bad_request

LITELLM_PATH = "/api/v1/litellm"
LITELLM_BOUNDS = BodyBounds(wire_bytes_max=16 * 1024 * 1024, body_bytes_max=24 * 1024 * 1024)
"""512 payloads with their messages, which LiteLLM sends in one request, never packed and never twice."""

_encode = msgspec.json.Encoder().encode


def answer_partly(incoming: Incoming, accepted: AcceptedEvents) -> Response:
    """204 where everything was taken or costs nothing; 200 and what was not taken, by its place; 400 where
    nothing was."""
    if not accepted.refused:
        return answer_empty(incoming, accepted)
    if not accepted.events:
        count = len(accepted.refused)
        refused = bad_request(
            f"all {count} that could be events are bad, so none was taken", accepted.refused
        )
        return refuse_with_problem(incoming.url, incoming.media_type, refused)
    said = {"accepted": len(accepted.events), "errors": accepted.refused}
    return Response(_encode(said), media_type="application/json", headers=dropped_header(accepted))


def _litellm(incoming: Incoming) -> Translated:
    return translate_litellm(incoming.body, stated_labels(incoming))


_PAYLOAD: dict[str, Any] = {
    "id": "chatcmpl-C1aBcDeFgHiJkLmNoPqRsTuVwXyZa",
    "call_type": "acompletion",
    "status": "success",
    "cache_hit": False,
    "custom_llm_provider": "openai",
    "model": "gpt-4o-mini",
    "response_cost": 0.0001332,
    "startTime": 1795717422.19,
    "response_time": 0.53,
    "request_tags": ["feature:answers"],
    "end_user": "u-7",
    "metadata": {
        "user_api_key_alias": "search-prod",
        "user_api_key_team_alias": "search",
        "usage_object": {
            "prompt_tokens": 1200,
            "completion_tokens": 50,
            "prompt_tokens_details": {"cached_tokens": 1024},
        },
    },
}
_PARTLY = {
    "type": "object",
    "required": ["accepted", "errors"],
    "properties": {
        "accepted": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}

LITELLM = Entrance(
    path=LITELLM_PATH,
    name="litellm",
    read=translated(_litellm, partly=True, events_max=PAYLOADS_MAX),
    media_types=("application/json", "application/x-ndjson", "application/ndjson"),
    bounds=LITELLM_BOUNDS,
    answer=answer_partly,
    keeps_late=True,
    openapi={
        "summary": "Send calls that a LiteLLM gateway logged",
        "description": "What LiteLLM's generic API callback posts: standard logging payloads, one, an array"
        " or lines. Messages and answers are skipped unread. 204 means that the log holds every call that"
        " cost something; 200 names those that could not be read.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
                    "example": [_PAYLOAD],
                },
                "application/x-ndjson": {"schema": {"type": "string"}},
                "application/ndjson": {"schema": {"type": "string"}},
            },
        },
        "responses": {
            "200": {
                "description": "Taken, but for those that are named by their place in the request",
                "content": {
                    "application/json": {
                        "schema": _PARTLY,
                        "example": {
                            "accepted": 1,
                            "errors": [{"index": 1, "field": "id", "reason": "is missing"}],
                        },
                    }
                },
            },
            "204": {"description": "The log holds every call that cost something"},
        },
    },
)
GATEWAYS = (LITELLM,)
