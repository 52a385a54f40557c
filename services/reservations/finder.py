"""Reads reservations by id: all that are asked for while one question is under way go into the next."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from uuid import UUID

from services.reservations.read import SQL
from services.reservations.rows import reservation_of
from services.reservations.turns import AWAY, Pool
from services.reservations.values import Reservation

MaybeReservation = Reservation | None
_Waiting = defaultdict[tuple[str, UUID], list[asyncio.Future[MaybeReservation]]]


class Finder:
    """`await find(tenant, id)`, from any number of requests: one connection is enough for all of them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: _Waiting = defaultdict(list)
        self._asking: asyncio.Task[None] | None = None

    async def find(self, tenant: str, id: UUID) -> MaybeReservation:
        """One, as it is when it is asked for, or later. Raises AWAY."""
        waiting: asyncio.Future[MaybeReservation] = asyncio.get_running_loop().create_future()
        self._waiting[tenant, id].append(waiting)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await waiting

    async def _ask(self) -> None:
        """Question after question, until nobody waits."""
        try:
            while asked := self._waiting:
                self._waiting = defaultdict(list)
                await self._answer(asked)
        finally:
            self._asking = None

    async def _answer(self, asked: _Waiting) -> None:
        try:
            rows = await self._pool.fetch(SQL["find"], *map(list, zip(*asked, strict=True)))
        except BaseException as error:
            for each in _unanswered(asked.values()):
                each.set_exception(error)
            if not isinstance(error, AWAY):
                raise
            return
        found = {(row["tenant"], row["id"]): reservation_of(row) for row in rows}
        for key, waiting in asked.items():
            for each in _unanswered([waiting]):
                each.set_result(found.get(key))


def _unanswered(
    waiting: Iterable[list[asyncio.Future[MaybeReservation]]],
) -> Iterator[asyncio.Future[MaybeReservation]]:
    """Without those whose client has gone."""
    return (each for those in waiting for each in those if not each.done())
