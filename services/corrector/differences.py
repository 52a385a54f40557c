"""What a job changes, added up by whose spend it is and by cause. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from spendmeter.pricing.causes import CauseStep, EventAmounts

ANY_CAUSE = ""
"""Of the row in which each event counts once, whatever its causes."""


class Spender(NamedTuple):
    """Of whose spend a difference is part."""

    team: str
    provider: str
    sku: str


class _Sum:
    __slots__ = ("after", "before", "events")

    def __init__(self) -> None:
        self.events, self.before, self.after = 0, EventAmounts(), EventAmounts()

    def add(self, before: EventAmounts, after: EventAmounts) -> None:
        self.events += 1
        self.before, self.after = self.before.plus(before), self.after.plus(after)


class Differences:
    """`add(spender, steps)` for each event; `rows` are those of the table."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], _Sum] = {}

    def add(self, spender: Spender, steps: Sequence[CauseStep]) -> None:
        """One event's difference."""
        for step in steps:
            self._of((*spender, step.currency, step.cause)).add(step.before, step.after)
        for currency in dict.fromkeys(step.currency for step in steps):
            theirs = [step for step in steps if step.currency == currency]
            self._of((*spender, currency, ANY_CAUSE)).add(theirs[0].before, theirs[-1].after)

    def _of(self, key: tuple[str, ...]) -> _Sum:
        if (found := self._sums.get(key)) is None:
            found = self._sums[key] = _Sum()
        return found

    @property
    def rows(self) -> Iterable[tuple[Any, ...]]:
        """(team, provider, sku, currency, cause, events, list before and after, contracted before and after,
        effective before and after), in the order of their keys."""
        for key, found in sorted(self._sums.items()):
            pairs = zip(found.before, found.after, strict=True)
            yield (*key, found.events, *(amount for pair in pairs for amount in pair))
