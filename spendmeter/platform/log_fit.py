"""Whether a log still fits the position up to which it was worked off: what is missing is named. Pure."""

from aiokafka import TopicPartition


def misfit(log: TopicPartition, position: int, begin: int, end: int, done: str) -> str:
    """What of a log that reaches from `begin` to `end` (exclusive) is gone, though all from `position` on was
    still to be `done` ("rated"); '' = nothing."""
    name = f"{log.topic}/{log.partition}"
    if begin > position:
        return f"{name}: records [{position}, {begin}) were deleted before they were {done}"
    if end < position:
        return f"{name}: the log ends at {end}, before the {done} position {position}"
    return ""


def created_anew(log: TopicPartition, known: str, found: str, lost: str) -> str:
    """What was `lost` with the old log, where the topic's id has changed; '' = it has not."""
    if known == found:
        return ""
    anew = f"{log.topic} was created anew (topic id {known} became {found})"
    return f"{anew}: of partition {log.partition} of the old log, {lost}"
