"""Runs that go round and round: fast or long beyond what is usual of their workflow, and dear. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    in_other_money,
    opened,
    with_figures,
)
from services.alerts.incidents.withheld import LIES_IN
from services.alerts.incidents.words import Wording
from services.alerts.rates import per_hour
from services.alerts.scopes import MINUTE
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO, divided, plain

WINDOW = timedelta(minutes=5)
"""What a run did in it says how fast it is. A run that has not called for so long is over."""
SETTLING = timedelta(seconds=20)
"""So much of a run is seen before it is judged, and 20 s of calls at most make a minute's pace."""
RUNS_MAX = 500
"""That are followed, the dearest."""
READINGS_MAX = 64
USUAL_RUNS_MIN = 20
"""So many runs of a workflow say what is usual. Without them a run has to be NEW_FACTOR times as dear."""
NEW_FACTOR = Decimal(4)
GROWTH_MIN = Decimal("1.5")
"""A call costs so many times what it did: the context grows, as it does where a loop feeds on itself."""
OUTCOME_SHARE_MIN = Decimal("0.5")
"""Where so many of a workflow's runs have an outcome, one without is suspicious."""
SUSPICION = Decimal(2)
"""Each of the two makes half of the ratio enough."""
OPEN_MAX = 20
"""Incidents of a tenant at once, the dearest runs first."""


class RunReading(NamedTuple):
    """A run as it was read at a moment: all of it since its beginning."""

    at: datetime
    calls: int
    effective: Decimal


@dataclass(kw_only=True)
class RunningRun:
    """A run that is under way, and its last readings, the oldest first."""

    run: str
    workflow: str
    first_at: datetime
    last_at: datetime
    provisional: Decimal
    readings: deque[RunReading] = field(default_factory=lambda: deque(maxlen=READINGS_MAX))

    @property
    def now(self) -> RunReading:
        """As it was read last."""
        return self.readings[-1]

    def since(self, at: datetime) -> tuple[int, Decimal, timedelta]:
        """Calls, money and time of the last WINDOW, as far as they were seen."""
        start = next((each for each in self.readings if each.at >= at - WINDOW), self.now)
        if self.first_at >= at - WINDOW:  # all of it lies within
            return self.now.calls, self.now.effective, max(at - self.first_at, SETTLING)
        return self.now.calls - start.calls, self.now.effective - start.effective, self.now.at - start.at

    def growth(self) -> Decimal:
        """How many times as much a call costs as it did; 1 = nothing is known."""
        steps = [
            (later.calls - earlier.calls, later.effective - earlier.effective)
            for earlier, later in zip(self.readings, list(self.readings)[1:], strict=False)
            if later.calls > earlier.calls
        ]
        first = self.readings[0]
        if first.calls and first.effective > 0:
            steps.insert(0, (first.calls, first.effective))
        third = len(steps) // 3
        if not third:
            return Decimal(1)
        early, late = _cost_of_a_call(steps[:third]), _cost_of_a_call(steps[-third:])
        return divided(late, early) if early > 0 else Decimal(1)


def _cost_of_a_call(steps: Iterable[tuple[int, Decimal]]) -> Decimal:
    calls, amounts = zip(*steps, strict=True)
    return divided(sum(amounts, ZERO), Decimal(sum(calls)))


@dataclass(frozen=True, kw_only=True)
class UsualRuns:
    """How runs of a workflow usually go: their 95th percentiles."""

    runs: int
    calls: Decimal
    calls_a_minute: Decimal
    with_outcome: int

    @property
    def has_outcomes(self) -> bool:
        """Whether its runs end with an outcome, as a rule."""
        return self.with_outcome >= OUTCOME_SHARE_MIN * self.runs


class Loop(NamedTuple):
    """What makes a run one."""

    calls_a_minute: Decimal
    rate_per_hour: Decimal
    times_as_fast: Decimal | None
    times_as_long: Decimal | None
    """Of what is usual; None = nothing is."""
    growth: Decimal
    lacks_outcome: bool


