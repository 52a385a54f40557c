"""Keeps to a receiver's pace: so many messages in so much time, each waiting its turn."""

import asyncio
import time
from collections import OrderedDict
from datetime import timedelta

KEPT_MAX = 10_000
"""Receivers of which the next free moment is kept; the longest unused is forgotten."""


class ReceiverPace:
    """Whose turn it is, of this process alone: between processes a receiver limits by itself."""

    def __init__(self, every_s: float, wait_s_max: float) -> None:
        self._every_s, self._wait_s_max = every_s, wait_s_max
        self._free_at: OrderedDict[str, float] = OrderedDict()

    async def turn(self, key: str) -> timedelta | None:
        """Wait for a turn; or at once, where that takes too long: how long it would."""
        now = time.monotonic()
        wait = self._free_at.get(key, now) - now
        if wait > self._wait_s_max:
            return timedelta(seconds=wait)
        self._free_at[key] = max(now, now + wait) + self._every_s
        self._free_at.move_to_end(key)
        if len(self._free_at) > KEPT_MAX:
            self._free_at.popitem(last=False)
        if wait > 0:
            await asyncio.sleep(wait)
        return None
