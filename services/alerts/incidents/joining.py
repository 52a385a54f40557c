"""One cause is one message: a budget and what spends it, told together where a channel hears of both. Pure.

What was told first is the whole, the later one a part of it (`docs/decisions/one-cause-one-message.md`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import Incident, event_of
from services.alerts.incidents.phrases import lasting, money
from services.alerts.incidents.snoozing import BUDGETED, is_snoozed
from services.alerts.incidents.withheld import lies_in
from spendmeter.contracts.incidents import IncidentEvent, IncidentKind, IncidentSeverity, Transition
from spendmeter.contracts.money import EXACT

SPENDING: frozenset[IncidentKind] = frozenset({"anomaly", "loop", "shift"})
"""Kinds that say who spends; budgets, forecasts and burns say what it does to a limit."""
NEWS: frozenset[Transition] = frozenset({"opened", "grew", "repeated"})
SHARE_MIN = Decimal("0.5")
"""Of what the budget came to since the other one began, from which on the cause is the same."""
LOOKED_BACK_MAX = timedelta(hours=2)
"""What began earlier is judged by so long."""
BEFORE_MAX = timedelta(minutes=5)
"""A budget that was broken so long before the money began, or longer, was broken by other money."""
COMPARED_MAX = 8
"""Incidents that one is held against, the newest."""
PARTS_MAX = 8
WITH_IT = " With it: "
_NO_SERIES = frozenset({"run", "user"})
_SEVERITIES: tuple[IncidentSeverity, ...] = ("info", "warning", "critical")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A budget's incident and one of who spends, which may have the same cause."""

    other: Incident
    """Which of the two is open already."""
    budget: Incident
    spending: Incident

    def since(self, now: datetime) -> datetime:
        """From which minute on their money is compared."""
        began = self.spending.began_at
        if self.budget.period_start is not None:
            began = max(began, self.budget.period_start)
        return max(began, now - LOOKED_BACK_MAX).replace(second=0, microsecond=0)

    def scopes(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The budget's money; and what of it is the other one's, of a run its workflow's."""
        of_series = {name: value for name, value in self.spending.scope.items() if name not in _NO_SERIES}
        return self.budget.scope, {**self.budget.scope, **of_series}

    def is_one_cause(self, of_budget: Decimal, of_both: Decimal) -> bool:
        """Whether enough of the budget's money is the other one's; a run's by what is known of the run."""
        part = min(of_both, self.spending.amount) if "run" in self.spending.scope else of_both
        return of_budget > 0 and part >= EXACT.multiply(SHARE_MIN, of_budget)


def pairs(incident: Incident, current: Sequence[Incident]) -> list[Pair]:
    """What an incident that is about to be told may be told with, the newest first."""
    if not incident.told or _stands_apart(incident):
        return []
    found = []
    for other in sorted(current, key=lambda each: each.opened_at, reverse=True):
        if other.id == incident.id or not other.told or other.state == "resolved" or _stands_apart(other):
            continue
        budget, spending = (incident, other) if incident.kind in BUDGETED else (other, incident)
        if budget.kind not in BUDGETED or spending.kind not in SPENDING or not _may_be_one(budget, spending):
            continue
        if other is budget and other.parent is not None:
            continue  # it has its cause, and this is another one
        found.append(Pair(other=other, budget=budget, spending=spending))
    return found[:COMPARED_MAX]


def whole_of(
    incident: Incident, found: Sequence[Pair], current: Sequence[Incident], now: datetime
) -> Incident | None:
    """With what it is told: of the pairs that have one cause the first, or what that is told with."""
    known = {each.id: each for each in current}
    for pair in found:
        around = known.get(pair.other.parent) if pair.other.parent is not None else None
        for whole in (around, pair.other):
            if whole is not None and tells_of(whole, incident, now):
                return whole
    return None


def are_pair(whole: Incident, part: Incident) -> bool:
    """Whether one says what the other does to a limit; other parts were withheld."""
    return (whole.kind in BUDGETED or part.kind in BUDGETED) and whole.told and part.told


def tells_of(whole: Incident, part: Incident, now: datetime) -> bool:
    """Whether news of the part go out as the whole's. What is critical does not: where people have put the
    whole aside, acknowledged or snoozed, they might not see it."""
    if not are_pair(whole, part) or whole.state == "resolved" or is_snoozed(whole, now):
        return False
    return whole.state == "open" or part.severity != "critical"


def with_part(whole: Incident, part: Incident, now: datetime) -> Incident:
    """The whole's next message: what it said, and the part with it, as severe as the severest."""
    said = {"incident": str(part.id), "kind": part.kind, "severity": part.severity, "title": part.title}
    kept = [each for each in whole.details.get("parts", ()) if each["incident"] != said["incident"]]
    severity = max((whole.severity, part.severity), key=_SEVERITIES.index)
    bare, account = whole.title.removesuffix(parts_in_title(whole.details)), whole.summary.split(WITH_IT)[0]
    details = {**whole.details, "parts": [said, *kept][:PARTS_MAX]}
    return replace(
        whole, number=whole.number + 1, severity=severity, details=details,
        updated_at=max(now, whole.updated_at),
        title=bare + parts_in_title(details), summary=f"{account}{WITH_IT}{part.summary}",
    )  # fmt: skip


def parts_in_title(details: Mapping[str, object]) -> str:
    """What stands behind the title: the newest part, and how many more there are; '' = there is none."""
    parts = details.get("parts")
    if not isinstance(parts, list) or not parts:
        return ""
    more = f" and {len(parts) - 1} more" if parts[1:] else ""
    return f"; with it {parts[0]['title']}{more}"


def ends_whole(whole: Incident, part: Incident, open_kinds: Sequence[IncidentKind]) -> bool:
    """Whether with the part, which is over, all is over that spent; `open_kinds`: of the parts that are open.
    A whole that spends ends by itself."""
    if whole.state == "resolved" or whole.kind not in BUDGETED or part.kind not in SPENDING:
        return False
    return not SPENDING & set(open_kinds)


def end_by_part(whole: Incident, part: Incident) -> IncidentEvent:
    """What is said, once, when the last that spent is over, and the limit that it broke stays broken: the
    whole's next message, which has to be written with that number."""
    lasted = lasting((part.resolved_at or part.updated_at) - min(part.began_at, whole.opened_at))
    cost = money(part, part.amount)
    stays = f"{whole.title.removesuffix(parts_in_title(whole.details))} (that stays so)"
    over = replace(
        whole, state="resolved", resolved_at=part.resolved_at, resolution=part.resolution,
        title=f"{part.title}; with it {stays}",
        summary=f"{part.summary} In all it cost {cost} within {lasted}. {whole.summary}",
    )  # fmt: skip
    return event_of(over, "resolved", part.updated_at)


def _may_be_one(budget: Incident, spending: Incident) -> bool:
    if budget.currency != spending.currency or budget.opened_at < spending.began_at - BEFORE_MAX:
        return False
    if "run" in spending.scope:
        return lies_in(spending, budget.scope)
    return all(spending.scope.get(name, value) == value for name, value in budget.scope.items())


def _stands_apart(incident: Incident) -> bool:
    """What came late or stands for many, and what is counted by what is no series."""
    if {"late", "values_beyond"} & set(incident.details):
        return True
    return incident.kind in BUDGETED and bool(_NO_SERIES & set(incident.scope))
