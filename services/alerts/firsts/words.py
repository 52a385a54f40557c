"""The words of an incident about what spends for the first time, or has no price. Pure."""

from dataclasses import dataclass

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import figures_of, money, rounded, since, value_of
from services.alerts.incidents.words import Wording, summary_of_where

_NAMES = {"sku": "model", "provider": "provider", "key_id": "key", "agent": "agent"}
_ACTIONS = {
    "model": "Ask whether {} is meant to be used, and what it replaces; compare it in the portal.",
    "provider": "Ask whether there is a contract with {}, and whether its prices are in the catalog.",
    "key": "Find the owner of key {}; revoke it if nobody expects this.",
    "agent": "Ask whose agent {} is; stop it if nobody expects this.",
    "unpriced": "Give {} a price: its inbox item proposes one, and what is booked is priced anew.",
}


@dataclass(frozen=True, kw_only=True)
class FirstWording(Wording):
    """Of what is new."""

    def title(self, incident: Incident) -> str:
        """What is new, and what it has come to."""
        over = "Over: " if incident.state == "resolved" else ""
        if incident.details["subject"] == "unpriced":
            return f"{over}{_what(incident)} has no price: {_lacking(incident)}"
        first = "spends for the first time" if incident.details["why"] == "first" else "spends again"
        return f"{over}{_what(incident)} {first}: {rounded(incident.amount)} {incident.currency}"

    def summary(self, incident: Incident) -> str:
        """What is new, where it is used, since when."""
        details, began = incident.details, since(incident, self.zone)
        ended = f"Over: {incident.resolution}. " if incident.state == "resolved" else ""
        if details["subject"] == "unpriced":
            said = (
                f"{ended}{incident.tenant}: {_what(incident)} has no price. {details['unpriced_events']} of "
                f"its {details['events']} events since yesterday are booked without an amount, and "
                f"{money(incident, incident.of_which_provisional)} are an upper bound."
            )
        else:
            never = "was never seen before" if details["why"] == "first" else "had not spent for long"
            said = (
                f"{ended}{incident.tenant}: {_what(incident)} {never}; it has spent "
                f"{money(incident, incident.amount)} in {details['events']} events {began}."
            )
        return " ".join(filter(None, (said, summary_of_where(incident))))

    def action(self, incident: Incident) -> str:
        """Whom to ask."""
        name = next(value_of(incident, *each) for each in _named(incident))
        return _ACTIONS[incident.details["subject"]].format(name)

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """Money and events."""
        told = [
            ("spent since it began", incident.amount, incident.currency),
            ("highest rate", incident.peak_per_hour, f"{incident.currency}/h"),
            ("of it priced by an upper bound", incident.of_which_provisional, incident.currency),
        ]
        if incident.details["subject"] == "unpriced":
            told = told[2:]
        lacking = incident.details["unpriced_events"]
        events = [("events", incident.details["events"]), ("events without a price", lacking)]
        return figures_of(told) + [
            {"label": label, "amount": count, "unit": "events", "text": f"{int(count):,} events"}
            for label, count in events
            if count != "0"
        ]


def _named(incident: Incident) -> list[tuple[str, str]]:
    dimensions = sorted(incident.scope.items(), key=lambda item: item[0] == "provider")
    return dimensions[:1]


def _what(incident: Incident) -> str:
    [(dimension, value)] = _named(incident)
    of = incident.details["provider"] if dimension == "sku" else ""
    return f"{_NAMES[dimension]} {value_of(incident, dimension, value)}" + (f" of {of}" if of else "")


def _lacking(incident: Incident) -> str:
    events = incident.details["unpriced_events"]
    if events == "0":
        return f"{rounded(incident.of_which_provisional)} {incident.currency} are an upper bound"
    return f"{events} events are booked without an amount"
