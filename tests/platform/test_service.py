"""The shell: what runs beside each other ends together, in order, and a bug of any part ends it all."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka import TopicPartition

from spendmeter.platform import service
from spendmeter.platform.log_fit import created_anew, misfit
from spendmeter.platform.service import run_until

LOG = TopicPartition("usage.events", 3)


async def test_work_goes_on_until_the_end_is_reached_and_is_then_cancelled() -> None:
    stop, order = asyncio.Event(), []

    async def work() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            order.append("work")

    async def ended() -> None:
        await stop.wait()
        order.append("end")

    await run_until(ended(), work())
    assert order == ["end", "work"]


async def test_work_that_took_its_end_for_trouble_of_a_closed_connection_is_told_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "ROLL_BACK_S", 0.01)
    monkeypatch.setattr(service, "CANCEL_AGAIN_S", 0.01)
    stop, told = asyncio.Event(), 0

    async def work() -> None:
        nonlocal told
        while told < 2:
            try:
                stop.set()
                await asyncio.Event().wait()
            except asyncio.CancelledError:  # as a roll-back on a closed connection replaces it
                told += 1

    async with asyncio.timeout(5):
        await run_until(stop.wait(), work())
    assert told == 2


async def test_a_bug_in_one_part_ends_the_others_and_is_raised() -> None:
    ended = asyncio.Event()

    async def bug() -> None:
        raise ZeroDivisionError("a bug")

    async def other() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(ExceptionGroup) as raised:
        await run_until(asyncio.Event().wait(), other(), bug())
    assert raised.group_contains(ZeroDivisionError)
    assert ended.is_set()


def test_a_log_that_no_longer_fits_the_position_names_what_is_gone() -> None:
    assert misfit(LOG, 5, 0, 9, "rated") == ""
    assert (
        misfit(LOG, 5, 7, 9, "rated") == "usage.events/3: records [5, 7) were deleted before they were rated"
    )
    assert misfit(LOG, 5, 0, 4, "rated") == "usage.events/3: the log ends at 4, before the rated position 5"
    assert created_anew(LOG, "a", "a", "nothing") == ""
    assert created_anew(LOG, "a", "b", "everything from offset 5 on was never applied") == (
        "usage.events was created anew (topic id a became b): of partition 3 of the old log, "
        "everything from offset 5 on was never applied"
    )
