"""A plan: everything that may price one sku for one tenant and one way of serving, most specific first.

What is left to decide for an event are its instant and its context length, so a plan is made once and used
for every event that shares it. A plan never remembers a quantity.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, Inexact

from spendmeter.contracts.catalog import ANY, Adjustment, CalendarEntry, Price
from spendmeter.contracts.money import EXACT, divided, plain
from spendmeter.contracts.rated import Multiplier, PriceStatus
from spendmeter.pricing.conditions import Bounds, Served, admits, specificity
from spendmeter.pricing.names import matches_any

Rank = tuple[int, ...]
OTHER_TIER = "no price is for the service tier that served: this one is for any"


class Scope:
    """For whom: the tenant where any entry is for it alone, and its contracts, the first of them first."""

    __slots__ = ("contracts", "key", "tenant")

    def __init__(self, tenant: str = "", contracts: tuple[str, ...] = ()) -> None:
        self.tenant, self.contracts = tenant, contracts
        self.key = "\0".join((tenant, *contracts))

    def rank(self, entry: Price | Adjustment) -> Rank | None:
        """How specific to this tenant an entry is (higher wins); None = it is not for this tenant."""
        if entry.tenant and entry.tenant != self.tenant:
            return None
        order = 0
        if entry.contract:
            if entry.contract not in self.contracts:
                return None
            order = len(self.contracts) - self.contracts.index(entry.contract)
        layer = ("public", "organisation", "contract").index(entry.layer)
        return (layer, bool(entry.tenant), order)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a unit is priced: `price` in `currency` for `per` units, multipliers applied."""

    entry: str
    price: Decimal
    text: str
    currency: str
    per: int = 1
    minimum: Decimal = Decimal(0)
    status: PriceStatus = "priced"
    parent: str = ""
    reason: str = ""
    multipliers: tuple[Multiplier, ...] = ()
    contracted: Decision | None = None
    """The negotiated price, for as many units; None = as list."""
    bare: bool = False
    """Nothing but a price of one unit: not free, no minimum, division, multiplier, contract or reason."""


class Option(Bounds):
    """One price that may decide a unit, when its bounds hold."""

    __slots__ = ("decision", "depth", "rank")

    def __init__(
        self,
        price: Price,
        calendars: Mapping[str, CalendarEntry],
        *,
        rank: Rank,
        depth: int,
        decision: Decision,
    ) -> None:
        super().__init__(price.when, calendars)
        self.rank = rank
        self.depth = depth
        """How many parents away from the unit the price was found."""
        self.decision = decision


