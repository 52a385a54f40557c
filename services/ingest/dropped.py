"""Names of fields that were dropped, by key: noted in memory, and written down in the background.

No request waits for Postgres. What was noted in the last WRITE_S, or while Postgres was away, is lost with
the process: a sender that goes on sending such fields is soon noted again.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from services.ingest.credentials import IngestCredential
from services.ingest.keys import AWAY
from spendmeter.platform.postgres import connect
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

WRITE_S = 2.0
WRITE_S_MAX = 4.0
PENDING_MAX = 10_000
"""Names not written yet, of all keys: senders choose them."""
NAMES_PER_KEY_MAX = 100
"""Rows of a key. Beyond them its further names are in the answers' header alone."""

SQL = load_sql(Path(__file__).with_name("dropped.sql"))

DroppedField = tuple[str, str, str]
"""Tenant, key id, path of the field."""


@dataclass(kw_only=True)
class Seen:
    """When a name came, and in how many requests."""

    first_at: datetime
    last_at: datetime
    requests: int = 0


class DroppedNamesWriter:
    """Run `keep_writing` beside the server; `note` from any request."""

    def __init__(self, url: str, meters: Meters) -> None:
        self._url = url
        self._meters = meters
        self._pending: dict[DroppedField, Seen] = {}

    def note(self, credential: IngestCredential, names: Iterable[str], now: datetime) -> None:
        """One request of this key had these fields."""
        for name in names:
            self._meters.add("spendmeter.ingest.dropped")
            seen = Seen(first_at=now, last_at=now, requests=1)
            self._add((credential.tenant, credential.key_id, name), seen)

    def _add(self, name: DroppedField, more: Seen) -> None:
        known = self._pending.get(name)
        if known is not None:
            known.first_at = min(known.first_at, more.first_at)
            known.last_at = max(known.last_at, more.last_at)
            known.requests += more.requests
        elif len(self._pending) < PENDING_MAX:
            self._pending[name] = more

    async def keep_writing(self) -> None:
        """Write what was noted every WRITE_S, for ever; while Postgres is away it waits in memory."""
        await keep_doing(self._write_pending, "dropped names not written", every_s=WRITE_S, away=AWAY)

    async def _write_pending(self) -> None:
        taken, self._pending = self._pending, {}
        try:
            if taken:
                async with asyncio.timeout(WRITE_S_MAX):
                    await self._write(taken)
        except AWAY:
            for name, seen in taken.items():
                self._add(name, seen)
            raise

    async def _write(self, taken: dict[DroppedField, Seen]) -> None:
        connection = await connect(self._url, service="ingest")
        try:
            await connection.executemany(
                SQL["note"],
                [
                    (*name, seen.first_at, seen.last_at, seen.requests, NAMES_PER_KEY_MAX)
                    for name, seen in sorted(taken.items())  # two processes never wait in a circle
                ],
            )
        finally:
            connection.terminate()
