"""What several commands need to know of the running system."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar

import typer

from cli._terminal import as_text, say, say_as_json
from deploy.local.home import Home
from deploy.local.state import SystemState, read_state
from spendmeter.platform import settings

Worked = TypeVar("Worked")
NO_PRICE = 3
"""Exit code of what prices: for some of it there is none, so it is bounded, or counted."""


def fail(text: str, problem: Mapping[str, Any] | None = None) -> NoReturn:
    """Says what went wrong and ends the command with exit code 1. Where it was asked for JSON, whoever reads
    its output gets `problem`, or the text as one."""
    if not _printed_as_json(problem or {"detail": text}):
        say(*text.split("\n"), err=True)
    raise typer.Exit(1)


def usage_error(text: str) -> NoReturn:
    """Says which argument is wrong, ends the command with exit code 2; as JSON where that was asked for."""
    if _printed_as_json({"title": "Usage", "detail": text}):
        raise typer.Exit(2)
    raise typer.BadParameter(as_text(text.split("\n")))


_AS_JSON: ContextVar[bool] = ContextVar("as_json", default=False)


def choose_json(chosen: bool) -> bool:
    """The callback of an option --json: with it, what goes wrong is printed as JSON too."""
    _AS_JSON.set(chosen)
    return chosen


def _printed_as_json(problem: Mapping[str, Any]) -> bool:
    if _AS_JSON.get():
        say_as_json(problem)
    return _AS_JSON.get()


def work_on_database(work: Callable[[Any], Awaitable[Worked]]) -> Worked:
    """Do the work in one transaction of the database: DATABASE_URL, or the running system's. Ends the command
    when it cannot be done."""

    async def connected(url: str) -> Worked:
        from spendmeter.platform.audited import act_as
        from spendmeter.platform.postgres import connect

        connection = await connect(url, service="cli")
        try:
            async with connection.transaction():
                await act_as(connection, _who())
                return await work(connection)
        finally:
            await connection.close()

    [url] = environment_values("DATABASE_URL")
    import asyncpg

    try:
        return asyncio.run(connected(url))
    except ValueError as error:
        fail(str(error))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        fail(f"the database cannot be used: {error}")


def _who() -> str:
    """Who types the command, for the audit log."""
    try:
        return f"command of {getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return f"command of user {os.getuid()}"


def home() -> Home:
    return Home(settings.home())


def running_state() -> SystemState:
    """The state of the running system; ends the command, saying what to type, when there is none."""
    state = read_state(home())
    if state is None or not state.running:
        fail(f"Spendmeter is not running (home: {home().root}).\nStart it: make up, or spendmeter up")
    return state


def environment_values(*names: str) -> list[str]:
    """Each name's value from the environment, else from the running system's state. Ends the command when
    neither has it."""
    missing = [name for name in names if not os.environ.get(name)]
    known: Mapping[str, str] = running_state().environment if missing else {}
    if unknown := [name for name in missing if name not in known]:
        fail(f"Spendmeter is still starting: {', '.join(unknown)} not known yet. See: spendmeter status")
    return [os.environ.get(name) or known[name] for name in names]
