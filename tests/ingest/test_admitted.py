"""Own dimensions in a real Postgres: which names count, and what ingest processes tell each other of a day's values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from services.ingest import admitted, admitted_writer
from services.ingest.admitted import AdmittedValues
from services.ingest.admitted_writer import AdmittedValuesWriter
from services.ingest.keys import read_snapshot
from spendmeter.contracts.events import EventError, Labels
from spendmeter.platform.roles import role_url
from tests.databases import SECRET
from tests.ingest.harness import Ingest, records_of
from tests.ingest.test_own_labels import labelled

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
CUSTOMER = ("initech", "customer")
KNOWN_S_MAX = 30


@pytest.fixture
async def owner(door: Ingest) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(door.database)
    yield connection
    await connection.execute("TRUNCATE dimension_acts, admitted_values")
    await connection.close()


@pytest.fixture
async def by_ingest(door: Ingest) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(role_url(door.database, "ingest", SECRET))
    yield connection
    await connection.close()


async def act(owner: asyncpg.Connection, tenant: str, name: str, what: str) -> None:
    statement = "INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ($1, $2, $3, 'x', 'key k')"
    await owner.execute(statement, tenant, name, what)


async def write(door: Ingest, values: AdmittedValues) -> None:
    await AdmittedValuesWriter(role_url(door.database, "ingest", SECRET), values)._write()


def admit(values: AdmittedValues, now: datetime, *customers: str) -> list[str]:
    """Those of the customers for whom there was no room; the others came."""
    request = values.of(now)
    folded = [each for each in customers if request.folded(CUSTOMER[0], Labels(own={CUSTOMER[1]: each}))]
    request.keep()
    return folded


async def days(owner: asyncpg.Connection) -> list[tuple[date, str]]:
    rows = await owner.fetch(
        "SELECT day, value FROM admitted_values WHERE tenant = 'initech' ORDER BY day, value"
    )
    return [tuple(row) for row in rows]


async def test_the_last_act_of_a_name_says_whether_its_labels_are_kept(
    owner: asyncpg.Connection, by_ingest: asyncpg.Connection
) -> None:
    for tenant, name, what in (
        ("initech", "customer", "declared"),
        ("initech", "region", "declared"),
        ("initech", "region", "retired"),
        ("initech", "cost_centre", "declared"),
        ("initech", "cost_centre", "retired"),
        ("initech", "cost_centre", "declared"),
        ("hooli", "region", "declared"),
        ("gone", "customer", "declared"),
        ("gone", "customer", "retired"),
    ):
        await act(owner, tenant, name, what)
    declared = (await read_snapshot(by_ingest)).dimensions
    assert {tenant: set(names) for tenant, names in declared.items()} == {
        "initech": {"customer", "cost_centre"},
        "hooli": {"region"},
    }


async def test_a_process_knows_what_another_has_admitted_and_the_bound_is_of_both(
    door: Ingest, owner: asyncpg.Connection, by_ingest: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admitted, "VALUES_PER_DAY_MAX", 3)
    one, other = AdmittedValues(), AdmittedValues()
    assert admit(one, NOON, "c1", "c2") == []
    assert admit(other, NOON, "c2") == []
    await write(door, one)
    await write(door, other)  # c2 once more, which is there
    assert await days(owner) == [(NOON.date(), "c1"), (NOON.date(), "c2")]
    for each in (one, other):
        await each.read(by_ingest, NOON)
    assert admit(other, NOON, "c1", "c3", "c4") == ["c4"]
    await write(door, other)
    await one.read(by_ingest, NOON)
    assert admit(one, NOON, "c4", "c3", "c2") == ["c4"]
    assert one.take_unwritten() == [], "what was read need not be written"


async def test_what_was_numbered_earlier_and_committed_later_is_read_too(
    door: Ingest, owner: asyncpg.Connection, by_ingest: asyncpg.Connection
) -> None:
    late, quick, reader = AdmittedValues(), AdmittedValues(), AdmittedValues()
    admit(late, NOON, "late")
    admit(quick, NOON, "quick")
    held = owner.transaction()
    await held.start()
    await owner.executemany(admitted.SQL["admit"], late.take_unwritten())
    await write(door, quick)
    await reader.read(by_ingest, NOON)
    assert reader.values[CUSTOMER] == {"quick"}
    await held.commit()
    await reader.read(by_ingest, NOON)
    assert reader.values[CUSTOMER] == {"quick", "late"}


async def test_a_day_has_its_own_values_and_those_before_yesterday_are_forgotten(
    door: Ingest, owner: asyncpg.Connection, by_ingest: asyncpg.Connection
) -> None:
    values, today = AdmittedValues(), NOON.date()
    for ago in (2, 1, 0):
        admit(values, NOON - timedelta(days=ago), f"c{ago}")
    await write(door, values)
    assert await days(owner) == [(today - timedelta(days=1), "c1"), (today, "c0")]
    fresh = AdmittedValues()
    await fresh.read(by_ingest, NOON)
    assert fresh.values[CUSTOMER] == {"c0"}


async def test_what_could_not_be_written_is_written_the_next_time(
    door: Ingest, owner: asyncpg.Connection
) -> None:
    values = AdmittedValues()
    admit(values, NOON, "c1")
    nowhere = AdmittedValuesWriter(role_url(door.database, "ingest", "not this"), values)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await nowhere._write()
    admit(values, NOON, "c2")
    await write(door, values)
    assert [value for _, value in await days(owner)] == ["c1", "c2"]


async def test_what_is_too_much_for_one_time_is_written_part_by_part_and_a_part_that_was_stays(
    door: Ingest, owner: asyncpg.Connection, by_ingest: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three values, two at a time; for the third the writer waits in vain."""
    monkeypatch.setattr(admitted, "WRITTEN_AT_ONCE", 2)
    monkeypatch.setattr(admitted_writer, "WRITE_S_MAX", 1.0)
    values = AdmittedValues()
    for each in ("c1", "c2", "c3"):
        admit(values, NOON, each)
    held = owner.transaction()
    await held.start()
    await owner.execute(admitted.SQL["admit"], CUSTOMER[0], NOON.date(), CUSTOMER[1], "c3")
    with pytest.raises(TimeoutError):
        await write(door, values)
    assert [value for _, value in await days(by_ingest)] == ["c1", "c2"]
    await held.rollback()
    await write(door, values)
    assert [value for _, value in await days(owner)] == ["c1", "c2", "c3"]


