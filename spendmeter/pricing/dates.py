"""From when to when an entry holds: one that states no first day holds since ever, one without a last for
ever."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from typing import Protocol, TypeVar

from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER


class Dated(Protocol):
    """What holds from one instant (inclusive) to another (exclusive)."""

    @property
    def effective_from(self) -> datetime | None: ...
    @property
    def effective_to(self) -> datetime | None: ...


class DatedEntry(Dated, Protocol):
    """A catalog entry with dates of its own."""

    @property
    def id(self) -> str: ...


Span = tuple[datetime, datetime]
"""From an instant to another, which is no longer part of it."""
E = TypeVar("E", bound=DatedEntry)
K = TypeVar("K", bound=Hashable)


def begins(entry: Dated) -> datetime:
    """The first instant at which it holds."""
    return entry.effective_from or SINCE_EVER


def ends(entry: Dated) -> datetime:
    """The first instant at which it no longer holds."""
    return entry.effective_to or FOR_EVER


def span_of(entry: Dated) -> Span:
    """All the time in which it holds."""
    return begins(entry), ends(entry)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same instants in as few spans as there can be."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], until)
        else:
            found.append((since, until))
    return tuple(found)


def holds(entry: Dated, at: datetime) -> bool:
    """Whether it holds at an instant."""
    return begins(entry) <= at < ends(entry)


class Narrowing:
    """`Narrowing(time)`: `since` and `until`, from when to when what is found for an instant holds. They
    narrow with each dated entry that is met."""

    def __init__(self, time: datetime) -> None:
        self.time, self.since, self.until = time, SINCE_EVER, FOR_EVER

    def narrow(self, begins: datetime, ends: datetime) -> None:
        """What holds from one instant to another was met: what is found holds to the nearer of them."""
        for edge in (begins, ends):
            if edge <= self.time:
                self.since = max(self.since, edge)
            else:
                self.until = min(self.until, edge)

    def met(self, entry: Dated) -> bool:
        """Whether it holds at the instant."""
        self.narrow(begins(entry), ends(entry))
        return holds(entry, self.time)

    def any_holds(self, entries: Iterable[Dated]) -> bool:
        """Whether some of these hold at the instant; all are met."""
        held = [self.met(each) for each in entries]
        return any(held)


def hold_at_once(one: Dated, other: Dated) -> bool:
    """Whether both hold at some instant."""
    return begins(one) < ends(other) and begins(other) < ends(one)


def one_at_a_time(
    entries: Iterable[E], about: Callable[[E], K], refuse: Callable[[E, E], Exception]
) -> dict[K, list[E]]:
    """The entries by what they are about, the earliest first. Raises `refuse(one, other)` where two about
    the same hold at once."""
    found: dict[K, list[E]] = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: (begins(entry), entry.id)):
        same = found[about(entry)]
        if same and begins(entry) < ends(same[-1]):
            raise refuse(same[-1], entry)
        same.append(entry)
    return found
