"""Every refusal and failure as problem+json (RFC 9457), without a word about the inside."""

from __future__ import annotations

from typing import Any, cast

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
from spendmeter.platform.serve import problem
from spendmeter.platform.telemetry import log

RETRY_AFTER_S = 2


class HttpRefusal(Exception):
    """A request that is answered with `status`; `detail` names the thing and the rule."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.title = title
        self.detail = detail
        self.more = more


def invalid(field: str, reason: str) -> HttpRefusal:
    """422: what `field` holds breaks the rule in `reason`."""
    return HttpRefusal(
        422, "Invalid request", f"{field}: {reason}", errors=[{"field": field, "reason": reason}]
    )


def forbidden(detail: str) -> HttpRefusal:
    """403: the caller is known, and may not."""
    return HttpRefusal(403, "Forbidden", detail)


def not_found(what: str) -> HttpRefusal:
    """404."""
    return HttpRefusal(404, "Not found", what)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as a problem."""
    app.add_exception_handler(HttpRefusal, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(asyncpg.QueryCanceledError, _too_much)
    app.add_exception_handler(asyncpg.DataError, _unstorable)
    for error in cast("tuple[type[Exception], ...]", CONNECTION_ERRORS):
        app.add_exception_handler(error, _database_away)
    app.add_exception_handler(Exception, _bug)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpRefusal)
    return _problem(request, error.status, error.title, error.detail, **error.more)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {
        404: "there is nothing here; /docs lists every route",
        405: f"{request.method} is not one of this route's methods",
    }.get(error.status_code, str(error.detail))
    title = {404: "Not found", 405: "Method not allowed"}.get(error.status_code, "Invalid request")
    return _problem(request, error.status_code, title, detail, headers=error.headers)


def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Only where and why: what was sent (a key, say) is not sent back.
    allowed = _body_fields(request)
    errors = [
        {"field": place(found["loc"]), "reason": reason(found, allowed if len(found["loc"]) == 2 else ())}
        for found in error.errors()
    ]
    detail = "; ".join(f"{each['field']}: {each['reason']}" for each in errors)
    return _problem(request, 422, "Invalid request", detail, errors=errors)


def _body_fields(request: Request) -> list[str]:
    """The fields that the route's body has."""
    route = request.scope.get("route")
    body = route.body_field if isinstance(route, APIRoute) else None
    model = body.field_info.annotation if body is not None else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _too_much(request: Request, _error: Exception) -> Response:
    detail = "the question took too long to answer: narrow the range or the filter"
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return _problem(request, 503, "Too much to read", detail, headers=headers)


def _unstorable(request: Request, _error: Exception) -> Response:
    detail = "a value is out of range, or a text holds a character that cannot be stored"
    return _problem(request, 422, "Invalid request", detail)


def _database_away(request: Request, error: Exception) -> Response:
    log().warning("the database is away", error=type(error).__name__)
    return _problem(
        request,
        503,
        "Not available",
        "the database does not answer; after a change that was under way, look before you repeat it",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _bug(request: Request, _error: Exception) -> Response:
    # The server logs the exception after this answer; a caller learns only that it is our fault.
    return _problem(request, 500, "Internal error", "this is our fault; the log says more")


def _problem(request: Request, status: int, title: str, detail: str, **more: Any) -> Response:
    answer = problem(status, title, detail, instance=request.url.path, **more)
    return indented(answer) if is_pretty(request) else answer
