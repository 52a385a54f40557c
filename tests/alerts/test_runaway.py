"""A runaway of two days, as one channel that takes everything reads it: a short story, and no stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from services.alerts.budgets.breaches import BudgetLook
from services.alerts.budgets.budgets import Budget
from services.alerts.burns.burns import BudgetPace, BurnEnd, Burning, burning, renewed, to_open
from services.alerts.burns.burns import ending as burn_ending
from services.alerts.burns.words import BurnWording
from services.alerts.bursts.seasons import HOUR
from services.alerts.counting.counters import CounterKey, CounterSum, counter_key
from services.alerts.forecasts import thresholds
from services.alerts.forecasts.forecast import DaySpend, forecast
from services.alerts.forecasts.words import ForecastWording
from services.alerts.incidents.following import renew, tell
from services.alerts.incidents.incident import Incident, is_burst, is_due, open_of, with_figures
from services.alerts.incidents.joining import Pair
from services.alerts.incidents.words import Wording
from services.alerts.levels.shifts import ShiftLook
from services.alerts.rules import EVERYBODYS, TenantRules
from services.alerts.scopes import MINUTE, TENANT, DetectorScope
from services.alerts.watches import hours
from services.alerts.watches.hours import HourWatch
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.telemetry import Meters
from tests.alerts.episodes import Episodes
from tests.alerts.hourly import Tenant, _Shared, hourly
from tests.alerts.one_channel import OneChannel
from tests.alerts.test_levels import look_at

__all__ = ["hourly"]

DAY = timedelta(days=1)
BEGAN = datetime(2026, 11, 17, 10, tzinfo=UTC)
"""A Tuesday, 16.4 days into its month."""
MONTH = datetime(2026, 11, 1, tzinfo=UTC)
ENDED = BEGAN + 2 * DAY
SINCE = MONTH - 30 * DAY
"""Of which hours are known."""
TIMES = 50
CALENDAR = Timeline([(None, Terms())])
ZONE = ZoneInfo("UTC")


@dataclass(frozen=True)
class Flow:
    """What an agent spends in a minute, evenly."""

    dimensions: Mapping[str, str]
    a_minute: Decimal
    runs_away: bool = False

    def spent(self, start: datetime, end: datetime) -> Decimal:
        amount = self.a_minute * _minutes(end - start)
        if self.runs_away:
            away = min(end, ENDED) - max(start, BEGAN)
            amount += (TIMES - 1) * self.a_minute * max(Decimal(0), _minutes(away))
        return amount


FLOWS = (
    Flow({"agent": "refund", "team": "support", "key_id": "k1"}, Decimal("0.02"), runs_away=True),
    Flow({"agent": "chat", "team": "support", "key_id": "k2"}, Decimal("0.05")),
    Flow({"agent": "index", "team": "data", "key_id": "k3"}, Decimal("0.03")),
)
"""6.00 an hour, 144.00 a day, 4,320.00 a month; from BEGAN on 64.80 an hour, of which 58.80 nobody expects."""


def _minutes(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(seconds=1)) / 60


def spent(scope: Mapping[str, str], start: datetime, end: datetime) -> Decimal:
    flows = [each for each in FLOWS if scope.items() <= each.dimensions.items()]
    return sum((each.spent(start, end) for each in flows), Decimal(0))


def budget(name: str, amount: str, period: Any, forecasts: tuple[int, ...] = (), **scope: str) -> Budget:
    return Budget(
        id=name, tenant="acme", name=name, filter=scope, amount=Decimal(amount), currency="USD", period=period,
        thresholds_percent=(Decimal(80), Decimal(100)), revision=1, updated_at=MONTH - 60 * DAY,
        forecast_thresholds_percent=tuple(map(Decimal, forecasts)),
    )  # fmt: skip


BUDGETS = (
    budget("Refunds", "50", "day", agent="refund"),
    budget("All", "5000", "month", (100,)),
)


class Sums:
    """`Spending`, of what flows."""

    def of(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        return CounterSum(spent(dict(counted.scope), start, min(end, self.now)), Decimal(0))

    def rate_per_hour(self, counted: CounterKey, now: datetime) -> Decimal:
        return spent(dict(counted.scope), now - 10 * MINUTE, now) * 6

    def __init__(self, now: datetime) -> None:
        self.now = now


class Bursts(Episodes):
    """Its incidents are the channel's."""

    def __init__(self, channel: OneChannel, start: datetime) -> None:
        super().__init__(start=start, look_every=MINUTE)
        self._channel = channel

    async def minute(self, *, look: bool) -> None:
        for flow in FLOWS:
            self.spend(flow.spent(self.now, self.now + MINUTE), 1, **flow.dimensions)
        self.now += MINUTE
        if not look:
            return
        self.now -= timedelta(seconds=1)
        before = {one.id: one for one in await self._channel.current("acme", self.now) if is_burst(one)}
        self.incidents = list(before.values())
        self.look()
        words = Wording(zone=ZONE)
        for one in self.incidents:
            known = before.get(one.id)
            if known is None or (one.state != "resolved" and one.number > known.number):
                await self._channel.open("acme", self.now, lambda _, one=one: [one])  # type: ignore[misc]
            elif one.state == "resolved" != known.state:
                await self._channel.resolve(known, words.with_words(self._renewed(one)))
            elif one.state != "resolved" and is_due(one, self.now):
                await self._channel.update(known, words.with_words(self._renewed(one)))
        self.now += timedelta(seconds=1)

    def _renewed(self, one: Incident) -> Incident:
        rate = spent(one.scope, self.now - 2 * MINUTE, self.now) * 30
        peak = max(one.peak_per_hour, rate)
        return replace(one, updated_at=self.now, rate_per_hour=rate, peak_per_hour=peak)


