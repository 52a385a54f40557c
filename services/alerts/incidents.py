"""An incident: its deterministic id, its figures, and the words in which people read it. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from services.alerts.anomalies import (
    MINUTE,
    NAMING_ORDER,
    RULE,
    RULE_NAME,
    RULE_REVISION,
    TENANT,
    Anomaly,
    Scope,
)
from services.alerts.budgets import Budget
from spendmeter.contracts.incidents import IncidentEvent, Kind, State, TopContributor, Transition
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, presented, quantised

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What an incident says in numbers; amounts in the tenant's currency."""

    amount: Decimal
    expected: Decimal
    rate_per_hour: Decimal
    expected_per_hour: Decimal
    of_which_provisional: Decimal
    top_contributor: TopContributor


@dataclass(frozen=True, kw_only=True)
class Incident:
    """A row of `incidents`, field by field."""

    tenant: str
    id: UUID
    kind: Kind
    rule_id: str
    rule_revision: int
    rule_name: str
    scope: Mapping[str, str]
    scope_digest: bytes
    period_start: datetime | None = None
    period_end: datetime | None = None
    episode: int | None = None
    threshold_percent: Decimal | None = None
    state: State = "open"
    began_at: datetime
    currency: str
    amount: Decimal
    expected: Decimal
    rate_per_hour: Decimal
    expected_per_hour: Decimal
    hot_per_hour: Decimal = ZERO
    of_which_provisional: Decimal
    top_contributor: Mapping[str, Any]
    summary: str = ""
    suggested_action: str = ""
    opened_at: datetime
    updated_at: datetime
    hot_at: datetime
    resolved_at: datetime | None = None
    resolution: str = ""


def scope_of(incident: Incident) -> Scope:
    """An anomaly's scope as (dimension, value)."""
    return next(iter(incident.scope.items()), TENANT)


def top_contributor(by_series: Mapping[Any, Decimal], amount: Decimal) -> TopContributor:
    """The series with the largest part of `amount`, with its share."""
    if not by_series or amount <= 0:
        return TopContributor()
    series, part = max(by_series.items(), key=lambda item: item[1])
    named = {name: getattr(series, name) for name in series.__struct_fields__ if getattr(series, name)}
    return TopContributor(dimensions=named, amount=plain(part), share=plain(divided(part, amount)))


