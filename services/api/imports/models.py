"""What is answered about imports."""

from datetime import date, datetime
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.http.models import DecimalString

ImportState = Literal["running", "interrupted", "done", "failed"]
"""interrupted: its process is gone; the same import once more ends it, and says nothing twice."""


class ServiceSums(BaseModel):
    """Sums of a bill's rows, as the bill has them; `billed` is in no sum of the book."""

    service_category: str
    currency: str
    rows: int
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString
    billed: DecimalString


class HeldSums(BaseModel):
    """Rows of a service that the tenant meters itself: they are for reconciliation, and not in the book."""

    rule: str = Field(description="by which they are held back; `not_metered` with it lets them in")
    provider: str
    service: str
    currency: str
    rows: int
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString
    billed: DecimalString


class BadRowShown(BaseModel):
    """A row that went nowhere."""

    place: str = Field(examples=["line 17"])
    field: str
    reason: str


class BillShown(BaseModel):
    """A bill that the file has rows of."""

    issuer: str
    account: str
    period: date


class NoteShown(BaseModel):
    """What was remarked of rows that were taken."""

    note: str
    rows: int


class ImportSettings(BaseModel):
    """How the file was read."""

    labels: list[str] = []
    not_metered: list[str] = []
    dry_run: bool = False


class ImportProgress(BaseModel):
    """`rows` so far, each of them counted once: `new`; `same` as the import before; `amended`; `returned`
    after it was retracted; `left` though it was restated, for want of the scope correct; `held` back; `bad`.
    `retracted`: rows of earlier imports that a complete one no longer has."""

    rows: int = 0
    new: int = 0
    same: int = 0
    amended: int = 0
    returned: int = 0
    retracted: int = 0
    left: int = 0
    held: int = 0
    bad: int = 0


class _Import(BaseModel):
    import_id: str
    file: str
    complete: bool
    state: ImportState
    why: str = Field(description="why it failed, or what a complete import left undone")
    author: str
    requested_at: datetime
    ended_at: datetime | None
    summary: str


class ListedImport(ImportProgress, _Import):
    """An import: by whom, of what, and how far it is."""


class ImportAnswer(ListedImport):
    """With its sums to the digit, and all that is to be looked at."""

    settings: ImportSettings
    sums: list[ServiceSums] = []
    held_back: list[HeldSums] = []
    bad_rows: list[BadRowShown] = Field([], description="the first hundred")
    bills: list[BillShown] = []
    bills_count: int = 0
    notes: list[NoteShown] = []


class ImportPage(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("imports",)

    imports: list[ListedImport]
    next_cursor: str | None


def answer_of(row: Any) -> ImportAnswer:
    """A row of the table, as it is answered."""
    said = {**row}
    report, mapping = said.pop("report"), said.pop("mapping")
    settings = ImportSettings.model_validate(mapping)
    said = {**said, **report, "settings": settings, "summary": ""}
    answer = ImportAnswer.model_validate(said)
    answer.summary = summary_of(answer)
    return answer


_COUNTS = (
    ("new", "new"),
    ("same", "as before"),
    ("amended", "amended"),
    ("returned", "back again"),
    ("retracted", "retracted"),
    ("left", "left as they were"),
    ("held", "held back"),
    ("bad", "bad"),
)


def summary_of(found: ImportAnswer) -> str:
    """In one line."""
    counts = [f"{getattr(found, name):,} {words}" for name, words in _COUNTS if getattr(found, name)]
    dry = "would be " if found.settings.dry_run else ""
    said = f"{found.rows:,} rows: {dry}{', '.join(counts)}" if counts else f"{found.rows:,} rows"
    return f"{said}; {found.why}" if found.why else said
