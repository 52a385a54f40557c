"""What is answered about invoices."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from services.api.http.models import Complete, DecimalString

CauseName = Literal[
    "timing", "unseen", "unbilled", "left_out", "truncated", "tier", "context", "cache", "region", "unpriced",
    "provisional", "price", "discount", "currency", "rounding",
]  # fmt: skip


class InvoiceAmount(BaseModel):
    """A sum of the file's amounts."""

    kind: Literal["cost", "total"]
    currency: str
    amount: DecimalString


class InvoiceImport(BaseModel):
    """A file of a provider's bill, and whether it still counts."""

    import_id: UUID
    provider: str
    account: str
    file: str
    author: str
    imported_at: datetime
    first_day: date
    last_day: date
    rows: int
    amounts: list[InvoiceAmount]
    notes: list[str]
    superseded: bool = Field(description="later imports speak of each of its days; it is kept")


class InvoiceImportPage(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("imports",)

    imports: list[InvoiceImport]
    next_cursor: str | None


class VarianceRow(BaseModel):
    """Of a model on a day in UTC. `causes` and `unexplained` sum to `variance`, to the last digit."""

    day: date
    model: str = Field(
        description="as the catalog calls it; empty: of no model, as what a report does not show"
    )
    billed: DecimalString
    booked: DecimalString | None = Field(description="as contracted, as priced; null: no rate to compare it")
    variance: DecimalString | None = Field(description="billed - booked")
    causes: dict[CauseName, DecimalString] = Field(description="those that are not nothing")
    unexplained: DecimalString | None
    note: str


class VarianceSum(BaseModel):
    """The same of several rows; of what could not be compared nothing is in it."""

    billed: DecimalString
    booked: DecimalString
    variance: DecimalString
    causes: dict[CauseName, DecimalString]
    unexplained: DecimalString


class DayVariance(VarianceSum):
    """Of a day."""

    day: date


class ModelVariance(VarianceSum):
    """Of a model."""

    model: str


class CauseMeaning(BaseModel):
    """A cause, in words."""

    cause: CauseName
    meaning: str


class InvoiceVariance(Complete):
    """A provider's bill against the book. Causes come off in the order of `meanings`."""

    TABLES: ClassVar = ("rows", "days", "models")

    provider: str
    account: str | None
    currency: str | None = Field(
        description="the bill's, or the book's where bills are of nothing; null where there is no bill"
    )
    first_day: date
    until: date
    days_billed: int
    days_without_bill: list[date]
    not_compared: int = Field(description="rows without a rate of exchange")
    totals: VarianceSum
    days: list[DayVariance]
    models: list[ModelVariance]
    rows: list[VarianceRow]
    meanings: list[CauseMeaning]
    notes: list[str]
