"""The rule on what is not booked: a key of whose events too many are rejected or in conflict. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    opened,
    with_figures,
)
from services.alerts.unbooked.words import MINUTES, PER_HOUR, UnbookedWording
from spendmeter.contracts.alert_rules import AlertRule, default_rule
from spendmeter.contracts.incidents import EVENTS, TopContributor
from spendmeter.contracts.money import divided, plain

EVERYBODYS = default_rule("unbooked")
CALM = 2
"""It is over below half of either gate, so that a rate at its edge opens one incident, not many."""
OPEN_MAX = 20
"""Incidents of a tenant at once, the worst keys first: what hits every key is told soon enough."""


@dataclass(frozen=True, kw_only=True)
class KeyCount:
    """What became of one key's events in the window."""

    key_id: str
    """'' = the events named none."""
    unbooked: int
    """Rejected, or in conflict; duplicates are none of it."""
    booked: int
    """Dated in the window: of a sender who sends an older time's, fewer than were booked in it."""
    first_at: datetime
    outcome: str
    fault: str
    """What most of them have: an outcome, and a reason without its figures."""
    with_fault: int

    def limit(self, rule: AlertRule) -> int:
        """From how many on it is told."""
        share = rule.number("share_min") * (self.unbooked + self.booked)
        return max(int(rule.number("events_min")), math.ceil(share))


def least_counted(rules: Sequence[AlertRule]) -> int:
    """Of so many events of a key on its count may open an incident, or keep one open."""
    return min(int(rule.number("events_min")) for rule in (EVERYBODYS, *rules)) // CALM


@dataclass(frozen=True, kw_only=True)
class UnbookedLook:
    """One tenant's keys with much that is not booked, at one moment."""

    tenant: str
    now: datetime
    counts: Sequence[KeyCount]
    wording: UnbookedWording
    rules: Sequence[AlertRule] = (EVERYBODYS,)
    """Those that are on; without any nothing is opened, and what is open ends as everybody's does."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open or cooling down."""
        ours = [incident for incident in current if incident.kind == "unbooked"]
        known = {incident.scope["key_id"] for incident in ours}
        room = OPEN_MAX - sum(incident.state != "resolved" for incident in ours)
        crossed = [
            (each, rule)
            for each in self.counts
            if each.key_id not in known
            and (rule := self._rule(each)) is not None
            and each.unbooked >= each.limit(rule)
        ]
        crossed.sort(key=lambda found: (-found[0].unbooked, found[0].key_id))
        return [
            self.wording.with_words(unbooked_incident(self.tenant, each, rule, self.now))
            for each, rule in crossed[: max(0, room)]
        ]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        count = self._of(incident)
        if count is not None and CALM * count.unbooked >= count.limit(self._rule(count) or EVERYBODYS):
            return ""
        return f"less than half of that was not booked in the last {MINUTES} minutes"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with the figures of now; where little is left to count, with those it had."""
        count = self._of(incident)
        if count is None:
            return incident
        return with_figures(incident, figures_of(count, self._rule(count) or EVERYBODYS), self.now)

    def _rule(self, count: KeyCount) -> AlertRule | None:
        """The rule of the key's that tells soonest; None = none is on."""
        its = [rule for rule in self.rules if rule.filter.get("key_id") in (None, count.key_id)]
        return min(its, key=count.limit, default=None)

    def _of(self, incident: Incident) -> KeyCount | None:
        return next((each for each in self.counts if each.key_id == incident.scope["key_id"]), None)


def figures_of(count: KeyCount, rule: AlertRule) -> IncidentFigures:
    """The same fields as of money, in events."""
    leading, unbooked = Decimal(count.with_fault), Decimal(count.unbooked)
    return IncidentFigures(
        amount=unbooked,
        expected=Decimal(count.limit(rule)),
        rate_per_hour=unbooked * PER_HOUR,
        expected_per_hour=Decimal(count.limit(rule) * PER_HOUR),
        top_contributor=TopContributor(
            dimensions={"outcome": count.outcome, "fault": count.fault},
            amount=plain(leading),
            share=plain(divided(leading, unbooked)),
        ),
    )


def unbooked_incident(tenant: str, count: KeyCount, rule: AlertRule, now: datetime) -> Incident:
    """A key of whose events too many are not booked; its episode is the minute in which that began."""
    return opened(
        now,
        figures_of(count, rule),
        tenant=tenant,
        kind="unbooked",
        # The revision is as it was before anybody could change the rule.
        **by_rule(rule, count.first_at, rule_revision=rule.revision or 1),
        scope={"key_id": count.key_id},
        currency=EVENTS,
    )
