"""What a replay has opened so far: what goes on or may begin again, how often it was told, its cost. Pure."""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.incidents.incident import REPEAT_AGE_MAX, Incident, resolved
from spendmeter.contracts.money import EXACT, ZERO


class Replayed:
    """Incidents of a kind that may repeat. Those that were opened before `counted_from` only teach."""

    def __init__(self, counted_from: datetime) -> None:
        self._counted_from = counted_from
        self._known: dict[UUID, Incident] = {}
        self._messages: Counter[UUID] = Counter()
        self._excess: defaultdict[UUID, Decimal] = defaultdict(Decimal)
        """Of times of an incident that are over."""
        self._forgotten: list[WouldHaveFired] = []

    @property
    def known(self) -> list[Incident]:
        """Those that are open, or were lately."""
        return list(self._known.values())

    def forget(self, now: datetime) -> None:
        """What has been over for too long to begin again."""
        for incident in self.known:
            if incident.resolved_at is not None and now - incident.resolved_at > REPEAT_AGE_MAX:
                self._forgotten += self._as_fired(incident)
                del self._known[incident.id]

    def tell(self, incident: Incident) -> None:
        """A message: it opens, has grown, or begins again."""
        self._messages[incident.id] += 1
        self._known[incident.id] = incident

    def renew(self, incident: Incident, ending: str, now: datetime) -> None:
        """With the figures of now; `ending`: why it is over, '' = it is not."""
        if ending:
            self._excess[incident.id] += _excess_of(incident)
            incident = resolved(incident, ending, now)
        self._known[incident.id] = incident

    def fired(self) -> list[WouldHaveFired]:
        """All that would have been told."""
        return [*self._forgotten, *(fired for each in self.known for fired in self._as_fired(each))]

    def _as_fired(self, incident: Incident) -> list[WouldHaveFired]:
        if incident.opened_at < self._counted_from:
            return []
        excess = self._excess[incident.id]
        if incident.resolved_at is None:
            excess = EXACT.add(excess, _excess_of(incident))
        fired = WouldHaveFired(
            scope=incident.scope,
            at=incident.opened_at,
            amount=excess,
            messages=self._messages[incident.id],
            by_chance="by_chance" in incident.details,
        )
        return [fired]


def _excess_of(incident: Incident) -> Decimal:
    return max(ZERO, EXACT.subtract(incident.amount, incident.expected))
