"""What is asked and answered about accounting periods."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString, RequestBody, Text

PeriodState = Literal["open", "closing", "closed", "reopened"]


class PeriodSum(BaseModel):
    """What was booked, in one currency."""

    currency: str
    events: int
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString


class PeriodClosing(BaseModel):
    """One time that a period was closed. `closed_at` null: bookings under way are waited for. `moment`: the
    first `as_of` that holds all that the period has."""

    number: int
    note: str
    closed_by: str
    asked_at: datetime
    closed_at: datetime | None
    moment: datetime | None
    sums: list[PeriodSum] = Field(description="at the close, with the corrections booked in it")
    reopened_by: str | None
    reopened_at: datetime | None
    reopen_reason: str | None


class AccountingPeriod(BaseModel):
    """A month of the tenant. What comes for one that is closed is booked in the next that is open."""

    period: str = Field(examples=["2026-10"])
    first_day: date
    until: date
    state: PeriodState
    is_over: bool
    may_close: bool = Field(description="whether it is the next to be closed")
    may_reopen: bool = Field(description="whether it is the last that is closed")
    corrections_of_earlier_periods: list[PeriodSum] = Field(
        description="what of its sums belongs to days of periods that were closed when it was booked"
    )
    closings: list[PeriodClosing] = Field(description="the newest first")


class AccountingPeriods(BaseModel):
    """The newest first."""

    TABLES: ClassVar = ("periods",)

    tz: str
    periods: list[AccountingPeriod]


class NewClosing(RequestBody):
    """Why, or by whose leave, for whoever asks later."""

    note: Annotated[Text, Field(max_length=500)] = ""


class Reopening(RequestBody):
    """Why what was told is told anew."""

    reason: Annotated[Text, Field(min_length=1, max_length=500)]
