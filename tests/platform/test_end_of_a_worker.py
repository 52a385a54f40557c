"""SIGTERM, whatever a worker waits for just then: it ends within its grace and with 0, or says what bug it met."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest

from spendmeter.platform import service
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.service import run_until, terminate
from tests.faults.proxy import Proxy

CONNECTIONS = 2
GRACE_S = 4.0
"""A tenth of it is needed, on a machine that is not busy."""
FOR_EVER = "SELECT pg_sleep(60)"

Pool = Any


async def a_query_is_under_way(pool: Pool) -> None:
    await pool.execute(FOR_EVER)


async def a_query_of_a_transaction_is_under_way(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(FOR_EVER)


async def it_is_between_two_statements(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT")
        await asyncio.Event().wait()


async def it_waits_for_a_connection(pool: Pool) -> None:
    async with pool.acquire() as one, one.transaction(), pool.acquire(), pool.acquire():
        raise AssertionError(f"there are {CONNECTIONS} connections")


async def it_is_between_two_rounds(pool: Pool) -> None:
    await pool.execute("SELECT")
    await asyncio.sleep(60)


Step = Callable[[Pool], Awaitable[object]]
MOMENTS: tuple[Step, ...] = (
    a_query_is_under_way,
    a_query_of_a_transaction_is_under_way,
    it_is_between_two_statements,
    it_waits_for_a_connection,
    it_is_between_two_rounds,
)


async def work_and_stop(url: str, step: Step, *, then: Callable[[], None] = lambda: None) -> None:
    """A worker as ours are: a group of tasks, one of which takes steps over and over. It is stopped in the
    middle of one, which `then` comes before."""
    stop, pools = asyncio.Event(), list[Pool]()

    async def work() -> None:
        pools.append(pool := await create_pool(url, size_max=CONNECTIONS, service="test"))
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(keep_doing(partial(step, pool), "a step failed"))
                tasks.create_task(stop_it())
        finally:
            pool.terminate()

    async def stop_it() -> None:
        await asyncio.sleep(0.1)
        then()
        stop.set()

    async with asyncio.timeout(GRACE_S):
        await run_until(stop.wait(), work(), let_go=partial(terminate, pools))


@pytest.mark.parametrize("step", MOMENTS)
async def test_a_worker_ends_in_order(owner_url: str, step: Step) -> None:
    await work_and_stop(owner_url, step)


@pytest.mark.parametrize("step", MOMENTS)
async def test_a_worker_ends_though_its_database_is_frozen(
    owner_url: str, step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The roll-back that waits for it fails when the pool is let go of, and must not be taken for trouble that
    is over after another try."""
    monkeypatch.setattr(service, "ROLL_BACK_S", 0.1)
    with Proxy(urlsplit(owner_url).port or 5432) as proxy:

        def freeze() -> None:
            proxy.frozen = True

        await work_and_stop(proxy.of(owner_url), step, then=freeze)


async def test_what_nobody_tries_again_may_end_with_its_connection(
    owner_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ROLL_BACK_S", 0.0)
    stop, pool = asyncio.Event(), await create_pool(owner_url, size_max=1, service="test")

    async def in_spite_of_it() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            await pool.execute(FOR_EVER)

    async def work() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(in_spite_of_it())

    async with asyncio.timeout(GRACE_S):
        await run_until(stop.wait(), work(), let_go=pool.terminate)


async def test_a_bug_on_the_way_out_is_raised() -> None:
    stop = asyncio.Event()

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            raise ZeroDivisionError("a bug")

    with pytest.raises(ExceptionGroup) as raised:
        await run_until(stop.wait(), work())
    assert raised.group_contains(ZeroDivisionError)


async def test_trouble_of_connections_that_nobody_tries_again_ends_a_process_that_was_not_told_to() -> None:
    async def work() -> None:
        raise ConnectionError

    with pytest.raises(ExceptionGroup) as raised:
        await run_until(asyncio.Event().wait(), work())
    assert raised.group_contains(ConnectionError)
