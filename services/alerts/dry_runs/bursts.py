"""A rule of bursts, replayed over a tenant's minutes: the detector that watches, fed with what was. Pure.

It judges each minute once, at its end, where the watch looks every few seconds: it finds the same bursts, a
minute later at most. What people did meanwhile, plans and feedback, is left out.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.budgets.budgets import matches
from services.alerts.bursts.bursts import AnomalyLook
from services.alerts.bursts.expectations import HISTORY_MINUTES, Learned
from services.alerts.bursts.learning import Explained, History, learned_from
from services.alerts.bursts.minutes import Recent, spent_in
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.replayed import Replayed
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.words import Wording
from services.alerts.rates import over
from services.alerts.scopes import MINUTE, Spent
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, divided, quantised, total

KEPT_MINUTES = HISTORY_MINUTES + 2
END = timedelta(milliseconds=1)
"""Before the next minute begins a look is at the whole of this one."""


class BurstReplay:
    """`minute` for each with spend, in their order; then `fired`."""

    def __init__(
        self, rule: AlertRule, currency: str, *, counted_from: datetime, learn_every: int = 1
    ) -> None:
        self.learn_every = learn_every
        """Minutes: a large tenant learns more seldom, or its replay would never end."""
        self._rule, self._currency = rule, currency
        self._minutes: OrderedDict[datetime, str] = OrderedDict()
        self._learned: Learned | None = None
        self._learned_at: datetime | None = None
        self._replayed = Replayed(counted_from)

    def minute(self, at: datetime, folded: str) -> None:
        """What was spent in the minute `at`; without spend there is nothing to tell."""
        now, spent = at + MINUTE - END, spent_in(at, folded)
        learned = self._learn(at)
        before = at - MINUTE
        rows = [*self._tested(before, learned), *spent] if learned.until <= at else []
        recent = Recent()
        recent.look(rows, now)
        look = AnomalyLook(
            tenant="", now=now, currency=self._currency, recent=recent, learned=learned, rules=(self._rule,),
            complete_through=now, wording=Wording(zone=ZoneInfo("UTC")),
        )  # fmt: skip
        self._follow(look, spent)
        for incident in look.proposals(self._replayed.known):
            self._replayed.tell(incident)
        self._minutes[at] = folded
        while len(self._minutes) > KEPT_MINUTES:
            self._minutes.popitem(last=False)

    def fired(self) -> list[WouldHaveFired]:
        """What it would have told."""
        return self._replayed.fired()

    def _tested(self, before: datetime, learned: Learned) -> Sequence[Spent]:
        folded = self._minutes.get(before)
        return spent_in(before, folded) if folded is not None and learned.until <= before else ()

    def _learn(self, at: datetime) -> Learned:
        stale = self._learned_at is None or at - self._learned_at >= self.learn_every * MINUTE
        if self._learned is None or stale:
            explained = [each for incident in self._replayed.known for each in _explained(incident)]
            history = History(
                minutes=list(self._minutes.items()), explained=explained, first_seen=None, now=at
            )
            self._learned, self._learned_at = learned_from(history), at
        since = min(self._learned.until + (at - (self._learned_at or at)), at)
        return replace(self._learned, until=since)

    def _follow(self, look: AnomalyLook, spent: Sequence[Spent]) -> None:
        """What goes on has this minute's money; what is over is counted, and forgotten after a day."""
        self._replayed.forget(look.now)
        hot = look.hot(self._replayed.known)
        for incident in self._replayed.known:
            if incident.resolved_at is not None:
                continue
            if incident.id in hot:
                amount = total(row.amount for row in spent if matches(row.series, incident.scope))
                incident = replace(
                    incident,
                    hot_at=look.now,
                    amount=EXACT.add(incident.amount, amount),
                    expected=over(incident.expected_per_hour, look.now - incident.began_at),
                )
            self._replayed.renew(incident, look.ending(incident, incident.id in hot), look.now)


def _explained(incident: Incident) -> list[Explained]:
    bursts = [(incident.began_at, incident.hot_at)]
    for began, ended in incident.details.get("earlier", {}).get("bursts", ()):
        bursts.append((datetime.fromisoformat(began), datetime.fromisoformat(ended)))
    usual = quantised(divided(incident.expected_per_hour, Decimal(60)))
    return [
        Explained(scope=incident.scope, first=began - MINUTE, last=ended + MINUTE, usual=usual)
        for began, ended in bursts
    ]
