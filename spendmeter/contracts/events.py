"""The usage event: a CloudEvent 1.0 in structured JSON, as it crosses `usage.events`.

`event_reading` is how one is read, `event_identity` what makes two the same, `gate` which rules came later.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from spendmeter.contracts.series import DIMENSIONS, FOLDED, Series

EVENT_TYPE = "spendmeter.usage.v1"
CHARGE_TYPE = "spendmeter.charge.v1"
"""A row of somebody's bill: `charges` has what it says in `data.charge`."""
LABEL_CHARACTERS_MAX = 128
NAME_CHARACTERS_MAX = 256

CostClass = Literal[
    "model",
    "tool",
    "database",
    "vector",
    "compute",
    "storage",
    "network",
    "hardware",
    "licence",
    "labour",
    "training",
    "other",
]

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Label = Annotated[str, Meta(max_length=LABEL_CHARACTERS_MAX)]
UnitName = Annotated[str, Meta(min_length=1, max_length=64)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", max_length=3)]  # "$" alone lets a newline follow
Instant = Annotated[datetime, Meta(tz=True)]
LaterName = Annotated[Any, Meta(extra_json_schema={"type": "string", "maxLength": NAME_CHARACTERS_MAX})]
"""A name that joined the contract when events were booked already, of which any may hold anything there:
`gate` checks it, from its own first instant on."""
LaterWord = Annotated[Any, Meta(extra_json_schema={"type": "string", "maxLength": 32})]
LaterUnits = Annotated[
    Any, Meta(extra_json_schema={"type": "array", "items": {"type": "string"}, "maxItems": 64})
]
LaterTime = Annotated[Any, Meta(extra_json_schema={"type": "string", "format": "date-time"})]
"""Likewise: a word out of a few, names of units, an instant."""
NORMALISED = ("stated", "assumed")
CADENCES = ("live", "accrual", "bill")

LaterCharge = Annotated[Any, Meta(extra_json_schema={"type": "object"})]
"""Likewise; of usage, in which it has no place, it is never looked into."""


class EventError(ValueError):
    """An event that cannot be accepted: `field` is where, `reason` is the rule it breaks."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


def broken_rule(error: msgspec.ValidationError, inside: str = "") -> EventError:
    """Where a value breaks the contract, and which rule of it: the value is not repeated. `inside`: the path
    of what was decoded."""
    said, at, path = str(error).rpartition(" - at `$")
    reason = said if at else path
    if reason.startswith("Invalid enum value"):
        reason = "is none of the words that may stand here"
    return EventError(reason, (inside + path.rstrip("`")).lstrip(".") if at else inside)


# The structs are gc=False: they hold no cycles, and tracking them cost ingest a fifth of its time.
class Amount(Struct, frozen=True, kw_only=True, gc=False):
    """Money as a sender states it; `amount` is a plain decimal string."""

    amount: str
    currency: Currency


class Context(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What decides between price conditions: the tier and region that *served*, and whether in a batch."""

    service_tier: Label = "standard"
    region: Label = ""
    batch: bool = False


class Labels(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whose spend it is; '' = not given. `user` is pseudonymised before it reaches Kafka.

    `own` are the values of the tenant's own dimensions by name, `folded` the names of those, and of labels
    that everybody has, that are added up under one value (FOLDED), because their day has too many; both
    are ingest's word. The gate sees to their types: before they were fields, anything could stand there."""

    team: Label = ""
    project: Label = ""
    feature: Label = ""
    workflow: Label = ""
    workflow_version: Label = ""
    run: Label = ""
    agent: Label = ""
    environment: Label = ""
    user: Label = ""
    own: Any = {}
    folded: Any = ()


LABELS = tuple(name for name in Labels.__struct_fields__ if name not in ("own", "folded"))
"""The labels that everybody has."""
FOLDABLE = tuple(name for name in LABELS if name in DIMENSIONS)
"""Those of them that make series."""


class Performance(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How the call went."""

    latency_ms: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None
    status: Label = ""


class Outcome(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the work achieved, in the caller's own terms."""

    name: Name
    count: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 1
    value: Amount | None = None


class UsageData(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What was used: `usage` holds disjoint quantities by unit (cached tokens are not part of input)."""

    provider: Name
    sku: Name
    usage: dict[UnitName, Any]
    cost_class: CostClass = "model"
    context: Context = Context()
    labels: Labels = Labels()
    performance: Performance = Performance()
    outcome: Outcome | None = None
    reported_cost: Amount | None = None
    estimated: LaterUnits = ()
    """Units whose quantity the sender could only estimate, as of a stream that broke off: their lines are
    provisional, until the call itself says more."""
    normalised: LaterWord = "stated"
    """`assumed`: the quantities follow from a guess at how the vendor counts."""
    cadence: LaterWord = "live"
    """How spend of this kind arrives: as it is made, `accrual` by the hour, as a `bill` afterwards."""
    charge: LaterCharge = None
    """Of type CHARGE_TYPE alone: a `charges.Charge`, once it was read."""


class UsageEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One metered use. The caller gives the first group; ingest stamps the second from the credential."""

    specversion: Literal["1.0"]
    type: Annotated[str, Meta(max_length=128)]
    id: Name
    source: Name
    subject: Name
    data: UsageData
    time: Instant | UnsetType = UNSET
    supersedes: LaterName = ""
    """The id of an earlier submission, not booked or retracted, whose place this one takes; '' = of none."""
    supersedessource: LaterName = ""
    """The source of that one; '' = this event's own."""

    tenant: Annotated[str, Meta(max_length=64)] = ""
    keyid: Label = ""
    receivedat: Instant | UnsetType = UNSET
    claimedtime: LaterTime = ""
    """When the sender says that it happened, where its clock cannot be right and the time of receipt stands
    instead."""
    trustreportedcost: bool = False
    """Ingest's word that the credential's reported costs are booked instead of compared."""


encode_event = msgspec.json.Encoder().encode


def event_time(event: UsageEvent) -> datetime:
    """When it happened, in UTC; ingest has filled it in where the caller left it out. Raises EventError."""
    return time_in_utc(event.time)


def time_in_utc(stated: datetime | UnsetType) -> datetime:
    """The `time` of an event, or of an outcome. Raises EventError."""
    if stated is UNSET:
        raise EventError("is missing", "time")
    try:
        return stated.astimezone(UTC)
    except OverflowError:
        raise EventError("is outside the years 1 to 9999 in UTC", "time") from None


def series_values(event: UsageEvent) -> tuple[Any, ...]:
    """What tells the event's series from others, as fast as it can be had: the values of DIMENSIONS, and of
    the tenant's own (name, value) in the order of the names."""
    data, labels = event.data, event.data.labels
    if labels.folded:
        return _folded_values(event)
    return (
        data.cost_class,
        data.provider,
        data.sku,
        labels.team,
        labels.project,
        labels.feature,
        labels.workflow,
        labels.workflow_version,
        labels.agent,
        labels.environment,
        event.keyid,
        _own_values(labels) if labels.own else (),
    )


def _folded_values(event: UsageEvent) -> tuple[Any, ...]:
    """The same of an event of which some label is added up with others."""
    data, labels, folded = event.data, event.data.labels, event.data.labels.folded
    said = (FOLDED if name in folded else getattr(labels, name) for name in FOLDABLE)
    return (data.cost_class, data.provider, data.sku, *said, event.keyid, _own_values(labels))


def _own_values(labels: Labels) -> tuple[tuple[str, str], ...]:
    folded = labels.folded
    return tuple((name, FOLDED if name in folded else labels.own[name]) for name in sorted(labels.own))


def series_of(event: UsageEvent) -> Series:
    """The series that the event's spend is rolled up in."""
    *values, own = series_values(event)
    return Series(**dict(zip(DIMENSIONS, values, strict=True)), own=dict(own))
