"""Incidents put into real traffic: per-customer rates of LLM requests over 14 days, in buckets of ten minutes."""

from __future__ import annotations

import csv
import gzip
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

BUCKET = timedelta(minutes=10)
A_DAY, DAYS = 144, 14
WARM_UP = 7 * A_DAY
"""Rows that only teach: alarms are counted from day 8 on."""
DENSE_SHARE_MIN, SPARSE_SHARE_MIN, SPARSE_SHARE_MAX = 0.5, 0.01, 0.15
BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday; the trace names no date."""
EPISODE_GAP = 12
"""Alarms with fewer rows than this (two hours) between them are one episode."""


@dataclass(frozen=True, kw_only=True)
class Injection:
    """A series with an incident in it: rows from `begin` up to `end` are those in which an alarm finds it."""

    kind: str
    scope: str
    amounts: list[float]
    begin: int
    end: int
    extra_hours: float
    """What it costs until `end`, in mean hours of the scope."""


def scopes(path: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Amounts by bucket of the busy and of the sparse customers, 0 where nothing was asked.

    An amount is requests times tokens (an output token counts four times, as prices do), or requests alone where
    the trace states no tokens of a customer.
    """
    found: dict[str, list[float]] = defaultdict(lambda: [0.0] * (A_DAY * DAYS))
    with gzip.open(path, "rt", newline="") as lines:
        for row in csv.DictReader(lines):
            tokens = (
                float(row["mean_in"]) + 4 * float(row["mean_out"])
                if row["mean_in"] and row["mean_out"]
                else 1.0
            )
            bucket = round(float(row["t_s"]) / BUCKET.total_seconds())
            found[f"{row['model']}/{row['client']}"][bucket] += (
                float(row["req_per_s"]) * BUCKET.total_seconds() * tokens
            )
    share = {name: sum(amount > 0 for amount in amounts) / len(amounts) for name, amounts in found.items()}
    busy = {name: found[name] for name in sorted(found) if share[name] >= DENSE_SHARE_MIN}
    sparse = {
        name: found[name] for name in sorted(found) if SPARSE_SHARE_MIN <= share[name] <= SPARSE_SHARE_MAX
    }
    return busy, sparse


Change = Callable[[list[float], int], list[float]]
Kind = tuple[Change, int]
"""What happens to the amounts from a row on, and within how many rows an alarm finds it."""


def _times(factors: Sequence[float]) -> Change:
    """Multiplies the rows from `begin` on; the last factor stays where there are fewer than rows."""

    def applied(amounts: list[float], begin: int) -> list[float]:
        return amounts[:begin] + [
            amount * factor for amount, factor in zip(amounts[begin:], factors, strict=False)
        ] + amounts[begin + len(factors) :]  # fmt: skip

    return applied


def _leak(times: float) -> Change:
    """Six hours of a stranger who spends so many times what a bucket of the scope has when it has anything."""

    def applied(amounts: list[float], begin: int) -> list[float]:
        spent = [amount for amount in amounts if amount > 0]
        extra = times * sum(spent) / len(spent)
        return (
            amounts[:begin]
            + [amount + extra for amount in amounts[begin : begin + 36]]
            + amounts[begin + 36 :]
        )

    return applied


LASTING = A_DAY * DAYS
RAMP = [1 + 2 * (row + 1) / A_DAY for row in range(A_DAY)]
KINDS: dict[str, Kind] = {
    "x10_30min": (_times([10.0] * 3), 3),
    "x5_2h": (_times([5.0] * 12), 12),
    "x3_6h": (_times([3.0] * 36), 36),
    "shift_x2": (_times([2.0] * LASTING), 2 * A_DAY),
    "ramp_x3_1d": (_times(RAMP + [3.0] * LASTING), 2 * A_DAY),
}
SPARSE_KINDS = {"sparse_leak": (_leak(3), 36), "sparse_leak_x10": (_leak(10), 36)}


def injections(
    series: dict[str, list[float]], kinds: dict[str, Kind], count: int, seed: int
) -> list[Injection]:
    """`count` of each kind: scopes by turns in random order, each at a random row of days 8 to 14 after which
    the whole time to find it is left. What multiplies begins where there is something, if there ever is."""
    draw = random.Random(seed)
    found = []
    for kind, (change, rows) in kinds.items():
        names = draw.sample(sorted(series), len(series))
        while len(names) < count:
            names += draw.sample(sorted(series), len(series))
        for name in names[:count]:
            amounts = series[name]
            starts = range(WARM_UP, len(amounts) - rows + 1)
            at_work = [row for row in starts if amounts[row] > 0]
            begin = draw.choice(at_work if at_work and kind in KINDS else starts)
            changed, end = change(amounts, begin), begin + rows
            extra = (sum(changed[begin:end]) - sum(amounts[begin:end])) / (
                sum(amounts) / len(amounts) * A_DAY / 24
            )
            found.append(
                Injection(kind=kind, scope=name, amounts=changed, begin=begin, end=end, extra_hours=extra)
            )
    return found


def times() -> list[datetime]:
    return [BEGAN + row * BUCKET for row in range(A_DAY * DAYS)]


def episodes(scores: Sequence[float], threshold: float) -> int:
    """Episodes of alarms in days 8 to 14."""
    count, last = 0, -LASTING
    for row in range(WARM_UP, len(scores)):
        if scores[row] >= threshold:
            count += row - last > EPISODE_GAP
            last = row
    return count


def calibrated(scores: Sequence[Sequence[float]], rate: float) -> float:
    """The lowest threshold at which these undisturbed series have at most `rate` episodes a scope and day."""
    allowed = rate * len(scores) * (DAYS - WARM_UP / A_DAY)
    candidates = sorted({score for each in scores for score in each[WARM_UP:] if score > 0})
    low, high = 0, len(candidates)
    while low < high:
        middle = (low + high) // 2
        if sum(episodes(each, candidates[middle]) for each in scores) <= allowed:
            high = middle
        else:
            low = middle + 1
    return candidates[low] if low < len(candidates) else float("inf")
