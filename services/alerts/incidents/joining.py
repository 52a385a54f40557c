"""One cause is one message: a budget, what is foretold of it and what spends it, told together where a
channel hears of them. Pure.

What was told first is the whole, the later one a part of it (`docs/decisions/one-cause-one-message.md`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.incidents.incident import PART_AT, Incident, event_of, is_corrected
from services.alerts.incidents.phrases import lasting, money
from services.alerts.incidents.repeats import growth
from services.alerts.incidents.snoozing import BUDGETED, is_snoozed
from services.alerts.incidents.withheld import lies_in
from spendmeter.contracts.incidents import IncidentEvent, IncidentKind, IncidentSeverity, Transition
from spendmeter.contracts.money import EXACT, ZERO, divided

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
A_DAY = timedelta(hours=25)
"""The longest."""
WITH_IT = " With it: "
_NO_SERIES = frozenset({"run", "user"})
_NO_BUDGETS_OWN = frozenset({"late", "values_beyond"})
"""In the details of what came late or stands for many."""
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


@dataclass(frozen=True, kw_only=True)
class Telling:
    """An incident by whose next message those who have heard of it are told of another one."""

    before: Incident
    after: Incident
    event: IncidentEvent | None = None
    """The message; None = who has heard of it knows already."""

    @property
    def raises(self) -> bool:
        """Whether it becomes critical by that."""
        return self.after.severity == "critical" != self.before.severity


def pairs(incident: Incident, current: Sequence[Incident]) -> list[Pair]:
    """What an incident that is about to be told may be told with, the newest first."""
    if not incident.told or _stands_apart(incident):
        return []
    kinds = {each.id: each.kind for each in current}
    found = []
    for other in sorted(current, key=lambda each: each.opened_at, reverse=True):
        if other.id == incident.id or not other.told or other.state == "resolved" or _stands_apart(other):
            continue
        budget, spending = (incident, other) if incident.kind in BUDGETED else (other, incident)
        if budget.kind not in BUDGETED or spending.kind not in SPENDING or not _may_be_one(budget, spending):
            continue
        if other is budget and other.parent is not None and kinds.get(other.parent) not in BUDGETED:
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


def told_first(incident: Incident, current: Sequence[Incident], now: datetime) -> Incident | None:
    """What was told first of the same budget in its period, and may tell of this one; None = nothing."""
    same = [each for each in current if each.state != "resolved" and are_of_one_budget(each, incident)]
    same.sort(key=_first_told)
    return next((each for each in same if tells_of(each, incident, now)), None)


def _first_told(incident: Incident) -> tuple[datetime, bool]:
    """Of two that one look opened, what has the other as its part was told first."""
    return incident.opened_at, incident.parent is not None


def are_of_one_budget(one: Incident, other: Incident) -> bool:
    """Whether two incidents say something of the same budget, unchanged, in the same period."""
    return one.id != other.id and _budget(one) is not None and _budget(one) == _budget(other)


def are_pair(whole: Incident, part: Incident) -> bool:
    """Whether one says what the other does to a limit; other parts were withheld."""
    return (whole.kind in BUDGETED or part.kind in BUDGETED) and whole.told and part.told


def tells_of(whole: Incident, part: Incident, now: datetime) -> bool:
    """Whether news of the part go out as the whole's. What is critical does not: where people have put the
    whole aside, acknowledged or snoozed, they might not see it."""
    if not are_pair(whole, part) or whole.state == "resolved" or is_snoozed(whole, now):
        return False
    if whole.parent == part.id:  # it was over and is open again: its own part does not tell of it
        return False
    return whole.state == "open" or part.severity != "critical"


def tellings(
    part: Incident,
    transition: Transition,
    thread: Sequence[Incident],
    open_parts: Sequence[Incident],
    at: datetime,
) -> list[Telling]:
    """Who may tell of a part, whoever was told first before the others: a channel hears it by the first of
    these that it has heard of. `thread`: what it is told with, and what else was told of that budget;
    `open_parts`: what is told with any of these and open, but for the part."""
    over = transition == "resolved"
    found = []
    for whole in thread:
        if transition in NEWS or (over and is_corrected(part) and tells_of(whole, part, at)):
            if tells_of(whole, part, at):
                found.append(_news(whole, part, transition, open_parts, at))
        elif over and ends_whole(whole, part, [each.kind for each in open_parts]):
            after = replace(whole, number=whole.number + 1, updated_at=max(at, whole.updated_at))
            found.append(Telling(before=whole, after=after, event=end_by_part(after, part)))
        else:
            found.append(Telling(before=whole, after=whole))
    return found


def _news(
    whole: Incident, part: Incident, transition: Transition, open_parts: Sequence[Incident], at: datetime
) -> Telling:
    """By a message of the whole; what is less grave than a burst, or its money again, is in its next one."""
    after = with_part(whole, part, at)
    said = {each["incident"]: each["severity"] for each in whole.details.get("parts", ())}
    known = transition == "grew" and said.get(str(part.id)) == part.severity
    less = _SEVERITIES.index(part.severity) < _SEVERITIES.index(whole.severity)
    if (known and any(_doubled(each, part) for each in (whole, *open_parts))) or (
        less and whole.kind in SPENDING
    ):
        return Telling(before=whole, after=replace(after, number=whole.number))
    return Telling(before=whole, after=after, event=event_of(after, "grew", at))


def _doubled(spending: Incident, budget: Incident) -> bool:
    """Whether what a budget came to since it was passed is mostly money whose growth is told already: of a
    burst each doubling is; a lasting shift says what each day costs."""
    if budget.kind != "budget" or budget.period_start is None or budget.period_end is None:
        return False
    told = spending.amount if spending.kind == "anomaly" else ZERO
    if spending.kind == "shift" and budget.period_end - budget.period_start <= A_DAY:
        told = Decimal(spending.details.get("per_day", 0))
    passed = divided(EXACT.multiply(budget.expected, budget.threshold_percent or ZERO), Decimal(100))
    return told > 0 and told >= EXACT.multiply(SHARE_MIN, EXACT.subtract(budget.amount, passed))


def with_part(whole: Incident, part: Incident, now: datetime) -> Incident:
    """The whole's next message: what it said, and the part with it, as severe as the severest."""
    said = {"incident": str(part.id), "kind": part.kind, "severity": part.severity, "title": part.title}
    kept = [each for each in whole.details.get("parts", ()) if each["incident"] != said["incident"]]
    severity = max((whole.severity, part.severity), key=_SEVERITIES.index)
    bare, account = whole.title.removesuffix(parts_in_title(whole.details)), whole.summary.split(WITH_IT)[0]
    bare = bare.replace(growth(whole), "")  # that was told
    at = max(now, whole.updated_at)
    details = {**whole.details, "parts": [said, *kept][:PARTS_MAX], PART_AT: at.isoformat()}
    return replace(
        whole, number=whole.number + 1, severity=severity, details=details, updated_at=at,
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
    if _NO_BUDGETS_OWN & set(incident.details):
        return True
    return incident.kind in BUDGETED and bool(_NO_SERIES & set(incident.scope))


def _budget(incident: Incident) -> tuple[object, ...] | None:
    """Which budget in which period it is about, last hours being one; None = it is about none by itself."""
    if incident.kind not in BUDGETED or _NO_BUDGETS_OWN & set(incident.details):
        return None
    budget = incident.rule_id.rpartition(":")[2]
    revision = incident.details.get("revision", incident.rule_revision)  # a burn's own is of its rule
    period = None if incident.details.get("last_hours") else incident.period_start
    return budget, revision, incident.scope_digest, period
