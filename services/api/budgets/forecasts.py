"""What a budget's period will have come to, as alerts has forecast it, and how good its forecasts were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString
from spendmeter.contracts.money import EXACT, divided

FORECASTS_MIN = 20
PERIODS_MIN = 3
"""Of fewer nothing is said: one odd month would be all of it."""
HUNDRED = Decimal(100)


class ForecastAnswer(BaseModel):
    """The newest forecast of the open period. `p10`, `p50`, `p90`: nine, five and one of ten such periods
    come to more; null = there is too little history. `run_rate`: what it comes to if all goes as so far."""

    as_of: datetime
    period_start: datetime
    period_end: datetime
    spent: DecimalString
    run_rate: DecimalString | None
    p10: DecimalString | None
    p50: DecimalString | None
    p90: DecimalString | None
    exhausted_at: datetime | None = Field(
        description="when `p50` reaches the budget; null: not in this period, or there is too little history"
    )
    armed: bool = Field(description="whether a threshold may be held against it")
    why_not: str = Field(description="why it may not; empty = it may")


class ForecastAccuracy(BaseModel):
    """How good the daily forecasts of periods that are over were, as they were kept."""

    forecasts: int
    periods: int
    coverage: DecimalString | None = Field(
        description="in what share the period came to between `p10` and `p90`; 0.8 is right"
    )
    median_error_percent: DecimalString | None = Field(description="of `p50`, in percent of what it came to")
    why_not: str = Field(description="why nothing is said; empty = something is")


class BudgetForecast(BaseModel):
    """A budget's forecast; null = it has none yet."""

    id: UUID
    name: str
    amount: DecimalString
    currency: str
    forecast_thresholds_percent: list[DecimalString]
    forecast: ForecastAnswer | None
    accuracy: ForecastAccuracy


class KeptForecast(NamedTuple):
    """One that was kept, of a period that is over, and what that came to."""

    period_start: datetime
    p10: Decimal
    p50: Decimal
    p90: Decimal
    actual: Decimal


def forecast_of(row: Any) -> ForecastAnswer:
    """A row of latest_forecasts."""
    columns = dict(row)
    return ForecastAnswer(as_of=columns.pop("cut_off"), why_not=columns.pop("why"), **columns)


def accuracy_of(kept: Sequence[KeptForecast]) -> ForecastAccuracy:
    """How often the range held, and how far its middle was off; nothing of too few."""
    counted = [each for each in kept if each.actual > 0]
    periods = len({each.period_start for each in counted})
    known: dict[str, Any] = {"forecasts": len(counted), "periods": periods}
    if len(counted) < FORECASTS_MIN or periods < PERIODS_MIN:
        return ForecastAccuracy(
            **known,
            coverage=None,
            median_error_percent=None,
            why_not=f"insufficient data: {len(counted)} of {FORECASTS_MIN} forecasts, "
            f"{periods} of {PERIODS_MIN} periods",
        )
    held = sum(each.p10 <= each.actual <= each.p90 for each in counted)
    errors = [
        divided(EXACT.multiply(abs(EXACT.subtract(each.p50, each.actual)), HUNDRED), each.actual)
        for each in counted
    ]
    return ForecastAccuracy(
        **known,
        coverage=divided(Decimal(held), Decimal(len(counted))),
        median_error_percent=median(errors),
        why_not="",
    )
