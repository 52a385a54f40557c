"""What is told as it is booked."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.http.models import Complete, DecimalString

LiveRange = Literal["last_hour", "today", "month_to_date"]


class LiveRow(BaseModel):
    """What was spent, in one currency."""

    currency: str
    events: int
    unpriced_events: int
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString
    of_which_provisional: DecimalString


class LiveSpan(BaseModel):
    """A range by name, up to the minute that is open, as `/v1/spend` says it; each currency has its row."""

    model_config = ConfigDict(populate_by_name=True)

    from_: datetime = Field(alias="from")
    to: datetime
    totals: list[LiveRow]


class LiveSpend(Complete):
    """All that a tenant spent, by the tenant's clock, as the book said at `at`."""

    at: datetime
    tz: str
    currency: str
    spans: dict[LiveRange, LiveSpan]
