"""The entrance of providers' own answers: `POST /api/v1/usage/{provider}`."""

from typing import Any

import msgspec
from starlette.responses import Response

from services.ingest.accept import AcceptedEvents, Submission, accept_translated
from services.ingest.body import BodyBounds
from services.ingest.dialects.provider_responses import SentResponses, translate_responses
from services.ingest.dialects.providers.facts import PROVIDERS
from services.ingest.dialects.providers.transcripts import EVENTS, LINES, LINES_MAX
from services.ingest.entrances import Entrance, Incoming, dropped_header, stated_labels
from services.ingest.refused import bad_request
from spendmeter.platform.openapi import Problem, problem_response

PATH = "/api/v1/usage/{provider}"
_NO_SUCH_PROVIDER = Problem(
    "No such provider", "Not Found", f"no such provider; answers are read of {', '.join(sorted(PROVIDERS))}"
)
CALLS_MAX = 2 * LINES_MAX
"""Of one request: a row may have asked another model on its behalf."""
BOUNDS = BodyBounds(wire_bytes_max=8 * 1024 * 1024, body_bytes_max=16 * 1024 * 1024)
"""Answers hold images, and results of batches many answers."""


def read_responses(incoming: Incoming, submission: Submission) -> AcceptedEvents:
    """The calls of a request. A bad row is named beside the others, which are taken; where none is good, and
    none was skipped, the request is refused. Raises RequestRefused."""
    sent = SentResponses(
        provider=incoming.path["provider"],
        body=incoming.body,
        media_type=incoming.media_type,
        query=incoming.query,
        headers=incoming.headers,
        labels=stated_labels(incoming),
    )
    accepted = accept_translated(translate_responses(sent), submission, partly=True, events_max=CALLS_MAX)
    if accepted.refused and not accepted.events and not accepted.skipped:
        raise bad_request("nothing of the body could be metered", accepted.refused)
    return accepted


def answer_responses(_incoming: Incoming, accepted: AcceptedEvents) -> Response:
    """204; or 200 and what became of the rest, where not everything became an event without a remark."""
    headers = dropped_header(accepted)
    if not (accepted.refused or accepted.skipped or accepted.noted):
        return Response(status_code=204, headers=headers)
    said: dict[str, Any] = {
        "accepted": len(accepted.events),
        "errors": list(accepted.refused),
        "skipped": dict(accepted.skipped),
        "noted": dict(accepted.noted),
    }
    return Response(msgspec.json.encode(said), media_type="application/json", headers=headers)


_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
    "object": "chat.completion",
    "created": 1795694400,
    "model": "gpt-4o-2024-08-06",
    "service_tier": "default",
    "usage": {
        "prompt_tokens": 10000,
        "completion_tokens": 1000,
        "prompt_tokens_details": {"cached_tokens": 8000},
    },
}
_QUERY = {
    "model": "The model, where the answer names none; of Bedrock always",
    "id": "What tells the call from all others, where the answer's id does not: the same again for a retry",
    "source": "Who counts the answer's ids",
    "subject": "What it was for; the source where nothing is said",
    "time": "When it was, where the answer does not say",
    "service_tier": "As it was served, where the answer does not say",
    "region": "Where it was served, where the answer does not say",
    "batch": "true: in a batch",
    "input_tokens": "What was sent, for a stream that broke off before it said so",
    "interrupted": "true: the answer is what a stream had said when it broke off",
    "sent_bytes": "How long the text was that the stream had sent, in UTF-8, where the answer leaves it out",
    "sent_pieces": "In how many pieces it had sent that",
    "transcription_model": "Of a realtime session: which model wrote down what was heard",
    "search_context_size": "What a chat completion asked for in its web_search_options",
}
_COUNTS = {"type": "object", "additionalProperties": {"type": "integer"}}
_REST = {
    "type": "object",
    "required": ["accepted", "errors", "skipped", "noted"],
    "properties": {
        "accepted": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "skipped": _COUNTS,
        "noted": _COUNTS,
    },
}
_SCHEMA = {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]}

PROVIDER_RESPONSES = Entrance(
    path=PATH,
    name="provider",
    read=read_responses,
    answer=answer_responses,
    media_types=("application/json", EVENTS, *LINES),
    bounds=BOUNDS,
    keeps_late=True,
    openapi={
        "summary": "Send a provider's own answer",
        "description": "The answer as the provider gave it, its usage object alone, the chunks or the"
        " transcript of a stream, or the lines of a batch's result. What it says of its content is skipped"
        " unread. Labels come as `?label.team=` or in the header `Spendmeter-Labels`.",
        "parameters": [
            {
                "name": "provider",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "enum": sorted(PROVIDERS)},
            },
            *(
                {
                    "name": name,
                    "in": "query",
                    "required": False,
                    "schema": {"type": "string"},
                    "description": about,
                }
                for name, about in _QUERY.items()
            ),
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "As ?id=",
            },
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _SCHEMA, "example": _ANSWER},
                **{kind: {"schema": {"type": "string"}} for kind in (EVENTS, *LINES)},
            },
        },
        "responses": {
            "200": {
                "description": "Taken; and what was refused beside it, skipped, or taken with a remark",
                "content": {
                    "application/json": {
                        "schema": _REST,
                        "example": {
                            "accepted": 1,
                            "errors": [],
                            "skipped": {},
                            "noted": {"quantities estimated": 1},
                        },
                    }
                },
            },
            "204": {"description": "Accepted: the log holds every call"},
            "404": problem_response(404, _NO_SUCH_PROVIDER, "/api/v1/usage/acme"),
        },
    },
)
