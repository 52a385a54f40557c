"""Looks at whether one tenant's channels deliver, and tells the next one where one does not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from services.alerts.channels.failing import ChannelHealth, ChannelsLook, ChannelWording
from services.alerts.incidents.following import renew
from services.alerts.incidents.incident import Incident, is_due
from services.alerts.notify.routing import CHANNEL_FAILING
from services.alerts.rules import TenantRules
from services.alerts.turns import Pass
from services.alerts.watches.look import Rhythm, Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "channels" / "failing.sql")


class ChannelWatch:
    """A `Look` at the channels; it remembers nothing."""

    of: Pass = "channels"
    rhythm = Rhythm(every_s=10.0, woken=False)  # no total tells of it, and it takes minutes to be news

    def __init__(self, *, tenant: str, rules: TenantRules, shared: Shared) -> None:
        self._tenant = tenant
        self._rules = rules
        self._shared = shared

    def apply_rules(self, rules: TenantRules) -> None:
        """From the next look on, in this zone."""
        self._rules = rules

    def changed(self, span: BucketSpan) -> None:
        """Nothing that was spent changes it."""

    async def look(self, now: datetime) -> None:
        """Open where a channel fails, renew what goes on, end what is over."""
        store = self._shared.store
        current = await store.current(self._tenant, now)
        ours = [each for each in current if _is_open(each)]
        look = ChannelsLook(
            tenant=self._tenant,
            now=now,
            channels=await self._channels(ours),
            wording=ChannelWording(
                zone=self._rules.calendar.at(now).zone, portal_url=self._shared.portal_url
            ),
        )
        if look.proposals(current):
            await store.open(self._tenant, now, look.proposals)
        for incident in ours:
            ending = look.ending(incident)
            if ending or is_due(incident, now):
                await renew(store, look.wording, incident, look.renewed(incident), ending)
        self._shared.meters.add("spendmeter.alerts.evaluations", kind="channels")

    async def _channels(self, ours: list[Incident]) -> list[ChannelHealth]:
        named = [UUID(each.rule_id.removeprefix(CHANNEL_FAILING)) for each in ours]
        async with self._shared.turns.turn(self._tenant, self.of):
            rows = await self._shared.pool.fetch(SQL["channels"], self._tenant, named)
        return [ChannelHealth(**row) for row in rows]


def _is_open(incident: Incident) -> bool:
    return incident.rule_id.startswith(CHANNEL_FAILING) and incident.state != "resolved"