class Plan:
    """See the module. `sku` None = no model is known by this name, or it has no prices at all."""

    __slots__ = (
        "_calendars", "_combined", "_contracted", "_hours", "_instants", "_known", "_lengths", "_list",
        "_options", "_parents", "adjustments", "context", "name", "note", "per_event", "provider", "scope",
        "served", "sku",
    )  # fmt: skip

    def __init__(
        self,
        *,
        provider: str | None,
        sku: str | None,
        name: str,
        served: Served,
        scope: Scope,
        prices: Iterable[Price],
        adjustments: Iterable[Adjustment],
        parents: Mapping[str, str | None],
        calendars: Mapping[str, CalendarEntry],
        note: str = "",
    ) -> None:
        self.provider, self.sku, self.name = provider, sku, name
        self.served, self.scope, self.note = served, scope, note
        self._parents, self._calendars = parents, calendars
        ranked = [(rank, price) for price in prices if (rank := _rank(scope, served, price)) is not None]
        ranked.sort(key=lambda item: (item[0], item[1].id), reverse=True)
        self._list = _by_unit(ranked, "list")
        self._contracted = _by_unit(ranked, "contracted")
        self.adjustments = _applicable(adjustments, scope, served, sku, calendars)
        """With their bounds and ranks; of one kind and name, the first that holds applies."""
        said = [price.when for _, price in ranked] + [entry.when for _, entry, _ in self.adjustments]
        if sku is not None and served[1] != "standard" and not any(when.tiers for when in said):
            self.note = "; ".join(filter(None, (note, OTHER_TIER)))
        self.context = any(when is not ANY and specificity(when)[-1] for when in said)
        """Whether the context length matters."""
        self.per_event = tuple(sorted({price.unit for _, price in ranked if price.per_event}))
        self._hours = any(when.windows for when in said)
        limits = [] if self._hours else [Bounds(when, calendars) for when in said if when is not ANY]
        self._instants = sorted({instant for limit in limits for instant in (limit.start, limit.end)})
        self._lengths = sorted({length for limit in limits for length in (limit.low, limit.high + 1)})
        self._known: dict[tuple[int, int], dict[str, Decision]] = {}
        self._options: dict[str, tuple[tuple[Option, ...], tuple[Option, ...]]] = {}
        self._combined: dict[tuple[int, ...], Decision] = {}

    def known(self, time: datetime, context: int) -> dict[str, Decision]:
        """What `decide` has said so far between the two changes of price around that instant and that length,
        for the caller to fill; where hours matter, nothing."""
        if self._hours:
            return {}
        stretch = bisect_right(self._instants, time), bisect_right(self._lengths, context)
        known = self._known.get(stretch)
        if known is None:
            known = self._known[stretch] = {}
        return known

    def decide(self, unit: str, time: datetime, context: int) -> Decision | None:
        """What prices `unit` at that instant for a request of so many context tokens; None = nothing does."""
        options = self._options.get(unit)
        if options is None:
            options = self.options(unit)
        for option in options[0]:
            if (
                option.start <= time < option.end
                and option.low <= context <= option.high
                and (option.week is None or time in option.week)
            ):
                if options[1] or self.adjustments:
                    return self._negotiated(unit, option, options[1], time, context)
                return option.decision
        for option in options[1]:
            if option.holds(time, context):
                offer = self._negotiated(unit, option, (), time, context)
                return replace(offer, bare=False, reason="no list price: the contracted one stands for it")
        return None

    def ceiling(self, unit: str, time: datetime) -> Decision | None:
        """The dearest list price that a request for `unit` may meet at that instant, however long it is and
        whatever the hour (an adjustment that holds at some hours alone is left out)."""
        options = [o for o in self.options(unit)[0] if o.start <= time < o.end]
        if not options:
            return None
        first = options[0]
        alike = [o for o in options if o.depth == first.depth and o.rank[:-2] == first.rank[:-2]]
        dearest = max(alike, key=lambda o: (per_unit(o.decision), o.decision.entry))
        return self._negotiated(unit, dearest, (), time, max(dearest.low, 0), any_hour=True)

    def options(self, unit: str) -> tuple[tuple[Option, ...], tuple[Option, ...]]:
        """The options of the unit and, behind them, of its parents: list, contracted. The first that holds
        decides; a contracted one only where it is of no farther parent than the list price."""
        if unit in self._options:
            return self._options[unit]
        if unit not in self._parents:
            return (), ()  # nobody may price it, and whoever sends it must not fill this memory
        listed: list[Option] = []
        contracted: list[Option] = []
        source: str | None = unit
        depth = 0
        while source is not None:
            parent = source if depth else ""
            for group, options in ((self._list, listed), (self._contracted, contracted)):
                for rank, price in group.get(source, ()):
                    decision = decided(price, parent, self.note)
                    options.append(Option(price, self._calendars, rank=rank, depth=depth, decision=decision))
            source, depth = self._parents[source], depth + 1
        self._options[unit] = pair = tuple(listed), tuple(contracted)
        return pair

    def _negotiated(
        self,
        unit: str,
        option: Option,
        offers: tuple[Option, ...],
        time: datetime,
        context: int,
        any_hour: bool = False,
    ) -> Decision:
        """The list price with its multipliers, and the contracted one where that differs."""
        # A contract's price of the parent unit must not displace the unit's own list price.
        offer = next((o for o in offers if o.depth <= option.depth and o.holds(time, context)), None)
        applied: dict[tuple[str, str], Adjustment] = {}
        for bounds, adjustment, _ in self.adjustments:
            if any_hour and bounds.week is not None:
                continue
            if (not adjustment.units or unit in adjustment.units) and bounds.holds(time, context):
                applied.setdefault((adjustment.kind, adjustment.name), adjustment)
        key = (id(option), id(offer), *(id(adjustment) for adjustment in applied.values()))
        decision = self._combined.get(key)
        if decision is None:
            decision = _combine(option.decision, offer.decision if offer else None, tuple(applied.values()))
            self._combined[key] = decision
        return decision


