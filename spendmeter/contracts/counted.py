"""Which quantities of an event are added to rollups and totals: what spend and alerts show of usage.

All of units that the catalog has; of names that nobody registered the first few. Senders make such names up:
without a bound one event of 64 of them would grow the rows of its lane, which others share.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

UNKNOWN_UNITS_MAX = 8
"""Unregistered names whose quantities one event adds, the first in the order of their characters: more than a
slip or a new vendor's units, and fewer than a rollup row would feel. Whoever knows the event, the units of
its catalog version and this number knows what was added: a reversal takes away the same."""
UNKNOWN_UNITS_FROM = datetime(2026, 11, 25, 18, tzinfo=UTC)
"""Events received earlier add registered units alone, as they did when they were booked."""

Quantities = Mapping[str, int | Decimal]


def select_counted(usage: Quantities, known: Mapping[str, object], received_at: datetime) -> Quantities:
    """The quantities of `usage` that are added up; `known` has the registered units as keys."""
    if usage.keys() <= known.keys():
        return usage
    unknown = sorted(usage.keys() - known.keys()) if received_at >= UNKNOWN_UNITS_FROM else []
    added = unknown[:UNKNOWN_UNITS_MAX]
    return {unit: quantity for unit, quantity in usage.items() if unit in known or unit in added}
