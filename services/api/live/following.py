"""Who listens to a tenant's totals, or a team's of it, and one reader for all who are told the same.

What somebody listens to is read once a second, however many listen; nobody waits for a slow
listener, and nothing is kept for one: who takes longer is told the newest, and what was between is left out.
Many tenants take turns with READS_MAX connections: then each is read less often, and questions are answered
as fast as without. So do the teams of a tenant with one: it has its share for questions still.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from services.api.database.transactions import Onlooker
from services.api.http.problems import HttpRefusal
from services.api.live.models import LiveSpend
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.telemetry import log

READ_INTERVAL_S = 1.0
SAID_AGAIN_S = 5.0
"""What does not change is said again, for up to when it is complete moves on."""
TENANT_LISTENERS_MAX = 100
LISTENERS_MAX = 500
"""Of all tenants, in one process."""
READS_MAX = 4
"""At once, of all tenants; the other connections are for who asks."""
_AWAY: tuple[type[Exception], ...] = (HttpRefusal, *CONNECTION_ERRORS)

ReadTotals = Callable[[Onlooker], Awaitable[LiveSpend]]


@dataclass(eq=False)
class LiveListener:
    """One stream. `woken` is set when there is something to say, or when it is `ended`, for this reason."""

    onlooker: Onlooker
    session: str
    """Of a browser; '' = a key's, which may have many."""
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def end(self, reason: str) -> None:
        """It says why, and no more."""
        self.ended = self.ended or reason
        self.woken.set()


@dataclass(eq=False)
class _Followed:
    listeners: set[LiveListener] = field(default_factory=set)
    newest: LiveSpend | None = None
    reading: asyncio.Task[None] | None = None
    away: bool = False
    """It could not be read when it was last looked at."""


class LiveTotals:
    """One process's."""

    def __init__(self, read: ReadTotals, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._followed: defaultdict[Onlooker, _Followed] = defaultdict(_Followed)
        self._reads = asyncio.Semaphore(READS_MAX)
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        """Of each tenant, for as long as somebody waits or reads."""

    def listen(self, onlooker: Onlooker, session: str = "") -> LiveListener:
        """Begin; a browser's session has one stream, so an older one of it ends. Raises HttpRefusal (429,
        503)."""
        everybody = [each for followed in self._followed.values() for each in followed.listeners]
        for older in (each for each in everybody if session and each.session == session):
            older.end("replaced")
            self.leave(older)
            everybody.remove(older)
        if sum(each.onlooker.tenant == onlooker.tenant for each in everybody) >= TENANT_LISTENERS_MAX:
            detail = f"at most {TENANT_LISTENERS_MAX} streams of a tenant may be open"
            raise HttpRefusal(429, "Too many streams", detail, retry_after_s=5)
        if len(everybody) >= LISTENERS_MAX:
            detail = f"{LISTENERS_MAX} streams of all tenants are open already"
            raise HttpRefusal(503, "Too many streams", detail, retry_after_s=5)
        listener, followed = LiveListener(onlooker, session), self._followed[onlooker]
        followed.listeners.add(listener)
        if followed.newest is not None:
            listener.woken.set()
        if followed.reading is None:
            followed.reading = asyncio.create_task(self._follow(onlooker, followed))
        return listener

    def leave(self, listener: LiveListener) -> None:
        """It is over; without any listener nobody reads. Again is nothing."""
        followed = self._followed.get(listener.onlooker)
        if followed is None or listener not in followed.listeners:
            return
        followed.listeners.discard(listener)
        if not followed.listeners:
            del self._followed[listener.onlooker]
            if followed.reading is not None:
                followed.reading.cancel()

    def newest(self, listener: LiveListener) -> LiveSpend | None:
        """What is to be said now; None = nothing was read yet. Raises what was a bug in reading."""
        followed = self._followed.get(listener.onlooker)
        if followed is None:
            return None
        if followed.reading is not None and followed.reading.done():
            followed.reading.result()
        return followed.newest

    async def _follow(self, onlooker: Onlooker, followed: _Followed) -> None:
        said_s = float("-inf")
        try:
            while True:
                began_s = self._clock()
                found = await self._look(onlooker, followed)
                if found is not None and (
                    began_s - said_s >= SAID_AGAIN_S or _spent(found) != _spent(followed.newest)
                ):
                    followed.newest, said_s = found, began_s
                    for listener in followed.listeners:
                        listener.woken.set()
                await asyncio.sleep(max(0.0, began_s + READ_INTERVAL_S - self._clock()))
        finally:
            for listener in followed.listeners:
                listener.woken.set()

    async def _look(self, onlooker: Onlooker, followed: _Followed) -> LiveSpend | None:
        """None = it cannot be read now, which the log says once; who listens sees how old is what was said
        last."""
        try:
            found = await self._in_turn(onlooker)
        except _AWAY as away:
            if not followed.away:
                reason = type(away).__name__
                log().warning("live totals cannot be read", tenant=onlooker.tenant, reason=reason)
            followed.away = True
            return None
        followed.away = False
        return found

    async def _in_turn(self, onlooker: Onlooker) -> LiveSpend:
        """Of a tenant one at a time; and of several, none for as long as the one before was read."""
        async with self._turns.setdefault(onlooker.tenant, asyncio.Lock()):
            async with self._reads:
                began_s = self._clock()
                found = await self._read(onlooker)
            if sum(each.tenant == onlooker.tenant for each in self._followed) > 1:
                await asyncio.sleep(self._clock() - began_s)
        return found


def _spent(found: LiveSpend | None) -> object:
    return None if found is None else [each.totals for each in found.spans.values()]
