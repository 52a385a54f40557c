"""The rule of what is not booked tried on the minutes in which it was: told once, with the most of five minutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from services.alerts.dry_runs.unbooked import UnbookedReplay
from services.alerts.scopes import MINUTE
from spendmeter.contracts.alert_rules import default_rule
from tests.alerts.test_unbooked import COUNT, NOW, look

RULE = default_rule("unbooked")


def replayed(unbooked: dict[int, int], counted_from: timedelta = timedelta()) -> UnbookedReplay:
    """A look each minute, with so many of key k1 in its five minutes."""
    replay = UnbookedReplay(RULE.id, NOW + counted_from)
    for minute in range(max(unbooked) + 1):
        now, number = NOW + minute * MINUTE, unbooked.get(minute, 0)
        count = replace(COUNT, unbooked=number, booked=0, first_at=now - 4 * MINUTE)
        replay.look(look(*([count] if number else []), now=now))
    return replay


def test_what_is_not_booked_is_told_once_with_the_most_of_it_and_over_below_half() -> None:
    """From 20 on; 10 are half of it, so it goes on, and with 9 it is over."""
    replay = replayed({0: 25, 1: 40, 2: 10})
    assert replay.is_open
    replay = replayed({0: 25, 1: 40, 2: 10, 3: 9})
    assert not replay.is_open
    [fired] = replay.fired()
    assert (fired.scope, fired.at, fired.amount, fired.messages) == ({"key_id": "k1"}, NOW, 40, 1)


def test_what_comes_within_five_minutes_of_its_end_is_not_told_and_what_comes_later_is_another() -> None:
    assert len(replayed({0: 25, 1: 9, 5: 30}).fired()) == 1
    first, second = replayed({0: 25, 1: 9, 6: 30}).fired()
    assert (first.at, second.at, second.amount) == (NOW, NOW + 6 * MINUTE, 30)


def test_what_was_before_the_days_tried_and_what_another_rule_tells_is_not_counted() -> None:
    assert replayed({0: 25}, counted_from=MINUTE).fired() == []
    sooner = replace(RULE, id="own", changed={"events_min": "5", "share_min": "0"})
    replay = UnbookedReplay(RULE.id, NOW)
    replay.look(replace(look(COUNT), rules=(RULE, sooner)))
    assert (replay.is_open, replay.fired()) == (True, [])
