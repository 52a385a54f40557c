"""From what series cost and used in the incident's minutes, and before, to leaves, and to the use of each sku
on both sides. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from services.alerts.cause.leaves import Leaf, telling
from services.alerts.scopes import NAMING_ORDER
from spendmeter.book.split import SkuUse, shared_out
from spendmeter.contracts.money import EXACT, ZERO, divided, total

SpanName = Literal["now", "before", "days"]
ReferenceName = Literal["before", "days"]
SkuName = tuple[str, str]
"""(provider, sku)."""
UnitPrices = Mapping[SkuName, Mapping[str, Decimal]]
"""By unit."""
OTHER = ""
"""In place of a unit: money of which no unit is known."""


REFERENCES: tuple[ReferenceName, ...] = ("days", "before")


@dataclass(frozen=True, kw_only=True)
class SpanUse:
    """Of one series, in all of one span."""

    amount: Decimal
    provisional: Decimal
    events: Decimal
    unpriced_events: int
    quantities: Mapping[str, Decimal]


@dataclass(frozen=True, kw_only=True)
class SeriesUse:
    """One series, or what is left of a scope beyond those that were read: that names nothing."""

    dimensions: Mapping[str, str]
    spans: dict[SpanName, SpanUse] = field(default_factory=dict)

    @property
    def sku(self) -> SkuName:
        return self.dimensions.get("provider", ""), self.dimensions.get("sku", "")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How long the incident lasts, and each of its references: either of these may be nothing."""

    now: timedelta
    before: timedelta
    days: timedelta

    def bring(self, value: Decimal, span: ReferenceName) -> Decimal:
        """What it is in as much time as the incident lasts."""
        over = self.before if span == "before" else self.days
        return (
            divided(EXACT.multiply(value, _in_microseconds(self.now)), _in_microseconds(over))
            if over
            else ZERO
        )


@dataclass(frozen=True, kw_only=True)
class WeighedSeries:
    """A series, and which of its references it is held against: the one in which it cost more."""

    use: SeriesUse
    span: ReferenceName
    expected: Decimal

    @property
    def actual(self) -> Decimal:
        return self.use.spans["now"].amount if "now" in self.use.spans else ZERO


def weighed(series: Iterable[SeriesUse], weights: Weights) -> list[WeighedSeries]:
    """What to expect of each."""
    found = []
    for use in series:
        expected: dict[ReferenceName, Decimal] = {
            span: weights.bring(use.spans[span].amount, span) for span in REFERENCES if span in use.spans
        }
        span = max(expected, key=expected.__getitem__, default=REFERENCES[0])
        found.append(WeighedSeries(use=use, span=span, expected=expected.get(span, ZERO)))
    return found


def dimensions_of(series: Iterable[WeighedSeries]) -> list[str]:
    """Those that any of them has, the most telling first."""
    return telling({name for each in series for name in each.use.dimensions}, NAMING_ORDER)


def leaves_of(series: Iterable[WeighedSeries], dimensions: Sequence[str]) -> list[Leaf]:
    """One a series."""
    return [
        Leaf(tuple(each.use.dimensions.get(name, "") for name in dimensions), each.actual, each.expected)
        for each in series
    ]


def uses_of(
    series: Iterable[WeighedSeries], weights: Weights, before: UnitPrices, now: UnitPrices
) -> tuple[dict[str, SkuUse], dict[str, SkuUse]]:
    """What was used before, brought to the incident's minutes, and now, by sku: what `split_change` takes."""
    sides: tuple[defaultdict[SkuName, list[SkuUse]], ...] = defaultdict(list), defaultdict(list)
    for each in series:
        sku, spans = each.use.sku, each.use.spans
        if each.span in spans:
            ours = before if each.span == "days" else now
            past = _brought(spans[each.span], each, weights)
            sides[0][sku].append(sku_use(past, ours.get(sku) or now.get(sku) or before.get(sku)))
        if "now" in spans:
            sides[1][sku].append(sku_use(spans["now"], now.get(sku) or before.get(sku)))
    earlier, later = ({"/".join(sku): _added(uses) for sku, uses in side.items()} for side in sides)
    return earlier, later


def _brought(span: SpanUse, series: WeighedSeries, weights: Weights) -> SpanUse:
    """As it would have been in as much time as the incident lasts."""
    return SpanUse(
        amount=series.expected, provisional=span.provisional, unpriced_events=span.unpriced_events,
        events=weights.bring(Decimal(span.events), series.span),
        quantities={unit: weights.bring(value, series.span) for unit, value in span.quantities.items()},
    )  # fmt: skip


def sku_use(span: SpanUse, prices: Mapping[str, Decimal] | None) -> SkuUse:
    """Its amount goes to its units as their quantities at these prices do: they say how units differ, and the
    amount what was paid."""
    worth = {
        unit: EXACT.multiply(quantity, prices[unit])
        for unit, quantity in span.quantities.items()
        if prices and prices.get(unit) and quantity > 0
    }
    return SkuUse(
        calls=Decimal(span.events), quantities=span.quantities,
        amounts=shared_out(span.amount, worth) if worth else {OTHER: span.amount},
        unsettled=bool(span.provisional or span.unpriced_events or not worth),
    )  # fmt: skip


def _added(uses: Sequence[SkuUse]) -> SkuUse:
    quantities: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    amounts: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for use in uses:
        for unit, quantity in use.quantities.items():
            quantities[unit] = EXACT.add(quantities[unit], quantity)
        for unit, amount in use.amounts.items():
            amounts[unit] = EXACT.add(amounts[unit], amount)
    return SkuUse(
        calls=total(use.calls for use in uses), quantities=dict(quantities), amounts=dict(amounts),
        unsettled=any(use.unsettled for use in uses),
    )  # fmt: skip


def _in_microseconds(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))
