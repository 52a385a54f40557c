"""How much one key may send: requests and events a minute, in one process.

Windows are of a minute and fixed. Events count once they were read: a request that begins within its key's
rate is taken whole, so that no lawful request is too large for it, and what is over is missing from nothing
but the rest of the window.
"""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from services.ingest.credentials import IngestCredential
from services.ingest.refused import RequestRefused, too_often


class KeyRates:
    """One a process; of each key two counters, which end with their window."""

    def __init__(self, requests_per_minute: int, events_per_minute: int) -> None:
        self._requests = RateLimitItemPerMinute(requests_per_minute, namespace="requests")
        self._events_per_minute = events_per_minute
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def admit(self, credential: IngestCredential) -> None:
        """Count a request. Raises RequestRefused 429, which says when to come again, where the key has sent
        as many requests or events as it may in this minute."""
        key_id, events = credential.key_id, self._events_of(credential)
        if not self._limiter.test(events, key_id):
            raise self._refusal(events, key_id, "events")
        if not self._limiter.hit(self._requests, key_id):
            raise self._refusal(self._requests, key_id, "requests")

    def count(self, credential: IngestCredential, events: int) -> None:
        """A request of the key had so many events."""
        if events:
            self._limiter.hit(self._events_of(credential), credential.key_id, cost=events)

    def _events_of(self, credential: IngestCredential) -> RateLimitItemPerMinute:
        return RateLimitItemPerMinute(
            credential.events_per_minute or self._events_per_minute, namespace="events"
        )

    def _refusal(self, item: RateLimitItemPerMinute, key_id: str, what: str) -> RequestRefused:
        wait_s = max(1, math.ceil(self._limiter.get_window_stats(item, key_id).reset_time - time.time()))
        return too_often(
            f"key {key_id} may send {item.amount} {what} a minute; send again in {wait_s} s", wait_s
        )
