"""Labels of a tenant's own dimensions: what it has declared is kept, by its name, and the rest named. Pure.

A sender states them like any other label (`labels.cost_centre`), or where the event will have them
(`labels.own.cost_centre`, as a receipt shows it).
"""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec
from msgspec.structs import force_setattr

from spendmeter.contracts.events import LABELS, EventError, Labels, UsageEvent, broken_rule
from spendmeter.contracts.outcomes import OutcomeEvent

PATH = "data.labels."
_EVERYBODYS = frozenset(LABELS)


def keep_declared(event: UsageEvent | OutcomeEvent, declared: Collection[str]) -> list[str]:
    """Put the event's labels, which were decoded as they came, into their form; returns the paths of those
    that were dropped. Raises EventError."""
    labels: Mapping[str, Any] = event.data.labels  # type: ignore[assignment]  # an open reading
    stated = labels.get("own") or {}
    if not isinstance(stated, dict):
        raise EventError(f"Expected `object`, got `{type(stated).__name__}`", f"{PATH}own")
    known = {name: value for name, value in labels.items() if name in _EVERYBODYS}
    own = {name: value for name, value in stated.items() if name in declared}
    dropped = [f"{PATH}own.{name}" for name in stated.keys() - own.keys()]
    for name in labels.keys() - known.keys() - {"own", "folded"}:
        if name not in declared:
            dropped.append(PATH + name)
        elif own.setdefault(name, labels[name]) != labels[name]:
            raise EventError("is stated twice, and not alike", PATH + name)
    force_setattr(event.data, "labels", _labels({**known, "own": own}))
    return dropped


def drop_own(event: UsageEvent) -> list[str]:
    """The same of an event whose tenant has declared nothing, and whose other labels were read already."""
    labels = event.data.labels
    if not labels.own and not labels.folded:
        return []
    force_setattr(labels, "own", {})
    force_setattr(labels, "folded", ())
    return [f"{PATH}own"]


def _labels(said: Mapping[str, Any]) -> Labels:
    try:
        return msgspec.convert(said, Labels)
    except msgspec.ValidationError as error:
        raise broken_rule(error, PATH.rstrip(".")) from None
