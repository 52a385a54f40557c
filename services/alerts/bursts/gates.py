"""What a rule of bursts asks of an excess before it is news: two gates, and that it watches it. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.expectations import SCORE_MIN, Expectation, Learned
from services.alerts.scopes import TENANT, DetectorScope, Spent, scopes_of
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import ZERO

WATCHED_SHARE = Decimal("0.8")
"""A scope of whose money a rule watches this much is the rule's."""
YOUNG_FACTOR = 2
"""Of a tenant whose weekly rhythm nobody knows yet, an excess must come to so many times as much."""


class RuleGate:
    """An amount that matters, a multiple of the scope's high minutes, and spend that the rule watches."""

    def __init__(self, rule: AlertRule, learned: Learned, spent: Sequence[Spent]) -> None:
        tenant, self.rule = learned.scopes.get(TENANT), rule
        least, share = rule.number("amount_min"), rule.number("share_min")
        young = 1 if learned.young_days is None else YOUNG_FACTOR
        self.amount = max(young * least, share * tenant.per_minute if tenant else ZERO)
        self._score = rule.number("score_min") / SCORE_MIN
        self._watched: defaultdict[DetectorScope, Decimal] | None = None
        if rule.filter:
            self._watched = defaultdict(Decimal)
            for row in spent:
                if matches(row.series, rule.filter):
                    for scope in scopes_of(row.series):
                        self._watched[scope] += row.amount

    def passes(
        self, scope: DetectorScope, expected: Expectation, excess: Decimal, all_of_it: Decimal
    ) -> bool:
        """Whether such an excess of the scope, which has spent `all_of_it`, is news by the rule."""
        if excess - expected.room < max(self.amount, self._score * expected.gate):
            return False
        return self._watched is None or self._watched[scope] >= WATCHED_SHARE * all_of_it
