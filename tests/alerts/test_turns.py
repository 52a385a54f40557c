"""Whose statement runs next: budgets first, then whoever was served least."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from services.alerts.turns import Pass, Turns


async def ask(turns: Turns, tenant: str, of: Pass, order: list[str], takes_s: float = 0.0) -> None:
    async with turns.turn(tenant, of):
        order.append(f"{tenant} {of}")
        await asyncio.sleep(takes_s)


async def test_budgets_of_all_come_before_anybodys_anomalies() -> None:
    turns, order = Turns(at_once_max=1), []
    asks = [("a", "anomalies"), ("a", "anomalies"), ("b", "anomalies"), ("c", "budgets"), ("b", "budgets")]
    await asyncio.gather(*(ask(turns, tenant, of, order, 0.001) for tenant, of in asks))  # type: ignore[arg-type]
    assert order[:3] == [
        "a anomalies",
        "c budgets",
        "b budgets",
    ]  # the first one came when nobody else was there


async def test_a_tenant_whose_statements_take_long_goes_behind_one_whose_are_short() -> None:
    turns, order = Turns(at_once_max=1), []
    await ask(turns, "large", "budgets", [], 0.05)

    async def many(tenant: str, number: int, takes_s: float) -> None:
        for _ in range(number):
            await ask(turns, tenant, "budgets", order, takes_s)

    await asyncio.gather(*(many("large", 3, 0.05) for _ in range(3)), many("small", 10, 0.001))
    # While the small tenant asks, it gets every other turn at least: it waits for one statement, never for two.
    small = [at for at, who in enumerate(order) if who == "small budgets"]
    assert all(after - before <= 2 for before, after in pairwise(small))


async def test_who_was_away_saves_up_no_turns() -> None:
    turns, order = Turns(at_once_max=1), []
    await ask(turns, "away", "budgets", [])
    for _ in range(3):
        await ask(turns, "busy", "budgets", [], 0.02)
    await asyncio.gather(
        ask(turns, "busy", "budgets", order, 0.02),
        *(ask(turns, "away", "budgets", order, 0.03) for _ in range(3)),
        *(ask(turns, "busy", "budgets", order, 0.03) for _ in range(3)),
    )
    assert set(order[1:5]) == {"away budgets", "busy budgets"}  # in turns, not three of the one first


async def test_a_turn_that_nobody_takes_any_more_is_the_next_ones() -> None:
    turns, order = Turns(at_once_max=1), []
    async with turns.turn("a", "budgets"):
        gone = asyncio.create_task(ask(turns, "b", "budgets", order))
        next_one = asyncio.create_task(ask(turns, "c", "budgets", order))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    await asyncio.wait_for(next_one, 5)
    assert order == ["c budgets"]
    assert turns.used_s("c", "budgets") > 0


async def test_whoever_comes_in_the_instant_in_which_another_gives_up_is_not_forgotten() -> None:
    turns, order = Turns(at_once_max=1), []
    holding = turns.turn("a", "budgets")
    await holding.__aenter__()
    gone = asyncio.create_task(ask(turns, "b", "budgets", order))
    await asyncio.sleep(0)
    gone.cancel()
    await holding.__aexit__(None, None, None)  # b has given up and has not run since
    async with asyncio.timeout(5):
        await ask(turns, "c", "budgets", order)
    await asyncio.gather(gone, return_exceptions=True)
    assert order == ["c budgets"]
