"""What follows from one hour of a tenant's scopes by the rule `hour`: what is told, and with what. Pure.

Between a burst, which one minute shows, and a level, which takes days: some hours at a few times of what they
usually bring. What a burst, a loop or a shift has told of this hour's money is not told again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any

from services.alerts.bursts.anomalies import Growth
from services.alerts.bursts.gates import YOUNG_FACTOR
from services.alerts.bursts.seasons import ALWAYS_SHARE, HOUR, YOUNG_DAYS
from services.alerts.bursts.told import ToldPaces, told_in
from services.alerts.bursts.transitions import (
    beyond_chance,
    by_chance,
    explained,
    grown,
    is_expected,
    is_page_of_the_day,
    once_more,
)
from services.alerts.hours.scoring import HourMoney, HourUsual, UnusualHour, usual_in
from services.alerts.incidents.incident import (
    HOURLY,
    Incident,
    IncidentFigures,
    by_rule,
    is_hourly,
    opened,
    scope_digest,
)
from services.alerts.incidents.words import Wording
from services.alerts.levels.days import named, scope_of
from services.alerts.levels.folding import ToldCause, causes_of
from services.alerts.rates import over, per_hour
from services.alerts.scopes import MINUTE, TENANT, DetectorScope
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, total

OPEN_MAX = 20
"""Incidents of a tenant at once, the dearest."""
FOLDED_MAX = 50
GROWS = 2
"""So many times the money that was told is told again."""
SHIFT_PEAK = 3
"""The hours of a day that rose take so many times their mean at most."""


@dataclass(frozen=True, kw_only=True)
class HourLook:
    """One tenant's hour from `hour` on, as far as it is known: up to `until`."""

    tenant: str
    now: datetime
    currency: str
    hour: datetime
    until: datetime
    rules: Sequence[AlertRule]
    amounts: Mapping[DetectorScope, HourMoney]
    unusual: Sequence[UnusualHour]
    whole: HourUsual
    """What the tenant's hour usually brings."""
    month: Decimal
    """What the tenant spent in the last four weeks."""
    history_days: int
    page_score: float
    over: Sequence[Incident] = ()
    """Loops that have ended within the hour: of their money people know."""
    planned_over: Sequence[Mapping[str, str]] = ()
    """Whose spend was planned within the hour, and is not any more."""
    wording: Wording
    explanations: Mapping[bytes, Mapping[str, Any]] = field(default_factory=dict)
    """Of what it proposes, by the digest of its scope: what the book says explains it."""

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open or to tell again, given those that are open or were."""
        ours = [one for one in current if is_hourly(one) and one.currency == self.currency]
        going_on = {scope_of(one.scope): one for one in ours if one.state != "resolved"}
        known = [*self._own(going_on), *self._told([*current, *self.over])]
        rose = [
            each
            for each in self.unusual
            if each.scope not in going_on
            and self._rule(each) is not None
            and all(_is_apart(each.scope, planned) for planned in self.planned_over)
            and each.excess > GROWS * sum((told for scope, told in known if scope == each.scope), ZERO)
        ]
        tenants = EXACT.subtract(self.amounts.get(TENANT, HourMoney()).amount, self.whole.amount)
        causes = causes_of(rose, max(ZERO, tenants), known)
        begun = [self._begun(cause, ours) for cause in causes[: max(0, OPEN_MAX - len(going_on))]]
        again = [self._grown(one) for one in going_on.values() if self._has_grown(one)]
        return [self.wording.with_words(one) for one in (*begun, *again)]

    def _rule(self, each: UnusualHour) -> AlertRule | None:
        """The first rule by which it is news; None = by none."""
        return next((rule for rule in self.rules if self._passes(rule, each)), None)

    def _passes(self, rule: AlertRule, each: UnusualHour) -> bool:
        if rule.filter and rule.filter != named(each.scope):
            return False
        young = YOUNG_FACTOR if self._is_young() else 1
        least = EXACT.multiply(Decimal(young), rule.number("amount_min"))
        return each.excess >= max(least, EXACT.multiply(rule.number("share_min"), self.whole.amount))

    def _is_young(self) -> bool:
        return self.history_days < YOUNG_DAYS

    def _own(self, going_on: Mapping[DetectorScope, Incident]) -> list[tuple[DetectorScope, Decimal]]:
        """What goes on has this hour's excess of its scope."""
        found = []
        for scope, incident in going_on.items():
            amount = self.amounts.get(scope, HourMoney()).amount
            found.append((scope, max(ZERO, EXACT.subtract(amount, incident.expected_per_hour))))
        return found

    def _told(self, current: Sequence[Incident]) -> list[tuple[DetectorScope, Decimal]]:
        """What others have told of this hour's money, at most; of a combination by its first dimension."""
        found = []
        for one in current:
            excess = self._told_by(one)
            if excess > 0:
                scopes = [(name, value) for name, value in one.scope.items() if name != "run"]
                found.append((scopes[0] if scopes else TENANT, excess))
                found += [(scope, ZERO) for scope in scopes[1:]]
        return found

    def _told_by(self, one: Incident) -> Decimal:
        pace = max(ZERO, EXACT.subtract(one.peak_per_hour, one.expected_per_hour))
        if one.currency != self.currency or is_hourly(one):
            return ZERO
        if one.kind == "shift" and one.state != "resolved":
            return EXACT.multiply(Decimal(SHIFT_PEAK), over(pace, self.until - self.hour))
        if is_expected(one, self.now):
            return over(pace, self.until - self.hour)
        if one.kind not in {"anomaly", "loop"} or one.hot_at < self.hour or one.began_at >= self.until:
            return ZERO
        ended = self.until if one.state != "resolved" and one.kind == "loop" else one.hot_at + MINUTE
        lasted = min(ended, self.until) - max(one.began_at, self.hour) + MINUTE
        all_of_it = EXACT.subtract(one.amount, one.expected) if one.began_at >= self.hour else ZERO
        return max(over(pace, max(MINUTE, lasted)), all_of_it)

    def _begun(self, cause: ToldCause[UnusualHour], ours: Sequence[Incident]) -> Incident:
        """A new incident, or the last one of its scope that was over once more."""
        each, rule = cause.told, self._rule(cause.told)
        assert rule is not None
        lasted = self.until - self.hour
        figures = IncidentFigures(
            amount=each.money.amount,
            expected=over(each.usual.amount, lasted),
            rate_per_hour=per_hour(each.money.amount, lasted),
            expected_per_hour=each.usual.amount,
            of_which_provisional=each.money.provisional,
        )
        half = divided(each.excess, Decimal(2))
        incident = opened(
            self.now, figures, tenant=self.tenant, kind="anomaly", **by_rule(rule, self.hour),
            scope=named(each.scope), currency=self.currency, hot_per_hour=EXACT.add(each.usual.amount, half),
            details=self._details(cause, EXACT.subtract(figures.amount, figures.expected)),
        )  # fmt: skip
        incident = replace(incident, hot_at=self.until)
        if not (self._is_sure(each) and is_page_of_the_day(ours, each.excess, self.now)):
            incident = by_chance(incident)
        if (explanation := self.explanations.get(scope_digest(incident.scope))) is not None:
            incident = explained(incident, explanation)
        return once_more(incident, [one for one in ours if one.state == "resolved"], self.now)

    def _details(self, cause: ToldCause[UnusualHour], told: Decimal) -> dict[str, Any]:
        each = cause.told
        details: dict[str, Any] = {
            HOURLY: {
                "level": plain(each.usual.level),
                "half_excess": plain(divided(each.excess, Decimal(2))),
                "score": round(each.score, 2),
            },
            "told": ToldPaces(amount=max(ZERO, told), at=self.now).details(),
            "folded": [{"scope": list(one.scope)} for one in cause.folded[:FOLDED_MAX]],
        }
        return details | ({"history_days": self.history_days} if self._is_young() else {})

    def _is_sure(self, each: UnusualHour) -> bool:
        """Whether chance hardly makes as much among so many scopes, or it is too much money to ask."""
        return each.score >= self.page_score or each.excess >= EXACT.multiply(ALWAYS_SHARE, self.month)

    def _has_grown(self, incident: Incident) -> bool:
        """Whether its money has come to more than twice of what was told, and goes on."""
        told = told_in(incident.details)
        if told.at is None or self.now - told.at < HOUR or self.now - incident.hot_at > HOUR:
            return False
        return EXACT.subtract(incident.amount, incident.expected) > GROWS * told.amount

    def _grown(self, incident: Incident) -> Incident:
        """What may have been chance and has come to twice as much is a page."""
        growth = Growth(scope=None, told=ToldPaces(at=self.now))
        return beyond_chance(grown(incident, growth, incident.rate_per_hour, self.now))


def hour_look(
    unusual: Mapping[DetectorScope, float],
    amounts: Mapping[DetectorScope, HourMoney],
    known: Mapping[DetectorScope, Mapping[datetime, Decimal]],
    *,
    hour: datetime,
    since: datetime,
    zone: tzinfo,
    **about: Any,
) -> HourLook:
    """What is seen of an hour in which these scopes have such scores. `known`: what they and the tenant came
    to in the four weeks before; `since`: from when on that is known; `about`: the other fields."""
    usual = {scope: usual_in(known[scope], hour, zone, since) for scope in (TENANT, *unusual)}
    return HourLook(
        hour=hour,
        amounts=amounts,
        unusual=[
            UnusualHour(scope=scope, money=amounts[scope], usual=usual[scope], score=score)
            for scope, score in unusual.items()
        ],
        whole=usual[TENANT],
        month=total(known[TENANT].values()),
        history_days=min((hour - since).days, YOUNG_DAYS),
        **about,
    )


def _is_apart(scope: DetectorScope, other: Mapping[str, str]) -> bool:
    """Whether none of the scope's money can be the other's."""
    return other.get(scope[0], scope[1]) != scope[1]
