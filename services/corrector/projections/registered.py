"""The projections that there are. A new one is a pure fold, a table, and a line here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from services.corrector.projections.agent_people import AgentPeopleFold
from services.corrector.projections.quality_hours import QualityFold
from services.corrector.projections.run_days import RunDayFold
from services.corrector.projections.runs import OutcomeFold, RunFold
from services.corrector.projections.user_months import UserMonthFold
from spendmeter.book.cells import CellFold
from spendmeter.book.entry import BookEntry


class Fold(Protocol):
    """Adds entries up, in any order. Pure: what it holds is bounded by who adds, by the count of rows."""

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""

    def rows(self) -> Sequence[Struct]:
        """What all of them add to the table."""

    def __len__(self) -> int:
        """How many rows."""


@dataclass(frozen=True, kw_only=True)
class Projection:
    """`fold` begins a fold, whose rows are added to the table of this name: the statement `add_to_{name}` of
    projections.sql does, and takes them as JSON, a field a column."""

    name: str
    fold: Callable[[], Fold]


PROJECTIONS = (
    Projection(name="cells", fold=CellFold),
    Projection(name="runs", fold=RunFold),
    Projection(name="run_outcomes", fold=OutcomeFold),
    Projection(name="user_months", fold=UserMonthFold),
    Projection(name="quality_hours", fold=QualityFold),
    Projection(name="run_days", fold=RunDayFold),
    Projection(name="agent_people", fold=AgentPeopleFold),
)
