"""Who may use the database now: each tenant has its share of connections and of time, so that nobody's
questions delay another's.

A tenant has at most TENANT_CONNECTIONS_MAX connections (ALONE_CONNECTIONS_MAX where nobody else asks), and
RESERVED are only for tenants that have none: a
small question of somebody else finds one free, whatever is being asked. A third of what a tenant may have is
kept from its long questions, which add up what was spent: a list, or what was set, is read beside a page of
them, and goes first where both wait. Who keeps the database busy for more
than TIME_S_PER_S of every second, beyond a burst, while others ask too, is asked to come back later: what
nobody else asks for is lent, and need not be given back. Nothing here does any I/O.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.api.http.problems import RETRY_AFTER_S, HttpRefusal

CONNECTIONS_MAX = 10
TENANT_CONNECTIONS_MAX = 3
ALONE_CONNECTIONS_MAX = 6
"""A question of some milliseconds is not behind three that take a second each while processors are idle."""
RESERVED = 2
LONG_OF_THREE = 2
"""Of three connections that a tenant may have, so many may be held by its long questions."""
WAIT_S_MAX = 2.0
"""A person who waits longer asks again, and a program with them: better to hear when."""
WAITERS_MAX = 100
"""Of one tenant."""
TIME_S_PER_S = 1.0
TIME_S_BURST = 30.0
"""A page of dear cards, or a month's export, at once; then TIME_S_PER_S."""
OTHERS_S = 10.0
"""So long after their last question others are still there: people look at a page, and ask again."""


class TooMuch(HttpRefusal):
    """The tenant has asked for more than its share: come back after `retry_after_s`."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(429, "Too many questions", detail, retry_after_s=retry_after_s)


class AllBusy(HttpRefusal):
    """Every connection is in use by others, and has been for WAIT_S_MAX."""

    def __init__(self) -> None:
        detail = "every connection to the database is in use by others"
        super().__init__(503, "Not available", detail, retry_after_s=RETRY_AFTER_S)


@dataclass
class _Share:
    """What a tenant has of it now."""

    held: int = 0
    long: int = 0
    """Of those that are held, by long questions."""
    short_waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    long_waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    left_s: float = TIME_S_BURST
    at_s: float = 0.0
    """When `left_s` was so much."""
    asked_s: float = 0.0
    """When it last asked for a turn, or gave one back."""

    def queue(self, *, long: bool) -> deque[asyncio.Future[None]]:
        """Who of these wait, first come first."""
        return self.long_waiting if long else self.short_waiting

    @property
    def waiting(self) -> int:
        return len(self.short_waiting) + len(self.long_waiting)


class Shares:
    """`async with shares.turn(tenant)` around each use of a connection."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._free = CONNECTIONS_MAX
        self._shares: dict[str, _Share] = {}

    @asynccontextmanager
    async def turn(self, tenant: str, *, long: bool = False) -> AsyncIterator[None]:
        """Wait for a connection of the tenant's share, and count the time until the block ends. `long`: it
        adds up what was spent, so it leaves room for what does not.

        Raises TooMuch, or AllBusy after WAIT_S_MAX.
        """
        share = self._shares.setdefault(tenant, _Share(at_s=self._clock()))
        share.asked_s = self._clock()
        self._refill(share)
        if share.left_s < 0 and self._are_others_there(share):
            later_s = math.ceil(-share.left_s / TIME_S_PER_S)
            raise TooMuch(
                f"this tenant's questions have kept the database busy for {TIME_S_BURST:g} s more than their "
                f"share of {TIME_S_PER_S:g} s a second: ask again in {later_s} s, or for a shorter range",
                later_s,
            )
        await self._wait(share, long=long)
        began_s = self._clock()
        try:
            yield
        finally:
            self._refill(share)
            share.left_s -= self._clock() - began_s
            share.asked_s = self._clock()
            if not self._are_others_there(share):
                share.left_s = max(0.0, share.left_s)
            self._give_back(share, long=long)
            self._forget_idle()

    async def _wait(self, share: _Share, *, long: bool) -> None:
        queue = share.queue(long=long)
        if not queue and self._may_take(share, long=long):
            self._grant(share, long=long)
            return
        if share.waiting >= WAITERS_MAX:
            raise TooMuch(f"{WAITERS_MAX} questions of this tenant wait already", math.ceil(WAIT_S_MAX))
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(WAIT_S_MAX):
                await turn
        except BaseException as error:
            if turn in queue:
                queue.remove(turn)
            elif not turn.cancelled():  # granted in the instant in which we gave up
                self._give_back(share, long=long)
            if isinstance(error, TimeoutError):
                raise self._refusal(share, long=long) from None
            raise

    def _refusal(self, share: _Share, *, long: bool) -> TooMuch | AllBusy:
        if not self._has_its_share(share, long=long):
            return AllBusy()
        return TooMuch(
            f"{share.held} questions of this tenant are being answered, and none was done within "
            f"{WAIT_S_MAX:g} s",
            math.ceil(WAIT_S_MAX),
        )

    def _are_others_there(self, share: _Share) -> bool:
        """Whether any other tenant asks, or did a moment ago."""
        since_s = self._clock() - OTHERS_S
        return any(
            each.held or each.waiting or each.asked_s > since_s
            for each in self._shares.values()
            if each is not share
        )

    def _refill(self, share: _Share) -> None:
        now_s = self._clock()
        share.left_s = min(TIME_S_BURST, share.left_s + (now_s - share.at_s) * TIME_S_PER_S)
        share.at_s = now_s

    def _may_take(self, share: _Share, *, long: bool) -> bool:
        return not self._has_its_share(share, long=long) and self._free > (RESERVED if share.held else 0)

    def _has_its_share(self, share: _Share, *, long: bool) -> bool:
        most = self._most(share)
        return share.held >= most or (long and share.long >= most * LONG_OF_THREE // 3)

    def _most(self, share: _Share) -> int:
        return TENANT_CONNECTIONS_MAX if self._are_others_there(share) else ALONE_CONNECTIONS_MAX

    def _grant(self, share: _Share, *, long: bool) -> None:
        share.held += 1
        share.long += long
        self._free -= 1

    def _give_back(self, share: _Share, *, long: bool) -> None:
        """Whoever has least gets it next, and of one tenant what is short."""
        share.held -= 1
        share.long -= long
        self._free += 1
        while able := self._able():
            chosen, is_long = min(able, key=lambda each: each[0].held)
            turn = chosen.queue(long=is_long).popleft()
            if not turn.cancelled():  # else who waited gave up, and has not run since
                self._grant(chosen, long=is_long)
                turn.set_result(None)

    def _able(self) -> list[tuple[_Share, bool]]:
        """Who waits and may take one, and whether for a long question: a tenant's short ones before these."""
        return [
            (each, long)
            for each in self._shares.values()
            for long in (False, True)
            if each.queue(long=long) and self._may_take(each, long=long)
        ]

    def _forget_idle(self) -> None:
        for tenant, share in list(self._shares.items()):
            self._refill(share)
            is_over = self._clock() - share.asked_s >= OTHERS_S
            if is_over and not share.held and not share.waiting and share.left_s >= TIME_S_BURST:
                del self._shares[tenant]
