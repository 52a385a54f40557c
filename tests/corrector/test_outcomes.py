"""Outcomes on a real Postgres: kept once each, by whoever holds the position, whatever lies on the topic."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.corrector.outcomes.intake import collect, encode_rows, row_of
from services.corrector.outcomes.keep import OutcomePosition, OutcomesMoved, keep, read_position
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import EventError
from spendmeter.contracts.outcomes import OUTCOME_TYPE
from spendmeter.contracts.topics import USAGE_OUTCOMES
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.roles import role_url
from tests.corrector.test_worker import System
from tests.databases import SECRET
from tests.waiting import until

PATIENCE_S = 60


def outcome(id: str, tenant: str = "acme", **data: Any) -> bytes:
    """As ingest publishes it."""
    data.setdefault("name", "merged")
    event = {
        "specversion": "1.0",
        "type": OUTCOME_TYPE,
        "id": id,
        "source": "ci",
        "subject": "ci",
        "data": data,
    }
    stamped = {
        "tenant": tenant,
        "keyid": "k1",
        "time": "2026-11-26T10:00:00Z",
        "receivedat": "2026-11-26T10:00:01Z",
    }
    return msgspec.json.encode({**event, **stamped})


def numbered(*values: bytes | None, since: int = 0) -> list[tuple[int, bytes | None]]:
    return list(enumerate(values, since))


async def counts(owner: asyncpg.Connection) -> tuple[int, ...]:
    """Position, kept, duplicate, conflict, rejected, holes."""
    return tuple(
        await owner.fetchrow(
            "SELECT position, kept, duplicate, conflict, rejected, holes FROM outcome_position"
        )
    )


@pytest.fixture
async def start(corrector: asyncpg.Connection) -> OutcomePosition:
    return await read_position(corrector, "topic")


async def test_an_outcome_is_kept_as_it_was_said(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition
) -> None:
    labels = {
        "run": "run-81",
        "workflow": "refund",
        "workflow_version": "v2",
        "team": "payments",
        "user": "hmac:1",
    }
    value = {"amount": "4.20", "currency": "USD"}
    batch = collect(0, numbered(outcome("o1", count=3, value=value, accepted=True, labels=labels)))
    after, _ = await keep(corrector, start, batch)
    assert after.position == 1
    row = await owner.fetchrow(
        "SELECT tenant, source, event_id, key_id, kind, target, name, count, value::text, currency, accepted, run, "
        "workflow, workflow_version, labels::text, occurred_at::text FROM outcomes WHERE identity = $1",
        identity("acme", "ci", "o1"),
    )
    assert tuple(row) == (
        *(
            "acme",
            "ci",
            "o1",
            "k1",
            "outcome",
            None,
            "merged",
            3,
            "4.20",
            "USD",
            True,
            "run-81",
            "refund",
            "v2",
        ),
        *('{"team": "payments", "user": "hmac:1"}', row["occurred_at"]),
    )


async def test_of_one_identity_the_first_stays_and_another_is_visible_whether_in_one_batch_or_later(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition
) -> None:
    """8 records: 2 kept, 3 that say the same, 2 that say something else, 1 that cannot be read."""
    first = numbered(outcome("o1"), outcome("o1"), outcome("o1", count=2), outcome("o2"), b"{")
    after, _ = await keep(corrector, start, collect(0, first))
    again = numbered(outcome("o1"), outcome("o2", name="shipped"), outcome("o2"), since=5)
    await keep(corrector, after, collect(5, again))
    assert await counts(owner) == (8, 2, 3, 2, 1, 0)
    assert await owner.fetchval("SELECT sum(count) FROM outcomes") == 2
    faults = await owner.fetch(
        "SELECT origin_offset, fault, tenant, event_id FROM outcome_faults ORDER BY origin_offset"
    )
    assert list(map(tuple, faults)) == [
        (2, "conflict", "acme", "o1"),
        (4, "rejected", "", ""),
        (6, "conflict", "acme", "o2"),
    ]


async def test_read_again_from_the_beginning_changes_nothing(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition
) -> None:
    records = numbered(outcome("o1"), None, outcome("o1", count=2), outcome("o2"))
    after, _ = await keep(corrector, start, collect(0, records))
    before = await counts(owner)
    assert collect(after.position, records).position == after.position
    with pytest.raises(OutcomesMoved):
        await keep(corrector, start, collect(0, records))
    assert await counts(owner) == before
    # the position lost, as by a restored database that has the outcomes: all are duplicates or what they were
    await owner.execute("TRUNCATE outcome_position, outcome_faults")
    await keep(corrector, await read_position(corrector, "topic"), collect(0, records))
    assert await counts(owner) == (4, 0, 2, 1, 1, 0)


async def test_of_two_that_keep_the_same_one_is_told_and_writes_nothing(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition, database: str
) -> None:
    other = await asyncpg.connect(role_url(database, "corrector", SECRET))
    records = numbered(*(outcome(f"o{n}") for n in range(100)))
    done = await asyncio.gather(
        *(keep(each, start, collect(0, records)) for each in (corrector, other)), return_exceptions=True
    )
    await other.close()
    assert sorted(type(each).__name__ for each in done) == ["OutcomesMoved", "tuple"]
    assert await counts(owner) == (100, 100, 0, 0, 0, 0)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id",
    "source",
    "time",
    "receivedat",
    "tenant",
    "keyid",
    "data",
    "name",
    "count",
    "value",
    "accepted",
    "labels",
)


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=200) | st.tuples(st.sampled_from(FIELDS), json_values))
def test_whatever_lies_on_the_topic_is_a_row_or_is_refused(made_up: bytes | tuple[str, Any]) -> None:
    with contextlib.suppress(EventError):
        encode_rows([row_of(made_up if isinstance(made_up, bytes) else spoiled(*made_up))])


def spoiled(field: str, value: Any, id: str = "o1") -> bytes:
    said = json.loads(outcome(id))
    (said if field in said else said["data"])[field] = value
    return json.dumps(said).encode()


async def test_the_database_holds_whatever_passes(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition
) -> None:
    """The most, the oldest and the longest that a record may state."""
    most = {"amount": "9" * 18 + "." + "9" * 12, "currency": "USD"}
    own = {f"d{n}": "\U0001f600" * 128 for n in range(8)}
    labels = dict.fromkeys(("run", "workflow", "workflow_version", "team", "user"), "ü" * 128) | {"own": own}
    said = [
        outcome("a", count=2**63 - 1, value=most, labels=labels),
        spoiled("time", "0001-01-01T00:00:00Z", "first"),
        spoiled("time", "9999-12-31T23:59:59.999999Z", "last"),
        spoiled("id", "\ud83d\ude00" + "\\" * 200),
        spoiled("receivedat", "0001-01-01T00:00:00+14:00", "before"),
        spoiled("labels", {"own": {"x": "\u0085"}}),
        outcome("b", name="'; DROP TABLE outcomes; --"),
    ]
    await keep(corrector, start, collect(0, numbered(*said)))
    assert await counts(owner) == (7, 6, 0, 0, 1, 0)


async def test_offsets_that_kafka_itself_took_are_counted(
    owner: asyncpg.Connection, corrector: asyncpg.Connection, start: OutcomePosition
) -> None:
    await keep(corrector, start, collect(0, [(2, outcome("o1")), (5, outcome("o2"))]))
    assert await counts(owner) == (6, 2, 0, 0, 0, 4)


async def test_api_sees_the_outcomes_of_its_tenant_alone(
    corrector: asyncpg.Connection, start: OutcomePosition, database: str
) -> None:
    records = numbered(outcome("o1"), outcome("o1", "globex"), outcome("o1", "globex", count=2))
    await keep(corrector, start, collect(0, records))
    api = await asyncpg.connect(role_url(database, "api", SECRET))
    seen: Counter[str] = Counter()
    async with api.transaction():
        await api.execute("SELECT set_config('app.tenant', 'acme', true)")
        for table in ("outcomes", "outcome_faults"):
            seen[table] = await api.fetchval(f"SELECT count(*) FROM {table}")
    await api.close()
    assert seen == {"outcomes": 1, "outcome_faults": 0}


@pytest.fixture
async def system(
    kafka_access: KafkaAccess, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[System]:
    running = System(kafka_access, database, owner, tmp_path / "corrector.log")
    await running.make_topics()
    await running.producer.start()
    yield running
    await running.close()
    print(running.log.read_text("utf-8"))


async def test_the_process_keeps_each_once_and_survives_being_killed(
    owner: asyncpg.Connection, system: System
) -> None:
    """3 x 2,000 records, of which every tenth says again what the one before it said: 5,400 are kept."""
    topic = system.prefix + USAGE_OUTCOMES.name
    sent = 0
    for round_ in range(3):
        for n in range(2_000):
            record = outcome(f"o{round_}.{n - (n % 10 == 9)}")
            await system.producer.send(topic, record, key=b"k")
        await system.producer.flush()
        sent += 2_000
        process = await system.corrector()
        if round_ < 2:
            await until(partial(is_past, owner, sent - 2_000), "outcomes to be kept", within_s=PATIENCE_S)
            process.kill()
            await process.wait()
    await until(lambda: is_past(owner, sent - 1), "all outcomes to be kept", within_s=PATIENCE_S)
    assert await counts(owner) == (6_000, 5_400, 600, 0, 0, 0)
    assert await owner.fetchval("SELECT count(*) FROM outcomes") == 5_400


async def test_a_topic_that_was_created_anew_stops_the_line_and_is_named(
    owner: asyncpg.Connection, system: System
) -> None:
    topic = system.prefix + USAGE_OUTCOMES.name
    await system.producer.send_and_wait(topic, outcome("o1"))
    await owner.execute("INSERT INTO outcome_position (topic, position, kept) VALUES ('another', 1, 1)")
    process = await system.corrector()
    await system.until_said("outcomes are lost")
    said = system.log.read_text("utf-8")
    assert "created anew" in said
    # as docs/stopped-line.md says
    process.terminate()
    await process.wait()
    topic_id = said.split("another became ")[1].split(")")[0]
    await owner.execute("DELETE FROM outcome_position")
    values = f"('{topic_id}', 0, 0)"
    await owner.execute(f"INSERT INTO outcome_position (topic, position, holes) VALUES {values}")
    await system.corrector()
    await until(lambda: is_past(owner, 0), "the outcome to be kept", within_s=PATIENCE_S)


async def is_past(owner: asyncpg.Connection, position: int) -> bool:
    return bool(await owner.fetchval("SELECT position > $1 FROM outcome_position", position))
