"""A subject whose sums are kept as counters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from services.alerts.counting.counter_reader import CounterReader
from services.alerts.rules import TenantRules
from services.alerts.watches.look import Look
from spendmeter.book.sizes import BucketSpan


@dataclass(eq=False, kw_only=True)
class CountedLook(Look):
    """A `Look` with counters. In another calendar they are others: its days begin at other midnights, or
    its amounts are in another currency."""

    leaders: ClassVar[bool] = False
    """Whether it is asked which series are the largest."""
    counters: CounterReader = field(init=False)

    def __post_init__(self) -> None:
        self._count_anew()

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        other_calendar = rules.calendar != self.rules.calendar
        super().apply_rules(rules)
        if other_calendar:
            self._count_anew()

    def changed(self, span: BucketSpan) -> None:
        """What was spent in this time is read again."""
        self.counters.changed(span)

    def _count_anew(self) -> None:
        self.counters = CounterReader(
            self.shared.pool, self.tenant, self.rules.calendar, self.turn, leaders=self.leaders
        )
