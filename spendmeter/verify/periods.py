"""The second reckoner of whole periods: what a term makes of what was used. Pure, and nothing is shared with
who books it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

MONEY = "spend_commitment"
_PLACES = Decimal("0.000000000001")
_ZERO = Decimal(0)


class Unsure(Exception):
    """This reader cannot say: it knows no names but those that events and prices state."""


@dataclass(frozen=True, kw_only=True)
class Reckoned:
    """What the period comes to."""

    quantity: Decimal
    booked: Decimal
    due: Decimal
    used: Decimal | None = None
    unused: Decimal | None = None


def covered(term: Mapping[str, Any], uses: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The uses that the term counts. Raises Unsure."""
    return [use for use in uses if _covers(term, use)]


def _covers(term: Mapping[str, Any], use: Mapping[str, Any]) -> bool:
    provider = term["provider"].lower()
    if provider not in (use["provider"], use["priced_provider"]):
        return False
    if use["status"] == "reported" and term["effect"] != MONEY:
        return False  # its cost is the event's, and no unit's
    units, classes = term.get("units", ()), term.get("cost_classes", ())
    if (units and use["unit"] not in units) or (classes and use["cost_class"] not in classes):
        return False
    when = term.get("when", {})
    if use["provider"] != provider or {"batch", "tiers", "regions"} & when.keys():
        raise Unsure("terms for a way of serving, or of a provider that goes by other names")
    if not term.get("skus"):
        return True
    patterns = [re.compile(_pattern(each), re.DOTALL) for each in term["skus"]]
    names = {use["sku"], use["priced_sku"] or use["sku"]}
    matched = {any(pattern.fullmatch(name) for pattern in patterns) for name in names}
    if len(matched) > 1 or (not use["priced_sku"] and use["status"] != "unpriced"):
        raise Unsure("terms for models that go by other names")
    return matched.pop()


def _pattern(match: str) -> str:
    return "".join({"*": ".*", "#": "[0-9]"}.get(letter, re.escape(letter)) for letter in match)


def reckon(
    term: Mapping[str, Any], quantity: Decimal, booked: Decimal, rate: Decimal, *, ended: bool
) -> Reckoned:
    """`rate`: what one of the term's currency is in the book's."""
    said = {"quantity": quantity, "booked": booked}
    effect = term["effect"]
    first, fee = Decimal(term.get("quantity", "0")), _times(Decimal(term.get("amount", "0")), rate)
    if effect == "graduated":
        due = _times(_round(_graduated(term["steps"], quantity) / _per(term)), rate)
        return Reckoned(**said, due=due)
    if effect == "volume":
        price = [step["price"] for step in term["steps"] if quantity > Decimal(step.get("over", "0"))]
        whole = quantity * Decimal(price[-1] if price else term["steps"][0]["price"])
        return Reckoned(**said, due=_times(_round(whole / _per(term)), rate))
    if effect == "allowance":
        return Reckoned(**said, due=_beyond(quantity, first, booked))
    if effect == MONEY:
        first = _times(first, rate)
        counted, beyond = booked, max(_ZERO, booked - first)
    else:
        counted, beyond = quantity, _beyond(quantity, first, booked)
    unused = _round(fee * (first - counted) / first) if counted < first else _ZERO
    due = (fee if ended else fee - unused) + beyond
    return Reckoned(**said, due=due, used=fee - unused, unused=unused)


def _graduated(steps: Sequence[Mapping[str, str]], quantity: Decimal) -> Decimal:
    """From the last step down: each prices what lies above it and below the one before."""
    amount, above = _ZERO, quantity
    for step in reversed(steps):
        over = Decimal(step.get("over", "0"))
        if above > over:
            amount += (above - over) * Decimal(step["price"])
            above = over
    return amount


def _beyond(quantity: Decimal, first: Decimal, booked: Decimal) -> Decimal:
    return _round(booked * (quantity - first) / quantity) if quantity > first else _ZERO


def _per(term: Mapping[str, Any]) -> Decimal:
    return Decimal(term.get("per", 1))


def _times(amount: Decimal, rate: Decimal) -> Decimal:
    return amount if rate == 1 else _round(amount * rate)


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_PLACES, rounding=ROUND_HALF_EVEN)
