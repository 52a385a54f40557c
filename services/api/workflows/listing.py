"""Workflows with their versions, and what an accepted outcome of each costs: as the comparison. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from services.api.workflows.acts import versions_of, workflow_of
from services.api.workflows.comparison import AskedVersions
from services.api.workflows.figure_models import FigureName, ListedVersion, ListedWorkflow
from services.api.workflows.figures import MeasuredVersion, entered_values
from services.api.workflows.sums import VersionSums, sums_of

FIGURE: FigureName = "cost_per_accepted"
WorkflowRows = Sequence[Mapping[str, Any]]


class ListedSums(NamedTuple):
    """WorkflowRows of the statements `listed_costs` and `listed_outcomes`."""

    costs: WorkflowRows
    outcomes: WorkflowRows


class NamedWorkflow(NamedTuple):
    """A workflow with what the tenant says of it, what its outcomes are called, and its versions that did
    something."""

    asked: AskedVersions
    seen: Mapping[str, Mapping[str, Any]]


def named_workflows(
    rows: WorkflowRows, acts: WorkflowRows, names: WorkflowRows, start: date, today: date
) -> dict[str, NamedWorkflow]:
    """By name, those that did most first: from the rows of the statements `list`, `in_force` and
    `listed_names`."""
    by_name = defaultdict[str, list[str]](list)
    for row in names:
        by_name[row["workflow"]].append(row["name"])
    found = {}
    for name in dict.fromkeys([*(row["workflow"] for row in rows), *(row["workflow"] for row in acts)]):
        those = [row for row in acts if row["workflow"] == name]
        seen = {row["version"]: row for row in rows if row["workflow"] == name}
        settings, declared = workflow_of(name, those), versions_of(those)
        asked = AskedVersions(
            workflow=name, settings=settings, declared=declared, start=start, end=today + timedelta(days=1),
            mature=max(start, today - timedelta(days=settings.survival_days)),
            versions=list(dict.fromkeys([*seen, *declared])), against=None, team=None,
            outcome_names=by_name[name],
        )  # fmt: skip
        found[name] = NamedWorkflow(asked, seen)
    return found


def parameters_of(named: Mapping[str, NamedWorkflow], start: date) -> tuple[Any, ...]:
    """What the statements of `ListedSums` are asked."""
    asked = [each.asked for each in named.values()]
    return (
        [each.workflow for each in asked], [each.mature for each in asked], start,
        [each.outcome for each in asked],
        [each.settings.survival_days for each in asked], [each.settings.silence_accepts for each in asked],
    )  # fmt: skip


def listed(named: Mapping[str, NamedWorkflow], sums: ListedSums) -> list[ListedWorkflow]:
    """What is answered."""
    costs, outcomes = _by_workflow(sums.costs), _by_workflow(sums.outcomes)
    return [_workflow(each, sums_of(costs[name], outcomes[name])) for name, each in named.items()]


def _by_workflow(rows: WorkflowRows) -> dict[str, list[Mapping[str, Any]]]:
    found = defaultdict[str, list[Mapping[str, Any]]](list)
    for row in rows:
        found[row["workflow"]].append(row)
    return found


def _workflow(named: NamedWorkflow, sums: Mapping[str, VersionSums]) -> ListedWorkflow:
    asked, seen = named
    return ListedWorkflow(
        **asked.settings.model_dump(),
        mature_until=asked.mature,
        versions=[
            ListedVersion(
                version=version,
                kind=asked.declared[version].kind if version in asked.declared else None,
                runs=seen[version]["runs"] if version in seen else 0,
                first_day=seen[version]["first_day"] if version in seen else None,
                last_day=seen[version]["last_day"] if version in seen else None,
                **_cost(asked, version, sums.get(version) or VersionSums()),
            )
            for version in asked.versions
        ],
    )


def _cost(asked: AskedVersions, version: str, sums: VersionSums) -> dict[str, Any]:
    if baseline := asked.baseline(version):
        value = entered_values(baseline, None)[FIGURE]
        return {FIGURE: value, "currency": baseline.currency, "lower_bound": False, "missing": []}
    measured = MeasuredVersion(
        sums=sums, outcome=asked.outcome, outcome_names=asked.outcome_names, worth=None
    )
    return {
        FIGURE: measured.value(FIGURE),
        "currency": sums.currency or "",
        "lower_bound": measured.lacks_amounts(FIGURE),
        "missing": measured.missing(FIGURE),
    }
