"""What an unknown model costs at most: what its name leads to, else its nearest siblings, else its provider's
95th percentile.

The models that the name leads to bound it, the dearest of them; where the name says another variant its
siblings do as well, and no bound is below either. Siblings are of its family (siblings.py): the dearest of
the version nearest to its own that has a price for the unit, at the event's own time, length and way of
serving. A price of zero bounds nothing, nor does one of text a picture or a sound: of those, what whoever
else sells the model asks, else the percentile. An embedding without a family is bounded by embeddings alone.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from spendmeter.contracts.units import DEARER_UNITS, UNITS
from spendmeter.pricing.decision import Decision, times
from spendmeter.pricing.names import KINDS, kind_of
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_lists import PriceLists, Sku

PERCENTILE = 95
GROUPS_MAX = 8
"""Groups of which plans are kept, of up to some hundred models at some 5 KB each; the eldest goes."""
_COSTS_MORE = DEARER_UNITS | {unit for unit in UNITS if "audio" in unit or unit.startswith("output_image")}
"""Units that cost more than the unit whose price they take where they have none; pictures that are read cost
what text does nearly everywhere."""
_Group = tuple[str, str]
"""A provider ('' = anybody) and a kind of models ('' = any)."""


class Provisional:
    """The bounds that price lists give; README.md says what it remembers."""

    def __init__(self, lists: PriceLists) -> None:
        self._lists = lists
        self._changes: dict[_Group, list[datetime]] = {}
        self._plans: dict[tuple[Any, ...], list[Plan]] = {}
        self._bounds: dict[tuple[Any, ...], Decision | None] = {}

    @cached_property
    def _members(self) -> dict[_Group, list[Sku]]:
        """Made when the first unknown name comes: most processes that ask a price need none."""
        return self._lists.grouped(_groups_of)

    def bound(self, plan: Plan, unit: str, time: datetime, context: int = 0) -> Decision | None:
        """The most that one `unit` of the unknown model can be expected to cost; None = nobody knows."""
        if unit not in self._lists.parents:
            return None
        found = self._near(plan, unit, time, context)
        if found is None or plan.bounded.trust != "sure":
            found = _dearer(found, self._nearest(plan, unit, time, context))
            if found is None or plan.bounded.trust == "with_all":
                found = _dearer(found, self._percentile(plan, unit, time))
        if found and found.parent and unit in _COSTS_MORE:
            own = self._elsewhere(plan, unit, time, context) or self._percentile(plan, unit, time)
            return _dearer(found, own)
        return found

    def _nearest(self, plan: Plan, unit: str, time: datetime, context: int) -> Decision | None:
        """The dearest of the nearest siblings that have a price for the unit."""
        for tier, at_most in plan.bounded.tiers:
            stated = ((each.decisions(time, context)[unit], each) for each in tier())
            if found := _dearest(
                (decision, each) for decision, each in stated if decision and decision.price
            ):
                decision, dearest = found
                what = f"the nearest of the family {plan.bounded.family} ({_name_beside(plan, dearest)})"
                if at_most == 1:
                    return _bounding(decision, what)
                return _bounding(times(decision, at_most), f"{at_most} times {what}")
        return None

    def _elsewhere(self, plan: Plan, unit: str, time: datetime, context: int) -> Decision | None:
        """The dearest price of just this unit of whoever else sells what bounds the model: a list of what
        text costs bounds no sound and no picture."""
        stated = ((each.decisions(time, context)[unit], each) for each in plan.bounded.elsewhere())
        found = _dearest(
            (decision, each)
            for decision, each in stated
            if decision and decision.price and not decision.parent
        )
        if found is None:
            return None
        decision, dearest = found
        return _bounding(decision, f"{plan.bounded.says}: {unit} as of {_name_beside(plan, dearest)}")

    def _near(self, plan: Plan, unit: str, time: datetime, context: int) -> Decision | None:
        """The dearest of the models that the unknown one may be."""
        found = _dearest(
            (times(decision, at_most) if at_most > 1 else decision, each)
            for each, at_most in plan.bounded.by
            if (decision := each.decide(unit, time, context)) and decision.price
        )
        if found is None:
            return None
        decision, dearest = found
        return _bounding(decision, f"{plan.bounded.says}: bounded by {_name_beside(plan, dearest)}")

    def _percentile(self, plan: Plan, unit: str, time: datetime) -> Decision | None:
        """What nearly all models of its provider and kind cost at most."""
        if plan.provider is None:
            return None
        kind = kind_of(plan.name)
        own = plan.provider, kind
        group = own if own in self._members else ("", kind)
        if group not in self._members:
            return None
        if group not in self._changes:
            self._changes[group] = sorted(self._lists.changes(self._members[group]))
        since = bisect_right(self._changes[group], time)
        key = (group, plan.provider, unit, plan.served, plan.scope.key, since)
        if key not in self._bounds:
            self._bounds[key] = self._search(group, plan, unit, time)
        return self._bounds[key]

    def _search(self, group: _Group, plan: Plan, unit: str, time: datetime) -> Decision | None:
        prices = [
            (decision.per_unit, _name_beside(plan, member), decision)
            for member in self._plans_of(group, plan)
            if (decision := member.ceiling(unit, time))
            and decision.price
            and not (unit in _COSTS_MORE and decision.parent)
        ]
        if not prices:
            return None
        currency = _commonest(decision.currency for _, _, decision in prices)
        prices = sorted(item for item in prices if item[2].currency == currency)
        _, sku, decision = prices[-(-PERCENTILE * len(prices) // 100) - 1]
        what = f"{len(prices)} {KINDS.get(group[1], 'models')} of {group[0] or 'anybody'}"
        return _bounding(decision, f"{PERCENTILE}th percentile of {what} ({sku})")

    def _plans_of(self, group: _Group, like: Plan) -> list[Plan]:
        """Of all members, kept for the event's other units."""
        key = group, like.served, like.scope.key
        if key not in self._plans:
            if len(self._plans) >= GROUPS_MAX:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = [
                Plan(self._lists, provider=provider, sku=sku, name=sku, served=like.served, scope=like.scope)
                for provider, sku in self._members[group]
            ]
        return self._plans[key]


def _groups_of(sku: Sku) -> list[_Group]:
    provider, name = sku
    kind = kind_of(name)
    return [(provider, ""), (provider, kind), ("", kind)] if kind else [(provider, "")]


def _dearest(found: Iterable[tuple[Decision, Plan]]) -> tuple[Decision, Plan] | None:
    return max(found, key=lambda item: (item[0].per_unit, item[0].entry), default=None)


def _dearer(one: Decision | None, other: Decision | None) -> Decision | None:
    return max((each for each in (one, other) if each), key=lambda each: each.per_unit, default=None)


def _bounding(decision: Decision, reason: str) -> Decision:
    """A price as the bound of another model's."""
    said = f"unknown model: {reason}"
    return replace(decision, status="provisional", reason=said, contracted=None, remarks=())


def _name_beside(plan: Plan, member: Plan) -> str:
    """A sku for people, with its seller where that is another than the plan's."""
    return str(member.sku) if member.provider == plan.provider else f"{member.sku} of {member.provider}"


def _commonest(values: Iterable[str]) -> str:
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]
