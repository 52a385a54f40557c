"""Rules of the gate that came after the first events were booked.

`check_rules` follows `read_event`, in ingest and again in rating. Each rule has a first instant (of a
vendor's name, the name's own; of a unit that joined the registry later, the unit's) and holds for what was
received from then on: a rebuild from the log takes, and says of, older events exactly what it said when they
were booked. What ingest refuses never reaches the log, so there every rule holds at once.
"""

import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from msgspec.structs import force_setattr

from spendmeter.contracts.charges import charge_of
from spendmeter.contracts.dimensions import ACTIVE_MAX, NAME_RULE, OWN_FROM, is_name
from spendmeter.contracts.events import (
    CADENCES,
    CHARGE_TYPE,
    FOLDABLE,
    LABEL_CHARACTERS_MAX,
    LABELS,
    NAME_CHARACTERS_MAX,
    NORMALISED,
    EventError,
    Labels,
    UsageEvent,
)
from spendmeter.contracts.foreign_units import explain_foreign_unit, foreign_unit
from spendmeter.contracts.series import DIMENSIONS, FOLDED
from spendmeter.contracts.units import LATER_UNITS, PER_EVENT_MAX, UNITS
from spendmeter.contracts.visible import INVISIBLE

PER_EVENT_MAX_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""A quantity has a bound, by its unit."""
VISIBLE_TEXT_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Labels are in Unicode's normal form C, and no name holds a character that cannot be seen."""
SUPERSEDES_FROM = datetime(2026, 11, 26, 4, tzinfo=UTC)
"""`supersedes` names another event; before, it was a field that nobody knew, and is read over as then."""
CHARGES_FROM = datetime(2026, 11, 26, 18, tzinfo=UTC)
"""There are charges; before, nobody knew their type, and `data.charge` was a field like any other unknown."""

FOLDED_LABELS_FROM = datetime(2026, 11, 26, 19, tzinfo=UTC)
"""Labels that everybody has may be folded; before, a tenant's own alone."""
TOLD_APART_FROM = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)
"""What rows are told apart by fits into an index."""
HOW_IT_CAME_FROM = datetime(2026, 11, 26, 18, tzinfo=UTC)
"""Events say what of them is estimated or assumed, and how spend of their kind arrives; before, these were
fields that nobody knew."""

_BOUNDS = {name: unit.per_event_max for name, unit in UNITS.items() if name not in LATER_UNITS}
"""Of the units that every event is held against, whenever it was received."""
CLAIMED_CHARACTERS_MAX = 40
_AS_SENT = frozenset(DIMENSIONS).difference(LABELS)
"""Dimensions that are no labels."""
_TEXTS = ("provider", "sku", "context.service_tier", "context.region", "performance.status")
"""Fields of `data` that people will read in a list, besides labels, the outcome's name and those of units."""
_read_texts = attrgetter(*_TEXTS)
_read_labels = attrgetter(*LABELS)
TOLD_APART_BYTES_MAX = 2_400
"""In UTF-8, of all of the following: with a tenant, a class and a currency beside them they are an entry of
an index, which has 2,704 bytes at most. In ASCII they have 1,280 if each is as long as it may be."""
TOLD_APART = ("team", "run", "workflow", "workflow_version", "agent", "provider", "sku", "status")
_read_told_apart = attrgetter(
    *(f"labels.{name}" for name in TOLD_APART[:5]), "provider", "sku", "performance.status"
)


def check_rules(event: UsageEvent, plain: bool, received_at: datetime | None = None) -> None:
    """Hold a decoded event against every rule in force when it was received (None = all of them), and put
    its labels into normal form C. `plain`: see `is_plain`. Raises EventError."""
    labels = event.data.labels
    if labels.own or labels.folded:
        _check_own(labels, received_at)
    for unit, quantity in event.data.usage.items():
        if not quantity <= _BOUNDS.get(unit, -1):  # more than its bound, a later unit, or nobody's
            _check_quantity(event, unit, quantity, received_at)
    if not plain and _holds(VISIBLE_TEXT_FROM, received_at):
        _check_text(event)
    if not plain and _holds(TOLD_APART_FROM, received_at):
        check_told_apart(event.data)
    if event.supersedes != "" or event.supersedessource != "":
        _check_superseded(event, received_at)
    data = event.data
    if data.estimated != () or data.normalised != "stated" or data.cadence != "live" or event.claimedtime:
        _check_how_it_came(event, received_at)
    if data.charge is not None:
        _check_charge(event, plain, received_at)


def is_plain(raw: bytes) -> bool:
    """Whether no text in this JSON can hold anything but printable ASCII: then its texts need no look."""
    return raw.isascii() and 0x5C not in raw and 0x7F not in raw


