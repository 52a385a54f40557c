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

from spendmeter.platform.retry import AWAY
from spendmeter.platform.serve import Server, probe_routes
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import log, start_telemetry

Work = Coroutine[Any, Any, object]
ROLL_BACK_S = 1.0
"""What was cancelled is undone within it, if the database answers."""
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
    """Takes away what `background` may still be waiting for a while after it was told to end, such as a
    database that does not answer."""


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
            await run_until(_serve(server, _stop_signal()), *service.background, let_go=service.let_go)

    uvloop.run(serve(_begin(name)))


async def run_until(end: Awaitable[object], *work: Work, let_go: Callable[[], object] = lambda: None) -> None:
    """Do all of this until `end` is reached, then cancel it. What has not ended ROLL_BACK_S later loses what
    it may be waiting for, by `let_go`, and is cancelled again each CANCEL_AGAIN_S after that.

    What raises cancels the rest and is raised, in an ExceptionGroup; but not trouble of connections once the
    end is reached: they are being closed, and who comes after does again what was undone.
    """
    ended = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = {group.create_task(_part(each, ended)) for each in work}
        await end
        ended.set()
        pending = _cancelled(tasks)
        if pending:
            _, pending = await asyncio.wait(pending, timeout=ROLL_BACK_S)
        let_go()
        while pending:
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
            pending = _cancelled(pending)


def _cancelled(tasks: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    for task in tasks:
        task.cancel()
    return tasks


async def _part(work: Work, ended: asyncio.Event) -> None:
    try:
        await work
    except Exception as error:
        if not ended.is_set() or _but_away(error) is not None:
            raise
        log().info("ended with a connection", error=type(error).__name__)


def _but_away(error: Exception) -> Exception | None:
    """The error, or of a group the rest, that is no trouble of connections; None = it is nothing else."""
    if isinstance(error, ExceptionGroup):
        return error.split(lambda each: isinstance(each, AWAY))[1]
    return None if isinstance(error, AWAY) else error


def terminate(pools: Iterable[Terminable]) -> None:
    """End the connections of these pools: a frozen database must not hold up the end."""
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
