"""What stated traffic would cost on each candidate. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from services.api.choice.comparing import ModelKey, key_of, unit_answer
from services.api.choice.models import EstimatedModel
from services.api.choice.traffic import CallSums
from spendmeter.contracts.money import EXACT, divided
from spendmeter.pricing.choice.reprice import Pricing, reprice
from spendmeter.pricing.choice.traffic import CandidateModel, Portion, Use

THIRTY = Decimal(30)


@dataclass(frozen=True, kw_only=True)
class StatedTraffic:
    """Calls a day, and what one attempt uses; every attempt is metered, and paid."""

    calls_per_day: Decimal
    input_tokens: Decimal
    output_tokens: Decimal
    cache_share: Decimal
    attempts: Decimal
    tier: str = "standard"
    region: str = ""
    batch: bool = False

    def usage(self) -> dict[str, Decimal]:
        """Of one attempt, by unit."""
        cached = EXACT.multiply(self.input_tokens, self.cache_share)
        uncached = EXACT.subtract(self.input_tokens, cached)
        return {
            "input_tokens": uncached,
            "cache_read_tokens": cached,
            "output_tokens": self.output_tokens,
        }


def estimated(
    shape: StatedTraffic,
    candidates: Iterable[CandidateModel],
    pricing: Pricing,
    used: Mapping[ModelKey, CallSums],
) -> list[EstimatedModel]:
    """Each candidate, in the order in which they were given: the tokens are its own."""
    return [_estimated(shape, model, pricing, used.get(key_of(model, pricing))) for model in candidates]


def _estimated(
    shape: StatedTraffic, model: CandidateModel, pricing: Pricing, sums: CallSums | None
) -> EstimatedModel:
    attempts = EXACT.multiply(shape.calls_per_day, shape.attempts)
    length = int(shape.input_tokens)
    use = Use(
        provider=model.provider, sku=model.sku, tier=shape.tier, region=shape.region, batch=shape.batch,
        calls=attempts, contexts=((length, length),),
        portions=tuple(
            Portion(unit=unit, quantity=EXACT.multiply(quantity, attempts), events=0)
            for unit, quantity in shape.usage().items()
            if quantity
        ),
    )  # fmt: skip
    day = reprice([use], None, pricing)
    calls = shape.calls_per_day
    notes = list(day.notes)
    if shape.cache_share:
        notes.append("what writing to the cache costs is not in it")
    return EstimatedModel(
        currency=pricing.currency,
        name=model.name,
        per_call=divided(day.low, calls) if day.low is not None and calls else None,
        per_day=day.low,
        per_30_days=_times(day.low),
        list_per_30_days=_times(day.list_low),
        per_30_days_high=_times(day.high),
        quality=sums.quality() if sums else None,
        missing=list(day.missing),
        notes=notes,
        units=[unit_answer(unit) for unit in day.units],
    )


def _times(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else EXACT.multiply(amount, THIRTY)
