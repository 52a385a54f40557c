"""The words of an incident about a run that goes round and round. Pure."""

from dataclasses import dataclass, replace
from decimal import Decimal

from services.alerts.incidents.incident import Incident
from services.alerts.incidents.phrases import about, figures_of, lasting, money, since
from services.alerts.incidents.words import Wording
from spendmeter.contracts.money import presented


@dataclass(frozen=True, kw_only=True)
class LoopWording(Wording):
    """Of a run."""

    def title(self, incident: Incident) -> str:
        """How fast it goes, in money."""
        peak = f"{about(incident.peak_per_hour)} {incident.currency}/h"
        if incident.state == "resolved":
            return f"Over: {_run(incident)} went round and round at up to {peak}"
        if not incident.rate_per_hour:
            return f"{_run(incident)} went round and round at up to {peak}, and makes no calls now"
        if _goes_on(incident):
            return f"{_run(incident)} goes round and round at {peak}"
        return f"{_run(incident)} goes round and round at up to {peak}, {about(incident.rate_per_hour)} now"

    def summary(self, incident: Incident) -> str:
        """How many calls, against what, what speaks for a loop."""
        details, began = incident.details, since(incident, self.zone)
        calls = f"{int(details['calls']):,} calls"
        spent = f"{money(incident, incident.amount)} in {calls}, {began}"
        if incident.state == "resolved":
            lasted = lasting((incident.resolved_at or incident.updated_at) - incident.began_at)
            ended = f"Over: {incident.resolution}. {incident.tenant}: "
            return f"{ended}{_run(incident)} spent {spent}, in {lasted}."
        sentences = [
            f"{incident.tenant}: {_run(incident)} has spent {spent}; {_pace(incident)}.",
            *_signs(incident),
        ]
        return " ".join(sentences)

    def action(self, incident: Incident) -> str:
        """Stop it, and give it a limit."""
        workflow = incident.scope.get("workflow", "")
        where = f" of workflow {workflow}" if workflow else ""
        return (
            f"Stop run {incident.scope['run']}{where} unless somebody expects this; a hard budget for each "
            "run would stop the next one by itself."
        )

    def figures(self, incident: Incident) -> list[dict[str, str]]:
        """Money, and calls."""
        rate = f"{incident.currency}/h"
        told = [
            ("highest rate", incident.peak_per_hour, rate),
            ("spent by the run", incident.amount, incident.currency),
        ]
        if incident.state != "resolved":
            told.append(("rate at the last look", incident.rate_per_hour, rate))
        if incident.of_which_provisional > 0:
            told.append(("of it priced by an upper bound", incident.of_which_provisional, incident.currency))
        calls = incident.details["calls"]
        return [
            *figures_of(told),
            {"label": "calls", "amount": calls, "unit": "events", "text": f"{int(calls):,}"},
        ]

    def link(self, incident: Incident) -> str:
        """What its workflow spent around it: runs are no dimension of the portal's explorer."""
        shown = {name: value for name, value in incident.scope.items() if name != "run"}
        return super().link(replace(incident, scope=shown))


def _run(incident: Incident) -> str:
    workflow = incident.scope.get("workflow", "")
    return f"run {incident.scope['run']}" + (f" of workflow {workflow}" if workflow else "")


def _goes_on(incident: Incident) -> bool:
    """Whether it goes half as fast as it did, at least: so much differs from look to look."""
    return 2 * incident.rate_per_hour >= incident.peak_per_hour


def _pace(incident: Incident) -> str:
    """How fast it goes; its calls a minute are those of when it was found."""
    calls = f"{presented(Decimal(incident.details['calls_a_minute']), 0)} calls a minute"
    peak, now = (money(incident, each) for each in (incident.peak_per_hour, incident.rate_per_hour))
    if not incident.rate_per_hour:
        return f"it made {calls}, {peak} an hour, and has made none within the last minute"
    if _goes_on(incident):
        return f"it makes {calls}, {now} an hour at this pace"
    return f"it made {calls} when it was found, up to {peak} an hour, {now} now"


def _signs(incident: Incident) -> list[str]:
    """What speaks for a loop, a sentence each."""
    details = incident.details
    signs = []
    if "times_as_fast" in details:
        fast, long = (presented(Decimal(details[name]), 1) for name in ("times_as_fast", "times_as_long"))
        signs.append(
            f"Of a hundred runs of this workflow 95 are slower and shorter: it is {fast} times as fast as "
            f"those, and {long} times as long."
        )
    else:
        signs.append("There are no earlier runs of this workflow to compare it with.")
    if (growth := Decimal(details["growth"])) >= Decimal("1.5"):
        signs.append(f"A call costs {presented(growth, 1)} times what it did: its context grows.")
    if details["lacks_outcome"]:
        signs.append("It has no outcome, where most of them have one.")
    return signs