def _rank(scope: Scope, served: Served, entry: Price | Adjustment) -> Rank | None:
    rank = scope.rank(entry) if admits(entry.when, served) else None
    return None if rank is None else rank + specificity(entry.when)


def _by_unit(ranked: list[tuple[Rank, Price]], kind: str) -> dict[str, list[tuple[Rank, Price]]]:
    units: dict[str, list[tuple[Rank, Price]]] = {}
    for rank, price in ranked:
        if price.kind == kind:
            units.setdefault(price.unit, []).append((rank, price))
    return units


def _applicable(
    adjustments: Iterable[Adjustment],
    scope: Scope,
    served: Served,
    sku: str | None,
    calendars: Mapping[str, CalendarEntry],
) -> tuple[tuple[Bounds, Adjustment, Rank], ...]:
    ranked = []
    for adjustment in adjustments:
        rank = _rank(scope, served, adjustment)
        if rank is not None and (not adjustment.skus or matches_any(adjustment.skus, sku or "")):
            wins = (*rank[:3], bool(adjustment.skus), bool(adjustment.units), *rank[3:])
            ranked.append((Bounds(adjustment.when, calendars), adjustment, wins))
    ranked.sort(key=lambda item: (item[2], item[1].id), reverse=True)
    return tuple(ranked)


def decided(price: Price, parent: str = "", reason: str = "") -> Decision:
    """A price as a decision: for one unit where that is exact."""
    amount, per = Decimal(price.price), price.per
    with suppress(Inexact):  # an hour's price has no finite decimal for a second
        amount, per = EXACT.divide(amount, Decimal(per)), 1
    minimum = Decimal(price.minimum)
    return Decision(
        entry=price.id,
        price=amount,
        text=plain(amount),
        currency=price.currency,
        per=per,
        minimum=minimum,
        status="priced" if amount else "free",
        parent=parent,
        reason=reason,
        bare=per == 1 and bool(amount) and not minimum and not parent and not reason,
    )


def per_unit(decision: Decision) -> Decimal:
    """For comparing: the price of one unit, whatever it is stated for."""
    return divided(decision.price, Decimal(decision.per))


def times(decision: Decision, factor: int) -> Decision:
    """So many times the price, and a multiplier that says so."""
    price = EXACT.multiply(decision.price, Decimal(factor))
    multiplier = Multiplier(name="bound", factor=str(factor), entry=decision.entry)
    return replace(
        decision, price=price, text=plain(price), multipliers=(*decision.multipliers, multiplier), bare=False
    )


def _combine(listed: Decision, offer: Decision | None, adjustments: tuple[Adjustment, ...]) -> Decision:
    both = [a for a in adjustments if a.kind == "list"]
    negotiated = [a for a in adjustments if a.kind == "contracted"]
    contracted = None
    if offer is not None or negotiated:
        offer = offer or listed
        per = math.lcm(listed.per, offer.per)
        listed = _restated(listed, per, [])
        contracted = _restated(offer, per, [*both, *negotiated])
    multipliers = tuple(
        Multiplier(name=a.name, factor=a.factor, entry=a.id, kind=a.kind) for a in adjustments
    )
    listed = _restated(listed, listed.per, both)
    return replace(listed, bare=False, multipliers=multipliers, contracted=contracted)


def _restated(decision: Decision, per: int, adjustments: list[Adjustment]) -> Decision:
    """The same price for `per` units (a multiple of what it is for), times the factors."""
    price = EXACT.multiply(decision.price, Decimal(per // decision.per))
    for adjustment in adjustments:
        price = EXACT.multiply(price, Decimal(adjustment.factor))
    status: PriceStatus = decision.status if price else "free"
    return replace(decision, price=price, text=plain(price), per=per, status=status)
