"""The rating worker on a real broker."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from spendmeter.contracts.catalog import Price
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.rated import PassedHoles, RatedUsage, RejectedUsage
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform.kafka import money_consumer
from spendmeter.platform.kafka_admin import KafkaAdmin
from tests.pricing.entries import RECORDED, model, price
from tests.rating.conftest import PARTITIONS, System, rating, raw_event
from tests.waiting import until

BOOK = [model("gpt-4o"), price("gpt-4o", "input_tokens", "2.5")]
DEARER = [
    identified(
        Price(
            provider="openai",
            sku="gpt-5",
            unit="input_tokens",
            price="7",
            source="test",
            recorded_at=RECORDED,
        )
    )
]


async def test_each_event_is_answered_on_its_own_partition_in_order(system: System) -> None:
    await system.publish(BOOK, 1)
    for partition in range(PARTITIONS):
        await system.use([raw_event(number) for number in range(50)], partition)
    async with rating(system.settings):
        for partition in range(PARTITIONS):
            answers = await system.answers(50, partition)
            assert [answer.origin.offset for answer in answers] == list(range(50))
            assert [answer.prev for answer in answers] == list(range(-1, 49))
            assert {answer.list for answer in answers if isinstance(answer, RatedUsage)} == {"0.0025"}


async def test_random_bytes_an_empty_value_and_a_tombstone_are_rejected_and_the_next_event_proceeds(
    system: System,
) -> None:
    await system.publish(BOOK, 1)
    await system.use([b"\x00\xff{", b"", None, raw_event(1)])
    async with rating(system.settings):
        answers = await system.answers(4, 0)
    assert [type(answer) for answer in answers] == [RejectedUsage] * 3 + [RatedUsage]


@pytest.mark.alone
async def test_a_publication_is_used_within_two_seconds_and_an_incomplete_one_never(system: System) -> None:
    await system.publish(BOOK, 1)
    async with rating(system.settings) as rater:
        await until(lambda: not rater.not_ready(), "the rater to be ready")
        await system.producer.send_and_wait(system.name("catalog"), b"no entry at all", key=b"x")
        await system.producer.send_and_wait(system.name("catalog"), None, key=BOOK[0].id.encode())
        await system.mark(2, 3)  # a marker whose third entry is missing
        await until(lambda: rater.not_ready(), "the incomplete publication to be noticed")
        await system.use([raw_event(1)])
        (answer,) = await system.answers(1)
        assert isinstance(answer, RatedUsage)
        assert answer.catalog_version == 1
        began = asyncio.get_running_loop().time()
        await system.publish(DEARER, 2, total=3)
        await until(lambda: not rater.not_ready(), "the whole publication to be used")
        assert asyncio.get_running_loop().time() - began < 2
        await system.use([raw_event(2)])
        assert [a.catalog_version for a in await system.answers(2) if isinstance(a, RatedUsage)] == [1, 2]


async def test_nothing_is_rated_before_there_is_a_catalog(system: System) -> None:
    await system.use([raw_event(1)])
    async with rating(system.settings) as rater:
        await until(lambda: "no price catalog" in rater.not_ready(), "the rater to say what it waits for")
        await system.publish(BOOK, 1)
        (answer,) = await system.answers(1)
        assert isinstance(answer, RatedUsage)
        assert answer.status == "priced"


async def test_a_second_run_goes_on_where_the_first_committed(system: System) -> None:
    await system.publish(BOOK, 1)
    await system.use([raw_event(1)])
    async with rating(system.settings):
        await system.answers(1)
    await system.use([raw_event(2)])
    async with rating(system.settings):
        answers = await system.answers(2)
    assert [(answer.origin.offset, answer.prev) for answer in answers] == [(0, -1), (1, 0)]


async def test_two_raters_share_the_work_and_survive_each_other(system: System) -> None:
    await system.publish(BOOK, 1)
    async with rating(system.settings) as first:
        await until(lambda: len(first._states) == PARTITIONS, "the first to have all partitions")
        async with rating(system.settings) as second:
            await until(lambda: len(first._states) == len(second._states) == 1, "each to have one partition")
            for partition in range(PARTITIONS):
                await system.use([raw_event(number) for number in range(100)], partition)
            await system.answers(200)
        await until(lambda: len(first._states) == PARTITIONS, "the first to have all partitions again")
        await system.use([raw_event(100)], 0)
        await system.use([raw_event(100)], 1)
        answers = await system.answers(202)
    distinct = {(answer.origin.partition, answer.origin.offset) for answer in answers}
    assert distinct == {(partition, offset) for partition in range(PARTITIONS) for offset in range(101)}


async def test_transactions_leave_holes_that_are_explained_and_none_looks_like_an_event_in_flight(
    system: System,
) -> None:
    await system.publish(BOOK, 1)
    topic = system.name("usage.events")
    writer = AIOKafkaProducer(
        **system.settings.kafka.options(),
        transactional_id=system.settings.topic_prefix,
    )
    async with writer:
        async with writer.transaction():  # offset 0, control record 1
            await writer.send(topic, raw_event(0), partition=0)
        await writer.begin_transaction()  # offset 2, control record 3
        await writer.send_and_wait(topic, raw_event(1), partition=0)
        await writer.abort_transaction()
        async with writer.transaction():  # offset 4, control record 5
            await writer.send(topic, raw_event(2), partition=0)
        async with rating(system.settings):
            answers = await system.answers(3, 0)
            first, second, passed = answers
            assert isinstance(first, RatedUsage)
            assert isinstance(second, RatedUsage)
            assert (first.origin.offset, first.prev) == (0, -1)
            assert (second.origin.offset, second.prev) == (4, 0)
            assert isinstance(passed, PassedHoles)
            assert (passed.origin.offset, passed.prev) == (6, 4)


async def test_records_deleted_below_the_position_stop_the_line_and_are_named(system: System) -> None:
    await system.publish(BOOK, 1)
    await system.use([raw_event(number) for number in range(10)])
    async with rating(system.settings):
        await system.answers(10)
    await system.use([raw_event(number) for number in range(10, 20)])
    await _delete_before(system, 15)
    async with rating(system.settings) as rater:
        await until(lambda: "[10, 15) were deleted" in rater.not_ready(), "the loss to be named")
        await system.use([raw_event(1)], partition=1)
        await system.answers(1, partition=1)  # the other line goes on
    assert len(await system.answers(10, 0)) == 10


async def test_a_first_start_on_a_log_that_lost_its_beginning_says_so_to_the_ledger(system: System) -> None:
    await system.publish(BOOK, 1)
    await system.use([raw_event(number) for number in range(5)])
    await _delete_before(system, 3)
    async with rating(system.settings):
        answers = await system.answers(2)
    assert [(answer.origin.offset, answer.prev) for answer in answers] == [(3, 2), (4, 3)]


async def test_a_log_that_ends_before_the_position_stops_the_line(system: System) -> None:
    await system.publish(BOOK, 1)
    partition = TopicPartition(system.name("usage.events"), 0)
    consumer = money_consumer(system.settings, group="rating")
    async with consumer:
        consumer.assign([partition])
        await consumer.commit({partition: 7})
    async with rating(system.settings) as rater:
        await until(lambda: "the log ends at 0, before the rated position 7" in rater.not_ready(), "the loss")


async def test_a_topic_created_anew_stops_its_lines(system: System) -> None:
    await system.publish(BOOK, 1)
    async with rating(system.settings) as rater:
        await system.use([raw_event(1)])
        await system.answers(1)
        async with _Admin(system) as admin:
            await admin.delete_topics([system.name("usage.events")])
            async with asyncio.timeout(30):
                while system.name("usage.events") in await admin.list_topics():
                    await asyncio.sleep(0.05)
        async with KafkaAdmin(system.settings.kafka) as admin:
            await admin.ensure_topics(
                [USAGE_EVENTS], prefix=system.settings.topic_prefix, partitions=PARTITIONS
            )
        await until(lambda: "was created anew" in rater.not_ready(), "the new topic to be noticed")


async def test_a_sum_of_many_partial_answers_is_exact(system: System) -> None:
    await system.publish(BOOK, 1)
    await system.use([raw_event(number) for number in range(5_000)])
    async with rating(system.settings):
        answers = await system.answers(5_000)
    assert sum(Decimal(a.list) for a in answers if isinstance(a, RatedUsage)) == Decimal("12.5")


class _Admin(AIOKafkaAdminClient):
    """An admin client of the test's broker, as a context."""

    def __init__(self, system: System) -> None:
        super().__init__(**system.settings.kafka.options())

    async def __aenter__(self) -> AIOKafkaAdminClient:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _delete_before(system: System, offset: int) -> None:
    async with _Admin(system) as admin:
        partition = TopicPartition(system.name("usage.events"), 0)
        await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
