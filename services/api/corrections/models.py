"""What is sent and answered about corrections of single events."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import msgspec
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from services.api.events.models import LedgerEntry
from services.api.http.models import RequestBody, Text

CorrectionProgress = Literal["sent", "waiting", "applied", "refused", "duplicate", "superseded", "unknown"]
"""sent: the broker holds it, and the corrector has not come to it yet. waiting: its event is not booked yet;
unknown: and never came. superseded: a retraction or an amend of a higher revision holds."""
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500, pattern=r"^[^\x00]*$"),
    Field(description="why; it stays on the receipt"),
]
_EventName = Annotated[Text, Field(min_length=1, max_length=256)]


class NewCorrection(RequestBody):
    """An event is to say something else (amend), or to count no longer (retract): what should never have
    been booked is retracted, a void by another name."""

    kind: Literal["amend", "retract"]
    source: _EventName
    id: _EventName = Field(description="with `source`: which event of the tenant")
    reason: Reason
    patch: dict[str, Any] | None = Field(
        None,
        description="of an amend: a JSON merge patch (RFC 7396) on the event's `data` as first booked",
        examples=[{"usage": {"input_tokens": 5}}],
    )
    revision: int | None = Field(
        None,
        ge=0,
        le=2**31 - 1,
        description="of several amends of an event the highest holds; left out: the next after those known",
    )
    correction_id: UUID | None = Field(
        None, description="what is sent again under the same id changes nothing; left out: a new one"
    )


def _patch(stored: Any) -> Any:
    return msgspec.json.decode(stored) if isinstance(stored, str) else stored


class ListedCorrection(BaseModel):
    """What was asked for, by whom, and what became of it. `seqs`: the entries that it added."""

    correction_id: str
    kind: Literal["amend", "retract"]
    source: str
    id: str
    revision: int
    patch: Annotated[dict[str, Any] | None, BeforeValidator(_patch)]
    reason: str
    author: str
    requested_at: datetime
    state: CorrectionProgress
    why: str
    seqs: list[int]
    applied_at: datetime | None


class CorrectionAnswer(ListedCorrection):
    """The same, with all entries of its event; `summary` says in one line what it did."""

    summary: str
    entries: list[LedgerEntry]


class CorrectionPage(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("corrections",)

    corrections: list[ListedCorrection]
    next_cursor: str | None
