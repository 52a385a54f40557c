"""Meters: what an event of another meter's client means here. Pure.

A meter belongs to an event type (CloudEvents' `type`, Lago's `code`) and says whose price it is, what was
used and how much. What it names is one of three: a text beginning `$.` is a path into the event's data, one
beginning `@` the event's own (`@subject`, `@source`, `@type`; `@maker`, whose model the sku begins like),
and any other stands for itself.

The quantity is one of four: `value` at a path, in `unit`, or in the one of `units` that `unit_by` says;
`usage`, a path for each unit; `dialect`, a vendor's own usage object; `counted`, one of `unit` an event.
A meter that is `ignored` says why its events cost nothing.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
from msgspec import Struct

from spendmeter.contracts.dialects import DIALECTS
from spendmeter.contracts.dimensions import trouble_with_label
from spendmeter.contracts.events import LABELS, CostClass
from spendmeter.contracts.foreign_units import foreign_unit
from spendmeter.contracts.visible import INVISIBLE

METERS_MAX = 100
"""Of one tenant."""
EVENT_TYPE_CHARACTERS_MAX = 128
TEXT_CHARACTERS_MAX = 256
PARTS_MAX = 32
"""Units, labels or values of one meter."""
OWN_TYPES = "spendmeter."
"""How types of our own events begin: no meter is theirs."""
SUBJECT, SOURCE, TYPE, MAKER = "@subject", "@source", "@type", "@maker"
ATTRIBUTES = (SUBJECT, SOURCE, TYPE)

_PATH = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_-]{0,63}){0,8}")
_UNIT = re.compile(r"[a-z][a-z0-9_]{1,63}")


class UsageMeter(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What events of one type mean."""

    event_type: str
    ignored: str = ""
    """Why events of this type cost nothing; '' = they do."""
    provider: str = ""
    provider_else: str = ""
    """Where `provider` is a path that leads nowhere."""
    maker_else: str = ""
    """Where `@maker` finds nobody."""
    sku: str = ""
    cost_class: CostClass = "model"
    value: str = ""
    unit: str = ""
    unit_by: str = ""
    units: dict[str, str] = {}
    usage: dict[str, str] = {}
    """Paths of quantities by unit."""
    dialect: str = ""
    usage_at: str = "$"
    """Where the dialect's usage object lies."""
    counted: bool = False
    cost: tuple[str, ...] = ()
    """Paths at which the sender may say what it cost; the first that is there counts."""
    currency: str = "USD"
    labels: dict[str, str] = {}
    skipped_when: dict[str, tuple[str, ...]] = {}
    """Values at paths with which an event costs nothing: a gateway's cache answered."""
    is_call: bool = False
    """Whether the event's id is a vendor's id of the response."""
    assumed: bool = False
    """Whether what is not stated (reads of caches, say) is taken to be none."""
    source: str = ""
    """Where the shape of these events is described."""


class _BuiltIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    meter: tuple[UsageMeter, ...]
    makers: dict[str, tuple[str, ...]]


_BUILT_IN = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=_BuiltIn)
BUILT_IN_METERS: Mapping[str, UsageMeter] = MappingProxyType(
    {meter.event_type: meter for meter in _BUILT_IN.meter}
)
"""By event type."""
_MAKERS = sorted(
    ((prefix, maker) for maker, prefixes in _BUILT_IN.makers.items() for prefix in prefixes),
    key=lambda made: -len(made[0]),
)


def maker_of(model: str) -> str:
    """Whose model a name begins like, or who is named in front of it (`openai/gpt-4o`); '' = nobody known."""
    named, slash, _ = model.partition("/")
    if slash and named in _BUILT_IN.makers:
        return named
    return next((maker for prefix, maker in _MAKERS if model.startswith(prefix)), "")


def troubles_with_meters(meters: tuple[UsageMeter, ...]) -> Iterator[tuple[str, str]]:
    """What is wrong with a tenant's meters, as field and rule; nothing of them is quoted."""
    if len(meters) > METERS_MAX:
        yield "meters", f"has at most {METERS_MAX}"
    types = [meter.event_type for meter in meters]
    for place, meter in enumerate(meters):
        if meter.event_type in types[:place]:
            yield f"meters.{place}.event_type", "has a meter already: one meter says all of an event type"
        for field, rule in troubles_with_meter(meter):
            yield f"meters.{place}.{field}", rule


