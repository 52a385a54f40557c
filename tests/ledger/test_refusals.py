"""Honest events are never rejected for what the database, and not a record, has wrong."""

from __future__ import annotations

import signal

import asyncpg
import pytest

from services.ledger.refusals import BAD_DATA_CHECKS, BadData, raising_bad_data
from tests.ledger.test_worker import System, system  # noqa: F401 - fixture

OWN_CHECKS = {
    "positions_check", "entries_kind_check", "unbooked_outcome_check", "remarks_daily_times_check", "remarks_daily_kinds_check",
}  # fmt: skip
"""What the ledger itself computes: a violation would be its bug, and no record's fault."""
WRITTEN = [
    "entries",
    "identities",
    "unbooked",
    "positions",
    "accounting",
    "rollups_minute",
    "remarks_daily",
    "series",
]


async def test_the_checks_that_reject_an_event_are_those_of_the_schema(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE contype = 'c' AND conrelid = ANY ($1::text[]::regclass[])", WRITTEN,
    )  # fmt: skip
    checks = dict(tuple(row) for row in rows)
    assert checks.keys() == BAD_DATA_CHECKS | OWN_CHECKS
    for column in ("list", "contracted", "effective", "status"):
        assert f"{column} >" in checks[f"entries_{column}_check"] or column == "status", checks


def test_only_a_named_check_is_bad_data() -> None:
    bad = asyncpg.CheckViolationError("violates check constraint")
    bad.constraint_name = "entries_list_check"
    with pytest.raises(BadData), raising_bad_data():
        raise bad
    for other in (
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.CheckViolationError('no partition of relation "entries" found for row'),
        asyncpg.NotNullViolationError("null value"),
        ValueError("a bug of ours"),
    ):
        with pytest.raises(type(other)), raising_bad_data():
            raise other


async def test_a_unique_violation_rejects_no_event_and_the_line_says_why_it_stands(
    system: System,  # noqa: F811
) -> None:
    await system.events(20)
    await system.rate(system.rated(10))
    ledger = await system.ledger()
    await system.until_booked(10)
    ledger.send_signal(signal.SIGTERM)
    await ledger.wait()
    # an entry without its identity, as a half restored backup leaves it
    lost = await system.owner.fetchrow("DELETE FROM identities WHERE origin_offset = 4 RETURNING *")
    await system.rate(system.rated(10, start=10)[:3])
    again = system.rated(1, start=4)[0]
    copy = system.rated(1, start=13)[0]
    await system.rate([_as(again, copy)])
    await system.rate(system.rated(6, start=14))
    await system.ledger()
    month = f"entries_{lost['recorded_on']:%Y%m}"
    assert f"{month}_pkey of {month}" in await system.stopped()
    assert await system.owner.fetchval("SELECT count(*) FROM unbooked") == 0
    assert await system.owner.fetchval("SELECT rejected FROM positions WHERE partition = 0") == 0
    await system.owner.execute("INSERT INTO identities VALUES ($1, $2, $3, $4, $5, $6, $7)", *lost)
    await system.until_booked(19)  # it goes on by itself: 10 + 3 + 6, and one copy of offset 4
    row = await system.owner.fetchrow("SELECT booked, duplicate, rejected FROM positions WHERE partition = 0")
    assert tuple(row) == (19, 1, 0)


def _as(event, place):  # type: ignore[no-untyped-def]
    """`event` once more, where `place` lies."""
    import msgspec

    return msgspec.structs.replace(event, origin=place.origin, prev=place.prev)


async def test_a_missing_partition_stops_the_line_by_name_and_rejects_nothing(
    system: System,  # noqa: F811
) -> None:
    await system.events(5)
    await system.rate(system.rated(5))
    # as if the months ahead had run out: rollups of a partition that nobody made
    await system.owner.execute(
        "ALTER TABLE unbooked RENAME TO unbooked_whole; "
        "CREATE TABLE unbooked (LIKE unbooked_whole INCLUDING DEFAULTS) PARTITION BY RANGE (recorded_at)"
    )
    ledger = f'"{system.database.rsplit("/", 1)[1]}_ledger"'
    await system.owner.execute(f"GRANT SELECT, INSERT ON unbooked TO {ledger}")
    try:
        await system.rate([b"rubbish"])
        await system.ledger()
        assert 'no partition of relation "unbooked"' in await system.stopped()
        assert await system.owner.fetchval("SELECT coalesce(sum(rejected), 0) FROM positions") == 0
        await system.owner.execute("CREATE TABLE unbooked_rest PARTITION OF unbooked DEFAULT")
        await system.until_booked(5)
        assert await system.owner.fetchval("SELECT count(*) FROM unbooked WHERE outcome = 'stray'") == 1
    finally:
        await system.owner.execute("DROP TABLE unbooked; ALTER TABLE unbooked_whole RENAME TO unbooked")
