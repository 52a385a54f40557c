"""Sends our own events of committed calls: written with the commit, sent until `usage.events` has them.

Whoever committed waits for that (`sent`), so that a 2xx means that the cost will be booked. What a process
has committed it sends from its memory; what is left by one that has ended, or could not send, any other finds
in Postgres.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from uuid import UUID

from aiokafka import AIOKafkaProducer

from services.reservations.read import SQL
from services.reservations.turns import Pool
from services.reservations.values import Reservation
from spendmeter.platform.kafka import ReplaceableProducer, send_by_key
from spendmeter.platform.retry import AWAY, keep_doing
from spendmeter.platform.telemetry import Meters

AT_ONCE = 1_000
LOOK_S = 2.0
"""How often it looks for what others have left."""
LEFT = timedelta(seconds=10)
"""What is so long over its committer would have sent."""
OF_ANY_AGE = timedelta(0)
WAIT_S = 5.0
OwnEvents = dict[tuple[str, UUID], tuple[bytes, bytes]]
"""By (tenant, reservation): (identity, event)."""


class NotSent(Exception):
    """Kafka is away: the event is kept, and will be sent."""


class EventSender:
    """Run `keep_sending` beside the desk; `take` what its turns have committed."""

    def __init__(self, pool: Pool, topic: str, make: Callable[[], AIOKafkaProducer], meters: Meters) -> None:
        self._pool = pool
        self._topic = topic
        self._producer = ReplaceableProducer(make)
        self._meters = meters
        self._wanted = asyncio.Event()
        self._waiting: list[asyncio.Future[bool]] = []
        self._taken: OwnEvents = {}
        self._look_at = 0.0
        """When to look in Postgres; 0 = at once, and for all."""

    def take(self, tenant: str, reservations: Iterable[Reservation]) -> None:
        """These this process has just committed in Postgres."""
        for each in reservations:
            if each.event and each.state == "committed":
                self._taken[tenant, each.id] = each.identity, each.event.encode()
                self._wanted.set()

    async def sent(self, *, replayed: bool) -> None:
        """Back once the broker holds everything that was taken before, and where another process may have
        committed it (`replayed`) all that Postgres has. Raises NotSent."""
        if replayed:
            self._look_at = 0.0
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
        waiting, self._waiting = self._waiting, []
        taken, self._taken = self._taken, {}
        try:
            await self._send(taken)
            await self._send_left()
        except BaseException:
            self._look_at = 0.0  # Postgres has them all
            await self._producer.stop()
            _answer(waiting, sent=False)
            raise
        _answer(waiting, sent=True)
        await self._note(taken)

    async def _send_left(self) -> None:
        """What Postgres has, where it is time to look."""
        now = asyncio.get_running_loop().time()
        if now < self._look_at:
            return
        age, self._look_at = LEFT if self._look_at else OF_ANY_AGE, now + LOOK_S
        while rows := await self._pool.fetch(SQL["unsent"], age, AT_ONCE):
            self._meters.set("spendmeter.reservations.unsent", len(rows))
            left = {(row["tenant"], row["id"]): (row["identity"], row["event"].encode()) for row in rows}
            await self._send(left)
            await self._note(left)
            if len(rows) < AT_ONCE:
                break
        self._meters.set("spendmeter.reservations.unsent", 0)

    async def _send(self, events: OwnEvents) -> None:
        if events:
            await send_by_key(await self._producer.connected(), self._topic, events.values())

    async def _note(self, sent: Collection[tuple[str, UUID]]) -> None:
        if sent:
            await self._pool.execute(SQL["sent"], *map(list, zip(*sent, strict=True)))


def _answer(taken: list[asyncio.Future[bool]], *, sent: bool) -> None:
    for each in taken:
        if not each.done():
            each.set_result(sent)
