"""What the corrector's lines ask of the one topic that each of them reads."""

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError

from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.log_fit import created_anew, misfit

POLL_MS = 500
LOOK_S = 1.0
STEP_AGE_S_MAX = 10.0
"""A step polls for half a second and writes for some tenths: longer is worth telling."""
REPLACED = (IllegalStateError, NoOffsetForPartitionError, OffsetOutOfRangeError)
"""What a poll says while the group hands the topic on: a line looks again where it stands."""


async def topic_id(admin: KafkaAdmin, log: TopicPartition) -> str | None:
    """The topic's id by now; None = it has no leader just now, which is no loss."""
    facts = (await admin.topics([log.topic])).get(log.topic)
    return None if facts is None else facts.id


async def lost_before(
    consumer: AIOKafkaConsumer, log: TopicPartition, known: str, now: str, position: int, *, done: str
) -> str:
    """What of the topic is lost for a line that stands at `position` of the one with the id `known`, before
    it reads; '' = nothing. `done`: what becomes of its records here."""
    begins, ends = await consumer.beginning_offsets([log]), await consumer.end_offsets([log])
    return lost_with(log, known, now, position, done=done) or misfit(
        log, position, begins[log], ends[log], done=done
    )


def lost_with(log: TopicPartition, known: str, now: str, position: int, *, done: str) -> str:
    """What is lost where the topic of that name is another one by now; '' = it is the same."""
    return created_anew(log, known, now, f"everything from offset {position} on was never {done}")
