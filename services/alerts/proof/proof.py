"""What is wrong with the book itself: when that is news, and how it is said. Pure.

No rule sets it and nobody can switch it off: whoever reads amounts is to know that they are not proved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import Incident, IncidentFigures, episode_of, opened, with_figures
from services.alerts.incidents.phrases import lasting, since
from services.alerts.incidents.words import Wording
from spendmeter.contracts.money import plain

PROOF = "proof/"
"""Begins the rule's id of such an incident; what it is about follows."""
FINDINGS = "findings"
"""Stands where others have a currency: the amounts of such an incident are what was found."""
LOOKED_AGE_MAX = timedelta(minutes=1)
"""A reconciler looks twice a second; one that is started anew takes some seconds."""

_RULES = {
    "book": "The book is wrong",
    "line": "The line stands still",
    "reconciler": "Nothing is proved",
}
_TO_DO = {
    "book": "See what was found, and compare with a backup before anything is changed: spendmeter proof",
    "line": "Read why, and follow docs/stopped-line.md; where a ledger hangs, restart it: spendmeter status",
    "reconciler": "Read the reconciler's log, and restart it: spendmeter status",
}


@dataclass(frozen=True, kw_only=True)
class BookProof:
    """What the reconciler says of the book."""

    proved_at: datetime
    """When it looked last."""
    line: str
    """Why the line stood still then; '' = it moved."""
    number: int
    """Findings that nobody has seen, of the tenant or of nobody in particular; then the first of them."""
    found_at: datetime | None
    named: str | None
    what: str | None

    def troubles(self, now: datetime, listens_since: datetime) -> dict[str, tuple[datetime, str]]:
        """By subject, since when and what is wrong now. That a reconciler is away is not said before this
        worker has listened for as long: they may have been started together."""
        if now - self.proved_at > LOOKED_AGE_MAX:
            away = (self.proved_at, "the reconciler does not look at the book")
            return {"reconciler": away} if now - listens_since > LOOKED_AGE_MAX else {}
        found: dict[str, tuple[datetime, str]] = {}
        if self.found_at is not None:
            found["book"] = (self.found_at, f"{self.named}: {self.what}")
        if self.line:
            found["line"] = (now, self.line)
        return found


@dataclass(frozen=True, kw_only=True)
class ProofLook:
    """The proof of the book, as one tenant is told of it, at one moment."""

    tenant: str
    now: datetime
    listens_since: datetime
    proof: BookProof
    wording: "ProofWording"

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are open."""
        known = {incident.rule_id for incident in current if incident.state != "resolved"}
        return [
            self.wording.with_words(self._incident(subject, began, says))
            for subject, (began, says) in self._troubles.items()
            if PROOF + subject not in known
        ]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        subject = incident.rule_id.removeprefix(PROOF)
        if subject in self._troubles or self.now - self.proof.proved_at > LOOKED_AGE_MAX:
            return ""  # while nobody looks, nothing is known to be over
        return {"book": "all of it was seen by an operator, or put right", "line": "it moves again"}.get(
            subject, "it looks at the book again"
        )

    def renewed(self, incident: Incident) -> Incident:
        """The incident with what is known now."""
        said = self._troubles.get(incident.rule_id.removeprefix(PROOF))
        if said is not None:
            incident = replace(incident, details=dict(incident.details) | {"says": said[1]})
        return with_figures(incident, self._figures, self.now)

    @property
    def _troubles(self) -> Mapping[str, tuple[datetime, str]]:
        return self.proof.troubles(self.now, self.listens_since)

    @property
    def _figures(self) -> IncidentFigures:
        return IncidentFigures(amount=Decimal(self.proof.number))

    def _incident(self, subject: str, began: datetime, says: str) -> Incident:
        return opened(
            self.now,
            self._figures,
            tenant=self.tenant,
            kind="silence",
            rule_id=PROOF + subject,
            rule_revision=1,
            rule_name=_RULES[subject],
            scope={},
            episode=episode_of(began),
            began_at=began,
            currency=FINDINGS,
            severity="critical" if subject == "book" else "warning",
            details={"says": says},
        )


@dataclass(frozen=True, kw_only=True)
class ProofWording(Wording):
    """In findings, where others count money."""

    def title(self, incident: Incident) -> str:
        """The news in one line."""
        over = "Over: " if incident.state == "resolved" else ""
        return f"{over}{incident.rule_name}: {incident.details['says']}"

    def summary(self, incident: Incident) -> str:
        """What is wrong, since when, and what follows."""
        what = f"{incident.tenant}: {incident.details['says']}, {since(incident, self.zone)}"
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.opened_at)
            return f"Over: {incident.resolution}. {what}; the incident was open for {lasted}."
        return f"{what}. Up to when the book is proved: spendmeter proof."

    def action(self, incident: Incident) -> str:
        """One thing to do first."""
        return _TO_DO[incident.rule_id.removeprefix(PROOF)]

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """How many findings."""
        found = plain(incident.amount)
        return [{"label": "not seen", "amount": found, "unit": FINDINGS, "text": f"{found} findings"}]
