"""What the routes' descriptions share: examples, problems, and a parameter for every dimension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from services.api.question import FILTER
from spendmeter.contracts.series import DIMENSIONS

DESCRIPTION = """
What an organisation spends on AI, seconds after it is spent.

* Send `Authorization: Bearer sm_...`. The key decides the tenant; an operator's key names one in
  `X-Spendmeter-Tenant`. Reading needs the scope `read` or `admin`, changing anything `admin`.
* Amounts and quantities are plain decimal strings; every amount says its currency. Ranges are `[from, to)`.
* `complete_through`: everything that was accepted before it is in the answer.
* Errors are `application/problem+json`; 429 and 503 say when to come back in `Retry-After`.
* Tables are also `text/csv` for who sends `Accept: text/csv`; the next page is in the header `Link`.
* JSON is indented for curl and its like, and with `pretty=true` for all.
* `If-None-Match` with the `ETag` of an answer that you have is answered 304 as long as it is the same.
"""

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
"""By the name that a route calls it; a test holds each against the route's model."""

_PROBLEMS: dict[int, tuple[str, str, str]] = {
    400: (
        "an operator's key without a tenant",
        "No tenant",
        "an operator key names the tenant to act for in the header X-Spendmeter-Tenant",
    ),
    401: (
        "no key, or one that is unknown, expired or revoked",
        "Unauthorized",
        "the key is unknown, expired or revoked",
    ),
    403: (
        "the key may not do this",
        "Forbidden",
        "key k7f3a lacks the scope admin, so it cannot change anything",
    ),
    406: (
        "no form that `Accept` names",
        "Not acceptable",
        "Accept: this route answers application/json or text/csv",
    ),
    422: (
        "a parameter breaks its rule, which is named",
        "Invalid request",
        "group_by: 'user' is not one of cost_class, provider, sku, team, ...",
    ),
    429: (
        "the tenant asks for more than its share; `Retry-After` says when to come back",
        "Too many questions",
        "this tenant has its share of connections in use: ask one after another",
    ),
    503: (
        "the database is away, or the question took too long; `Retry-After` says when to come back",
        "Too much to read",
        "the question took too long to answer: narrow the range or the filter",
    ),
}
"""By status: what it means, and the title and detail of an example."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457: what went wrong, for a person; `errors` names each field and its rule.",
    "required": ["type", "title", "status", "detail", "instance"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "examples": ["about:blank"]},
        "title": {"type": "string", "description": "the kind of problem"},
        "status": {"type": "integer", "description": "the HTTP status"},
        "detail": {"type": "string", "description": "the thing, and the rule that it breaks"},
        "instance": {"type": "string", "description": "the path that was asked"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
    },
}

FILTER_PARAMETERS: list[dict[str, Any]] = [
    {
        "name": FILTER + dimension,
        "in": "query",
        "required": False,
        "description": f"only this {dimension}; repeated: any of them; empty: events without one",
        "schema": {"type": "array", "items": {"type": "string"}},
        "explode": True,
    }
    for dimension in DIMENSIONS
]


def answers(example: str, *, status: int = 200, missing: str = "") -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: an example of its answer ('' = no body), and the problems it may answer."""
    described = _PROBLEMS | ({404: (missing, "Not found", missing)} if missing else {})
    responses: dict[int | str, dict[str, Any]] = {
        code: {
            "description": meaning,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "example": _problem(code, title, detail),
                }
            },
        }
        for code, (meaning, title, detail) in sorted(described.items())
        if code != 406 or example
    }
    if example:
        responses[status] = {"content": {"application/json": {"example": EXAMPLES[example]}}}
    return responses


def _problem(status: int, title: str, detail: str) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "/v1/spend",
    }
    if status == 422:
        field, reason = detail.split(": ", 1)
        problem["errors"] = [{"field": field, "reason": reason}]
    return problem


def with_problems(app: FastAPI) -> None:
    """Add the schema that `answers` refers to."""
    derive = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = derive().setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = PROBLEM_SCHEMA
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
