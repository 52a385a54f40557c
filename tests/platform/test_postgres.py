"""Sessions that a frozen process left behind, on a real Postgres; SQL by name."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

import services
import spendmeter
from spendmeter.platform.postgres import CONNECTION_ERRORS, PEER_SILENT_S_MAX, connect, create_pool
from spendmeter.platform.sql import load_sql
from tests.faults.proxy import Proxy

AT_ONCE_S = 15
"""On a busy machine."""
FREED_S_MAX = 30
"""Generous: the database says 5 s."""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect(url, service="test")
    try:
        yield connection
    finally:
        connection.terminate()


@pytest.fixture
async def table(owner_url: str) -> AsyncIterator[str]:
    async with connected(owner_url) as owner:
        await owner.execute("CREATE TABLE IF NOT EXISTS held (id int PRIMARY KEY); TRUNCATE held")
        await owner.execute("INSERT INTO held VALUES (1)")
        yield "held"
        await owner.execute("DROP TABLE held")


async def test_what_a_frozen_process_has_locked_is_free_after_seconds(owner_url: str, table: str) -> None:
    async with connected(owner_url) as frozen, connected(owner_url) as successor:
        transaction = frozen.transaction()
        await transaction.start()
        await frozen.execute("SELECT FROM held FOR UPDATE")
        with pytest.raises(asyncpg.LockNotAvailableError):  # told, instead of waiting for ever
            await successor.execute("SELECT FROM held FOR UPDATE")
        async with asyncio.timeout(FREED_S_MAX):
            while True:
                try:
                    await successor.execute("SELECT FROM held FOR UPDATE")
                    break
                except asyncpg.LockNotAvailableError:
                    continue
        with pytest.raises(CONNECTION_ERRORS):  # the frozen one wakes up, and is told that it was ended
            await frozen.execute("DELETE FROM held")
    async with connected(owner_url) as owner:
        assert await owner.fetchval("SELECT count(*) FROM held") == 1


SLEEPS = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1"


@pytest.mark.parametrize("moment", ["idle", "in a transaction", "in a statement"])
async def test_a_session_that_was_terminated_is_a_connection_error(owner_url: str, moment: str) -> None:
    async with connected(owner_url) as victim, connected(owner_url) as killer:
        pid = victim.get_server_pid()

        async def work() -> Any:
            if moment == "idle":
                await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
                await victim.execute("SELECT")
                await victim.execute("SELECT")
            elif moment == "in a transaction":
                async with victim.transaction():
                    await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
                    await victim.execute("SELECT")
                    await victim.execute("SELECT")
            else:
                sleeping = asyncio.create_task(victim.execute("SELECT pg_sleep(20)"))
                async with asyncio.timeout(10):
                    while not await killer.fetchval(SLEEPS, pid):
                        await asyncio.sleep(0.01)
                await killer.fetchval("SELECT pg_terminate_backend($1)", pid)
                await sleeping

        with pytest.raises(CONNECTION_ERRORS):
            await work()


async def test_what_asyncpg_says_of_a_session_ended_in_its_middle_is_a_connection_error() -> None:
    assert issubclass(asyncpg.InternalClientError, CONNECTION_ERRORS)
    assert issubclass(asyncpg.DiskFullError, CONNECTION_ERRORS)
    assert not issubclass(asyncpg.UniqueViolationError, CONNECTION_ERRORS)


async def test_both_ends_of_a_connection_notice_a_dead_peer(owner_url: str) -> None:
    async with connected(owner_url) as connection:
        settings = {
            name: await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count")
        }
        assert settings == {
            "tcp_keepalives_idle": "5", "tcp_keepalives_interval": "2", "tcp_keepalives_count": "3",
        }  # fmt: skip
        peer = connection._transport.get_extra_info("socket")
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == PEER_SILENT_S_MAX * 1000


def test_no_service_opens_a_session_without_these_bounds() -> None:
    sources = [path.read_text("utf-8") for path in Path(services.__path__[0]).rglob("*.py")]
    assert len(sources) > 50
    assert not [source for source in sources if re.search(r"asyncpg\.(connect|create_pool)\(", source)]


async def test_a_connection_comes_back_without_what_its_transaction_held_or_set(
    owner_url: str, table: str
) -> None:
    pool = await create_pool(owner_url, size_max=1, service="test")
    try:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT set_config('work_mem', '77MB', true) FROM held FOR UPDATE")
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with pool.acquire() as connection:
                await connection.transaction().start()
                await connection.execute("DELETE FROM held")
                await connection.execute("SELECT 1 / 0")
        async with pool.acquire() as connection:
            assert not connection.is_in_transaction()
            assert await connection.fetchval("SELECT count(*) FROM held") == 1
            assert await connection.fetchval("SHOW work_mem") != "77MB"
    finally:
        await pool.close()


def test_no_statement_sets_or_locks_anything_beyond_its_transaction() -> None:
    beyond = re.compile(
        r"pg_(try_)?advisory_lock|\bLISTEN\b|WITH HOLD|set_config\([^()]*, false\)|^\s*SET (?!LOCAL)\w+ (=|TO)",
        re.MULTILINE,
    )
    files = [
        path
        for package in (services, spendmeter)
        for path in Path(package.__path__[0]).rglob("*.sql")
        if "migrations" not in path.parts and path.name != "migrate.sql"  # which has a connection of its own
    ]
    assert len(files) > 30
    assert [path for path in files if beyond.search(path.read_text("utf-8"))] == []


def test_what_statements_say_alike_is_written_once(tmp_path: Path) -> None:
    file = tmp_path / "some.sql"
    file.write_text(
        "-- part: wanted\n-- Why.\na = $1\n    AND b = $2\n\n-- name: one\n-- Why.\nSELECT '{}' WHERE {wanted}\n\n"
        "-- name: two\n-- Why.\nDELETE WHERE {wanted}\n"
    )
    assert load_sql(file) == {
        "one": "-- Why.\nSELECT '{}' WHERE a = $1\n    AND b = $2",
        "two": "-- Why.\nDELETE WHERE a = $1\n    AND b = $2",
    }


def test_what_a_list_in_python_says_is_given_to_statements(tmp_path: Path) -> None:
    file = tmp_path / "some.sql"
    file.write_text("-- part: all\n-- Why.\nSELECT {names}\n\n-- name: one\n-- Why.\n{all} FROM a\n")
    assert load_sql(file, {"names": "b, c"}) == {"one": "-- Why.\nSELECT b, c FROM a"}


async def test_a_copy_that_waits_for_room_when_its_connection_is_lost_fails_at_once(owner_url: str) -> None:
    """asyncpg itself would leave it waiting for ever: its partition would stand still, with the database there."""
    with Proxy(urlsplit(owner_url).port or 5432) as proxy:
        pool = await create_pool(proxy.of(owner_url), size_max=1, service="test")
        async with pool.acquire() as connection:
            await connection.execute("CREATE TEMP TABLE much (line text)")

            def rows() -> Iterator[tuple[str]]:
                """30 MB: more than all buffers on the way hold, once nothing passes any more."""
                for _ in range(3_000):
                    proxy.frozen = True
                    yield ("x" * 10_000,)

            copying = asyncio.create_task(connection.copy_records_to_table("much", records=rows()))
            await asyncio.sleep(1)  # until they are full
            assert not copying.done()
            proxy.sever()
            await asyncio.wait({copying}, timeout=AT_ONCE_S)
            assert isinstance(copying.exception(), CONNECTION_ERRORS)
        pool.terminate()
