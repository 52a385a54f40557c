"""What of a way of serving prices mention, and when: what they do not, the lines of an event remark. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.catalog import ANY, Adjustment, Conditions, PriceEntry
from spendmeter.contracts.rated import Remark
from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER
from spendmeter.pricing.conditions import STANDARD, Served
from spendmeter.pricing.dates import begins, ends
from spendmeter.pricing.scope import Scope, is_everybodys

Span = tuple[datetime, datetime]
"""From an instant to another, which is no longer part of it."""
_ALWAYS: tuple[Span, ...] = ((SINCE_EVER, FOR_EVER),)


class ByRegion(NamedTuple):
    """When a provider charges by region: when a price or a factor of its that states regions is in force."""

    everybodys: tuple[Span, ...] = ()
    others: tuple[PriceEntry, ...] = ()
    """Of one tenant, or of a contract."""

    def spans(self, scope: Scope) -> tuple[Span, ...]:
        """As far as those of a scope know."""
        if not self.others:
            return self.everybodys
        theirs = [_span(each.when) for each in self.others if scope.includes(each)]
        return _joined([*self.everybodys, *theirs])


def by_region(entries: Sequence[PriceEntry]) -> ByRegion:
    """When one provider charges by region, by those of its prices and factors that state regions."""
    others = tuple(each for each in entries if not is_everybodys(each))
    return ByRegion(_joined(_span(each.when) for each in entries if is_everybodys(each)), others)


class Unmentioned:
    """The remarks on usage that was served in one way: `unmentioned.at(instant)`."""

    __slots__ = ("_unless", "instants")

    def __init__(
        self,
        served: Served,
        mentions: Sequence[PriceEntry],
        excepting: Sequence[Adjustment],
        regional: Iterable[Span],
    ) -> None:
        """`mentions`: the prices of a sku and the factors about it, for what served; `excepting`: the factors
        that leave it as it is; `regional`: when its provider charges by region at all.

        Every model is served somewhere, so one that is excepted from a region's factor costs the same there;
        one that is excepted from a batch's or a tier's is not known to be served like that."""
        self._unless: list[tuple[Remark, Sequence[Span], Sequence[Span]]] = []
        if served.batch:
            self._unless.append(("batch", _stating("batch", mentions), _ALWAYS))
        if served.tier != STANDARD:
            self._unless.append(("tier", _stating("tiers", mentions), _ALWAYS))
        if not served.is_anywhere:
            spoken = [*mentions, *excepting]
            self._unless.append(("region", _stating("regions", spoken), tuple(regional)))
        limits = (span for _, *both in self._unless for spans in both for span in spans)
        self.instants = {instant for span in limits for instant in span}
        """Those at which the remarks may change."""

    def at(self, time: datetime) -> tuple[Remark, ...]:
        """What no price in force at an instant mentions, though the event states it."""
        if not self._unless:
            return ()
        return tuple(
            remark
            for remark, mentioned, charged in self._unless
            if _lies_in(time, charged) and not _lies_in(time, mentioned)
        )


def _stating(part: str, entries: Iterable[PriceEntry]) -> list[Span]:
    """When one of the entries is in force that says what serving like that costs; one that has everything in
    its price does."""
    return [
        _span(each.when)
        for each in entries
        if getattr(each.when, part) not in (None, ()) or (not isinstance(each, Adjustment) and each.all_in)
    ]


def _span(when: Conditions) -> Span:
    if when is ANY:
        return _ALWAYS[0]
    return begins(when), ends(when)


def _lies_in(time: datetime, spans: Iterable[Span]) -> bool:
    return any(since <= time < until for since, until in spans)


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same instants in as few spans as there can be."""
    joined: list[Span] = []
    for since, until in sorted(spans):
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((since, until))
    return tuple(joined)
