"""Tells the story to ingest: what was so far, day by day in large batches, and then each event as it happens.

The mark follows what ingest has accepted. After a stop, of a second or a month, telling goes on from it, so
the story has no gap; what was accepted beyond the mark is told again with the same ids and booked once.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from datetime import time as clock

import httpx
import msgspec

from deploy.demo.mark import Mark, MarkFile
from deploy.demo.sender import BATCH_EVENTS_MAX, deliver
from deploy.demo.story import Happened, between
from deploy.demo.workload import Event

SLICE = timedelta(days=1)
LIVE_S = 1.0
"""Within so long of now it is no history any more."""
SAID_EVERY_S = 2.0
MARKED_EVERY = timedelta(minutes=1)


def begun(days: int, now: datetime, installation: str) -> Mark:
    """The mark of a story that begins so many days before today."""
    today = now.astimezone(UTC).date()
    midnight = datetime.combine(today, clock(), UTC)
    return Mark(installation=installation, first_day=today, told_until=midnight - timedelta(days=days))


class Teller:
    """One telling; `mark` is how far it is."""

    def __init__(
        self,
        file: MarkFile,
        mark: Mark,
        client: httpx.AsyncClient,
        keys: Mapping[str, str],
        stop: asyncio.Event,
    ) -> None:
        self.mark = mark
        self._file = file
        self._client = client
        self._keys = keys
        self._stop = stop

    async def catch_up(self, say: Callable[[str], None]) -> int:
        """Tell all that was until now, and say how far it is; returns how many events that were."""
        events, began = 0, time.monotonic()
        said, days = began, (datetime.now(UTC) - self.mark.told_until).days
        sending: asyncio.Task[None] | None = None
        until = self.mark.told_until
        while not self._stop.is_set() and until < (now := datetime.now(UTC)) - timedelta(seconds=LIVE_S):
            after, until = until, min(until + SLICE, now)
            told = await asyncio.to_thread(_listed, after, until, self.mark)
            if sending is not None:  # while it was on its way, this day was made
                await sending
            sending = asyncio.create_task(self._send(told, until))
            events += len(told)
            if time.monotonic() - said >= SAID_EVERY_S:
                said = time.monotonic()
                say(f"history: {events:,} events, up to {until:%Y-%m-%d} ...")
        if sending is not None:
            await sending
        if days:
            say(f"history: {events:,} events of {days} days are sent ({time.monotonic() - began:.1f} s)")
        return events

    async def go_on(self) -> None:
        """Tell what happens, as it does, until the stop."""
        marked = self.mark.told_until
        while not self._stop.is_set():
            now = datetime.now(UTC)
            await self._send(_listed(self.mark.told_until, now, self.mark), now, written=False)
            if now - marked >= MARKED_EVERY:
                marked = now
                self.save()
            await asyncio.sleep(LIVE_S)

    def save(self) -> None:
        """Write the mark."""
        self._file.write(self.mark)

    def said(self, act: str) -> None:
        """Note an act as done, for good."""
        self.mark = msgspec.structs.replace(self.mark, acts=(*self.mark.acts, act))
        self.save()

    async def _send(self, told: Sequence[Happened], until: datetime, *, written: bool = True) -> None:
        by_tenant: defaultdict[str, list[Event]] = defaultdict(list)
        for _, tenant, event in told:
            by_tenant[tenant].append(event)
        async with asyncio.TaskGroup() as group:
            for tenant, events in by_tenant.items():
                for start in range(0, len(events), BATCH_EVENTS_MAX):
                    batch = events[start : start + BATCH_EVENTS_MAX]
                    group.create_task(deliver(self._client, self._keys[tenant], batch, self._stop))
        if self._stop.is_set():
            return  # some of it may not have been taken
        self.mark = msgspec.structs.replace(self.mark, told_until=until)
        if written:
            self.save()


def _listed(after: datetime, until: datetime, mark: Mark) -> list[Happened]:
    return list(between(after, until, mark.first_day))
