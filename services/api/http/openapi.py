"""What the routes' descriptions share: examples, problems, and a parameter for every dimension."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from spendmeter.platform.openapi import (
    Problem,
    add_servers_own,
    operations,
    problem_response,
    problem_schema,
)

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

_PROBLEMS: dict[int, Problem] = {
    400: Problem(
        "an operator's key without a tenant",
        "No tenant",
        "an operator key names the tenant to act for in the header X-Spendmeter-Tenant",
    ),
    401: Problem(
        "no key, or one that is unknown, expired or revoked",
        "Unauthorized",
        "the key is unknown, expired or revoked",
    ),
    403: Problem(
        "the key may not do this",
        "Forbidden",
        "key k7f3a lacks the scope admin, so it cannot change anything",
    ),
    406: Problem(
        "no form that `Accept` names",
        "Not acceptable",
        "Accept: this route answers application/json or text/csv",
    ),
    422: Problem(
        "a parameter breaks its rule, which is named",
        "Invalid request",
        "group_by: 'user' is not one of cost_class, provider, sku, team, ...",
    ),
    429: Problem(
        "the tenant asks for more than its share; `Retry-After` says when to come back",
        "Too many questions",
        "this tenant has its share of connections in use: ask one after another",
    ),
    503: Problem(
        "the database is away, or the question took too long; `Retry-After` says when to come back",
        "Too much to read",
        "the question took too long to answer: narrow the range or the filter",
    ),
}
"""By status, of any route."""


def answers(example: str, *, status: int = 200, missing: str = "") -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: an example of its answer ('' = no body), and the problems it may answer."""
    described = _PROBLEMS | ({404: Problem(missing, "Not found", missing)} if missing else {})
    responses: dict[int | str, dict[str, Any]] = {
        code: problem_response(code, told, instance="/v1/spend", **_errors(code, told.detail))
        for code, told in sorted(described.items())
        if code != 406 or example
    }
    if example:
        responses[status] = {"content": {"application/json": {"example": EXAMPLES[example]}}}
    return responses


def _errors(status: int, detail: str) -> dict[str, Any]:
    """Each field that breaks a rule, as a 422 names it."""
    if status != 422:
        return {}
    field, reason = detail.split(": ", 1)
    return {"errors": [{"field": field, "reason": reason}]}


def with_problems(app: FastAPI, body_bytes_max: Callable[[str], int]) -> None:
    """Add the schema that `answers` refers to, and what may be answered before a route is asked.
    `body_bytes_max`: of a request to a path."""
    derive = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            description = derive()
            schemas = description.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = problem_schema()
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            for path, operation in operations(description):
                add_servers_own(operation)
                if "requestBody" in operation:
                    told = _too_large(body_bytes_max(path))
                    operation["responses"]["413"] = problem_response(413, told, instance=path)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _too_large(bytes_max: int) -> Problem:
    return Problem("the body is too large", "Invalid request", f"a body has at most {bytes_max} bytes")
