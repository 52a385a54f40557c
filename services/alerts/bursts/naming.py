"""A burst is found at one value of one dimension; it is named by the combination that explains it. Pure.

The combination becomes the incident's scope: its figures are those of its own money, and other money of the
value is not its own and is told by itself. So it names only what it holds nearly all of: what it would leave
out is told no second time. Else the incident keeps the value, and its words say what explains it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.anomalies import HOT_FACTOR, Anomaly
from services.alerts.bursts.expectations import Learned
from services.alerts.bursts.told import ACTIVE_MIN, told_of
from services.alerts.scopes import NAMING_ORDER, Spent, minutes_of
from spendmeter.contracts.money import ZERO, divided, quantised, total

LEFT_SHARE_MAX = Decimal("0.05")
"""Of a combination's excess: so much of the value's excess may lie outside it."""


@dataclass(frozen=True, kw_only=True)
class Combination:
    """Values, all of which its money has, and what it was expected to cost."""

    scope: Mapping[str, str]
    expected_per_minute: Decimal


def combinations_of(
    explanation: Mapping[str, Any], within: Mapping[str, str], began: datetime, now: datetime
) -> list[Combination]:
    """An explanation's causes (as `details` keep it) of what `within` spent since it began. None where
    combinations were not looked at; only of dimensions that the detector sees."""
    minutes = max(ACTIVE_MIN, minutes_of(now - began))
    return [
        Combination(
            scope={**within, **cause["scope"]},
            expected_per_minute=quantised(divided(max(ZERO, Decimal(cause["expected"])), minutes)),
        )
        for cause in explanation.get("causes", ())
        if explanation["narrowed"] and cause["scope"] and cause["scope"].keys() <= set(NAMING_ORDER)
    ]


def narrowed(
    anomaly: Anomaly,
    combinations: Iterable[Combination],
    spent: Sequence[Spent],
    learned: Learned,
    known: Iterable[Combination],
    now: datetime,
) -> Anomaly:
    """The anomaly of the first combination that holds it; as it is, where none does. `known`: what people are
    told of already: its money is no part of this one."""
    value = anomaly.values
    others = [each for each in known if value.items() < each.scope.items()]
    rows = [
        row
        for row in spent
        if anomaly.began_at <= row.minute <= now
        and matches(row.series, value)
        and not any(matches(row.series, each.scope) for each in others)
    ]
    minutes = max(ACTIVE_MIN, minutes_of(now - anomaly.began_at))
    for each in [*combinations, *_rest(anomaly, rows, others)]:
        inside = value.items() < each.scope.items()
        if not inside or any(_overlap(each.scope, other.scope) for other in others):
            continue
        held = total(row.amount for row in rows if matches(row.series, each.scope))
        excess = held - each.expected_per_minute * minutes
        rest_expected = max(ZERO, anomaly.expected_per_minute - each.expected_per_minute) * minutes
        left = total(row.amount for row in rows) - held - rest_expected
        if excess > 0 and left <= LEFT_SHARE_MAX * excess:
            return _as(anomaly, each, spent, learned, now)
    return anomaly


def _as(
    anomaly: Anomaly, by: Combination, spent: Sequence[Spent], learned: Learned, now: datetime
) -> Anomaly:
    usual = by.expected_per_minute
    return replace(
        anomaly,
        combination=by.scope,
        expected_per_minute=usual,
        hot_per_minute=HOT_FACTOR * usual,
        told=told_of(by.scope, spent, learned, usual=usual, began=anomaly.began_at, now=now),
    )


def _rest(anomaly: Anomaly, rows: Sequence[Spent], others: Sequence[Combination]) -> list[Combination]:
    """What all of a value's money has that others do not hold: where they hold all else of the value."""
    apart = {name for each in others for name in each.scope if name not in anomaly.values}
    shared = {name: {row.series.value(name) for row in rows} for name in apart}
    same = {name: min(values) for name, values in shared.items() if len(values) == 1 and all(values)}
    usual = anomaly.expected_per_minute - total(each.expected_per_minute for each in others)
    return [Combination(scope={**anomaly.values, **same}, expected_per_minute=max(ZERO, usual))]


def _overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether money may be of both: no dimension has another value."""
    return all(other.get(dimension, value) == value for dimension, value in one.items())
