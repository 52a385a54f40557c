"""Moments are written beside the booking: nothing that keeps them waiting keeps the ledger."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from services.ledger.moments import Moments


class _Unreadable:
    """A pool whose every transaction meets what no statement can read."""

    def __init__(self) -> None:
        self.asked = asyncio.Queue[None]()

    def acquire(self) -> Any:
        self.asked.put_nowait(None)
        raise asyncpg.InvalidTextRepresentationError("invalid input syntax for type json")


async def test_what_no_statement_can_read_keeps_moments_waiting_and_not_the_ledger() -> None:
    pool: Any = _Unreadable()
    running = asyncio.create_task(Moments(pool=pool).run())
    async with asyncio.timeout(10):
        for _ in range(3):  # it would end the ledger's group of tasks, and booking with it
            await pool.asked.get()
    assert not running.done()
    running.cancel()
