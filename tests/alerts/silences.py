"""Sources over weeks, without a database: when each sends, looks every five minutes, and what people are told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from services.alerts.incidents.incident import Incident, resolved
from services.alerts.scopes import MINUTE
from services.alerts.silence.habit import HISTORY, Habit, near_of, same_times
from services.alerts.silence.sources import HeardSource, SourceLook
from services.alerts.silence.words import SilenceWording
from spendmeter.contracts.alert_rules import AlertRule, default_rule

LOOK_EVERY = timedelta(minutes=5)
HOUR = timedelta(hours=1)


@dataclass
class Weeks:
    """`look` at instants one after the other; `told` has (local time, transition, keys) of each message."""

    zone: ZoneInfo
    sends: Mapping[str, Sequence[datetime]]
    """The minutes in which each key sends, in order, in UTC."""
    rule: AlertRule = field(default_factory=lambda: default_rule("silence"))
    amounts: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None
    gone: frozenset[str] = frozenset()
    told: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)
    current: dict[object, Incident] = field(default_factory=dict)
    _hours: dict[str, list[datetime]] = field(default_factory=dict)
    _habits: dict[str, Habit] = field(default_factory=dict)
    _read_at: dict[str, datetime] = field(default_factory=dict)

    def pass_time(self, start: datetime, end: datetime) -> list[tuple[str, str, tuple[str, ...]]]:
        """Look every five minutes of [start, end); what was told in it."""
        before, now = len(self.told), start
        while now < end:
            self.look(now)
            now += LOOK_EVERY
        return self.told[before:]

    def look(self, now: datetime) -> SourceLook:
        """Once: open what is news, renew what is open, end what is over."""
        sources = {key: self._source(key, now) for key in self.sends}
        look = SourceLook(
            tenant="acme", now=now, through=now, currency="USD", rule=self.rule, sources=sources,
            unheard=[each for each in sources.values() if each.is_silent(now, self.rule)],
            gone=self.gone, wording=SilenceWording(zone=self.zone),
        )  # fmt: skip
        for incident in look.proposals([each for each in self.current.values() if each.state != "resolved"]):
            if incident.id not in self.current or incident.number > self.current[incident.id].number:
                self._tell("grew" if incident.id in self.current else "opened", incident, now)
        for incident in list(self.current.values()):
            if incident.state == "resolved":
                continue
            ending, after = look.ending(incident), look.renewed(incident)
            if ending:
                self._tell("resolved", look.wording.with_words(resolved(after, ending, now)), now)
            else:
                self.current[incident.id] = look.wording.with_words(after)
        return look

    def _tell(self, transition: str, incident: Incident, now: datetime) -> None:
        self.current[incident.id] = incident
        keys = tuple(each["key_id"] for each in incident.details["sources"])
        self.told.append((f"{now.astimezone(self.zone):%a %H:%M}", transition, keys))

    def _habit(self, key: str, now: datetime) -> Habit:
        """Read anew each hour."""
        hour = now.replace(minute=0)
        if self._read_at.get(key) != hour:
            sent = self.sends[key]
            if key not in self._hours:
                self._hours[key] = sorted({each.replace(minute=0) for each in sent})
            hours = self._hours[key]
            known = hours[bisect_left(hours, hour - HISTORY) : bisect_left(hours, hour)]
            self._habits[key] = Habit(zone=self.zone, since=self.since or sent[0], hours=known)
            self._read_at[key] = hour
        return self._habits[key]

    def _source(self, key: str, now: datetime) -> HeardSource:
        sent = self.sends[key]
        source = HeardSource(
            key_id=key,
            habit=self._habit(key, now),
            amount_a_day=Decimal(self.amounts.get(key, "50")),
            heard_until=sent[max(0, bisect_left(sent, now) - 1)] + MINUTE,
        )
        silent = source.silent_for(now)
        if silent < timedelta(minutes=15):
            return source
        near = near_of(silent) + 2 * HOUR
        minutes = {
            minute
            for times in same_times(now, self.zone)
            for time in times
            for minute in sent[bisect_left(sent, time - near) : bisect_right(sent, time + near)]
        }
        return replace(source, minutes=sorted(minutes))