def troubles_with_meter(meter: UsageMeter) -> Iterator[tuple[str, str]]:
    """What is wrong with one."""
    kind = meter.event_type
    if not 0 < len(kind) <= EVENT_TYPE_CHARACTERS_MAX or INVISIBLE.search(kind):
        yield "event_type", f"is 1 to {EVENT_TYPE_CHARACTERS_MAX} characters that can be seen"
    elif kind.startswith(OWN_TYPES):
        yield "event_type", f"must not begin with {OWN_TYPES!r}: these are events of our own"
    if meter.ignored:
        if meter.provider or meter.sku or _ways(meter):
            yield "ignored", "says that such events cost nothing: leave out provider, sku and quantities"
        return
    yield from _troubles_with_names(meter)
    yield from _troubles_with_quantity(meter)
    for label, said in meter.labels.items():
        if label not in LABELS and trouble_with_label(label):
            yield "labels", f"are {', '.join(LABELS)}, and dimensions of the tenant's own"
        elif not _is_said(said):
            yield f"labels.{label}", _SAID_RULE
    for paths, field in ((meter.cost, "cost"), (tuple(meter.skipped_when), "skipped_when")):
        if not all(map(_PATH.fullmatch, paths)):
            yield field, _PATH_RULE
    for part, field in ((meter.units, "units"), (meter.usage, "usage"), (meter.labels, "labels")):
        if len(part) > PARTS_MAX:
            yield field, f"has at most {PARTS_MAX}"
    if not re.fullmatch("[A-Z]{3}", meter.currency):
        yield "currency", "is three capital letters"


_PATH_RULE = "is a path into the event's data: $.usage.tokens"
_SAID_RULE = f"is a path ($.model), one of {', '.join(ATTRIBUTES)}, or a text of 1 to {TEXT_CHARACTERS_MAX}"


def _troubles_with_names(meter: UsageMeter) -> Iterator[tuple[str, str]]:
    if not _is_said(meter.provider) and meter.provider != MAKER:
        yield "provider", _SAID_RULE + f", or {MAKER}"
    if meter.provider_else and not _is_said(meter.provider_else) and meter.provider_else != MAKER:
        yield "provider_else", _SAID_RULE + f", or {MAKER}"
    if not _is_said(meter.sku):
        yield "sku", _SAID_RULE


def _troubles_with_quantity(meter: UsageMeter) -> Iterator[tuple[str, str]]:
    ways = _ways(meter)
    if len(ways) != 1:
        yield "value", "exactly one of value, usage, dialect and counted says how much was used"
        return
    if meter.dialect and meter.dialect not in DIALECTS:
        yield "dialect", f"is one of {', '.join(sorted(DIALECTS))}"
    if meter.dialect and not _PATH.fullmatch(meter.usage_at):
        yield "usage_at", _PATH_RULE
    if meter.value and not _PATH.fullmatch(meter.value):
        yield "value", _PATH_RULE
    if meter.value and bool(meter.unit) == bool(meter.unit_by and meter.units):
        yield "unit", "either unit names it, or unit_by and units say which"
    if meter.unit_by and not _PATH.fullmatch(meter.unit_by):
        yield "unit_by", _PATH_RULE
    if meter.counted and not meter.unit:
        yield "unit", "names what each event counts as one of"
    named = [("unit", meter.unit)] if meter.unit else []
    named += [("units", unit) for unit in meter.units.values()] + [("usage", unit) for unit in meter.usage]
    for field, unit in named:
        if not _UNIT.fullmatch(unit):
            yield field, "is a unit's name: small letters, digits and _"
        elif foreign_unit(unit) is not None:
            yield field, "names a vendor's quantity: see `spendmeter catalog units` for ours"
    if not all(map(_PATH.fullmatch, meter.usage.values())):
        yield "usage", _PATH_RULE


def _ways(meter: UsageMeter) -> list[str]:
    return [way for way in ("value", "usage", "dialect", "counted") if getattr(meter, way)]


def _is_said(text: str) -> bool:
    if text.startswith("$"):
        return _PATH.fullmatch(text) is not None
    if text.startswith("@"):
        return text in ATTRIBUTES
    return 0 < len(text) <= TEXT_CHARACTERS_MAX and not INVISIBLE.search(text)
