"""What is answered about events: receipts, the events of a list, and what was not booked."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from services.api.events.sums import EntryKind, signs_of
from services.api.http.models import AsItStood, Complete, DecimalString
from spendmeter.pricing.causes import Cause
from spendmeter.pricing.explain import Contest

UnbookedOutcome = Literal["duplicate", "conflict", "rejected", "stray"]
SupersededStatus = Literal["rejected", "conflict", "retracted", "booked", "unknown"]


def _dimensions(series: Mapping[str, Any]) -> dict[str, str]:
    """The series' dimensions, those it has."""
    return {name: value for name, value in series.items() if value}


Dimensions = Annotated[dict[str, str], BeforeValidator(_dimensions)]


class Copy(BaseModel):
    """Another submission of the same tenant, source and id, and why it was not booked."""

    outcome: str
    reason: str
    recorded_at: datetime
    key_id: str = Field(description="the key that sent it; empty: not known")
    partition: int
    offset: int
    size: int
    amended: bool = Field(
        False, description="of a conflict: what is booked was amended to say what this one says"
    )


class Successor(BaseModel):
    """The event that was booked in the place of another submission."""

    source: str
    id: str
    at: datetime


class Superseded(BaseModel):
    """The submission whose place an event takes, as its sender says, and what that one had become."""

    source: str
    id: str
    status: SupersededStatus
    says: str


class Received(BaseModel):
    """As it came in; `partition` and `offset` are its place on usage.events."""

    at: datetime | None
    key_id: str
    partition: int
    offset: int


class ReceiptLine(BaseModel):
    """One unit's price and amounts, as priced and in book currency; null = unknown, never zero.

    `arithmetic` can be redone by hand; `entries` are the keys in `catalog` of what decided it; `contests` are
    about the entries that the catalog version had for it.
    """

    unit: str
    quantity: DecimalString | None
    status: str
    currency: str
    per: int
    price: DecimalString | None
    amount: DecimalString | None
    contracted_price: DecimalString | None
    contracted_amount: DecimalString | None
    contracted_currency: str
    effective_price: DecimalString | None
    effective_amount: DecimalString | None
    book_list: DecimalString | None
    book_contracted: DecimalString | None
    book_effective: DecimalString | None
    multipliers: list[dict[str, Any]]
    entries: list[str]
    parent: str
    reason: str
    remarks: list[str] = Field(
        description="what of how it was served no price mentions: the price is one for any"
    )
    arithmetic: list[str]
    contests: list[Contest]


class LedgerEntry(BaseModel):
    """One row of the book: the usage itself (seq 0), or one of a pair that corrects it, a reversal (its
    amounts negated) and the replacement after it; or a true-up (seq -2), which is of a whole period and of
    no event."""

    seq: int
    kind: EntryKind
    sign: Literal[1, -1]
    reverses: int | None = Field(description="the seq of the entry that a reversal takes back")
    recorded_at: datetime
    accounting_period: date
    catalog_version: int
    status: str
    currency: str
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString

    @model_validator(mode="before")
    @classmethod
    def _signed(cls, row: Any) -> Any:
        return {**row, **signs_of(row["seq"])}


class EntryCause(BaseModel):
    """Why there is an entry beside the usage as first booked: which correction or re-rate, whose, and why."""

    kind: Literal["amend", "retract", "rerate"]
    id: str
    reason: str
    author: str
    requested_at: datetime


class CauseOfDifference(BaseModel):
    """What one cause changed of an event's effective cost; each begins with what the one before left."""

    cause: Cause
    currency: str
    before: DecimalString
    after: DecimalString
    difference: DecimalString


class BookSum(BaseModel):
    """What all entries of an event come to, in one book currency."""

    currency: str
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString


class PricedEntry(LedgerEntry):
    """The same with its lines, of which `arithmetic` is the sum. `naming`: what the sender's names for
    provider and model mean, and who says so. `remark`: why the lines have no contests, or others than were
    decided; mostly empty. `event`: what an amend made of it; null = it says what the entry before does."""

    in_force: bool = Field(description="whether it counts: the last one, unless it is reversed")
    cause: EntryCause | None = Field(description="of what corrects; null: as first booked")
    event: dict[str, Any] | None = None
    difference: list[CauseOfDifference] = Field([], description="of a re-rate: by cause")
    naming: list[str] = Field(default_factory=list)
    lines: list[ReceiptLine]
    arithmetic: str
    remark: str = ""


class Receipt(BaseModel):
    """What became of an event: `booked` (entries, with later copies), or `rejected` (copies alone). `summary`
    says it in one line, and begins with `conflict` where another event's id was used again. `sums`: of all
    its entries, which is what every total has of it; `dimensions`: of the last of them."""

    summary: str
    status: Literal["booked", "rejected"]
    source: str
    id: str
    identity: str
    time: datetime | None = None
    received: Received | None = None
    dimensions: Dimensions | None = None
    event: dict[str, Any] | None = None
    sums: list[BookSum] = Field(default_factory=list)
    entries: list[PricedEntry] = Field(default_factory=list)
    catalog: dict[str, dict[str, Any]] = Field(default_factory=dict)
    copies: list[Copy] = Field(default_factory=list)
    supersedes: Superseded | None = None
    superseded_by: list[Successor] = Field(default_factory=list)


class ListedEvent(LedgerEntry):
    """A booked event, as short as a list wants it."""

    source: str
    id: str
    time: datetime
    dimensions: Dimensions


class EventList(AsItStood):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("events",)

    events: list[ListedEvent]
    next_cursor: str | None


class UnbookedEvent(Copy):
    """Something that arrived and was not booked. `booked_instead`: an event that names it in `supersedes`,
    one that came later under the same id, or the one that was amended by it; null = none."""

    source: str
    id: str
    key_name: str
    sha256: str | None = Field(description="of the bytes on usage.events; null of a duplicate")
    booked_instead: Successor | None
    what_to_do: str


class UnbookedList(Complete):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("unbooked",)

    unbooked: list[UnbookedEvent]
    next_cursor: str | None


class KeyFaults(BaseModel):
    """How many of a key's events were not booked; `unresolved`: and nothing was booked instead."""

    outcome: UnbookedOutcome
    key_id: str
    key_name: str
    events: int
    unresolved: int
    first_at: datetime
    last_at: datetime


class Fault(KeyFaults):
    """Those of one fault: a reason without its figures and what it quotes. `source`, `id` and `reason` are
    the last one's."""

    fault: str
    source: str
    id: str
    reason: str
    what_to_do: str


class UnbookedCounts(Complete):
    """At most 100 of each. `counted_from`: where there were more than are counted, those before are not."""

    TABLES: ClassVar = ("faults",)

    faults: list[Fault]
    keys: list[KeyFaults]
    counted_from: datetime | None
