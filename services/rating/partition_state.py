"""Where a partition of `usage.events` is taken up, and whether anything of it was lost. Pure."""

from dataclasses import dataclass

from aiokafka import TopicPartition

from spendmeter.platform.log_fit import misfit


@dataclass(kw_only=True)
class PartitionState:
    """How far one partition was answered."""

    topic_id: str
    prev: int
    """The offset delivered last; -1 = none, from a log that begins at 0."""
    next: int
    """Everything before this offset was answered, or held no record."""
    stopped: str = ""
    """What was lost; '' = nothing."""


def open_partition(
    partition: TopicPartition, *, topic_id: str, committed: int | None, begin: int, end: int
) -> PartitionState:
    """The state of a log that reaches from `begin` to `end` (exclusive), of which `committed` was answered.

    A first start begins at the beginning. Where that is not 0, records were deleted that nobody ever rated:
    `prev` then says so, and the ledger, which knows whether it booked them, stops its line.
    """
    start = begin if committed is None else committed
    lost = misfit(partition, start, begin, end, done="rated")
    return PartitionState(topic_id=topic_id, prev=start - 1, next=start, stopped=lost)


def nothing_rated(state: PartitionState) -> str:
    """What is lost when the topic is created anew under a partition."""
    return f"this worker rated nothing from offset {state.next} on"
