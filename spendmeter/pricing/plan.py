"""A plan: everything that may price one sku for one tenant and one way of serving, most specific first.

What is left to decide for an event are its instant and its context length, so a plan is made once and used
for every event that shares it. A plan never remembers a quantity; README.md says what it does remember.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import structs

from spendmeter.contracts.catalog import (
    ANY,
    Adjustment,
    CalendarEntry,
    Conditions,
    Price,
    PriceEntry,
)
from spendmeter.contracts.terms import FOR_EVER, SINCE_EVER
from spendmeter.contracts.units import DEARER_UNITS
from spendmeter.pricing.conditions import Bounds, Served
from spendmeter.pricing.decision import Decision, combine, decide_by, spares
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.price_lists import ByRegion, PriceLists
from spendmeter.pricing.rank import Rank, rank
from spendmeter.pricing.remarks import Unmentioned
from spendmeter.pricing.scope import ANYBODYS, Scope

CONTEXT_MAX = 10**12
"""Tokens: no context is longer."""
_NOT_BY_REGION = ByRegion()
_E = TypeVar("_E", bound=PriceEntry)


class Candidate(Bounds, Generic[_E]):
    """An entry for this tenant and what served: it may decide where its bounds hold."""

    __slots__ = ("distance", "entry", "rank")

    def __init__(
        self, entry: _E, rank: Rank, calendars: Mapping[str, CalendarEntry], distance: int = 0
    ) -> None:
        super().__init__(entry.when, calendars)
        self.entry, self.rank = entry, rank
        self.distance = distance
        """How many parents away from the unit a price's own unit is."""


class Option(Candidate[Price]):
    """A price that may decide a unit, and the decision that it then is."""

    __slots__ = ("decision",)

    def __init__(
        self,
        price: Price,
        rank: Rank,
        calendars: Mapping[str, CalendarEntry],
        lineage: Sequence[str],
        note: str,
    ) -> None:
        """`lineage`: the unit that is priced, its parent, and so on to the price's own."""
        super().__init__(price, rank, calendars, len(lineage) - 1)
        self.decision = decide_by(price, lineage[0], note, least=not DEARER_UNITS.isdisjoint(lineage[:-1]))


class PriceOptions(NamedTuple):
    """The prices that may decide a unit: its own, then those of its parents, of each the highest rank
    first."""

    listed: tuple[Option, ...] = ()
    contracted: tuple[Option, ...] = ()
    """One of them decides only where it is of no farther parent than the list price."""


class Decisions(dict[str, Decision | None]):
    """`decisions[unit]`: what decides each unit in a stretch of time and of context lengths in which no price
    changes, worked out when it is first asked for; None = nothing does, which is not kept, for senders choose
    the names of units."""

    __slots__ = ("_context", "_plan", "_time")

    def __init__(self, plan: Plan, time: datetime, context: int) -> None:
        """`time`, `context`: any of the stretch."""
        self._plan, self._time, self._context = plan, time, context

    def __missing__(self, unit: str) -> Decision | None:
        decision = self._plan.decide(unit, self._time, self._context)
        if decision is not None:
            self[unit] = decision
        return decision


class Bounded(NamedTuple):
    """What bounds a price that nobody knows: the dearest of these plans, each times its factor."""

    by: tuple[tuple[Plan, Decimal], ...] = ()
    says: str = ""
    trust: Literal["sure", "with_family", "with_all"] = "sure"
    """Whether these bound it alone, or what else bounds it with them (meaning.py)."""
    family: str = ""
    tiers: tuple[tuple[Callable[[], Sequence[Plan]], Decimal], ...] = ()
    """Siblings of that family that bound it too, the nearest first; each tier is made when it is asked for,
    and counts times its factor."""
    elsewhere: Callable[[], Sequence[Plan]] = tuple
    """Of whoever else sells what bounds it."""


UNBOUNDED = Bounded()


