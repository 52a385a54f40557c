"""Sources that fell silent: which are, which of them belong together, and when one is over. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from services.alerts.incidents.incident import (
    Incident,
    IncidentFigures,
    by_rule,
    opened,
    with_figures,
)
from services.alerts.rates import MICROSECOND
from services.alerts.scopes import MINUTE
from services.alerts.silence.habit import WEEK, Habit, near_of
from services.alerts.silence.words import MINUTES, SilenceWording
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT, plain

TOGETHER = timedelta(minutes=10)
"""Sources that fell silent within so long of each other have one reason, and are one message."""
FREE_DAYS = 2
"""A source that people stand behind may not begin on so many workdays, unless others of its kind have."""
WORKING_PARTS = 3
"""It is a workday for all once a third of them have begun."""
FORGOTTEN_AFTER = WEEK
COARSE = timedelta(hours=2)
"""A pause that hours speak of may be so much shorter."""
OPEN_MAX = 20
MEMBERS_MAX = 50
"""Of one incident, the dearest."""
NEW_WEEKS = 2
NEW_TIMES = 2
"""Of a source that is known for less than two weeks it takes twice the money."""


@dataclass(frozen=True, kw_only=True)
class HeardSource:
    """One key, as it is heard of."""

    key_id: str
    habit: Habit
    amount_a_day: Decimal
    """What it spends on a day, on average of five weeks; in the tenant's currency."""
    heard_until: datetime
    """It has not sent anything of a later time."""
    minutes: Sequence[datetime] = ()
    """Those near this time of earlier weeks in which it was heard."""
    usual_age: timedelta = timedelta()
    """How old its newest usage gets before more comes."""
    judged: bool = True
    """Whether this worker has listened to it for long enough."""
    leader: bytes = b""
    """Its largest series."""

    def silent_for(self, through: datetime) -> timedelta:
        """For how long, counted up to where the book is complete."""
        return max(timedelta(), through - self.heard_until)

    def usual_pause(self, through: datetime) -> timedelta | None:
        """Its usual longest pause at this time of the week; None = it is not known for long enough."""
        pause = self.habit.usual_pause(through, self.silent_for(through), self.minutes)
        return None if pause is None else max(pause, self.usual_age)

    def is_watched(self, through: datetime, rule: AlertRule) -> bool:
        """Whether it is dear enough, and has been silent for a while."""
        new = self.habit.weeks_known(through) < NEW_WEEKS
        least = EXACT.multiply(rule.number("amount_min"), NEW_TIMES if new else 1)
        return self.judged and self.amount_a_day >= least and self.silent_for(through) >= _least(rule)

    def needs_minutes(self, through: datetime, rule: AlertRule) -> bool:
        """Whether hours are too coarse to say how long it usually pauses."""
        if not self.is_watched(through, rule):
            return False
        pause, times = self.habit.usual_pause(through, self.silent_for(through)), rule.number("gaps_min")
        if pause is None:
            return False
        return (
            _times(max(timedelta(), pause - COARSE), times) <= self.silent_for(through) < _times(pause, times)
        )

    def is_silent(self, through: datetime, rule: AlertRule) -> bool:
        """Whether it usually sends at this time, and has not for too long."""
        silent, times = self.silent_for(through), rule.number("gaps_min")
        habit = self.habit
        if not self.is_watched(through, rule) or silent >= habit.longest_pause + FORGOTTEN_AFTER:
            return False
        pause = self.usual_pause(through)
        if pause is None or silent < _times(pause, times):
            return False
        if not habit.keeps_hours:
            longest = habit.longest_pause
            return silent >= (longest + near_of(longest) if habit.is_clockwork else _times(longest, times))
        if habit.rests and not habit.is_usual(through):
            return False  # whoever stands behind it is not there now
        return habit.missed(self.heard_until, through) >= times * habit.usually_misses(through)


