"""An event of another meter's client, by the meter of its type. Pure.

What no meter names is dropped unread; what a meter names and the event lacks is refused by its field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from services.ingest.dialects.call_ids import call_identity, vendor_name
from services.ingest.dialects.stated import Unusable, cost_of, quantity_of, text_of
from services.ingest.dialects.translated import SaidEvent, usage_event
from spendmeter.contracts.dialect_parts import DialectError, UsedQuantity
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.events import NAME_CHARACTERS_MAX
from spendmeter.contracts.meters import BUILT_IN_METERS, MAKER, SOURCE, SUBJECT, TYPE, UsageMeter, maker_of
from spendmeter.contracts.money import plain

WHERE_TO_DECLARE = "declare one: PUT /v1/meters, or `spendmeter meters set`"
NOTHING_USED = "no usage"
FREE = "costs nothing, as its sender says"
TENANTS_WORD = "costs nothing, as a meter of its tenant's says"
"""In the place of the meter's reason: metrics are everybody's, and hold no tenant's text."""


@dataclass(frozen=True, kw_only=True)
class ForeignEvent:
    """What another meter's client sent, whichever."""

    id: str
    source: str
    type: str
    subject: str = ""
    time: Any = None
    data: Mapping[str, Any] = field(default_factory=dict)
    tenant: str = ""
    at: str = "data"
    """What its sender calls the data: the field that refusals name."""
    type_at: str = "type"


def metered(event: ForeignEvent, own: Mapping[str, UsageMeter]) -> SaidEvent | str:
    """The event in our words, or why it costs nothing. `own` are the tenant's meters by event type, which go
    before those that everybody has. Raises Unusable where no meter knows its type, or it lacks something."""
    meter = own.get(event.type) or BUILT_IN_METERS.get(event.type)
    if meter is None:
        raise Unusable(event.type_at, f"no meter knows this event type; {WHERE_TO_DECLARE}")
    if meter.ignored:
        return TENANTS_WORD if event.type in own else meter.ignored
    if _is_free(meter, event):
        return FREE
    usage, normalised = _usage(meter, event)
    if not any(usage.values()):
        return NOTHING_USED
    sku = _required(event, meter.sku, "sku")
    provider = vendor_name(_provider(meter, event, sku))
    source, id_ = event.source, event.id
    if meter.is_call:
        source, id_ = call_identity(provider, id_) or (source, id_)
    labels = {label: _named(event, said) for label, said in meter.labels.items()}
    # a person is a label, which leaves as a pseudonym, and nothing else
    subject = event.source if meter.labels.get("user") == SUBJECT else event.subject
    said = usage_event(
        id=id_,
        source=source,
        subject=subject[:NAME_CHARACTERS_MAX],
        time=event.time,
        provider=provider,
        sku=sku,
        cost_class=meter.cost_class,
        usage=usage,
        labels={label: value for label, value in labels.items() if value},
        reported_cost=_cost(meter, event),
        normalised="assumed" if meter.assumed else normalised,
    )
    return said | {"tenant": event.tenant} if event.tenant else said


def _is_free(meter: UsageMeter, event: ForeignEvent) -> bool:
    return any(_as_text(_at(event.data, path)) in values for path, values in meter.skipped_when.items())


def _usage(meter: UsageMeter, event: ForeignEvent) -> tuple[dict[str, UsedQuantity], str]:
    if meter.counted:
        return {meter.unit: 1}, "stated"
    if meter.dialect:
        return _of_dialect(meter, event)
    if meter.usage:
        stated = {unit: (path, _at(event.data, path)) for unit, path in meter.usage.items()}
        if all(value is None for _, value in stated.values()):
            raise Unusable(event.at, "states none of the quantities that the meter of this event type reads")
        return {
            unit: quantity_of(value, _field(event, path))
            for unit, (path, value) in stated.items()
            if value is not None
        }, "stated"
    value = _at(event.data, meter.value)
    if value is None:
        raise Unusable(_field(event, meter.value), "is missing: the meter reads the quantity there")
    unit = meter.unit or meter.units.get(_as_text(_at(event.data, meter.unit_by)), "")
    if not unit:
        known = ", ".join(meter.units)
        raise Unusable(
            _field(event, meter.unit_by), f"is none of those that the meter has a unit for: {known}"
        )
    return {unit: quantity_of(value, _field(event, meter.value))}, "stated"


def _of_dialect(meter: UsageMeter, event: ForeignEvent) -> tuple[dict[str, UsedQuantity], str]:
    usage = _at(event.data, meter.usage_at)
    at = _field(event, meter.usage_at)
    if not isinstance(usage, Mapping):
        raise Unusable(at, "is missing: the meter reads usage there")
    try:
        quantities, normalised = disjoint(meter.dialect, usage)
    except DialectError as error:
        raise Unusable(at, str(error)) from None
    return {unit: quantity for unit, quantity in quantities.items() if quantity}, normalised


def _provider(meter: UsageMeter, event: ForeignEvent, sku: str) -> str:
    for said in (meter.provider, meter.provider_else):
        found = maker_of(sku) if said == MAKER else _named(event, said)
        if found:
            return found
    if meter.maker_else:
        return meter.maker_else
    at = _field(event, meter.provider) if meter.provider.startswith("$") else event.at
    raise Unusable(at, "does not say whose price it is: the meter reads the provider there")


def _required(event: ForeignEvent, said: str, what: str) -> str:
    if not (found := _named(event, said)):
        raise Unusable(_field(event, said), f"is missing: the meter reads the {what} there")
    return found


def _cost(meter: UsageMeter, event: ForeignEvent) -> dict[str, str] | None:
    for path in meter.cost:
        if (value := _at(event.data, path)) is not None:
            return cost_of(value, _field(event, path), meter.currency)
    return None


def _named(event: ForeignEvent, said: str) -> str:
    """What a meter's text means in this event; '' = nothing is there."""
    own = {SUBJECT: event.subject, SOURCE: event.source, TYPE: event.type}
    if said in own:
        return own[said]
    return _as_text(_at(event.data, said)) if said.startswith("$") else said


def _at(data: Mapping[str, Any], path: str) -> Any:
    value: Any = data
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _as_text(value: Any) -> str:
    """As meters compare and show it: numbers as plain digits; of a list, a table or nothing, nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < 30:
        return plain(value)
    return str(value) if isinstance(value, int) else text_of(value)


def _field(event: ForeignEvent, path: str) -> str:
    return event.at + path.removeprefix("$") if path.startswith("$") else event.at