class Plan:
    """`Plan(price_lists, provider=..., sku=..., ...)`; `sku` None = no model is known by the name, or it has
    no prices at all, and nothing decides: `name` is then its kind, `bounded` what bounds it.
    `reseller`: who sells it at the provider's prices, times factors of its own ('' = the provider).
    `sold_as`: its name there, where the price is passed on: nothing agreed with the provider is in that."""

    def __init__(
        self,
        lists: PriceLists,
        *,
        provider: str | None,
        sku: str | None,
        name: str,
        served: Served,
        scope: Scope,
        reseller: str = "",
        sold_as: str = "",
        bounded: Bounded = UNBOUNDED,
    ) -> None:
        self._lists, self.bounded = lists, bounded
        self.sold_as = sold_as
        self.provider, self.sku, self.name = provider, sku, name
        self.served, self.scope, self.reseller = served, scope, reseller
        self._note = f"price of {provider}, which {reseller} resells" if reseller else ""
        """What every decision says of itself."""
        ranked = self._ranked_prices()
        self._prices: dict[str, list[tuple[Rank, Price]]] = defaultdict(list)
        for its, price in ranked:
            self._prices[price.unit].append((its, price))
        self.adjustments, excepting = self._ranked_adjustments()
        """Highest rank first; of one kind and name, the first that holds applies."""
        regional = [
            lists.regional.get(each or "", _NOT_BY_REGION).spans(self.scope_of(each or ""))
            for each in (reseller, provider)
        ]
        self._unmentioned = Unmentioned(served, excepting, chain(*regional))
        fees = sorted({price.unit for _, price in ranked if price.per_event})
        self.per_event = tuple((unit, lists.covered_by(unit)) for unit in fees)
        """Units charged once an event, each with those of which an event may say how many it was instead."""
        says = [its.conditions for its, _ in ranked] + [each.rank.conditions for each in self.adjustments]
        self.by_length = any(each.context for each in says)
        """Whether the context length matters."""
        self.by_hour = any(each.hours for each in says)
        """Whether the hour of the week does."""
        conditions = [price.when for _, price in ranked] + [each.entry.when for each in self.adjustments]
        instants, self._lengths = _changes(conditions)
        self._instants = sorted(instants | self._unmentioned.instants)
        self._decisions: dict[tuple[int, int], Decisions] = {}
        self._options: dict[str, PriceOptions] = {}
        self._combined: dict[tuple[Any, ...], Decision] = {}

    def _ranked_prices(self) -> list[tuple[Rank, Price]]:
        if self.provider is None or self.sku is None:
            return []
        prices = self._lists.prices[self.provider, self.sku]
        scope = self.scope_of(self.provider)
        ranked = [(its, price) for price in prices if (its := rank(price, scope, self.served)) is not None]
        return sorted(ranked, key=lambda each: (each[0], each[1].id), reverse=True)

    def is_about(self, adjustment: Adjustment) -> bool:
        """Whether a factor of one of its sellers is about the sku, as that seller calls it."""
        return concerns(adjustment, self.name_at(adjustment.provider.lower()))

    def name_at(self, seller: str) -> str:
        """What a seller calls the sku."""
        return (self.sold_as if seller == self.reseller else "") or self.sku or ""

    def scope_of(self, seller: str) -> Scope:
        """For whom a seller's entries are to be."""
        return ANYBODYS if self.sold_as and seller != self.reseller else self.scope

    def _ranked_adjustments(self) -> tuple[tuple[Candidate[Adjustment], ...], list[Adjustment]]:
        """Those about the sku; and those that name it as one that they leave as it is."""
        found, excepting = [], []
        for entry in self._lists.adjustments_of(self.provider or "", self.reseller) if self.sku else ():
            seller = entry.provider.lower()
            its = rank(entry, self.scope_of(seller), self.served)
            if its is None:
                continue
            if self.is_about(entry):
                found.append(Candidate(entry, its, self._lists.calendars))
            elif entry.unless and matches_any(entry.unless, self.name_at(seller)):
                excepting.append(entry)
        # Of two that say as much, the one of who sells it.
        found.sort(key=lambda each: (each.rank, each.entry.provider.lower() == self.reseller), reverse=True)
        return tuple(found), excepting

    def decisions(self, time: datetime, context: int) -> Decisions:
        """What decides each unit at that instant for a request of so many context tokens: shared between the
        changes of price around them, and made anew where the hour matters."""
        if self.by_hour:
            return Decisions(self, time, context)
        stretch = bisect_right(self._instants, time), bisect_right(self._lengths, context)
        found = self._decisions.get(stretch)
        if found is None:
            found = self._decisions[stretch] = Decisions(self, time, context)
        return found

    def in_force(self, time: datetime) -> tuple[datetime, datetime]:
        """[since, until): the instants around `time` at which the same prices are in force, each at its
        hours."""
        place = bisect_right(self._instants, time)
        return (
            self._instants[place - 1] if place else SINCE_EVER,
            self._instants[place] if place < len(self._instants) else FOR_EVER,
        )

    def lengths(self, low: int, high: int | None) -> list[int]:
        """A context length for each stretch of [low, high] in which the same prices hold; None = no end."""
        end = CONTEXT_MAX if high is None else min(high, CONTEXT_MAX)
        return [low, *(each for each in self._lengths if low < each <= end)]

    def decide(self, unit: str, time: datetime, context: int) -> Decision | None:
        """What prices `unit` at that instant for a request of so many context tokens; None = nothing does."""
        listed, contracted = self.options(unit)
        for option in listed:
            if option.holds(time, context):
                if contracted or self.adjustments or self._unmentioned:
                    return self._combine(unit, option, contracted, time, context)
                return option.decision
        for option in contracted:
            if option.holds(time, context):
                offer = self._combine(unit, option, (), time, context)
                reasons = "no list price: the contracted one stands for it", offer.reason
                return replace(offer, reason="; ".join(filter(None, reasons)))
        return None

    def ceiling(self, unit: str, time: datetime) -> Decision | None:
        """The dearest list price that a request for `unit` may meet at that instant, however long it is and
        whatever the hour (an adjustment that holds at some hours alone is left out)."""
        options = [option for option in self.options(unit).listed if option.start <= time < option.end]
        if not options:
            return None
        first = options[0]
        alike = [o for o in options if o.distance == first.distance and o.rank.served_alike(first.rank)]
        prices = [self._combine(unit, o, (), time, max(o.low, 0), any_hour=True) for o in alike]
        return max(prices, key=lambda price: (price.per_unit, price.entry))

    def options(self, unit: str) -> PriceOptions:
        """The candidates for the price of the unit; the first that holds decides. What is no unit has none,
        and is not remembered."""
        options = self._options.get(unit)
        if options is None:
            options = self._find_options(unit)
            if unit in self._lists.parents:
                self._options[unit] = options
        return options

    def _find_options(self, unit: str) -> PriceOptions:
        listed: list[Option] = []
        contracted: list[Option] = []
        lineage: list[str] = []
        for source in self._lists.lineage(unit):
            lineage.append(source)
            for its, price in self._prices.get(source, ()):
                option = Option(price, its, self._lists.calendars, lineage, self._note)
                (listed if price.kind == "list" else contracted).append(option)
        return PriceOptions(tuple(listed), tuple(contracted))

    def _combine(
        self,
        unit: str,
        option: Option,
        offers: tuple[Option, ...],
        time: datetime,
        context: int,
        any_hour: bool = False,
    ) -> Decision:
        """The option's price with its multipliers, and the contracted one where that differs."""
        # A contract's price of the parent unit must not displace the unit's own list price.
        offer = next((o for o in offers if o.distance <= option.distance and o.holds(time, context)), None)
        holding = [
            each.entry
            for each in self.adjustments
            if (not each.entry.units or unit in each.entry.units)
            and each.holds(time, context)
            and not (any_hour and each.week)
        ]
        on_list = _factors([each for each in holding if each.kind == "list"], option.entry)
        price = (offer or option).entry
        on_contracted = _factors(holding, price)
        remarks = self._unmentioned.by(price, on_contracted, unit, time)
        key = (id(option), id(offer), tuple(map(id, on_list)), tuple(map(id, on_contracted)), remarks)
        decision = self._combined.get(key)
        if decision is None:
            decision = combine(option.decision, offer.decision if offer else None, on_list, on_contracted)
            decision = self._combined[key] = replace(decision, remarks=remarks) if remarks else decision
        return decision


def concerns(adjustment: Adjustment, sku: str) -> bool:
    """Whether a factor is about a sku of its provider."""
    return (not adjustment.skus or matches_any(adjustment.skus, sku)) and not matches_any(
        adjustment.unless, sku
    )


def _factors(holding: list[Adjustment], price: Price) -> list[Adjustment]:
    """Those that apply to a price, of each kind and name the first."""
    applied: dict[tuple[str, str], Adjustment] = {}
    for each in holding:
        if not spares(each, price):
            applied.setdefault((each.kind, each.name), each)
    return list(applied.values())


def _changes(conditions: list[Conditions]) -> tuple[set[datetime], list[int]]:
    """The instants, and in order the context lengths, from which on others hold, whatever the hour."""
    limits = [Bounds(structs.replace(when, windows=()), {}) for when in conditions if when is not ANY]
    instants = {instant for limit in limits for instant in (limit.start, limit.end)}
    lengths = {length for limit in limits for length in (limit.low, limit.high + 1)}
    return instants, sorted(lengths)
