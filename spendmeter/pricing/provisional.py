"""What an unknown model costs at most: its family's maximum, else its provider's 95th percentile.

The bound is what the dearest sibling would have been charged at the event's own time and way of serving,
whatever the length and the hour. A family is one whoever sells it: a model that is new at one seller is often
known at another, and the maximum of a single sibling bounds little. Where that single one is somebody else's,
the provider's own percentile bounds if it is more. A price of zero bounds nothing. A maximum over OUTLIER
times the family's median is taken for an outlier (gpt-4.5 at 75 dollars among siblings at 2), and so many
medians bound instead.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from spendmeter.pricing.decision import Decision, times
from spendmeter.pricing.names import family
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_lists import PriceLists, Sku

PERCENTILE = 95
OUTLIER = 5
_Group = tuple[str, str]
"""A provider and '': all it sells; '' and a family: all of that, whoever sells it."""


class Provisional:
    """The bounds that price lists give; README.md says what it remembers."""

    def __init__(self, lists: PriceLists) -> None:
        self._lists = lists
        self._members: dict[_Group, list[Sku]] = defaultdict(list)
        retired: dict[_Group, list[Sku]] = defaultdict(list)
        for provider, sku in sorted(lists.prices):
            model = lists.models.get((provider, sku))
            groups = retired if model and model.retired else self._members
            groups[provider, ""].append((provider, sku))
            if line := (model.family if model else "") or _family(sku):
                groups["", line].append((provider, sku))
        for group, skus in retired.items():  # a family of which all are retired is still a family
            self._members.setdefault(group, skus)
        self._changes: dict[_Group, list[datetime]] = {}
        self._bounds: dict[tuple[Any, ...], Decision | None] = {}

    def line(self, name: str) -> str:
        """The family by which an unknown name is bounded; '' = none is known."""
        return line if ("", line := _family(name)) in self._members else ""

    def bound(self, plan: Plan, unit: str, time: datetime, context: int = 0) -> Decision | None:
        """The most that one `unit` of the unknown model can be expected to cost; None = nobody knows."""
        if unit not in self._lists.parents:
            return None
        near = self._near(plan, unit, time, context)
        if (near and plan.bounded.trust == "sure") or plan.provider is None:
            return near
        line, own = ("", _family(plan.name)), (plan.provider, "")
        found = self._bound_by(line, plan, unit, time)
        if found and (len(self._members[line]) > 1 or self._members[line][0][0] == plan.provider):
            return found
        if near and plan.bounded.trust == "unless_family" and not found:
            return near
        # Of a family that a single model of somebody else's makes, anybody could be the maximum.
        others = [own] if near is None else [("", _family(each.name)) for each, _ in plan.bounded.by]
        bounds = (near, found, *(self._bound_by(other, plan, unit, time) for other in others))
        return max((each for each in bounds if each), key=lambda each: each.per_unit, default=None)

    def _near(self, plan: Plan, unit: str, time: datetime, context: int) -> Decision | None:
        """The dearest of the models that the unknown one may be."""
        found = [
            (times(decision, at_most) if at_most > 1 else decision, each)
            for each, at_most in plan.bounded.by
            if (decision := each.decide(unit, time, context)) and decision.price
        ]
        if not found:
            return None
        decision, dearest = max(found, key=lambda item: (item[0].per_unit, item[0].entry))
        reason = f"unknown model: {plan.bounded.says}: bounded by {_name_beside(plan, dearest)}"
        return replace(decision, status="provisional", reason=reason, contracted=None)

    def _bound_by(self, group: _Group, plan: Plan, unit: str, time: datetime) -> Decision | None:
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
            for member in self._plans(group, plan)
            if (decision := member.ceiling(unit, time)) and decision.price
        ]
        if not prices:
            return None
        currency = _commonest(decision.currency for _, _, decision in prices)
        prices = sorted(item for item in prices if item[2].currency == currency)
        median = _nearest_rank(prices, 50)
        if not group[1]:
            _, sku, decision = _nearest_rank(prices, PERCENTILE)
            reason = f"{PERCENTILE}th percentile of {len(prices)} models of {group[0]} ({sku})"
        elif prices[-1][0] <= OUTLIER * median[0]:
            _, sku, decision = prices[-1]
            reason = f"the maximum of the family {group[1]} ({sku})"
        else:
            _, sku, decision = median
            decision = times(decision, OUTLIER)
            reason = f"{OUTLIER} times the median of the family {group[1]} ({sku}): its maximum is an outlier"
        reason = f"unknown model: {reason}"
        return replace(decision, status="provisional", reason=reason, contracted=None)

    def _plans(self, group: _Group, like: Plan) -> Iterable[Plan]:
        for provider, sku in self._members[group]:
            yield Plan(
                self._lists, provider=provider, sku=sku, name=sku, served=like.served, scope=like.scope
            )


def _family(sku: str) -> str:
    """Sellers of others' models write the maker before the name (moonshotai/kimi-k3)."""
    return family(sku.rpartition("/")[2])


def _name_beside(plan: Plan, member: Plan) -> str:
    """A sku for people, with its seller where that is another than the plan's."""
    return str(member.sku) if member.provider == plan.provider else f"{member.sku} of {member.provider}"


def _commonest(values: Iterable[str]) -> str:
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]


def _nearest_rank(ordered: Sequence[tuple[Any, str, Decision]], percentile: int) -> tuple[Any, str, Decision]:
    """The percentile by the method of the nearest rank."""
    return ordered[-(-percentile * len(ordered) // 100) - 1]
