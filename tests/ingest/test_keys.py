"""The snapshot of all keys, read beside the requests of those who send."""

from __future__ import annotations

import asyncio
from typing import Any

from services.ingest.keys import KEYS_AT_ONCE, SQL, read_snapshot


class Rows:
    """A database that holds these keys and nothing else."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        self._keys = keys

    async def fetch(self, statement: str) -> list[dict[str, Any]]:
        return self._keys if statement == SQL["live_keys"] else []


async def test_senders_are_answered_while_a_hundred_thousand_keys_are_taken_in() -> None:
    stored = {"tenant": "acme", "secret_sha256": b"x", "scopes": ["ingest"], "trust_reported_cost": False}
    keys = [{"key_id": f"k{number}", "expires_at": None, **stored} for number in range(100_000)]
    reading, answered = asyncio.create_task(read_snapshot(Rows(keys))), 0
    while not reading.done():
        await asyncio.sleep(0)
        answered += 1
    assert answered >= len(keys) // KEYS_AT_ONCE
    assert len((await reading).credentials) == len(keys)
