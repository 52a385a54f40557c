"""Tries a rule of silence on when sources were heard: listens as the watch does, by the clock of then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.silence import SilenceReplay
from services.alerts.dry_runs.trial import SQL as DRY_RUNS
from services.alerts.dry_runs.trial import RuleTrial
from services.alerts.scopes import MINUTE
from services.alerts.silence.arrivals import LISTENS, PAUSE_MAX
from services.alerts.silence.listening import SQL, Listening
from services.alerts.silence.sources import HeardSource, SourceLook
from services.alerts.silence.words import SilenceWording
from spendmeter.book.sizes import five_minutes_of

HEARD = DRY_RUNS["heard_minutes"]
LOOK_EVERY = PAUSE_MAX
"""The most that a worker may pause without having been away."""
END = timedelta(milliseconds=1)
"""Before the next minute begins a look is at the whole of this one."""
NOTES = (
    "sources are looked at every five minutes",
    "by when usage was, and not by when it came: what came late fills its gap",
    "money: what its sources usually spend in the time from when it was told until they were heard again",
    "keys that are revoked by now are left out",
)
LEFT_OUT = {
    "lag": "how far the book lagged behind is not kept, and so not tried",
    "catalog": "how old the price lists were is not tried",
}


async def try_silence(trial: RuleTrial) -> list[WouldHaveFired]:
    """What the rule would have told of sources; those that it watches a while before teach when they come."""
    trial.notes.extend(NOTES)
    trial.notes.extend(LEFT_OUT[each] for each in trial.rule.chosen("subjects") if each in LEFT_OUT)
    replay, listening = SilenceReplay(trial.since), _Listening(trial)
    start = five_minutes_of(trial.since) - LISTENS
    looks = (trial.until - start) // LOOK_EVERY
    for number in range(1, looks + 1):
        began_s = time.monotonic()
        replay.look(await listening.look(start + number * LOOK_EVERY - END, replay.silent_keys))
        await trial.advance(Decimal(number) / looks)
        await asyncio.sleep(time.monotonic() - began_s)
    return replay.fired()


class PastListening(Listening):
    """Listens as of then. Looks lie minutes apart, and what came between two is heard minute by minute: how
    old a source's newest usage gets is what its arrivals teach."""

    async def hear_minutes(self, since: datetime, now: datetime, through: datetime) -> None:
        """Of who is known already: who is met on a day is known by the next."""
        first = since.replace(second=0, microsecond=0)
        async with self.turn():
            rows = await self.pool.fetch(HEARD, self.tenant, first, now, list(self._known), dict(self.within))
        heard = {row["minute"]: dict.fromkeys(row["keys"], row["minute"]) for row in rows}
        for number in range((now - first) // MINUTE + 1):
            minute = first + number * MINUTE
            self.arrivals.take(heard.get(minute, {}), minute)
        self.arrivals.take({}, through)


class _Listening:
    """To one tenant's sources, at moments that were."""

    def __init__(self, trial: RuleTrial) -> None:
        self._trial = trial
        self._heard = PastListening(trial.pool, trial.tenant, trial.rule.filter, trial.turn)
        self._gone: dict[str, bool] = {}

    async def look(self, now: datetime, told: Iterable[str]) -> SourceLook:
        """All that had come by `now`, as far as it was dated so."""
        trial, heard = self._trial, self._heard
        terms = trial.calendar.at(now)
        await heard.hear(now, now, trial.calendar, await trial.keys_not_live())
        sources = heard.sources(now)
        unheard = await heard.unheard(sources, now, now, trial.rule)
        return SourceLook(
            tenant="", now=now, through=now, currency=terms.currency, rule=trial.rule, sources=sources,
            unheard=unheard, gone=await self._gone_of(unheard, told), wording=SilenceWording(zone=terms.zone),
        )  # fmt: skip

    async def _gone_of(self, unheard: Iterable[HeardSource], told: Iterable[str]) -> frozenset[str]:
        keys = {*told, *(each.key_id for each in unheard)}
        if asked := sorted(keys - self._gone.keys()):
            async with self._trial.turn():
                rows = await self._trial.pool.fetch(SQL["gone"], self._trial.tenant, asked)
            gone = {row["key_id"] for row in rows}
            self._gone |= {key: key in gone for key in asked}
        return frozenset(key for key in keys if self._gone[key])
