"""What every service's /openapi.json says of problems: their schema, an example of each status, and what the
server answers by itself, before any route is asked.

Texts stand in an `openapi.toml` beside the code that answers so."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from fastapi import FastAPI

from spendmeter.platform.connection import ConnectionBounds

PROBLEM_TYPE = "application/problem+json"


class Problem(NamedTuple):
    """A status as a description shows it: what it means; title, detail and named fields of an example."""

    meaning: str
    title: str
    detail: str
    errors: Sequence[Mapping[str, Any]] = ()


def read_texts(path: Path, bounds: Mapping[str, Any]) -> tuple[str, dict[int, Problem]]:
    """The description, and the problems by status, of a .toml file; `bounds` stand where it names them."""
    texts = tomllib.loads(path.read_text("utf-8"))
    problems = {
        int(status): Problem(**problem | {"detail": problem["detail"].format_map(bounds)})
        for status, problem in texts["problems"].items()
    }
    return texts.get("description", "").format_map(bounds), problems


_, _BY_SERVER = read_texts(Path(__file__).with_name("openapi.toml"), vars(ConnectionBounds()))
"""`platform/connection.py` and `platform/hosts.py` answer them, without an `instance`. A request that is none
of HTTP/1.1, or names no host, is answered 400."""

_SCHEMA = Path(__file__).with_name("problem_schema.json")


def problem_responses(own: Mapping[int, Problem], *, instance: str = "") -> dict[int | str, dict[str, Any]]:
    """An operation's `responses`: its `own` problems, and what the server may answer instead. Of a status of
    both, the example is the operation's, and the description says both."""
    responses: dict[int | str, dict[str, Any]] = {}
    for status, problem in sorted((_BY_SERVER | dict(own)).items()):
        response = problem_response(status, problem, instance if status in own else "")
        if status in own and status in _BY_SERVER:
            response["description"] += f"; or {_BY_SERVER[status].meaning}"
        responses[status] = response
    return responses


def problem_response(status: int, problem: Problem, instance: str) -> dict[str, Any]:
    """The schema of a problem, and an example of this one; `instance`: the path that it is of."""
    example = {
        "type": "about:blank",
        "title": problem.title,
        "status": status,
        "detail": problem.detail,
        "instance": instance,
    }
    if problem.errors:
        example["errors"] = problem.errors
    content = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    return {"description": problem.meaning, "content": {PROBLEM_TYPE: content}}


def problem_schema(of_each_error: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The schema `Problem`; `of_each_error`: what an element of `errors` has beside field and reason."""
    schema: dict[str, Any] = json.loads(_SCHEMA.read_text("utf-8"))
    error = schema["properties"]["errors"]["items"]
    error["required"] += of_each_error or ()
    error["properties"] |= of_each_error or {}
    return schema


def extend_description(app: FastAPI, extend: Callable[[dict[str, Any]], None]) -> None:
    """Let `extend` put into the description of `app` what FastAPI cannot derive. It is made once, by the
    thread that asks first: others wait for the whole of it."""
    derive, making, made = app.openapi, Lock(), dict[str, Any]()

    def openapi() -> dict[str, Any]:
        with making:
            if not made:
                described = derive()
                extend(described)
                made.update(described)
        return made

    app.openapi = openapi  # type: ignore[method-assign]
