"""Every refusal and failure as problem+json (RFC 9457), without a word about the inside."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response

from services.api.http.pretty import indented, is_pretty
from services.api.http.validation import place, reason
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.problem import problem
from spendmeter.platform.telemetry import log

RETRY_AFTER_S = 2


class HttpRefusal(Exception):
    """A request that is answered with `status`; `detail` names the thing and the rule. `members`: what the
    problem says beside them, its `headers`, and `retry_after_s`."""

    def __init__(self, status: int, title: str, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.retry_after_s: int | None = members.pop("retry_after_s", None)
        self.members = members


def invalid(field: str, reason: str) -> HttpRefusal:
    """422: what `field` holds breaks the rule in `reason`."""
    return invalid_fields([{"field": field, "reason": reason}])


def invalid_fields(errors: list[dict[str, str]]) -> HttpRefusal:
    """422: each of `errors` is a field, and the rule that it breaks."""
    detail = "; ".join(f"{each['field']}: {each['reason']}" for each in errors)
    return HttpRefusal(422, "Invalid request", detail, errors=errors)


def forbidden(detail: str) -> HttpRefusal:
    """403: the caller is known, and may not."""
    return HttpRefusal(403, "Forbidden", detail)


def not_found(what: str) -> HttpRefusal:
    """404."""
    return HttpRefusal(404, "Not found", what)


def conflict(detail: str) -> HttpRefusal:
    """409: what is asked for does not fit how things stand."""
    return HttpRefusal(409, "Conflict", detail)


def too_many(things: str, most: int) -> HttpRefusal:
    """409: the tenant has as many as it may have."""
    return HttpRefusal(409, "Too many", f"a tenant has at most {most} {things}: delete one first")


_DATABASE_AWAY = HttpRefusal(
    503,
    "Not available",
    "the database does not answer; after a change that was under way, look before you repeat it",
    retry_after_s=RETRY_AFTER_S,
)
_TROUBLE: Mapping[type[Exception], HttpRefusal] = {
    **dict.fromkeys(CONNECTION_ERRORS, _DATABASE_AWAY),
    asyncpg.QueryCanceledError: HttpRefusal(
        503,
        "Too much to read",
        "the question took too long to answer: narrow the range or the filter",
        retry_after_s=RETRY_AFTER_S,
    ),
    asyncpg.DataError: HttpRefusal(
        422, "Invalid request", "a value is out of range, or a text holds a character that cannot be stored"
    ),
    # The server logs the exception after this answer; a caller learns only that it is our fault.
    Exception: HttpRefusal(500, "Internal error", "this is our fault; the log says more"),
}
"""What a request hears of an error that is no refusal."""


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    for kind, refusal in _TROUBLE.items():
        app.exception_handler(kind)(partial(_answer, refusal))
    app.exception_handler(HttpRefusal)(lambda request, error: _answer(error, request))
    app.exception_handler(HTTPException)(_answer_http)
    app.exception_handler(RequestValidationError)(_answer_validation)


def _answer(refusal: HttpRefusal, request: Request, error: Exception | None = None) -> Response:
    if refusal is _DATABASE_AWAY:
        log().warning("the database is away", error=type(error).__name__)
    members = dict(refusal.members)
    if refusal.retry_after_s is not None:
        members["headers"] = {"Retry-After": str(refusal.retry_after_s)}
    path = request.url.path
    response = problem(refusal.status, refusal.title, refusal.detail, instance=path, **members)
    return indented(response) if is_pretty(request) else response


def _answer_http(request: Request, error: HTTPException) -> Response:
    title, detail = {
        404: ("Not found", "there is nothing here; /docs lists every route"),
        405: ("Method not allowed", f"{request.method} is not one of this route's methods"),
    }.get(error.status_code, ("Invalid request", str(error.detail)))
    return _answer(HttpRefusal(error.status_code, title, detail, headers=error.headers), request)


def _answer_validation(request: Request, error: RequestValidationError) -> Response:
    # Only where and why: what was sent (a key, say) is not sent back.
    allowed = _body_fields(request)
    errors = [
        {"field": place(found["loc"]), "reason": reason(found, allowed if len(found["loc"]) == 2 else ())}
        for found in error.errors()
    ]
    return _answer(invalid_fields(errors), request)


def _body_fields(request: Request) -> list[str]:
    """The fields that the route's body has."""
    route = request.scope.get("route")
    body = route.body_field if isinstance(route, APIRoute) else None
    model = body.field_info.annotation if body is not None else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []
