"""Versions side by side, put together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.api.workflows.differences import ComparedVersion, difference_of
from services.api.workflows.figure_models import (
    DearestRun,
    VersionCost,
    VersionDifference,
    VersionFigures,
    WorkflowComparison,
)
from services.api.workflows.figures import MeasuredVersion, entered_figures, entered_values
from services.api.workflows.models import Baseline, VersionAnswer, WorkflowAnswer
from services.api.workflows.sums import COSTS, NamedSums, VersionSums
from spendmeter.contracts.money import total


@dataclass(frozen=True, kw_only=True)
class AskedVersions:
    """A question, with what the tenant says of the workflow. Runs of `mature` and later are too young."""

    workflow: str
    settings: WorkflowAnswer
    declared: Mapping[str, VersionAnswer]
    start: date
    end: date
    mature: date
    versions: Sequence[str]
    against: str | None
    team: str | None
    outcome_names: list[str]

    @property
    def outcome(self) -> str | None:
        """The name of the outcomes that count; None = there are several, or none, and nobody said which."""
        if self.settings.outcome:
            return self.settings.outcome
        return self.outcome_names[0] if len(self.outcome_names) == 1 else None

    @property
    def held_against(self) -> str | None:
        """What the others are held against: as asked, else the baseline, else the first that is augmented."""
        if self.against is not None:
            return self.against
        for kind in ("baseline", "augmented"):
            for version in self.versions:
                if version in self.declared and self.declared[version].kind == kind:
                    return version
        return None

    def baseline(self, version: str) -> Baseline | None:
        """What was entered of it."""
        return self.declared[version].baseline if version in self.declared else None


def compared(
    asked: AskedVersions,
    *,
    sums: Mapping[str, VersionSums],
    young: Mapping[str, int],
    top: Mapping[str, NamedSums],
    seen: Mapping[str, date | None],
    dearest: Sequence[Mapping[str, Any]],
    pending: bool,
    complete: Mapping[str, Any],
) -> WorkflowComparison:
    """The answer."""
    sides = {version: _side(asked, version, sums, top) for version in asked.versions}
    return WorkflowComparison(
        **complete,
        settings=asked.settings,
        declared=list(asked.declared.values()),
        first_day=asked.start,
        until=asked.end,
        mature_until=asked.mature,
        outcome=asked.outcome,
        outcome_names=asked.outcome_names,
        team=asked.team,
        pending=pending,
        versions=[
            _figures(
                asked,
                side,
                young.get(version, 0),
                sums.get(version) or VersionSums(),
                first_seen=seen.get(version),
                dearest=[_run(row) for row in dearest if row["version"] == version],
            )
            for version, side in sides.items()
        ],
        differences=_differences(asked, sides),
    )


def _side(
    asked: AskedVersions, version: str, sums: Mapping[str, VersionSums], top: Mapping[str, NamedSums]
) -> ComparedVersion:
    if baseline := asked.baseline(version):
        values = entered_values(baseline, asked.settings.value_per_accepted)
        return ComparedVersion(version=version, currency=baseline.currency, entered=values)
    measured = MeasuredVersion(
        sums=sums.get(version) or VersionSums(),
        outcome=asked.outcome,
        outcome_names=asked.outcome_names,
        worth=asked.settings.value_per_accepted,
        top=top.get(version),
    )
    return ComparedVersion(version=version, currency=measured.sums.currency, measured=measured)


def _run(row: Mapping[str, Any]) -> DearestRun:
    return DearestRun(**{name: row[name] for name in DearestRun.model_fields})


def _figures(
    asked: AskedVersions, side: ComparedVersion, young: int, sums: VersionSums, **said: Any
) -> VersionFigures:
    measured, counted = side.measured, sums.all()
    known = counted["accepted"] + counted["refused"] + counted["reversed"]
    return VersionFigures(
        version=side.version,
        kind=asked.declared[side.version].kind if side.version in asked.declared else None,
        entered=measured is None,
        days=measured.days if measured else 0,
        young_runs=young,
        **{name: int(counted[name]) for name in ("runs", "calls", "failed_calls")},
        **{
            name: counted[name]
            for name in ("outcomes", "accepted", "refused", "reversed", "reversed_later", "accepted_later")
        },
        open=counted["outcomes"] - known,
        top_runs=int(measured.top["runs"]) if measured and measured.top else 0,
        costs=[_cost(currency, of) for currency, of in sorted(sums.costs.items())],
        figures=measured.figures() if measured else entered_figures(side.entered or {}),
        **said,
    )


def _cost(currency: str, sums: NamedSums) -> VersionCost:
    return VersionCost(
        currency=currency,
        total=total(sums[name] for name in COSTS),
        unpriced_events=int(sums["unpriced_events"]),
        **{name: sums[name] for name in (*COSTS, "without_run", "of_which_provisional")},
    )


def _differences(asked: AskedVersions, sides: Mapping[str, ComparedVersion]) -> list[VersionDifference]:
    other = sides.get(asked.held_against or "") if asked.held_against is not None else None
    if other is None:
        return []
    return [
        difference_of(
            side,
            other,
            until=asked.mature,
            change_cost=asked.declared[version].change_cost if version in asked.declared else None,
            by_hash=asked.settings.assigned_by_hash,
        )
        for version, side in sides.items()
        if version != other.version and side.measured is not None
    ]
