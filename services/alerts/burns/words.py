"""The words of an incident about a budget that burns. Pure."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import lasting, money, percent, places, rounded
from services.alerts.incidents.words import Wording
from spendmeter.contracts.money import divided, plain, presented


@dataclass(frozen=True, kw_only=True)
class BurnWording(Wording):
    """In when the budget runs out."""

    def title(self, incident: Incident) -> str:
        """How fast, and when nothing is left."""
        over = incident.state == "resolved"
        if incident.amount >= incident.expected:
            verb, begins = ("was", "Over: ") if over else ("is", "")
            spent = f"{rounded(incident.amount)} of {rounded(incident.expected)} {incident.currency} spent"
            return f"{begins}budget {incident.rule_name} {verb} used up: {spent}"
        if over:
            return f"Over: budget {incident.rule_name} burned too fast"
        left = f"{rounded(Decimal(incident.details['left']))} {incident.currency} left"
        pace = f"burns {_times(incident)} times too fast"
        return f"budget {incident.rule_name} {pace}: {left}, used up by {self._runs_out(incident)}"

    def summary(self, incident: Incident) -> str:
        """What was spent, how fast, what the rest would bear, and when it runs out."""
        scope = ", ".join(f"{name}={value}" for name, value in incident.scope.items()) or "everything"
        what = f"{incident.tenant}: budget {incident.rule_name!r} ({scope})"
        share = percent(divided(incident.amount, incident.expected))
        spent = f"{money(incident, incident.amount)} of {money(incident, incident.expected)} ({share})"
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
            ended = f"Over: {incident.resolution}. {what} has spent {spent}"
            return f"{ended}; the incident was open for {lasted}."
        if incident.amount >= incident.expected:
            return f"{what} has spent {spent}: it burned {_times(incident)} times too fast, and is used up."
        assert incident.period_end is not None
        hours = incident.details["hours"]
        within = "hour" if hours == 1 else f"{hours} hours"
        end = incident.period_end.astimezone(self.zone)
        rate, times = money(incident, incident.rate_per_hour), _times(incident)
        return (
            f"{what} has spent {spent}. In the last {within} it spent {rate} an hour, {times} times what the "
            f"rest can bear until {end:%Y-%m-%d %H:%M} ({self.zone.key}) as it usually spends. At this pace "
            f"nothing is left by {self._runs_out(incident)}."
        )

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """Money, and paces."""
        rate = f"{incident.currency}/h"
        told = [
            ("spent in the period", incident.amount, incident.currency),
            ("budget", incident.expected, incident.currency),
            ("left as it was told", Decimal(incident.details["left"]), incident.currency),
            ("highest rate", incident.peak_per_hour, rate),
            ("rate that the rest can bear", incident.expected_per_hour, rate),
        ]
        return [
            {"label": label, "amount": plain(amount), "unit": unit, "text": f"{places(amount)} {unit}"}
            for label, amount, unit in told
        ]

    def _runs_out(self, incident: Incident) -> str:
        at = datetime.fromisoformat(incident.details["runs_out"]).astimezone(self.zone)
        return f"{at:%Y-%m-%d %H:%M}"


def _times(incident: Incident) -> str:
    times = Decimal(incident.details["times"])
    return presented(times, 0 if times >= 10 else 1)