@dataclass(eq=False)
class Story:
    """All that watches one tenant's money, minute by minute."""

    now: datetime
    budgets: Sequence[Budget] = BUDGETS
    hours: Tenant = field(default_factory=lambda: Tenant({}, since=SINCE))
    channel: OneChannel = field(init=False)
    _evaluated: dict[str, thresholds.Evaluated] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.channel = OneChannel(self._is_one_cause)
        self.bursts = Bursts(self.channel, self.now)
        self.hours.now, self.hours.money = self.now, self._hour  # type: ignore[method-assign]
        shared = cast(Any, _Shared(store=cast(Any, self.channel), complete=self.hours, meters=Meters()))
        rules = TenantRules(calendar=CALENDAR, budgets=(), rules=tuple(EVERYBODYS.values()))
        self.hour_watch = HourWatch(tenant="acme", rules=rules, shared=shared)

    async def go_on(self, until: datetime) -> None:
        while self.now < until:
            self.now += MINUTE
            lately = any(timedelta() <= self.now - at < 90 * MINUTE for at in (BEGAN, BEGAN + DAY, ENDED))
            await self.bursts.minute(look=lately or self.now.minute % 5 in (0, 4))
            await self._look_at_budgets()
            if self.now.minute % 5 == 0:
                await self._look_at_burns()
                self.hours.now = self.now
                await self.hour_watch.look(self.now)
            if self.now.minute == 7:
                await self._look_at_forecasts()
            if (self.now.hour, self.now.minute) == (0, 30):
                await self._look_at_levels()

    async def count(self, until: datetime) -> None:
        """What is known of budgets alone, every ten minutes."""
        while self.now < until:
            self.now += 10 * MINUTE
            await self._look_at_budgets()
            await self._look_at_burns()
            if self.now.hour % 6 == self.now.minute == 0:
                await self._look_at_forecasts()

    def _is_one_cause(self, pair: Pair, now: datetime) -> bool:
        return pair.is_one_cause(*(spent(scope, pair.since(now), now) for scope in pair.scopes()))

    @cache  # noqa: B019 - one story's
    def _hour(self, hour: datetime) -> Mapping[DetectorScope, hours.HourMoney]:
        scopes: list[DetectorScope] = [TENANT]
        scopes += dict.fromkeys(item for flow in FLOWS for item in flow.dimensions.items())
        sums = {scope: spent(dict([scope]) if scope != TENANT else {}, hour, hour + HOUR) for scope in scopes}
        return {scope: hours.HourMoney(amount, 100) for scope, amount in sums.items()}

    async def _look_at_budgets(self) -> None:
        current = await self.channel.current("acme", self.now)
        look = BudgetLook(
            now=self.now, calendar=CALENDAR, budgets=self.budgets, counters=Sums(self.now), wording=Wording(zone=ZONE)
        )  # fmt: skip
        await tell(cast(Any, self.channel), "acme", look, current)
        for one in open_of("budget", current):
            ending = look.ending(one)
            if ending or is_due(one, self.now):
                known = next(each for each in self.budgets if each.id == one.rule_id)
                bounds = look.bounds_of(one, known)
                figures = look.figures(known, bounds, look.counters.of(_counted(known), *bounds))
                after = with_figures(one, figures, self.now)
                await renew(cast(Any, self.channel), look.wording, one, after, ending)

    async def _look_at_burns(self) -> None:
        current, words, rule = (
            await self.channel.current("acme", self.now),
            BurnWording(zone=ZONE),
            default_rule("burn"),
        )
        paces = {each.id: self._pace(each) for each in self.budgets}
        burns = {name: self._burning(pace, Decimal(1)) for name, pace in paces.items()}
        seen = [(rule, paces[name], burn) for name, burn in burns.items() if burn is not None]
        ended = [
            BurnEnd(one.rule_id, cast(datetime, one.period_start), one.resolved_at, one.severity)
            for one in self.channel.incidents.values()
            if one.kind == "burn"
        ]
        await self.channel.open(
            "acme", self.now, lambda known: map(words.with_words, to_open(seen, known, ended))
        )
        for one in open_of("burn", current):
            pace = paces[one.rule_id.removeprefix("burn:")]
            why = burn_ending(one, {(pace.budget.id, 1): pace}, self.now)
            calm = pace.judged and self._burning(pace, Decimal("0.5")) is None
            why = why or ("it goes no faster than its period lasts" if calm else "")
            if why or is_due(one, self.now):
                after = renewed(one, pace, burns[pace.budget.id])
                await renew(cast(Any, self.channel), words, one, after, why)

    def _pace(self, each: Budget) -> BudgetPace:
        bounds = each.bounds(self.now, CALENDAR)
        assert bounds is not None
        so_far = CounterSum(spent(each.filter, bounds[0], self.now), Decimal(0))
        return BudgetPace(budget=each, bounds=bounds, now=self.now, zone=ZONE, spent=so_far)

    def _burning(self, pace: BudgetPace, factor: Decimal) -> Burning | None:
        found = []
        for pair in pace.pairs():
            windows = {
                span: spent(pace.budget.filter, self.now - span, self.now) for span in (pair.long, pair.short)
            }
            found.append(burning(pace, pair, windows, default_rule("burn").number(pair.setting) * factor))
        return next((each for each in found if each is not None), None)

    async def _look_at_forecasts(self) -> None:
        current, words = await self.channel.current("acme", self.now), ForecastWording(zone=ZONE)
        for each in self.budgets:
            self._evaluated[each.id] = self._forecast(each, current)
        told = [
            thresholds.Told(
                one.rule_id, 1, cast(datetime, one.period_start), cast(Decimal, one.threshold_percent)
            )
            for one in self.channel.incidents.values()
            if one.kind == "forecast"
        ]
        proposed = [words.with_words(one) for one in thresholds.to_open(self._evaluated.values(), told)]
        await self.channel.open("acme", self.now, lambda _: proposed)
        for one in open_of("forecast", current):
            each = self._evaluated[one.details["budget"]]
            why = thresholds.ending(one, self.budgets, each, self.now)
            goes_on = each.bounds[0] == one.period_start
            after = thresholds.renewed(one, each) if goes_on else replace(one, updated_at=self.now)
            await renew(cast(Any, self.channel), words, one, after, why)

    def _forecast(self, each: Budget, current: list[Incident]) -> thresholds.Evaluated:
        bounds, today = each.bounds(self.now, CALENDAR), self.now.replace(hour=0, minute=0)
        assert bounds is not None
        begun = today - 40 * DAY
        days = [
            DaySpend(day=at.date(), amount=spent(each.filter, at, at + DAY))
            for at in (begun + number * DAY for number in range(40))
        ]
        explained = thresholds.excesses_in(each.filter, "USD", begun, current)
        seen = forecast(
            thresholds.without_excess(days, explained, CALENDAR), start=bounds[0], end=bounds[1], now=self.now, zone=ZONE,
            spent=spent(each.filter, bounds[0], self.now),
        )  # fmt: skip
        before = self._evaluated.get(each.id)
        return thresholds.Evaluated(
            budget=each, bounds=bounds, at=self.now, seen=seen,
            excess=thresholds.excess_of(thresholds.excesses_in(each.filter, "USD", bounds[0], current)),
        ).after(before.streaks if before and before.bounds == bounds else {})  # fmt: skip

    async def _look_at_levels(self) -> None:
        today = self.now.replace(hour=0, minute=0)
        by_scope = {
            scope: [spent(dict([scope]) if scope != TENANT else {}, at, at + DAY) for at in
                    (today - 40 * DAY + number * DAY for number in range(40))]
            for scope in self._hour(today)
        }  # fmt: skip
        told = [
            {name: getattr(one, name) for name in ("kind", "state", "scope", "details", "opened_at")}
            for one in self.channel.incidents.values()
            if one.kind == "shift"
        ]
        look: ShiftLook = look_at(by_scope, told, last=(today - DAY).date())
        look = replace(look, now=self.now)
        current = await self.channel.current("acme", self.now)
        await tell(cast(Any, self.channel), "acme", look, current)
        for one in open_of("shift", current):
            await renew(cast(Any, self.channel), look.wording, one, look.renewed(one), look.ending(one))