@dataclass(frozen=True, kw_only=True)
class SourceLook:
    """One tenant's sources by one rule, at one moment."""

    tenant: str
    now: datetime
    through: datetime
    """Up to when all that was accepted is booked."""
    currency: str
    rule: AlertRule
    sources: Mapping[str, HeardSource]
    unheard: Sequence[HeardSource]
    """Those of them that are silent by themselves."""
    gone: frozenset[str]
    """Keys that were revoked or have expired: they are not silent."""
    wording: SilenceWording
    carries: Mapping[bytes, Mapping[str, str]] = field(default_factory=dict)
    """The dimensions of largest series."""

    def silent(self) -> list[HeardSource]:
        """Those that are, the dearest first."""
        found = [each for each in self.unheard if each.key_id not in self.gone and not self._is_free(each)]
        return sorted(found, key=lambda each: (-each.amount_a_day, each.key_id))

    def proposals(self, current: Sequence[Incident]) -> list[Incident]:
        """Incidents to open, and open ones of which twice as much is silent as people were told."""
        ours = [each for each in current if self._is_ours(each)]
        told = {member["key_id"] for incident in ours for member in still_silent(incident)}
        untold = [each for each in self.silent() if each.key_id not in told]
        groups = [
            group for group in _together(untold) if not any(_belongs(group[0], incident) for incident in ours)
        ]
        room = max(0, OPEN_MAX - len(ours))
        fresh = [self._incident(group[:MEMBERS_MAX]) for group in groups[:room]]
        grown = [self._grown(each) for each in ours]
        return [self.wording.with_words(each) for each in (*fresh, *filter(None, grown))]

    def ending(self, incident: Incident) -> str:
        """Why an incident is over; '' = it is not."""
        members = self._followed(incident)
        silent = [each for each in members if not each["back_at"]]
        if not silent:
            back = any(each["back_at"] != GONE for each in members)
            return "it sends again" if back else "its key is no longer valid"
        if self.now - incident.opened_at >= FORGOTTEN_AFTER:
            some = "" if len(silent) == len(members) else f"{len(silent)} of {len(members)}: "
            return f"{some}it does not send any more"
        return ""

    def renewed(self, incident: Incident) -> Incident:
        """The incident with who is silent now."""
        members = self._followed(incident)
        known = {each["key_id"] for each in members}
        joining = [
            self._member(each)
            for each in self.silent()
            if each.key_id not in known and _belongs(each, incident)
        ]
        members = [*members, *joining][:MEMBERS_MAX]
        details = {**incident.details, "sources": members, "all": self._all_silent(members)}
        ages = [self.now - _at(each) for each in members if not each["back_at"]]
        back = [_at(each, "back_at") - _at(each) for each in members if each["back_at"] not in ("", GONE)]
        lasting = max(ages or back, default=timedelta())
        pause = Decimal(incident.details["usual_pause_minutes"])
        return with_figures(replace(incident, details=details), _figures(lasting, pause), self.now)

    def _is_ours(self, incident: Incident) -> bool:
        return (
            incident.state != "resolved"
            and incident.rule_id == self.rule.id
            and incident.details.get("subject") == "source"
        )

    def _is_free(self, source: HeardSource) -> bool:
        """Whether it has not begun today, and need not yet; or not at all, for few of its kind have."""
        missed = source.habit.workdays_missed(source.heard_until, self.through)
        if not source.habit.rests or not missed:
            return False
        if not source.habit.is_late(self.through):
            return True
        return missed <= FREE_DAYS and not self._is_workday

    @cached_property
    def _is_workday(self) -> bool:
        kind = [each for each in self.sources.values() if each.habit.rests]
        begun = sum(not each.habit.is_before_today(each.heard_until, self.through) for each in kind)
        return begun * WORKING_PARTS >= len(kind)

    def _incident(self, group: Sequence[HeardSource]) -> Incident:
        since = min(each.heard_until for each in group)
        pauses = [each.usual_pause(self.through) or timedelta() for each in group]
        members = [self._member(each) for each in group]
        return opened(
            self.now,
            _figures(self.through - since, in_minutes(max(pauses))),
            tenant=self.tenant,
            kind="silence",
            **by_rule(self.rule, since),
            scope={"key_id": group[0].key_id} if len(group) == 1 else {},
            currency=MINUTES,
            details={
                "subject": "source",
                "sources": members,
                "told": len(members),
                "all": self._all_silent(members),
                "usual_pause_minutes": plain(in_minutes(max(pauses))),
                "money": self.currency,
            },
        )

    def _grown(self, incident: Incident) -> Incident | None:
        after = self.renewed(incident)
        silent, told = len(list(still_silent(after))), incident.details["told"]
        if silent < 2 * told:
            return None
        return replace(after, number=incident.number + 1, details={**after.details, "told": silent})

    def _member(self, source: HeardSource) -> dict[str, Any]:
        carried = self.carries.get(source.leader, {})
        return {
            "key_id": source.key_id,
            "heard_until": source.heard_until.isoformat(),
            "amount_a_day": plain(source.amount_a_day),
            "carries": {name: value for name, value in carried.items() if name in _TOLD and value},
            "back_at": "",
        }

    def _followed(self, incident: Incident) -> list[dict[str, Any]]:
        """Its members, with when each was heard again."""
        return [
            {**each, "back_at": each["back_at"] or self._back_at(each)}
            for each in incident.details["sources"]
        ]

    def _back_at(self, member: Mapping[str, Any]) -> str:
        if member["key_id"] in self.gone:
            return GONE
        source = self.sources.get(member["key_id"])
        back = source is not None and source.heard_until - _at(member) >= _least(self.rule)
        return self.through.isoformat() if back else ""

    def _all_silent(self, members: Sequence[Mapping[str, Any]]) -> bool:
        """Whether nobody else was heard since."""
        silent = {each["key_id"] for each in members if not each["back_at"]}
        others = [each for each in self.sources.values() if each.key_id not in silent]
        since = min((_at(each) for each in members), default=self.now)
        return len(silent) > 1 and all(each.heard_until <= since + TOGETHER for each in others)


