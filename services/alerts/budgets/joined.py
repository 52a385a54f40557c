"""Budgets that lie within each other and are broken by the same money: one message, by the innermost. Pure.

Whoever hears of the outer budget hears of the inner one: a channel that takes a scope takes all that lies in
it. So the inner one carries the message, as severe as the severest, and names the others; these are open and
known, and told to the topic alone.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.alerts.budgets.budgets import Budget
from services.alerts.incidents.incident import Incident
from spendmeter.contracts.budget_tree import lies_within
from spendmeter.contracts.incidents import IncidentSeverity
from spendmeter.contracts.money import ZERO, plain

_SEVERITIES: tuple[IncidentSeverity, ...] = ("info", "warning", "critical")
NAMED_MAX = 20


def joined(crossed: Sequence[tuple[Budget, Incident]]) -> list[Incident]:
    """The incidents of one look, in their order: an outer one is told with the inner one that spent most."""
    told = [each for each in crossed if each[1].told and not each[0].value_of]  # values are brothers
    innermost = [each for each in told if not any(lies_within(other.node, each[0].node) for other, _ in told)]
    carried: dict[object, list[Incident]] = {}
    carrier_of: dict[object, Incident] = {}
    for budget, incident in told:
        inside = [each for each in innermost if lies_within(each[0].node, budget.node)]
        if inside:
            _, carrier = max(inside, key=lambda each: (each[1].amount, str(each[1].id)))
            carried.setdefault(carrier.id, []).append(incident)
            carrier_of[incident.id] = carrier
    return [_told(each, carried.get(each.id, ()), carrier_of.get(each.id)) for _, each in crossed]


def _told(incident: Incident, others: Sequence[Incident], carrier: Incident | None) -> Incident:
    if carrier is not None:
        details = dict(incident.details) | {"told_with": carrier.rule_name}
        return replace(incident, told=False, details=details)
    if not others:
        return incident
    named = [
        {  # as they were when they were passed
            "budget": each.rule_id,
            "name": each.rule_name,
            "threshold_percent": plain(each.threshold_percent or ZERO),
            "amount": plain(each.amount),
            "expected": plain(each.expected),
        }
        for each in others[:NAMED_MAX]
    ]
    severity = max((each.severity for each in (incident, *others)), key=_SEVERITIES.index)
    return replace(incident, severity=severity, details=dict(incident.details) | {"with": named})
