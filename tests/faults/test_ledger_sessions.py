"""Sessions of the ledger that freeze or are cut in the middle of a booking: nothing lost, nothing twice, no exit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import psutil

from tests.ledger.conftest import database, owner  # noqa: F401 - fixtures
from tests.ledger.test_worker import System, system  # noqa: F401 - fixture

TAKEN_OVER_S_MAX = 60
"""The rule says 15 s; a test machine may be busy."""
CUTS = 20
CUTS_EACH = 4
"""Of one chunk of records, before it may be booked."""
WAITING = (
    "SELECT client_port FROM pg_stat_activity WHERE application_name = 'spendmeter-ledger' "
    "AND datname = current_database() AND state = 'active' AND wait_event_type = 'Lock'"
)
BUSY = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'spendmeter-ledger' "
    "AND datname = current_database() AND backend_xid IS NOT NULL"
)


@asynccontextmanager
async def bookings_held(system: System) -> AsyncIterator[None]:  # noqa: F811
    """Meanwhile every booking stops before its entries: its identities are claimed, its position is locked."""
    blocker = await asyncpg.connect(system.database)
    try:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE entries IN SHARE MODE")
        yield
        await transaction.rollback()
    finally:
        await blocker.close()


async def waiting_process(system: System, pids: list[int]) -> psutil.Process:  # noqa: F811
    """Which of the ledgers waits inside a transaction."""
    async with asyncio.timeout(TAKEN_OVER_S_MAX):
        while True:
            ports = {port for (port,) in await system.owner.fetch(WAITING)}
            for process in map(psutil.Process, pids):
                if ports & {each.laddr.port for each in process.net_connections("tcp") if each.laddr}:
                    return process
            await asyncio.sleep(0.02)


async def test_a_ledger_frozen_inside_a_transaction_loses_its_partitions_to_the_other(
    system: System,  # noqa: F811
) -> None:
    await system.events(300)
    ledgers = [await system.ledger(), await system.ledger()]
    await system.rate(system.rated(100))
    await system.until_booked(100)
    async with bookings_held(system):
        await system.rate(system.rated(100, start=100))
        frozen = await waiting_process(system, [ledger.pid for ledger in ledgers])
        frozen.suspend()
    began = time.monotonic()
    try:
        async with asyncio.timeout(TAKEN_OVER_S_MAX):
            while await system.booked() < 200:
                await asyncio.sleep(0.05)
        print(f"taken over after {time.monotonic() - began:.1f} s")
        assert await system.booked() == 200
    finally:
        frozen.resume()
    await system.rate(system.rated(100, start=200))
    await system.until_booked(300)
    await asyncio.sleep(1)
    assert [ledger.returncode for ledger in ledgers] == [None, None]  # the one that woke up lives on
    assert await system.owner.fetchval("SELECT sum(events) FROM rollups_minute") == 300
    assert await system.owner.fetchval("SELECT count(*) FROM unbooked") == 0


async def test_sessions_terminated_in_the_middle_of_bookings_cost_nothing_and_end_no_process(
    system: System,  # noqa: F811
) -> None:
    ledger = await system.ledger()
    sent = 0
    cuts: list[int] = []
    while len(cuts) < CUTS:
        await system.events(500)
        await system.rate(system.rated(500, start=sent))
        sent += 500
        cuts_max = len(cuts) + CUTS_EACH  # one that is cut every time it tries gets nowhere, and may not
        async with asyncio.timeout(TAKEN_OVER_S_MAX):
            while await system.booked() < sent:
                pid = await system.owner.fetchval(BUSY) if len(cuts) < cuts_max else None
                if pid is not None and await system.owner.fetchval("SELECT pg_terminate_backend($1)", pid):
                    cuts.append(pid)
                await asyncio.sleep(0.01)
    await system.until_booked(sent)
    assert ledger.returncode is None
    assert await system.owner.fetchval("SELECT sum(events) FROM rollups_minute") == sent
    assert await system.owner.fetchval("SELECT count(*) FROM unbooked") == 0
