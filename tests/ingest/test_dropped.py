"""Fields that are not stored: the answer names them, and so does a table that is written in the background."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.ingest.dropped import NAMES_PER_KEY_MAX, PENDING_MAX, DroppedNamesWriter
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET
from tests.ingest.harness import Ingest, event
from tests.ingest.test_accept import credential

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
ROWS_S_MAX = 30
ODD = ["data.cost", "data.labels.costcenter"]


def odd(id: str) -> dict[str, Any]:
    """An event that has both ODD names."""
    sent = event(id)
    sent["data"] |= {"cost": "0.30", "labels": {"team": "search", "costcenter": "cc-7"}}
    return sent


async def rows(door: Ingest, key: str) -> dict[str, asyncpg.Record]:
    """What is written of ODD's names by this key; other tests at the same door send other names."""
    connection = await asyncpg.connect(door.database)
    try:
        found = await connection.fetch(
            "SELECT * FROM dropped_names WHERE key_id = $1 AND name = ANY ($2)",
            door.keys[key].split("_")[2],
            ODD,
        )
    finally:
        await connection.close()
    return {row["name"]: row for row in found}


async def test_the_answer_names_what_was_dropped_and_the_table_says_by_which_key(door: Ingest) -> None:
    for number in range(3):
        answer = door.post([odd(f"odd-{number}"), event(f"even-{number}")], key="trusted")
        assert answer.status_code == 204
        assert answer.headers["Spendmeter-Dropped"] == ", ".join(ODD)
    for _ in range(ROWS_S_MAX * 10):
        found = await rows(door, "trusted")
        if len(found) == 2 and all(row["requests"] == 3 for row in found.values()):
            break
        await asyncio.sleep(0.1)
    assert {name: row["requests"] for name, row in found.items()} == dict.fromkeys(ODD, 3)
    assert {row["tenant"] for row in found.values()} == {"acme"}
    assert not await rows(door, "globex")


async def test_a_known_event_has_no_such_header(door: Ingest) -> None:
    assert "Spendmeter-Dropped" not in door.post(event("known")).headers


@pytest.fixture
def names(door: Ingest) -> DroppedNamesWriter:
    return DroppedNamesWriter(role_url(door.database, "ingest", SECRET), Meters())


async def test_a_key_has_a_bounded_number_of_names_and_old_ones_make_room(
    door: Ingest, names: DroppedNamesWriter
) -> None:
    sender = credential("acme", key_id="many")
    names.note(sender, [f"data.x{n:04}" for n in range(NAMES_PER_KEY_MAX + 50)], NOW)
    taken, names._pending = names._pending, {}
    await names._write(taken)
    await names._write(taken)
    connection = await asyncpg.connect(door.database)
    count = "SELECT count(*) FROM dropped_names WHERE key_id = 'many'"
    try:
        assert await connection.fetchval(count) == NAMES_PER_KEY_MAX
        names.note(sender, ["data.new"], NOW + timedelta(days=91))
        await names._write(names._pending)
        assert await connection.fetchval(count) == NAMES_PER_KEY_MAX + 1
    finally:
        await connection.close()


def test_what_waits_for_postgres_is_bounded(names: DroppedNamesWriter) -> None:
    for number in range(PENDING_MAX + 10):
        names.note(credential(), [f"data.x{number}"], NOW)
    assert len(names._pending) == PENDING_MAX


async def test_ingest_may_write_names_and_nothing_else(door: Ingest) -> None:
    connection = await asyncpg.connect(role_url(door.database, "ingest", SECRET))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM dropped_names")
    finally:
        await connection.close()
