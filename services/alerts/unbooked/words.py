"""The words of an incident about what is not booked. Pure."""

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlencode

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import lasting, percent, since, value_of
from services.alerts.incidents.words import Wording
from spendmeter.contracts.money import plain

WINDOW = timedelta(minutes=5)
"""What is counted. It is the quiet time as well: what has left it is no trouble any more."""
MINUTES = WINDOW // timedelta(minutes=1)
PER_HOUR = timedelta(hours=1) // WINDOW
_IN = f"in {MINUTES} minutes"

_TO_DO = {
    "rejected": "Put right what the reason names and send them again; spendmeter unbooked --key {} "
    "lists them.",
    "conflict": "Look whether two senders share a source and its ids, or a retry says something else than "
    "the first try; spendmeter unbooked --key {} lists them.",
}


@dataclass(frozen=True, kw_only=True)
class UnbookedWording(Wording):
    """In events, where others count money."""

    def with_words(self, incident: Incident) -> Incident:
        """The incident with the words that its figures deserve."""
        key = incident.scope["key_id"]
        names = {**incident.key_names, **self.key_names}
        incident = replace(incident, key_names={key: names[key]} if key in names else {})
        fault = incident.top_contributor["dimensions"]
        return replace(
            incident,
            title=_title(incident),
            summary=f"{_what(incident, self)} {_mostly(incident)}",
            suggested_action=_TO_DO[fault["outcome"]].format(key or "''"),
            figures=_figures(incident),
            link=_link(incident, self.portal_url),
        )


def _title(incident: Incident) -> str:
    if incident.state == "resolved":
        return f"Over: up to {_most(incident)} events of {_whose(incident)} {_IN} were not booked"
    return f"{plain(incident.amount)} events of {_whose(incident)} {_IN} are not booked"


def _what(incident: Incident, wording: Wording) -> str:
    began, whose = since(incident, wording.zone), f"events of {_whose(incident)}"
    if incident.state == "resolved":
        lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
        return (
            f"Over: {incident.resolution}. {incident.tenant}: up to {_most(incident)} {whose} {_IN} were "
            f"rejected or in conflict, {began}; the incident was open for {lasted}."
        )
    return (
        f"{incident.tenant}: {plain(incident.amount)} {whose} {_IN} were rejected or in conflict, {began}; "
        f"that is told from {plain(incident.expected)} on. None of them is in the book."
    )


def _mostly(incident: Incident) -> str:
    top = incident.top_contributor
    fault = top["dimensions"]
    return f"{percent(Decimal(top['share']))} of them: {fault['outcome']}, {fault['fault']}."


def _figures(incident: Incident) -> list[dict[str, str]]:
    told = (
        (f"not booked {_IN}", plain(incident.amount)),
        (f"most {_IN}", _most(incident)),
        ("told from", plain(incident.expected)),
    )
    return [
        {"label": label, "amount": events, "unit": incident.currency, "text": f"{int(events):,} events"}
        for label, events in told
    ]


def _most(incident: Incident) -> str:
    return plain(incident.peak_per_hour // PER_HOUR)


def _whose(incident: Incident) -> str:
    key = incident.scope["key_id"]
    return f"key {value_of(incident, 'key_id', key)}" if key else "no known key"


def _link(incident: Incident, portal_url: str) -> str:
    query = urlencode({"key": incident.scope["key_id"]})
    return f"{portal_url.rstrip('/')}/#/unbooked?{query}" if portal_url else ""
