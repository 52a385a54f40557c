"""The snapshot of all keys, read beside the requests of those who send."""

from __future__ import annotations

import asyncio
import json
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


async def test_label_maps_are_read_again_where_they_changed_and_only_those() -> None:
    team = {"labels": [{"attribute": "team.id", "label": "team"}]}

    class Maps:
        def __init__(self) -> None:
            self.stored: dict[str, tuple[int, Any]] = {"acme": (1, team), "globex": (2, {})}
            self.read: list[str] = []

        async def fetch(self, statement: str, *asked: list[str]) -> list[dict[str, Any]]:
            if statement == SQL["map_numbers"]:
                return [{"tenant": of, "number": number} for of, (number, _) in self.stored.items()]
            if statement != SQL["maps"]:
                return []
            self.read += asked[0]
            return [
                {"tenant": of, "number": number, "maps": json.dumps(maps)}
                for of, (number, maps) in self.stored.items()
                if of in asked[0]
            ]

    rows = Maps()
    first = await read_snapshot(rows)
    assert first.maps["acme"].maps.labels_of({}, {"team.id": "search"}) == {"team": "search"}
    rows.stored["globex"] = (3, {"signals": {"codex": "traces"}})
    del rows.read[:]
    second = await read_snapshot(rows, first)
    assert rows.read == ["globex"]
    assert second.maps["globex"].maps.signal_of("codex") == "traces"
    assert second.maps["acme"] is first.maps["acme"]
    del rows.stored["acme"]
    assert set((await read_snapshot(rows, second)).maps) == {"globex"}


async def test_meters_are_read_again_where_they_changed_and_only_those() -> None:
    ping = [{"event_type": "ping", "ignored": "a heartbeat"}]

    class Stored:
        def __init__(self) -> None:
            self.numbers = {"acme": 1, "globex": 2}
            self.read: list[str] = []

        async def fetch(self, statement: str, *asked: list[str]) -> list[dict[str, Any]]:
            if statement == SQL["meter_numbers"]:
                return [{"tenant": of, "number": number} for of, number in self.numbers.items()]
            if statement != SQL["meters"]:
                return []
            self.read += asked[0]
            return [{"tenant": of, "number": self.numbers[of], "meters": json.dumps(ping)} for of in asked[0]]

    rows = Stored()
    first = await read_snapshot(rows)
    assert first.meters["acme"].meters["ping"].ignored == "a heartbeat"
    rows.numbers["globex"] = 3
    del rows.read[:]
    second = await read_snapshot(rows, first)
    assert rows.read == ["globex"]
    assert second.meters["acme"] is first.meters["acme"]
