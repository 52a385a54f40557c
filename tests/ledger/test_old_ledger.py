"""A ledger of before there were marks, which runs after the migration: it is stopped, and books nothing wrongly."""

from __future__ import annotations

import asyncpg
import pytest

from services.ledger.refusals import DATA_ERRORS, raising_bad_data
from spendmeter.platform.retry import passes
from tests.ledger_records import RATED_TOPIC, TOPIC

MOVED_THEN = """
UPDATE positions SET position = $3, next_origin = $4, booked = booked + $5, duplicate = duplicate + $6,
    conflict = conflict + $7, rejected = rejected + $8, holes = holes + $9, stray = stray + $10
WHERE partition = $1 AND position = $2
"""
"""As the release before rollups above the minute ended a booking."""


async def test_a_ledger_that_leaves_no_marks_is_stopped_by_an_error_for_which_no_event_is_rejected(
    ledger: asyncpg.Connection, owner: asyncpg.Connection
) -> None:
    await owner.execute(
        "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES (0, $1, $2)", RATED_TOPIC, TOPIC
    )
    refused = pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="older than the schema")
    with refused as caught, raising_bad_data():
        await ledger.execute(MOVED_THEN, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0)
    error = caught.value
    assert not (isinstance(error, (*DATA_ERRORS, asyncpg.IntegrityConstraintViolationError)) or passes(error))
    assert await owner.fetchval("SELECT position FROM positions") == 0
