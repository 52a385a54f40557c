"""What is sent and answered about assets."""

from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field

from services.api.http.models import DecimalString, RequestBody, Text
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX, CostClass
from spendmeter.contracts.money import parse_decimal
from spendmeter.pricing.accruals.asset import AssetKind

ID_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$"


def _plain_decimal(text: str) -> str:
    parse_decimal(text)
    return text


AssetAmount = Annotated[str, AfterValidator(_plain_decimal), Field(examples=["2400"])]
AssetId = Annotated[str, Field(pattern=ID_PATTERN, examples=["laptop-0042"])]
AssetName = Annotated[Text, Field(min_length=1, max_length=200)]
AssetLabels = Annotated[
    dict[str, Annotated[Text, Field(min_length=1, max_length=LABEL_CHARACTERS_MAX)]],
    Field(
        description="whose it is: team, project, feature, workflow, environment, or one of the tenant's own"
    ),
]
AssetReason = Annotated[Text, Field(min_length=1, max_length=300)]


class ShareBody(RequestBody):
    """Whose part it is: `weight` seats of a licence, else so many parts of all parts."""

    labels: AssetLabels
    weight: int = Field(1, ge=1, le=1_000_000)


class _Stated(RequestBody):
    provider: AssetName | None = None
    sku: AssetName | None = None
    cost_class: CostClass | None = None
    cost: AssetAmount | None = Field(None, description="of hardware or a commitment: what it cost")
    salvage: AssetAmount | None = Field(None, description="of hardware: what it will be worth in the end")
    months: int | None = Field(None, description="its life, in months of the calendar")
    ends_on: date | None = Field(None, description="the first day on which it is there no longer")
    seats: int | None = Field(None, description="of a licence")
    price_per_seat_month: AssetAmount | None = Field(None, description="of a licence")
    rate_per_hour: AssetAmount | None = Field(None, description="of labour")
    hours_per_week: AssetAmount | None = Field(None, description="of labour; 0 = timesheets alone")
    capacity: AssetAmount | None = Field(None, description="of a commitment: units of throughput")
    labels: AssetLabels | None = None
    assigned: list[ShareBody] | None = Field(
        None, description="of a licence who has how many seats; else who shares it, by weight"
    )


class NewAsset(_Stated):
    """What is to be registered. `id` is your own name for it: the same again changes nothing."""

    id: AssetId
    kind: AssetKind
    name: AssetName
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    starts_on: date = Field(description="when it was bought, or begins")
    accrue_from: date | None = Field(
        None, description="what accrued before is not booked; without it, from `starts_on` on"
    )
    reason: AssetReason = "registered"


class AssetPatch(_Stated):
    """What changes, and from when: without `effective_from` from the next hour on. A day is one of the
    asset's zone; one that is past amends what was booked. `retired` ends it: of what was bought, the rest
    less `proceeds` is written off."""

    name: AssetName | None = None
    retired: Literal[True] | None = None
    proceeds: AssetAmount | None = None
    effective_from: Text | None = Field(None, examples=["2026-12-01", "2026-12-01T09:00:00Z"])
    reason: AssetReason


class ActivityBody(RequestBody):
    """How many of the seats were used on a day."""

    day: date
    active: int = Field(ge=0, le=1_000_000)


class TimesheetBody(RequestBody):
    """Hours of work of a day. `id` is your own: the same again changes nothing, other hours amend it."""

    id: AssetId
    day: date
    hours: AssetAmount
    labels: AssetLabels = Field(default_factory=dict)
    reason: AssetReason = "timesheet"


class ShareAnswer(BaseModel):
    """A part, and whose it is."""

    labels: dict[str, str]
    weight: int


class SaidOfAsset(BaseModel):
    """One revision. `back_dated`: hours that were booked already say otherwise, and are amended."""

    revision: int
    effective_from: datetime
    recorded_at: datetime
    back_dated: bool
    change: dict[str, Any]
    author: str
    reason: str


class AccruedOf(BaseModel):
    """What has accrued of whom; `idle` = of seats that nobody has."""

    labels: dict[str, str]
    idle: bool
    amount: DecimalString


class BookedOf(BaseModel):
    """What the book says of an asset's events, in a currency of the book."""

    currency: str
    amount: DecimalString
    events: int


class SeatUse(BaseModel):
    """Seats now, and how many were used on the last day of which anybody said so (null: nobody has).
    `idle_share`: of all seats nobody has them; `unused_share`: nobody used them."""

    seats: int
    assigned: int
    idle: int
    idle_share: DecimalString
    day: date | None
    active: int | None
    unused_share: DecimalString | None


class AssetAnswer(BaseModel):
    """An asset as it stands. `accrued` is what it came to up to `accrued_until`, from `accrue_from` on, in
    its own currency; `remaining` is what of a purchase is still to come, `before` what came before
    `accrue_from`. `state`: coming, accruing, over, or refused, for the reason in `trouble`."""

    id: str
    kind: AssetKind
    name: str
    provider: str
    sku: str
    cost_class: CostClass
    currency: str
    tz: str
    starts_on: date
    accrue_from: datetime
    ends_at: datetime | None
    state: Literal["coming", "accruing", "over", "refused"]
    trouble: str
    revision: int
    registered_at: datetime
    cost: DecimalString | None
    salvage: DecimalString
    months: int | None
    seats: int | None
    price_per_seat_month: DecimalString | None
    rate_per_hour: DecimalString | None
    hours_per_week: DecimalString
    capacity: DecimalString | None
    labels: dict[str, str]
    assigned: list[ShareAnswer]
    retired: bool
    accrued_until: datetime
    accrued: DecimalString
    before: DecimalString
    remaining: DecimalString | None


class AssetReport(AssetAnswer):
    """With all that was said of it, whose it was, and what the book says: `booked` follows `accrued` by
    seconds, and by what its currency is exchanged at; null where that is too much to look up. Timesheets:
    what was entered, in hours and in the asset's currency."""

    by_label: list[AccruedOf]
    seat_use: SeatUse | None
    timesheet_hours: DecimalString
    timesheet_amount: DecimalString
    booked: list[BookedOf] | None
    revisions: list[SaidOfAsset]


class AssetList(BaseModel):
    """Oldest first; `next_cursor` is null on the last page. `accruing`: whether this process sends at all."""

    TABLES: ClassVar = ("assets",)

    assets: list[AssetAnswer]
    accruing: bool
    next_cursor: str | None


class ActivityAnswer(BaseModel):
    """Days of which it is said how many seats were used, newest first."""

    activity: list[ActivityBody]


class TimesheetAnswer(BaseModel):
    """An entry, and what it comes to at the rate of its day."""

    id: str
    revision: int
    day: date
    hours: DecimalString
    amount: DecimalString
    currency: str
    labels: dict[str, str]


def as_change(body: _Stated, *, without: frozenset[str]) -> dict[str, Any]:
    """The fields that it states, as a revision holds them; null takes one back."""
    fields = body.model_dump(mode="json", exclude_unset=True, exclude=set(without))
    empty = {"labels": {}, "assigned": [], "salvage": "0", "hours_per_week": "0"}
    return {
        name: empty.get(name) if value is None else value
        for name, value in fields.items()
        if value is not None or name not in _NEVER_EMPTY
    }


_NEVER_EMPTY = frozenset({"name", "provider", "sku", "cost_class", "retired"})
