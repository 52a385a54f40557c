"""The projections `runs` and `run_outcomes`: what each run cost, when, and what it achieved. Pure.

An event that names no run is in neither. A reversal has the event of what it reverses, so it takes away where
that was added; first and last times are those of all entries, for none is ever unwritten.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from spendmeter.book.entry import SUMS, BookEntry, hex_bytes
from spendmeter.contracts.money import ZERO

_add, _multiply = SUMS.add, SUMS.multiply
_encode = msgspec.json.Encoder().encode


class RunSum(Struct, gc=False):
    """A row of the table `runs`, or what is to be added to it."""

    tenant: str
    run: str
    workflow: str
    workflow_version: str
    cost_class: str
    currency: str
    agent: str
    provider: str
    sku: str
    call_status: str
    """How calls ended, as events state it; '' = they do not."""
    first_at: datetime
    last_at: datetime
    events: int = 0
    unpriced_events: int = 0
    list: Decimal = ZERO
    contracted: Decimal = ZERO
    effective: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    timed_events: int = 0
    """Those that state a latency."""
    latency_ms: int = 0
    latency_ms_max: int = 0
    """Of all entries, like the times."""


class RunOutcome(Struct, gc=False):
    """A row of the table `run_outcomes`, or what is to be added to it: of one event."""

    tenant: str
    run: str
    identity: str
    outcome_id: str
    at: datetime
    workflow: str
    workflow_version: str
    name: str
    currency: str
    """Of the value; '' = none is stated."""
    events: int = 0
    count: int = 0
    value: Decimal = ZERO


class RunFold:
    """`add` entries, in any order; `rows` are what they add to `runs`."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], RunSum] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            stated, at = entry.stated, entry.occurred_at
            labels = stated.labels
            if not labels.run:
                continue
            key = (
                entry.tenant, labels.run, labels.workflow, labels.workflow_version, stated.cost_class,
                entry.currency, labels.agent, stated.provider, stated.sku, stated.performance.status,
            )  # fmt: skip
            row = self._found.get(key)
            if row is None:
                row = self._found[key] = RunSum(*key, at, at)
            row.first_at, row.last_at = min(row.first_at, at), max(row.last_at, at)
            row.events += entry.sign
            row.list, row.contracted = _add(row.list, entry.list), _add(row.contracted, entry.contracted)
            row.effective = _add(row.effective, entry.effective)
            if entry.status == "provisional":
                row.of_which_provisional = _add(row.of_which_provisional, entry.effective)
            elif entry.status == "unpriced":
                row.unpriced_events += entry.sign
            if (latency_ms := stated.performance.latency_ms) is not None:
                row.timed_events += entry.sign
                row.latency_ms += entry.sign * latency_ms
                row.latency_ms_max = max(row.latency_ms_max, latency_ms)

    def rows(self) -> list[RunSum]:
        """A row a run, workflow, version, class, currency, agent, model and end of a call."""
        return list(self._found.values())

    def __len__(self) -> int:
        return len(self._found)


class OutcomeFold:
    """`add` entries, in any order; `rows` are what they add to `run_outcomes`."""

    def __init__(self) -> None:
        self._found: dict[tuple[Any, ...], RunOutcome] = {}

    def add(self, entries: Iterable[BookEntry]) -> None:
        """Count these too."""
        for entry in entries:
            outcome, labels = entry.stated.outcome, entry.stated.labels
            if outcome is None or not labels.run:
                continue
            value, currency = (outcome.value.amount, outcome.value.currency) if outcome.value else ("0", "")
            named = (labels.workflow, labels.workflow_version, outcome.name, currency)
            key = (entry.tenant, labels.run, entry.identity, *named)
            row = self._found.get(key)
            if row is None:
                outcome_id = hex_bytes(blake2b(_encode(named), digest_size=16).digest())
                row = self._found[key] = RunOutcome(
                    *(entry.tenant, labels.run, hex_bytes(entry.identity), outcome_id, entry.occurred_at),
                    *named,
                )
            row.events += entry.sign
            row.count += entry.sign * outcome.count
            row.value = _add(row.value, _multiply(entry.sign, Decimal(value)))

    def rows(self) -> list[RunOutcome]:
        """A row an event, workflow, version, name and currency."""
        return list(self._found.values())

    def __len__(self) -> int:
        return len(self._found)
