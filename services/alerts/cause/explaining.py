"""One call for whoever opens an incident: what explains its excess, who holds it, and why it costs more."""

from __future__ import annotations

import asyncpg

from services.alerts.cause.contributors import contributors
from services.alerts.cause.explanation import Explanation
from services.alerts.cause.finding import CauseFinder, CauseRequest
from services.alerts.cause.leaves import summed
from services.alerts.cause.reader import CauseQuestion, read_series
from services.alerts.cause.search import ExcessCause
from services.alerts.cause.weighing import WeighedSeries, dimensions_of, leaves_of, uses_of, weighed
from services.alerts.counting.counter_reader import Turn
from spendmeter.book.split import split_change

CONTRIBUTORS_MAX = 4


async def explained(
    pool: asyncpg.Pool[asyncpg.Record],
    turn: Turn,
    finder: CauseFinder,
    question: CauseQuestion,
    *,
    depth_max: int = 2,
) -> Explanation:
    """Reads a bounded number of series, and searches them in another process. Raises CONNECTION_ERRORS of the
    reading; a search that takes too long only narrows less."""
    reading = await read_series(pool, turn, question)
    series = [
        each
        for each in weighed(reading.series, reading.weights)
        if not any(scope.items() <= each.use.dimensions.items() for scope in question.without)
    ]
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
