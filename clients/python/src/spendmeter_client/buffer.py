"""What waits to be sent: bounded in events and bytes, filled by any thread, emptied by one."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from spendmeter_client.stats import FULL, Drop, Stats

BATCH_EVENTS_MAX = 1000
BATCH_BYTES_MAX = 1024 * 1024


Waiting = tuple[str, bytes]
"""The path that takes an event, and the event as it is sent. Of plain tuples of these the collector of cycles
lets go, so that a hundred thousand that wait cost it nothing."""


class Buffer:
    """Counts, too: what goes in leaves by `settle`.

    A signal handler or a finalizer may record while its own thread is in here. It finds itself to be `_owner`
    and leaves the event in `_late`, to be taken in on the way out.
    """

    def __init__(self, *, events_max: int, bytes_max: int, linger_s: float) -> None:
        self._events_max, self._bytes_max, self._linger_s = events_max, bytes_max, linger_s
        self._waiting: deque[Waiting] = deque()
        self._late: deque[Waiting] = deque()
        self._bytes = 0
        self._changed = threading.Condition(threading.RLock())
        self._owner = 0
        self._recorded = self._put = self._sent = self._settled = 0
        self._dropped: Counter[str] = Counter()
        self._overflowed = 0
        self._flushing = 0
        self.closed = False

    def put(self, event: Waiting) -> bool:
        """Whether there was room; where there was none, it is counted as dropped."""
        me = threading.get_ident()
        if self._owner == me:
            self._late.append(event)
            return True
        with self._changed:
            self._owner = me
            taken = self._add(event)
            if self._late:
                self._take_late()
            self._owner = 0
            return taken

    def refuse(self, why: str) -> None:
        """Count an event that never comes in."""
        with self._held():
            self._recorded += 1
            self._dropped[why] += 1

    def take(self) -> list[Waiting]:
        """The next batch, once it is full, or has waited for linger_s, or somebody flushes; [] at the end."""
        with self._held():
            self._wait(lambda: self._waiting or self._late or self.closed)
            self._take_late()
            self._wait(self._is_due, self._linger_s)
            return self._pop()

    def settle(self, *, sent: int = 0, dropped: int = 0, why: str = "") -> None:
        """So many of what was taken have their end."""
        with self._held():
            self._sent += sent
            if dropped:
                self._dropped[why] += dropped
            self._settled += sent + dropped
            self._changed.notify_all()

    def abandon(self, why: str) -> int:
        """Drop all that still waits; how many."""
        with self._held():
            count = len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
        if count:
            self.settle(dropped=count, why=why)
        return count

    @property
    def hurried(self) -> bool:
        """Whether somebody waits until all is sent."""
        return self.closed or self._flushing > 0

    def wait_while_unhurried(self, seconds: float) -> None:
        """At most so long; sooner where `hurried` changes."""
        with self._held():
            before = self.hurried
            self._wait(lambda: self.hurried != before, seconds)

    def drained(self, timeout_s: float) -> bool:
        """Wait until all that was put in before has its end; whether it has."""
        with self._held():
            self._take_late()
            goal = self._put
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._wait(lambda: self._settled >= goal, timeout_s)
            finally:
                self._flushing -= 1

    def close(self) -> None:
        """Nothing is waited for any longer: what is there is due."""
        with self._held():
            self.closed = True
            self._changed.notify_all()

    def overflow(self) -> Drop | None:
        """What had no room since this was last asked."""
        with self._held():
            count, self._overflowed = self._overflowed, 0
        return Drop(count, FULL, "more was recorded than could be sent") if count else None

    def stats(self) -> Stats:
        """As of now."""
        with self._held():
            by = dict(self._dropped)
            return Stats(self._recorded, self._sent, sum(by.values()), self._put - self._settled, by)

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._changed:
            before, self._owner = self._owner, threading.get_ident()
            try:
                yield
            finally:
                self._take_late()
                self._owner = before

    def _wait(self, is_so: Callable[[], object], seconds: float | None = None) -> bool:
        """Nobody is in here meanwhile."""
        me, self._owner = self._owner, 0
        try:
            return bool(self._changed.wait_for(is_so, seconds))
        finally:
            self._owner = me

    def _add(self, event: Waiting) -> bool:
        self._recorded += 1
        count, size = len(self._waiting), self._bytes + len(event[1])
        if count >= self._events_max or size > self._bytes_max:
            self._dropped[FULL] += 1
            self._overflowed += 1
            return False
        self._waiting.append(event)
        self._bytes = size
        self._put += 1
        if count == 0 or self._is_full():
            self._changed.notify_all()
        return True

    def _take_late(self) -> None:
        while self._late:
            self._add(self._late.popleft())

    def _is_full(self) -> bool:
        return len(self._waiting) >= BATCH_EVENTS_MAX or self._bytes >= BATCH_BYTES_MAX

    def _is_due(self) -> bool:
        return self._is_full() or self.hurried

    def _pop(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 2  # the brackets
        while self._waiting and len(batch) < BATCH_EVENTS_MAX:
            size += len(self._waiting[0][1]) + 1
            if batch and size > BATCH_BYTES_MAX:
                break
            batch.append(self._waiting.popleft())
            self._bytes -= len(batch[-1][1])
        return batch
