"""What follows from one look at a tenant's last minutes: what to open, what goes on, what is over. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from services.alerts.bursts.anomalies import (
    EVERYBODYS,
    Anomaly,
    Growth,
    Known,
    detect,
    is_hot,
    owners,
)
from services.alerts.bursts.expectations import MATERIAL_AMOUNT, Learned
from services.alerts.bursts.minutes import Recent, by_series
from services.alerts.bursts.naming import Combination, combinations_of, narrowed
from services.alerts.bursts.told import told_in
from services.alerts.bursts.transitions import (
    beyond_chance,
    by_chance,
    explained,
    grown,
    is_expected,
    is_page_of_the_day,
    once_more,
)
from services.alerts.counting.counters import CounterSum
from services.alerts.counting.figures import figures_of
from services.alerts.incidents.incident import (
    COOL_DOWN,
    LASTED,
    REPEAT_AGE_MAX,
    UPDATE_AGE_MIN,
    Incident,
    IncidentFigures,
    by_rule,
    in_other_money,
    is_burst,
    open_bursts,
    opened,
    scope_digest,
    top_contributor,
)
from services.alerts.incidents.words import Wording
from services.alerts.rates import over
from services.alerts.scopes import MINUTE, TENANT, minutes_of
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO, divided, quantised, total
from spendmeter.contracts.series import Series

QUIET = timedelta(minutes=5)
"""An anomaly is over when its scope was not hot for so long; with each repeat after twice as long."""
QUIET_MAX = timedelta(minutes=40)
LASTING = timedelta(days=1)
GREW_APART = timedelta(minutes=1)
"""That an anomaly has grown is told at most so often."""
GOES_ON = timedelta(minutes=5)
"""At the pace that was told money doubles by itself: that is told after so long at the earliest."""


@dataclass(frozen=True, kw_only=True)
class AnomalyLook:
    """One tenant's minutes under test at one moment, and what was to be expected."""

    tenant: str
    now: datetime
    currency: str
    recent: Recent
    learned: Learned
    complete_through: datetime | None
    """Up to when the book is whole: by that alone is something quiet. None = nobody can say."""
    wording: Wording
    rules: Sequence[AlertRule] = EVERYBODYS
    """Those of bursts that are on; what is open goes on without them."""
    explanations: Mapping[bytes, Mapping[str, Any]] = field(default_factory=dict)
    """Of what it proposes, by the digest of its scope: what the book says explains it."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """What to tell, given the anomalies that are open or were: new ones, repeats, and what has grown."""
        ours = [each for each in current if is_burst(each) and each.currency == self.currency]
        known = [each for each in ours if self._is_known(each)]
        known += [each for each in self._expected(ours) if each not in known]
        told = [_known(each, self.now) for each in known]
        found = detect(self.recent.spent, self.learned, self.now, told, self.rules)
        proposed = []
        over = [each for each in ours if self._may_repeat(each, known)]
        names = [_named(each) for each in known]
        proposed += [self._begun(anomaly, ours, over, names) for anomaly in found.new]
        for place, incident in enumerate(known):
            growth = found.grown.get(place)
            if growth is None and self._goes_on(incident):
                growth = Growth(scope=None, told=told_in(incident.details))
            if growth is not None and incident.state != "resolved" and self._may_grow(incident):
                rate = self.recent.rate_per_hour(incident.scope, self.now)
                after = grown(self._judged(incident, growth), growth, rate, self.now)
                explanation = self.explanations.get(incident.scope_digest)
                is_cause = "of" in incident.details.get("explanation", ())
                proposed.append(after if explanation is None or is_cause else explained(after, explanation))
        return [self.wording.with_words(incident) for incident in proposed]

    def _begun(
        self, found: Anomaly, ours: Sequence[Incident], over: Sequence[Incident], known: Sequence[Combination]
    ) -> Incident:
        """A new incident, or the last one of its scope that was over once more; of the combination that
        explains it, unless what was over has the name of the value alone."""
        explanation = self.explanations.get(scope_digest(found.values))
        anomaly = found
        if not any(each.scope == found.values for each in over):
            anomaly = narrowed(
                found, self._combinations(found, over), self.recent.spent, self.learned, known, self.now
            )
        figures = self._first_figures(anomaly)
        incident = anomaly_incident(self.tenant, anomaly, self.currency, figures, self.now)
        if not (anomaly.sure and self._may_page(ours, anomaly.told.amount)):
            incident = by_chance(incident)
        if self.learned.waits:
            incident = replace(incident, details=dict(incident.details) | {"history_waits": True})
        elif self.learned.young_days is not None:
            known_days = {"history_days": self.learned.young_days}
            incident = replace(incident, details=dict(incident.details) | known_days)
        if explanation is not None:
            incident = explained(incident, explanation, found.values)
        return once_more(incident, over, self.now)

    def _combinations(self, found: Anomaly, over: Sequence[Incident]) -> list[Combination]:
        """What may name it: combinations that it may be once more, then what explains it."""
        past = [_named(each) for each in sorted(over, key=lambda each: each.hot_at, reverse=True)]
        explanation = self.explanations.get(scope_digest(found.values), {})
        return past + combinations_of(explanation, found.values, found.began_at, self.now)

    def _may_page(self, ours: Sequence[Incident], excess: Decimal) -> bool:
        always = self.learned.always is not None and excess >= self.learned.always
        return always or is_page_of_the_day(ours, excess, self.now)

    def _judged(self, incident: Incident, growth: Growth) -> Incident:
        """What looked like chance, and has come to more than chance makes, is a page by now."""
        if "by_chance" not in incident.details:
            return incident
        scope = next(iter(incident.scope.items()), TENANT)
        excess = EXACT.subtract(incident.amount, incident.expected)
        large = self.learned.always is not None and excess >= self.learned.always
        if not large and not self.learned.is_sure(scope, growth.told.own):
            return incident
        return beyond_chance(incident)

    def _is_known(self, incident: Incident) -> bool:
        """Whether its money is its own: it is open, or ended while it was spending on."""
        return incident.state != "resolved" or self.now - incident.hot_at < COOL_DOWN

    def _expected(self, ours: Sequence[Incident]) -> list[Incident]:
        """Of each scope the last that is over and was expected, unless another is open."""
        scopes = [each.scope for each in ours if each.state != "resolved"]
        last = {
            each.scope_digest: each
            for each in sorted(ours, key=lambda each: each.hot_at)
            if is_expected(each, self.now) and each.scope not in scopes
        }
        return list(last.values())

    def _may_repeat(self, incident: Incident, known: Sequence[Incident]) -> bool:
        """Whether what its scope spends again is that once more."""
        at = incident.resolved_at
        return incident not in known and at is not None and self.now - at <= REPEAT_AGE_MAX

    def _may_grow(self, incident: Incident) -> bool:
        told = told_in(incident.details)
        return told.at is not None and self.now - told.at >= GREW_APART

    def _goes_on(self, incident: Incident) -> bool:
        """Whether at the pace that was told its money has come to more than twice of what was told."""
        told = told_in(incident.details)
        if told.at is None or self.now - told.at < GOES_ON or self.now - incident.hot_at > MINUTE:
            return False
        untold = EXACT.subtract(EXACT.subtract(incident.amount, incident.expected), told.amount)
        return untold > max(MATERIAL_AMOUNT, told.amount)

    def _first_figures(self, anomaly: Anomaly) -> IncidentFigures:
        usual = quantised(anomaly.expected_per_minute * 60)
        scope = anomaly.values
        rows = self.recent.of(scope, anomaly.began_at, self.now)
        amounts = by_series(rows)
        amount = total(amounts.values())
        return IncidentFigures(
            amount=amount,
            expected=over(usual, self.now - anomaly.began_at),
            rate_per_hour=self.recent.rate_per_hour(scope, self.now),
            expected_per_hour=usual,
            of_which_provisional=total(row.provisional for row in rows),
            top_contributor=top_contributor(amounts, amount),
        )

    def hot(self, current: Sequence[Incident]) -> set[UUID]:
        """Of the open anomalies those that go on: what belongs to a smaller one keeps no other going."""
        known = [each for each in open_bursts(current) if each.currency == self.currency]
        owner = owners(self.recent.spent, [each.scope for each in known])
        amounts: defaultdict[int | None, Decimal] = defaultdict(Decimal)
        for row in self.recent.spent:
            if self.learned.until <= row.minute <= self.now:
                amounts[owner[row.series]] += row.amount
        tested, hot = self.now - self.learned.until, set()
        for place, incident in enumerate(known):
            rates = (incident.expected_per_hour, incident.hot_per_hour)
            if is_hot(amounts[place], *(over(rate, tested) for rate in rates)):
                hot.add(incident.id)
        return hot

    def ending(self, incident: Incident, hot: bool) -> str:
        """Why an incident is over; '' = it is not."""
        if other := in_other_money(incident, self.currency):
            return other
        if self.now - incident.began_at >= LASTING:
            return LASTED
        quiet = min(QUIET * 2 ** min(incident.repeats, 10), QUIET_MAX)
        through = self.complete_through
        is_over = not hot and through is not None and through - incident.hot_at >= quiet
        return f"nothing unusual for {quiet // MINUTE} minutes" if is_over else ""

    def has_stopped(self, incident: Incident, hot: bool) -> bool:
        """Whether its figures say that it goes on, and it does not."""
        said = incident.rate_per_hour > max(incident.hot_per_hour, incident.expected_per_hour)
        known = self._is_up_to_date() and self.now - incident.updated_at >= UPDATE_AGE_MIN
        return said and not hot and known

    def _is_up_to_date(self) -> bool:
        return self.complete_through is not None and self.now - self.complete_through <= MINUTE

    def is_corrected(self, figures: IncidentFigures) -> bool:
        """Whether but for corrections its money would be above what was expected."""
        booked = EXACT.subtract(figures.amount, figures.corrected)
        return is_hot(booked, figures.expected, ZERO) and not is_hot(figures.amount, figures.expected, ZERO)

    def until(self, incident: Incident, hot: bool) -> datetime:
        """Where its money ends: now, or when it was last hot, for what comes later is usual."""
        return self.now if hot else max(incident.hot_at, incident.began_at)

    def figures(
        self, incident: Incident, spent: CounterSum, series: Mapping[bytes, Series], until: datetime
    ) -> IncidentFigures:
        """Its figures; `spent`: what its scope spent from its beginning to `until`."""
        usual = incident.expected_per_hour
        expected = over(usual, until - incident.began_at)
        rate = self.recent.rate_per_hour(incident.scope, self.now)
        if not self._is_up_to_date():  # less is no news
            rate = max(rate, incident.rate_per_hour)
        if in_other_money(incident, self.currency):
            rate = ZERO
        return figures_of(spent, series, expected=expected, usual=usual, rate=rate)


def anomaly_incident(
    tenant: str, anomaly: Anomaly, currency: str, figures: IncidentFigures, now: datetime
) -> Incident:
    """A scope far over its expectation; its episode is the minute in which that began."""
    return opened(
        now,
        figures,
        tenant=tenant,
        kind="anomaly",
        # revision 1: as it was before anybody could change it
        **by_rule(anomaly.rule, anomaly.began_at, rule_revision=anomaly.rule.revision or 1),
        scope=anomaly.values,
        details={"told": anomaly.told.details()},
        currency=currency,
        hot_per_hour=quantised(anomaly.hot_per_minute * 60),
    )


def _named(incident: Incident) -> Combination:
    return Combination(scope=incident.scope, expected_per_minute=_per_minute(incident))


def _per_minute(incident: Incident) -> Decimal:
    return quantised(divided(incident.expected_per_hour, Decimal(60)))


def _known(incident: Incident, now: datetime) -> Known:
    told, expected = told_in(incident.details), is_expected(incident, now)
    if expected:
        excess = max(ZERO, EXACT.subtract(incident.amount, incident.expected))
        minutes = max(Decimal(1), minutes_of(incident.hot_at - incident.began_at))
        told = told.at_least(divided(excess, minutes))
    return Known(
        scope=incident.scope,
        began_at=incident.began_at,
        expected_per_minute=_per_minute(incident),
        told=told,
        expected=expected,
    )
