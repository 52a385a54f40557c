"""Figures of a version: ratios of sums over its days, with intervals, or what is missing for them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import get_args

from services.api.spend.ratios import UNPRICED_PERCENT_MAX
from services.api.workflows.bootstrap import ACCEPTED_MIN, DAYS_MIN, Draws, drawn_ratio, interval_of
from services.api.workflows.figure_models import FigureName, VersionFigure
from services.api.workflows.models import Baseline, StatedAmount
from services.api.workflows.sums import NamedSums, VersionSums
from spendmeter.contracts.money import EXACT, ZERO, divided, total

RATIOS: Mapping[FigureName, tuple[str, str, str]] = {
    "cost_per_run": ("cost", "runs", "runs"),
    "cost_per_outcome": ("cost", "kept", "kept"),
    "cost_per_accepted": ("cost", "accepted", "accepted"),
    "ai_per_accepted": ("ai", "accepted", "accepted"),
    "human_per_accepted": ("human", "accepted", "accepted"),
    "adjacent_per_accepted": ("adjacent", "accepted", "accepted"),
    "attempts_per_success": ("calls", "successes", "accepted"),
    "human_minutes_per_accepted": ("human_minutes", "accepted", "accepted"),
    "cycle_hours": ("cycle_hours", "cycle_runs", "cycle_runs"),
    "success_share": ("successes", "runs", "runs"),
    "value_per_accepted": ("worth", "accepted", "accepted"),
    "roi_multiple": ("worth", "cost", "accepted"),
}
"""Above, below, and what there must be enough of."""
_WORDS = {
    "runs": "runs",
    "kept": "outcomes that were not reversed",
    "accepted": "accepted outcomes",
    "cycle_runs": "runs with an outcome",
}
_MONEY = frozenset({"cost", "ai", "human", "adjacent"})
_OF_OUTCOMES = frozenset({"kept", "accepted", "successes", "cycle_runs"})
_MONTH_DAYS = Decimal("30.4375")
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)
TOP_LACKS = frozenset({"cycle_hours", "value_per_accepted", "roi_multiple"})
"""What the dearest runs are not kept with."""


@dataclass(kw_only=True)
class MeasuredVersion:
    """A version's sums, with what may be said of them."""

    sums: VersionSums
    outcome: str | None
    outcome_names: list[str]
    worth: StatedAmount | None
    """Of an accepted outcome that states none."""
    top: NamedSums | None = None

    def __post_init__(self) -> None:
        self.all = self.sums.all()
        self.days = sum(1 for sums in self.sums.days.values() if sums["runs"] or sums["outcomes"])
        self.worthless = self._value_all()
        """Why nobody can say what it is worth; '' = all is stated."""

    def monthly(self, name: str, until: date) -> Decimal:
        """What a sum comes to in a month, of the days before `until` on which the version was there: from its
        first one on, and for good, unless it did nothing for a week."""
        met = [day for day, sums in self.sums.days.items() if sums["runs"] or sums["outcomes"]]
        if not met:
            return ZERO
        beyond = max(met) + _DAY
        days = ((until if until - beyond < _WEEK else beyond) - min(met)).days
        return divided(EXACT.multiply(self.all[name], _MONTH_DAYS), Decimal(days))

    def missing(self, name: FigureName) -> list[str]:
        """Why the figure cannot be said."""
        above, below, enough = RATIOS[name]
        said = []
        if self.outcome is None and {above, below, enough} & _OF_OUTCOMES:
            said.append(_which(self.outcome_names))
        if {above, below} & _MONEY and self.sums.currency is None:
            currencies = " and ".join(sorted(self.sums.costs))
            said.append(f"cost is in {currencies}, which are never added: ask for days of one currency")
        unpriced, events = self.all["unpriced_events"], self.all["events"]
        if {above, below} & _MONEY and unpriced * 100 > events * UNPRICED_PERCENT_MAX:
            said.append(f"{unpriced:,f} of {events:,f} events have no price")
        if above == "worth" and self.worthless:
            said.append(self.worthless)
        count = self.all[enough]
        if count < ACCEPTED_MIN:
            said.append(f"insufficient data: {count:,f} {_WORDS[enough]}, {ACCEPTED_MIN} are needed")
        if self.days < DAYS_MIN:
            said.append(f"insufficient data: {self.days} days, {DAYS_MIN} are needed")
        if not said and self.all[below] <= 0:
            said.append("there is no cost" if below == "cost" else f"there are no {below}")
        if name == "success_share" and (unknown := self.all["successes"] - self.all["cycle_runs"]) > 0:
            named = f"at least {unknown:,f} accepted outcomes name no run that is known"
            said.append(f"{named}: of runs no share can be told")
        return said

    def draws(self, name: FigureName, stream: int = 0) -> Draws:
        """Its value in each draw of days."""
        above, below, _ = RATIOS[name]
        parts = self.sums.parts((above, below))
        return drawn_ratio(parts[above], parts[below], stream)

    def value(self, name: FigureName) -> Decimal | None:
        """The ratio of sums; None where it cannot be said."""
        above, below, _ = RATIOS[name]
        return None if self.missing(name) else divided(self.all[above], self.all[below])

    def figure(self, name: FigureName) -> VersionFigure:
        """With its interval, or what is missing."""
        missing = self.missing(name)
        interval = None if missing else interval_of(self.draws(name), len(self.sums.days))
        return VersionFigure(
            name=name,
            value=self.value(name),
            low=interval.low if interval else None,
            high=interval.high if interval else None,
            without_top=None if missing else self._without_top(name),
            lower_bound=self.lacks_amounts(name),
            upper_bound=RATIOS[name][1] in _MONEY and bool(self.all["unpriced_events"]),
            missing=missing,
        )

    def lacks_amounts(self, name: FigureName) -> bool:
        """Whether it is at least so much, for events without a price are in it."""
        return RATIOS[name][0] in _MONEY and bool(self.all["unpriced_events"])

    def figures(self) -> list[VersionFigure]:
        """All of them."""
        return [self.figure(name) for name in get_args(FigureName)]

    def _without_top(self, name: FigureName) -> Decimal | None:
        above, below, _ = RATIOS[name]
        if self.top is None or name in TOP_LACKS:
            return None
        rest = self.all[below] - self.top[below]
        return divided(self.all[above] - self.top[above], rest) if rest > 0 else None

    def _value_all(self) -> str:
        """Add `worth` to each day: what its accepted outcomes are worth, where all of it can be said."""
        currencies = {one for one, sums in self.sums.values.items() if sums["valued"]}
        unvalued = self.all["accepted"] - self.all["valued"]
        if unvalued and self.worth is None:
            return f"{unvalued:,f} accepted outcomes state no value, and the workflow's settings neither"
        if unvalued and self.worth:
            currencies.add(self.worth.currency)
        if len(currencies | {self.sums.currency or ""} - {""}) > 1:
            return f"worth is in {' and '.join(sorted(currencies))}, cost in {self.sums.currency}"
        each = self.worth.amount if self.worth else ZERO
        for sums in self.sums.days.values():
            sums.add("worth", total((sums["value"], EXACT.multiply(sums["accepted"] - sums["valued"], each))))
        self.all = self.sums.all()
        return ""


