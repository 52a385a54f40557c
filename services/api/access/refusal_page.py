"""What a person sees where logging in with their issuer fails: the refusal as a page, and the way back.

The browser itself asks these routes, no script of ours, so a problem in JSON would stand bare on the screen.
"""

from collections.abc import Callable, Coroutine
from html import escape
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from services.api.http.problems import HttpRefusal
from services.api.http.representation import form_of

HTML, PROBLEM = "text/html", "application/problem+json"
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_UNREADABLE = HttpRefusal(422, "Invalid request", "the address is not whole: begin again")
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · Spendmeter</title>
<link rel="icon" href="/portal/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/portal/base.css">
<link rel="stylesheet" href="/portal/cards.css">
<link rel="stylesheet" href="/portal/catalog.css">
</head>
<body>
<main class="card login">
<h1>You are not logged in</h1>
<p>{title}: {detail}.</p>
<p><a href="/">Back to the log-in</a></p>
</main>
</body>
</html>
"""


class Browsed(APIRoute):
    """A route that people's browsers go to: who prefers a page is refused by one, under the same status."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's, with its refusals as pages."""
        handle = super().get_route_handler()

        async def browsed(request: Request) -> Response:
            if form_of(",".join(request.headers.getlist("accept")), (PROBLEM, HTML)) != HTML:
                return await handle(request)
            try:
                return await handle(request)
            except HttpRefusal as refusal:
                return page_of(refusal)
            except RequestValidationError:
                return page_of(_UNREADABLE)

        return browsed


def page_of(refusal: HttpRefusal) -> HTMLResponse:
    """Nothing in it is of the request, and all of it is escaped."""
    content = _PAGE.format(title=escape(refusal.title), detail=escape(refusal.detail))
    headers = {"Content-Security-Policy": CSP}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return HTMLResponse(content, status_code=refusal.status, headers=headers)