GONE = "gone"
"""In the place of when a member was heard again: its key opens nothing any more."""
_TOLD = ("team", "workflow", "agent", "environment")
"""What is said of what a source carries."""


def still_silent(incident: Incident) -> Iterator[Mapping[str, Any]]:
    """The members that are."""
    return (each for each in incident.details["sources"] if not each["back_at"])


def in_minutes(duration: timedelta) -> Decimal:
    """Whole minutes."""
    return Decimal(duration // MINUTE)


def _together(silent: Sequence[HeardSource]) -> list[list[HeardSource]]:
    """Those that fell silent within TOGETHER, each group's dearest first."""
    groups: list[list[HeardSource]] = []
    for each in sorted(silent, key=lambda each: each.heard_until):
        if groups and each.heard_until - groups[-1][-1].heard_until <= TOGETHER:
            groups[-1].append(each)
        else:
            groups.append([each])
    return [sorted(group, key=lambda each: (-each.amount_a_day, each.key_id)) for group in groups]


def _belongs(source: HeardSource, incident: Incident) -> bool:
    return any(abs(source.heard_until - _at(each)) <= TOGETHER for each in incident.details["sources"])


def _at(member: Mapping[str, Any], name: str = "heard_until") -> datetime:
    return datetime.fromisoformat(member[name])


def _least(rule: AlertRule) -> timedelta:
    return int(rule.number("minutes_min")) * MINUTE


def _times(duration: timedelta, times: Decimal) -> timedelta:
    return int(times * (duration // MICROSECOND)) * MICROSECOND


def _figures(lasting: timedelta, usual_pause: Decimal) -> IncidentFigures:
    """In minutes: how long it is silent, and how long it usually is at most."""
    return IncidentFigures(
        amount=in_minutes(lasting),
        expected=usual_pause,
    )