def check_labels(labels: Labels) -> None:
    """Hold labels of what is no usage event against every rule, and put them into normal form C; they were
    decoded, so nobody shares them. Raises EventError."""
    if labels.own or labels.folded:
        _check_own(labels, None)
    for name, text in zip(LABELS, _read_labels(labels), strict=True):
        if (composed := _checked_label(text, name)) != text:
            force_setattr(labels, name, composed)


def check_bound(unit: str, quantity: int | Decimal, bound: int) -> None:
    """Raises EventError where the quantity is above the unit's bound, with both and the rule."""
    if quantity > bound:
        raise EventError(
            f"{quantity} is more than one event may state of {unit}: at most {bound} (its per_event_max); "
            "send what was used in several events, or correct it",
            f"data.usage.{unit}",
        )


def check_limits(
    event: UsageEvent, limits: Mapping[str, tuple[int, datetime]], received_at: datetime | None = None
) -> None:
    """Hold a decoded event against the bounds of units that the catalog adds, each from its first instant on
    (received None = all of them). Raises EventError."""
    for unit, quantity in event.data.usage.items():
        limit = limits.get(unit)
        if limit is not None and _holds(limit[1], received_at):
            check_bound(unit, quantity, limit[0])


def check_told_apart(data: Any) -> None:
    """Raises EventError where what rows are told apart by does not fit into an index. `data`: whatever has
    labels, provider, sku and performance."""
    size = len("".join(_read_told_apart(data)).encode())
    if size > TOLD_APART_BYTES_MAX:
        names = f"{', '.join(TOLD_APART[:-1])} and {TOLD_APART[-1]}"
        raise EventError(f"{names} have {size} bytes together, at most {TOLD_APART_BYTES_MAX}", "data")


def check_counted_once(unit: str, usage: Collection[str]) -> None:
    """Raises EventError where `usage` states the same use in two units."""
    other = UNITS[unit].instead_of if unit in UNITS else ""
    if other in usage:
        raise EventError(
            f"{unit} and {other} count the same use, which would be charged twice: "
            "send what the vendor bills",
            f"data.usage.{unit}",
        )


def as_booked(dimension: str, value: str) -> str:
    """How the book writes a value of a dimension that somebody asks for: a label in normal form C, as
    `check_rules` puts it; any other name as it is sent."""
    return value if dimension in _AS_SENT else _composed(value)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _holds(first: datetime, received_at: datetime | None) -> bool:
    return received_at is None or received_at >= first


def _check_quantity(
    event: UsageEvent, unit: str, quantity: int | Decimal, received_at: datetime | None
) -> None:
    foreign = foreign_unit(unit)
    if foreign is not None and _holds(foreign.since, received_at):
        raise EventError(explain_foreign_unit(unit, event.data.usage), f"data.usage.{unit}")
    since = LATER_UNITS.get(unit)
    if since is not None and _holds(since, received_at):
        _check_later_unit(event, unit, quantity)
    elif _holds(PER_EVENT_MAX_FROM, received_at):
        check_bound(unit, quantity, _BOUNDS.get(unit, PER_EVENT_MAX))


def _check_later_unit(event: UsageEvent, name: str, quantity: int | Decimal) -> None:
    unit = UNITS[name]
    if unit.whole and type(quantity) is not int:
        raise EventError("must be a whole number", f"data.usage.{name}")
    check_bound(name, quantity, unit.per_event_max)
    check_counted_once(name, event.data.usage)


def _check_text(event: UsageEvent) -> None:
    data, labels, texts = event.data, _read_labels(event.data.labels), _read_texts(event.data)
    outcome = "" if data.outcome is None else data.outcome.name
    joined = "".join((*labels, *texts, outcome, *data.usage))
    if joined.isascii() and joined.isprintable():
        return
    if INVISIBLE.search(joined) is None and unicodedata.is_normalized("NFC", joined):
        return  # and so is each part of it
    for name, text in zip(LABELS, labels, strict=True):
        if (composed := _checked_label(text, name)) != text:
            force_setattr(data.labels, name, composed)  # it was decoded, so nobody shares the struct
    for name, text in zip((*_TEXTS, "outcome.name"), (*texts, outcome), strict=True):
        check_visible(text, f"data.{name}")
    for unit in data.usage:
        check_visible(unit, "data.usage")


def _checked_label(text: str, name: str) -> str:
    """In normal form C. Raises EventError."""
    composed = _composed(text)
    if len(composed) > LABEL_CHARACTERS_MAX:
        raise EventError(
            f"has {len(composed)} characters in Unicode's normal form C, at most {LABEL_CHARACTERS_MAX}",
            f"data.labels.{name}",
        )
    check_visible(text, f"data.labels.{name}")
    return composed


