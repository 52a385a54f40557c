"""The corrector's process on real Kafka and Postgres: started as in production."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from spendmeter.contracts.catalog import PUBLICATION_KEY, Publication, encode_catalog
from spendmeter.contracts.corrections import (
    CorrectionRequest,
    EventCorrection,
    RerateRequest,
    Selection,
    correction_key,
    encode_correction,
)
from spendmeter.contracts.topics import CATALOG, TOPICS, USAGE_CORRECTIONS, USAGE_EVENTS
from spendmeter.platform.catalog_store import record
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.roles import role_url
from tests.corrector.closing_world import ask_to_close, booked_by_period, carried, sums_at_close
from tests.corrector.written_book import Book, event
from tests.databases import SECRET
from tests.pricing.entries import price
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PARTITIONS = 2
CREATED_ANEW_S = 10
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


def retract(event_id: str, **fields: object) -> EventCorrection:
    said = {
        "id": f"c-{event_id}",
        "tenant": "acme",
        "source": "tests",
        "reason": "a test",
        "by": "k_1",
        "at": NOON,
    }
    return EventCorrection(**{**said, "event_id": event_id, "kind": "retract", **fields})  # type: ignore[arg-type]


class System:
    """Topics of this test's own, and correctors that read them."""

    def __init__(self, kafka: KafkaAccess, database: str, owner: asyncpg.Connection, log: Path) -> None:
        self.kafka, self.database, self.owner, self.log = kafka, database, owner, log
        self.prefix = f"t{uuid4().hex[:8]}."
        self.topic = self.prefix + USAGE_CORRECTIONS.name
        self.producer = AIOKafkaProducer(**kafka.options())
        self._processes: list[asyncio.subprocess.Process] = []

    async def make_topics(self) -> None:
        async with KafkaAdmin(self.kafka) as admin:
            await admin.ensure_topics(list(TOPICS.values()), prefix=self.prefix, partitions=PARTITIONS)

    async def corrector(self) -> asyncio.subprocess.Process:
        environment = os.environ | {
            **self.kafka.environment(),
            "DATABASE_URL": role_url(self.database, "corrector", SECRET),
            "SPENDMETER_TOPIC_PREFIX": self.prefix,
            "PYTHONPATH": str(ROOT),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.corrector"),
            env=environment,
            cwd=ROOT,
            stdout=self.log.open("ab"),
            stderr=-2,
        )
        self._processes.append(process)
        return process

    async def ask(self, *requests: CorrectionRequest | bytes) -> None:
        for request in requests:
            if isinstance(request, bytes):
                await self.producer.send(self.topic, request)
            else:
                await self.producer.send(self.topic, encode_correction(request), key=correction_key(request))
        await self.producer.flush()

    async def until_at(self, position: int) -> None:
        """Until so many records of the topic are worked off."""
        reached = "SELECT position = $1 FROM corrector"
        await until(lambda: self.owner.fetchval(reached, position), f"position {position}")

    async def until_said(self, words: str) -> None:
        await until(lambda: words in self.log.read_text("utf-8"), f"{words!r} in the log")

    async def close(self) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
        await self.producer.stop()


@pytest.fixture
async def system(
    kafka_access: KafkaAccess, database: str, owner: asyncpg.Connection, tmp_path: Path
) -> AsyncIterator[System]:
    running = System(kafka_access, database, owner, tmp_path / "corrector.log")
    await running.make_topics()
    await running.producer.start()
    # accepted and not rated: whatever is to be corrected may be among it
    await running.producer.send_and_wait(running.prefix + USAGE_EVENTS.name, b"an event", partition=1)
    yield running
    await running.close()
    print(running.log.read_text("utf-8"))


async def counts(system: System) -> tuple[int, ...]:
    row = await system.owner.fetchrow("SELECT position, accepted, repeated, stray FROM corrector")
    return tuple(row)


async def test_a_correction_of_an_event_that_is_not_booked_waits(system: System) -> None:
    await system.ask(retract("e1"))
    await system.corrector()
    await system.until_at(1)
    row = await system.owner.fetchrow("SELECT event_id, kind, state, log_ends FROM corrections")
    assert tuple(row) == ("e1", "retract", "waiting", [0, 1])


async def test_a_correction_is_of_an_unknown_event_once_all_is_booked_that_was_accepted_before(
    system: System,
) -> None:
    await system.ask(retract("e1"))
    await system.corrector()
    await system.until_at(1)
    await system.owner.execute(
        "INSERT INTO positions (partition, rated_topic, origin_topic, next_origin, rejected) VALUES (1, '', '', 1, 1)"
    )

    given_up = "SELECT state = 'unknown' FROM corrections"
    await until(lambda: system.owner.fetchval(given_up), "the correction to be given up")


