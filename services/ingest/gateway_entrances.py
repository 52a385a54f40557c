"""The entrances of gateways and of other meters' clients: LiteLLM, OpenMeter and Kong, Lago."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from services.ingest.accept import AcceptedEvents, Submission
from services.ingest.body import BodyBounds
from services.ingest.dialects.litellm import PAYLOADS_MAX, translate_litellm
from services.ingest.dialects.translated import LEFT_OUT, Translated
from services.ingest.entrances import (
    Entrance,
    Incoming,
    answer_empty,
    dropped_header,
    labels_that_fit,
    refuse_with_problem,
    translated,
)
from services.ingest.foreign_events import LagoRefused, accept_lago, refuse_lago
from services.ingest.own_events import OWN_EVENTS, answer_own
from services.ingest.refused import BadEvent, RequestRefused, bad_request

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


def refuse_litellm(url: str, media_type: str, refused: RequestRefused) -> Response:
    """A problem document; what may be sent again is 503, for LiteLLM repeats nothing that is answered 429."""
    if refused.comes_again:
        later = refused.retry_after_s
        refused = RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, refused.detail, retry_after_s=later)
    return refuse_with_problem(url, media_type, refused)


def _litellm(incoming: Incoming) -> Translated:
    """A label of the endpoint's that cannot be costs none of the calls: LiteLLM drops what is refused."""
    labels, unfit = labels_that_fit(incoming)
    found = translate_litellm(incoming.body, labels)
    if unfit:
        found.noted[LEFT_OUT] += len(unfit)
    return found


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
    refuse=refuse_litellm,
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
_ACCEPTED = {"description": "Accepted: the log holds every event that cost something"}


def _openmeter(path: str, name: str) -> Entrance:
    """OpenMeter's newer path: the same events as ours, any type of which a meter knows, and 202."""
    openapi = dict(OWN_EVENTS.openapi)
    responses = {status: said for status, said in openapi["responses"].items() if status != "204"}
    openapi |= {
        "summary": "Send events as an OpenMeter client does",
        "description": "CloudEvents of ours, and of any type that a meter knows (/v1/meters).",
        "responses": responses | {"202": _ACCEPTED},
    }
    return replace(OWN_EVENTS, path=path, name=name, answer=answer_openmeter, openapi=openapi)


def answer_openmeter(incoming: Incoming, accepted: AcceptedEvents) -> Response:
    """202, as OpenMeter answers under its newer paths; the older one is 204, as ours."""
    answer = answer_own(incoming, accepted)
    if answer.status_code == HTTPStatus.NO_CONTENT:
        return Response(status_code=HTTPStatus.ACCEPTED, headers=dropped_header(accepted))
    return answer


def _read_lago(incoming: Incoming, submission: Submission) -> AcceptedEvents:
    accepted = accept_lago(incoming.body, submission)
    if accepted is None:
        missing = BadEvent(index=None, field="events", reason="value_is_mandatory")
        raise LagoRefused(bad_request("the body has no `events`", [missing]), many=False)
    return accepted


_LAGO_EVENT = {
    "type": "object",
    "required": ["transaction_id", "external_subscription_id", "code"],
    "properties": {
        "transaction_id": {"type": "string"},
        "external_subscription_id": {"type": "string"},
        "code": {"type": "string", "description": "the event type of a meter"},
        "timestamp": {"type": ["integer", "number", "string", "null"]},
        "properties": {"type": ["object", "null"]},
    },
}
_LAGO_EVENTS = {
    "type": "object",
    "required": ["events"],
    "properties": {"events": {"type": "array", "items": _LAGO_EVENT}},
}
_LAGO_EXAMPLE = {
    "transaction_id": "7a3e6f0c",
    "external_subscription_id": "acme",
    "code": "litellm_tokens",
    "timestamp": 1795717422,
    "properties": {"model": "gpt-4o-mini", "prompt_tokens": 1200, "completion_tokens": 50},
}

_IN_LAGOS_SHAPE = {
    "description": "Refused as a whole: the status, and why, in Lago's shape",
    "content": {"application/json": {"schema": {"type": "object"}}},
}

LAGO_BATCH = Entrance(
    path="/api/v1/events/batch",
    name="lago_batch",
    read=_read_lago,
    answer=answer_own,
    refuse=lambda _url, _media_type, refused: refuse_lago(refused),
    openapi={
        "summary": "Send events as a Lago client does",
        "description": "All of them or none. What each means, the meter of its code says (/v1/meters).",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _LAGO_EVENTS, "example": {"events": [_LAGO_EXAMPLE]}}},
        },
        "responses": {
            **dict.fromkeys(("400", "401", "403", "413", "415", "429", "503"), _IN_LAGOS_SHAPE),
            "200": {
                "description": "The log holds every event that cost something",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            "422": {
                "description": "What is wrong with which field of which event, in Lago's shape",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    },
)

GATEWAYS = (
    LITELLM,
    _openmeter("/openmeter/events", "openmeter"),
    _openmeter("/v3/openmeter/events", "openmeter_konnect"),
    _openmeter("/api/v3/openmeter/events", "openmeter_v3"),
    LAGO_BATCH,
)
