"""The projection `run_days`: what each run, and what names a workflow and no run, cost in a UTC day. Pure.

It is what versions of workflows are compared by, so it tells teams apart, and people's hours from the rest.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from services.corrector.projections.quality_hours import NO_CALLS, NOT_AS_MADE
from spendmeter.book.entry import SUMS, BookEntry
from spendmeter.contracts.money import ZERO

_add, _multiply = SUMS.add, SUMS.multiply


class RunDay(Struct, gc=False):
    """A row of the table `run_days`, or what is to be added to it."""

    tenant: str
    day: str
    run: str
    workflow: str
    workflow_version: str
    team: str
    currency: str
    first_at: datetime
    last_at: datetime
    events: int = 0
    unpriced_events: int = 0
    calls: int = 0
    failed_calls: int = 0
    ai: Decimal = ZERO
    human: Decimal = ZERO
    adjacent: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    labour_hours: Decimal = ZERO


class RunDayFold:
    """`add` entries, in any order; `rows` are what they add to `run_days`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], RunDay] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            labels = entry.stated.labels
            if labels.run or labels.workflow:
                _count(self._row(entry), entry)

    def _row(self, entry: BookEntry) -> RunDay:
        at, labels = entry.occurred_at, entry.stated.labels
        day = (at if at.tzinfo is UTC else at.astimezone(UTC)).date().isoformat()
        names = (labels.run, labels.workflow, labels.workflow_version, labels.team)
        key = (entry.tenant, day, *names, entry.currency)
        row = self._found.get(key)
        if row is None:
            row = self._found[key] = RunDay(*key, at, at)
        return row

    def rows(self) -> list[RunDay]:
        """A row a day, run, workflow, version, team and currency."""
        return list(self._found.values())

    def __len__(self) -> int:
        return len(self._found)


def _count(row: RunDay, entry: BookEntry) -> None:
    stated, sign = entry.stated, entry.sign
    row.first_at, row.last_at = min(row.first_at, entry.occurred_at), max(row.last_at, entry.occurred_at)
    row.events += sign
    if stated.cost_class == "model":
        row.ai = _add(row.ai, entry.effective)
    elif stated.cost_class == "labour":
        row.human = _add(row.human, entry.effective)
        hours = stated.usage.get("labour_hours", 0)
        row.labour_hours = _add(row.labour_hours, _multiply(sign, Decimal(hours)))
    else:
        row.adjacent = _add(row.adjacent, entry.effective)
    if stated.cost_class not in NO_CALLS and stated.cadence not in NOT_AS_MADE:
        row.calls += sign
        if stated.performance.status not in ("", "ok"):
            row.failed_calls += sign
    if entry.status == "provisional":
        row.of_which_provisional = _add(row.of_which_provisional, entry.effective)
    elif entry.status == "unpriced":
        row.unpriced_events += sign
