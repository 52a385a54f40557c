"""What is sent and answered about re-rates."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

import msgspec
from pydantic import AwareDatetime, BaseModel, Field

from services.api.corrections.models import Reason
from services.api.http.models import DecimalString, RequestBody, Text
from spendmeter.contracts.corrections import BOOK_MAX, BOOK_MIN, NAMES_MAX, Selection
from spendmeter.contracts.rated import PriceStatus
from spendmeter.pricing.causes import Cause

JobState = Literal["sent", "previewing", "previewed", "applying", "applied", "cancelled", "refused"]
"""sent: the broker holds it, and the corrector has not come to it yet. previewed: what it would change is
known, and nothing is changed."""
_Names = Annotated[list[Annotated[Text, Field(min_length=1, max_length=256)]], Field(max_length=NAMES_MAX)]
_BookTime = Annotated[AwareDatetime, Field(ge=BOOK_MIN, le=BOOK_MAX)]
_Version = Annotated[int, Field(ge=1, le=2**31 - 1)]


class NewRerate(RequestBody):
    """Price booked events anew with one version of the catalog: those to which all that is given applies, and
    where nothing is, all of the tenant's. Without `apply` a dry run: nothing is changed."""

    providers: _Names = Field([])
    skus: _Names = Field([])
    since: _BookTime | None = Field(None, description="by the events' own time, inclusive")
    until: _BookTime | None = Field(None, description="exclusive")
    statuses: list[PriceStatus] = Field([], description="which they have now")
    publication: _Version | None = Field(
        None, description="those alone that cost something else because of what this publication changed"
    )
    missing_rate_of: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = Field(
        None, description="those alone that lack an exchange rate of this currency"
    )
    reason: Reason
    version: _Version | None = Field(
        None, description="of the catalog, the newest if left out; it stays the job's, whatever is published"
    )
    apply: bool = Field(False, description="book the difference as soon as it is known")
    rerate_id: UUID | None = Field(
        None, description="what is sent again under the same id changes nothing; left out: a new one"
    )

    def selection(self) -> Selection:
        """As the corrector reads it."""
        chosen = self.model_dump(include=set(Selection.__struct_fields__), exclude_none=True)
        return msgspec.convert(chosen, Selection)


class AmountsChange(BaseModel):
    """What events come to before and after."""

    currency: str
    events: int
    effective_before: DecimalString
    effective_after: DecimalString
    difference: DecimalString = Field(description="of effective cost")
    list_before: DecimalString
    list_after: DecimalString
    contracted_before: DecimalString
    contracted_after: DecimalString


class CauseChange(AmountsChange):
    """Of one cause: each begins with what the one before left, so they add up to the difference."""

    cause: Cause


class SpenderChange(AmountsChange):
    """Of one team's use of one model."""

    team: str
    provider: str
    sku: str


class LeftEvent(BaseModel):
    """An event that stays as it is, and why."""

    source: str
    id: str
    time: datetime
    reason: str


class PassProgress(BaseModel):
    """How far a job's way through the book is: `seen` of `about` so many events (null: not known,
    where there are none, or models of more series are selected than can be counted). `changed` of them;
    `left_alone`, for a reason; `elsewhere`: moved by what the job is not about, and left; `late`: booked
    meanwhile. `since_dry_run`: booked or corrected since the dry run began, so not in it; of those
    `since_dry_run_changed`."""

    about: int | None
    seen: int
    changed: int
    left_alone: int
    elsewhere: int
    late: int
    since_dry_run: int
    since_dry_run_changed: int
    started_at: datetime
    ended_at: datetime | None
    reached: datetime | None
    sums: list[AmountsChange]


class PassReport(PassProgress):
    """With what it changes: by cause, and the largest by team and model."""

    causes: list[CauseChange]
    differences: list[SpenderChange]
    left: list[LeftEvent]


class _Job(BaseModel):
    rerate_id: str
    selection: dict[str, object]
    version: int
    reason: str
    author: str
    requested_at: datetime
    state: JobState
    why: str
    applied_by: str | None
    apply_asked_at: datetime | None
    cancelled_by: str | None
    cancelled_at: datetime | None
    summary: str = Field(description="how far it is and what it changes, in one line")


class ListedRerate(_Job):
    """A job, by whom and why; `preview`: its dry run; `applied`: its way through the book to change it."""

    preview: PassProgress | None
    applied: PassProgress | None


class RerateAnswer(_Job):
    """One job, with what it would change and what it has."""

    preview: PassReport | None
    applied: PassReport | None


class RerateList(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("rerates",)

    rerates: list[ListedRerate]
    next_cursor: str | None
