"""The usage event: a CloudEvent 1.0 in structured JSON, as it crosses `usage.events`.

`read_event` is the gate, and `gate.check_rules` its newer rules: ingest and rating both pass every event
through them, for nothing on a topic is trusted. Unknown fields are ignored. Quantities come out in their one
normal form (`normal_quantity`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from spendmeter.contracts.foreign_units import explained
from spendmeter.contracts.money import normal_quantity, parse_decimal
from spendmeter.contracts.series import Series
from spendmeter.contracts.units import WHOLE_UNITS

EVENT_TYPE = "spendmeter.usage.v1"
EVENT_BYTES_MAX = 256 * 1024
UNITS_MAX = 64
LABEL_CHARACTERS_MAX = 128
TIME_AHEAD_MAX = timedelta(hours=1)

CostClass = Literal[
    "model", "tool", "database", "vector", "compute", "storage",
    "network", "hardware", "licence", "labour", "training", "other",
]  # fmt: skip
COST_CLASSES: tuple[str, ...] = get_args(CostClass)

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Label = Annotated[str, Meta(max_length=LABEL_CHARACTERS_MAX)]
UnitName = Annotated[str, Meta(min_length=1, max_length=64)]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$", max_length=3)]  # "$" alone lets a newline follow
Instant = Annotated[datetime, Meta(tz=True)]


class EventError(ValueError):
    """An event that cannot be accepted: `field` is where, `reason` is the rule it breaks."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field


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
    """Whose spend it is; '' = not given. `user` is pseudonymised before it reaches Kafka."""

    team: Label = ""
    project: Label = ""
    feature: Label = ""
    workflow: Label = ""
    workflow_version: Label = ""
    run: Label = ""
    agent: Label = ""
    environment: Label = ""
    user: Label = ""


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


