"""How an incident of a forecast is told. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import figures_of, lasting, money, percent, rounded
from services.alerts.incidents.words import Wording
from spendmeter.contracts.money import EXACT, ZERO, divided, plain

HUNDRED = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class ForecastWording(Wording):
    """In what is expected, where others say what was spent."""

    def title(self, incident: Incident) -> str:
        """The news in one line, with rounded amounts."""
        assert incident.threshold_percent is not None
        threshold, limit = plain(incident.threshold_percent), rounded(incident.expected)
        if incident.state == "resolved":
            if _has_come(incident):
                return f"Over: budget {incident.rule_name} reached {threshold} %, as was expected"
            return f"Over: budget {incident.rule_name} was expected to reach {threshold} %"
        if _has_come(incident):
            spent = f"{rounded(incident.amount)} of {limit} {incident.currency} spent"
            return f"budget {incident.rule_name} has reached {threshold} %, as was expected: {spent}"
        middle = rounded(_amount(incident, "p50"))
        return (
            f"budget {incident.rule_name} is expected to reach {threshold} %: about {middle} of {limit} "
            f"{incident.currency} by {self._last_day(incident)}"
        )

    def summary(self, incident: Incident) -> str:
        """What was spent, what is expected, how sure that is, and when the budget runs out."""
        scope = ", ".join(f"{name}={value}" for name, value in incident.scope.items()) or "everything"
        spent, limit = money(incident, incident.amount), money(incident, incident.expected)
        what = f"{incident.tenant}: budget {incident.rule_name!r} ({scope})"
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
            return (
                f"Over: {incident.resolution}. {what} has spent {spent} of {limit}; the incident was open "
                f"for {lasted}."
            )
        middle = _amount(incident, "p50")
        low, high = (money(incident, _amount(incident, end)) for end in ("p10", "p90"))
        sentences = [
            f"{what} has spent {spent} of {limit}; by the end of {self._last_day(incident)} it is expected "
            f"to have spent {money(incident, middle)} ({percent(divided(middle, incident.expected))}), "
            f"eight times in ten between {low} and {high}."
        ]
        if at := incident.details.get("exhausted_at"):
            local = datetime.fromisoformat(at).astimezone(self.zone)
            sentences.append(f"As it goes, the budget is used up on {local:%Y-%m-%d} ({self.zone.key}).")
        if (excess := _amount(incident, "excess")) > 0:
            sentences.append(
                f"{money(incident, excess)} of open incidents are not counted towards the threshold."
            )
        return " ".join(sentences)

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """The range, what is spent, and the budget."""
        told = [
            ("expected by the period's end", _amount(incident, "p50")),
            ("nine times in ten more than", _amount(incident, "p10")),
            ("nine times in ten less than", _amount(incident, "p90")),
            ("spent in the period", incident.amount),
            ("budget", incident.expected),
        ]
        return figures_of((label, amount, incident.currency) for label, amount in told)

    def _last_day(self, incident: Incident) -> str:
        assert incident.period_end is not None
        last = incident.period_end.astimezone(self.zone) - timedelta(microseconds=1)
        return f"{last:%Y-%m-%d}"


def _has_come(incident: Incident) -> bool:
    """Whether what was expected is spent."""
    threshold = incident.threshold_percent or ZERO
    return EXACT.multiply(incident.amount, HUNDRED) >= EXACT.multiply(incident.expected, threshold)


def _amount(incident: Incident, name: str) -> Decimal:
    return Decimal(incident.details.get(name, "0"))
