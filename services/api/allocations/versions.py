"""Which version of a plan holds on which days, and into which stretches a question is cut. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from services.api.allocations.plan import CostPool
from spendmeter.contracts.periods import add_months

_WEEK_DAYS = 7


class PlanAct(NamedTuple):
    """A plan as one act set it: from `first_day` on, until a version of a later day begins. Of two that begin
    on one day the later act holds."""

    revision: int
    first_day: date
    pools: Sequence[CostPool]
    reason: str
    by: str
    at: datetime


class PlanStretch(NamedTuple):
    """Days [first, beyond) of one month in which one version holds; None = nothing was set."""

    first: date
    beyond: date
    version: PlanAct | None

    @property
    def pools(self) -> Sequence[CostPool]:
        """By which its shared cost is handed on."""
        return self.version.pools if self.version else ()


def standing(versions: Iterable[PlanAct]) -> list[PlanAct]:
    """Those that hold on some day, by their first."""
    by_day: dict[date, PlanAct] = {}
    for version in sorted(versions, key=lambda each: each.revision):
        by_day[version.first_day] = version
    return [by_day[day] for day in sorted(by_day)]


def version_on(day: date, versions: Sequence[PlanAct]) -> PlanAct | None:
    """The one of `standing` versions that holds on a day."""
    begun = [version for version in versions if version.first_day <= day]
    return begun[-1] if begun else None


def stretches_of(first: date, beyond: date, versions: Iterable[PlanAct]) -> list[PlanStretch]:
    """[first, beyond) cut where months and versions begin: each part is shared out by itself."""
    held = standing(versions)
    cuts = {first, *(each.first_day for each in held if first < each.first_day < beyond)}
    month = add_months(first, 1)
    while month < beyond:
        cuts.add(month)
        month = add_months(month, 1)
    days = [*sorted(cuts), beyond]
    return [PlanStretch(start, end, version_on(start, held)) for start, end in pairwise(days)]


def weeks_of(stretches: Sequence[PlanStretch]) -> list[tuple[date, int]]:
    """The first days of seven days each, and the place of their stretch, from 0: so much of it is read again
    when something in it has changed."""
    return [
        (stretch.first + timedelta(days=days), place)
        for place, stretch in enumerate(stretches)
        for days in range(0, (stretch.beyond - stretch.first).days, _WEEK_DAYS)
    ]
