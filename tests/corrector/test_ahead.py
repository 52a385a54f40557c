"""Whose chunk is read while another one is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from services.corrector.ahead import next_turn
from services.corrector.sweep import Chunk
from tests.ledger_records import NOON

BEFORE = Chunk(entries=(), cursor=(NOON + timedelta(minutes=1), b"i"), is_last=False)
LAST = Chunk(entries=(), cursor=(NOON, b""), is_last=True)


def job(rerate_id: str, tenant: str, phase: str = "applied", **said: Any) -> dict[str, Any]:
    """A row of `running`, which can go on unless `said` otherwise."""
    row = {"rerate_id": rerate_id, "tenant": tenant, "phase": phase, "swept": False, "log_ends": [0]}
    return row | {"cursor_at": NOON, "cursor_identity": b""} | said


def test_the_next_tenants_job_is_read_while_ones_is_written() -> None:
    jobs = [job("a1", "acme"), job("a2", "acme"), job("g", "globex"), job("i", "initech")]
    assert next_turn(jobs, BEFORE) == jobs[2]
    assert next_turn(jobs, LAST) == jobs[2]


def test_a_job_alone_goes_on_behind_what_is_written_until_that_was_the_last() -> None:
    waiting = [job("b", "globex", log_ends=None), job("c", "initech", swept=True)]
    following = next_turn([job("a", "acme"), *waiting], BEFORE)
    assert following == job("a", "acme", cursor_at=BEFORE.cursor[0], cursor_identity=b"i")
    assert next_turn([job("a", "acme"), *waiting], LAST) is None


def test_what_one_job_writes_may_change_what_another_of_its_tenant_reads() -> None:
    jobs = [job("a1", "acme"), job("a2", "acme", "preview")]
    assert next_turn(jobs, BEFORE) is None
    assert next_turn(jobs[::-1], BEFORE) == jobs[0]  # a dry run writes nothing


def test_a_dry_run_needs_no_barrier() -> None:
    jobs = [job("a", "acme"), job("g", "globex", "preview", log_ends=None)]
    assert next_turn(jobs, BEFORE) == jobs[1]
