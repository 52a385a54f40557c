"""The rule of burns tried on what budgets came to: told as the watch would have told them, by its own functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.alerts.budgets.budgets import Budget
from services.alerts.dry_runs.burns import END, STEP, BurnReplay, LastWindows
from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.forecasts.profile import Profile
from spendmeter.contracts.alert_rules import AlertRule, default_rule
from spendmeter.contracts.terms import Timeline

RULE = default_rule("burn")
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
START = datetime(2026, 6, 10, tzinfo=UTC)
"""Nine days of 14.40 were spent: 129.60."""
FIRST = START + timedelta(days=1)
"""The first day that counts."""
NOON = FIRST + timedelta(hours=12)
HOUR = timedelta(hours=1)
BUDGET = Budget(
    id="b1", tenant="acme", name="Research", filter={"team": "search"}, amount=Decimal(864), currency="USD",
    period="month", thresholds_percent=(Decimal(100),), revision=1, updated_at=JUNE,
)  # fmt: skip
Spends = Callable[[datetime], str]


def burst(start: datetime = NOON, lasts: timedelta = HOUR, amount: str = "6") -> Spends:
    """0.05 in each five minutes, 0.60 an hour; in a burst `amount`."""
    return lambda at: amount if start <= at < start + lasts else "0.05"


def fired(
    spends: Spends,
    *,
    days: int = 4,
    budget: Budget = BUDGET,
    rule: AlertRule = RULE,
    before: str = "129.6",
    profile: Profile | None = None,
) -> list[WouldHaveFired]:
    """`profile`: when it usually spent, as of each day."""
    profiles: dict[date, Profile] = {}
    replay = BurnReplay(
        budget, rule, Timeline(), before=Decimal(before), profiles=profiles, counted_from=FIRST
    )
    for number in range(days * 288):
        at = START + number * STEP
        profiles |= {at.date(): profile} if profile else {}
        amount = Decimal(spends(at))
        replay.step(at + STEP, amount, amount)
    return replay.fired()


def test_windows_hold_the_last_steps_and_of_the_first_day_what_there_was() -> None:
    windows = LastWindows()
    for number in range(1, 401):
        windows.add(Decimal(number))
    assert windows.of(STEP) == 400
    assert windows.of(HOUR) == sum(range(389, 401))
    assert windows.of(timedelta(days=1)) == sum(range(113, 401))
    few = LastWindows()
    few.add(Decimal(7))
    assert few.of(HOUR) == 7


def test_an_hour_of_72_is_told_after_twenty_minutes_with_what_was_spent_beyond_what_could_be_borne() -> None:
    """At noon 129.60 + 36 x 0.60 = 151.20 are spent, 712.80 left for 468 hours. After four steps of 6 the hour came
    to 24 + 8 x 0.05 = 24.40; 14.4 times 688.80 / 467.67 = 1.4728 an hour is 21.21. After three it is 18.45 of 21.39.
    Over what can be borne: 24.40 - 1.47, and in eight steps more 48 - 8 x 1.4728 / 12 = 47.02: 69.95."""
    [one] = fired(burst())
    assert (one.scope, one.at, one.messages) == (
        {"budget": "Research", "team": "search"}, NOON + timedelta(minutes=20) - END, 1,
    )  # fmt: skip
    assert one.amount == pytest.approx(Decimal("69.945"), abs=Decimal("0.001"))


def test_what_can_be_borne_a_higher_ratio_and_what_was_before_the_days_tried_tell_nothing() -> None:
    assert fired(burst(amount="0.1")) == []
    strict = {"fast_ratio": "60", "slow_ratio": "60", "day_ratio": "60"}
    assert fired(burst(), rule=replace(RULE, changed=strict)) == []
    assert fired(burst(START + 20 * HOUR)) == []


def test_a_threshold_of_the_budget_that_was_told_within_the_hour_says_it_already() -> None:
    """20 % are 172.80: passed by the fourth step, at 12:20 (151.20 + 24). An hour later six hours have 72 + 5 x 0.60,
    more than 6 x 6 x 1.37, and half an hour has the last two steps, 12.20, more than 6 x 0.69."""
    [one] = fired(burst(), budget=replace(BUDGET, thresholds_percent=(Decimal(20), Decimal(100))))
    assert one.at == NOON + timedelta(minutes=80) - END


def test_a_warning_that_becomes_critical_is_told_again_and_what_is_calm_and_burns_later_is_another() -> None:
    """6 an hour are a warning once a day has more than twice 24 x 1.5; then 72 within an hour."""

    def spends(at: datetime) -> str:
        day = FIRST + timedelta(days=1)
        if at >= day + 20 * HOUR:
            return burst(day + 20 * HOUR)(at)
        return "0.5" if at >= day else "0.05"

    [one] = fired(spends)
    assert (one.messages, FIRST + timedelta(days=1) < one.at < FIRST + timedelta(days=1, hours=14)) == (
        2,
        True,
    )

    def twice(at: datetime) -> str:
        return burst()(at) if at < NOON + 10 * HOUR else burst(NOON + 20 * HOUR, amount="12")(at)

    first, second = fired(twice)
    assert (first.at, second.at > NOON + 20 * HOUR) == (NOON + timedelta(minutes=20) - END, True)


def test_what_is_usual_at_its_hour_as_of_that_day_burns_not() -> None:
    """28.80 between nine and ten on each day are 864 in 30: as planned. By the clock 1.20 an hour can be borne, and 28.80
    are 24 times that."""
    at_nine = Profile(hours=[24.0 if hour == 9 else 0.0 for hour in range(24)])

    def daily(at: datetime) -> str:
        return "2.4" if at.hour == 9 else "0"

    assert fired(daily, before="259.2", profile=at_nine) == []
    assert [each.at.hour for each in fired(daily, before="259.2")] == [9, 9, 9]


def test_what_is_used_up_is_open_until_its_period_ends_and_the_next_day_is_another() -> None:
    """24 a day, 2 in each five minutes from ten on: after seven steps 14 in the hour, 14.4 x 10 / 13.42 = 10.73."""
    budget = replace(BUDGET, amount=Decimal(24), period="day")
    found = fired(lambda at: "2" if 10 <= at.hour < 12 else "0", budget=budget, before="0", days=3)
    assert [each.at for each in found] == [
        FIRST + day + timedelta(minutes=635) - END for day in (timedelta(), timedelta(days=1))
    ]
    assert all(each.amount > 40 for each in found)


def test_a_bill_is_spent_and_burns_nothing() -> None:
    replay = BurnReplay(BUDGET, RULE, Timeline(), before=Decimal(0), profiles={}, counted_from=FIRST)
    for number in range(3 * 288):
        at = START + number * STEP
        replay.step(at + STEP, Decimal(400 if at == NOON else 0), Decimal(0))
    assert replay.fired() == []
