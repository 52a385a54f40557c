"""What /openapi.json says. Bodies are read by hand, so FastAPI cannot derive it: the schemas are made from
the same structs that decode them, and what an entrance takes and answers, the entrance says."""

from pathlib import Path
from typing import Any

import msgspec
from fastapi import FastAPI

from services.ingest.accept import EVENTS_MAX
from services.ingest.body import BODY_BYTES_MAX, ENCODINGS, WIRE_BYTES_MAX
from services.ingest.content_type import FORMS
from services.ingest.entrances import Entrance
from services.ingest.own_events import SubmissionReceipt
from services.ingest.publish import DEADLINE_S, UNKNOWN
from services.ingest.unknown_units import NAMES_PER_DAY_MAX
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX
from spendmeter.contracts.events import UsageEvent
from spendmeter.contracts.outcomes import OutcomeEvent
from spendmeter.platform.openapi import extend_description, problem_responses, problem_schema, read_texts

BOUNDS = {
    "events_max": EVENTS_MAX,
    "wire_bytes_max": WIRE_BYTES_MAX,
    "body_bytes_max": BODY_BYTES_MAX,
    "encodings": " or ".join(ENCODINGS),
    "event_bytes_max": EVENT_BYTES_MAX,
    "names_per_day_max": NAMES_PER_DAY_MAX,
    "forms": ", ".join(FORMS),
    "deadline_s": DEADLINE_S,
    "unknown": UNKNOWN,
}
DESCRIPTION, _PROBLEMS = read_texts(Path(__file__).with_name("openapi.toml"), BOUNDS)

_INDEX = {
    "type": ["integer", "null"],
    "description": "the event's place in the request, from 0; null = the body itself",
}


def operation(entrance: Entrance) -> dict[str, Any]:
    """What is said of an entrance: its own words, and what every one of them may answer. One that refuses in
    a form of its own says that itself."""
    own = dict(entrance.openapi)
    unlike = own.pop("refusals", {})  # the server's own refusals are problems all the same
    problems = problem_responses(_PROBLEMS, instance=entrance.path)
    for status in _PROBLEMS:
        problems[status]["content"] |= unlike
    answers = {str(status): said for status, said in problems.items()} | own.pop("responses", {})
    return {"security": [{"key": []}], **own, "responses": answers}


def with_schemas(app: FastAPI) -> None:
    """Add what the operations refer to."""

    def extend(description: dict[str, Any]) -> None:
        structs = [UsageEvent, OutcomeEvent, SubmissionReceipt]
        _, schemas = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
        description["components"] = {
            "schemas": {**schemas, "Problem": problem_schema({"index": _INDEX})},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        }

    extend_description(app, extend)
