"""What an unknown model costs at most: what its name leads to, its family's maximum, else its provider's 95th
percentile.

The models that the name leads to bound it: alone, where nothing of the name says another variant; else no
bound is below the dearest of them. A family's bound is what its dearest member would have been charged at the
event's own time and way of serving, whatever the length and the hour. A family is one whoever sells it: a
model that is new at one seller is often known at another, and the maximum of a single sibling bounds little.
Where that single one is somebody else's, the provider's own percentile bounds if it is more. A price of zero
bounds nothing. A maximum over OUTLIER times the family's median is taken for an outlier (gpt-4.5 at 75
dollars among siblings at 2), and so many medians bound instead. An embedding without a family is bounded by
embeddings alone.
"""

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from spendmeter.pricing.decision import Decision, times
from spendmeter.pricing.names import family_as_sold
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_lists import PriceLists, Sku
from spendmeter.pricing.scope import is_everybodys

PERCENTILE = 95
OUTLIER = 5
GROUPS_MAX = 8
"""Groups of which plans are kept, of up to some hundred models at some 5 KB each; the eldest goes."""
KINDS = {"*embed": "embedding models", "*rerank": "rerankers"}
"""What a name without a family says of its kind, and what people call it: those cost much less than chat."""
_Group = tuple[str, str]
"""A provider and '': all it sells; '' and a family: all of that, whoever sells it; either and a kind."""


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
        members: dict[_Group, list[Sku]] = defaultdict(list)
        retired: dict[_Group, list[Sku]] = defaultdict(list)
        public = (sku for sku, prices in self._lists.prices.items() if any(map(is_everybodys, prices)))
        for provider, sku in sorted(public):
            model = self._lists.models.get((provider, sku))
            groups = retired if model and model.retired else members
            groups[provider, ""].append((provider, sku))
            if line := (model.family if model else "") or family_as_sold(sku):
                groups["", line].append((provider, sku))
            if kind := _kind(sku):
                groups[provider, kind].append((provider, sku))
                groups["", kind].append((provider, sku))
        for group, skus in retired.items():  # a family of which all are retired is still a family
            members.setdefault(group, skus)
        return dict(members)

    def line(self, name: str, families: Iterable[str] = ()) -> str:
        """The family by which an unknown name is bounded: the first of these that is known, else its kind;
        '' = none is known."""
        lines = (*families, family_as_sold(name), _kind(name))
        return next((line for line in lines if line and ("", line) in self._members), "")

    def bound(self, plan: Plan, unit: str, time: datetime, context: int = 0) -> Decision | None:
        """The most that one `unit` of the unknown model can be expected to cost; None = nobody knows."""
        if unit not in self._lists.parents:
            return None
        near = self._near(plan, unit, time, context)
        if (near and plan.bounded.trust == "sure") or plan.provider is None:
            return near
        found = None if plan.name in KINDS else self._bound_by(("", plan.name), plan, unit, time)
        others = () if found and self._is_family(plan) else self._others(plan, near)
        bounds = (near, found, *(self._bound_by(other, plan, unit, time) for other in others))
        dearest = max((each for each in bounds if each), key=lambda each: each.per_unit, default=None)
        return dearest or self._bound_by((plan.provider, ""), plan, unit, time)

    def _is_family(self, plan: Plan) -> bool:
        """Whether its family says enough: of one that a single model of somebody else's makes, anybody could
        be the maximum."""
        members = self._members.get(("", plan.name), ())
        names = {sku.rpartition("/")[2] for _, sku in members}
        return len(names) > 1 or any(provider == plan.provider for provider, _ in members)

    def _others(self, plan: Plan, near: Decision | None) -> list[_Group]:
        """What bounds it beside what its name leads to, where its own family says too little."""
        groups = [("", family_as_sold(each.name)) for each, _ in plan.bounded.by] if near else []
        if near is None or plan.bounded.trust == "with_all":
            kind = plan.name if plan.name in KINDS else ""
            own = (plan.provider or "", kind)
            groups.append(own if own in self._members else ("", kind))
        return groups

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
        return replace(decision, status="provisional", reason=reason, contracted=None, remarks=())

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
            for member in self._plans_of(group, plan)
            if (decision := member.ceiling(unit, time)) and decision.price
        ]
        if not prices:
            return None
        currency = _commonest(decision.currency for _, _, decision in prices)
        prices = sorted(item for item in prices if item[2].currency == currency)
        median = _nearest_rank(prices, 50)
        if not group[1] or group[1] in KINDS:
            _, sku, decision = _nearest_rank(prices, PERCENTILE)
            what = f"{len(prices)} {KINDS.get(group[1], 'models')} of {group[0] or 'anybody'}"
            reason = f"{PERCENTILE}th percentile of {what} ({sku})"
        elif prices[-1][0] <= OUTLIER * median[0]:
            _, sku, decision = prices[-1]
            reason = f"the maximum of the family {group[1]} ({sku})"
        else:
            _, sku, decision = median
            decision = times(decision, OUTLIER)
            reason = f"{OUTLIER} times the median of the family {group[1]} ({sku}): its maximum is an outlier"
        reason = f"unknown model: {reason}"
        return replace(decision, status="provisional", reason=reason, contracted=None, remarks=())

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


def _kind(name: str) -> str:
    """The kind that a name says; '' = none."""
    return next((kind for kind in KINDS if kind.strip("*") in name.lower()), "")


def _name_beside(plan: Plan, member: Plan) -> str:
    """A sku for people, with its seller where that is another than the plan's."""
    return str(member.sku) if member.provider == plan.provider else f"{member.sku} of {member.provider}"


def _commonest(values: Iterable[str]) -> str:
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]


def _nearest_rank(ordered: Sequence[tuple[Any, str, Decision]], percentile: int) -> tuple[Any, str, Decision]:
    """The percentile by the method of the nearest rank."""
    return ordered[-(-percentile * len(ordered) // 100) - 1]
