"""The figures of an incident from what was counted. Pure."""

from collections.abc import Mapping
from decimal import Decimal

from services.alerts.counting.counters import CounterSum
from services.alerts.incidents.incident import IncidentFigures, top_contributor
from spendmeter.contracts.series import Series


def figures_of(
    spent: CounterSum, series: Mapping[bytes, Series], *, expected: Decimal, usual: Decimal, rate: Decimal
) -> IncidentFigures:
    """Figures of what was counted; `series`: its leaders' dimensions by id."""
    leaders = {series[each.series_id]: each.amount for each in spent.leaders if each.series_id in series}
    return IncidentFigures(
        amount=spent.effective,
        expected=expected,
        rate_per_hour=rate,
        expected_per_hour=usual,
        of_which_provisional=spent.provisional,
        top_contributor=top_contributor(leaders, spent.effective),
        corrected=spent.corrected,
    )
