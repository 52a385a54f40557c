"""Rules of whole days tried on days that were: told as the watch would have told them, by its own functions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from services.alerts.dry_runs.fired import WouldHaveFired
from services.alerts.dry_runs.levels import LevelReplay
from services.alerts.levels.days import LevelDay, LevelDays
from services.alerts.levels.lasting import DAYS_MAX
from services.alerts.scopes import TENANT
from spendmeter.contracts.alert_rules import AlertRule, default_rule
from tests.alerts.test_levels import AGENT, BERLIN, LAST, NOW, amounts, days_of, week_by_week

TRIED = 28
SHIFT = default_rule("shift")


def tried(rule: AlertRule, days: LevelDays) -> list[WouldHaveFired]:
    replay = LevelReplay(rule, BERLIN, "USD")
    for ago in reversed(range(TRIED)):
        view = days.until(LAST - timedelta(days=ago), DAYS_MAX)
        found = [each for each in replay.candidates(view) if each is not None]
        replay.look(view, found, NOW - timedelta(days=ago))
    return replay.fired()


def history(last: list[Decimal]) -> LevelDays:
    """Twelve weeks, the last days of them as given."""
    usual = week_by_week(12)
    spent = usual[: len(usual) - len(last)] + last
    return days_of({TENANT: spent, AGENT: spent})


def test_days_up_to_one_of_them_are_those_days() -> None:
    days = days_of({AGENT: amounts((1, 1), (1, 2), (1, 3), (1, 4))}).until(LAST - timedelta(days=1), 2)
    assert (days.last, [day.worth for day in days.of(AGENT)]) == (LAST - timedelta(days=1), [2, 3])


def test_a_lasting_double_would_have_been_told_once_with_its_excess() -> None:
    """The last two weeks cost 200 and 40 a day, where 100 and 20 were usual: 1,080 over."""
    [fired] = tried(SHIFT, history(week_by_week(2, 200, 40)))
    assert (dict(fired.scope), fired.amount, fired.messages) == ({"agent": "a1"}, Decimal(1080), 1)
    assert NOW - timedelta(days=13) <= fired.at <= NOW - timedelta(days=10)
    assert tried(replace(SHIFT, changed={"amount_min": "500"}), history(week_by_week(2, 200, 40))) == []


def test_what_doubles_again_would_have_been_told_again_and_usual_weeks_nothing() -> None:
    assert tried(SHIFT, history([])) == []
    [fired] = tried(SHIFT, history(week_by_week(1, 200, 40) + week_by_week(1, 500, 100)))
    assert fired.messages == 2


def test_the_same_work_that_became_dearer_would_have_been_told_by_the_rule_of_drift() -> None:
    """300 calls a day, for a week at 2 of 1 each before: 300 a day more, for seven days at most."""
    days = [
        LevelDay(effective=Decimal(cost), worth=Decimal(cost), calls=300)
        for cost in [300] * (12 * 7 - 7) + [600] * 7
    ]
    seen = LevelDays(
        first=LAST - timedelta(days=len(days) - 1), number=len(days),
        by_scope={scope: dict(enumerate(days)) for scope in (TENANT, AGENT)},
    )  # fmt: skip
    [fired] = tried(default_rule("drift"), seen)
    assert (dict(fired.scope), fired.amount, fired.messages) == ({"agent": "a1"}, Decimal(2100), 1)