def _counted(each: Budget) -> CounterKey:
    return counter_key(each.filter, each.currency)


@pytest.fixture
def story(hourly: Callable[..., Tenant]) -> Story:
    return Story(BEGAN - 2 * HOUR, hours=hourly({}, since=SINCE))


STORY = """
Tue 10:01 opened   agent refund spends 61 USD/h, usually 1.2
Tue 10:06 grew     5.88 USD more than usual, told were 1.96
Tue 10:13 grew     12.74 USD more than usual, told were 5.88
Tue 10:20 grew     with it budget Refunds burns 16 times too fast: 18 USD left
Tue 10:27 grew     26.46 USD more than usual, told were 12.74
Tue 10:38 grew     with it budget Refunds passed 100 %: 50 of 50 USD spent and 2 more
Tue 10:55 grew     53.9 USD more than usual, told were 26.46
Tue 11:54 grew     111.72 USD more than usual, told were 53.9
Tue 13:49 grew     224.42 USD more than usual, told were 111.72
Tue 13:55 grew     with it budget All burns 6.0 times too fast: 2,382.2 USD left
Tue 17:39 grew     449.82 USD more than usual, told were 224.42
Wed 00:50 grew     with it budget Refunds passed 100 %: 50 of 50 USD spent
Wed 01:19 grew     900.62 USD more than usual, told were 449.82
Wed 10:00 resolved From now on taken for usual: agent refund spends 61 USD/h, usually 1.2
Wed 11:07 opened   budget All is expected to reach 100 %
Wed 11:15 grew     with it budget All passed 80 %: 4,000.2 of 5,000 USD spent
Wed 13:20 grew     budget Refunds passed 1600 %: 800 of 50 USD spent
Thu 00:05 resolved Over: budget Refunds passed 1600 %: 1,440 of 50 USD spent
Thu 00:30 grew     with it agent refund lastingly costs 1,146 USD a day, usually 28.8
Thu 00:40 grew     with it budget Refunds passed 80 %: 40 of 50 USD spent
Thu 00:50 grew     with it budget Refunds passed 100 %: 50 of 50 USD spent
Thu 02:41 grew     with it budget All passed 100 %: 5,000.28 of 5,000 USD spent
Sat 00:30 resolved Over: agent refund is back at its usual 28.8 USD a day; with it budget All has reached 100 %
"""
"""Three stories. A burst, with the day's budget and how fast the month's goes, each doubling told once, by whose
money it is. When it has lasted a day it counts as usual, and says that it goes on; so the month's forecast has its
money too, and is told, with all that follows: the days that lastingly cost more, the day's budget, and that what was
expected has come. The second day's budget, whose burst is no more, tells of its next doubling by itself. What is less
grave than the message that is open there (80 % on the first day, a slow burn) waits for that one's next."""


