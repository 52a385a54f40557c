"""Postgres: pools, the errors that mean "try again", and SQL by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.platform.roles import role_url

__all__ = ["CONNECTION_ERRORS", "create_pool", "load_sql", "role_url"]

CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.TransactionRollbackError,
    asyncpg.QueryCanceledError,
    OSError,
    TimeoutError,
)
"""The database is away, full, read-only or overloaded: look what became of it, then try again."""

COMMAND_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


async def create_pool(
    url: str, *, size_max: int, service: str, init: Callable[[Any], Coroutine[Any, Any, None]] | None = None
) -> asyncpg.Pool[asyncpg.Record]:
    """A pool whose every command has a deadline; `init` runs once on each new connection."""
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size_max,
        command_timeout=COMMAND_TIMEOUT_S,
        timeout=CONNECT_TIMEOUT_S,
        init=init,
        server_settings={"application_name": f"spendmeter-{service}", "timezone": "UTC"},
    )


def load_sql(path: Path) -> dict[str, str]:
    """The statements of a .sql file by name: each begins with `-- name: x`, then why, then SQL."""
    _, *parts = _NAME.split(path.read_text("utf-8"))
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