async def test_a_door_that_may_not_write_goes_on_and_keeps_what_it_admitted(door: Ingest) -> None:
    values = AdmittedValues()
    admit(values, NOON, "c1")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1):
            await AdmittedValuesWriter(role_url(door.database, "ingest", "not this"), values).keep_writing()
    assert [value for *_, value in values.take_unwritten()] == ["c1"]


async def test_a_running_door_keeps_what_is_declared_from_then_on_and_writes_its_values_down(
    door: Ingest, owner: asyncpg.Connection
) -> None:
    sent = labelled("own-before", region="eu")
    assert door.post(sent, key="globex").headers["Spendmeter-Dropped"] == "data.labels.region"
    await act(owner, "globex", "region", "declared")
    for number in range(KNOWN_S_MAX * 2):
        sent = labelled(f"own-{number}", region="eu")
        if "Spendmeter-Dropped" not in door.post(sent, key="globex").headers:
            break
        await asyncio.sleep(0.5)
    assert door.post(labelled("own-acme", region="eu")).headers["Spendmeter-Dropped"] == "data.labels.region"
    texts = [record.value.decode() for record in await records_of(door.kafka, door.topic)]
    assert ['"own":{"region":"eu"}' in text for text in texts if f'"id":"own-{number}"' in text] == [True]
    assert ["eu" in text for text in texts if '"id":"own-acme"' in text or '"id":"own-before"' in text] == [
        False
    ] * 2
    find = "SELECT value FROM admitted_values WHERE tenant = 'globex' AND dimension = 'region'"
    for _ in range(KNOWN_S_MAX * 10):
        if await owner.fetchval(find) == "eu":
            break
        await asyncio.sleep(0.1)
    assert await owner.fetchval(find) == "eu"


def test_values_of_a_label_beyond_the_days_room_are_folded_and_nobody_elses_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admitted, "LABEL_VALUES_PER_DAY_MAX", 2)
    values = AdmittedValues()
    request = values.of(NOON)
    assert request.folded("acme", Labels(team="a", agent="x")) == ()
    assert request.folded("acme", Labels(team="b", agent="x")) == ()
    assert request.folded("acme", Labels(team="c", agent="y")) == ("team",)
    assert request.folded("acme", Labels(team="c", agent="z")) == ("agent", "team")
    assert request.folded("globex", Labels(team="c")) == ()
    assert request.folded("acme", Labels(run="r1", user="u1")) == (), "they make no series"
    assert request.folded_count == 3
    request.keep()
    later = values.of(NOON + timedelta(hours=1))
    assert later.folded("acme", Labels(team="a")) == (), "what came already has its place"
    assert later.folded("acme", Labels(team="c")) == ("team",)
    assert values.of(NOON + timedelta(days=1)).folded("acme", Labels(team="c")) == ()


def test_what_stands_for_folded_values_is_no_label() -> None:
    with pytest.raises(EventError) as caught:
        AdmittedValues().of(NOON).folded("acme", Labels(workflow="~other"))
    assert caught.value.field == "data.labels.workflow"


def test_where_the_memory_of_labels_is_full_money_and_labels_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admitted, "LABELS_MAX", 1)
    values = AdmittedValues()
    for team in ("a", "b", "c"):
        request = values.of(NOON)
        assert request.folded("acme", Labels(team=team)) == ()
        request.keep()
    assert values.labels_count == 1
