"""A rule of loops tried on runs that are over, each judged by its whole, as if it had called evenly. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.loops.loops import WINDOW, RunningRun, RunReading, UsualRuns, loop_of
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import ZERO, divided, quantised


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """All of a run."""

    run: str
    workflow: str
    calls: int
    effective: Decimal
    first_at: datetime
    last_at: datetime
    has_outcome: bool


def loops_among(
    rule: AlertRule, runs: Iterable[EndedRun], usual: Mapping[str, UsualRuns]
) -> list[WouldHaveFired]:
    """The runs that the rule would have told, dated by their beginning, with all that they cost."""
    watched = rule.filter.get("workflow")
    return [
        WouldHaveFired(
            scope={"run": run.run} | ({"workflow": run.workflow} if run.workflow else {}),
            at=run.first_at,
            amount=run.effective,
        )
        for run in runs
        if watched in (None, run.workflow)
        and loop_of(_at_its_end(run), usual.get(run.workflow), rule, run.last_at, has_outcome=run.has_outcome)
    ]


def _at_its_end(run: EndedRun) -> RunningRun:
    """As it was when it called last; of a long one a reading of five minutes before is made up."""
    running = RunningRun(
        run=run.run, workflow=run.workflow, first_at=run.first_at, last_at=run.last_at, provisional=ZERO
    )
    lasted = run.last_at - run.first_at
    if lasted > WINDOW:
        share = divided(Decimal((lasted - WINDOW).total_seconds()), Decimal(lasted.total_seconds()))
        before = RunReading(run.last_at - WINDOW, int(run.calls * share), quantised(run.effective * share))
        running.readings.append(before)
    running.readings.append(RunReading(run.last_at, run.calls, run.effective))
    return running
