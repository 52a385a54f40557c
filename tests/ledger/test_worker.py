"""The ledger's process on real Kafka and Postgres: started as in production, fed with records as rating's."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from spendmeter.contracts.rated import RatedUsage, encode_rated
from spendmeter.contracts.topics import TOPICS, USAGE_EVENTS, USAGE_RATED
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.roles import role_url
from tests.databases import SECRET
from tests.ledger_records import NOON, rated, usage_event
from tests.waiting import until

ROOT = Path(__file__).parents[2]
PARTITIONS = 2
PATIENCE_S = 30


class System:
    """Topics of this test's own, and ledger processes that read them."""

    def __init__(
        self, kafka: KafkaAccess, database: str, owner: asyncpg.Connection, prefix: str, log: Path
    ) -> None:
        self.kafka = kafka
        self.database = database
        self.owner = owner
        self.prefix = prefix
        self.log = log
        self.producer = AIOKafkaProducer(**kafka.options())
        self.topic_id = ""
        self._processes: list[asyncio.subprocess.Process] = []

    def topic(self, name: str) -> str:
        return self.prefix + name

    async def start(self) -> None:
        async with KafkaAdmin(self.kafka) as admin:
            await admin.ensure_topics(list(TOPICS.values()), prefix=self.prefix, partitions=PARTITIONS)
            self.topic_id = (await admin.topics([self.topic(USAGE_EVENTS.name)]))[
                self.topic(USAGE_EVENTS.name)
            ].id
        await self.producer.start()

    async def ledger(self) -> asyncio.subprocess.Process:
        environment = os.environ | {
            **self.kafka.environment(),
            "DATABASE_URL": role_url(self.database, "ledger", SECRET),
            "SPENDMETER_TOPIC_PREFIX": self.prefix,
            "PYTHONPATH": str(ROOT),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.ledger",
            env=environment,
            cwd=ROOT,
            stdout=self.log.open("ab"),
            stderr=-2,
        )
        self._processes.append(process)
        return process

    async def events(self, count: int, partition: int = 0) -> None:
        """Put `count` records on usage.events, whose offsets the rated records answer."""
        for n in range(count):
            await self.producer.send(self.topic(USAGE_EVENTS.name), b"%d" % n, partition=partition)
        await self.producer.flush()

    async def rate(self, records: Sequence[RatedUsage | bytes | None], partition: int = 0) -> None:
        for record in records:
            value = encode_rated(record) if isinstance(record, RatedUsage) else record
            await self.producer.send(self.topic(USAGE_RATED.name), value, key=b"k", partition=partition)
        await self.producer.flush()

    def rated(
        self, count: int, *, start: int = 0, partition: int = 0, time: datetime = NOON
    ) -> list[RatedUsage]:
        return [
            rated(usage_event(f"p{partition}-e{n}", time=time), n, partition=partition, topic=self.topic_id)
            for n in range(start, start + count)
        ]

    async def booked(self) -> int:
        return int(await self.owner.fetchval("SELECT count(*) FROM entries"))

    async def until_booked(self, count: int) -> None:
        reached = "SELECT count(*) >= $1 FROM entries"
        await until(lambda: self.owner.fetchval(reached, count), f"{count} to be booked")
        assert await self.booked() == count

    async def stopped(self, partition: int = 0) -> str:
        why = "SELECT stopped FROM log_ends WHERE partition = $1"
        return str(await until(lambda: self.owner.fetchval(why, partition), "the line to stop"))

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
    running = System(kafka_access, database, owner, f"t{uuid4().hex[:8]}.", tmp_path / "ledger.log")
    await running.start()
    yield running
    await running.close()
    print(running.log.read_text("utf-8"))


