"""How much money people were told of, scope by scope: what goes beyond it is news. Pure.

Told is a pace: money a minute over what is usual, of the incident's own scope and of every scope that had a
part in it. People who were told a pace know what it comes to; they do not know of twice as much.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.expectations import Learned
from services.alerts.scopes import TENANT, DetectorScope, Spent, minutes_of, scopes_of
from spendmeter.contracts.money import ZERO, plain, quantised

SCOPES_MAX = 50
"""An incident remembers so many scopes, those with the highest pace."""
WHOLE_SHARE = Decimal("0.8")
"""A scope that held so much of what was told holds the incident: it grows with it."""
SAME_SHARE = Decimal("0.25")
"""A scope that held so much of what was told and grows is the same cause; one that held less is another."""
ACTIVE_MIN = Decimal(1) / 60
"""Minutes: a pace is measured over a second at least."""


@dataclass(frozen=True, kw_only=True)
class ToldPaces:
    """What the last message said; paces are money a minute over what is usual."""

    own: Decimal = ZERO
    scopes: Mapping[DetectorScope, Decimal] = field(default_factory=dict)
    amount: Decimal = ZERO
    """Over what was expected, since it began."""
    at: datetime | None = None

    def of(self, scope: DetectorScope) -> Decimal:
        """A scope's pace; of one that a full list leaves out it may be as much as the list's last."""
        least = min(self.scopes.values()) if len(self.scopes) >= SCOPES_MAX else ZERO
        return self.own if scope == TENANT else self.scopes.get(scope, least)

    def with_highest(self, earlier: ToldPaces) -> ToldPaces:
        """What people know after both."""
        scopes = dict(earlier.scopes)
        for scope, pace in self.scopes.items():
            scopes[scope] = max(pace, scopes.get(scope, ZERO))
        return ToldPaces(
            own=max(self.own, earlier.own),
            scopes=_largest(scopes),
            amount=max(self.amount, earlier.amount),
            at=self.at,
        )

    def at_least(self, own: Decimal) -> ToldPaces:
        """What people know who know of such a pace; its parts had the same shares."""
        if own <= self.own:
            return self
        share = own / self.own if self.own > 0 else ZERO
        scopes = {scope: quantised(pace * share) for scope, pace in self.scopes.items()}
        return ToldPaces(own=quantised(own), scopes=scopes, amount=self.amount, at=self.at)

    def details(self) -> dict[str, Any]:
        """As an incident keeps it: amounts are plain decimal strings."""
        scopes: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for (dimension, value), pace in self.scopes.items():
            scopes[dimension][value] = plain(pace)
        return {
            "amount": plain(self.amount),
            "per_minute": plain(self.own),
            "scopes_per_minute": dict(scopes),
            "at": self.at.isoformat() if self.at else None,
        }


def told_in(details: Mapping[str, Any]) -> ToldPaces:
    """What an incident's details say of it; nothing, where they are of before anything was remembered."""
    told = details.get("told")
    if not told:
        return ToldPaces()
    return ToldPaces(
        own=Decimal(told["per_minute"]),
        scopes={
            (dimension, value): Decimal(pace)
            for dimension, paces in told["scopes_per_minute"].items()
            for value, pace in paces.items()
        },
        amount=Decimal(told["amount"]),
        at=datetime.fromisoformat(told["at"]) if told["at"] else None,
    )


def told_of(
    scope: Mapping[str, str],
    rows: Iterable[Spent],
    learned: Learned,
    *,
    usual: Decimal,
    began: datetime,
    now: datetime,
) -> ToldPaces:
    """What a message about `scope` tells; `rows`: minutes under test, `usual`: what it spends in a minute."""
    own = [row for row in rows if matches(row.series, scope)]
    since = max(began, learned.until)
    told = _paces(own, learned, usual, since, now)
    open_minute = now.replace(second=0, microsecond=0)
    if open_minute > since:  # it may go faster by now
        told = _paces(own, learned, usual, open_minute, now).with_highest(told)
    return told


def _paces(
    rows: Iterable[Spent], learned: Learned, usual: Decimal, since: datetime, now: datetime
) -> ToldPaces:
    active = max(ACTIVE_MIN, minutes_of(now - since))
    sums: defaultdict[DetectorScope, Decimal] = defaultdict(Decimal)
    for row in rows:
        if row.minute >= since:
            for each in scopes_of(row.series):
                sums[each] += row.amount
    own = quantised(max(ZERO, sums.pop(TENANT, ZERO) / active - usual))
    paces = {}
    for each, amount in sums.items():
        expected = learned.of(each)
        usual_of_it = min(usual, expected.per_minute if expected else ZERO)
        paces[each] = quantised(max(ZERO, amount / active - usual_of_it))
    return ToldPaces(own=own, scopes=_largest(paces), amount=quantised(own * active), at=now)


def _largest(paces: Mapping[DetectorScope, Decimal]) -> dict[DetectorScope, Decimal]:
    ranked = sorted(((pace, scope) for scope, pace in paces.items() if pace > 0), reverse=True)
    return {scope: pace for pace, scope in ranked[:SCOPES_MAX]}
