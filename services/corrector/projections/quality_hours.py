"""The projection `quality_hours`: how the calls of each series went, hour by hour. Pure.

What a team, an agent or a workflow is told of a model is a slice of series, so rows are by series. Hours of
people, hardware and seats are no calls, nor is what a bill says afterwards.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from spendmeter.book.call_quality import NO_LATENCY, context_mark, latency_bucket
from spendmeter.book.entry import BookEntry, hex_bytes
from spendmeter.contracts.units import UNITS

NO_CALLS = frozenset({"labour", "hardware", "licence"})
NOT_AS_MADE = ("accrual", "bill")
"""A tuple: events from before this was a word may have a list there, which no set can be asked for."""
_CONTEXT = tuple(name for name, unit in UNITS.items() if unit.context)
_Key = tuple[str, datetime, bytes, str, int, int]


class QualityHour(Struct, gc=False):
    """A row of the table `quality_hours`, or what is to be added to it."""

    tenant: str
    hour: datetime
    series_id: str
    call_status: str
    """How the calls ended, as events state it; '' = they do not."""
    over_context: int
    """A mark of `call_quality` that the context of these calls is longer than."""
    latency: int
    """A bucket of `call_quality`."""
    calls: int


class QualityFold:
    """`add` entries, in any order; `rows` are what they add to `quality_hours`."""

    def __init__(self) -> None:
        self._found: dict[_Key, int] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        found = self._found
        for entry in entries:
            stated = entry.stated
            if not (stated.provider and entry.events) or stated.cost_class in NO_CALLS:
                continue
            if stated.cadence in NOT_AS_MADE:
                continue
            at, performance, context = entry.occurred_at, stated.performance, 0
            if at.tzinfo is not UTC:
                at = at.astimezone(UTC)
            for unit in _CONTEXT:
                if (quantity := stated.usage.get(unit)) is not None:
                    context += quantity
            latency = performance.latency_ms
            key = (
                entry.tenant,
                at.replace(minute=0, second=0, microsecond=0),
                entry.series_id,
                performance.status,
                context_mark(context),
                NO_LATENCY if latency is None else latency_bucket(latency),
            )
            found[key] = found.get(key, 0) + entry.sign

    def rows(self) -> list[QualityHour]:
        """A row an hour, series, end of a call, mark and bucket."""
        return [
            QualityHour(tenant, hour, hex_bytes(series), status, mark, latency, calls)
            for (tenant, hour, series, status, mark, latency), calls in self._found.items()
        ]

    def __len__(self) -> int:
        return len(self._found)
