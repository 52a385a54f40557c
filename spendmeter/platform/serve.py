"""HTTP as every service serves it: /health, /ready, /metrics, within bounds that hold for strangers."""

import asyncio
import resource
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, cast

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from spendmeter.platform.connection import Connection, ConnectionBounds
from spendmeter.platform.drain import HeardOut
from spendmeter.platform.hosts import KnownHosts
from spendmeter.platform.problem import problem as problem
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters

FILES_ELSE_MAX = 200
"""File descriptors of a process beside its HTTP connections: Kafka, Postgres, logs, libraries."""
TICKS_PER_LOOK = 10
"""uvicorn's main loop ticks ten times a second."""
GRACE_S = 10
"""How long a process may take to stop after SIGTERM."""

ReadyCheck = Callable[[], str]
"""Why the service is not ready; '' = it is."""


def probe_routes(not_ready: ReadyCheck) -> list[Route]:
    """The three routes that the supervisor, an orchestrator and Prometheus ask."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(_request: Request) -> Response:
        reason = not_ready()
        if reason:
            return problem(503, "Not ready", reason, instance="/ready")
        return JSONResponse({"status": "ready"})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]


class Server(uvicorn.Server):
    """uvicorn within bounds, and without signal handlers: one owner decides when a process stops."""

    def __init__(
        self, app: ASGIApp, settings: Settings, *, bounds: ConnectionBounds | None = None, **options: Any
    ) -> None:
        wanted = bounds or ConnectionBounds()
        held = replace(wanted, connections=connections_max(wanted.connections))
        super().__init__(
            uvicorn.Config(
                HeardOut(KnownHosts(app, settings.host_names)),
                host=settings.host,
                port=settings.port,
                http=cast("type[Connection]", partial(Connection, bounds=held, meters=Meters())),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_keep_alive=held.idle_s,
                timeout_graceful_shutdown=GRACE_S,
                **options,
            )
        )

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's: whether to stop. Connections that last too long are ended here."""
        if counter % TICKS_PER_LOOK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                cast("Connection", connection).look(now)
        return await super().on_tick(counter)

    def capture_signals(self) -> Any:
        """None: the shell's (service.py) are in place."""
        from contextlib import nullcontext

        return nullcontext()


def connections_max(wanted: int) -> int:
    """How many connections have file descriptors, at most `wanted`. Raises the soft limit where it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted + FILES_ELSE_MAX
    if soft != resource.RLIM_INFINITY and soft < files:
        soft = files if hard == resource.RLIM_INFINITY else min(files, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - FILES_ELSE_MAX))
