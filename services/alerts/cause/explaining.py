"""One call for whoever opens an incident: what explains its excess, who holds it, and why it costs more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from services.alerts.cause.contributors import Contributor, contributors
from services.alerts.cause.finding import CauseFinder, CauseRequest
from services.alerts.cause.leaves import ScopeSums, summed
from services.alerts.cause.reader import CauseQuestion, read_series
from services.alerts.cause.search import ExcessCause
from services.alerts.cause.weighing import WeighedSeries, dimensions_of, leaves_of, uses_of, weighed
from spendmeter.book.split import ChangeSplit, split_change

CONTRIBUTORS_MAX = 4


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Of an incident as it opens. Amounts are in its currency, and about its minutes up to then."""

    whole: ScopeSums
    """What its scope cost, and was expected to."""
    causes: Sequence[ExcessCause]
    """The largest share first; none where nothing rose. Scopes lie within the incident's."""
    contributors: Sequence[Contributor]
    """Of the first cause (of all, without one), by series: who holds its excess."""
    split: ChangeSplit
    """Of all in the scope of the first cause (of all, without one): why it costs more than expected."""


async def explained(
    pool: asyncpg.Pool[asyncpg.Record], finder: CauseFinder, question: CauseQuestion, *, depth_max: int = 2
) -> Explanation:
    """Reads a bounded number of series, and searches them in another process. Raises CONNECTION_ERRORS of the
    reading; a search that takes too long only narrows less."""
    reading = await read_series(pool, question)
    series = weighed(reading.series, reading.weights)
    dimensions = [name for name in dimensions_of(series) if name not in question.scope]
    leaves = leaves_of(series, dimensions)
    causes = await finder.find(CauseRequest(leaves=leaves, dimensions=dimensions, depth_max=depth_max))
    held = [
        (each, leaf) for each, leaf in zip(series, leaves, strict=True) if not causes or _has(each, causes[0])
    ]
    uses = uses_of((each for each, _ in held), reading.weights, reading.prices_before, reading.prices_now)
    return Explanation(
        whole=summed(leaves),
        causes=causes,
        contributors=contributors([leaf for _, leaf in held], dimensions, limit=CONTRIBUTORS_MAX),
        split=split_change(*uses),
    )


def _has(series: WeighedSeries, cause: ExcessCause) -> bool:
    return cause.scope.items() <= series.use.dimensions.items()
