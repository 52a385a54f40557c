"""A quiet week of the demo's own workload, with its rhythm of days: at most one false incident a tenant."""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from deploy.demo.tenants import DATA
from deploy.demo.workload import Workload
from services.alerts.budgets.breaches import BudgetLook
from services.alerts.budgets.budgets import Budget
from services.alerts.burns.burns import BudgetPace, burning
from services.alerts.bursts.seasons import HOUR, Samples, ScopeSeason, Season
from services.alerts.counting.counters import CounterKey, CounterSum, counter_key
from services.alerts.firsts.firsts import FirstLook, Past, ValueSpend
from services.alerts.firsts.words import FirstWording
from services.alerts.incidents.incident import Incident
from services.alerts.incidents.words import Wording
from services.alerts.scopes import MINUTE, TENANT, DetectorScope
from spendmeter.contracts.alert_rules import default_rule
from spendmeter.contracts.terms import Terms, Timeline
from tests.alerts.demo_weeks import DRAWN_FROM, Amounts, a_minute, an_hour
from tests.alerts.episodes import Episodes
from tests.alerts.hourly import local_hour
from tests.alerts.test_levels import look_at

START = datetime(2026, 11, 24, tzinfo=UTC)
"""A Tuesday; the month is over with the week."""
KNOWN = timedelta(days=23)
"""Of history: all of the month so far."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
LOOKED_AT_EVERY = 6 * 60
"""Minutes. In between only those are looked at in which a scope is half as high as the lowest gate."""
FIRST_MINUTES = 60
"""All of these are looked at: of a young tenant little is known."""


@dataclass(eq=False)
class Weeks:
    """One tenant's hours, and its last hour by the minute."""

    tenant: str
    since: datetime
    hours: dict[DetectorScope, dict[datetime, Decimal]] = field(default_factory=lambda: defaultdict(dict))
    _lately: dict[DetectorScope, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque([0.0] * 60, maxlen=60))
    )

    def __post_init__(self) -> None:
        self.zone = ZoneInfo(DATA.tenants[self.tenant])

    def add(self, at: datetime, spent: Amounts) -> dict[DetectorScope, float]:
        """Sums by scope."""
        sums: defaultdict[DetectorScope, float] = defaultdict(float)
        for kind, amount, _ in spent:
            for scope in kind.scopes:
                sums[scope] += amount
        hour = at.replace(minute=0)
        for scope, amount in sums.items():
            known = self.hours[scope].get(hour, Decimal(0))
            self.hours[scope][hour] = known + Decimal(f"{amount:.6f}")
        return sums

    def stands_out(self, sums: Mapping[DetectorScope, float]) -> bool:
        """Whether two minutes of a scope lie half of its mean, and 0.50, over the hour before: its gate is no
        lower than twice that (twice a scale that is half of what is usual), and no lower than 1."""
        found = False
        for scope, amount in sums.items():
            lately = self._lately[scope]
            mean = sum(lately) / 60
            found |= amount + lately[-1] - 2 * mean >= max(0.5, 0.5 * mean)
            lately.append(amount)
        return found

    def season(self, now: datetime) -> Season:
        """As the reader reads it."""
        hour = local_hour(now, self.zone)
        three = [Samples(hour + number * HOUR, self.zone) for number in (-1, 0, 1)]
        scopes = []
        for (dimension, value), amounts in self.hours.items():
            known = {at: amount for at, amount in amounts.items() if at < hour}
            scopes.append(ScopeSeason(dimension, value, *(each.usual(known, self.since) for each in three)))
        month = self.between(TENANT, hour - 28 * DAY, hour)
        return Season(hour=hour, history_days=min((hour - self.since).days, 14), scopes=scopes, month=month)

    def between(self, scope: DetectorScope, start: datetime, end: datetime) -> Decimal:
        return sum((amount for at, amount in self.hours[scope].items() if start <= at < end), Decimal(0))

    def of(self, counted: CounterKey, start: datetime, end: datetime) -> CounterSum:
        """For budgets, as counters say it."""
        return CounterSum(self.between(self.scopes[counted], start, end), Decimal(0))

    def rate_per_hour(self, counted: CounterKey, now: datetime) -> Decimal:
        return self.of(counted, now - HOUR, now).effective

    @property
    def budgets(self) -> list[Budget]:
        return [
            Budget(
                id=each.name, tenant=each.tenant, name=each.name, filter=each.filter, amount=each.amount_usd,
                currency="USD", period=each.period, thresholds_percent=tuple(each.thresholds_percent),
                revision=1, updated_at=self.since,
            )
            for each in DATA.budgets
            if each.tenant == self.tenant
        ]  # fmt: skip

    @property
    def scopes(self) -> dict[CounterKey, DetectorScope]:
        return {
            counter_key(each.filter, "USD"): next(iter(each.filter.items()), TENANT) for each in self.budgets
        }