def entered_values(baseline: Baseline, worth: StatedAmount | None) -> dict[FigureName, Decimal]:
    """What is entered of the time before AI, per case; what was done wrong weighs on what was not."""
    minutes = total(role.minutes for role in baseline.roles)
    human = total(
        divided(EXACT.multiply(role.minutes, role.hourly_rate), Decimal(60)) for role in baseline.roles
    )
    other = baseline.other_cost_per_case
    good = 1 - baseline.failed_share
    found: dict[FigureName, Decimal] = {
        "cost_per_run": human + other,
        "cost_per_outcome": human + other,
        "cost_per_accepted": divided(human + other, good),
        "ai_per_accepted": ZERO,
        "human_per_accepted": divided(human, good),
        "adjacent_per_accepted": divided(other, good),
        "human_minutes_per_accepted": divided(minutes, good),
        "success_share": good,
    }
    if baseline.cycle_hours is not None:
        found["cycle_hours"] = baseline.cycle_hours
    if worth is not None and worth.currency == baseline.currency:
        found["value_per_accepted"] = worth.amount
        if cost := found["cost_per_accepted"]:
            found["roi_multiple"] = divided(worth.amount, cost)
    return found


def entered_figures(values: Mapping[FigureName, Decimal]) -> list[VersionFigure]:
    """The same as figures: without an interval, for nothing was counted."""
    return [
        VersionFigure(
            name=name,
            value=values.get(name),
            low=None,
            high=None,
            without_top=None,
            lower_bound=False,
            upper_bound=False,
            missing=[] if name in values else ["was not entered"],
        )
        for name in get_args(FigureName)
    ]


def _which(names: list[str]) -> str:
    if not names:
        return "no outcome of this workflow is known"
    return f"say in the workflow's settings which outcome counts: {', '.join(names)}"
