"""The database starts again in the middle of bookings, and takes no writes for a while."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from tests.faults.compared import AWAY
from tests.faults.trial import Scene
from tests.flow.system import System

RESTARTS = 20
OF_ALL = 2
"""So many of them end the server itself, which the supervisor starts again, later each time."""
RESTART_S_MAX = 60.0
BOOKING = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'spendmeter-ledger' "
    "AND datname = current_database() AND backend_xid IS NOT NULL LIMIT 1"
)
READ_ONLY_S = 15.0
ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, 'spendmeter-') "
    "AND datname = current_database() AND pid <> pg_backend_pid()"
)


async def in_bookings(scene: Scene) -> str:
    """SIGKILL to the server's process of a session inside a booking: Postgres throws all sessions out and recovers
    from its log, as after an immediate stop."""
    count = max(3, round(RESTARTS * scene.scale))
    began = time.monotonic()
    for number in range(count):
        if number < count - OF_ALL:
            os.kill(await booking(scene.system), signal.SIGKILL)
        else:
            old = scene.system.kill("postgres", signal.SIGQUIT)
            await asyncio.to_thread(scene.system.restarted, "postgres", old)
        await answers(scene.system)
        await asyncio.sleep(scene.random.uniform(0.2, 1.5))
    return f"{count} restarts in {time.monotonic() - began:.0f} s, {count - OF_ALL} of them inside a booking"


async def booking(system: System) -> int:
    """The server's process of a session that books now."""
    deadline = time.monotonic() + RESTART_S_MAX
    while True:
        with suppress(*AWAY):
            owner = await system.database()
            try:
                while time.monotonic() < deadline:
                    if pid := await owner.fetchval(BOOKING):
                        return int(pid)
                    await asyncio.sleep(0.005)
            finally:
                owner.terminate()
        assert time.monotonic() < deadline, f"nothing was booked for {RESTART_S_MAX:.0f} s"
        await asyncio.sleep(0.1)


async def answers(system: System) -> None:
    """Once the database lets somebody in."""
    deadline = time.monotonic() + RESTART_S_MAX
    while True:
        try:
            await (await system.database()).close()
            return
        except AWAY as trouble:
            assert time.monotonic() < deadline, f"the database is away: {trouble!r}"
            await asyncio.sleep(0.1)


@asynccontextmanager
async def without_writes(owner: asyncpg.Connection) -> AsyncIterator[None]:
    """The database takes none, as one that has become a standby; every session of ours knows it."""
    name = await owner.fetchval("SELECT current_database()")
    await owner.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    try:
        await owner.execute(ENDED)
        yield
    finally:
        await owner.execute("SET default_transaction_read_only = off")
        await owner.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        await owner.execute(ENDED)


async def read_only(scene: Scene) -> str:
    """What was accepted meanwhile waits in Kafka."""
    seconds = READ_ONLY_S * scene.scale
    async with without_writes(scene.owner):
        before = await positions(scene.owner)
        await asyncio.sleep(seconds)
        assert await positions(scene.owner) == before, "something was booked"
    return f"no writes for {seconds:.0f} s: no offset moved"


async def positions(owner: asyncpg.Connection) -> list[tuple[int, ...]]:
    return [tuple(row) for row in await owner.fetch("SELECT partition, position FROM positions ORDER BY 1")]
