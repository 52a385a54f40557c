"""What the routes' descriptions share: examples, problems, and a parameter for every dimension."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from services.api.question import FILTER
from spendmeter.contracts.series import DIMENSIONS

DESCRIPTION = """
What an organisation spends on AI, seconds after it is spent.

* Send `Authorization: Bearer sm_...`. The key decides the tenant; an operator's key names one in
  `X-Spendmeter-Tenant`. Reading needs the scope `read` or `admin`, changing anything `admin`.
* Amounts and quantities are plain decimal strings; every amount says its currency. Ranges are `[from, to)`.
* `complete_through`: everything that was accepted before it is in the answer.
* Errors are `application/problem+json`; 503 says when to come back in `Retry-After`.
"""

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
"""By the name that a route calls it; a test holds each against the route's model."""

_PROBLEMS = {
    400: "an operator's key without a tenant",
    401: "no key, or one that is unknown, expired or revoked",
    403: "the key may not do this",
    422: "a parameter breaks its rule, which is named",
    503: "the database is away, or the question took too long",
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
    described = _PROBLEMS | ({404: missing} if missing else {})
    responses: dict[int | str, dict[str, Any]] = {
        code: {"description": text, "content": {"application/problem+json": {"example": EXAMPLES["problem"]}}}
        for code, text in described.items()
    }
    if example:
        responses[status] = {"content": {"application/json": {"example": EXAMPLES[example]}}}
    return responses
