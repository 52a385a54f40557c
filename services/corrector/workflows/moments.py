"""Moments of workflows: what the runs of one day come to, by workflow, version, team and currency. Pure.

A run is wholly of the last day on which it did something, and of the team that most of its events name. What
of it names no workflow, or no version, is of the version that most of its events name.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Struct

from services.corrector.workflows.outcome_steps import (
    FIGURES,
    OutcomeStep,
    SaidOutcome,
    add_figures,
    plus,
    steps_of,
)
from spendmeter.contracts.money import ZERO

DEAR_MIN, DEAR_MAX, DEAR_SHARE = 20, 1_000, 20
"""Of the dearest runs of a day so many are kept, and one of so many."""


class RunDaySum(Struct, frozen=True, gc=False):
    """What counts of a row of `run_days`."""

    day: date
    run: str
    workflow: str
    workflow_version: str
    team: str
    currency: str
    events: int
    unpriced_events: int
    calls: int
    failed_calls: int
    ai: Decimal
    human: Decimal
    adjacent: Decimal
    of_which_provisional: Decimal
    labour_hours: Decimal
    first_at: datetime
    last_at: datetime


class CostMoment(Struct, gc=False):
    """Figures of a row of `workflow_days`."""

    runs: int = 0
    events: int = 0
    unpriced_events: int = 0
    calls: int = 0
    failed_calls: int = 0
    ai: Decimal = ZERO
    human: Decimal = ZERO
    adjacent: Decimal = ZERO
    without_run: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    labour_hours: Decimal = ZERO
    cycle_runs: int = 0
    cycle_s: Decimal = ZERO


class DearRun(Struct, frozen=True, gc=False, order=True):
    """A row of `workflow_dear_runs`, but for its tenant, workflow, version, day and currency."""

    cost: Decimal
    run: str
    team: str
    calls: int
    ai: Decimal
    human: Decimal
    adjacent: Decimal
    labour_hours: Decimal
    outcomes: Any


@dataclass(frozen=True, order=True)
class WorkflowVersion:
    """A version of a workflow."""

    workflow: str
    version: str


_AMOUNTS = ("ai", "human", "adjacent", "of_which_provisional", "unpriced_events")
_COUNTS = ("events", "calls", "failed_calls", "labour_hours")


class DayMoments:
    """Adds up the runs of one day, in any order; what it holds is bounded by workflows, teams and days that
    outcomes took, not by runs."""

    def __init__(self, day: date) -> None:
        self.day = day
        self.costs: defaultdict[tuple[WorkflowVersion, str, str], CostMoment] = defaultdict(CostMoment)
        """By version, team and currency."""
        self.steps: dict[tuple[WorkflowVersion, str, str, str, int], OutcomeStep] = {}
        """By version, team, name, currency and lag."""
        self._dear: defaultdict[tuple[WorkflowVersion, str], list[DearRun]] = defaultdict(list)
        self._runs: Counter[tuple[WorkflowVersion, str]] = Counter()

    def add_run(self, rows: Sequence[RunDaySum], outcomes: Sequence[SaidOutcome]) -> None:
        """Count a run: all its days' rows, and what it achieved."""
        names = flows_named(rows, outcomes)
        of: defaultdict[WorkflowVersion, list[RunDaySum]] = defaultdict(list)
        achieved: defaultdict[WorkflowVersion, list[SaidOutcome]] = defaultdict(list)
        for row in rows:
            if flow := flow_of(row.workflow, row.workflow_version, names):
                of[flow].append(row)
        for each in outcomes:
            if flow := flow_of(each.workflow, each.workflow_version, names):
                achieved[flow].append(each)
        for flow in of.keys() | achieved.keys():
            self._add(flow, of[flow], achieved[flow])

    def add_without_run(self, row: RunDaySum) -> None:
        """Count what names a workflow and no run: in no run, and in what the workflow cost."""
        moment = self.costs[WorkflowVersion(row.workflow, row.workflow_version), row.team, row.currency]
        add_figures(moment, row, _AMOUNTS + _COUNTS)
        moment.without_run = plus(moment.without_run, cost_of(row))

    def add_outcome_without_run(self, said: SaidOutcome) -> None:
        """Count an outcome that names a workflow and no run that is known. It happened on this day."""
        if said.workflow:
            self._step_all(WorkflowVersion(said.workflow, said.workflow_version), said.team, [said])

    def dear(self) -> Iterable[tuple[WorkflowVersion, str, DearRun]]:
        """The dearest runs of each version and currency."""
        for (flow, currency), found in self._dear.items():
            kept = max(DEAR_MIN, -(-self._runs[flow, currency] // DEAR_SHARE))
            for run in heapq.nlargest(kept, found):
                yield flow, currency, run

    def _add(self, flow: WorkflowVersion, rows: Sequence[RunDaySum], outcomes: Sequence[SaidOutcome]) -> None:
        team = most_named((row.team, row.events) for row in rows)
        steps = self._step_all(flow, team, outcomes)
        main = most_named((row.currency, row.events) for row in rows)
        by_currency: defaultdict[str, CostMoment] = defaultdict(CostMoment)
        for row in rows:
            add_figures(by_currency[row.currency], row, _AMOUNTS + _COUNTS)
        for currency, of_run in by_currency.items():
            moment = self.costs[flow, team, currency]
            add_figures(moment, of_run, _AMOUNTS)
            self._keep_dear(flow, currency, rows[0].run, team, of_run, steps)
        if not rows:
            return
        moment = self.costs[flow, team, main]
        moment.runs += 1
        for of_run in by_currency.values():
            add_figures(moment, of_run, _COUNTS)
        if outcomes:
            took = min(each.at for each in outcomes) - min(row.first_at for row in rows)
            moment.cycle_runs += 1
            moment.cycle_s += max(ZERO, Decimal(took.days * 86_400 + took.seconds))

    def _step_all(
        self, flow: WorkflowVersion, team: str, outcomes: Sequence[SaidOutcome]
    ) -> list[OutcomeStep]:
        steps = steps_of(outcomes, self.day)
        for step in steps:
            key = (flow, team, step.name, step.currency, step.lag)
            sums = self.steps.setdefault(key, OutcomeStep(step.name, step.currency, step.lag))
            add_figures(sums, step, FIGURES)
        return steps

    def _keep_dear(
        self,
        flow: WorkflowVersion,
        currency: str,
        run: str,
        team: str,
        of_run: CostMoment,
        steps: Sequence[OutcomeStep],
    ) -> None:
        self._runs[flow, currency] += 1
        kept = self._dear[flow, currency]
        cost = cost_of(of_run)
        if len(kept) >= DEAR_MAX and cost <= kept[0].cost:
            return
        found = DearRun(
            cost, run, team, of_run.calls, of_run.ai, of_run.human, of_run.adjacent, of_run.labour_hours,
            msgspec.to_builtins(steps, builtin_types=(Decimal,)),
        )  # fmt: skip
        (heapq.heappush if len(kept) < DEAR_MAX else heapq.heapreplace)(kept, found)


def flows_named(rows: Iterable[RunDaySum], outcomes: Iterable[SaidOutcome]) -> Counter[WorkflowVersion]:
    """The versions that a run names, by how many events do; an outcome names one without weight."""
    named: Counter[WorkflowVersion] = Counter()
    for row in rows:
        if row.workflow:
            named[WorkflowVersion(row.workflow, row.workflow_version)] += row.events
    for each in outcomes:
        if each.workflow:
            named[WorkflowVersion(each.workflow, each.workflow_version)] += 0
    return named


def flow_of(workflow: str, version: str, names: Counter[WorkflowVersion]) -> WorkflowVersion | None:
    """Whose it is; None = the run names no workflow at all."""
    if workflow and version:
        return WorkflowVersion(workflow, version)
    fits = [(flow, events) for flow, events in names.items() if workflow in ("", flow.workflow)]
    versioned = [each for each in fits if each[0].version] or fits
    return max(versioned, key=lambda each: (each[1], each[0]))[0] if versioned else None


def most_named(names: Iterable[tuple[str, int]]) -> str:
    """The name that most events have, of equal ones the last; '' counts where there is no other."""
    found: Counter[str] = Counter()
    for name, events in names:
        found[name] += events
    return max(found, key=lambda name: (name != "", found[name], name), default="")


def cost_of(row: RunDaySum | CostMoment) -> Decimal:
    """All that it cost."""
    found: Decimal = plus(plus(row.ai, row.human), row.adjacent)
    return found
