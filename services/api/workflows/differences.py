"""One version against another one: by how much figures differ, how sure that is, when it has paid back. Pure.

Both sides are drawn independently. A difference is what was observed: cases may have gone to the better
version because they were easy. By team like is compared with like; it is the effect where a hash sent cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from services.api.http.compared import percent_of
from services.api.workflows.bootstrap import ACCEPTED_MIN, Draws, Interval, drawn_ratio, interval_of
from services.api.workflows.figure_models import (
    FigureDifference,
    FigureName,
    TeamDifference,
    VersionDifference,
)
from services.api.workflows.figures import MeasuredVersion
from services.api.workflows.models import StatedAmount
from spendmeter.contracts.money import EXACT, ZERO, divided, total

COMPARED: tuple[FigureName, ...] = (
    "cost_per_accepted",
    "human_minutes_per_accepted",
    "cycle_hours",
    "success_share",
)
OBSERVED = "observed, not caused: who or what chose the version may explain it"
BY_HASH = "cases went to a version by a hash, so that the difference is the version's, within its interval"
ENTERED = "observed, not caused: the other side is as entered and was never measured"
_NO_TEAMS = TeamDifference(
    value=None, low=None, high=None, covered=ZERO, missing=["what was entered names no team"]
)


@dataclass(frozen=True, kw_only=True)
class ComparedVersion:
    """A side: measured, or as entered."""

    version: str
    currency: str | None
    measured: MeasuredVersion | None = None
    entered: Mapping[FigureName, Decimal] | None = None

    def value(self, name: FigureName) -> Decimal | None:
        """None = it cannot be said."""
        return self.measured.value(name) if self.measured else (self.entered or {}).get(name)

    def missing(self, name: FigureName) -> list[str]:
        """Why not."""
        if self.measured:
            return [f"{self.version}: {why}" for why in self.measured.missing(name)]
        return [] if name in (self.entered or {}) else [f"{self.version}: was not entered"]

    def unpriced(self, name: FigureName) -> list[str]:
        """That a cost is at least so much, where amounts lack in it."""
        count = (
            self.measured.all["unpriced_events"] if self.measured and name == "cost_per_accepted" else ZERO
        )
        return [f"{self.version}: {count:,f} events have no price, so it costs more"] if count else []


def difference_of(
    one: ComparedVersion,
    other: ComparedVersion,
    *,
    until: date,
    change_cost: StatedAmount | None,
    by_hash: bool,
) -> VersionDifference:
    """`one`, which is measured, against `other`, of days before `until`."""
    figures = [_figure(one, other, name) for name in COMPARED]
    measured = other.measured is not None
    saving = _saving(one, other, figures[0], until, change_cost)
    return VersionDifference(
        version=one.version,
        against=other.version,
        claim=(BY_HASH if by_hash else OBSERVED) if measured else ENTERED,
        figures=figures,
        by_team=_by_team(one, other) if measured else _NO_TEAMS,
        **saving,
    )


def _figure(one: ComparedVersion, other: ComparedVersion, name: FigureName) -> FigureDifference:
    missing = [*one.missing(name), *other.missing(name), *_unlike(one, other, name)]
    value, base = one.value(name), other.value(name)
    if missing or value is None or base is None or one.measured is None:
        return FigureDifference(name=name, value=None, low=None, high=None, percent=None, missing=missing)
    difference = value - base
    interval = _interval(one.measured, other, name, base)
    return FigureDifference(
        name=name,
        value=difference,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        percent=percent_of(difference, base),
        missing=[*one.unpriced(name), *other.unpriced(name)],
    )


def _unlike(one: ComparedVersion, other: ComparedVersion, name: FigureName) -> list[str]:
    if (
        name != "cost_per_accepted"
        or not one.currency
        or not other.currency
        or one.currency == other.currency
    ):
        return []
    return [f"{one.version} costs {one.currency}, {other.version} {other.currency}: never subtracted"]


def _interval(
    one: MeasuredVersion, other: ComparedVersion, name: FigureName, base: Decimal
) -> Interval | None:
    drawn = one.draws(name)
    if other.measured is None:
        drawn = [value - float(base) for value in drawn]
        days = len(one.sums.days)
    else:
        drawn = _apart(drawn, other.measured.draws(name, stream=1))
        days = min(len(one.sums.days), len(other.measured.sums.days))
    return interval_of(drawn, days)


def _apart(one: Draws, other: Draws) -> Draws:
    return [left - right for left, right in zip(one, other, strict=True)]


def _by_team(one: ComparedVersion, other: ComparedVersion) -> TeamDifference:
    """Each team's difference of cost per accepted outcome, weighed by its share of all accepted outcomes."""
    mine, theirs = one.measured, other.measured
    missing = [*one.missing("cost_per_accepted"), *other.missing("cost_per_accepted")]
    missing += _unlike(one, other, "cost_per_accepted")
    if missing or mine is None or theirs is None:
        return TeamDifference(value=None, low=None, high=None, covered=ZERO, missing=missing)
    accepted = {
        team: (_of(mine, team, "accepted"), _of(theirs, team, "accepted")) for team in _teams(mine, theirs)
    }
    everything = total(count for both in accepted.values() for count in both)
    strata = {team: total(both) for team, both in accepted.items() if min(both) >= ACCEPTED_MIN}
    weighed = total(strata.values())
    if not weighed:
        why = f"insufficient data: no team has {ACCEPTED_MIN} accepted outcomes of both versions"
        return TeamDifference(value=None, low=None, high=None, covered=ZERO, missing=[why])
    value, drawn = ZERO, [0.0] * len(mine.draws("cost_per_accepted"))
    for team, count in strata.items():
        apart = _ratio(mine, team) - _ratio(theirs, team)
        value = EXACT.add(value, divided(EXACT.multiply(apart, count), weighed))
        draws = _apart(_drawn(mine, team, 0), _drawn(theirs, team, 1))
        share = float(count / weighed)
        drawn = [sum_ + share * each for sum_, each in zip(drawn, draws, strict=True)]
    interval = interval_of(drawn, min(len(mine.sums.days), len(theirs.sums.days)))
    return TeamDifference(
        value=value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        covered=divided(weighed, everything),
        missing=[],
    )