def loop_of(
    run: RunningRun, usual: UsualRuns | None, rule: AlertRule, now: datetime, *, has_outcome: bool
) -> Loop | None:
    """What makes the run a loop by this rule; None = it is none, or too little of it was seen."""
    calls, amount, seen = run.since(now)
    if seen < SETTLING or calls < rule.number("calls_min") or run.now.effective < rule.number("amount_min"):
        return None
    pace = divided(Decimal(calls) * 60, Decimal(max(1, round(seen.total_seconds()))))
    rate, growth = per_hour(amount, seen), run.growth()
    least_rate = rule.number("amount_per_hour_min")
    known = usual is not None and usual.runs >= USUAL_RUNS_MIN
    lacks_outcome = bool(known and usual and usual.has_outcomes and not has_outcome)
    if not known or usual is None:
        new = rate >= EXACT.multiply(NEW_FACTOR, least_rate) and not has_outcome
        return Loop(pace, rate, None, None, growth, lacks_outcome) if new else None
    needed = rule.number("ratio_min")
    for suspicious in (growth >= GROWTH_MIN, lacks_outcome):
        needed = divided(needed, SUSPICION) if suspicious else needed
    faster, longer = divided(pace, usual.calls_a_minute), divided(Decimal(run.now.calls), usual.calls)
    if rate < least_rate or max(faster, longer) < max(needed, Decimal("1.2")):
        return None
    return Loop(pace, rate, faster, longer, growth, lacks_outcome)


@dataclass(frozen=True, kw_only=True)
class LoopLook:
    """One tenant's runs that are under way, at one moment."""

    tenant: str
    now: datetime
    currency: str
    rules: Sequence[AlertRule]
    runs: Mapping[tuple[str, str], RunningRun]
    """By workflow and run."""
    usual: Mapping[str, UsualRuns]
    """By workflow."""
    with_outcome: Collection[str]
    folded_through: datetime | None
    """Up to when runs are complete; None = nobody can say."""
    wording: Wording
    lying: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """By workflow and run of those about to be told: the values of dimensions that have their money."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, given those that are known."""
        ours = [incident for incident in current if incident.kind == "loop"]
        told = {place_of(incident) for incident in ours}
        room = OPEN_MAX - sum(incident.state != "resolved" for incident in ours)
        found = [
            self._incident(rule, run, loop)
            for rule in self.rules
            for place, run in self.runs.items()
            if place not in told and (loop := self._loop(rule, run)) is not None
        ]
        dearest = sorted(found, key=lambda incident: (-incident.rate_per_hour, incident.id))
        first = {place_of(incident): incident for incident in reversed(dearest)}
        once = [incident for incident in dearest if first[place_of(incident)] is incident]
        return [self.wording.with_words(incident) for incident in once[: max(0, room)]]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not. What is not booked yet may still call."""
        if self.folded_through is None:
            return ""
        run = self.runs.get(place_of(incident))
        last_at = run.last_at if run is not None else incident.hot_at
        return "the run has stopped calling" if self.folded_through - last_at >= WINDOW else ""

    def renewed(self, incident: Incident) -> Incident:
        """The incident with the figures of now; of a run that is gone, or goes on in other money, with those
        it had and a rate of 0."""
        run = self.runs.get(place_of(incident))
        if run is None or in_other_money(incident, self.currency):
            return replace(incident, updated_at=self.now, rate_per_hour=ZERO)
        details = {**incident.details, "calls": str(run.now.calls)}
        return with_figures(replace(incident, details=details), self._figures(run), self.now)

    def _loop(self, rule: AlertRule, run: RunningRun) -> Loop | None:
        if any(run.workflow != value for name, value in rule.filter.items() if name == "workflow"):
            return None
        has_outcome = run.run in self.with_outcome
        return loop_of(run, self.usual.get(run.workflow), rule, self.now, has_outcome=has_outcome)

    def _incident(self, rule: AlertRule, run: RunningRun, loop: Loop) -> Incident:
        details = {
            "run": run.run,
            "calls": str(run.now.calls),
            "calls_a_minute": plain(loop.calls_a_minute),
            "growth": plain(loop.growth),
            "lacks_outcome": loop.lacks_outcome,
            LIES_IN: dict(self.lying.get((run.workflow, run.run), {})),
        }
        for name in ("times_as_fast", "times_as_long"):
            if (times := getattr(loop, name)) is not None:
                details[name] = plain(times)
        return opened(
            self.now,
            self._figures(run),
            tenant=self.tenant,
            kind="loop",
            **by_rule(rule, run.first_at),
            scope={"run": run.run} | ({"workflow": run.workflow} if run.workflow else {}),
            currency=self.currency,
            details=details,
        )

    def _figures(self, run: RunningRun) -> IncidentFigures:
        _, amount, seen = run.since(self.now)
        return IncidentFigures(
            amount=run.now.effective,
            rate_per_hour=per_hour(amount, seen) if self.now - run.last_at < MINUTE else ZERO,
            of_which_provisional=run.provisional,
        )


def place_of(incident: Incident) -> tuple[str, str]:
    """A loop's workflow and run."""
    return incident.scope.get("workflow", ""), incident.scope["run"]
