"""Forecasts one tenant's budgets, each once an hour, keeps what was said, and acts on what is expected."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from services.alerts.budgets.budgets import Budget, trouble
from services.alerts.counting.counters import CounterKey, counter_key
from services.alerts.forecasts.forecast import DAY, exhausted_at, forecast
from services.alerts.forecasts.paces import HISTORY_DAYS_MAX
from services.alerts.forecasts.thresholds import (
    EVERY,
    Evaluated,
    Told,
    days_before,
    ending,
    excess_of,
    excesses_in,
    renewed,
    to_open,
    without_excess,
)
from services.alerts.forecasts.words import ForecastWording
from services.alerts.incidents.following import renew
from services.alerts.incidents.incident import Incident, open_of
from services.alerts.watches.counted import CountedLook
from services.alerts.watches.look import Rhythm
from spendmeter.contracts.money import plain
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).parents[1] / "forecasts" / "forecasts.sql")
ForecastOf = tuple[str, int, datetime]
"""A budget's id and revision, and the start of its period."""


@dataclass(eq=False, kw_only=True)
class ForecastWatch(CountedLook):
    """A `Look` at what budgets' periods will have come to. A budget that is new is forecast within a minute.

    It remembers how often in a row a threshold was expected. A worker that takes over asks twice anew.
    """

    of = "forecasts"
    rhythm = Rhythm(every_s=60.0, rest_s_max=60.0, woken=False, awaited=False)
    _last: dict[ForecastOf, Evaluated] = field(default_factory=dict)

    async def look(self, now: datetime) -> None:
        """Forecast what is due, keep it, open and renew incidents, and end what is over."""
        calendar = self.rules.calendar
        watched = {
            (budget.id, budget.revision, bounds[0]): (budget, bounds)
            for budget in self.rules.budgets
            if not (budget.rolls or budget.each)
            and not trouble(budget, budget.currency_of(calendar, now))
            and (bounds := budget.bounds(now, calendar))
            and budget.has(bounds)
        }
        self._last = {of: each for of, each in self._last.items() if of in watched}
        due = [of for of in watched if of not in self._last or now - self._last[of].at >= EVERY]
        current = await self.shared.store.current(self.tenant, now)
        evaluated: list[Evaluated] = []
        if due:
            await self._read(watched.values(), now)
            evaluated = await self._evaluate([watched[of] for of in due], current, now)
        self._last |= zip(due, evaluated, strict=True)
        wording = self.words(ForecastWording, now)
        if evaluated:
            await self._tell(evaluated, wording, now)
        by_rule = {(each.budget.id, each.budget.revision): each for each in evaluated}
        for incident in open_of("forecast", current):
            await self._follow(incident, by_rule, wording, now)

    async def _read(self, watched: Iterable[tuple[Budget, tuple[datetime, datetime]]], now: datetime) -> None:
        """Bring the counters of all budgets up to now: reading one alone would forget the others'."""
        oldest, _ = self.rules.calendar.bounds("day", now - HISTORY_DAYS_MAX * DAY)
        since: dict[CounterKey, datetime] = {}
        for budget, (start, _) in watched:  # a year began before its history does
            counted = counter_key(budget.filter, budget.currency)
            since[counted] = min(since.get(counted, oldest), start)
        await self.counters.look(now, since)

    async def _evaluate(
        self,
        asked: Sequence[tuple[Budget, tuple[datetime, datetime]]],
        current: Sequence[Incident],
        now: datetime,
    ) -> list[Evaluated]:
        found = []
        for budget, bounds in asked:
            found.append(self._evaluated(budget, bounds, current, now))
            await asyncio.sleep(0)  # each takes milliseconds, and there may be hundreds
        self.evaluated("forecast", len(found))
        return found

    def _evaluated(
        self, budget: Budget, bounds: tuple[datetime, datetime], current: Sequence[Incident], now: datetime
    ) -> Evaluated:
        start, end = bounds
        calendar = self.rules.calendar
        zone = calendar.at(now).zone
        counted = counter_key(budget.filter, budget.currency)
        spent = self.counters.counters.of(counted, start, end)
        days = days_before(self.counters.counters, counted, calendar, calendar.day(now))
        begun = calendar.midnight(days[0].day if days else calendar.day(now))
        seen = forecast(
            without_excess(days, excesses_in(budget.filter, budget.currency, begun, current), calendar),
            start=start,
            end=end,
            now=now,
            zone=zone,
            spent=spent.effective,
        )
        before = self._last.get((budget.id, budget.revision, start))
        return Evaluated(
            budget=budget,
            bounds=bounds,
            at=now,
            seen=seen,
            provisional=spent.provisional,
            excess=excess_of(excesses_in(budget.filter, budget.currency, start, current)),
            exhausted_at=exhausted_at(seen, budget.amount, end=end, now=now, zone=zone),
        ).after(before.streaks if before else {})

    async def _tell(self, evaluated: Sequence[Evaluated], wording: ForecastWording, now: datetime) -> None:
        rows = [_row(each, self.rules.calendar.day(now).isoformat()) for each in evaluated]
        async with self.turn(), self.shared.pool.acquire() as connection:
            await connection.executemany(SQL["keep"], [(row,) for row in rows])
            await connection.executemany(SQL["show"], [(row,) for row in rows])
            told = [Told(**row) for row in await connection.fetch(SQL["told"], self.tenant, now)]
        if proposed := [wording.with_words(each) for each in to_open(evaluated, told)]:
            await self.shared.store.open(self.tenant, now, lambda _: proposed)

    async def _follow(
        self,
        incident: Incident,
        by_rule: Mapping[tuple[str, int], Evaluated],
        wording: ForecastWording,
        now: datetime,
    ) -> None:
        each = by_rule.get((incident.details["budget"], incident.rule_revision))
        why = ending(incident, self.rules.budgets, each, now)
        if why or each is not None:
            goes_on = each is not None and each.bounds[0] == incident.period_start
            after = renewed(incident, each) if each is not None and goes_on else incident
            await renew(self.shared.store, wording, incident, replace(after, updated_at=now), why)


def _row(each: Evaluated, day: str) -> dict[str, Any]:
    """As `forecasts` has it; amounts as plain text."""
    seen, budget = each.seen, each.budget
    amounts: dict[str, Decimal | None] = {
        "amount": budget.amount, "spent": seen.spent, "run_rate": seen.run_rate,
        "p10": seen.p10, "p50": seen.p50, "p90": seen.p90,
    }  # fmt: skip
    return {name: None if amount is None else plain(amount) for name, amount in amounts.items()} | {
        "tenant": budget.tenant,
        "budget_id": budget.id,
        "revision": budget.revision,
        "period_start": each.bounds[0],
        "period_end": each.bounds[1],
        "day": day,
        "cut_off": each.at,
        "filter": dict(budget.filter),
        "currency": budget.currency,
        "armed": seen.armed,
        "why": seen.why_not,
        "exhausted_at": each.exhausted_at,
    }