def _teams(one: MeasuredVersion, other: MeasuredVersion) -> list[str | None]:
    return sorted(
        one.sums.teams.keys() | other.sums.teams.keys(), key=lambda team: (team is None, team or "")
    )


def _of(version: MeasuredVersion, team: str | None, name: str) -> Decimal:
    return total(sums[name] for sums in version.sums.teams[team].values())


def _ratio(version: MeasuredVersion, team: str | None) -> Decimal:
    return divided(_of(version, team, "cost"), _of(version, team, "accepted"))


def _drawn(version: MeasuredVersion, team: str | None, stream: int) -> Draws:
    parts = version.sums.parts(("cost", "accepted"), team)
    return drawn_ratio(parts["cost"], parts["accepted"], stream)


def _saving(
    one: ComparedVersion,
    other: ComparedVersion,
    cost: FigureDifference,
    until: date,
    change_cost: StatedAmount | None,
) -> dict[str, object]:
    """What is saved a month at the volume that the version has, and in how many its change is paid back."""
    missing = list(cost.missing)
    saved: list[Decimal | None] = [None, None, None]
    if cost.value is not None and one.measured is not None:
        monthly = one.measured.monthly("accepted", until)
        saved = [None if each is None else -each * monthly for each in (cost.value, cost.high, cost.low)]
    paid: list[Decimal | None] = [None, None, None]
    if change_cost is None:
        missing.append("what the change cost is not stated")
    elif change_cost.currency != one.currency:
        missing.append(f"the change cost {change_cost.currency}, the version {one.currency}: never divided")
    elif saved[0] is not None:
        paid = [divided(change_cost.amount, each) if each and each > 0 else None for each in saved]
        paid = [paid[0], paid[2], paid[1]]  # the more is saved, the sooner
        if paid[0] is None:
            missing.append("nothing is saved, so it is never paid back")
    return {
        "currency": one.currency,
        "missing": missing,
        **dict(zip(("monthly_saving", "monthly_saving_low", "monthly_saving_high"), saved, strict=True)),
        **dict(zip(("payback_months", "payback_months_low", "payback_months_high"), paid, strict=True)),
    }
