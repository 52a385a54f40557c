"""What is answered about the chain of days."""

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString, Text


class ChainedSums(BaseModel):
    """What a day's entries come to in one currency."""

    list: DecimalString
    contracted: DecimalString
    effective: DecimalString


class ChainedDay(BaseModel):
    """A closed day, as it lies on `ledger.roots`; `spendmeter verify --roots` takes one a line."""

    type: Literal["spendmeter.chain.day.v1"] = "spendmeter.chain.day.v1"
    tenant: str
    epoch: int = Field(description="1, and one more each time that the book was put back by a backup")
    day: date = Field(description="of UTC, by when entries were recorded")
    previous_day: date | None = Field(description="the last day with entries before it; null = there is none")
    previous: str = Field(description="its root; '' = there is none")
    leaves: int = Field(description="how many entries were recorded on it")
    sums: dict[str, ChainedSums] = Field(description="by currency")
    link: str
    root: str = Field(description="BLAKE2b-256 of all of this but `closed_at`, as docs/chain.md says")
    closed_at: datetime


class PutBack(BaseModel):
    """Somebody said that the book was put back to an earlier state."""

    type: Literal["spendmeter.chain.put_back.v1"] = "spendmeter.chain.put_back.v1"
    epoch: int = Field(description="the one that began")
    stands_through: date | None = Field(description="days up to it stand as they were closed; null = none")
    began_at: datetime
    by: str
    reason: str


class ChainedDays(BaseModel):
    """Newest first."""

    TABLES: ClassVar = ("days",)

    closed_through: date | None = Field(description="all days up to it are closed; null = none is yet")
    agrees: bool = Field(
        description="whether what was told of closed days says the same as the book; false = an operator "
        "has to look (docs/chain.md)"
    )
    contradictions: str = Field(description="for operators: what says otherwise")
    put_backs: list[PutBack] = Field(description="for ever")
    days: list[ChainedDay]
    next_cursor: str | None


class PutBackReason(BaseModel):
    """Why the book is another than it was."""

    reason: Text = Field(min_length=1, max_length=500, description="which backup was restored, and why")
