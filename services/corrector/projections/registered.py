"""The projections that there are. A new one is a pure fold, a table, and a line here."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from msgspec import Struct

from services.corrector.projections.cells import fold_cells
from services.corrector.projections.entry import BookEntry
from services.corrector.projections.runs import fold_run_outcomes, fold_runs

Fold = Callable[[Iterable[BookEntry]], Sequence[Struct]]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """`fold` makes of entries, in any order, rows to be added to the table of this name: the statement
    `add_to_{name}` of projections.sql does, and takes them as JSON, a field a column."""

    name: str
    fold: Fold


PROJECTIONS = (
    Projection(name="cells", fold=fold_cells),
    Projection(name="runs", fold=fold_runs),
    Projection(name="run_outcomes", fold=fold_run_outcomes),
)
