"""Listens whether one tenant's sources, the book and the catalog are heard of, and tells where not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from services.alerts.incidents.following import follow, renew, tell
from services.alerts.incidents.incident import Incident, open_of
from services.alerts.rates import HOUR
from services.alerts.rules import TenantRules
from services.alerts.silence.arrivals import PAUSE_MAX
from services.alerts.silence.catalog import CatalogFacts, CatalogLook
from services.alerts.silence.lag import LagLook
from services.alerts.silence.listening import SQL, Listening
from services.alerts.silence.sources import HeardSource, SourceLook, still_silent
from services.alerts.silence.words import SilenceWording
from services.alerts.watches.look import Look, Rhythm
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.terms import Timeline

CATALOG_EVERY = HOUR
PROPOSED_MAX = 1_000
NO_MORE = "it is not listened for any more"

AnyLook = SourceLook | LagLook | CatalogLook
LookKey = tuple[str, str]
"""A rule's id and a subject of it."""


@dataclass(eq=False, kw_only=True)
class SilenceWatch(Look):
    """A `Look` at what should be heard of."""

    of = "silence"
    rhythm = Rhythm(every_s=10.0, rest_s_max=60.0, woken=False, awaited=False)
    """Silence is a matter of minutes, and its first look reads five weeks."""
    _listening: dict[tuple[tuple[str, str], ...], Listening] = field(default_factory=dict)
    _listens_since: datetime | None = None
    _looked_at: datetime | None = None
    _facts: CatalogFacts | None = None
    _facts_at: datetime | None = None
    _proposed: set[UUID] = field(default_factory=set)
    """What was proposed once: a source that is dead for good is not told again when its incident is over."""

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, by these rules."""
        if rules.calendar != self.rules.calendar:
            self._listening.clear()
        super().apply_rules(rules)

    async def look(self, now: datetime) -> None:
        """Open what is silent, renew what stays so, end what is heard again."""
        shared, rules = self.shared, self.rules.of("silence")
        current = await shared.store.current(self.tenant, now)
        ours = [each for each in open_of("silence", current) if "subject" in each.details]
        if not rules and not ours:
            return
        booked = (await shared.complete.read()).booked
        through = min(now, booked) if booked is not None else None
        if self._looked_at is None or now - self._looked_at > PAUSE_MAX:
            self._listens_since = now
        self._looked_at = now
        looks: dict[LookKey, AnyLook] = {}
        for rule in rules:
            looks |= await self._looks(rule, now, through, ours)
        for look in looks.values():
            await self._propose(look, current)
        for incident in ours:
            await self._follow(looks, incident, now)
        self.evaluated("silence", len(looks))

    async def _looks(
        self, rule: AlertRule, now: datetime, through: datetime | None, ours: Sequence[Incident]
    ) -> dict[LookKey, AnyLook]:
        calendar = self.rules.calendar
        wording = self.words(SilenceWording, now)
        subjects, looks = rule.chosen("subjects"), dict[LookKey, AnyLook]()
        heard = await self._heard(rule.filter, now, through, calendar)
        if "source" in subjects and through is not None:
            looks[rule.id, "source"] = await self._sources(rule, heard, now, through, ours, wording)
        assert self._listens_since is not None
        if "lag" in subjects:
            looks[rule.id, "lag"] = LagLook(
                tenant=self.tenant, now=now, through=through, listens_since=self._listens_since,
                sent_at=heard.arrivals.newest_of_all(), rule=rule, wording=wording,
            )  # fmt: skip
        if "catalog" in subjects:
            looks[rule.id, "catalog"] = CatalogLook(
                tenant=self.tenant, now=now, facts=await self._catalog(now), spends=heard.spends,
                rule=rule, wording=wording,
            )  # fmt: skip
        return looks

    async def _heard(
        self, within: Mapping[str, str], now: datetime, through: datetime | None, calendar: Timeline
    ) -> Listening:
        """Brought up to now."""
        named_by = tuple(sorted(within.items()))
        if named_by not in self._listening:
            self._listening[named_by] = Listening(self.shared.pool, self.tenant, within, self.turn)
        heard = self._listening[named_by]
        await heard.hear(now, through, calendar, await self.keys_not_live())
        return heard

    async def _sources(
        self,
        rule: AlertRule,
        heard: Listening,
        now: datetime,
        through: datetime,
        ours: Iterable[Incident],
        wording: SilenceWording,
    ) -> SourceLook:
        sources = heard.sources(through)
        unheard = await heard.unheard(sources, now, through, rule)
        members = {
            each["key_id"]
            for incident in ours
            if incident.rule_id == rule.id and incident.details["subject"] == "source"
            for each in still_silent(incident)
        }
        return SourceLook(
            tenant=self.tenant, now=now, through=through, currency=self.rules.calendar.at(now).currency,
            rule=rule, sources=sources, unheard=unheard,
            gone=await self._gone(members | {each.key_id for each in unheard}),
            carries=await self._carries(unheard, members), wording=wording,
        )  # fmt: skip

    async def _gone(self, keys: Iterable[str]) -> frozenset[str]:
        if not (asked := sorted(keys)):
            return frozenset()
        rows = await self.shared.pool.fetch(SQL["gone"], self.tenant, asked)
        return frozenset(row["key_id"] for row in rows)

    async def _carries(
        self, unheard: Iterable[HeardSource], told: Iterable[str]
    ) -> Mapping[bytes, Mapping[str, str]]:
        leaders = [each.leader for each in unheard if each.key_id not in told]
        if not leaders:
            return {}
        rows = await self.shared.pool.fetch(SQL["dimensions"], self.tenant, leaders)
        return {row["series_id"]: row["dimensions"] for row in rows}

    async def _catalog(self, now: datetime) -> CatalogFacts:
        if self._facts is None or self._facts_at is None or now - self._facts_at >= CATALOG_EVERY:
            row = await self.shared.pool.fetchrow(SQL["catalog_renewed"], self.tenant)
            assert row is not None
            self._facts, self._facts_at = CatalogFacts(**row), now
        return self._facts

    async def _propose(self, look: AnyLook, current: Sequence[Incident]) -> None:
        proposed = look.proposals(current)
        if all(each.number == 0 and each.id in self._proposed for each in proposed):
            return
        await tell(self.shared.store, self.tenant, look, current)
        if len(self._proposed) > PROPOSED_MAX:
            self._proposed.clear()
        self._proposed.update(each.id for each in proposed)

    async def _follow(self, looks: Mapping[LookKey, AnyLook], incident: Incident, now: datetime) -> None:
        subject = incident.details["subject"]
        look = looks.get((incident.rule_id, subject))
        if look is None:
            if not self._listens_for(incident.rule_id, subject):
                words, after = self.words(SilenceWording, now), replace(incident, updated_at=now)
                await renew(self.shared.store, words, incident, after, NO_MORE)
            return
        await follow(self.shared.store, look, incident)

    def _listens_for(self, rule_id: str, subject: str) -> bool:
        return any(
            rule.id == rule_id and subject in rule.chosen("subjects") for rule in self.rules.of("silence")
        )
