"""What the routes' descriptions share: examples of answers, and the problems that any of them may answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from spendmeter.platform.openapi import (
    Problem,
    extend_description,
    problem_response,
    problem_responses,
    problem_schema,
    read_texts,
)

DESCRIPTION, _PROBLEMS = read_texts(Path(__file__).with_name("openapi.toml"), {})

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
"""By the name that a route calls it; a test holds each against the route's model."""


def answers(example: str, *, status: int = 200, missing: str = "") -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: an example of its answer ('' = no body), and the problems it may answer."""
    problems = dict(_PROBLEMS)
    if missing:
        problems[404] = Problem(missing, "Not found", missing)
    if not example:
        del problems[406]
    responses = problem_responses(problems, instance="/v1/spend")
    if example:
        responses[status] = {"content": {"application/json": {"example": EXAMPLES[example]}}}
    return responses


def describe_problems(app: FastAPI, body_bytes_max: Callable[[str], int]) -> None:
    """Add the schema of a problem, and what is answered to a body over `body_bytes_max` of its path."""

    def extend(description: dict[str, Any]) -> None:
        description["components"]["schemas"]["Problem"] = problem_schema()
        for path, operations in description["paths"].items():
            rule = f"a body has at most {body_bytes_max(path)} bytes"
            too_large = problem_response(413, Problem("the body is too large", "Invalid request", rule), path)
            for operation in operations.values():
                if "requestBody" in operation:
                    operation["responses"]["413"] = too_large

    extend_description(app, extend)
