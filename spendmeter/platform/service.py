"""The shell of every service: settings, telemetry, probes, work in the background, and an end in order.

A worker (rating, ledger, alerts) is given to `run_worker`: it works until it is told to stop, and its probes
are served until it has. A server (ingest, api) is given to `run_server`: on SIGTERM it answers what is under
way, and what it does in the background ends after that. A bug anywhere ends the process: the supervisor
starts another one, and the log is replayed.
"""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import uvloop
from starlette.applications import Starlette
from starlette.types import ASGIApp

from spendmeter.platform.serve import Server, probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log, start_telemetry

Work = Coroutine[Any, Any, object]
CANCEL_AGAIN_S = 5.0
"""More than the end of a Kafka client takes, and less than what is left of a process's grace."""
COLLECT_EVERY = 20_000
"""Objects: a batch, a chunk of a job or an answer is thousands, none of them in a cycle. Looking for cycles
among them, and all that is kept beside them, took a quarter of an answer's time and a fifth of a job's."""


class Worker(Protocol):
    """What works without being asked over HTTP."""

    def not_ready(self) -> str:
        """Why it does not work; '' = it does."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then end in order within a few seconds."""


class Terminable(Protocol):
    """Connections of a database."""

    def terminate(self) -> object:
        """Close them without waiting for anything."""


@dataclass(frozen=True, kw_only=True)
class HttpService:
    """What answers over HTTP, and what it does beside that for as long as it lives."""

    app: ASGIApp
    background: tuple[Work, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """For uvicorn."""
    let_go: Callable[[], object] = lambda: None
    """Called when nothing more is answered and before `background` ends: takes away what that may be waiting
    for, such as a database that does not answer."""


def run_worker(name: str, make: Callable[[Settings], Worker]) -> None:
    """Run a worker until SIGTERM or SIGINT.

    Not on uvloop: its transports raise RuntimeError when written to after the broker went away, which ends
    aiokafka's metadata task without a word, and with it everything that waits for metadata.
    """

    async def work(settings: Settings) -> None:
        worker = make(settings)
        probes = Server(Starlette(routes=probe_routes(worker.not_ready)), settings)
        await run_until(worker.run(_stop_signal()), _serve(probes, asyncio.Event()))

    asyncio.run(work(_begin(name)))


def run_server(name: str, connect: Callable[[Settings], AbstractAsyncContextManager[HttpService]]) -> None:
    """Connect for as long as it takes, then serve until SIGTERM or SIGINT."""

    async def serve(settings: Settings) -> None:
        async with connect(settings) as service:
            server = Server(service.app, settings, **service.options)
            log().info("serving", port=settings.port)
            await run_until(_served(server, service.let_go), *service.background)

    uvloop.run(serve(_begin(name)))


async def run_until(end: Awaitable[object], *work: Work) -> None:
    """Do all of this until `end` is reached, then cancel it: again where a part took that for the trouble of
    a closed connection. What raises cancels the rest and is raised, in an ExceptionGroup."""
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(each) for each in work}
        await end
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=CANCEL_AGAIN_S)


async def let_go_on(stop: asyncio.Event, pools: Iterable[Terminable]) -> None:
    """Wait for `stop`, then end the connections of what pools there are by then: a frozen database must not
    hold up the end."""
    await stop.wait()
    for pool in pools:
        pool.terminate()


def collect_seldom() -> None:
    """Let the collector of cycles look seldom, and never at what was imported: that stays."""
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY)


def _begin(name: str) -> Settings:
    settings = Settings()
    start_telemetry(name, settings)
    collect_seldom()
    return settings


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _served(server: Server, let_go: Callable[[], object]) -> None:
    await _serve(server, _stop_signal())
    let_go()


async def _serve(server: Server, stop: asyncio.Event) -> None:
    """Serve until `stop` or cancelled; in either case what is under way is answered."""
    serving, stopping = asyncio.create_task(server.serve()), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        server.should_exit = True
        await serving
    if not stop.is_set():
        raise RuntimeError("the server ended by itself")
