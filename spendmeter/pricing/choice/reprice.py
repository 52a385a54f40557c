"""Own traffic on another model, from sums: at least and at most what its calls would have cost there. Pure.

Each unit is priced as the engine would price it at one instant: by contract, tier, region and batch as they
were served, cached tokens at the candidate's price of a cache, or as its input where it has none. A sum does
not say in which of its calls the tokens were, so a price that holds for long contexts alone, or at some
hours, makes an interval: of the stretches in which these calls can have been. What the candidate has no
price for is named, and then there is no amount.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import NamedTuple

from spendmeter.contracts.events import Context, UsageData
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, quantised
from spendmeter.contracts.rated import Remark
from spendmeter.contracts.units import UNITS
from spendmeter.pricing.choice.growth import GROWING, SAME, SEEN_DIFFERENTLY, TokenGrowth, growth_between
from spendmeter.pricing.choice.traffic import (
    CandidateModel,
    ContextRange,
    Portion,
    RepricedTraffic,
    UnitCost,
    Use,
)
from spendmeter.pricing.decision import Decision
from spendmeter.pricing.plan import Decisions, Plan
from spendmeter.pricing.price_book import PriceBook

_WEEK = timedelta(days=7)
WEEK_HALF_HOURS = 2 * 24 * 7
CACHE_UNITS = frozenset(unit for unit in UNITS if unit.startswith("cache_") and unit.endswith("_tokens"))
_REMARKED: Mapping[Remark, str] = {
    "batch": "no price of it is for a batch: priced as any call",
    "tier": "no price of it is for the tier {tier!r}: priced as any call",
    "region": "no price of it is for the region {region!r}: priced as any call",
}
_WRITTEN = frozenset(unit for unit in CACHE_UNITS if unit.startswith("cache_write_"))
_NO_LIMITS = (ZERO, None)


class _Stretch(NamedTuple):
    """An instant, and contexts for which the own model's prices are the same: what decides there, on the own
    model and on the plan."""

    own: Decisions
    there: Sequence[Decisions]


@dataclass(frozen=True, kw_only=True)
class Pricing:
    """Whose prices, of when, in which currency; `growth`: what the tenant says itself, by the name of
    a candidate."""

    book: PriceBook
    tenant: str
    currency: str
    at: datetime
    growth: Mapping[str, TokenGrowth] = field(default_factory=dict)

    def plan(self, use: Use, candidate: CandidateModel) -> Plan:
        """Of a candidate, served as the use was."""
        context = Context(service_tier=use.tier, region=use.region, batch=use.batch)
        data = UsageData(provider=candidate.provider, sku=candidate.sku, usage={}, context=context)
        return self.book.plan(self.tenant, data, self.at)


def reprice(uses: Iterable[Use], candidate: CandidateModel | None, pricing: Pricing) -> RepricedTraffic:
    """What they cost on the candidate; None = each on its own model, as it is. Raises decimal.Inexact where
    an amount has more digits than money."""
    found = _Found()
    for use in uses:
        found.calls += use.calls
        _add_use(found, use, use.model, candidate or use.model, pricing)
    return found.repriced()


@dataclass
class _Sum:
    """Of one unit, so far."""

    quantities: list[Decimal] = field(default_factory=lambda: [ZERO, ZERO])
    amounts: list[Decimal] = field(default_factory=lambda: [ZERO] * 4)
    """List at least and at most; as contracted at least and at most."""
    prices: dict[tuple[str, str], None] = field(default_factory=dict)


@dataclass
class _Found:
    """What was found so far; lists keep the order in which things were met."""

    calls: int | Decimal = 0
    sums: dict[str, _Sum] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def repriced(self) -> RepricedTraffic:
        units = tuple(
            UnitCost(
                unit=unit,
                quantity_low=each.quantities[0],
                quantity_high=each.quantities[1],
                prices=tuple(each.prices),
                list_low=each.amounts[0],
                list_high=each.amounts[1],
                low=each.amounts[2],
                high=each.amounts[3],
            )
            for unit, each in sorted(self.sums.items())
        )
        sums: list[Decimal | None] = [None] * 4
        if not self.missing:
            sums = [_total(each.amounts[place] for each in self.sums.values()) for place in range(4)]
        return RepricedTraffic(
            calls=self.calls, units=units, missing=tuple(self.missing), notes=tuple(self.notes),
            list_low=sums[0], list_high=sums[1], low=sums[2], high=sums[3],
        )  # fmt: skip


def _total(amounts: Iterable[Decimal]) -> Decimal:
    found = ZERO
    for amount in amounts:
        found = EXACT.add(found, amount)
    return found


def _add_use(
    found: _Found, use: Use, own: CandidateModel, candidate: CandidateModel, pricing: Pricing
) -> None:
    plan, own_plan = pricing.plan(use, candidate), pricing.plan(use, own)
    if plan.sku is None:
        found.missing[f"nobody here knows a price of {candidate.name}"] = None
        return
    same = (plan.sku, plan.provider, plan.reseller) == (own_plan.sku, own_plan.provider, own_plan.reseller)
    said = pricing.growth.get(candidate.name)
    growth = SAME if same else growth_between(own_plan.sku or own.sku, plan.sku, said)
    if growth.basis != "same":
        times = f"{plain(growth.low)} to {plain(growth.high)} times the tokens of text"
        found.notes[f"{own.name} to {candidate.name}: {times} ({growth.source})"] = None
    pricer = _Pricer(found, use, plan, own_plan, growth, same, pricing)
    fees = {unit for unit, _ in own_plan.per_event}
    for portion in use.portions:
        if not same and portion.unit in fees and not plan.options(portion.unit).listed:
            found.notes[f"{portion.unit} are charged by {own.name} for each call, and not here"] = None
        elif portion.quantity > 0:  # less than nothing: the other half is not folded yet
            pricer.add(portion)
    pricer.add_fees()


@dataclass
class _Pricer:
    """Prices the portions of one use on one plan."""

    found: _Found
    use: Use
    plan: Plan
    own: Plan
    growth: TokenGrowth
    same: bool
    pricing: Pricing

    def add(self, portion: Portion, fewest: Decimal | None = None) -> None:
        """Count a portion; `fewest`: how little of it there may be, where that is not sure."""
        unit, quantity = portion.unit, portion.quantity
        low = high = quantity
        if fewest is not None:
            low = fewest
        if unit in GROWING and not self.same:
            low, high = EXACT.multiply(low, self.growth.low), EXACT.multiply(high, self.growth.high)
        if not self.same and any(each in unit for each in SEEN_DIFFERENTLY):
            self.found.notes[f"{unit}: each vendor counts these in its own way; counted as they were"] = None
        amounts: list[tuple[Decimal, Decimal, Decimal, Decimal]] = []
        prices: dict[tuple[str, str], None] = {}
        for decision in self._decisions(portion, unit):
            if reason := self._refuses(decision, portion):
                self.found.missing[reason] = None
                return
            assert decision is not None
            priced = self._amounts(decision, low, high)
            if priced is None:
                return
            amounts.append(priced)
            agreed = decision.contracted or decision
            per = f" for {agreed.per}" if agreed.per != 1 else ""
            prices[f"{agreed.text} {agreed.currency}{per}", agreed.entry] = None
            self._note(decision, unit)
        if len(prices) > 1:
            by = "hour" if self.plan.by_hour else "length of context"
            self.found.notes[f"{unit}: the price is by {by}, of which sums say less than it asks"] = None
        for decision in self._written(portion):
            if written := self._amounts(decision, low, high):
                amounts.append(written)
                own = f"{self.use.provider}/{self.use.sku}"
                said = (
                    f"{own} does not say what it writes to its cache: up to all of it, at the price of that"
                )
                self.found.notes[f"{unit}: {said}"] = None
        found = self.found.sums.setdefault(unit, _Sum())
        for place, amount in enumerate((low, high)):
            found.quantities[place] = EXACT.add(found.quantities[place], amount)
        columns = list(zip(*amounts, strict=True))
        for place, edge in enumerate((min, max, min, max)):
            found.amounts[place] = EXACT.add(found.amounts[place], edge(columns[place]))
        found.prices |= prices

    def add_fees(self) -> None:
        """What the candidate charges for each call, where the calls do not say how many it was."""
        stated = Counter[str]()
        for portion in self.use.portions:
            if portion.quantity:
                stated[portion.unit] += portion.events
        for unit, instead in self.plan.per_event:
            if unit in stated or self.use.calls <= 0:
                continue
            says = sum(stated[each] for each in instead)
            fewest = Decimal(max(0, self.use.calls - says))
            self.add(Portion(unit=unit, quantity=Decimal(self.use.calls), events=0), fewest)

    def _written(self, portion: Portion) -> Iterator[Decision]:
        """What decides input that may be written to a cache: a model that counts what it reads alone has it
        under input, and the candidate may ask more for it."""
        if self.same or portion.unit != "input_tokens":
            return
        used = {each.unit for each in self.use.portions if each.quantity > 0}
        if "cache_read_tokens" not in used or used & _WRITTEN:
            return
        for decision in self._decisions(portion, "cache_write_5m_tokens"):
            if decision is not None and not decision.parent and _limits(decision) == _NO_LIMITS:
                yield decision

    def _decisions(self, portion: Portion, unit: str) -> Iterator[Decision | None]:
        """What decides the unit in each stretch in which these calls can have been."""
        met = set()
        for stretch in self._open_to(portion):
            for decisions in stretch.there:
                decision = decisions[unit]
                if id(decision) not in met:
                    met.add(id(decision))
                    yield decision

    def _open_to(self, portion: Portion) -> Sequence[_Stretch]:
        """Of the stretches that the use leaves open those in which its own model has the price by which the
        portion was booked; all of them, where that is not in force now."""
        if not portion.entry:
            return self._stretches
        priced = [
            stretch
            for stretch in self._stretches
            if (decision := stretch.own[portion.unit]) and decision.entry == portion.entry
        ]
        return priced or self._stretches

    @cached_property
    def _stretches(self) -> Sequence[_Stretch]:
        """Those that the instants and contexts of the use leave open: the same for each of its portions."""
        return [
            _Stretch(own=self.own.decisions(instant, start), there=self._there(instant, start, end))
            for instant in self._instants()
            for context in self.use.contexts
            for start, end in _cut(self.own, context)
        ]

    def _there(self, instant: datetime, start: int, end: int | None) -> Sequence[Decisions]:
        """What may decide on the plan, where contexts from `start` to `end` are as long as they become."""
        first, last = start, end
        if self.growth.low != 1:
            first = int(EXACT.multiply(Decimal(start), self.growth.low).to_integral_value(ROUND_FLOOR))
        if end is not None and self.growth.high != 1:
            last = int(EXACT.multiply(Decimal(end), self.growth.high).to_integral_value(ROUND_CEILING))
        return [self.plan.decisions(instant, length) for length in self.plan.lengths(first, last)]

    def _instants(self) -> list[datetime]:
        """Of each half hour of the week one at which the prices are in force that are so now."""
        at = self.pricing.at
        if not (self.plan.by_hour or self.own.by_hour):
            return [at]
        spans = self.plan.in_force(at), self.own.in_force(at)
        since, until = max(each[0] for each in spans), min(each[1] for each in spans)
        first, half_hour = at.replace(minute=0, second=0, microsecond=0), timedelta(minutes=30)
        back = [first - step * half_hour for step in range(WEEK_HALF_HOURS)]
        week = [instant if instant >= since else instant + _WEEK for instant in back]
        return [at, *(instant for instant in week if since <= instant < until)]

    def _refuses(self, decision: Decision | None, portion: Portion) -> str:
        """Why a sum cannot be priced so; '' = it can."""
        unit = portion.unit
        if decision is None:
            return f"it has no price for {unit}"
        if decision.status == "provisional":
            return f"{unit}: {decision.reason}"
        is_booked = decision.entry == portion.entry  # a sum of what it billed
        limits, agreed = _limits(decision), _limits(decision.contracted or decision)
        if agreed != limits or (limits != _NO_LIMITS and not is_booked):
            return f"{unit}: a call is billed for so many at least or at most, which sums cannot tell"
        if not is_booked and self._was_limited(portion):
            return (
                f"{unit}: {self.use.provider}/{self.use.sku} bills so many at least or at most of a call, so "
                "sums do not tell how much it was"
            )
        return ""

    def _was_limited(self, portion: Portion) -> bool:
        options = self.own.options(portion.unit).listed if portion.entry else ()
        return any(
            option.entry.id == portion.entry and _limits(option.decision) != _NO_LIMITS for option in options
        )

    def _amounts(
        self, decision: Decision, low: Decimal, high: Decimal
    ) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        agreed = decision.contracted or decision
        found = []
        for price in (decision, agreed):
            for quantity in (low, high):
                amount = EXACT.multiply(quantity, price.price)
                if price.per != 1:
                    amount = divided(amount, Decimal(price.per))
                if price.currency != self.pricing.currency and amount:
                    rate = self.pricing.book.fx(price.currency, self.pricing.currency, self.pricing.at)
                    if rate is None:
                        lacks = f"no exchange rate from {price.currency} to {self.pricing.currency}"
                        self.found.missing[lacks] = None
                        return None
                    amount = quantised(EXACT.multiply(amount, Decimal(rate.rate)))
                found.append(amount)
        return found[0], found[1], found[2], found[3]

    def _note(self, decision: Decision, unit: str) -> None:
        if decision.parent and unit in CACHE_UNITS:
            self.found.notes[
                f"{unit}: it has no price of a cache for these: counted as {decision.parent}"
            ] = None
        elif decision.parent:
            self.found.notes[f"{unit}: at the price of {decision.parent}"] = None
        for remark in decision.remarks:
            text = _REMARKED[remark].format(tier=self.use.tier, region=self.use.region)
            self.found.notes[text] = None


def _limits(price: Decision) -> tuple[Decimal, Decimal | None]:
    return price.minimum, price.maximum


def _cut(plan: Plan, context: ContextRange) -> Iterator[ContextRange]:
    """The range where the prices of a plan change."""
    starts = plan.lengths(*context)
    for place, start in enumerate(starts):
        yield start, starts[place + 1] - 1 if place + 1 < len(starts) else context[1]
