"""The slice's calls on each candidate, put together. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.api.choice.models import (
    CallQuality,
    ChoiceScore,
    ComparedModel,
    LeftOutModel,
    PricedUnit,
    SliceTraffic,
)
from services.api.choice.traffic import CallSums, TrafficOfCurrency, added_up
from spendmeter.contracts.money import EXACT, divided
from spendmeter.pricing.choice.front import ModelStanding, front, score
from spendmeter.pricing.choice.reprice import Pricing, reprice
from spendmeter.pricing.choice.traffic import CandidateModel, RepricedTraffic, UnitCost, Use

AS_IS = ""
USES_RANKED = 5
"""Of models and ways of serving: hundreds of candidates are ranked by those with the most calls."""
ModelKey = tuple[str | None, str | None, str]
"""Whose model, which and who resells it: what names that mean one model have in common."""


@dataclass(frozen=True, kw_only=True)
class Worth:
    """What an error and a second are worth avoiding, in each currency that is asked about."""

    price_per_error: Decimal
    price_per_second: Decimal


def key_of(model: CandidateModel, pricing: Pricing) -> ModelKey:
    """What a name means."""
    plan = pricing.plan(Use(provider=model.provider, sku=model.sku, calls=0, portions=()), model)
    return (plan.provider, plan.sku or model.name, plan.reseller)


def used_here(calls: Mapping[tuple[str, str], CallSums], pricing: Pricing) -> dict[ModelKey, CallSums]:
    """How calls of each model went, whatever names events gave it."""
    found: dict[ModelKey, list[CallSums]] = {}
    for (provider, sku), sums in calls.items():
        found.setdefault(key_of(CandidateModel(provider=provider, sku=sku), pricing), []).append(sums)
    return {key: added_up(each) for key, each in found.items()}


def left_out(uses: Sequence[Use], pricing: Pricing) -> list[LeftOutModel]:
    """Models that have no price today for what was used of them: what a move of their calls saves nobody
    knows, and one of them would make the saving of all others unknown. Empty where no other was used."""
    by_model: defaultdict[str, list[Use]] = defaultdict(list)
    for use in uses:
        by_model[use.model.name].append(use)
    found = [
        LeftOutModel(name=name, calls=int(repriced.calls), missing=list(repriced.missing))
        for name, own in sorted(by_model.items())
        if (repriced := reprice(own, None, pricing)).missing
    ]
    return found if len(found) < len(by_model) else []


def traffic_answer(
    currency: str, traffic: TrafficOfCurrency, calls: CallSums, left: list[LeftOutModel]
) -> SliceTraffic:
    """What was compared."""
    return SliceTraffic(
        currency=currency,
        calls=traffic.calls,
        models=sorted({f"{use.provider}/{use.sku}" for use in traffic.uses}),
        booked=traffic.booked,
        of_which_provisional=traffic.provisional,
        unpriced_calls=traffic.unpriced,
        billed=traffic.billed,
        contexts=calls.contexts(),
        left_out=left,
    )


def sellers_of(used: Iterable[ModelKey]) -> set[str]:
    """Who sells these models."""
    return {seller for provider, _, reseller in used for seller in (provider, reseller) if seller}


def all_comparable(
    uses: Sequence[Use], sellers: Container[str], pricing: Pricing, top: int
) -> tuple[list[CandidateModel], int, int]:
    """Of all models in force of these sellers that have a price for everything that was used the `top` that
    may cost least for most of the calls; how many more there are, and how many are not comparable."""
    most = sorted(uses, key=lambda use: -use.calls)[:USES_RANKED]
    lists, scope = pricing.book.lists, pricing.book.scope(pricing.tenant, pricing.at)
    retired = {sku for sku, model in lists.models.items() if model.retired}
    units = {unit for use in uses for unit in _asked_for(use, pricing)}
    found: list[tuple[Decimal, str, CandidateModel]] = []
    lacking = 0
    for provider, sku in sorted(lists.prices):
        if provider not in sellers or (provider, sku) in retired:
            continue
        if not lists.has_price((provider, sku), scope):
            continue
        priced = {price.unit for price in lists.prices[provider, sku]}
        if any(priced.isdisjoint(lists.lineage(unit)) for unit in units):
            lacking += 1
            continue
        model = CandidateModel(provider=provider, sku=sku)
        repriced = reprice(most, model, pricing)
        if repriced.low is None:
            lacking += 1
        else:
            found.append((repriced.low, model.name, model))
    found.sort(key=lambda each: each[:2])
    return [model for *_, model in found[:top]], max(0, len(found) - top), lacking


def _asked_for(use: Use, pricing: Pricing) -> set[str]:
    """What a candidate must have a price for: not what the own model charges for each call."""
    plan = pricing.plan(use, use.model)
    used = {portion.unit for portion in use.portions if portion.quantity > 0}
    return used - {unit for unit, _ in plan.per_event}


def compared(
    currency: str,
    uses: Sequence[Use],
    candidates: Iterable[CandidateModel],
    pricing: Pricing,
    own: CallSums,
    used: Mapping[ModelKey, CallSums],
    worth: Worth,
) -> list[ComparedModel]:
    """As it is, then each candidate, in the order in which they were given."""
    as_is = reprice(uses, None, pricing)
    rows = [(AS_IS, as_is, own.quality())]
    for model in candidates:
        sums = used.get(key_of(model, pricing))
        rows.append((model.name, reprice(uses, model, pricing), sums.quality() if sums else None))
    standings = [_standing(name, repriced, quality) for name, repriced, quality in rows]
    placed = front(standings)
    return [
        ComparedModel(
            currency=currency,
            name=name,
            **_amounts(repriced, as_is, standing),
            quality=quality,
            where=where,
            dominated_by=by,
            score=_score(standing, quality, worth),
            missing=list(repriced.missing),
            notes=list(repriced.notes),
            units=[unit_answer(unit) for unit in repriced.units],
        )
        for (name, repriced, quality), standing, (where, by) in zip(rows, standings, placed, strict=True)
    ]


def unit_answer(unit: UnitCost) -> PricedUnit:
    """As it is shown."""
    return PricedUnit(
        unit=unit.unit,
        quantity_low=unit.quantity_low,
        quantity_high=unit.quantity_high,
        prices=[" by ".join(filter(None, price)) for price in unit.prices],
        low=unit.low,
        high=unit.high,
    )


def _standing(name: str, repriced: RepricedTraffic, quality: CallQuality | None) -> ModelStanding:
    return ModelStanding(
        name=name,
        cost_low=_each(repriced.low, repriced.calls),
        cost_high=_each(repriced.high, repriced.calls),
        p95_ms=quality.p95_ms if quality else None,
        success=quality.success if quality else None,
    )


def _each(amount: Decimal | None, calls: int | Decimal) -> Decimal | None:
    return None if amount is None or calls <= 0 else divided(amount, Decimal(calls))


def _amounts(repriced: RepricedTraffic, as_is: RepricedTraffic, standing: ModelStanding) -> dict[str, Any]:
    return {
        "low": repriced.low,
        "high": repriced.high,
        "list_low": repriced.list_low,
        "list_high": repriced.list_high,
        "saving_low": _less(as_is.low, repriced.high),
        "saving_high": _less(as_is.high, repriced.low),
        "per_call_low": standing.cost_low,
        "per_call_high": standing.cost_high,
        "per_success_low": _per_success(standing.cost_low, standing.success),
        "per_success_high": _per_success(standing.cost_high, standing.success),
    }


def _less(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else EXACT.subtract(one, other)


def _per_success(cost: Decimal | None, success: Decimal | None) -> Decimal | None:
    return None if cost is None or not success else divided(cost, success)


def _score(standing: ModelStanding, quality: CallQuality | None, worth: Worth) -> ChoiceScore:
    found = score(standing, quality.mean_ms if quality else None, **vars(worth))
    return ChoiceScore(low=found.low, high=found.high, errors=found.errors, waiting=found.waiting)