async def test_records_are_booked_and_kafka_is_told(system: System) -> None:
    await system.events(50)
    await system.rate(system.rated(50))
    await system.ledger()
    await system.until_booked(50)

    async def committed() -> bool:
        async with KafkaAdmin(system.kafka) as admin:
            offsets = await admin.committed(system.prefix + "ledger")
        return offsets.get(TopicPartition(system.topic(USAGE_RATED.name), 0)) == 50

    await until(committed, "Kafka to be told")

    none_in_flight = "SELECT log_end = 50 AND stopped = '' FROM log_ends WHERE partition = 0"
    await until(lambda: system.owner.fetchval(none_in_flight), "nothing to be in flight")


async def test_what_lies_behind_an_open_transaction_is_in_flight(system: System) -> None:
    await system.events(3)
    await system.rate(system.rated(3))
    await system.ledger()
    await system.until_booked(3)
    writer = AIOKafkaProducer(**system.kafka.options(), transactional_id=system.prefix)
    await writer.start()
    try:
        await writer.begin_transaction()
        await writer.send_and_wait(system.topic(USAGE_EVENTS.name), b"undecided", partition=0)
        await system.events(2)

        seen = "SELECT log_end = 6 FROM log_ends WHERE partition = 0"
        await until(lambda: system.owner.fetchval(seen), "what lies behind it to be in flight")
        await writer.abort_transaction()
    finally:
        await writer.stop()


async def test_a_term_signal_ends_the_process_cleanly_and_the_next_one_goes_on(system: System) -> None:
    process = await system.ledger()
    await system.events(20)
    await system.rate(system.rated(10))
    await system.until_booked(10)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0
    await system.rate(system.rated(10, start=10))
    await system.ledger()
    await system.until_booked(20)


async def test_two_ledgers_share_the_partitions_and_survive_each_other(system: System) -> None:
    first, _ = await system.ledger(), await system.ledger()
    for partition in range(PARTITIONS):
        await system.events(200, partition)
        await system.rate(system.rated(100, partition=partition), partition)
    await system.until_booked(200)
    first.kill()
    for partition in range(PARTITIONS):
        await system.rate(system.rated(100, start=100, partition=partition), partition)
    await system.until_booked(400)
    assert await system.owner.fetchval("SELECT sum(events) FROM rollups_minute") == 400


async def test_replaying_the_whole_topic_changes_nothing(system: System) -> None:
    await system.events(30)
    await system.rate(system.rated(30))
    await system.ledger()
    await system.until_booked(30)
    before = await system.owner.fetchval(
        "SELECT md5(string_agg(e::text, '' ORDER BY e::text)) FROM entries e"
    )
    await system.rate([*system.rated(30), *system.rated(1, start=30)])
    await system.until_booked(31)
    after = await system.owner.fetchval(
        "SELECT md5(string_agg(e::text, '' ORDER BY e::text)) FROM entries e WHERE origin_offset < 30"
    )
    assert before == after
    assert await system.owner.fetchval("SELECT duplicate FROM positions WHERE partition = 0") == 0


async def test_one_poison_record_in_a_batch_is_rejected_and_the_others_are_booked(system: System) -> None:
    await system.events(200)
    records = system.rated(200)
    records[77] = rated(usage_event("p0-e77"), 77, topic=system.topic_id, amount="NaN")
    await system.rate(records)
    await system.ledger()
    await system.until_booked(199)
    row = await system.owner.fetchrow("SELECT origin_offset, outcome, reason FROM unbooked")
    assert (row["origin_offset"], row["outcome"]) == (77, "rejected")
    assert row["reason"].startswith("refused by the database")


async def test_rubbish_and_tombstones_become_stray_rows_and_the_next_offset_proceeds(system: System) -> None:
    await system.events(2)
    first, second = system.rated(2)
    await system.rate([first, b"\x00\xff rubbish", b"", None, second])
    await system.ledger()
    await system.until_booked(2)
    assert await system.owner.fetchval("SELECT count(*) FROM unbooked WHERE outcome = 'stray'") == 3


