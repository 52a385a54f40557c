"""What spends for the first time, or again after a long while, and what has no price. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.firsts.words import FirstWording
from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    in_other_money,
    opened,
    with_figures,
)
from services.alerts.rates import per_hour
from services.alerts.scopes import MINUTE
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.incidents import TopContributor
from spendmeter.contracts.money import EXACT, ZERO, divided, plain
from spendmeter.contracts.series import Series

SUBJECTS = {"model": "sku", "provider": "provider", "key": "key_id", "agent": "agent"}
"""The dimension of each subject of the rule."""
NEW = timedelta(days=2)
"""So long something is new: what spends little at first is told when it has come to something."""
LEARNING = timedelta(days=3)
"""Of a tenant that began less than that ago everything is new: then only what has no price is news."""
KNOWN_AFTER = timedelta(days=1)
"""An incident is over after so long: by then people know of it."""
FOLD_SHARE = Decimal("0.8")
"""A new provider of whose money so much is of new models is told with them."""
OPEN_MAX = 20
"""Incidents of a tenant at once, the dearest first: what is new by the hundred is told by some of it."""


@dataclass(frozen=True, kw_only=True)
class ValueSpend:
    """What one value of a dimension has spent since yesterday's midnight; money in the tenant's currency."""

    dimension: str
    value: str
    provider: str
    """Of a model; of a provider itself."""
    effective: Decimal
    provisional: Decimal
    events: int
    unpriced_events: int
    leader: bytes
    """Its largest series."""
    leader_amount: Decimal


def together(base: Sequence[ValueSpend], later: Sequence[ValueSpend], values_max: int) -> list[ValueSpend]:
    """What each value spent in two stretches of time, the largest first. Where another series leads in the
    one than in the other, the larger is said with what it spent in that one: so much at least."""
    sums = {(each.dimension, each.value): each for each in base}
    for each in later:
        place = each.dimension, each.value
        sums[place] = _added(sums[place], each) if place in sums else each
    largest = sorted(sums.values(), key=lambda each: (-each.effective, -each.unpriced_events, each.value))
    return largest[:values_max]


def _added(one: ValueSpend, other: ValueSpend) -> ValueSpend:
    first, second = sorted((one, other), key=lambda each: -each.leader_amount)
    same = first.leader == second.leader
    return replace(
        one,
        provider=min(filter(None, (one.provider, other.provider)), default=""),
        effective=EXACT.add(one.effective, other.effective),
        provisional=EXACT.add(one.provisional, other.provisional),
        events=one.events + other.events,
        unpriced_events=one.unpriced_events + other.unpriced_events,
        leader=first.leader,
        leader_amount=EXACT.add(first.leader_amount, second.leader_amount) if same else first.leader_amount,
    )


@dataclass(frozen=True, kw_only=True)
class Past:
    """What the book knows of a value."""

    first_seen: datetime
    last_at: datetime | None
    """When it last spent before yesterday, about; None = not in the time that was asked."""


@dataclass(frozen=True, kw_only=True)
class FirstLook:
    """One tenant's values that spend, at one moment."""

    tenant: str
    now: datetime
    currency: str
    known_since: datetime | None
    """When its first event was booked."""
    rules: Sequence[AlertRule]
    spent: Sequence[ValueSpend]
    past: Mapping[tuple[str, str], Past]
    """By dimension and value; what is missing is not judged yet."""
    series: Mapping[bytes, Series]
    wording: FirstWording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open."""
        ours = [incident for incident in current if incident.kind == "first"]
        found: dict[tuple[tuple[str, str], ...], Incident] = {}
        for rule in self.rules:
            for incident in (*self._new(rule), *self._unpriced(rule)):
                found.setdefault(_place(incident), incident)
        told = {_place(incident) for incident in ours if incident.state != "resolved"}
        fresh = [incident for place, incident in found.items() if place not in told]
        fresh.sort(key=lambda incident: (-incident.amount, incident.scope_digest))
        return [self.wording.with_words(incident) for incident in fresh[: max(0, OPEN_MAX - len(told))]]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        if other := in_other_money(incident, self.currency):
            return other
        if incident.details["subject"] != "unpriced":
            return "it is known for a day" if self.now - incident.opened_at >= KNOWN_AFTER else ""
        value = self._of(incident)
        lacks = value is not None and (value.unpriced_events or value.provisional)
        return "" if lacks else "all that it spent since yesterday has a price"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with the figures of now."""
        value = self._of(incident)
        if value is None or in_other_money(incident, self.currency):
            return replace(incident, updated_at=self.now)
        lacking = incident.details["subject"] == "unpriced"
        figures = self._figures(value, incident.began_at, unpriced=lacking)
        details = {**incident.details, **_counts(value)}
        return with_figures(replace(incident, details=details), figures, self.now)

    def _new(self, rule: AlertRule) -> list[Incident]:
        if self.known_since is None or self.now - self.known_since < LEARNING:
            return []
        watched = {SUBJECTS[subject]: subject for subject in rule.chosen("subjects") if subject in SUBJECTS}
        least = rule.number("amount_min")
        new = {
            (each.dimension, each.value): each
            for each in self.spent
            if each.dimension in watched and each.effective >= least and self._why(each, rule)
        }
        return [
            self._incident(rule, each, subject=watched[each.dimension], why=self._why(each, rule))
            for each in new.values()
            if not self._is_told_with_its_models(each, new)
        ]

    def _unpriced(self, rule: AlertRule) -> list[Incident]:
        if "unpriced" not in rule.chosen("subjects"):
            return []
        events, amount = rule.number("events_min"), rule.number("amount_min")
        return [
            self._incident(rule, each, subject="unpriced", why="unpriced")
            for each in self.spent
            if each.dimension == "sku"
            and (each.unpriced_events >= events or (each.provisional and each.provisional >= amount))
        ]

    def _why(self, value: ValueSpend, rule: AlertRule) -> str:
        past = self.past.get((value.dimension, value.value))
        if past is None:
            return ""
        if self.now - past.first_seen <= NEW:
            return "first"
        dormant = timedelta(days=int(rule.number("dormant_days")))
        return "" if past.last_at is not None and self.now - past.last_at < dormant + NEW else "woke"

    def _is_told_with_its_models(self, value: ValueSpend, new: Mapping[tuple[str, str], ValueSpend]) -> bool:
        if value.dimension != "provider":
            return False
        models = [each for each in new.values() if each.dimension == "sku" and each.provider == value.value]
        amount = sum((each.effective for each in models), ZERO)
        return amount >= EXACT.multiply(FOLD_SHARE, value.effective)

    def _incident(self, rule: AlertRule, value: ValueSpend, *, subject: str, why: str) -> Incident:
        lacking = subject == "unpriced"
        past = self.past.get((value.dimension, value.value))
        began = past.first_seen if past is not None and why == "first" else self.now
        severity = "warning" if lacking and rule.severity == "info" else rule.severity
        scope = {value.dimension: value.value}
        if lacking and value.provider:
            scope["provider"] = value.provider
        return opened(
            self.now,
            self._figures(value, began, unpriced=lacking),
            tenant=self.tenant,
            kind="first",
            **by_rule(rule, began, severity=severity),
            scope=scope,
            currency=self.currency,
            details={"subject": subject, "why": why, "provider": value.provider, **_counts(value)},
        )

    def _figures(self, value: ValueSpend, began: datetime, *, unpriced: bool) -> IncidentFigures:
        amount = value.provisional if unpriced else value.effective
        series = self.series.get(value.leader)
        top = TopContributor()
        if series is not None and value.effective > 0:
            share = plain(divided(value.leader_amount, value.effective))
            top = TopContributor(dimensions=series.named(), amount=plain(value.leader_amount), share=share)
        return IncidentFigures(
            amount=amount,
            rate_per_hour=per_hour(amount, max(self.now - began, MINUTE)),
            of_which_provisional=value.provisional,
            top_contributor=top,
        )

    def _of(self, incident: Incident) -> ValueSpend | None:
        dimension = "sku" if "sku" in incident.scope else next(iter(incident.scope))
        named = (dimension, incident.scope[dimension])
        return next((each for each in self.spent if (each.dimension, each.value) == named), None)


def _place(incident: Incident) -> tuple[tuple[str, str], ...]:
    lacking = incident.details["subject"] == "unpriced"
    return (*sorted(incident.scope.items()), ("unpriced", str(lacking)))


def _counts(value: ValueSpend) -> dict[str, str]:
    return {"events": str(value.events), "unpriced_events": str(value.unpriced_events)}
