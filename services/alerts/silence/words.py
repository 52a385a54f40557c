"""The words of an incident about what is not heard of: sources, the book, the catalog. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import lasting, places, rounded, since, value_of
from services.alerts.incidents.words import Wording
from services.alerts.scopes import MINUTE
from spendmeter.contracts.money import EXACT, ZERO, plain

MINUTES = "minutes"
DAYS = "days"
"""Stand where others have a currency."""
NAMED_MAX = 5

_ACTIONS = {
    "one": "Look whether it runs and what ingest answers it; spendmeter unbooked --key {} lists what came of "
    "it and is not booked.",
    "several": "Look at what they share: a gateway, a network, a deployment; then at what ingest answers.",
    "all": "Look whether ingest can be reached and is ready (GET /ready); then at what is in front of it.",
    "lag": "Run spendmeter status: it says what stands still and why; what to do is in docs/stopped-line.md.",
    "pulled": "Run spendmeter catalog pull --list: it says what came of each pull.",
    "catalog": "Run spendmeter catalog pull, and look at what it proposes (docs/catalog-sources.md).",
}


@dataclass(frozen=True, kw_only=True)
class SilenceWording(Wording):
    """In minutes and days, where others count money."""

    def title(self, incident: Incident) -> str:
        """What is not heard of, and for how long."""
        over = "Over: " if incident.state == "resolved" else ""
        told = {"source": self._source_title, "lag": _lag_title, "catalog": _catalog_title}
        return over + told[incident.details["subject"]](incident)

    def summary(self, incident: Incident) -> str:
        """Since when, against what, and what hangs on it."""
        over = f"Over: {incident.resolution}. " if incident.state == "resolved" else ""
        told = {"source": _source_summary, "lag": _lag_summary, "catalog": _catalog_summary}
        return f"{over}{incident.tenant}: {told[incident.details['subject']](incident, self)}"

    def action(self, incident: Incident) -> str:
        """Where to look."""
        details = incident.details
        if details["subject"] == "catalog":
            return _ACTIONS["pulled" if details["scheduled"] else "catalog"]
        if details["subject"] == "lag":
            return _ACTIONS["lag"]
        if details["all"]:
            return _ACTIONS["all"]
        members = details["sources"]
        return _ACTIONS["one"].format(members[0]["key_id"]) if len(members) == 1 else _ACTIONS["several"]

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """Times, and of sources the money that they usually spend."""
        labels = {
            "source": ("silent", "usual longest pause"),
            "lag": ("behind", "told from"),
            "catalog": ("old", "told from"),
        }[incident.details["subject"]]
        amounts = (incident.amount, incident.expected)
        figures = [
            {
                "label": label,
                "amount": plain(amount),
                "unit": incident.currency,
                "text": f"{plain(amount)} {incident.currency}",
            }
            for label, amount in zip(labels, amounts, strict=True)
        ]
        if incident.details["subject"] == "source":
            money, unit = _money_a_day(incident), f"{incident.details['money']}/day"
            text = f"{places(money)} {unit}"
            figures.append({"label": "usually spent", "amount": plain(money), "unit": unit, "text": text})
        return figures

    def link(self, incident: Incident) -> str:
        """What was spent around it, of sources; the page of prices, of the catalog."""
        if incident.details["subject"] == "source":
            return super().link(incident)
        page = {"lag": "", "catalog": "catalog"}[incident.details["subject"]]
        return f"{self.portal_url.rstrip('/')}/#/{page}" if self.portal_url else ""

    def _source_title(self, incident: Incident) -> str:
        silent = f"for {lasting(int(incident.amount) * MINUTE)}"
        if incident.state == "resolved":
            return f"{_whose(incident)} {_was(incident)} silent {silent}"
        if incident.details["all"]:
            return f"nothing is heard of tenant {incident.tenant} {silent}: {_whose(incident)}"
        are = "is" if len(_told(incident)) == 1 else "are"
        return f"{_whose(incident)} {are} silent {silent}"


def _source_summary(incident: Incident, wording: SilenceWording) -> str:
    members = _told(incident)
    named = ", ".join(_member(each, incident, wording) for each in members[:NAMED_MAX])
    more = f" and {len(members) - NAMED_MAX} more" if len(members) > NAMED_MAX else ""
    money = f"{places(_money_a_day(incident))} {incident.details['money']}"
    spend = f"{'It spends' if len(members) == 1 else 'Together they spend'} {money} a day on average."
    if incident.state == "resolved":
        return f"{named}{more} {_was(incident)} not heard of {since(incident, wording.zone)}. {spend}"
    pause = lasting(int(incident.expected) * MINUTE)
    verb = "has" if len(members) == 1 else "have"
    return (
        f"{named}{more} {verb} sent nothing {since(incident, wording.zone)}; at this time of the week "
        f"{pause} is the longest that was usual in the last weeks. {spend}"
    )


def _member(member: Mapping[str, Any], incident: Incident, wording: SilenceWording) -> str:
    name = f"key {value_of(incident, 'key_id', member['key_id'])}"
    carries = ", ".join(f"{label} {value}" for label, value in member["carries"].items())
    back = ""
    if member["back_at"] not in ("", "gone"):
        at = datetime.fromisoformat(member["back_at"]).astimezone(wording.zone)
        back = f", heard again by {at:%Y-%m-%d %H:%M}"
    return name + (f" (mostly {carries})" if carries else "") + back


def _whose(incident: Incident) -> str:
    members = _told(incident)
    name = f"key {value_of(incident, 'key_id', members[0]['key_id'])}"
    return name if len(members) == 1 else f"{name} and {len(members) - 1} more"


def _told(incident: Incident) -> list[Mapping[str, Any]]:
    """Of an open incident those that are silent still."""
    members = list(incident.details["sources"])
    silent = [each for each in members if not each["back_at"]]
    return silent if silent and incident.state != "resolved" else members


def _was(incident: Incident) -> str:
    return "was" if len(_told(incident)) == 1 else "were"


def _money_a_day(incident: Incident) -> Decimal:
    money = ZERO
    for each in _told(incident):
        money = EXACT.add(money, Decimal(each["amount_a_day"]))
    return money


def _lag_title(incident: Incident) -> str:
    verb = "was" if incident.state == "resolved" else "is"
    return f"the book {verb} {lasting(int(incident.amount) * MINUTE)} behind"


def _lag_summary(incident: Incident, wording: SilenceWording) -> str:
    began = since(incident, wording.zone)
    if incident.state == "resolved":
        ended = (incident.resolved_at or incident.updated_at) - incident.began_at
        return f"what was accepted {began} was booked late; the book was behind for {lasting(ended)}."
    return (
        f"not all that was accepted {began} is in the book. Sums, budgets and alerts do not see it yet, "
        "and nothing is told of sources that fell silent meanwhile. Events wait in Kafka, by default for "
        "seven days."
    )


def _catalog_title(incident: Incident) -> str:
    if incident.state == "resolved":
        return "the price lists are up to date again"
    return f"the newest price list is {rounded(incident.amount)} days old"


def _catalog_summary(incident: Incident, wording: SilenceWording) -> str:
    said = incident.details["says"]
    told = f"no price was published and no price list read whole {since(incident, wording.zone)}."
    if incident.state == "resolved":
        return f"{told[:-1]} until then."
    how = "They are pulled" if incident.details["scheduled"] else "They are not pulled"
    why = f" The last pull came to nothing: {said}." if said else ""
    return f"{told} {how} by a schedule.{why} What vendors have changed since is priced as before."