def bursts(weeks: Weeks, chance: random.Random) -> list[Incident]:
    """What bursts are told of in the week from START on. Fills its hours."""
    episodes = Episodes(start=START, look_every=MINUTE, season=weeks.season)
    known = weeks.since < START
    episodes.now = START - HOUR if known else START
    while episodes.now < START + WEEK:
        at, minutes = episodes.now, (episodes.now - START) // MINUTE
        spent = a_minute(weeks.tenant, at, chance)
        for kind, amount, calls in spent:
            if calls:
                episodes.spend(f"{amount:.6f}", calls, **kind.dimensions)
        sums = weeks.add(at, spent)
        stands_out = weeks.stands_out(sums)
        is_open = any(each.state != "resolved" for each in episodes.incidents)
        if minutes >= 0 and (
            stands_out or is_open or minutes < FIRST_MINUTES or minutes % LOOKED_AT_EVERY == 0
        ):
            episodes.now = at + MINUTE - timedelta(seconds=1)
            episodes.look()
        episodes.now = at + MINUTE
        if minutes % 60 == 0:
            episodes.forget()
    print(weeks.tenant, "bursts", episodes.told)
    return [each for each in episodes.incidents if "by_chance" not in each.details]


def hours_of_the_week() -> Iterator[datetime]:
    return (START + number * HOUR for number in range(1, WEEK // HOUR + 1))


def budgets(weeks: Weeks) -> list[Incident]:
    """Thresholds of the demo's budgets that were crossed, and doublings of what was over."""
    calendar = Timeline([(None, Terms(zone=weeks.zone))])
    told: list[Incident] = []
    for now in hours_of_the_week():
        look = BudgetLook(
            now=now,
            calendar=calendar,
            budgets=weeks.budgets,
            counters=weeks,
            wording=Wording(zone=weeks.zone),
        )
        told += look.proposals(told)
    return told


def burns(weeks: Weeks) -> list[str]:
    """Budgets that would run out early; windows by full hours, of which the short ones are shares."""
    rule, calendar, found = default_rule("burn"), Timeline([(None, Terms(zone=weeks.zone))]), []
    for budget in weeks.budgets:
        scope = next(iter(budget.filter.items()), TENANT)
        for now in hours_of_the_week():
            bounds = budget.bounds(now, calendar)
            assert bounds is not None
            spent = CounterSum(weeks.between(scope, bounds[0], now), Decimal(0))
            pace = BudgetPace(budget=budget, bounds=bounds, now=now, zone=weeks.zone, spent=spent)
            for pair in pace.pairs():
                long = weeks.between(scope, now - pair.long, now)
                short = weeks.between(scope, now - max(HOUR, pair.short), now)
                windows = {pair.long: long, pair.short: short * Decimal(min(HOUR, pair.short) / HOUR)}
                if burning(pace, pair, windows, rule.number(pair.setting)):
                    found.append(f"{budget.name} at {now}")
    return found


def levels(weeks: Weeks) -> list[Incident]:
    """What lasts, midnight by midnight, of complete local days."""
    told: list[Incident] = []
    first = (weeks.since + DAY).astimezone(weeks.zone).replace(hour=0)
    for number in range(1, 8):
        last = (START + number * DAY).astimezone(weeks.zone).date() - DAY
        days = (last - first.date()).days + 1
        if days < 2:
            continue
        by_scope = {
            scope: [weeks.between(scope, first + day * DAY, first + (day + 1) * DAY) for day in range(days)]
            for scope in weeks.hours
        }
        told += look_at(by_scope, last=last).proposals(told)
    return told


def firsts(weeks: Weeks) -> list[Incident]:
    """What is new or has no price, hour by hour."""
    told: list[Incident] = []
    scopes = [scope for scope in weeks.hours if scope[0] in ("sku", "provider", "key_id", "agent")]
    for now in hours_of_the_week():
        spent = [
            ValueSpend(
                dimension=dimension, value=value, provider="",
                effective=weeks.between((dimension, value), now.replace(hour=0) - DAY, now),
                provisional=Decimal(0), events=1, unpriced_events=0, leader=b"", leader_amount=Decimal(0),
            )
            for dimension, value in scopes
        ]  # fmt: skip
        past = {
            scope: Past(first_seen=min(weeks.hours[scope]), last_at=now.replace(hour=0) - DAY)
            for scope in scopes
        }
        look = FirstLook(
            tenant=weeks.tenant, now=now, currency="USD", known_since=weeks.since,
            rules=[default_rule("first")], spent=spent, past=past, series={},
            wording=FirstWording(zone=weeks.zone),
        )  # fmt: skip
        told += look.proposals(told)
    return told


def said(incidents: Sequence[Incident]) -> list[str]:
    return [each.title for each in incidents]


@pytest.mark.parametrize("known", [KNOWN, timedelta()], ids=["after weeks", "from its first minute on"])
@pytest.mark.parametrize("tenant", DATA.tenants)
def test_a_quiet_week_of_the_demo_has_at_most_one_false_incident(tenant: str, known: timedelta) -> None:
    chance, weeks = random.Random(3), Weeks(tenant, START - known)
    for number in range(known // HOUR - 1):  # the last hour comes by the minute
        weeks.add(weeks.since + number * HOUR, an_hour(tenant, weeks.since + number * HOUR, chance))
    told = said(bursts(weeks, chance))
    told += said(budgets(weeks)) + burns(weeks) + said(levels(weeks)) + said(firsts(weeks))
    print(tenant, weeks.between(TENANT, START, START + WEEK), "USD", told)
    assert len(told) <= 1, told


def test_no_run_of_the_quiet_demo_goes_round_and_round() -> None:
    """A loop calls twenty times in five minutes."""
    workload, runs = Workload(run="quiet"), Counter[str]()
    for second in range(300):
        for _, event in workload.take(DRAWN_FROM + timedelta(seconds=second), 0.0, 1.0):
            runs[event["data"]["labels"]["run"]] += 1
    assert max(runs.values()) < default_rule("loop").number("calls_min") / 2
