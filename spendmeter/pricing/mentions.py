"""What of the way in which an event was served its prices do not mention: what its lines remark. Pure."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.catalog import Adjustment, Conditions, Price, PriceEntry
from spendmeter.contracts.rated import Remark
from spendmeter.contracts.units import FEE_UNITS
from spendmeter.pricing.conditions import STANDARD, Served
from spendmeter.pricing.dates import begins, ends
from spendmeter.pricing.scope import Scope, is_everybodys

Span = tuple[datetime, datetime]
"""From an instant to another, which is no longer part of it."""


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
    """The remarks on usage of a sku that was served in one way; false = there can be none."""

    __slots__ = ("_excepting", "_regional", "_stated", "instants")

    def __init__(self, served: Served, excepting: Iterable[Adjustment], regional: Iterable[Span]) -> None:
        """`excepting`: the factors that leave the sku as it is; `regional`: when its provider charges by
        region at all.

        Every model is served somewhere, so one that is excepted from a region's factor costs the same there;
        one that is excepted from a batch's or a tier's is not known to be served like that."""
        self._regional: Sequence[Span] = () if served.is_anywhere else tuple(regional)
        self._excepting: Sequence[Adjustment] = ()
        self._stated: list[Remark] = []
        self.instants: set[datetime] = set()
        """Those at which the remarks on one price may change."""
        if served.batch:
            self._stated.append("batch")
        if served.tier != STANDARD:
            self._stated.append("tier")
        if self._regional:
            self._stated.append("region")
            self._excepting = [each for each in excepting if each.when.regions]
            spans = [*self._regional, *(_span(each.when) for each in self._excepting)]
            self.instants.update(*spans)

    def __bool__(self) -> bool:
        return bool(self._stated)

    def by(
        self, price: Price, factors: Iterable[Adjustment], unit: str, time: datetime
    ) -> tuple[Remark, ...]:
        """What of it neither the price that decides a unit at an instant says, nor the factors on it. One
        that has everything in it says it all."""
        if not self._stated or price.all_in or unit in FEE_UNITS:
            return ()
        said = [price.when, *(each.when for each in factors)]
        unsaid = [kind for kind in self._stated if not any(map(_SAYS[kind], said))]
        return tuple(kind for kind in unsaid if kind != "region" or self._matters_where(unit, time))

    def _matters_where(self, unit: str, time: datetime) -> bool:
        """Whether the provider charges by region then, and not without this sku."""
        return any(since <= time < until for since, until in self._regional) and not any(
            each.when.in_force(time) and (not each.units or unit in each.units) for each in self._excepting
        )


_SAYS: dict[Remark, Callable[[Conditions], bool]] = {
    "batch": lambda when: when.batch is not None,
    "tier": lambda when: bool(when.tiers),
    "region": lambda when: bool(when.regions),
}


def _span(when: Conditions) -> Span:
    return begins(when), ends(when)


def _joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same instants in as few spans as there can be."""
    joined: list[Span] = []
    for since, until in sorted(spans):
        if joined and since <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], until)
        else:
            joined.append((since, until))
    return tuple(joined)
