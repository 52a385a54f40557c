"""Every tenant has its share of the database, and hears when it asked for more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from services.api.database import shares as module
from services.api.database.shares import (
    ALONE_CONNECTIONS_MAX,
    CONNECTIONS_MAX,
    OTHERS_S,
    RESERVED,
    TENANT_CONNECTIONS_MAX,
    TIME_S_BURST,
    WAITERS_MAX,
    AllBusy,
    Shares,
    TooMuch,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAIT_S_MAX", 0.05)


@asynccontextmanager
async def holding(shares: Shares, tenant: str, turns: int, *, long: bool = False) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(turns):
            await stack.enter_async_context(shares.turn(tenant, long=long))
        yield


async def test_one_tenant_alone_never_takes_every_connection() -> None:
    shares = Shares()
    async with holding(shares, "acme", ALONE_CONNECTIONS_MAX):
        with pytest.raises(TooMuch, match="6 questions of this tenant are being answered"):
            await shares.turn("acme").__aenter__()
        async with shares.turn("globex"):
            pass


@pytest.mark.parametrize(("others", "long"), [(0, 4), (1, 2)])
async def test_what_is_short_is_read_at_once_beside_as_many_long_questions_as_there_may_be(
    others: int, long: int
) -> None:
    shares = Shares()
    async with holding(shares, "globex", others), holding(shares, "acme", long, long=True):
        with pytest.raises(TooMuch, match=f"{long} questions of this tenant are being answered"):
            await shares.turn("acme", long=True).__aenter__()
        async with shares.turn("acme"):
            pass
    async with holding(shares, "acme", long, long=True):  # all came back
        pass


async def test_what_is_short_goes_first_where_both_wait_and_what_is_long_is_not_forgotten() -> None:
    shares = Shares()
    got: list[str] = []

    async def ask(name: str, *, long: bool) -> None:
        async with shares.turn("acme", long=long):
            got.append(name)

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(holding(shares, "acme", 3, long=True))
        last = shares.turn("acme", long=True)
        await last.__aenter__()
        await stack.enter_async_context(holding(shares, "acme", 2))
        asked = (("a month", True), ("a list", False), ("a year", True), ("a key", False))
        waiting = [asyncio.create_task(ask(name, long=long)) for name, long in asked]
        await asyncio.sleep(0)
        await last.__aexit__(None, None, None)
        await asyncio.gather(*waiting)
    assert got == ["a list", "a key", "a month", "a year"]


async def test_beside_others_a_tenant_has_its_share_and_what_it_was_lent_comes_back_first() -> None:
    shares = Shares()
    async with AsyncExitStack() as stack:
        first = shares.turn("acme")
        await first.__aenter__()
        await stack.enter_async_context(holding(shares, "acme", 3))
        async with shares.turn("globex"):
            pass
        with pytest.raises(TooMuch, match="4 questions of this tenant are being answered"):
            await shares.turn("acme").__aenter__()
        await first.__aexit__(None, None, None)
        with pytest.raises(TooMuch, match="3 questions of this tenant are being answered"):
            await shares.turn("acme").__aenter__()


async def test_whoever_has_none_finds_one_when_others_have_all_that_they_may() -> None:
    shares = Shares()
    async with AsyncExitStack() as stack:
        taken = 0
        for tenant in ("a", "b", "c", "d"):
            for _ in range(TENANT_CONNECTIONS_MAX):
                if taken < CONNECTIONS_MAX - RESERVED:
                    await stack.enter_async_context(shares.turn(tenant))
                    taken += 1
        with pytest.raises(AllBusy):  # c has two; what is left is for those who have none
            await shares.turn("c").__aenter__()
        async with shares.turn("small"), shares.turn("other"):
            with pytest.raises(AllBusy):
                await shares.turn("late").__aenter__()


async def test_a_connection_that_comes_back_goes_to_whoever_has_least() -> None:
    shares = Shares()
    got: list[str] = []

    async def ask(tenant: str) -> None:
        async with shares.turn(tenant):
            got.append(tenant)
            await asyncio.sleep(0)

    async with AsyncExitStack() as stack:
        for tenant in ("a", "b", "c", "d", "e"):
            await stack.enter_async_context(shares.turn(tenant))
        for tenant in ("a", "b", "c"):
            await stack.enter_async_context(shares.turn(tenant))
        first, last = shares.turn("f"), shares.turn("g")
        await first.__aenter__()
        await last.__aenter__()
        waiting = [asyncio.create_task(ask(tenant)) for tenant in ("a", "new")]
        await asyncio.sleep(0.01)
        assert got == []
        await first.__aexit__(None, None, None)
        await asyncio.sleep(0.01)
        assert got == ["new"]
        await last.__aexit__(None, None, None)
        with pytest.raises(AllBusy):
            await waiting[0]
        await waiting[1]


async def test_a_queue_is_bounded_and_a_turn_given_up_is_nobodys() -> None:
    now_s = 0.0
    shares = Shares(clock=lambda: now_s)
    async with holding(shares, "acme", ALONE_CONNECTIONS_MAX):
        waiting = [asyncio.create_task(shares.turn("acme").__aenter__()) for _ in range(WAITERS_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(TooMuch, match="wait already"):
            await shares.turn("acme").__aenter__()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    async with holding(shares, "acme", ALONE_CONNECTIONS_MAX):
        pass
    now_s += OTHERS_S
    async with shares.turn("globex"):
        pass
    assert (shares._free, set(shares._shares) <= {"globex"}) == (CONNECTIONS_MAX, True)


async def test_who_keeps_the_database_busy_while_others_ask_is_told_when_to_come_back() -> None:
    now_s = 0.0
    shares = Shares(clock=lambda: now_s)
    async with holding(shares, "globex", 1), holding(shares, "acme", 3):
        now_s += 15  # 45 s of the database: the burst, and 15 s more
    with pytest.raises(TooMuch, match="ask again in 15 s") as refused:
        await shares.turn("acme").__aenter__()
    assert (refused.value.retry_after_s, TIME_S_BURST) == (15, 30)
    async with shares.turn("globex"):
        pass
    now_s += 15
    async with shares.turn("acme"):
        pass


async def test_what_nobody_else_asks_for_is_lent_and_is_not_held_against_who_took_it() -> None:
    now_s = 0.0
    shares = Shares(clock=lambda: now_s)
    for _ in range(10):
        async with holding(shares, "acme", 3):
            now_s += 15  # 450 s in all, fifteen times the burst
    async with shares.turn("globex"):
        pass
    async with holding(shares, "acme", 3):  # its burst is used up, and it owes nothing
        now_s += 2
    with pytest.raises(TooMuch, match="ask again in 4 s"):  # three times 2 s, of which 2 came back
        await shares.turn("acme").__aenter__()


async def test_who_asked_a_moment_ago_is_still_there_and_after_a_while_is_not() -> None:
    now_s = 0.0
    shares = Shares(clock=lambda: now_s)
    async with shares.turn("globex"):
        pass
    async with holding(shares, "acme", 3):
        now_s += 9  # 27 of the 30 s of the burst
    async with holding(shares, "acme", 3):
        now_s += 6  # 18 more, of which 6 came back
        async with shares.turn("globex"):  # looks again
            pass
    with pytest.raises(TooMuch, match="ask again in 9 s"):
        await shares.turn("acme").__aenter__()
    now_s += OTHERS_S - 2
    with pytest.raises(TooMuch, match="ask again in 1 s"):
        await shares.turn("acme").__aenter__()
    shares._shares["acme"].left_s = -60.0  # owes a minute
    now_s += 2
    async with shares.turn("acme"):  # globex is gone
        pass
