"""What /openapi.json says. The body is read by hand, so FastAPI cannot derive it: the schemas are made from
the same structs that decode it."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI

from services.ingest.accept import EVENTS_MAX
from services.ingest.body import BODY_BYTES_MAX, WIRE_BYTES_MAX
from services.ingest.content_type import FORMS
from services.ingest.publish import DEADLINE_S, UNKNOWN
from services.ingest.unknown_units import NAMES_PER_DAY_MAX
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX
from spendmeter.contracts.events import EVENT_TYPE, UsageEvent
from spendmeter.platform.openapi import Problem, extend_description, problem_responses, problem_schema

PATH = "/api/v1/events"

DESCRIPTION = f"""Usage events in, as CloudEvents 1.0 in structured JSON.

204 is sent only after the broker has acknowledged every event of the request. After 503, or when the
connection breaks, send the same events with the same ids again: an event is booked once, however often it
is sent. A request has at most {EVENTS_MAX} events, {WIRE_BYTES_MAX} bytes as sent and {BODY_BYTES_MAX}
after decompression (gzip); an event at most {EVENT_BYTES_MAX} bytes. `labels.user` is replaced by a
pseudonym.

Unknown fields are dropped (prompts and completions are never stored) and named in the answer's header
`Spendmeter-Dropped`. Names that a vendor's API has for quantities (`prompt_tokens`) are refused with the
units to send; another unknown unit is taken, counted, and unpriced until it has a price: at most
{NAMES_PER_DAY_MAX} such names of a tenant in a day, then new ones are refused. A quantity has a bound by its
unit. Labels are put into Unicode's normal form C; characters that cannot be seen are refused."""

EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "type": EVENT_TYPE,
    "id": "req-8f14e45f",
    "source": "checkout-bot",
    "subject": "acme/checkout",
    "data": {
        "provider": "openai",
        "sku": "gpt-4o",
        "usage": {"input_tokens": 2000, "cache_read_tokens": 8000, "output_tokens": 1000},
        "labels": {"team": "payments", "feature": "assistant"},
    },
}
_PROBLEMS = {
    400: Problem(
        "Bad events, all named; none was taken",
        "Bad Request",
        "1 of 3 events are bad, so none was taken",
        [{"index": 1, "field": "data.usage.input_tokens", "reason": "must be at least 0 and below 2^63"}],
    ),
    401: Problem(
        "No key, or one that is unknown, expired or revoked",
        "Unauthorized",
        "this API key is unknown, expired or revoked",
    ),
    403: Problem(
        "The key may not ingest, or an event names another tenant",
        "Forbidden",
        "key k7f3a00000000 has not the scope 'ingest'",
    ),
    413: Problem(
        "Over a bound, which the detail names",
        "Request Entity Too Large",
        f"a request may have at most {EVENTS_MAX} events",
    ),
    415: Problem(
        "Another content type, charset or encoding",
        "Unsupported Media Type",
        f"content type 'text/csv'; this endpoint takes {', '.join(FORMS)}",
    ),
    503: Problem(
        "Send again, with the same ids, after Retry-After seconds",
        "Service Unavailable",
        f"the broker did not answer within {DEADLINE_S:g} s; {UNKNOWN}",
    ),
}
_INDEX = {
    "type": ["integer", "null"],
    "description": "the event's place in the request, from 0; null = the body itself",
}
_ONE = {"$ref": "#/components/schemas/UsageEvent"}
_MANY = {"type": "array", "items": _ONE, "maxItems": EVENTS_MAX}


POST_EVENTS: dict[str, Any] = {
    "security": [{"key": []}],
    "requestBody": {
        "required": True,
        "content": {
            "application/cloudevents+json": {"schema": _ONE, "example": EXAMPLE},
            "application/cloudevents-batch+json": {"schema": _MANY, "example": [EXAMPLE]},
            "application/json": {"schema": {"anyOf": [_ONE, _MANY]}, "example": EXAMPLE},
        },
    },
    "responses": {
        "204": {
            "description": "Accepted: the log holds every event",
            "headers": {
                "Spendmeter-Dropped": {
                    "description": "Paths of fields that nobody knows, and that were not kept; absent: none",
                    "schema": {"type": "string", "example": "data.labels.costcenter, data.cost"},
                }
            },
        },
        **{str(status): said for status, said in problem_responses(_PROBLEMS, instance=PATH).items()},
    },
}


def with_schemas(app: FastAPI) -> None:
    """Add what POST_EVENTS refers to."""

    def extend(description: dict[str, Any]) -> None:
        _, schemas = msgspec.json.schema_components([UsageEvent], ref_template="#/components/schemas/{name}")
        description["components"] = {
            "schemas": {**schemas, "Problem": problem_schema({"index": _INDEX})},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        }

    extend_description(app, extend)