async def test_a_correction_that_comes_again_and_what_is_none_are_counted_and_change_nothing(
    system: System,
) -> None:
    await system.ask(retract("e1"), b"rubbish", retract("e1", reason="the same id"), retract("e2"))
    await system.corrector()
    await system.until_at(4)
    assert await counts(system) == (4, 2, 1, 1)
    assert await system.owner.fetchval("SELECT reason FROM corrections WHERE event_id = 'e1'") == "a test"


async def test_a_topic_read_from_its_beginning_once_more_changes_nothing(system: System) -> None:
    await system.ask(retract("e1"), retract("e2"))
    first = await system.corrector()
    await system.until_at(2)
    first.send_signal(signal.SIGTERM)
    assert await first.wait() == 0
    before = await system.owner.fetch("SELECT * FROM corrections ORDER BY correction_id")
    await system.owner.execute("UPDATE corrector SET position = 0")
    await system.corrector()
    await system.until_at(2)
    assert await counts(system) == (2, 2, 2, 0)
    assert await system.owner.fetch("SELECT * FROM corrections ORDER BY correction_id") == before


async def test_nothing_is_corrected_before_a_restored_database_has_the_catalog_that_the_topic_has(
    system: System,
) -> None:
    """Version 2 is on its way back; a job of it came before, and is not refused for that."""
    marker = encode_catalog(Publication(version=2, entries=2, published_at=NOON))
    await system.producer.send_and_wait(system.prefix + CATALOG.name, marker, key=PUBLICATION_KEY)
    await record(system.owner, [price("m", "input_tokens", "1")], by="test", note="")
    job = RerateRequest(
        id="j1",
        tenant="acme",
        selection=Selection(),
        version=2,
        reason="a test",
        by="ada",
        at=NOON,
        apply=False,
    )
    await system.ask(retract("e1"), job)
    await system.corrector()
    await system.until_said("waiting for version 2 of the catalog")
    assert await counts(system) == (0, 0, 0, 0)
    await record(system.owner, [price("m", "output_tokens", "2")], by="test", note="")
    await system.until_at(2)
    assert await system.owner.fetchval("SELECT state FROM corrections") == "waiting", "for its event"
    previewed = "SELECT state = 'previewed' AND why = '' FROM rerate_jobs"
    await until(lambda: system.owner.fetchval(previewed), "the dry run to end")


async def test_of_two_correctors_one_reads_and_the_other_takes_over(system: System) -> None:
    one, two = await system.corrector(), await system.corrector()
    await system.ask(*(retract(f"e{n}") for n in range(20)))
    await system.until_at(20)
    one.kill()
    await system.ask(*(retract(f"e{n}") for n in range(20, 40)))
    await system.until_at(40)
    two.send_signal(signal.SIGTERM)
    assert await two.wait() == 0
    assert await counts(system) == (40, 40, 0, 0)


async def test_kill_9_while_it_closes_a_period_leaves_nothing_half_closed_and_carries_nothing_twice(
    system: System, book: Book
) -> None:
    """It is killed inside the transaction that says that the period is closed, before it has written its sums."""
    october, november = date(2026, 10, 1), date(2026, 11, 1)
    then, one = datetime(2026, 10, 20, 9, 30, tzinfo=UTC), Decimal("0.0035")
    await book.book_events(event("e1", time=then))
    holder = await asyncpg.connect(system.database)
    async with holder.transaction():
        await holder.execute("LOCK TABLE closing_sums IN SHARE MODE")
        await ask_to_close(book.owner, october)
        killed = await system.corrector()
        waits = (
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'closing_sums'::regclass AND NOT granted)"
        )
        await until(lambda: book.owner.fetchval(waits), "it to write the sums")
        killed.kill()
        await killed.wait()
        assert await book.owner.fetchval("SELECT closed_at FROM closed_periods") is None
    await holder.close()
    await book.book_events(event("late", time=then))
    await system.corrector()
    closed = "SELECT closed_at IS NOT NULL FROM closed_periods"
    await until(lambda: book.owner.fetchval(closed), "another one to close it")
    assert await sums_at_close(book) == {october: (1, one)}
    assert await book.owner.fetchval("SELECT count(*) FROM closing_sums") == 1
    assert await booked_by_period(book) == {october: (1, one), november: (1, one)}
    assert await carried(book) == [(then.date(), november, 1, one)]


async def test_a_topic_that_was_created_anew_stops_the_line(system: System) -> None:
    await system.ask(retract("e1"))
    await system.corrector()
    await system.until_at(1)
    admin = AIOKafkaAdminClient(**system.kafka.options())
    await admin.start()
    await admin.delete_topics([system.topic])
    await admin.close()
    await asyncio.sleep(1)
    await system.make_topics()
    async with asyncio.timeout(CREATED_ANEW_S):  # and not when the group asks for metadata again
        await system.until_said("was created anew")
