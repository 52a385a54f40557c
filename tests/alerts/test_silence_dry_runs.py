"""The rule of silence tried on when sources were heard: what the looks of the watch would have told, once each."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from services.alerts.dry_runs.silence import SilenceReplay
from tests.alerts.silences import LOOK_EVERY, Weeks
from tests.alerts.test_silence_weeks import BERLIN, MONDAY, SUMMER_MONDAY, at, every, nightly, office, without

DAY = timedelta(days=1)


def replayed(
    weeks: Weeks, start: datetime, end: datetime, counted_from: datetime | None = None
) -> SilenceReplay:
    """Beside the watch, fed with the same looks."""
    replay, now = SilenceReplay(counted_from or start), start
    while now < end:
        replay.look(weeks.look(now))
        now += LOOK_EVERY
    return replay


def test_a_source_that_was_silent_for_an_hour_is_one_incident_with_what_it_usually_spends_in_that_time() -> (
    None
):
    """1 a minute; it stops at noon, is told at 12:15 and heard again by the look at 13:05: 50 minutes."""
    sends = {"k1": without(every(MONDAY), at(MONDAY, "12:00"), at(MONDAY, "13:00")), "k2": every(MONDAY)}
    weeks = Weeks(zone=BERLIN, sends=sends, amounts={"k1": "1440"})
    [fired] = replayed(weeks, at(MONDAY, "11:00"), at(MONDAY, "15:00")).fired()
    assert (fired.scope, fired.at, fired.amount, fired.messages) == (
        {"key_id": "k1"}, at(MONDAY, "12:15"), 50, 1,
    )  # fmt: skip
    assert [transition for _, transition, _ in weeks.told] == ["opened", "resolved"]


def test_what_is_silent_still_counts_up_to_the_last_look_and_what_began_before_the_days_tried_does_not() -> (
    None
):
    sends = {"k1": without(every(MONDAY), at(MONDAY, "12:00"))}
    span = at(MONDAY, "11:00"), at(MONDAY, "14:05")
    weeks = Weeks(zone=BERLIN, sends=sends, amounts={"k1": "1440"})
    [fired] = replayed(weeks, *span).fired()
    assert fired.amount == 105  # the last look is at 14:00
    weeks = Weeks(zone=BERLIN, sends=sends)
    assert replayed(weeks, *span, counted_from=at(MONDAY, "12:30")).fired() == []


def test_sources_that_fall_silent_together_are_one_and_twice_as_many_are_a_second_message() -> None:
    """The three of each minute are told after 15 minutes, the three of each ten after 50; six times 1 a minute
    from 12:15 to 14:00."""
    stopped = at(MONDAY, "12:00")
    sends = {f"k{number}": without(every(MONDAY), stopped) for number in (1, 2, 3)}
    sends |= {f"s{number}": without(every(MONDAY, 10), stopped) for number in (1, 2, 3)}
    sends["other"] = every(MONDAY)
    amounts = dict.fromkeys(sends, "1440")
    weeks = Weeks(zone=BERLIN, sends=sends, amounts=amounts)
    [fired] = replayed(weeks, at(MONDAY, "11:00"), at(MONDAY, "14:05")).fired()
    assert (fired.at, fired.messages) == (at(MONDAY, "12:15"), 2)
    assert fired.scope["key_id"].endswith("and 3 more")
    assert fired.amount == 6 * 105


def test_usual_weeks_fire_nothing_and_a_batch_that_did_not_run_fires_once() -> None:
    sends = {"k1": office(SUMMER_MONDAY), "k2": nightly(SUMMER_MONDAY)}
    start, end = at(SUMMER_MONDAY, "0:00"), at(SUMMER_MONDAY + 5 * DAY, "0:00")
    assert replayed(Weeks(zone=BERLIN, sends=sends), start, end).fired() == []
    missed = without(sends["k2"], start, at(SUMMER_MONDAY + DAY, "0:00"))
    replay = replayed(Weeks(zone=BERLIN, sends={"k1": sends["k1"], "k2": missed}), start, end)
    [fired] = replay.fired()
    assert fired.scope == {"key_id": "k2"}
    assert at(SUMMER_MONDAY, "3:15") == fired.at  # and is back by the look at 2:15: 23 hours
    assert fired.amount == pytest.approx(Decimal(50) * 23 / 24, abs=Decimal("0.000001"))
    assert replay.silent_keys == set()
