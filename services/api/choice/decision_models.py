"""What is asked and answered about decisions for a model."""

from datetime import date, datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString, RequestBody, Text

DecisionReason = Annotated[Text, Field(min_length=1, max_length=500)]
NamedModel = Annotated[
    Text, Field(min_length=3, max_length=513, description="provider/sku", examples=["openai/gpt-5-mini"])
]


class NewDecision(RequestBody):
    """That the calls of a slice move from one model to another, from a day of UTC on."""

    title: Annotated[Text, Field(min_length=1, max_length=200)]
    reason: DecisionReason
    filter: dict[str, Annotated[Text, Field(max_length=256)]] = Field(
        default={}, max_length=10, description="the slice: a value a dimension"
    )
    from_model: NamedModel
    to_model: NamedModel
    owner: Annotated[Text, Field(min_length=1, max_length=128, description="whose saving it is")]
    effective_day: date
    growth: Annotated[
        str,
        Field(max_length=40, description="times the tokens, by your own count", examples=["1.05..1.2"]),
    ] = ""


class DecisionWithdrawal(RequestBody):
    """Why it holds no longer."""

    reason: DecisionReason


class SavingForecast(BaseModel):
    """What was worked out when it was decided, from the 30 complete days before, at the prices of then; never
    worked out again. Null: it could not be said, and `missing` says why."""

    first_day: date
    last_day: date
    calls: int
    calls_on_new: int = Field(description="of the new model in the same slice and days: nobody moved these")
    currency: str
    as_is: DecimalString | None
    low: DecimalString | None = Field(description="of the same calls on the new model")
    high: DecimalString | None
    saving_low: DecimalString | None = Field(description="in 30 days")
    saving_high: DecimalString | None
    priced_at: datetime
    catalog_version: int
    missing: list[str]
    notes: list[str]


class RealisedSaving(BaseModel):
    """What was booked of the slice's calls on the new model since, against the same calls on the old one at
    the prices of their days. `says`: why there is no figure; empty: there is one."""

    first_day: date
    last_day: date | None = Field(description="the last complete day; null: none is over yet")
    calls: int | None = Field(description="on the new model; null: nobody counted them, and `says` why")
    calls_left: int | None = Field(description="that the old model still has")
    currency: str
    booked: DecimalString | None
    would_low: DecimalString | None = Field(description="what they would have cost on the old model")
    would_high: DecimalString | None
    saving_low: DecimalString | None
    saving_high: DecimalString | None
    says: str
    notes: list[str]


class ModelDecision(BaseModel):
    """A decision, with what was forecast and what became of it."""

    id: UUID
    title: str
    reason: str
    filter: dict[str, str]
    from_model: str
    to_model: str
    owner: str
    effective_day: date
    forecast: SavingForecast
    realised: RealisedSaving | None = Field(description="null: it was withdrawn, so it is nobody's")
    by: str
    at: datetime
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None


class OwnerCredit(BaseModel):
    """What an owner's decisions in force have saved, of those that can be judged."""

    owner: str
    currency: str
    decisions: int
    not_judged: int = Field(description="too early, or without a figure: in no sum")
    saving_low: DecimalString
    saving_high: DecimalString


class ModelDecisions(BaseModel):
    """The newest first; those in force, then at most 50 that were withdrawn."""

    TABLES: ClassVar = ("decisions",)

    decisions: list[ModelDecision]
    credits: list[OwnerCredit]
