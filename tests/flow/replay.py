"""All topics that the book is made of once more from their beginning, on a running system; and all that the book has."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.flow.book import folded
from tests.flow.system import System, eventually

REPLAYED_S_MAX = 600
REST_S_MAX = 120
TABLES = (
    "entries identities series unbooked later_messages supersessions accounting accounting_keys rollups_minute rollups rolled touched "
    "remarks_daily late_rated corrections corrected_identities rerate_jobs rerate_passes rerate_differences rerate_left "
    "late_marks closed_accounts projection_marks cells runs run_outcomes user_months quality_hours run_days agent_people"
).split()
COUNTED = {
    "positions": "partition, next_origin, booked, duplicate, conflict, rejected, holes",
    "corrector": "next_entry, accepted, stray",
}
"""Of these the rest says how far a topic was read, and how often a request came again."""
OPEN = ("rollups", "rolled", "touched")
"""They go on changing while the buckets of now are open."""
TOUCHED = "SELECT EXISTS (SELECT FROM touched)"
IN_FLIGHT = """
SELECT EXISTS (SELECT FROM later_messages) OR EXISTS (SELECT FROM corrections WHERE state = 'waiting')
    OR EXISTS (SELECT FROM rerate_jobs WHERE state IN ('previewing', 'applying'))
"""


async def held(system: System, *, of_now: bool = False) -> dict[str, str]:
    """By table, how many rows the book has and a hash of all of them; once it is at rest. `of_now`: it has events of
    today, whose rollups are not made before their buckets are over, and are left out."""
    owner = await system.database()
    try:
        await folded(owner)
        async with asyncio.timeout(REST_S_MAX):
            while await owner.fetchval(IN_FLIGHT) or (not of_now and await owner.fetchval(TOUCHED)):
                await asyncio.sleep(0.2)
        left_out = OPEN if of_now else ()
        return {table: await _hash(owner, table) for table in (*TABLES, *COUNTED) if table not in left_out}
    finally:
        await owner.close()


async def _hash(owner: asyncpg.Connection, table: str) -> str:
    hashes = f"SELECT md5(r::text) AS of_row FROM (SELECT {COUNTED.get(table, '*')} FROM {table}) AS r"
    count, of_all = await owner.fetchrow(
        f"SELECT count(*), md5(string_agg(of_row, '' ORDER BY of_row)) FROM ({hashes}) AS hashes"
    )
    return f"{count} {of_all}" if count else ""


async def replay(system: System) -> dict[str, int]:
    """Records by topic that came again, of those that the ledger and the corrector read.

    Rating reads all events again and answers them again. Ledger and corrector know from the book how far they
    are, so that their group's offsets move nothing: what they have read is put on their topics once more."""
    events, rated = await _ends(system, "usage.events"), await _ends(system, "usage.rated")
    before = sum(rated.values())
    with _stopped(system, "rating"):
        await _reset(system, "rating", "usage.events")
    due = before + sum(events.values())
    async with asyncio.timeout(REPLAYED_S_MAX):
        while sum((await _ends(system, "usage.rated")).values()) < due:
            await asyncio.sleep(0.2)
    again = {"usage.events": sum(events.values())}
    for service, topic in (("ledger", "usage.rated"), ("corrector", "usage.corrections")):
        with _stopped(system, service):
            await _reset(system, service, topic)
            again[topic] = await _put_again(system, topic)
    await _read_to_end(system)
    return again


@contextmanager
def _stopped(system: System, name: str) -> Iterator[None]:
    """The service has ended and left its group, and nobody starts it before this is over."""
    supervisor = system.state.supervisor.process()
    assert supervisor is not None, "no supervisor runs"
    supervisor.suspend()
    try:
        old = system.kill(name, signal.SIGTERM)
        eventually(f"{name} has ended", lambda: system.process(name).identity.process() is None)
        yield
    finally:
        supervisor.resume()
    system.restarted(name, old)


async def _reset(system: System, group: str, topic: str) -> None:
    """The group, which has no members, is to read the topic from its beginning."""
    partitions = list(await _ends(system, topic))
    consumer = AIOKafkaConsumer(**system.kafka.options(), group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.commit(dict.fromkeys(partitions, 0))
    finally:
        await consumer.stop()
    async with KafkaAdmin(system.kafka) as admin:
        committed = await admin.committed(group)
    assert [committed[each] for each in partitions] == [0] * len(partitions)


async def _put_again(system: System, topic: str) -> int:
    """Every record once more, in its order, at the end of its partition."""
    ends, again = await _ends(system, topic), 0
    async with (
        AIOKafkaConsumer(**system.kafka.options(), isolation_level="read_committed") as consumer,
        AIOKafkaProducer(**system.kafka.options()) as producer,
    ):
        left = {partition for partition, end in ends.items() if end}
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        while left:
            for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    if record.offset < ends[partition]:
                        await producer.send(
                            topic, record.value, record.key, partition.partition, headers=list(record.headers)
                        )
                        again += 1
                    if record.offset >= ends[partition] - 1:
                        left.discard(partition)
        await producer.flush()
    return again


async def _read_to_end(system: System) -> None:
    """Until ledger and corrector have read all of it."""
    rated = {at.partition: end for at, end in (await _ends(system, "usage.rated")).items()}
    [corrections] = (await _ends(system, "usage.corrections")).values()
    owner = await system.database()
    try:
        async with asyncio.timeout(REPLAYED_S_MAX):
            while True:
                rows = await owner.fetch("SELECT partition, position FROM positions")
                behind = any(rated[partition] > position for partition, position in rows)
                if not behind and await owner.fetchval("SELECT position FROM corrector") == corrections:
                    return
                await asyncio.sleep(0.2)
    finally:
        await owner.close()


async def _ends(system: System, topic: str) -> dict[TopicPartition, int]:
    """Where each partition ends."""
    async with KafkaAdmin(system.kafka) as admin:
        count = (await admin.topics([topic]))[topic].partitions
    async with AIOKafkaConsumer(**system.kafka.options()) as consumer:
        return dict(await consumer.end_offsets([TopicPartition(topic, number) for number in range(count)]))
