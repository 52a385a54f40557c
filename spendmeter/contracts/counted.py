"""Which quantities of an event are added to rollups and totals: what spend and alerts show of usage.

In SQL the same: `counted_usage` (migration 0087), for who adds entries up in the database.
All of units that the catalog has; of names that nobody registered the first few. Senders make such names up:
without a bound one event of 64 of them would grow the rows of its lane, which others share.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

from spendmeter.contracts.units import LATER_UNITS

UNKNOWN_UNITS_MAX = 8
"""Unregistered names whose quantities one event adds, the first in the order of their characters: more than a
slip or a new vendor's units, and fewer than a rollup row would feel. Whoever knows the event, the units of
its catalog version and this number knows what was added: a reversal takes away the same."""
UNKNOWN_UNITS_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Events received earlier add registered units alone, as they did when they were booked."""

Quantities = Mapping[str, int | Decimal]
_LATEST = max(LATER_UNITS.values())
"""From here on every unit of the registry is one."""


def select_counted(usage: Quantities, known: Mapping[str, object], received_at: datetime) -> Quantities:
    """The quantities of `usage` that are added up; `known` has the registered units as keys."""
    if usage.keys() <= known.keys() and (received_at >= _LATEST or usage.keys().isdisjoint(LATER_UNITS)):
        return usage
    unknown = sorted(unit for unit in usage if not _is_unit(unit, known, received_at))
    left_out = unknown[UNKNOWN_UNITS_MAX:] if received_at >= UNKNOWN_UNITS_FROM else unknown
    return {unit: quantity for unit, quantity in usage.items() if unit not in left_out}


def _is_unit(name: str, known: Mapping[str, object], received_at: datetime) -> bool:
    since = LATER_UNITS.get(name)
    return name in known and (since is None or received_at >= since)
