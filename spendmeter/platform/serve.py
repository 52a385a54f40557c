"""HTTP as every service serves it: /health, /ready, /metrics, and problem+json for what goes wrong."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from spendmeter.platform.settings import Settings

GRACE_S = 10
"""How long a process may take to stop after SIGTERM."""

ReadyCheck = Callable[[], str]
"""Why the service is not ready; '' = it is."""


def problem(status: int, title: str, detail: str, *, instance: str = "", **more: Any) -> JSONResponse:
    """An RFC 9457 answer."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "instance": instance}
    headers = more.pop("headers", None)
    return JSONResponse(body | more, status, headers, media_type="application/problem+json")


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


async def run_worker(
    settings: Settings, work: Callable[[asyncio.Event], Awaitable[None]], not_ready: ReadyCheck
) -> None:
    """Run `work(stop)` beside the probes until it returns; SIGTERM and SIGINT set `stop`.

    What `work` raises ends the process: a bug crashes, the supervisor restarts, and the log is replayed.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    server = Server(Starlette(routes=probe_routes(not_ready)), settings)
    serving = asyncio.create_task(server.serve())
    working = asyncio.ensure_future(work(stop))
    try:
        done, _ = await asyncio.wait({serving, working}, return_when=asyncio.FIRST_COMPLETED)
        if working not in done:
            raise RuntimeError("the probe server ended by itself")
        await working
    finally:
        server.should_exit = True
        working.cancel()
        await asyncio.gather(serving, working, return_exceptions=True)


class Server(uvicorn.Server):
    """uvicorn without signal handlers of its own, so that one owner decides when the process stops."""

    def __init__(self, app: Any, settings: Settings, **options: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_S,
                **options,
            )
        )

    def install_signal_handlers(self) -> None:
        """None: run_worker's are in place."""

    def capture_signals(self) -> Any:
        """None: run_worker's are in place."""
        from contextlib import nullcontext

        return nullcontext()