async def test_records_deleted_below_the_position_stop_the_line_and_name_the_range(system: System) -> None:
    await system.events(20)
    await system.rate(system.rated(10))
    process = await system.ledger()
    await system.until_booked(10)
    process.send_signal(signal.SIGTERM)
    await process.wait()
    await system.rate(system.rated(10, start=10))
    admin = AIOKafkaAdminClient(**system.kafka.options())
    await admin.start()
    tp = TopicPartition(system.topic(USAGE_RATED.name), 0)
    await admin.delete_records({tp: RecordsToDelete(before_offset=15)})
    await admin.close()
    await system.ledger()
    assert "[10, 15)" in await system.stopped()
    assert await system.booked() == 10


async def test_answers_that_will_never_come_stop_the_line_and_name_the_range(system: System) -> None:
    await system.events(10)
    await system.ledger()
    await system.rate([*system.rated(3), *system.rated(2, start=5)])  # 3 and 4 are missing
    await system.until_booked(3)
    from aiokafka import AIOKafkaConsumer

    rating = AIOKafkaConsumer(
        **system.kafka.options(), group_id=system.prefix + "rating", enable_auto_commit=False
    )
    await rating.start()
    tp = TopicPartition(system.topic(USAGE_EVENTS.name), 0)
    rating.assign([tp])
    await rating.commit({tp: 7})
    await rating.stop()
    assert "[3, 7)" in await system.stopped()


async def test_a_topic_created_anew_stops_the_line(system: System) -> None:
    await system.events(5)
    await system.rate(system.rated(5))
    process = await system.ledger()
    await system.until_booked(5)
    process.send_signal(signal.SIGTERM)
    await process.wait()
    admin = AIOKafkaAdminClient(**system.kafka.options())
    await admin.start()
    await admin.delete_topics([system.topic(USAGE_EVENTS.name)])
    async with asyncio.timeout(30):
        while system.topic(USAGE_EVENTS.name) in await admin.list_topics():
            await asyncio.sleep(0.05)
    await admin.close()
    async with KafkaAdmin(system.kafka) as setup:
        await setup.ensure_topics([USAGE_EVENTS], prefix=system.prefix, partitions=PARTITIONS)
    await system.ledger()
    assert "created anew" in await system.stopped()


async def test_totals_say_what_the_rollup_says_with_corrections_and_of_late_events_the_day(
    system: System,
) -> None:
    await system.events(5)
    await system.rate(system.rated(1, time=datetime.now(UTC) - timedelta(days=3)))
    await system.ledger()
    await system.until_booked(1)
    now = datetime.now(UTC)
    await system.owner.execute(  # what a correction leaves of the events to come: 0.014 less 0.004
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
        "SELECT date_trunc('minute', $1::timestamptz), current_date, -1, tenant, series_id, currency, -1, 0, "
        '-0.004, -0.004, -0.004, 0, \'{"input_tokens": -1000, "output_tokens": -100}\' FROM rollups_minute',
        now,
    )
    await system.rate(system.rated(4, start=1, time=now))
    await system.until_booked(5)
    told = await _told(system, enough=lambda one: one.get("events") == 3)
    changed = [one for one in told if one["type"] == "spendmeter.spend.changed.v1"]
    assert [(one["tenant"], one["day"]) for one in changed] == [
        ("acme", (now - timedelta(days=3)).date().isoformat())
    ]
    total = told[-1]
    assert (total["tenant"], total["effective"], total["currency"]) == ("acme", "0.01", "USD")
    assert total["usage"] == {"input_tokens": "3000", "output_tokens": "300"}
    assert total["dimensions"]["sku"] == "gpt-4o"


async def _told(system: System, enough: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Everything on spend.totals up to what is `enough`."""
    told: list[dict[str, Any]] = []
    reader = AIOKafkaConsumer(
        system.topic("spend.totals"), **system.kafka.options(), auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not told or not enough(told[-1]):
                told.append(json.loads((await reader.getone()).value))
    finally:
        await reader.stop()
    return told
