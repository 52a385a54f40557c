"""Carries dry runs of rules out, one at a time, in slices between which everybody else has a turn."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import asyncpg

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.minutes import COMBINATIONS_MAX, VALUES_MAX
from services.alerts.bursts.seasons import DAY, HOUR
from services.alerts.dry_runs.burn_trial import try_burns
from services.alerts.dry_runs.fired import WouldHaveFired, dry_run_result
from services.alerts.dry_runs.firsts import NewValue, firsts_among
from services.alerts.dry_runs.hours import HourReplay
from services.alerts.dry_runs.levels import LevelReplay
from services.alerts.dry_runs.loops import EndedRun, loops_among
from services.alerts.dry_runs.replaying import ReplayError, Replaying, ReplayRequest
from services.alerts.dry_runs.silence_trial import try_silence
from services.alerts.dry_runs.trial import CLAIM, SQL, RuleTrial
from services.alerts.dry_runs.unbooked_trial import try_unbooked
from services.alerts.dry_runs.unreserved_trial import try_unreserved
from services.alerts.hours.hour_reader import HISTORY, HourReader
from services.alerts.hours.scoring import HourMoney
from services.alerts.levels.lasting import DAYS_MAX
from services.alerts.levels.level_reader import LevelReader
from services.alerts.loops.loops import UsualRuns
from services.alerts.rules import TenantRules
from services.alerts.scopes import TENANT, DetectorScope
from services.alerts.turns import Turns
from services.alerts.watches.levels import SETTLING, WORDINGS, news
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.book.sizes import bucket_at
from spendmeter.contracts.alert_rules import AlertRule
from spendmeter.contracts.money import EXACT
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

_ROOM = Path(__file__).parents[1]
FOLD = load_sql(_ROOM / "bursts" / "minutes.sql")["fold"]
USUAL = load_sql(_ROOM / "loops" / "loops.sql")["usual"]
KNOWN_SINCE = load_sql(_ROOM / "firsts" / "firsts.sql")["known_since"]
POLL_S = 1.0
ATTEMPTS_MAX = 3
WARM_UP = timedelta(hours=3)
"""Before the days that are asked for: what is usual is learned from it."""
MINUTE = timedelta(minutes=1)
MINUTES_AT_ONCE_MAX = 60
SLICE_S = 0.3
"""A statement covers as many minutes as are folded in about so long."""
RUNS_MAX = 5_000
USUAL_BEFORE = timedelta(days=7)
USUAL_ROWS_MAX = 20_000
VALUES_TRIED_MAX = 2_000
LEVELS_TRIED_MAX = 500
HOURS_TRIED_MAX = 200
HOURS_READ_MAX = 5
"""Scopes at a time: to read some thousand hours takes some milliseconds of the processor."""
_ENDED: Mapping[type[Exception], str] = {
    ReplayError: "it took more than it may",
    MinutesDropped: "minutes of these days are kept no more: try fewer",
}
_NOTES = {
    "burst": (
        "each minute is judged once, at its end",
        "plans, snoozes and feedback are left out",
    ),
    "loop": (
        "each run is judged by its whole, as if it had called evenly",
        "what is usual is of these days and the week before",
    ),
    "hour": (
        f"each hour is judged once, at its end, of the {HOURS_TRIED_MAX} scopes with the most money",
        "what bursts, loops and levels told of the same money is told here as well",
        "plans, snoozes and feedback are left out",
    ),
    "shift": (
        "days are judged as they are known today, of the 500 scopes with the most money now",
        "plans, snoozes and acknowledgements are left out",
    ),
    "drift": (
        "days are judged as they are known today, of the 500 scopes with the most money now",
        "what the rule of shifts would have told first is told here as well",
    ),
    "first": ("what woke after a long while, and what has no price, is not tried",),
}


@dataclass(eq=False)
class DryRunWorker:
    """`run` looks for one that is due, for as long as the worker lives. `rules`: of each of its tenants."""

    pool: asyncpg.Pool[asyncpg.Record]
    turns: Turns
    bill_keys: BillKeys
    rules: Callable[[], Mapping[str, TenantRules]]

    async def run(self) -> None:
        """Until cancelled."""
        await keep_doing(self.once, "dry runs wait", every_s=POLL_S, away=CONNECTION_ERRORS)

    async def once(self) -> None:
        """Carry out one that is due, if there is one. Raises CONNECTION_ERRORS; then it is tried again."""
        rules = self.rules()
        row = await self.pool.fetchrow(SQL["claim"], CLAIM, list(rules))
        if row is None:
            return
        key = (row["tenant"], row["id"])
        if row["attempts"] > ATTEMPTS_MAX:
            await self.pool.execute(SQL["give_up"], *key, "it could not be carried out", row["attempts"])
            return
        job = self._job(row, rules[row["tenant"]])
        try:
            fired = await self._tried(job)
        except (ReplayError, MinutesDropped) as error:
            log().warning("a dry run ended early", tenant=job.tenant, error=str(error))
            reason = _ENDED[type(error)]
            await self.pool.execute(SQL["give_up"], *key, reason, job.attempt)
            return
        result = dry_run_result(fired, job.since, job.until, job.unit, job.notes)
        await self.pool.execute(SQL["finish"], *key, result, job.attempt)

    async def _tried(self, job: RuleTrial) -> list[WouldHaveFired]:
        of = "level" if job.rule.of in WORDINGS else job.rule.of
        tries: dict[str, Callable[[RuleTrial], Awaitable[list[WouldHaveFired]]]] = {
            "burst": self._bursts, "loop": self._loops, "first": self._firsts, "level": self._levels,
            "hour": self._hours, "burn": try_burns, "silence": try_silence,
            "unreserved": try_unreserved,
            "unbooked": try_unbooked,
        }  # fmt: skip
        return await tries[of](job)

    async def _bursts(self, job: RuleTrial) -> list[WouldHaveFired]:
        start = job.since - WARM_UP
        request = ReplayRequest(
            rule_id=job.rule.id, filter=job.rule.filter, settings=job.rule.changed, currency=job.currency,
            counted_from=job.since, minutes=(job.until - start) // MINUTE,
        )  # fmt: skip
        async with Replaying(request) as replaying:
            async for at, folded in self._minutes(job, start):
                await replaying.feed(at, folded)
                await job.advance(Decimal((at - start) // MINUTE) / request.minutes)
            finishing = asyncio.create_task(replaying.fired())
            while not (await asyncio.wait([finishing], timeout=CLAIM.total_seconds() / 3))[0]:
                await job.advance(Decimal(0))
            answer = await finishing
        if answer.learned_every > 1:
            job.notes.append(f"what is usual was learned again every {answer.learned_every} minutes")
        return answer.fired

    async def _minutes(self, job: RuleTrial, start: datetime) -> AsyncIterator[tuple[datetime, str]]:
        """Those with spend, in their order, read a slice at a time; between slices as long a rest."""
        bill_keys = await job.bills()
        at_once, at = 4, start
        while at < job.until:
            asked = [at + number * MINUTE for number in range(at_once) if at + number * MINUTE < job.until]
            async with job.turn():
                began_s = time.monotonic()
                rows = await self.pool.fetch(
                    FOLD, job.tenant, job.currency, asked, COMBINATIONS_MAX, VALUES_MAX, job.until, False,
                    bill_keys,
                )  # fmt: skip
                took_s = time.monotonic() - began_s
            for row in sorted(rows, key=lambda row: row["bucket"]):
                yield row["bucket"], row["spent"]
            at = asked[-1] + MINUTE
            at_once = min(MINUTES_AT_ONCE_MAX, at_once * 2) if took_s < SLICE_S else max(1, at_once // 2)
            await job.advance(Decimal(0))
            await asyncio.sleep(took_s)

    async def _loops(self, job: RuleTrial) -> list[WouldHaveFired]:
        calls, amount = int(job.rule.number("calls_min")), job.rule.number("amount_min")
        async with job.turn():
            rows = await self.pool.fetch(
                SQL["ended_runs"], job.tenant, job.currency, job.since, job.until, calls, amount, RUNS_MAX
            )
        runs = [EndedRun(**row) for row in rows]
        workflows = sorted({run.workflow for run in runs})
        async with job.turn():
            known = await self.pool.fetch(
                USUAL, job.tenant, workflows, job.since - USUAL_BEFORE, job.until, USUAL_ROWS_MAX
            )
        return loops_among(job.rule, runs, {row["workflow"]: _usual(row) for row in known})

    async def _firsts(self, job: RuleTrial) -> list[WouldHaveFired]:
        unlike = await job.keys_not_live()
        days = [job.calendar.bounds("day", job.since)[0]]
        while days[-1] < job.until:
            days.append(job.calendar.bounds("day", days[-1])[1])
        async with (
            job.turn(),
            self.pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await hold_minutes(connection)
            read = await spent_in(connection, job.tenant, days, job.calendar)
            rows = await connection.fetch(
                SQL["new_values"], *read, job.currency, unlike, job.since, VALUES_TRIED_MAX
            )
            known_since = await connection.fetchval(KNOWN_SINCE, job.tenant)
        return firsts_among(job.rule, [_new(row) for row in rows], known_since)

    async def _levels(self, job: RuleTrial) -> list[WouldHaveFired]:
        """Day by day, as after each midnight; some scopes at a time, so that others have the processor."""
        zone, tried = job.calendar.at(job.until).zone, job.days
        last = job.until.astimezone(zone).date() - timedelta(days=1)
        turn = job.turn
        weeks = math.ceil(tried / 7)
        reader = LevelReader(self.pool, job.tenant, job.calendar, last, turn, further=weeks)
        scopes = (await reader.scopes())[:LEVELS_TRIED_MAX]
        if len(job.rule.filter) == 1:
            scopes = list(dict.fromkeys([*scopes, *job.rule.filter.items()]))
        prices = await reader.prices()
        await job.advance(Decimal("0.1"))
        days = await reader.days(scopes, prices)
        replay = LevelReplay(job.rule, zone, job.currency)
        for number in range(tried):
            view = days.until(last - timedelta(days=tried - 1 - number), DAYS_MAX)
            found = await news(replay.candidates(view))
            replay.look(view, found, reader.midnight(view.last + timedelta(days=1)) + SETTLING)
            await job.advance(Decimal("0.2") + Decimal("0.8") * (number + 1) / tried)
        return replay.fired()

    async def _hours(self, job: RuleTrial) -> list[WouldHaveFired]:
        """Hour by hour, those of four weeks before it first; some scopes at a time, as above."""
        stretch, turn = job.calendar.stretch(job.until), job.turn
        reader = HourReader(self.pool, job.tenant, job.calendar, stretch, turn)
        known_since = await reader.known_since()
        if known_since is None:
            job.notes.append("no hours are added up yet: nothing was tried")
            return []
        if known_since > job.since:
            job.notes.append(f"hours are known since {known_since:%Y-%m-%d} alone")
        since, end = (bucket_at("hour", at, job.calendar).start for at in (job.since, job.until))
        if not await reader.is_settled(end - HOUR):
            end = reader.starts(end - HOUR, end)[-1]
        spent = await self._spent(job, reader, since, end)
        replay = HourReplay(
            job.rule, stretch.terms.zone, job.currency, spent, known_since=known_since, counted_from=job.since
        )
        hours = reader.starts(since - HISTORY, end)
        for number, (hour, until) in enumerate(pairwise([*hours, end])):
            for _ in replay.hour(hour, until):
                await asyncio.sleep(0)
            if number % 24 == 0:
                await job.advance(Decimal("0.5") + Decimal("0.5") * number / len(hours))
        return replay.fired()

    async def _spent(
        self, job: RuleTrial, reader: HourReader, since: datetime, end: datetime
    ) -> dict[DetectorScope, dict[datetime, HourMoney]]:
        """What the dearest scopes with an hour that the rule looks at came to in each hour."""
        least, dearest = job.rule.number("amount_min"), defaultdict[DetectorScope, Decimal](Decimal)
        for day in range(job.days):
            first = since + day * DAY
            found = await reader.dearest(first, min(first + DAY, end), least, HOURS_TRIED_MAX)
            for scope, amount in found.items():
                dearest[scope] = EXACT.add(dearest[scope], amount)
            await job.advance(Decimal(0))
        largest = sorted(dearest, key=lambda scope: (-dearest[scope], scope))
        scopes = list(dict.fromkeys([TENANT, *largest]))[:HOURS_TRIED_MAX]
        spent: dict[DetectorScope, dict[datetime, HourMoney]] = {}
        for start in range(0, len(scopes), HOURS_READ_MAX):
            some = scopes[start : start + HOURS_READ_MAX]
            for first, until in ((since - HISTORY, since), (since, end)):
                for scope, hours in (await reader.hours(some, first, until)).items():
                    of_scope = spent.setdefault(scope, {})  # less what is provisional: a third of the memory
                    of_scope.update({at: HourMoney(of.amount, of.events) for at, of in hours.items()})
            await job.advance(Decimal("0.5") * start / len(scopes))
        return spent

    def _job(self, row: asyncpg.Record, rules: TenantRules) -> RuleTrial:
        until = row["asked_at"].replace(second=0, microsecond=0)
        rule = AlertRule(
            id=row["rule_id"], of=row["of"], name="", filter=row["filter"], severity="info", enabled=True,
            revision=0, changed=row["settings"],
        )  # fmt: skip
        return RuleTrial(
            tenant=row["tenant"], id=row["id"], attempt=row["attempts"], rule=rule, rules=rules,
            since=until - timedelta(days=row["days"]), until=until, pool=self.pool, turns=self.turns,
            bill_keys=self.bill_keys, notes=list(_NOTES.get(rule.of, ())),
        )  # fmt: skip


def _usual(row: asyncpg.Record) -> UsualRuns:
    return UsualRuns(**{name: row[name] for name in ("runs", "calls", "calls_a_minute", "with_outcome")})


def _new(row: asyncpg.Record) -> NewValue:
    provider = row["provider"] if row["dimension"] in ("sku", "provider") else ""
    return NewValue(**{**row, "provider": provider})
