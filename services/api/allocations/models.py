"""What is sent and answered about plans, and about cost that they hand on."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from services.api.allocations.plan import POOLS_MAX, WEIGHT_MAX, WEIGHTS_MAX, SharingRule
from services.api.http.models import AsItStood, DecimalString, RequestBody, Text
from spendmeter.contracts.money import ZERO

CentreName = Annotated[Text, Field(min_length=1, max_length=200)]
ScopeValue = Annotated[Text, Field(max_length=256)]
PoolScope = dict[CentreName, ScopeValue]
PoolWeights = Annotated[
    dict[CentreName, Annotated[int, Field(ge=1, le=WEIGHT_MAX)]], Field(max_length=WEIGHTS_MAX)
]
VersionReason = Annotated[Text, Field(min_length=1, max_length=500)]
RowKind = Literal["cost_centre", "residual", "unattributed", "folded"]


class DriverTerms(RequestBody):
    """What a proportional pool is measured by."""

    measure: Text = Field(
        description="list, contracted or effective cost, events, or a unit: requests, gpu_hours, seat_months",
        examples=["requests"],
    )
    filter: PoolScope = Field(default={}, description="of which events; empty = all")


class PoolTerms(RequestBody):
    """Shared cost, and how it is shared out. proportional: by `driver`. even: one part each. fixed: `weights`
    of `of` parts, the rest is the residual. weighted: by `weights`, all of it."""

    name: CentreName
    filter: PoolScope = Field(
        description="dimension to value, '' = events without one; what an earlier pool takes is not in it",
        examples=[{"provider": "pinecone", "team": ""}],
    )
    rule: SharingRule
    driver: DriverTerms | None = None
    among: list[CentreName] = Field(
        default=[], max_length=WEIGHTS_MAX, description="cost centres that take part; empty = all"
    )
    weights: PoolWeights = Field(default={}, description="whole numbers, by cost centre")
    pools: PoolWeights = Field(default={}, description="the same by the pool that is fed")
    of: Annotated[int, Field(ge=1, le=WEIGHT_MAX)] | None = Field(
        default=None, description="of a fixed rule, how many parts there are; 100 where none is said"
    )


class NewVersion(RequestBody):
    """A plan from a day on: the whole of it. No pools = nothing is shared out."""

    first_day: date = Field(description="of the tenant; a version that begins on it is replaced")
    pools: list[PoolTerms] = Field(max_length=POOLS_MAX)
    reason: VersionReason
    revision: int | None = Field(default=None, description="refuse if another than this was set last")


class PlanLine(BaseModel):
    """A pool of a version as a line of CSV; a version without any is one with no pool."""

    revision: int
    first_day: date
    until: date | None
    holds: bool
    reason: str
    by: str
    at: datetime
    pool: str
    takes: str
    rule: str
    measure: str
    measured_of: str
    among: str
    weights: str
    feeds: str
    of: int | None


class PlanVersion(BaseModel):
    """A version. `until`: the day with which another begins; null = for good. `holds`: false where a later
    act has replaced it."""

    LINE: ClassVar = PlanLine

    revision: int
    first_day: date
    until: date | None
    holds: bool
    pools: list[PoolTerms]
    reason: str
    by: str
    at: datetime

    @staticmethod
    def lines_of(row: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A line a pool."""
        version = {name: each for name, each in row.items() if name != "pools"}
        return [{**version, **_pool_line(pool)} for pool in row["pools"]] or [version]


def _pool_line(pool: Mapping[str, Any]) -> dict[str, Any]:
    driver = pool["driver"] or {"measure": "", "filter": {}}
    return {
        "pool": pool["name"],
        "takes": _pairs(pool["filter"]),
        "rule": pool["rule"],
        "measure": driver["measure"],
        "measured_of": _pairs(driver["filter"]),
        "among": "; ".join(pool["among"]),
        "weights": _pairs(pool["weights"]),
        "feeds": _pairs(pool["pools"]),
        "of": pool["of"],
    }


def _pairs(values: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}={value}" for name, value in values.items())


class AllocationPlan(BaseModel):
    """How cost is handed on to the values of a dimension: every version, the newest act first. Revision 0:
    none was ever set. `unseen`: cost centres that the newest names and no event ever did."""

    TABLES: ClassVar = ("versions",)

    dimension: str
    revision: int
    versions: list[PlanVersion]
    unseen: list[str]


class AllocationPlans(BaseModel):
    """The plans that were ever set, by dimension."""

    plans: list[AllocationPlan]


class StretchAnswer(BaseModel):
    """Days that were shared out by themselves: of one month, by one version (revision null: by none)."""

    first_day: date
    until: date
    revision: int | None


class CentreRow(BaseModel):
    """What one cost centre bears, of effective cost; or what nobody does: `residual` (pools leave it),
    `unattributed` (it names nobody, and no pool takes it), `folded` (its name was one too many that day)."""

    kind: RowKind
    cost_centre: str | None
    currency: str
    direct: DecimalString = ZERO
    shared: DecimalString = ZERO
    total: DecimalString = ZERO
    list: DecimalString = ZERO
    contracted: DecimalString = ZERO
    of_which_provisional: DecimalString = ZERO
    unpriced_events: int = 0


