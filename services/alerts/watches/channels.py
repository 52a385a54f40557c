"""Looks at whether one tenant's channels deliver, and tells the next one where one does not."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from services.alerts.channels.failing import ChannelHealth, ChannelsLook, ChannelWording
from services.alerts.incidents.incident import Incident, open_of
from services.alerts.notify.routing import CHANNEL_FAILING
from services.alerts.watches.look import Look, Rhythm
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "channels" / "failing.sql")


class ChannelWatch(Look):
    """A `Look` at the channels; it remembers nothing."""

    of = "channels"
    rhythm = Rhythm(every_s=10.0, woken=False)  # no total tells of it, and it takes minutes to be news

    async def look(self, now: datetime) -> None:
        """Open where a channel fails, renew what goes on, end what is over."""
        current = await self.shared.store.current(self.tenant, now)
        ours = [each for each in open_of("silence", current) if each.rule_id.startswith(CHANNEL_FAILING)]
        look = ChannelsLook(
            tenant=self.tenant,
            now=now,
            channels=await self._channels(ours),
            wording=self.words(ChannelWording, now),
        )
        await self.act(look, current, ours)
        self.evaluated("channels")

    async def _channels(self, ours: list[Incident]) -> list[ChannelHealth]:
        named = [UUID(each.rule_id.removeprefix(CHANNEL_FAILING)) for each in ours]
        return [ChannelHealth(**row) for row in await self.rows(SQL["channels"], named)]
