"""What a key spends past its reservations of hard budgets: told from an amount on, and when it doubles. Pure.

Such a budget refuses only what is asked of it. What nobody asked for is booked all the same, and so is what
was asked for as somebody else's, or too late: it may overspend the budget, and people are to know.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    episode_of,
    in_other_money,
    open_of,
    opened,
    with_figures,
)
from services.alerts.incidents.words import Wording
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import plain, total

COUNTED_FOR = timedelta(days=1)
"""What is news is added up over so long."""
QUIET = timedelta(hours=1)
"""Without any of it for so long it is over, by up to when the book is complete."""
GROWS = 2
"""Times of what was told: told again."""
OPEN_MAX = 20
"""Incidents of a tenant at once, the dearest first."""
BUDGETS_NAMED_MAX = 5


@dataclass(frozen=True, kw_only=True)
class PastPart:
    """What one key spent of one budget past its reservations, for one reason."""

    key_id: str
    subject: str
    """unreserved, unlike or debt."""
    budget_id: UUID
    budget: str
    """Its name."""
    events: int
    amount: Decimal
    """As first booked."""
    since: datetime
    """The hour in which the first of it was counted."""
    first_at: datetime
    """When the first of it happened."""
    counted_at: datetime
    """When the last of it was counted."""
    differs: Mapping[str, Sequence[str]]
    """Of subject unlike, by dimension what the newest reserved and what was booked."""


class PastTold(NamedTuple):
    """What people were told of one key."""

    key_id: str
    since: datetime
    """The first hour of which something was told."""
    resolved_at: datetime | None
    """None = it is open."""


def counted_since(told: Iterable[PastTold], oldest: datetime) -> dict[str, datetime]:
    """From which hour on what a key spent is added up, for the keys of which people were told: since what is
    open began, else since the last of it was over, from `oldest` on at most. Of an end's hour nothing belongs
    to what is over: that was quiet for an hour."""
    since: dict[str, datetime] = {}
    is_open: set[str] = set()
    for each in told:
        begins = each.since if each.resolved_at is None else hour_of(each.resolved_at)
        since[each.key_id] = max(since.get(each.key_id, begins), begins)
        if each.resolved_at is None:
            is_open.add(each.key_id)
    return {key: begins if key in is_open else max(begins, oldest) for key, begins in since.items()}


def hour_of(at: datetime) -> datetime:
    """The hour of UTC that holds it."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True, kw_only=True)
class UnreservedLook:
    """One tenant's keys that spend past reservations, at one moment."""

    tenant: str
    now: datetime
    currency: str
    parts: Sequence[PastPart]
    booked_by: datetime | None
    """Up to when the book is complete; None = nobody can say."""
    rules: Sequence[AlertRule]
    """Those that are on."""
    wording: Wording

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, and those that have doubled, given those that are open."""
        ours = {
            one.scope["key_id"]: one
            for one in open_of("unreserved", current)
            if one.currency == self.currency
        }
        found = []
        for key, parts in self._by_key.items():
            rule, amount = self._rule(key), total(part.amount for part in parts)
            if rule is None or not parts:
                continue
            if (known := ours.get(key)) is not None:
                if amount >= GROWS * Decimal(known.details["told"]):
                    found.append(self._grown(known, amount))
            elif amount > 0 and amount >= rule.number("amount_min"):
                found.append(self._incident(key, rule, parts))
        grown = [one for one in found if one.number]
        fresh = sorted((one for one in found if not one.number), key=lambda one: (-one.amount, one.id))
        room = max(0, OPEN_MAX - len(ours))
        return [self.wording.with_words(one) for one in (*grown, *fresh[:room])]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        key = incident.scope["key_id"]
        if self._rule(key) is None:
            return "the rule was switched off"
        if other := in_other_money(incident, self.currency):
            return other
        last = max((part.counted_at for part in self._by_key.get(key, ())), default=incident.hot_at)
        if self.booked_by is None or self.booked_by - last < QUIET:
            return ""
        return "nothing was spent past its reservations for an hour"

    def renewed(self, incident: Incident) -> Incident:
        """The incident with what it has come to."""
        parts = self._by_key.get(incident.scope["key_id"])
        if not parts or in_other_money(incident, self.currency):
            return replace(incident, updated_at=self.now)
        details = dict(incident.details) | _said(parts)
        last = max(part.counted_at for part in parts)
        return with_figures(replace(incident, details=details, hot_at=last), _figures(parts), self.now)

    @cached_property
    def _by_key(self) -> Mapping[str, list[PastPart]]:
        found: dict[str, list[PastPart]] = {}
        for part in self.parts:
            rule = self._rule(part.key_id)
            if rule is not None and part.subject in rule.chosen("subjects"):
                found.setdefault(part.key_id, []).append(part)
        return found

    def _rule(self, key: str) -> AlertRule | None:
        """The key's own, else the one for all, that tells soonest; None = none is on."""
        its = [rule for rule in self.rules if rule.filter.get("key_id", key) == key]
        return min(its, key=lambda rule: (not rule.filter, rule.number("amount_min"), rule.id), default=None)

    def _grown(self, known: Incident, amount: Decimal) -> Incident:
        after = self.renewed(known)
        return replace(after, number=known.number + 1, details=dict(after.details) | {"told": plain(amount)})

    def _incident(self, key: str, rule: AlertRule, parts: Sequence[PastPart]) -> Incident:
        began = min(part.first_at for part in parts)
        counted = min(part.since for part in parts)
        incident = opened(
            self.now,
            _figures(parts),
            tenant=self.tenant,
            kind="unreserved",
            # Hours are one episode's alone; of when it happened an earlier one may have some as well.
            **by_rule(rule, began, episode=episode_of(counted)),
            scope={"key_id": key},
            currency=self.currency,
            details=_said(parts) | {"since": counted.isoformat()},
        )
        return replace(incident, details=dict(incident.details) | {"told": plain(incident.amount)})


def _said(parts: Sequence[PastPart]) -> dict[str, Any]:
    """By subject its money, events and budgets, the dearest first."""
    said: dict[str, Any] = {}
    for subject in sorted({part.subject for part in parts}):
        its = sorted(
            (part for part in parts if part.subject == subject),
            key=lambda part: (-part.amount, part.budget_id),
        )
        said[subject] = {
            "amount": plain(total(part.amount for part in its)),
            "events": sum(part.events for part in its),
            "budgets": [
                {"id": str(part.budget_id), "name": part.budget, "amount": plain(part.amount)}
                for part in its[:BUDGETS_NAMED_MAX]
            ],
            "differs": {name: list(pair) for name, pair in its[0].differs.items()},
        }
    return {"past": said}


def _figures(parts: Sequence[PastPart]) -> IncidentFigures:
    return IncidentFigures(
        amount=total(part.amount for part in parts),
    )
