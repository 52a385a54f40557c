"""What one tenant has spent, in memory: closed days by series, and the open end minute by minute. Pure.

It may vanish at any instant: the reader fills it from the rollups before anything is evaluated.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.alerts.anomalies import MINUTE, Spent
from services.alerts.budgets import Budget
from services.alerts.incidents import per_hour
from spendmeter.contracts.money import EXACT, ZERO, total
from spendmeter.contracts.series import Series

BURST_SPAN = timedelta(seconds=10)
BURST_SPAN_MIN = timedelta(seconds=2)
LOOKS_MAX = 16
"""Readings kept for the rate of the last BURST_SPAN, a second apart when the stream flows."""

SERIES_MAX = 50_000

SeriesId = bytes


class Money(NamedTuple):
    """An amount, and the part of it that is priced by an upper bound."""

    effective: Decimal
    provisional: Decimal

    def plus(self, other: Money) -> Money:
        """The exact sum."""
        add = EXACT.add
        return Money(add(self.effective, other.effective), add(self.provisional, other.provisional))


NOTHING = Money(ZERO, ZERO)


class Row(NamedTuple):
    """One series in one minute, summed over shards."""

    minute: datetime
    series_id: SeriesId
    money: Money


@dataclass(kw_only=True)
class Day:
    """A local day's sums by series over [start, mark); what lies behind the mark is read at every look."""

    start: datetime
    end: datetime
    mark: datetime
    read_at_s: float | None = None
    """By the monotonic clock: a step of the wall clock must not keep a day from being read again."""
    dirty: bool = False
    sums: Mapping[SeriesId, Money] = field(default_factory=dict)
    covered: dict[tuple[str, int], Money] = field(default_factory=dict)
    """By (budget, revision): what of the sums it covers."""

    @property
    def complete(self) -> bool:
        return self.mark == self.end

    def put(self, sums: Mapping[SeriesId, Money], mark: datetime, at_s: float) -> None:
        """Replace what was known by what was read at `at_s`."""
        self.sums, self.mark, self.read_at_s, self.dirty = sums, mark, at_s, False
        self.covered.clear()


class Spend:
    """`days` must be whole and in order before the open end is read; see Reader."""

    def __init__(self) -> None:
        self.series: dict[SeriesId, Series] = {}
        self.days: list[Day] = []
        self._open: list[Row] = []
        self._sums: dict[tuple[datetime, datetime], dict[SeriesId, Money]] = {}
        self._looks: deque[tuple[datetime, dict[tuple[datetime, SeriesId], Decimal]]] = deque(
            maxlen=LOOKS_MAX
        )

    def forget(self) -> None:
        """Where series are too many, forget those that nothing here speaks of: senders choose labels."""
        if len(self.series) > SERIES_MAX:
            known = {key for day in self.days for key in day.sums} | {row.series_id for row in self._open}
            self.series = {key: one for key, one in self.series.items() if key in known}

    def open_from(self, minute: datetime) -> datetime:
        """Where the open end begins: at the first mark that is not its day's end, at `minute` the latest."""
        return min([day.mark for day in self.days if not day.complete] + [minute])

    def look(self, rows: list[Row], now: datetime) -> None:
        """Take over the open end as read at `now`."""
        self._open = rows
        self._sums = {}
        self._looks.append((now, {(row.minute, row.series_id): row.money.effective for row in rows}))

    def of_budget(self, budget: Budget, start: datetime, end: datetime) -> Money:
        """What the budget's period [start, end) has come to."""
        spent = NOTHING
        for day in self.days:
            if start <= day.start < end:
                part = day.covered.get((budget.id, budget.revision))
                if part is None:
                    part = _sum(self._covered(day.sums, budget.covers).values())
                    day.covered[budget.id, budget.revision] = part
                spent = spent.plus(part)
        return spent.plus(_sum(self._covered(self._open_sums(start, end), budget.covers).values()))

    def by_series(
        self, covers: Callable[[Series], bool], start: datetime, end: datetime
    ) -> dict[Series, Money]:
        """Money by series over whole days of [start, end) and the open end in it."""
        sums: defaultdict[Series, Money] = defaultdict(lambda: NOTHING)
        for known in [day.sums for day in self.days if start <= day.start < end] + [
            self._open_sums(start, end)
        ]:
            for series, money in self._covered(known, covers).items():
                sums[series] = sums[series].plus(money)
        return dict(sums)

    def spent_since(self, minute: datetime) -> list[Spent]:
        """The open end from `minute` on, as the detector takes it."""
        return [
            Spent(row.minute, self.series[row.series_id], row.money.effective)
            for row in self._open
            if row.minute >= minute
        ]

    def open_by_series(
        self, covers: Callable[[Series], bool], since: datetime, now: datetime
    ) -> dict[Series, Money]:
        """Money by series in the minutes from `since` to `now`, none of them older than the open end."""
        return self._covered(self._open_sums(since, now), covers)

    def rate_per_hour(self, covers: Callable[[Series], bool], now: datetime) -> Decimal:
        """How fast it goes now: over the last ten seconds, or the last two minutes where that is more.

        A runaway eight seconds old is invisible in two minutes; a steady scope is noise in ten seconds.
        """
        since = now.replace(second=0, microsecond=0) - MINUTE
        known = {key for key, series in self.series.items() if covers(series)}
        rows = [row for row in self._open if since <= row.minute <= now and row.series_id in known]
        steady = per_hour(total(row.money.effective for row in rows), now - since)
        at, before = next(look for look in self._looks if now - look[0] <= BURST_SPAN)
        if now - at < BURST_SPAN_MIN:
            return steady
        gained = total(row.money.effective - before.get((row.minute, row.series_id), ZERO) for row in rows)
        return max(steady, per_hour(gained, now - at))

    def _open_sums(self, start: datetime, end: datetime) -> dict[SeriesId, Money]:
        """The open end's part of [start, end) by series; kept for one look, as budgets share periods."""
        if (start, end) not in self._sums:
            sums: dict[SeriesId, Money] = {}
            for row in self._open:
                if start <= row.minute < end:
                    sums[row.series_id] = sums.get(row.series_id, NOTHING).plus(row.money)
            self._sums[start, end] = sums
        return self._sums[start, end]

    def _covered(
        self, sums: Mapping[SeriesId, Money], covers: Callable[[Series], bool]
    ) -> dict[Series, Money]:
        return {series: money for key, money in sums.items() if covers(series := self.series[key])}


def _sum(parts: Iterable[Money]) -> Money:
    result = NOTHING
    for part in parts:
        result = result.plus(part)
    return result
