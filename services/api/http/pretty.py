"""JSON for people: indented for who reads it in a terminal, as it is for programs."""

import msgspec
from fastapi import Request
from starlette.responses import Response

PRETTY = "pretty"
"""A parameter of every route; else JSON is indented for the programs that people use from a terminal."""
_TERMINALS = ("curl/", "wget/", "httpie/")


def is_pretty(request: Request) -> bool:
    """Whether a person reads it: by the parameter, else by the program that asks."""
    chosen = request.query_params.get(PRETTY)
    if chosen is not None:
        return chosen.lower() not in {"false", "0", "no"}
    return request.headers.get("user-agent", "").lower().startswith(_TERMINALS)


def indented(answer: Response) -> Response:
    """The same JSON with a value a line."""
    answer.body = msgspec.json.format(bytes(answer.body), indent=2) + b"\n"
    answer.headers["Content-Length"] = str(len(answer.body))
    return answer
