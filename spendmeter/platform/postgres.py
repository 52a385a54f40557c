"""Postgres: pools, and the errors that mean "try again"."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any

import asyncpg

CONNECTION_ERRORS: tuple[type[Exception], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg says of a session that the server ended in its middle
    asyncpg.OperatorInterventionError,  # shut down, terminated, cancelled, starting up, idle for too long
    asyncpg.InsufficientResourcesError,  # the disk is full, too many connections
    asyncpg.PostgresSystemError,  # a file cannot be read or written
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    OSError,
    TimeoutError,
)
"""The database is away, full, read-only or overloaded, or has ended our session or our wait: look what became
of it, then try again. The one list of such trouble: nobody keeps another."""

COMMAND_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10
IDLE_IN_TRANSACTION_S_MAX = 5
"""Between two statements of one transaction we only compute, for milliseconds. A process that is silent for
so long is frozen, and what it has locked belongs to its successor: Postgres ends the session."""
LOCK_WAIT_S_MAX = 3
"""Every lock of ours is held for one short transaction. Whoever has waited for so long gives its connection
back, looks again, and says why it stands still."""
KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT = 5, 2, 3
PEER_SILENT_S_MAX = KEEPALIVE_IDLE_S + KEEPALIVE_INTERVAL_S * KEEPALIVE_COUNT
"""A peer whose machine or network is gone is known, at both ends, within so long: the system's own two hours
would keep its locks for as long. On one machine the kernel answers for a frozen process, which is why the
timeouts above are there."""


class _Session(asyncpg.Connection):
    """Whatever is set ends with its transaction, and nobody locks for longer: when a connection comes back
    there is nothing to take back, and a round trip less."""

    def get_reset_query(self) -> str:
        """asyncpg's, for sessions that leave nothing behind but an open transaction, which it ends itself."""
        return ""

    def _cleanup(self) -> None:
        """asyncpg's, when a connection is gone. A COPY that waits for room to write is woken, and then fails:
        asyncpg (0.32) wakes only whoever waits for an answer, and the COPY never, whatever its timeout."""
        super()._cleanup()  # type: ignore[misc] # its own methods have no types
        protocol: Any = getattr(self, "_protocol")  # noqa: B009
        if protocol is not None:
            protocol.resume_writing()


async def create_pool(
    url: str,
    *,
    size_max: int,
    service: str,
    init: Callable[[Any], Coroutine[Any, Any, None]] | None = None,
    session: Mapping[str, str] = MappingProxyType({}),
) -> asyncpg.Pool[asyncpg.Record]:
    """A pool whose every command has a deadline, at both ends; `init` runs once on each new connection.
    `session`: what its sessions ask of Postgres besides. Who uses a connection sets nothing beyond its own
    transaction: nothing takes it back."""

    async def prepare(connection: Any) -> None:
        _keep_alive(connection)
        if init is not None:
            await init(connection)

    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size_max,
        command_timeout=COMMAND_TIMEOUT_S,
        timeout=CONNECT_TIMEOUT_S,
        init=prepare,
        connection_class=_Session,
        server_settings={**session_settings(service), **session},
    )


async def connect(url: str, *, service: str) -> asyncpg.Connection:
    """One connection with the same bounds as a pool's; the caller closes it."""
    connection: asyncpg.Connection = await asyncpg.connect(
        url,
        command_timeout=COMMAND_TIMEOUT_S,
        timeout=CONNECT_TIMEOUT_S,
        server_settings=session_settings(service),
    )
    _keep_alive(connection)
    return connection


def session_settings(service: str) -> dict[str, str]:
    """What every session of ours asks of Postgres. None of it ends a COPY that waits for a frozen client, so
    nobody may hold a lock that others want while it sends one."""
    return {
        "application_name": f"spendmeter-{service}",
        "timezone": "UTC",
        "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_S_MAX}s",
        "lock_timeout": f"{LOCK_WAIT_S_MAX}s",
        "statement_timeout": f"{COMMAND_TIMEOUT_S}s",  # nobody awaits the answer any longer
        # Questions are many and small: workers of one take the processors of others, and are slow to begin.
        "max_parallel_workers_per_gather": "0",
        "jit": "off",
        "tcp_keepalives_idle": str(KEEPALIVE_IDLE_S),
        "tcp_keepalives_interval": str(KEEPALIVE_INTERVAL_S),
        "tcp_keepalives_count": str(KEEPALIVE_COUNT),
        "tcp_user_timeout": f"{PEER_SILENT_S_MAX}s",
    }


def _keep_alive(connection: Any) -> None:
    """Our end of the same: asyncpg has no option for it, so the socket is asked for."""
    peer = connection._transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL_S),
        ("TCP_KEEPCNT", KEEPALIVE_COUNT),
        ("TCP_USER_TIMEOUT", PEER_SILENT_S_MAX * 1000),
    ):
        option = getattr(socket, name, None)  # not every system has each
        if option is not None:
            peer.setsockopt(socket.IPPROTO_TCP, option, value)
