"""What the routes' descriptions share: examples of answers, and the problems that any of them may answer."""

import json
from collections.abc import Callable, Mapping
from copy import deepcopy
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

_CHANGING = frozenset({"post", "put", "patch", "delete"})
_CONFLICT = Problem(
    "it is not what it was, is something else already, or there are too many",
    "Conflict",
    "in force is revision 3: read it first",
)
_UNPROVED = Problem(
    "`as_of` lies beyond what is proved of the book, by more than a minute",
    "Not proved",
    "as_of: the book is proved up to 2026-11-25T10:00:00+00:00, and over 60 s after that nothing is told",
)
EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("examples.json").read_text("utf-8"))
"""By the name that a route calls it; a test holds each against the route's model."""


def answers(
    example: str,
    *,
    status: int = 200,
    missing: str = "",
    conflict: str = "",
    also: Mapping[int, str] | None = None,
) -> dict[int | str, dict[str, Any]]:
    """A route's `responses`: an example of its answer ('' = no body), and the problems it may answer. `also`:
    other statuses under which it gives the same answer, and what they mean."""
    problems = dict(_PROBLEMS)
    if missing:
        problems[404] = Problem(missing, "Not found", missing)
    if conflict:
        problems[409] = Problem(conflict, "Conflict", conflict)
    if not example:
        del problems[406]
    responses = problem_responses(problems, instance="/v1/spend")
    if example:
        content = {"application/json": {"example": EXAMPLES[example]}}
        responses[status] = {"content": content}
        for other, meaning in (also or {}).items():
            responses[other] = {"description": meaning, "content": deepcopy(content)}
    return responses


def _describe_change(operation: dict[str, Any], path: str) -> None:
    """What only an operation that changes something may answer; and the shape of its other good answers,
    which is that of the one that FastAPI knows."""
    answers = operation["responses"]
    answers.setdefault("409", problem_response(409, _CONFLICT, path))
    good = [
        answers[status].get("content", {}).get("application/json")
        for status in sorted(answers)
        if status < "3"
    ]
    shapes = [content["schema"] for content in good if content and content.get("schema")]
    for content in good:
        if content is not None and shapes:
            content.setdefault("schema", shapes[0])


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
            if any(each["name"] == "as_of" for each in operations.get("get", {}).get("parameters", ())):
                operations["get"]["responses"]["409"] = problem_response(409, _UNPROVED, path)
            for method in operations.keys() & _CHANGING:
                _describe_change(operations[method], path)

    extend_description(app, extend)
