"""The rule on what is not booked: a key of whose events too many are rejected or in conflict. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.incidents.incident import EPOCH, Incident, IncidentFigures, opened, with_figures
from services.alerts.scopes import MINUTE
from services.alerts.unbooked.words import MINUTES, PER_HOUR, UnbookedWording
from spendmeter.contracts.incidents import EVENTS, TopContributor
from spendmeter.contracts.money import ZERO, divided, plain

RULE = "unbooked-rate"
RULE_NAME = "Events that are not booked"
EVENTS_MIN = 20
ONE_IN = 20
"""And one in so many of the key's events at least: 5 %."""
CALM = 2
"""It is over below half of either, so that a rate at its edge opens one incident, not many."""
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

    @property
    def limit(self) -> int:
        """From how many on it is told."""
        return max(EVENTS_MIN, -(-(self.unbooked + self.booked) // ONE_IN))


@dataclass(frozen=True, kw_only=True)
class UnbookedLook:
    """One tenant's keys with much that is not booked, at one moment."""

    tenant: str
    now: datetime
    counts: Sequence[KeyCount]
    wording: UnbookedWording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open or cooling down."""
        ours = [incident for incident in current if incident.kind == "unbooked"]
        known = {incident.scope["key_id"] for incident in ours}
        room = OPEN_MAX - sum(incident.state != "resolved" for incident in ours)
        crossed = [each for each in self.counts if each.unbooked >= each.limit and each.key_id not in known]
        crossed.sort(key=lambda each: (-each.unbooked, each.key_id))
        return [
            self.wording.with_words(
                unbooked_incident(self.tenant, each.key_id, each.first_at, figures_of(each), self.now)
            )
            for each in crossed[: max(0, room)]
        ]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        count = self._of(incident)
        if count is not None and CALM * count.unbooked >= count.limit:
            return ""
        return f"less than half of that was not booked in the last {MINUTES} minutes"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with the figures of now; where little is left to count, with those it had."""
        count = self._of(incident)
        return incident if count is None else with_figures(incident, figures_of(count), self.now)

    def _of(self, incident: Incident) -> KeyCount | None:
        return next((each for each in self.counts if each.key_id == incident.scope["key_id"]), None)


def figures_of(count: KeyCount) -> IncidentFigures:
    """The same fields as of money, in events."""
    leading, unbooked = Decimal(count.with_fault), Decimal(count.unbooked)
    return IncidentFigures(
        amount=unbooked,
        expected=Decimal(count.limit),
        rate_per_hour=unbooked * PER_HOUR,
        expected_per_hour=Decimal(count.limit * PER_HOUR),
        of_which_provisional=ZERO,
        top_contributor=TopContributor(
            dimensions={"outcome": count.outcome, "fault": count.fault},
            amount=plain(leading),
            share=plain(divided(leading, unbooked)),
        ),
    )


def unbooked_incident(
    tenant: str, key_id: str, began_at: datetime, figures: IncidentFigures, now: datetime
) -> Incident:
    """A key of whose events too many are not booked; its episode is the minute in which that began."""
    return opened(
        now,
        figures,
        tenant=tenant,
        kind="unbooked",
        rule_id=RULE,
        rule_revision=1,
        rule_name=RULE_NAME,
        scope={"key_id": key_id},
        episode=(began_at - EPOCH) // MINUTE,
        began_at=began_at,
        currency=EVENTS,
    )