def _check_own(labels: Labels, received_at: datetime | None) -> None:
    """What is said of the tenant's own dimensions, put into its one form. Raises EventError."""
    own: dict[str, str] = {}
    folded: tuple[str, ...] = ()
    if _holds(OWN_FROM, received_at):
        own = _own_values(labels.own)
        everybodys = _everybodys(labels) if _holds(FOLDED_LABELS_FROM, received_at) else ()
        folded = _folded(labels.folded, {*own, *everybodys})
    force_setattr(labels, "own", own)
    force_setattr(labels, "folded", folded)


def _own_values(stated: object) -> dict[str, str]:
    if not isinstance(stated, dict) or len(stated) > ACTIVE_MAX:
        raise EventError(
            f"holds the tenant's own dimensions, a text each by name, at most {ACTIVE_MAX}", "data.labels.own"
        )
    own = {}
    for name, value in sorted(stated.items()):
        if not is_name(name):
            raise EventError(f"{name[:40]!r} is no name of a dimension: {NAME_RULE}", "data.labels.own")
        if not isinstance(value, str):
            raise EventError(f"Expected `str`, got `{type(value).__name__}`", f"data.labels.own.{name}")
        if value == FOLDED:
            raise EventError(f"{FOLDED!r} stands for what is folded", f"data.labels.own.{name}")
        if value:
            own[name] = _checked_label(value, f"own.{name}")
    return own


def _everybodys(labels: Labels) -> Collection[str]:
    """The labels that everybody has, of those that are stated."""
    return [name for name in FOLDABLE if getattr(labels, name)]


def _folded(stated: object, labels: Collection[str]) -> tuple[str, ...]:
    if not isinstance(stated, list | tuple) or not set(labels).issuperset(map(str, stated)):
        raise EventError("names dimensions that the event has, and no others", "data.labels.folded")
    return tuple(sorted(set(map(str, stated))))


def check_visible(text: str, field: str) -> None:
    """Raises EventError where a character cannot be seen."""
    if (found := INVISIBLE.search(text)) is not None:
        raise EventError(f"holds {_named(found[0])}, which cannot be seen: leave it out", field)


def _check_superseded(event: UsageEvent, received_at: datetime | None) -> None:
    """Of its form alone: what became of the event that it names, the book knows."""
    if not _holds(SUPERSEDES_FROM, received_at):
        force_setattr(event, "supersedes", "")
        force_setattr(event, "supersedessource", "")
        return
    for name in ("supersedes", "supersedessource"):
        text = getattr(event, name)
        if not isinstance(text, str) or len(text) > NAME_CHARACTERS_MAX:
            raise EventError(f"must be a text of at most {NAME_CHARACTERS_MAX} characters", name)
    if not event.supersedes:
        raise EventError("is missing: supersedessource names a source, and this the id", "supersedes")
    if event.supersedes == event.id and event.supersedessource in ("", event.source):
        raise EventError("names the event itself: name another one, or leave it out", "supersedes")


def _check_how_it_came(event: UsageEvent, received_at: datetime | None) -> None:
    data = event.data
    if not _holds(HOW_IT_CAME_FROM, received_at):
        for name, unsaid in (("estimated", ()), ("normalised", "stated"), ("cadence", "live")):
            force_setattr(data, name, unsaid)
        force_setattr(event, "claimedtime", "")
        return
    if not isinstance(data.estimated, list | tuple) or not data.usage.keys() >= set(map(str, data.estimated)):
        raise EventError("names units of data.usage, and no others", "data.estimated")
    force_setattr(data, "estimated", tuple(sorted(set(map(str, data.estimated)))))
    for name, words in (("normalised", NORMALISED), ("cadence", CADENCES)):
        if getattr(data, name) not in words:
            raise EventError(f"must be one of {', '.join(words)}", f"data.{name}")
    if not isinstance(event.claimedtime, str) or len(event.claimedtime) > CLAIMED_CHARACTERS_MAX:
        raise EventError("must be a time as a text", "claimedtime")


def _check_charge(event: UsageEvent, plain: bool, received_at: datetime | None) -> None:
    """It was read already, where the event is one."""
    holds, charge = _holds(CHARGES_FROM, received_at), charge_of(event)
    if charge is None:
        if holds:
            raise EventError(f"is what an event of type {CHARGE_TYPE!r} says, and no other", "data.charge")
        force_setattr(event.data, "charge", None)
        return
    if not holds:
        raise EventError("unknown type", "type")
    if not plain:
        for text in (charge.unit, charge.description, *charge.details, *charge.details.values()):
            check_visible(text, "data.charge")


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else " (a control character)")
