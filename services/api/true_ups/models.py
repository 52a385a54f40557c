"""What is answered about terms of whole periods: how each stands, and what was booked of it."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString

PeriodEffect = Literal["graduated", "volume", "allowance", "commitment", "spend_commitment"]


class TrueUpEntry(BaseModel):
    """One entry of a period: what those before it left to do."""

    revision: int
    source: str = Field(description="with `id`: its receipt, under /v1/events")
    id: str
    occurred_at: datetime = Field(description="when it counts as spent")
    recorded_at: datetime
    amount: DecimalString
    currency: str
    explanation: list[str]


class PeriodStanding(BaseModel):
    """A term of a period, from what is counted of its days. `booked` + `trued_up` = `due`."""

    term: str = Field(description="the id of its catalog entry")
    effect: PeriodEffect
    provider: str
    units: list[str] = Field(description="none = whatever is charged for")
    period_start: date = Field(description="its first day, of UTC")
    period_end: date = Field(description="the day after its last one")
    covered_to: date = Field(description="the first day that is not counted yet")
    ended: bool
    currency: str
    quantity: DecimalString | None = Field(description="of the usage that it counts")
    booked: DecimalString | None = Field(description="what that was booked at, event by event")
    due: DecimalString | None = Field(description="what it costs by the term, so far")
    trued_up: DecimalString | None = Field(description="what all its true-ups come to")
    used: DecimalString | None = Field(
        description="of a commitment: what of its payment is used; with `unused` all of it; null = it is none"
    )
    unused: DecimalString | None = Field(
        description="and what is not, which is due when the period has ended"
    )
    explanation: list[str] = Field(description="the arithmetic, to be redone by hand")
    provisional: list[str] = Field(description="what is not known: it counts as nothing, or at its bound")
    refused: str = Field(description="why nothing is worked out, and every figure is null; mostly empty")
    catalog_version: int
    looked_at: datetime
    true_ups: list[TrueUpEntry] = Field(description="what is booked, in its order")


class PeriodStandings(BaseModel):
    """The latest periods first."""

    TABLES: ClassVar = ("periods",)

    periods: list[PeriodStanding]
    next_cursor: str | None
