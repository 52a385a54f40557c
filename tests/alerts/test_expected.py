"""A burst that people expected is no news for a month: of its scope alone, at its pace, once it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from tests.alerts.episodes import Episodes
from tests.alerts.test_untold import USUAL, usual_for_half_an_hour, with_amounts


def after_a_burst_of(amount: str, *, expected_for: timedelta | None, apart: timedelta) -> Episodes:
    """Two minutes of triage at that much a minute; then the same tenant as usual, so much later."""
    episodes = usual_for_half_an_hour()
    episodes.pass_time(2, with_amounts(triage=amount))
    while any(incident.state != "resolved" for incident in episodes.incidents):
        episodes.pass_time(0.5, USUAL)
    [over] = episodes.incidents
    assert (over.scope, over.resolved_at is not None) == ({"agent": "triage"}, True)
    assert over.resolved_at is not None
    until = over.resolved_at + expected_for if expected_for else None
    episodes.incidents = [replace(over, expected_until=until)]
    episodes.now += apart
    episodes.pass_time(60, USUAL)
    episodes.told.clear()
    return episodes


MONTH, WEEK = timedelta(days=30), timedelta(days=7)


def test_a_week_later_the_same_burst_is_no_news_where_it_was_expected_and_else_it_is() -> None:
    """42 a minute, where 2 are usual: told were 40 a minute."""
    for expected_for, told in ((MONTH, []), (None, ["opened"])):
        episodes = after_a_burst_of("42", expected_for=expected_for, apart=WEEK)
        episodes.pass_time(2, with_amounts(triage="42"))
        assert [each[1] for each in episodes.told] == told, expected_for


def test_more_than_twice_of_what_was_expected_is_told_as_an_incident_of_its_own() -> None:
    episodes = after_a_burst_of("42", expected_for=MONTH, apart=WEEK)
    episodes.pass_time(2, with_amounts(triage="120"))
    assert [each[1:] for each in episodes.told] == [("opened", "triage")]
    assert [each.repeats for each in episodes.incidents] == [0, 0]
    episodes.pass_time(12, USUAL)
    assert [each[1:] for each in episodes.told] == [("opened", "triage"), ("resolved", "triage")]


def test_another_scope_is_told_although_this_one_was_expected() -> None:
    episodes = after_a_burst_of("42", expected_for=MONTH, apart=WEEK)
    episodes.pass_time(2, with_amounts(search="42"))
    assert [each[1:] for each in episodes.told] == [("opened", "search")]
    both = after_a_burst_of("42", expected_for=MONTH, apart=WEEK)
    both.pass_time(2, with_amounts(triage="42", search="42"))
    assert [each[1:] for each in both.told] == [("opened", "search")]


def test_when_the_month_is_over_it_is_news_again() -> None:
    episodes = after_a_burst_of("42", expected_for=MONTH, apart=MONTH + timedelta(hours=1))
    episodes.pass_time(2, with_amounts(triage="42"))
    assert [each[1:] for each in episodes.told] == [("opened", "triage")]
    assert episodes.incidents[-1].repeats == 0