def per_hour(amount: Decimal, duration: timedelta) -> Decimal:
    """`amount` in `duration` as an hourly rate; 0 for no time at all."""
    if duration <= timedelta():
        return ZERO
    return divided(EXACT.multiply(amount, Decimal(HOUR // MICROSECOND)), Decimal(duration // MICROSECOND))


def budget_incident(
    budget: Budget, bounds: tuple[datetime, datetime], threshold: Decimal, figures: Figures, now: datetime
) -> Incident:
    """A threshold of a budget that was crossed in the period `bounds`."""
    return _opened(
        now,
        figures,
        tenant=budget.tenant,
        kind="budget",
        rule_id=budget.id,
        rule_revision=budget.revision,
        rule_name=budget.name,
        scope=dict(budget.filter),
        period_start=bounds[0],
        period_end=bounds[1],
        threshold_percent=threshold,
        began_at=bounds[0],
        currency=budget.currency,
    )


def anomaly_incident(
    tenant: str, anomaly: Anomaly, currency: str, figures: Figures, now: datetime
) -> Incident:
    """A scope far over its expectation; its episode is the minute in which that began."""
    return _opened(
        now,
        figures,
        tenant=tenant,
        kind="anomaly",
        rule_id=RULE,
        rule_revision=RULE_REVISION,
        rule_name=RULE_NAME,
        scope={} if anomaly.scope == TENANT else dict([anomaly.scope]),
        episode=(anomaly.began_at - EPOCH) // MINUTE,
        began_at=anomaly.began_at,
        currency=currency,
        hot_per_hour=quantised(anomaly.hot_per_minute * 60),
    )


def told(incident: Incident, zone: ZoneInfo) -> Incident:
    """The incident with the words that its figures deserve; times in `zone`."""
    return replace(incident, summary=summary(incident, zone), suggested_action=suggested_action(incident))


def with_figures(incident: Incident, figures: Figures, now: datetime) -> Incident:
    """The same incident with the amounts of `now`."""
    return replace(incident, updated_at=now, **_columns(figures))


def resolved(incident: Incident, resolution: str, now: datetime) -> Incident:
    """The incident's end."""
    return replace(incident, state="resolved", resolved_at=now, updated_at=now, resolution=resolution)


_AMOUNTS = ("amount", "expected", "rate_per_hour", "expected_per_hour", "of_which_provisional")
_AS_THEY_ARE = """tenant state kind rule_name rule_revision scope began_at currency summary suggested_action
    resolution""".split()


def event_of(incident: Incident, transition: Transition, at: datetime) -> IncidentEvent:
    """What the topic and every channel are told."""
    threshold = incident.threshold_percent
    columns: dict[str, Any] = {name: plain(getattr(incident, name)) for name in _AMOUNTS}
    columns |= {name: getattr(incident, name) for name in _AS_THEY_ARE}
    return IncidentEvent(
        incident_id=str(incident.id),
        transition=transition,
        at=at,
        rule=incident.rule_id,
        threshold_percent=None if threshold is None else plain(threshold),
        top_contributor=TopContributor(**incident.top_contributor),
        **columns,
    )


def summary(incident: Incident, zone: ZoneInfo) -> str:
    """What changed, how much so far, how fast, against what, where, since when: a few sentences."""
    sentences = [_ended(incident, zone) if incident.state == "resolved" else _goes_on(incident, zone)]
    top = incident.top_contributor
    where = {name: top["dimensions"].get(name, "") for name in NAMING_ORDER if name not in incident.scope}
    if any(where.values()):
        named = ", ".join(f"{name}={value}" for name, value in where.items() if value)
        sentences.append(f"{_percent(Decimal(top['share']))} of it is {named}.")
    if incident.of_which_provisional > 0 and incident.amount > 0:
        share = divided(incident.of_which_provisional, incident.amount)
        sentences.append(f"{_percent(share)} of it is provisional: priced by an upper bound.")
    return " ".join(sentences)


def suggested_action(incident: Incident) -> str:
    """One thing to do first."""
    dimensions = dict(incident.top_contributor["dimensions"]) | dict(incident.scope)
    for dimension, action in _ACTIONS.items():
        if value := dimensions.get(dimension):
            return action.format(value)
    return "Ask who is spending it: group the spend by team and by key."


_ACTIONS = {
    "agent": "Look at agent {}: stop it if nobody expects this.",
    "workflow": "Look at workflow {}: stop it if nobody expects this.",
    "feature": "Look at feature {}: switch it off if nobody expects this.",
    "key_id": "Find the owner of key {}; revoke it if nobody expects this.",
    "team": "Ask team {} whether this is expected.",
}


def _opened(now: datetime, figures: Figures, **columns: Any) -> Incident:
    digest = _digest(sorted(columns["scope"].items()))
    start, threshold = columns.get("period_start"), columns.get("threshold_percent")
    key = [columns["tenant"], columns["rule_id"], columns["rule_revision"], digest.hex()]
    key += [start and start.isoformat(), columns.get("episode"), threshold and plain(threshold)]
    return Incident(
        id=UUID(bytes=_digest(key)), scope_digest=digest, opened_at=now, updated_at=now, hot_at=now,
        **columns, **_columns(figures),
    )  # fmt: skip


def _columns(figures: Figures) -> dict[str, Any]:
    top = figures.top_contributor
    columns = dict(vars(figures))
    columns["top_contributor"] = {"dimensions": top.dimensions, "amount": top.amount, "share": top.share}
    return columns


def _digest(value: object) -> bytes:
    return blake2b(json.dumps(value, separators=(",", ":")).encode(), digest_size=16).digest()


def _goes_on(incident: Incident, zone: ZoneInfo) -> str:
    amount, expected = _money(incident, incident.amount), _money(incident, incident.expected)
    rate = _money(incident, incident.rate_per_hour) + " per hour now"
    if incident.kind == "budget":
        share = _percent(divided(incident.amount, incident.expected))
        return (
            f"{_what(incident)} has spent {amount} of {expected} ({share}) {_since(incident, zone)}; {rate}."
        )
    usual = _money(incident, incident.expected_per_hour) + " per hour"
    return (
        f"{_what(incident)} spends {rate}, {_times(incident)} ({usual}), {_since(incident, zone)}; "
        f"{amount} so far, {expected} expected."
    )


def _ended(incident: Incident, zone: ZoneInfo) -> str:
    amount, expected = _money(incident, incident.amount), _money(incident, incident.expected)
    lasted = _words((incident.resolved_at or incident.updated_at) - incident.opened_at)
    return (
        f"Over: {incident.resolution}. {_what(incident)} came to {amount} ({expected} expected) "
        f"{_since(incident, zone)}; the incident was open for {lasted}."
    )


def _what(incident: Incident) -> str:
    scope = ", ".join(f"{name}={value}" for name, value in incident.scope.items()) or "everything"
    if incident.kind == "budget":
        return f"{incident.tenant}: budget {incident.rule_name!r} ({scope})"
    return f"{incident.tenant}: {scope}"


def _since(incident: Incident, zone: ZoneInfo) -> str:
    return f"since {incident.began_at.astimezone(zone):%Y-%m-%d %H:%M} {zone.key}"


def _times(incident: Incident) -> str:
    if incident.expected_per_hour <= 0:
        return "where nothing was expected"
    ratio = divided(incident.rate_per_hour, incident.expected_per_hour)
    return f"{presented(ratio, 0 if ratio >= 10 else 1)} times what was expected"


def _money(incident: Incident, amount: Decimal) -> str:
    return f"{presented(amount, 2 if abs(amount) >= 1 else 4)} {incident.currency}"


def _percent(share: Decimal) -> str:
    return f"{presented(share * 100, 0)} %"


def _words(duration: timedelta) -> str:
    minutes = duration // MINUTE
    if minutes < 60:
        return f"{minutes} min" if minutes else f"{duration.seconds} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // 1440} days"
