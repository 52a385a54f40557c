"""What /openapi.json says. The body is read by hand, so FastAPI cannot derive it: the schemas are made from
the same structs that decode it."""

from pathlib import Path
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
from spendmeter.platform.openapi import extend_description, problem_responses, problem_schema, read_texts

PATH = "/api/v1/events"

BOUNDS = {
    "events_max": EVENTS_MAX,
    "wire_bytes_max": WIRE_BYTES_MAX,
    "body_bytes_max": BODY_BYTES_MAX,
    "event_bytes_max": EVENT_BYTES_MAX,
    "names_per_day_max": NAMES_PER_DAY_MAX,
    "forms": ", ".join(FORMS),
    "deadline_s": DEADLINE_S,
    "unknown": UNKNOWN,
}
DESCRIPTION, _PROBLEMS = read_texts(Path(__file__).with_name("openapi.toml"), BOUNDS)

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
