"""What people see, and what becomes of the money, while a part of a running system is frozen."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import pytest

from tests.faults.kinds.frozen import stopped
from tests.faults.kinds.restarts import without_writes
from tests.flow.book import settled
from tests.flow.system import System, eventually, usage_event
from tests.hardship import takeover

TOLD_WITHIN_S = 60
"""A figure ages in 3 s and a heartbeat in 5 s; a test machine may be busy."""


@pytest.fixture(scope="module")
def freezing(second: System) -> System:
    """Nothing was sent to it yet: these come first."""
    return second


@pytest.fixture
async def owner(freezing: System) -> AsyncIterator[asyncpg.Connection]:
    connection = await freezing.database()
    yield connection
    await connection.close()


@contextmanager
def frozen(system: System, name: str) -> Iterator[None]:
    """The process and its children do nothing meanwhile."""
    process = system.process(name).identity.process()
    assert process is not None
    with stopped(process):
        yield


def status(system: System) -> dict[str, Any]:
    done = system.cli("status", "--json", check=False)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def said(system: System, name: str) -> tuple[str, str]:
    """(state, trouble) of a process by `status`."""
    entry = next(entry for entry in status(system)["processes"] if entry["name"] == name)
    return entry["state"], entry["trouble"]


def ready(system: System, name: str) -> str:
    """'' or why the service says that it is not ready."""
    answer = httpx.get(f"http://127.0.0.1:{system.process(name).port}/ready", timeout=10)
    return "" if answer.status_code == 200 else str(answer.json()["detail"])


async def test_what_is_accepted_while_the_ledger_is_frozen_is_in_flight_and_status_calls_it_frozen(
    freezing: System, owner: asyncpg.Connection
) -> None:
    assert freezing.send(*(usage_event(f"before-{n}", source="frozen") for n in range(20))).status_code == 204
    await settled(owner, "frozen", 20)
    booked = status(freezing)["events"]["booked"]  # the tests before this one have booked, too
    with frozen(freezing, "ledger"):
        for batch in range(3):
            events = [usage_event(f"during-{batch}-{n}", source="frozen") for n in range(50)]
            assert freezing.send(*events).status_code == 204

        def in_flight() -> bool:
            return bool(freezing.get("/v1/spend")["in_flight"] == 150)

        eventually("150 events are in flight", in_flight, TOLD_WITHIN_S)
        answer = freezing.get("/v1/spend")
        assert answer["in_flight_age_s"] <= 3
        eventually("status says frozen", lambda: said(freezing, "ledger")[0] == "frozen", TOLD_WITHIN_S)
        assert said(freezing, "ledger")[1].startswith("no answer for ")
        events = status(freezing)["events"]
        assert (events["in_flight"], events["booked"]) == (150, booked)
    counted = await settled(owner, "frozen", 170)
    assert dict(counted) == {"booked": 170}
    eventually("the ledger works again", lambda: said(freezing, "ledger") == ("ready", ""), TOLD_WITHIN_S)


def test_with_a_frozen_broker_in_flight_is_unknown_and_every_service_that_needs_it_is_not_ready(
    freezing: System,
) -> None:
    before = freezing.get("/v1/spend")
    with frozen(freezing, "kafka"):
        eventually("unknown", lambda: freezing.get("/v1/spend")["in_flight"] is None, TOLD_WITHIN_S)
        answer = freezing.get("/v1/spend")
        assert answer["in_flight_age_s"] >= 3  # more than 3 s, said in tenths
        stopped = answer["complete_through"]
        for name in ("ingest", "rating", "ledger", "alerts"):
            eventually(f"{name} says so", lambda name=name: ready(freezing, name), TOLD_WITHIN_S)
        assert ready(freezing, "api") == ""  # what was booked can be read all the same
        assert said(freezing, "kafka")[0] == "frozen"
        assert freezing.get("/v1/spend")["complete_through"] == stopped >= before["complete_through"]
        assert status(freezing)["events"]["in_flight"] is None
    for name in ("ingest", "rating", "ledger", "alerts"):
        eventually(f"{name} is ready again", lambda name=name: not ready(freezing, name), TOLD_WITHIN_S)
    eventually("known again", lambda: freezing.get("/v1/spend")["in_flight"] == 0, TOLD_WITHIN_S)


def test_with_a_frozen_database_status_names_it_and_ingest_goes_on(freezing: System) -> None:
    with frozen(freezing, "postgres"):
        for name in ("ledger", "alerts", "api"):
            eventually(f"{name} says so", lambda name=name: ready(freezing, name), TOLD_WITHIN_S)
        assert said(freezing, "postgres")[0] == "frozen"
        assert ready(freezing, "ingest") == ""
        assert freezing.send(usage_event("database-away", source="frozen-database")).status_code == 204
    for name in ("ledger", "alerts", "api"):
        eventually(f"{name} is ready again", lambda name=name: not ready(freezing, name), TOLD_WITHIN_S)


async def test_a_database_that_takes_no_writes_makes_the_ledger_not_ready_and_nothing_is_lost(
    freezing: System, owner: asyncpg.Connection
) -> None:
    async with without_writes(owner):
        assert (
            freezing.send(*(usage_event(f"r-{n}", source="read-only") for n in range(30))).status_code == 204
        )
        eventually(
            "the ledger says so",
            lambda: "ReadOnlySQLTransactionError" in ready(freezing, "ledger"),
            TOLD_WITHIN_S,
        )
    assert dict(await settled(owner, "read-only", 30)) == {"booked": 30}
    eventually("the ledger is ready again", lambda: not ready(freezing, "ledger"), TOLD_WITHIN_S)


async def test_the_partitions_of_a_ledger_frozen_inside_a_transaction_move_again_within_seconds(
    freezing: System, owner: asyncpg.Connection
) -> None:
    pid = freezing.process("ledger").pid
    since = await owner.fetchval("SELECT date_trunc('minute', now() - interval '2 days')")
    before = await recent_book(owner, since)
    measured = await asyncio.to_thread(takeover.measure, freezing)
    print(measured)
    assert measured["takeover_s"] < TOLD_WITHIN_S
    deadline = time.monotonic() + TOLD_WITHIN_S
    while freezing.get("/v1/spend")["in_flight"] != 0:
        assert time.monotonic() < deadline, "something stays in flight"
        await asyncio.sleep(0.5)
    assert freezing.process("ledger").pid == pid  # whichever was frozen woke up, added nothing and lives on
    entries, rolled_up, booked, rejected = (
        now - then for now, then in zip(await recent_book(owner, since), before, strict=True)
    )
    assert entries > 0
    assert (rolled_up, booked, rejected) == (entries, entries, 0)


async def recent_book(owner: asyncpg.Connection, since: datetime) -> tuple[int, ...]:
    """Entries from `since` on by their signs, events in their rollups; all that was ever booked, and rejected. Of
    one instant. Between two readings `since` stays: what assets accrued lies at every minute of the past, too."""
    row = await owner.fetchrow(
        """SELECT (SELECT coalesce(sum(1 - 2 * (seq % 2)), 0) FROM entries WHERE occurred_at >= $1),
            (SELECT coalesce(sum(events), 0) FROM rollups_minute WHERE bucket >= $1),
            (SELECT sum(booked) FROM positions), (SELECT count(*) FROM unbooked WHERE outcome = 'rejected')""",
        since,
    )
    return tuple(int(value) for value in row)
