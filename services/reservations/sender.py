"""Sends our own events of committed calls: written with the commit, sent until `usage.events` has them.

Whoever committed waits for that (`sent`), so that a 2xx means that the cost will be booked. A process that
ends between the two leaves the rest to any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from services.reservations.read import SQL
from services.reservations.turns import Pool
from spendmeter.platform.kafka import ReplaceableProducer, send_by_key
from spendmeter.platform.retry import AWAY, keep_doing
from spendmeter.platform.telemetry import Meters

AT_ONCE = 1_000
LOOK_S = 2.0
"""How often it looks for what others have left."""
WAIT_S = 5.0


class NotSent(Exception):
    """Kafka is away: the event is kept, and will be sent."""


class EventSender:
    """Run `keep_sending` beside the desk."""

    def __init__(self, pool: Pool, topic: str, make: Callable[[], AIOKafkaProducer], meters: Meters) -> None:
        self._pool = pool
        self._topic = topic
        self._producer = ReplaceableProducer(make)
        self._meters = meters
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[bool]] = []

    async def sent(self) -> None:
        """Back once the broker holds everything that was committed before. Raises NotSent."""
        waiting: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self._wanted.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                if await waiting:
                    return
        raise NotSent

    async def keep_sending(self) -> None:
        """Until cancelled; with another producer after each failure."""
        try:
            await keep_doing(self._send_or_let_go, "own events not sent", away=AWAY)
        finally:
            await self._producer.stop()

    async def _send_or_let_go(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._wanted.wait()
        self._wanted.clear()
        taken, self._waiting = self._waiting, []
        try:
            await self._send_all()
        except BaseException:
            await self._producer.stop()
            _answer(taken, sent=False)
            raise
        _answer(taken, sent=True)

    async def _send_all(self) -> None:
        while rows := await self._pool.fetch(SQL["unsent"], AT_ONCE):
            self._meters.set("spendmeter.reservations.unsent", len(rows))
            producer = await self._producer.connected()
            await send_by_key(
                producer, self._topic, [(row["identity"], row["event"].encode()) for row in rows]
            )
            await self._pool.execute(
                SQL["sent"], [row["tenant"] for row in rows], [row["id"] for row in rows]
            )
            if len(rows) < AT_ONCE:
                break
        self._meters.set("spendmeter.reservations.unsent", 0)


def _answer(taken: list[asyncio.Future[bool]], *, sent: bool) -> None:
    for each in taken:
        if not each.done():
            each.set_result(sent)
