"""How calls went, as `quality_hours` counts them: buckets of latency, marks of context length. Pure.

A bucket is a number, so counts of any rows are added, and taken away again to the last call. Below 32 ms a
bucket is a millisecond; from there on each doubling has 32, so that the middle of one is at most 1.6 % away
from what is in it.
"""

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Decimal

from spendmeter.contracts.money import divided, total

PER_DOUBLING = 32
NO_LATENCY = -1
"""The bucket of calls that do not state one."""
LATENCY_ERROR_MAX = Decimal(1) / 64
"""Of what is read from buckets, relative."""
CONTEXT_MARKS = (32_000, 100_000, 128_000, 200_000, 256_000, 272_000, 512_000, 1_000_000)
"""Context lengths, in tokens, at which price lists change and windows end. A later one is another table: what
was counted cannot be cut anew."""
OK = "ok"
"""How a call ended that did what it was asked to. '' = its event does not say; any other word: it failed."""


def latency_bucket(ms: int) -> int:
    """Of a latency of 0 ms or more."""
    doublings = max(0, ms.bit_length() - 6)
    return doublings * PER_DOUBLING + (ms >> doublings)


def bucket_middle_ms(bucket: int) -> Decimal:
    """Of the whole milliseconds that are in it."""
    doublings = max(0, bucket // PER_DOUBLING - 1)
    first = (bucket - doublings * PER_DOUBLING) << doublings
    return first + Decimal((1 << doublings) - 1) / 2


def context_mark(tokens: int | Decimal) -> int:
    """The greatest mark that a context is longer than; 0 = none."""
    place = bisect_left(CONTEXT_MARKS, tokens)
    return CONTEXT_MARKS[place - 1] if place else 0


def after_mark(mark: int) -> int | None:
    """The length up to which, inclusive, a context of this mark may reach; None = there is no end."""
    place = bisect_left(CONTEXT_MARKS, mark + 1)
    return CONTEXT_MARKS[place] if place < len(CONTEXT_MARKS) else None


def percentile_ms(counts: Mapping[int, int], percent: int) -> Decimal | None:
    """The latency that so many of a hundred calls do not exceed (nearest rank), from counts by bucket; None =
    no call states one."""
    timed = {bucket: count for bucket, count in counts.items() if bucket != NO_LATENCY and count > 0}
    rank = -(-sum(timed.values()) * percent // 100)
    for bucket in sorted(timed):
        rank -= timed[bucket]
        if rank <= 0:
            return bucket_middle_ms(bucket)
    return None


def mean_ms(counts: Mapping[int, int]) -> Decimal | None:
    """Of calls that state a latency; None = none does."""
    timed = {bucket: count for bucket, count in counts.items() if bucket != NO_LATENCY}
    calls = sum(timed.values())
    if calls <= 0:
        return None
    sums = total(bucket_middle_ms(bucket) * count for bucket, count in timed.items())
    return divided(sums, Decimal(calls))
