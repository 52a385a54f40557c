"""Which incidents are kept and not told: what is planned, and what is a part of one that was told. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from services.alerts.incidents.incident import Incident, is_hourly
from services.alerts.rates import over
from spendmeter.contracts.incidents import IncidentKind
from spendmeter.contracts.money import EXACT

PLANNABLE: frozenset[IncidentKind] = frozenset({"anomaly", "shift", "loop", "first", "drift"})
"""Kinds that plans explain. Budgets are told always."""
PARTS: frozenset[IncidentKind] = frozenset({"anomaly", "loop", "drift"})
MOSTLY = Decimal("0.8")
"""A label of the top contributor counts from this share of the money on; so much of it is all of it."""
LIES_IN = "lies_in"
"""In the details of a loop: values of dimensions that have MOSTLY of its money at least."""
EARLY = timedelta(minutes=2)
"""A burst is dated to the minute in which it began, which may be older than the window."""
EARLY_HOURLY = timedelta(hours=1)
"""Of what is dated to an hour."""
BY_DAY: frozenset[IncidentKind] = frozenset({"shift", "drift"})
"""Kinds that are dated to a day."""


@dataclass(frozen=True, kw_only=True)
class PlannedWindow:
    """A stretch of time in which what the filter leaves of the spend is planned."""

    id: UUID
    filter: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime


def lies_in(incident: Incident, scope: Mapping[str, str]) -> bool:
    """Whether the incident's money is the scope's, by what is known of it."""
    top = incident.top_contributor
    mostly = top["dimensions"] if Decimal(top["share"]) >= MOSTLY else {}
    mostly = {**mostly, **incident.details.get(LIES_IN, {})}
    return all((incident.scope.get(name) or mostly.get(name)) == value for name, value in scope.items())


def withheld(
    incident: Incident, current: Sequence[Incident], windows: Sequence[PlannedWindow], now: datetime
) -> Incident:
    """An incident that is about to be told, not told where a plan or an open incident says the same."""
    window = window_of(incident, windows, now)
    if window is not None:
        return replace(incident, told=False, planned=window.id)
    parent = parent_of(incident, current, now)
    if parent is not None:
        return replace(incident, told=False, parent=parent.id)
    return replace(incident, planned=None, parent=None)


def window_of(incident: Incident, windows: Sequence[PlannedWindow], now: datetime) -> PlannedWindow | None:
    """The window in which it lies; None = nobody has planned it."""
    if incident.kind not in PLANNABLE:
        return None
    lying = [
        window
        for window in windows
        if window.starts_at <= now < window.ends_at
        and incident.began_at >= window.starts_at - _early(incident)
        and lies_in(incident, window.filter)
    ]
    return min(lying, key=lambda window: (-len(window.filter), window.id), default=None)


def _early(incident: Incident) -> timedelta:
    if incident.kind in BY_DAY:
        return timedelta(days=1)
    return EARLY_HOURLY if is_hourly(incident) else EARLY


def parent_of(incident: Incident, current: Sequence[Incident], now: datetime) -> Incident | None:
    """The incident that people were told of and that has this one's money; None = there is none.

    A loop within a burst that is as fast, or nearly all of it; a burst that is nearly all one loop. Bursts
    among each other are told apart by what was told of them (`bursts/told.py`).
    """
    if incident.kind not in PARTS:
        return None
    open_ones = [
        each for each in current if each.told and each.state != "resolved" and each.id != incident.id
    ]
    around = [each for each in open_ones if _has_all_of(each, incident, now)]
    return max(around, key=lambda each: (each.peak_per_hour, each.id), default=None)


def _has_all_of(parent: Incident, incident: Incident, now: datetime) -> bool:
    if parent.currency != incident.currency:
        return False
    if parent.kind == "anomaly" and incident.kind != "anomaly":
        smaller = incident.peak_per_hour <= parent.peak_per_hour
        return lies_in(incident, parent.scope) and (smaller or _is_nearly_all(incident, parent, now))
    if parent.kind == "loop" and incident.kind == "anomaly":
        nearly = parent.peak_per_hour >= EXACT.multiply(MOSTLY, incident.peak_per_hour)
        return lies_in(parent, incident.scope) and (nearly or _is_nearly_all(parent, incident, now))
    return False


def _is_nearly_all(loop: Incident, burst: Incident, now: datetime) -> bool:
    """Whether what is known of a burst's money is the loop's. Their paces do not say so: each is of other
    seconds, and of when its incident was renewed."""
    if loop.kind != "loop":
        return False
    known = EXACT.subtract(burst.amount, burst.expected)
    lately = min(
        loop.amount, over(loop.peak_per_hour, now - burst.began_at)
    )  # it may be older than the burst
    return known > 0 and lately >= EXACT.multiply(MOSTLY, known)