class SharedAmount(BaseModel):
    """What one cost centre, or the residual, has of one pool in one stretch: `weight` of `of` parts.
    `source`: the pool whose cost it was, where that fed this one."""

    first_day: date
    until: date
    cost_centre: str | None
    pool: str
    source: str
    rule: SharingRule
    driver: str
    weight: DecimalString
    of: DecimalString
    currency: str
    amount: DecimalString


class PooledCost(BaseModel):
    """What a pool took in a stretch, and what others fed it. `because`: why some of what it handed on is
    residual; `below_zero`: cost centres of which the driver measured less than nothing."""

    first_day: date
    until: date
    revision: int
    pool: str
    rule: SharingRule
    driver: str
    currency: str
    taken: DecimalString
    fed: DecimalString
    residual: DecimalString
    because: str
    below_zero: list[str]
    unpriced_events: int


class CurrencyTotal(BaseModel):
    """All that was booked in a currency, once: the rows add up to it. `attributed`: what senders said whose
    it is. `borne`: what cost centres have, with their parts of pools. Percentages are null where a part is
    below zero, nothing was booked, or more than one in a hundred events have no price: none would be true."""

    currency: str
    total: DecimalString
    attributed: DecimalString
    unattributed: DecimalString
    borne: DecimalString
    attributed_percent: DecimalString | None
    borne_percent: DecimalString | None


class Allocations(AsItStood):
    """Who bears what was booked on days [first_day, until). Amounts are of effective cost; `shares` say how
    each shared amount came about."""

    TABLES: ClassVar = ("rows",)

    dimension: str
    first_day: date
    until: date
    tz: str
    currency: str
    totals: list[CurrencyTotal]
    rows: list[CentreRow]
    stretches: list[StretchAnswer]
    pools: list[PooledCost]
    shares: list[SharedAmount]


class StatementTotal(BaseModel):
    """Of one currency."""

    currency: str
    direct: DecimalString
    shared: DecimalString
    total: DecimalString
    list: DecimalString
    contracted: DecimalString
    of_which_provisional: DecimalString
    corrected: DecimalString
    of_closed_periods: DecimalString = Field(
        ZERO,
        description="what of `total` corrects earlier months that were closed, or came too late for them",
    )
    unpriced_events: int


class StatementLine(BaseModel):
    """What was charged for one sku. Shared: `weight` of `of` parts of what `pool` handed on, and `source` is
    the pool whose cost it was. `corrected`: what of `effective` corrections have added or taken since it was
    booked. `unpriced_events` have no amount: the line is too small; of a shared one they are the pool's.
    `corrects`: the month that was closed when this was booked of it; null = the line is of this month."""

    kind: Literal["direct", "shared"]
    currency: str
    cost_class: str
    provider: str
    sku: str
    pool: str = ""
    source: str = ""
    rule: SharingRule | None = None
    driver: str = ""
    weight: DecimalString | None = None
    of: DecimalString | None = None
    revision: int | None = None
    first_day: date
    until: date
    corrects: str | None = Field(None, examples=["2026-09"])
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString
    of_which_provisional: DecimalString
    corrected: DecimalString
    events: int | None = Field(description="null of a shared line: it is a part of money, not of events")
    unpriced_events: int


class Statement(AsItStood):
    """What a cost centre bears of a month. Once that is closed (`/v1/periods`) nothing of it changes. A
    provider's bill names no cost centre (it is held against the whole book: `/v1/invoices/variance`), so
    `invoice_variance` is null: not known, and not 0."""

    TABLES: ClassVar = ("lines",)

    dimension: str
    cost_centre: str
    month: str
    first_day: date
    until: date
    tz: str
    is_over: bool = Field(description="whether the month is; until then it is a part of one")
    closed_at: datetime | None = Field(None, description="null = it is open, and may still change")
    invoice_variance: DecimalString | None = None
    totals: list[StatementTotal]
    lines: list[StatementLine]


class AllocationTrialRow(BaseModel):
    """What a cost centre bears now, and would."""

    kind: RowKind
    cost_centre: str | None
    currency: str
    before: DecimalString
    after: DecimalString
    change: DecimalString


class AllocationTrial(BaseModel):
    """What a plan would have made of a month, held against what is in force. Nothing is set. `unseen`: cost
    centres that it names and no event ever did."""

    TABLES: ClassVar = ("rows",)

    dimension: str
    month: str
    rows: list[AllocationTrialRow]
    pools: list[PooledCost]
    unseen: list[str]


class NewAllocationTrial(RequestBody):
    """A plan to try on a month."""

    pools: list[PoolTerms] = Field(max_length=POOLS_MAX)
    month: Text | None = Field(
        default=None, description="such as 2026-10; without one, the last that is over"
    )
