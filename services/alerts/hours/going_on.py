"""An incident about hours as it goes on: what it has come to, and when it is over. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from itertools import pairwise

from services.alerts.bursts.seasons import HOUR, Samples
from services.alerts.hours.scoring import HourMoney
from services.alerts.incidents.incident import HOURLY, LASTED, Incident, IncidentFigures, with_figures
from services.alerts.rates import over
from spendmeter.contracts.incidents import TopContributor
from spendmeter.contracts.money import EXACT, ZERO

LASTING = timedelta(days=1)
QUIET_HOURS_MAX = 8
"""It is over after one quiet hour; with each repeat after twice as many, so many at most."""


@dataclass(frozen=True, kw_only=True)
class HourGoingOn:
    """One scope's hours: all but the last of `hours` are complete, of that one is known what came `until`."""

    history: Mapping[datetime, Decimal]
    hours: Sequence[datetime]
    """When they began, those without money too, from the incident's first one to the one that runs."""
    since: datetime
    """From when on the tenant's hours are known."""
    until: datetime
    money: HourMoney
    """Of the hour that runs, up to then."""
    rate_per_hour: Decimal
    """What is spent now."""
    zone: tzinfo
    now: datetime

    @property
    def hour(self) -> datetime:
        """The one that runs."""
        return self.hours[-1]

    def renewed(self, incident: Incident) -> Incident:
        """The incident with the figures of now: its money ends with its last unusual hour."""
        about, amounts = incident.details[HOURLY], dict(self.history) | {self.hour: self.money.amount}
        usual = {
            hour: max(Decimal(about["level"]), Samples(hour, self.zone).usual(self.history, self.since))
            for hour in self.hours
        }
        half = Decimal(about["half_excess"])
        hot_at, spans = incident.hot_at, list(pairwise([*self.hours, self.until]))
        for hour, end in spans:
            if amounts.get(hour, ZERO) >= EXACT.add(usual[hour], half):
                hot_at = max(hot_at, self._hot_until(incident, hour, end, usual[hour]))
        amount = expected = ZERO
        for hour, end in spans:
            if hour < hot_at:
                amount = EXACT.add(amount, amounts.get(hour, ZERO))
                expected = EXACT.add(expected, over(usual[hour], end - hour))
        figures = IncidentFigures(
            amount=amount,
            expected=expected,
            rate_per_hour=self.rate_per_hour,
            expected_per_hour=usual[self.hour],
            of_which_provisional=max(incident.of_which_provisional, self.money.provisional),
            top_contributor=TopContributor(**incident.top_contributor),
        )
        return with_figures(replace(incident, hot_at=hot_at), figures, self.now)

    def _hot_until(self, incident: Incident, hour: datetime, end: datetime, usual: Decimal) -> datetime:
        """Of an hour that came to much: its end, or now, if something is spent now."""
        if hour < self.hour:  # of planned money it is not known when it ended
            return end if incident.planned is None else incident.hot_at
        return self.until if self.rate_per_hour > usual else incident.hot_at

    def ending(self, incident: Incident) -> str:
        """Why the incident, as it was renewed, is over; '' = it is not."""
        if self.now - incident.began_at >= LASTING:
            return LASTED
        quiet = min(2 ** min(incident.repeats, 10), QUIET_HOURS_MAX)
        hours = "a whole hour" if quiet == 1 else f"{quiet} whole hours"
        return f"nothing unusual for {hours}" if self.hour - incident.hot_at >= quiet * HOUR else ""
