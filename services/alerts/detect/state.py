"""All that is remembered of a scope, 5 KB always: four weeks of hours, the extremes of each day, numbers."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from math import inf, isnan, nan

from services.alerts.detect.seasons import DAYS, DAYS_KEPT, SLOT_S, WEEKS, expectation, slots_a_day

AMOUNT, SMOOTH, RESIDUAL = range(3)
"""What extremes are kept of: a bucket's amount, the smoothed amount, how far the roots of the amount and of
its expectation lie apart."""
MEASURES = 3
EXTREMES = 4
"""Highest, second highest, second lowest, lowest: one outlier must not blind."""
NOTHING = (-inf, -inf, inf, inf)
TAIL_BINS = 16
SCALAR_NAMES = (
    "bucket_s", "slot", "known", "rows",
    "total", "level", "smooth", "smooth_expected", "excess_sum", "told", "told_until", "last_slot",
)  # fmt: skip
HighLow = tuple[float, float, float, float]
"""High and low of a week, high and low of four."""
SCALARS = struct.Struct(f"<4q{8 + 2 * MEASURES}d")


class ScopeState:
    """One scope. Rows (buckets of `bucket_s` seconds) become slots of an hour, and these become days.

    Amounts are per bucket: a slot is the mean of its buckets.
    """

    __slots__ = (
        "active", "bounds", "bucket_s", "excess_sum", "extremes", "highs", "known", "last_slot", "lasting",
        "level", "lows", "past", "past_day", "rows", "season", "slot", "slot_s", "slots", "smooth",
        "smooth_expected", "tail", "told", "told_until", "total",
    )  # fmt: skip

    def __init__(self, bucket_s: int = SLOT_S) -> None:
        self.bucket_s = bucket_s
        self.slot_s = max(SLOT_S, bucket_s)
        a_day = slots_a_day(self.slot_s)
        self.slots = array("f", [nan]) * (DAYS_KEPT * a_day)
        self.extremes = array("f", NOTHING) * (DAYS_KEPT * MEASURES)
        self.lasting = array("f", [0.0]) * DAYS_KEPT
        self.tail = array("H", [0]) * TAIL_BINS
        self.slot = -1
        """The open slot's number, -1 before the first row."""
        self.known = 0
        """Closed slots that taught."""
        self.total = 0.0
        self.rows = 0
        self.level = self.smooth = self.smooth_expected = nan
        self.excess_sum = 0.0
        self.told = 0.0
        self.told_until = -inf
        self.last_slot = -inf
        self.bounds: list[HighLow] = []
        self.active = 1.0
        """Share of the slots of the 7 days before this one that had something, of those that are known."""
        self.past_day = -1
        self.past: list[tuple[Sequence[float], Sequence[float]]] = []
        self._open_slot()

    @property
    def a_day(self) -> int:
        return len(self.slots) // DAYS_KEPT

    def advance(self, slot: int, silent: int) -> None:
        """Close the open slot and begin a later one; of those between, the last `silent` brought nothing."""
        if self.slot >= 0:
            self._close()
            for number in range(max(self.slot, slot - len(self.slots)) + 1, slot + 1):
                self._clear(number)
                if slot - silent <= number < slot:
                    self._learn_silence(number)
        self.slot = slot
        self._open_slot()

    def _clear(self, slot: int) -> None:
        self.slots[slot % len(self.slots)] = nan
        if slot % self.a_day == 0:
            day, size = slot // self.a_day % DAYS_KEPT, MEASURES * EXTREMES
            self.extremes[day * size : (day + 1) * size] = array("f", NOTHING * MEASURES)
            self.lasting[day] = 0.0

    def _learn_silence(self, number: int) -> None:
        self.slots[number % len(self.slots)] = 0.0
        self.known += 1
        day = number // self.a_day % DAYS_KEPT
        for measure in (AMOUNT, SMOOTH):
            self._widen(day, measure, 0.0, 0.0)

    def _close(self) -> None:
        if self.rows:
            self.slots[self.slot % len(self.slots)] = self.total / self.rows
            self.known += 1
            day = self.slot // self.a_day % DAYS_KEPT
            for measure in range(MEASURES):
                if self.highs[measure] > -inf:
                    self._widen(day, measure, self.highs[measure], self.lows[measure])

    def _widen(self, day: int, measure: int, high: float, low: float) -> None:
        at, extremes = (day * MEASURES + measure) * EXTREMES, self.extremes
        if high > extremes[at]:
            extremes[at], extremes[at + 1] = high, extremes[at]
        elif high > extremes[at + 1]:
            extremes[at + 1] = high
        if low < extremes[at + 3]:
            extremes[at + 3], extremes[at + 2] = low, extremes[at + 3]
        elif low < extremes[at + 2]:
            extremes[at + 2] = low

    def _open_slot(self) -> None:
        self.total, self.rows = 0.0, 0
        self.highs, self.lows = [-inf] * MEASURES, [inf] * MEASURES
        self._look_back()

    def _look_back(self) -> None:
        """What the closed slots say of the open one."""
        self.season = self._season() if self.slot >= 0 else nan
        if self.known:
            if self.past_day != (today := self.slot // self.a_day):
                self.past_day, self.past = today, [self._past(today, measure) for measure in range(MEASURES)]
                self.active = self._active(today)
            self.bounds = [self._bounds(measure) for measure in range(MEASURES)]

    def _season(self) -> float:
        """The same hour's expectation without the level; nan = not known yet."""
        days = self.back(self.slot, self.a_day, DAYS)
        expected = expectation(days, self.back(self.slot, self.a_day * 7, WEEKS), -inf)
        return nan if expected == -inf else expected

    def back(self, slot: int, every: int, count: int) -> list[float]:
        """What is known of the slots that lie 1 to `count` times `every` slots before this one."""
        size, slots = len(self.slots), self.slots
        found = [slots[(slot - every * number) % size] for number in range(1, count + 1)]
        return [each for each in found if not isnan(each)]

    def _bounds(self, measure: int) -> HighLow:
        """The second highest and lowest hour of a week and of four: the scope's own 99th percentile."""
        at = (self.past_day % DAYS_KEPT * MEASURES + measure) * EXTREMES
        today = self.extremes[at : at + EXTREMES]
        week, weeks = (_merged(past, today) for past in self.past[measure])
        return (*_second(week), *_second(weeks))

    def _past(self, today: int, measure: int) -> tuple[Sequence[float], Sequence[float]]:
        """The extremes of the 7 days before this one, and of all before it."""
        merged: Sequence[float] = NOTHING
        week = merged
        for age in range(1, DAYS_KEPT):
            at = ((today - age) % DAYS_KEPT * MEASURES + measure) * EXTREMES
            if self.extremes[at] > -inf:
                merged = _merged(merged, self.extremes[at : at + EXTREMES])
            if age == DAYS:
                week = merged
        return week, merged

    def _active(self, today: int) -> float:
        known = self.back(today * self.a_day, 1, DAYS * self.a_day)
        return sum(each != 0 for each in known) / len(known) if known else 1.0

    def packed(self) -> bytes:
        """What `unpacked` makes the same state of."""
        return b"".join(
            (SCALARS.pack(*(getattr(self, name) for name in SCALAR_NAMES), *self.highs, *self.lows),
             self.slots.tobytes(), self.extremes.tobytes(), self.lasting.tobytes(), self.tail.tobytes())
        )  # fmt: skip

    @classmethod
    def unpacked(cls, packed: bytes) -> ScopeState:
        """ValueError if the bytes are none of `packed`."""
        try:
            values = SCALARS.unpack_from(packed)
        except struct.error as error:
            raise ValueError("These bytes are no state of a scope: too few") from error
        state = cls(values[0])
        begin = SCALARS.size
        for part in (state.slots, state.extremes, state.lasting, state.tail):
            size = len(part) * part.itemsize
            part[:] = array(part.typecode, packed[begin : begin + size])
            begin += size
        if begin != len(packed):
            raise ValueError(f"These bytes are no state of a scope: {len(packed)}, not {begin}")
        for name, value in zip(SCALAR_NAMES, values, strict=False):
            setattr(state, name, value)
        state._look_back()
        state.highs, state.lows = list(values[-2 * MEASURES : -MEASURES]), list(values[-MEASURES:])
        return state


def _merged(one: Sequence[float], other: Sequence[float]) -> Sequence[float]:
    """The extremes of both."""
    return (
        max(one[0], other[0]),
        max(min(one[0], other[0]), one[1], other[1]),
        min(max(one[3], other[3]), one[2], other[2]),
        min(one[3], other[3]),
    )


def _second(extremes: Sequence[float]) -> tuple[float, float]:
    """The second highest and second lowest, where there are two; (inf, -inf) of nothing."""
    first, second, third, fourth = extremes
    if first == -inf:
        return inf, -inf
    return (second if second > -inf else first), (third if third < inf else fourth)
