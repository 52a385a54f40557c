"""What every service's /openapi.json says of problems: their schema, an example of each status, and what the
server answers by itself, before any route is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from spendmeter.platform.connection import ConnectionBounds

PROBLEM_TYPE = "application/problem+json"
_BOUNDS = ConnectionBounds()


class Problem(NamedTuple):
    """A status as a description tells it: what it means, and the title and detail of an example."""

    meaning: str
    title: str
    detail: str


SERVERS_OWN = {
    408: Problem(
        "the request was not complete in time",
        "Request Timeout",
        f"the body did not arrive within {_BOUNDS.body_s:g} s",
    ),
    414: Problem(
        "the address is too long",
        "Request-URI Too Long",
        f"the address of a request has at most {_BOUNDS.target_bytes} bytes",
    ),
    421: Problem(
        "the request names a host that this service is not known by",
        "Misdirected Request",
        "this service does not answer to that host name; SPENDMETER_HOSTS lists those that it does",
    ),
    429: Problem(
        "too many requests were sent ahead of an answer", "Too Many Requests", "too many requests sent ahead"
    ),
    431: Problem(
        "the headers are too many or too large",
        "Request Header Fields Too Large",
        f"a request has at most {_BOUNDS.headers} headers, of {_BOUNDS.head_bytes} bytes; "
        "what frames a chunked body counts as well",
    ),
    503: Problem(
        "every connection is in use; `Retry-After` says when to come back",
        "Service Unavailable",
        f"all {_BOUNDS.connections} connections are being answered; send again",
    ),
}
"""By status; `platform/connection.py` and `platform/hosts.py` answer them, without an `instance`. A request
that is none of HTTP/1.1, or names no host, is answered 400."""


def problem_schema(**of_each_error: dict[str, Any]) -> dict[str, Any]:
    """The schema `Problem`; `of_each_error`: what an element of `errors` has beside field and reason."""
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "RFC 9457: what went wrong, for a person; `errors` names each field and its rule.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "examples": ["about:blank"]},
            "title": {"type": "string", "description": "the kind of problem"},
            "status": {"type": "integer", "description": "the HTTP status"},
            "detail": {"type": "string", "description": "the thing, and the rule that it breaks"},
            "instance": {
                "type": "string",
                "description": "the path that was asked; empty where the server answered before any route",
            },
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": [*of_each_error, "field", "reason"],
                    "properties": {**of_each_error, "field": text, "reason": text},
                },
            },
        },
    }


def problem_response(status: int, told: Problem, *, instance: str = "", **more: Any) -> dict[str, Any]:
    """A response of an operation: the schema and an example of its own status, with `more` members."""
    example = {
        "type": "about:blank",
        "title": told.title,
        "status": status,
        "detail": told.detail,
        "instance": instance,
    }
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example | more}
    return {"description": told.meaning, "content": {PROBLEM_TYPE: content}}


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every (path, operation) of an OpenAPI description."""
    for path, methods in description["paths"].items():
        for operation in methods.values():
            yield path, operation


def add_servers_own(operation: dict[str, Any]) -> None:
    """Add what the server may answer instead of the operation. Where the operation has the status itself, it
    keeps its example, and its description says both."""
    responses: dict[str, Any] = operation["responses"]
    for status, told in SERVERS_OWN.items():
        if (own := responses.get(str(status))) is None:
            responses[str(status)] = problem_response(status, told)
        else:
            meaning = f"{own['description']}; or {told.meaning}"
            responses[str(status)] = {**own, "description": meaning}
