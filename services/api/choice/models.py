"""What is answered about models: own traffic on others, and what traffic that is not there yet would cost."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import Complete, DecimalString


class CallQuality(BaseModel):
    """How calls went, as they were metered. Shares and times are null below 30 calls that say anything of it:
    too few to judge by, never a guess."""

    calls: int
    stated: int = Field(description="of these, calls that say how they ended")
    ok: int
    success: DecimalString | None = Field(description="share of `stated` that ended ok, 0 to 1")
    timed: int = Field(description="calls that state a latency")
    p95_ms: DecimalString | None = Field(description="at most 1.6 % away from the call's own")
    mean_ms: DecimalString | None


class PricedUnit(BaseModel):
    """What one unit comes to, at least and at most."""

    unit: str
    quantity_low: DecimalString
    quantity_high: DecimalString
    prices: list[str] = Field(description="of one, each with its currency and the id of its entry")
    low: DecimalString
    high: DecimalString


class ChoiceScore(BaseModel):
    """One figure a call: its cost, its share of errors at `price_per_error`, its mean seconds at
    `price_per_second`. Null: a part that is asked for is not known."""

    low: DecimalString | None
    high: DecimalString | None
    errors: DecimalString | None
    waiting: DecimalString | None


class ComparedModel(BaseModel):
    """A model with the slice's calls on it. Amounts are at least and at most: where they are equal it is
    sure. Null: it is not comparable, and `missing` says why."""

    currency: str
    name: str = Field(description="provider/sku; empty: as it is, each call on its own model")
    low: DecimalString | None
    high: DecimalString | None
    list_low: DecimalString | None
    list_high: DecimalString | None
    saving_low: DecimalString | None = Field(description="against as it is; negative: it is dearer")
    saving_high: DecimalString | None
    per_call_low: DecimalString | None
    per_call_high: DecimalString | None
    per_success_low: DecimalString | None = Field(
        description="per call, divided by the share of calls that end ok: failed ones are paid and done again"
    )
    per_success_high: DecimalString | None
    quality: CallQuality | None = Field(
        description="of the tenant's own calls of it in these days; of `as it is` those of the slice; null: "
        "not used here yet"
    )
    where: Literal["front", "dominated", "unknown"] = Field(
        description="over cost a call, p95 and success, at once; unknown: one of them is"
    )
    dominated_by: list[str]
    score: ChoiceScore
    missing: list[str]
    notes: list[str] = Field(description="what was assumed, and what sums cannot tell")
    units: list[PricedUnit]


class ContextCalls(BaseModel):
    """Calls whose context, all that went in, was longer than so many tokens and not than the next mark."""

    over: int
    calls: int


class LeftOutModel(BaseModel):
    """A model that has no price today for something that was used of it."""

    name: str = Field(description="provider/sku")
    calls: int
    missing: list[str] = Field(description="why")


class SliceTraffic(BaseModel):
    """The slice, in one currency of the book."""

    currency: str
    calls: int
    models: list[str]
    booked: DecimalString = Field(description="effective, as booked; prices may have changed since")
    of_which_provisional: DecimalString
    unpriced_calls: int = Field(description="in no booked amount")
    billed: DecimalString = Field(description="what bills say of these models: no calls, not compared")
    contexts: list[ContextCalls]
    left_out: list[LeftOutModel] = Field(
        description="no call of these is in `models`: what it would save there nobody knows. Empty where all "
        "of the slice is so: then `as it is` has no amount, and candidates have"
    )


class ComparedModels(Complete):
    """The same calls on other models, at the prices of one instant."""

    TABLES: ClassVar = ("models",)

    first_day: date = Field(description="of UTC, as sums of prices are by")
    last_day: date
    priced_at: datetime
    catalog_version: int
    traffic: list[SliceTraffic]
    models: list[ComparedModel]
    not_shown: int = Field(description="comparable candidates beyond `top`, of all that could be asked")
    not_comparable: int = Field(description="models that lack a price for something that was used")
    not_in_it: list[str]


class EstimatedModel(BaseModel):
    """What the stated traffic would cost on one model."""

    currency: str
    name: str
    per_call: DecimalString | None
    per_day: DecimalString | None
    per_30_days: DecimalString | None
    list_per_30_days: DecimalString | None
    per_30_days_high: DecimalString | None = Field(
        description="where the price is by hour: in the dearest; else the same"
    )
    quality: CallQuality | None = Field(description="of the tenant's last 30 days; null: not used here yet")
    missing: list[str]
    notes: list[str]
    units: list[PricedUnit] = Field(description="a day")


class ModelEstimate(BaseModel):
    """Of traffic that does not exist yet; nothing of it is measured but `quality`."""

    TABLES: ClassVar = ("models",)

    calls_per_day: DecimalString
    attempts: DecimalString
    usage: dict[str, DecimalString] = Field(description="of one attempt, by unit")
    priced_at: datetime
    catalog_version: int
    models: list[EstimatedModel]
