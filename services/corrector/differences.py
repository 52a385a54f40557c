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

    def add(self, events: int, before: EventAmounts, after: EventAmounts) -> None:
        self.events += events
        self.before, self.after = self.before.plus(before), self.after.plus(after)


class Differences:
    """`add(spender, steps)` for each event; `rows` are those of the table."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], _Sum] = {}
        """By spender, currency and cause."""
        self._of_one_cause: dict[tuple[str, ...], _Sum] = {}
        """The same, of events that have one cause, which nearly all have: each is added up once."""

    def add(self, spender: Spender, steps: Sequence[CauseStep]) -> None:
        """One event's difference."""
        if len(steps) == 1:
            step = steps[0]
            key = (*spender, step.currency, step.cause)
            _of(self._of_one_cause, key).add(1, step.before, step.after)
            return
        for step in steps:
            _of(self._sums, (*spender, step.currency, step.cause)).add(1, step.before, step.after)
        for currency in dict.fromkeys(step.currency for step in steps):
            theirs = [step for step in steps if step.currency == currency]
            whole = _of(self._sums, (*spender, currency, ANY_CAUSE))
            whole.add(1, theirs[0].before, theirs[-1].after)

    @property
    def rows(self) -> Iterable[tuple[Any, ...]]:
        """(team, provider, sku, currency, cause, events, list before and after, contracted before and after,
        effective before and after), in the order of their keys."""
        for key, found in sorted(self._all().items()):
            pairs = zip(found.before, found.after, strict=True)
            yield (*key, found.events, *(amount for pair in pairs for amount in pair))

    def _all(self) -> dict[tuple[str, ...], _Sum]:
        found: dict[tuple[str, ...], _Sum] = {}
        for key, some in (*self._sums.items(), *self._of_one_cause.items()):
            _of(found, key).add(some.events, some.before, some.after)
        for (*whose, _), some in self._of_one_cause.items():
            _of(found, (*whose, ANY_CAUSE)).add(some.events, some.before, some.after)
        return found


def _of(sums: dict[tuple[str, ...], _Sum], key: tuple[str, ...]) -> _Sum:
    if (found := sums.get(key)) is None:
        found = sums[key] = _Sum()
    return found
