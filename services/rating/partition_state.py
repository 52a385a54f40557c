"""Where a partition of `usage.events` is taken up, and whether anything of it was lost. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class PartitionState:
    """One partition's progress."""

    name: str
    topic_id: str
    prev: int
    """The offset delivered last; -1 = none, from a log that begins at 0."""
    next: int
    """Everything before this offset was answered, or held no record."""
    stopped: str = ""
    """What was lost; '' = nothing."""


def open_lane(*, name: str, topic_id: str, committed: int | None, begin: int, end: int) -> PartitionState:
    """The lane of a log that reaches from `begin` to `end` (exclusive), of which `committed` was answered.

    A first start begins at the beginning. Where that is not 0, records were deleted that nobody ever rated:
    `prev` then says so, and the ledger, which knows whether it booked them, stops its line.
    """
    if committed is None:
        return PartitionState(name=name, topic_id=topic_id, prev=begin - 1, next=begin)
    lane = PartitionState(name=name, topic_id=topic_id, prev=committed - 1, next=committed)
    if begin > committed:
        lane.stopped = f"{name}: records [{committed}, {begin}) were deleted before they were rated"
    elif end < committed:
        lane.stopped = f"{name}: the log ends at {end}, before the rated position {committed}"
    return lane


def created_anew(lane: PartitionState, old: str, new: str) -> str:
    """What is lost when the topic's id changes under a lane."""
    return (
        f"{lane.name} was created anew (topic id {old} became {new}): of the old log, this worker rated "
        f"nothing from offset {lane.next} on"
    )
