"""What is sent and answered about budgets."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from services.api.budgets.forecasts import ForecastAnswer
from services.api.http.models import Complete, DecimalString, RequestBody, Text
from spendmeter.book.budget_periods import BudgetPeriodKind
from spendmeter.contracts.gate import as_booked
from spendmeter.contracts.money import parse_decimal

THRESHOLDS_MAX = 10


def _positive(text: str) -> str:
    if parse_decimal(text) <= 0:
        raise ValueError("must be more than 0")
    return text


def _as_booked(scope: dict[str, str]) -> dict[str, str]:
    return {dimension: as_booked(dimension, value) for dimension, value in scope.items()}


BudgetName = Annotated[Text, Field(min_length=1, max_length=200)]
BudgetScope = Annotated[dict[str, Annotated[Text, Field(max_length=256)]], AfterValidator(_as_booked)]
PositiveAmount = Annotated[str, AfterValidator(_positive), Field(examples=["5000"])]
Percent = Annotated[Decimal, Field(gt=0, le=1000, max_digits=8, decimal_places=4)]
Percents = Annotated[list[Percent], Field(min_length=1, max_length=THRESHOLDS_MAX)]
ForecastPercents = Annotated[list[Percent], Field(max_length=THRESHOLDS_MAX)]

StartsOn: Any = Field(None, description="of a custom period: its first day, in the tenant's zone")
EndsOn: Any = Field(None, description="of a custom period: the day after its last one")
LastHours: Any = Field(None, description="of a rolling period: how many hours, the one that runs among them")


class HardTerms(RequestBody):
    """How a budget refuses (docs/hard-budgets.md). `unreserved`: what of spend that nobody reserved;
    `when_away`: what becomes of requests while Postgres is away; `key_share`: how much of it one key may hold
    at once, of 1."""

    unreserved: Literal["reserved_only", "headroom"] = "reserved_only"
    when_away: Literal["refuse", "tranche"] = "refuse"
    key_share: Annotated[Decimal, Field(gt=0, le=1, max_digits=5, decimal_places=4)] = Decimal("0.5")


class NewBudget(RequestBody):
    """A budget to be set; `amount` is a decimal string in the tenant's currency. Where that is about to
    change, `next_amount` is what the budget is in the new one, or "close"."""

    name: BudgetName
    filter: BudgetScope = Field(
        {}, description="dimension to value; empty = everything that the tenant spends"
    )
    amount: PositiveAmount
    period: BudgetPeriodKind = "month"
    starts_on: date | None = StartsOn
    ends_on: date | None = EndsOn
    last_hours: int | None = LastHours
    each: Annotated[Text, Field(max_length=32)] = Field(
        "", description="set: a budget of this amount for every value of this dimension, or each run or user"
    )
    thresholds_percent: Percents = Field(default=[Decimal(80), Decimal(100)])
    forecast_thresholds_percent: ForecastPercents | None = Field(
        None,
        description="told once the period is expected to reach one; empty = of no forecast. Without it "
        "100; none for what rolls and for each value, which are not forecast",
    )
    next_amount: PositiveAmount | Literal["close"] | None = None
    hard: HardTerms | None = Field(None, description="set: it refuses what is not left")


class BudgetChange(RequestBody):
    """What is to change; the rest stays."""

    name: BudgetName | None = None
    filter: BudgetScope | None = None
    amount: PositiveAmount | None = None
    period: BudgetPeriodKind | None = None
    starts_on: date | None = StartsOn
    ends_on: date | None = EndsOn
    last_hours: int | None = LastHours
    thresholds_percent: Percents | None = None
    forecast_thresholds_percent: ForecastPercents | None = None
    hard: HardTerms | Literal[False] | None = Field(None, description="false: it refuses no more")


class NextAmount(BaseModel):
    """What a change of the tenant's currency makes of a budget; an amount of null = it is closed then."""

    effective_from: datetime
    amount: DecimalString | None
    currency: str | None


class _StatedBudget(BaseModel):
    id: UUID
    name: str
    filter: dict[str, str]
    amount: DecimalString
    currency: str
    period: BudgetPeriodKind
    starts_on: date | None
    ends_on: date | None
    last_hours: int | None
    each: str
    thresholds_percent: list[DecimalString]
    forecast_thresholds_percent: list[DecimalString]


class HardState(BaseModel):
    """How a hard budget refuses; `held` of its open period by reservations; of what is booked, `debt` is what
    nothing was held for."""

    unreserved: str
    when_away: str
    key_share: DecimalString
    held: DecimalString
    debt: DecimalString


class AllocatedAmount(BaseModel):
    """What of a budget is promised to those right below it that are of the same time. `overlap`: some money
    may count in two of them, so that their sum is more than what they can spend."""

    budgets: int
    amount: DecimalString
    overlap: bool


class BudgetAnswer(_StatedBudget):
    """A budget and its open period: `spent` so far, in effective cost; `remaining` may be below 0. Of stated
    days, those, also when they are over or to come; of what rolls, the last hours. Of each value nothing is
    said here: null."""

    revision: int
    created_at: datetime
    updated_at: datetime
    period_start: datetime
    period_end: datetime
    spent: DecimalString | None
    of_which_provisional: DecimalString | None
    remaining: DecimalString | None
    percent: DecimalString | None
    parents: list[UUID] = Field(description="budgets right above it: all that counts in it counts there, too")
    allocated: AllocatedAmount | None = Field(None, description="null: no budget of its time lies below it")
    next: NextAmount | None = None
    hard: HardState | None = None
    forecast: ForecastAnswer | None = Field(
        None, description="null: there is none yet, or who asks sees one team alone"
    )


class RemovedBudget(_StatedBudget):
    """A budget that is out of force, as it was last; `incidents`: how many name it, and stay."""

    created_at: datetime
    removed_at: datetime
    incidents: int


class Budgets(Complete):
    """All of the tenant's."""

    TABLES: ClassVar = ("budgets",)

    budgets: list[BudgetAnswer]
    tz: str
