"""The words of an incident about spend past reservations. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import figures_of, lasting, money, rounded, since, value_of
from services.alerts.incidents.words import Wording

_LABELS = {
    "unreserved": "nobody reserved",
    "unlike": "reserved with other dimensions",
    "debt": "booked after its reservation had run out",
}
_TO_DO = {
    "unreserved": "Have {} reserve before it spends, or let the budget keep headroom for it; revoke the key "
    "if nobody expects this.",
    "unlike": "Have {} reserve with the dimensions that its events carry, else the budget that it evades "
    "stops nothing.",
    "debt": "Have {} extend its reservations until its calls end, or commit them in time.",
}
"""By subject, of the key."""


@dataclass(frozen=True, kw_only=True)
class UnreservedWording(Wording):
    """Of a key, and of what it spent past its reservations."""

    def title(self, incident: Incident) -> str:
        """Who, and how much."""
        over = "Over: " if incident.state == "resolved" else ""
        spent = f"{rounded(incident.amount)} {incident.currency}"
        return f"{over}{_whose(incident)} spent {spent} of hard budgets past its reservations"

    def summary(self, incident: Incident) -> str:
        """How much for which reason, of which budgets, since when, and what follows."""
        began = since(incident, self.zone)
        said = (
            f"{incident.tenant}: {_whose(incident)} spent {money(incident, incident.amount)} of hard budgets "
            f"past its reservations, {began}, as first booked."
        )
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
            said = f"Over: {incident.resolution}. {said} The incident was open for {lasted}."
        parts = [_of_part(incident, *each) for each in _parts(incident)]
        counts = "All of it counts in its budgets, so less is left to reserve there."
        return " ".join((said, *parts, counts))

    def action(self, incident: Incident) -> str:
        """What to do about the most of it."""
        return _TO_DO[_parts(incident)[0][0]].format(_whose(incident))

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """All of it, and by reason."""
        told = [("past its reservations", incident.amount, incident.currency)]
        told += [
            (_LABELS[subject], Decimal(part["amount"]), incident.currency)
            for subject, part in _parts(incident)
        ]
        return figures_of(told)


def _parts(incident: Incident) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(incident.details["past"].items(), key=lambda each: (-Decimal(each[1]["amount"]), each[0]))


def _of_part(incident: Incident, subject: str, part: Mapping[str, Any]) -> str:
    events = f"{part['events']:,} event{'s' if part['events'] != 1 else ''}"
    budgets = ", ".join(repr(budget["name"]) for budget in part["budgets"] if budget["name"])
    said = f"{money(incident, Decimal(part['amount']))} in {events}: {_LABELS[subject]}"
    if part["differs"]:
        pairs = (
            f"{name} {reserved or 'none'!r} reserved, {booked or 'none'!r} booked"
            for name, (reserved, booked) in part["differs"].items()
        )
        said += f" ({', '.join(pairs)})"
    return f"{said}; of {budgets}." if budgets else f"{said}."


def _whose(incident: Incident) -> str:
    key = incident.scope["key_id"]
    return f"key {value_of(incident, 'key_id', key)}" if key else "no known key"
