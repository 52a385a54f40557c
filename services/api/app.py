"""The service's HTTP application."""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.access import session
from services.api.access.keys import ApiKeys
from services.api.accounting import routes as accounting
from services.api.accounting.progress import BookProgress
from services.api.budgets import routes as budgets
from services.api.catalog import routes as catalog
from services.api.catalog.price_books import PriceBooks
from services.api.database.transactions import Database
from services.api.events import routes as events
from services.api.events.waiting import Waiters
from services.api.http import problems
from services.api.http.openapi import DESCRIPTION, with_problems
from services.api.incidents import channels
from services.api.incidents import routes as incidents
from services.api.portal import assets
from services.api.spend import routes as spend
from spendmeter.platform.serve import probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters
from spendmeter.pricing.catalog.read import FILE_BYTES_MAX

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
"""On every answer; `no-store` is added where nothing else was said."""

COMPRESSED_FROM_BYTES = 1024
COMPRESSION = 4
"""Of 9: amounts repeat themselves, and the rest would be paid by whoever is asked next."""

BODY_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX_OF = dict.fromkeys(catalog.FILE_PATHS, FILE_BYTES_MAX)


def create_app(
    settings: Settings, database: Database, progress: BookProgress, not_ready: Callable[[], str]
) -> FastAPI:
    """The routes, and what they need in `app.state`."""
    app = FastAPI(
        title="Spendmeter",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from another host; /docs is ours
        redoc_url=None,
        servers=[{"url": "/", "description": "this server"}],
        telemetry={"tracing": False, "metrics": False, "logs": False},  # one list of names: metrics.toml
    )
    app.state.settings = settings
    app.state.database = database
    app.state.keys = ApiKeys(database)
    app.state.progress = progress
    app.state.waiting = Waiters(database)
    app.state.price_books = PriceBooks(database)
    problems.install(app)
    app.router.routes.extend(probe_routes(not_ready))
    for module in (spend, events, budgets, incidents, channels, accounting, session, assets, catalog):
        app.include_router(module.router)
    with_problems(app, body_bytes_max)
    # No answer that holds a secret is compressed: they are all smaller.
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM_BYTES, compresslevel=COMPRESSION)
    if origins := settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match", "X-Spendmeter-Tenant"],
            expose_headers=["ETag", "Link", "Location", "Retry-After", "X-Complete-Through"],
        )
    app.add_middleware(Edge, meters=Meters())
    return app


def body_bytes_max(path: str) -> int:
    """How large the body of a request to this path may be."""
    return BODY_BYTES_MAX_OF.get(path, BODY_BYTES_MAX)


class Edge:
    """Around every request: the bound of its body, headers of every answer, and how long the route took."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        taken = 0
        bytes_max = body_bytes_max(scope["path"])
        announced = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)

        async def receive_bounded() -> Message:
            nonlocal taken
            message: Message = {} if announced > bytes_max else await receive()
            taken += len(message.get("body", b""))
            if max(announced, taken) > bytes_max:
                raise HTTPException(413, f"a body has at most {bytes_max} bytes")
            return message

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"]) + list(HEADERS)
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        began_s = time.perf_counter()
        try:
            await self._app(scope, receive_bounded, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._meters.record("spendmeter.api.request.duration", time.perf_counter() - began_s, route=route)