async def test_two_days_at_fifty_times_the_usual_are_a_short_story(story: Story) -> None:
    """They end on Thursday at ten; two days that are as usual are the end."""
    await story.go_on(datetime(2026, 11, 21, 1, tzinfo=UTC))
    read(story, STORY)


SLOW_STORY = """
Thu 12:00 opened   budget Chat is expected to reach 100 %: about 2,160 of 1,500 USD by 2026-11-30
Thu 16:10 grew     with it budget Chat burns 2.0 times too fast: 659.5 USD left
Tue 16:00 grew     with it budget Chat passed 80 %: 1,200 of 1,500 USD spent and 1 more
Fri 00:10 grew     with it budget Chat burns 6.0 times too fast: 131.5 USD left
Sat 20:00 grew     with it budget Chat passed 100 %: 1,500 of 1,500 USD spent and 2 more
Tue 00:00 resolved Over: budget Chat reached 100 %, as was expected
"""


async def test_a_budget_that_is_too_small_is_one_thread_from_its_forecast_to_its_periods_end() -> None:
    """72.00 a day, of 1,500.00 for a month of 30 days. What is left is 36 a day, half of that, after 11.67 days, and 12
    after 19; 80 % are spent after 16.67 days, all of it after 20.83."""
    story = Story(MONTH + 11 * DAY, budgets=[budget("Chat", "1500", "month", (100,), agent="chat")])
    await story.count(MONTH + 31 * DAY)
    read(story, SLOW_STORY)


def read(story: Story, written: str) -> None:
    """By the line, each with a part of a title."""
    said = [(f"{at:%a %H:%M} {event.transition:8}", event.title) for at, event in story.channel.messages]
    told = written.strip().splitlines()
    assert [when for when, _ in said] == [line[:18] for line in told], said
    for (when, title), line in zip(said, told, strict=True):
        assert line[19:] in title, when
