"""What a dialect makes of a request: events in the shape of our own contract, and what became of the rest.

A translation is pure. What it returns passes the same reading, gate and stamping as what comes in our own
format: a dialect decides what was said, never what is allowed.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from services.ingest.refused import BadEvent
from spendmeter.contracts.events import EVENT_TYPE, NAME_CHARACTERS_MAX
from spendmeter.contracts.label_maps import can_be_label
from spendmeter.contracts.money import plain, quantised
from spendmeter.contracts.outcomes import OUTCOME_TYPE

SaidEvent = dict[str, Any]
"""An event as a client would write it in JSON; Decimals and datetimes may stand in it."""
ASSUMED = "quantities assumed"
"""What is noted of an event whose quantities follow from a guess at how its vendor counts."""
LEFT_OUT = "a label is too long, or holds what cannot be seen: left out"
"""What is noted of an event without a label that its sender stated."""


@dataclass(frozen=True, kw_only=True)
class SentEvent:
    """One event, and its place in the request, from 0."""

    index: int
    said: SaidEvent


@dataclass(kw_only=True)
class Translated:
    """A request's events, and what of it is none."""

    events: list[SentEvent] = field(default_factory=list)
    outcomes: list[SentEvent] = field(default_factory=list)
    """Outcome events, which have no price."""
    refused: list[BadEvent] = field(default_factory=list)
    """What should have been an event and breaks a rule for good. A reason names the field and the rule, never
    what was sent."""
    skipped: Counter[str] = field(default_factory=Counter)
    """What costs nothing, by why."""
    noted: Counter[str] = field(default_factory=Counter)
    """What was taken with a remark, by the remark."""
    dropped: set[str] = field(default_factory=set)
    """Paths of fields of ours that nobody knows. Of foreign formats most fields are not ours to name."""

    def take(self, index: int, said: SaidEvent) -> None:
        """One event more."""
        self.events.append(SentEvent(index=index, said=said))

    def outcome(self, index: int, said: SaidEvent) -> None:
        """One outcome more."""
        self.outcomes.append(SentEvent(index=index, said=said))

    def fitting(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that can be such; what of them cannot is left out, and noted: senders of foreign formats
        drop what is refused, and the money of their events is worth more than a strange label."""
        fitting = {name: value for name, value in labels.items() if can_be_label(value)}
        if left_out := len(labels) - len(fitting):
            self.noted[LEFT_OUT] += left_out
        return fitting

    def refuse(self, index: int | None, reason: str, at: str = "") -> None:
        """One event less; `at` is the field."""
        self.refused.append(BadEvent(index=index, field=at, reason=reason))


def short_id(id: str) -> str:
    """Itself, or its digest where no event may have so long an id."""
    return id if len(id) <= NAME_CHARACTERS_MAX else blake2b(id.encode(), digest_size=16).hexdigest()


def usage_event(
    *,
    id: str,
    source: str,
    provider: str,
    sku: str,
    usage: Mapping[str, int | Decimal],
    time: datetime | str | None = None,
    subject: str = "",
    cost_class: str = "model",
    context: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    performance: Mapping[str, Any] | None = None,
    outcome: Mapping[str, Any] | None = None,
    reported_cost: Mapping[str, Any] | None = None,
    estimated: Collection[str] = (),
    normalised: str = "stated",
    cadence: str = "live",
) -> SaidEvent:
    """An event of the contract; what is empty is left out, and a quantity has the 12 places that an event can
    state: vendors write more where a float stood (8.470000267028809 s of sound). `subject` is the source
    where none is given."""
    data = {
        "provider": provider,
        "sku": sku,
        "usage": {
            unit: plain(quantised(of)) if isinstance(of, Decimal) else of for unit, of in usage.items()
        },
        "cost_class": cost_class,
        "context": context,
        "labels": labels,
        "performance": performance,
        "outcome": outcome,
        "reported_cost": reported_cost,
        "estimated": list(estimated),
        "normalised": "" if normalised == "stated" else normalised,
        "cadence": "" if cadence == "live" else cadence,
    }
    said: SaidEvent = {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "id": id,
        "source": source,
        "subject": subject or source,
        "data": {name: value for name, value in data.items() if value or name == "usage"},
    }
    if time is not None:
        said["time"] = time
    return said


def outcome_event(
    *,
    id: str,
    source: str,
    name: str = "",
    count: int = 1,
    value: Mapping[str, Any] | None = None,
    accepted: bool | None = None,
    verdict_on: str = "",
    reverses: str = "",
    target_source: str = "",
    time: datetime | str | None = None,
    subject: str = "",
    labels: Mapping[str, str] | None = None,
) -> SaidEvent:
    """An outcome event of the contract (`contracts/outcomes.py`); what is empty is left out."""
    data = {
        "name": name,
        "count": count if name else None,
        "value": value,
        "accepted": accepted,
        "verdict_on": verdict_on,
        "reverses": reverses,
        "target_source": target_source,
        "labels": labels,
    }
    said: SaidEvent = {
        "specversion": "1.0",
        "type": OUTCOME_TYPE,
        "id": id,
        "source": source,
        "subject": subject or source,
        "data": {key: each for key, each in data.items() if each or each in (False, 0)},
    }
    if time is not None:
        said["time"] = time
    return said