class UsageEvent(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One metered use. The caller gives the first group; ingest stamps the second from the credential."""

    specversion: Literal["1.0"]
    type: Annotated[str, Meta(max_length=128)]
    id: Name
    source: Name
    subject: Name
    data: UsageData
    time: Instant | UnsetType = UNSET

    tenant: Annotated[str, Meta(max_length=64)] = ""
    keyid: Label = ""
    receivedat: Instant | UnsetType = UNSET
    trustreportedcost: bool = False
    """Ingest's word that the credential's reported costs are booked instead of compared."""


decode_event = msgspec.json.Decoder(UsageEvent, float_hook=Decimal).decode
decode_batch = msgspec.json.Decoder(list[UsageEvent], float_hook=Decimal).decode
encode_event = msgspec.json.Encoder().encode
_canonical = msgspec.json.Encoder(order="sorted").encode
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # an escaped backslash before "u0000" is no NUL


def read_event(raw: bytes, decode: Callable[[bytes], UsageEvent] = decode_event) -> UsageEvent:
    """Decode and check everything that does not depend on the clock. Raises EventError. `decode` may be
    stricter: `known_fields` has one."""
    if len(raw) > EVENT_BYTES_MAX:
        raise EventError(f"an event may have at most {EVENT_BYTES_MAX} bytes, this one has {len(raw)}")
    event: UsageEvent = _decoded(decode, raw)
    _check(event, _may_hold_nul(raw))
    return event


def read_batch(
    raw: bytes, decode: Callable[[bytes], Sequence[UsageEvent]] = decode_batch
) -> Sequence[UsageEvent]:
    """The fast way through a JSON array of events. Raises EventError for the first bad one, without its
    index: a caller that must name them all reads them one by one."""
    events: Sequence[UsageEvent] = _decoded(decode, raw)
    nul = _may_hold_nul(raw)
    for event in events:
        _check(event, nul)
    return events


def _decoded(decode: Any, raw: bytes) -> Any:
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$")
        raise EventError(reason, path.rstrip("`").lstrip(".")) from None
    except RecursionError:
        raise EventError("is nested too deep") from None
    except InvalidOperation:  # what Decimal makes of an exponent that it cannot hold
        raise EventError("holds a number out of range") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EventError(f"is not JSON: {error}") from None


def holds_nul(raw: bytes) -> bool:
    """Whether any string of the JSON holds a NUL, which Postgres cannot store."""
    return _may_hold_nul(raw) and _NUL.search(raw) is not None


def _may_hold_nul(raw: bytes) -> bool:
    # No NUL without a backslash, which is rare; and a plain search costs a hundredth of the exact one.
    return 0x5C in raw and b"\\u0000" in raw


def _check(event: UsageEvent, may_have_nul: bool) -> None:
    if event.type != EVENT_TYPE:
        raise EventError(f"unknown type {event.type[:80]!r}; this endpoint takes {EVENT_TYPE!r}", "type")
    usage = event.data.usage
    if not usage:
        raise EventError("no usage: name at least one unit and its quantity", "data.usage")
    if len(usage) > UNITS_MAX:
        raise EventError(f"at most {UNITS_MAX} units an event, this one has {len(usage)}", "data.usage")
    for unit, quantity in usage.items():
        if type(quantity) is not int or not 0 <= quantity < 0x8000000000000000:
            try:
                usage[unit] = quantity = normal_quantity(quantity)
            except ValueError as error:
                raise EventError(explained(unit, usage) or str(error), f"data.usage.{unit}") from None
            if unit in WHOLE_UNITS and type(quantity) is not int:
                raise EventError("must be a whole number", f"data.usage.{unit}")
    data = event.data
    if data.reported_cost is not None:
        _check_amount(data.reported_cost, "data.reported_cost.amount")
    if data.outcome is not None and data.outcome.value is not None:
        _check_amount(data.outcome.value, "data.outcome.value.amount")
    if may_have_nul and holds_nul(encode_event(event)):
        raise EventError("holds a NUL character (U+0000)")


def _check_amount(amount: Amount, field: str) -> None:
    try:
        parse_decimal(amount.amount)
    except ValueError as error:
        raise EventError(str(error), field) from None


def check_time(time: datetime, now: datetime, age_max: timedelta) -> None:
    """Refuse a time more than an hour ahead, or older than the dedupe horizon. Raises EventError."""
    if time > now + TIME_AHEAD_MAX:
        raise EventError(f"{time.isoformat()} is more than 1 h ahead of {now.isoformat()}", "time")
    if time < now - age_max:
        raise EventError(
            f"{time.isoformat()} is more than {age_max.days} days back (the dedupe horizon)", "time"
        )


def event_time(event: UsageEvent) -> datetime:
    """When it happened, in UTC; ingest has filled it in where the caller left it out. Raises EventError."""
    if event.time is UNSET:
        raise EventError("is missing", "time")
    try:
        return event.time.astimezone(UTC)
    except OverflowError:
        raise EventError("is outside the years 1 to 9999 in UTC", "time") from None


def identity(tenant: str, source: str, id: str) -> bytes:
    """BLAKE2b-128 over the length-prefixed (tenant, source, id): what makes two submissions one event."""
    parts = [part.encode() for part in (tenant, source, id)]
    prefixed = b"".join([len(part).to_bytes(4, "big") + part for part in parts])
    return blake2b(prefixed, digest_size=16).digest()


def content_hash(event: UsageEvent) -> bytes:
    """BLAKE2b-128 over what the event says, whatever way it was written.

    Defaults are filled, numbers normal, keys sorted; time, receivedat, keyid, trace, unknown fields and the
    user label stay out: a retry may carry others.
    """
    data = event.data
    context, labels, performance = data.context, data.labels, data.performance
    said = (
        event.type, event.tenant, event.source, event.id, event.subject, event.trustreportedcost,
        data.cost_class, data.provider, data.sku, data.usage,
        context.service_tier, context.region, context.batch,
        labels.team, labels.project, labels.feature, labels.workflow, labels.workflow_version,
        labels.run, labels.agent, labels.environment,
        performance.latency_ms, performance.status,
        _said_outcome(data.outcome), _said_amount(data.reported_cost),
    )  # fmt: skip
    return blake2b(_canonical(said), digest_size=16).digest()


def _said_amount(amount: Amount | None) -> tuple[Decimal, str] | None:
    if amount is None:
        return None
    value = normal_quantity(amount.amount)
    return (Decimal(value), amount.currency)


def _said_outcome(outcome: Outcome | None) -> tuple[Any, ...] | None:
    return None if outcome is None else (outcome.name, outcome.count, _said_amount(outcome.value))


def series_of(event: UsageEvent) -> Series:
    """The series that the event's spend is rolled up in."""
    data, labels = event.data, event.data.labels
    return Series(
        cost_class=data.cost_class, provider=data.provider, sku=data.sku,
        team=labels.team, project=labels.project, feature=labels.feature,
        workflow=labels.workflow, workflow_version=labels.workflow_version,
        agent=labels.agent, environment=labels.environment, key_id=event.keyid,
    )  # fmt: skip
