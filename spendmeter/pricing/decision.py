"""What decides a unit's price, worked out: of a price entry, times factors, beside what a contract says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal, Inexact

from spendmeter.contracts.catalog import Adjustment, Price
from spendmeter.contracts.money import EXACT, divided, plain
from spendmeter.contracts.rated import Multiplier, PriceStatus, Remark
from spendmeter.pricing.conditions import states_as_much


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a unit is priced: `price` in `currency` for `per` units, multipliers applied."""

    entry: str
    price: Decimal
    text: str
    currency: str
    per: int = 1
    minimum: Decimal = Decimal(0)
    maximum: Decimal | None = None
    """The least and the most of an event that is billed; None = all."""
    status: PriceStatus = "priced"
    parent: str = ""
    reason: str = ""
    multipliers: tuple[Multiplier, ...] = ()
    contracted: Decision | None = None
    """The negotiated price, for as many units; None = as list."""
    remarks: tuple[Remark, ...] = ()
    """What of the way of serving is in none of this."""
    is_linear: bool = field(init=False)
    """Whether quantity x price is all there is to work out: not free, no limit, division or contract."""
    is_bare: bool = field(init=False)
    """And that nothing is to be said of it: no multiplier, parent, reason or remark."""

    def __post_init__(self) -> None:
        unlimited = not self.minimum and self.maximum is None
        linear = self.status == "priced" and self.per == 1 and unlimited and self.contracted is None
        object.__setattr__(self, "is_linear", linear)
        words = self.multipliers or self.parent or self.reason or self.remarks
        object.__setattr__(self, "is_bare", linear and not words)

    def billed(self, quantity: int | Decimal) -> int | Decimal:
        """What is billed of a quantity: whole where a limit is, for that has more digits than an event's."""
        if self.minimum and 0 < quantity < self.minimum:
            limit = self.minimum
        elif self.maximum is not None and quantity > self.maximum:
            limit = self.maximum
        else:
            return quantity
        return int(limit) if limit == int(limit) else limit

    @property
    def per_unit(self) -> Decimal:
        """For comparing: the price of one unit, whatever it is stated for."""
        return self.price if self.per == 1 else divided(self.price, Decimal(self.per))


def decide_by(price: Price, unit: str, reason: str = "", least: bool = False) -> Decision:
    """A price as a decision about `unit`, for one of it where that is exact; `least`: it costs at least so
    much, and likely more."""
    amount, per = Decimal(price.price), price.per
    with suppress(Inexact):  # an hour's price has no finite decimal for a second
        amount, per = EXACT.divide(amount, Decimal(per)), 1
    minimum = Decimal(price.minimum)
    maximum = None if price.maximum is None else Decimal(price.maximum)
    parent = price.unit if price.unit != unit else ""
    guess = least or bool(parent and price.assumes)
    reason = "; ".join(filter(None, (reason, _assumption(price, unit, least))))
    return Decision(
        entry=price.id,
        price=amount,
        text=plain(amount),
        currency=price.currency,
        per=per,
        minimum=minimum,
        maximum=maximum,
        status="provisional" if guess else "priced" if amount else "free",
        parent=parent,
        reason=reason,
    )


def _assumption(price: Price, unit: str, least: bool) -> str:
    """What the line says of a price that is not of just this: '' = nothing."""
    if price.unit == unit:
        return f"default: {price.assumes}, the event says none" if price.assumes else ""
    if least:
        return f"no price is for {unit}: {price.unit} cost less"
    return f"no price is for {unit}: this one assumes {price.assumes}" if price.assumes else ""


def times(decision: Decision, factor: int | Decimal) -> Decision:
    """So many times the price, and a multiplier that says so."""
    multiplier = Multiplier(name="bound", factor=str(factor), entry=decision.entry)
    more = _restate(decision, decision.per, [str(factor)])
    return replace(more, multipliers=(*decision.multipliers, multiplier))


def spares(adjustment: Adjustment, price: Price) -> bool:
    """Whether a factor leaves this price as it is: whatever is added to list prices is in it already, or it
    says itself what serving like that costs."""
    if price.all_in and adjustment.kind == "list":
        return True
    return adjustment.unless_stated and states_as_much(price.when, adjustment.when)


def combine(
    listed: Decision,
    offer: Decision | None,
    on_list: Sequence[Adjustment],
    on_contracted: Sequence[Adjustment],
) -> Decision:
    """The list price with its factors, and the contracted one with its own (of `offer`, else of the list
    price with a negotiated factor) where there is any. A factor of 1 leaves no trace."""
    on_list, on_contracted = _changing(on_list), _changing(on_contracted)
    if offer is None and not on_list and not on_contracted:
        return listed
    contracted = None
    if offer is not None or any(each.kind == "contracted" for each in on_contracted):
        offer = offer or listed
        per = math.lcm(listed.per, offer.per)
        listed = _restate(listed, per, [])
        contracted = _restate(offer, per, [each.factor for each in on_contracted])
        contracted = replace(  # a contract that states no limit has the list's
            contracted,
            minimum=offer.minimum or listed.minimum,
            maximum=listed.maximum if offer.maximum is None else offer.maximum,
        )
    else:
        on_contracted = on_list
    factors = {each.id: each for each in (*on_list, *on_contracted)}
    multipliers = tuple(
        Multiplier(
            name=each.name,
            factor=each.factor,
            entry=each.id,
            kind="contracted" if each not in on_list else "list" if each in on_contracted else "list_alone",
        )
        for each in factors.values()
    )
    listed = _restate(listed, listed.per, [each.factor for each in on_list])
    if contracted and contracted.status == "provisional":  # so is then what the event costs
        reasons = dict.fromkeys(filter(None, (listed.reason, contracted.reason)))
        listed = replace(listed, status="provisional", reason="; ".join(reasons))
    return replace(listed, multipliers=multipliers, contracted=contracted)


def _changing(adjustments: Sequence[Adjustment]) -> list[Adjustment]:
    return [each for each in adjustments if each.factor != "1"]


def _restate(decision: Decision, per: int, factors: list[str]) -> Decision:
    """The same price for `per` units (a multiple of what it is for), times the factors."""
    price = EXACT.multiply(decision.price, Decimal(per // decision.per))
    for factor in factors:
        price = EXACT.multiply(price, Decimal(factor))
    status: PriceStatus = "free" if decision.price and not price else decision.status
    return replace(decision, price=price, text=plain(price), per=per, status=status)
