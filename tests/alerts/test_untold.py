"""Nothing new is swallowed: only the money that people were told of is folded into what they know."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

from tests.alerts.episodes import Episodes

USUAL: Mapping[str, Mapping[str, str]] = {
    "triage": {"amount": "2", "key_id": "k1", "team": "support", "sku": "gpt-4o", "provider": "openai"},
    "search": {"amount": "1.5", "key_id": "k1", "team": "search", "sku": "gpt-4o", "provider": "openai"},
    "review": {"amount": "3", "key_id": "k2", "team": "devtools", "sku": "claude", "provider": "anthropic"},
}


def with_amounts(**amounts: str) -> dict[str, dict[str, str]]:
    """What is usual, with other amounts for these agents; new ones are of key k1 and no team."""
    other = {"key_id": "k1", "sku": "gpt-4o", "provider": "openai"}
    flows = {name: dict(flow) for name, flow in USUAL.items()}
    for agent, amount in amounts.items():
        flows[agent] = flows.get(agent, other) | {"amount": amount}
    return flows


def usual_for_half_an_hour() -> Episodes:
    episodes = Episodes()
    episodes.pass_time(30, USUAL)
    assert episodes.told == []
    return episodes


def test_a_second_agent_of_a_key_with_an_open_incident_is_an_incident_of_its_own() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(3, with_amounts(triage="42", search="41"))  # of no single agent, so of their key
    assert episodes.told[0] == (30, "opened", "k1")
    episodes.told.clear()
    episodes.pass_time(2, with_amounts(triage="42", search="41", scraper="20"))
    assert [each[1:] for each in episodes.told if each[1] == "opened"] == [("opened", "scraper")]


def test_a_second_agent_is_told_when_the_first_has_ceased_but_is_not_over_yet() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(2, with_amounts(triage="42", search="41"))
    episodes.pass_time(3, USUAL)
    episodes.told.clear()
    episodes.pass_time(1, with_amounts(scraper="20"))
    assert [each[1:] for each in episodes.told] == [("opened", "scraper")]


def test_a_child_that_doubles_after_its_parents_page_is_told() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(3, with_amounts(triage="32", search="31"))
    episodes.told.clear()
    episodes.pass_time(4, with_amounts(triage="32", search="80"))
    assert [each[1:] for each in episodes.told] == [("grew", "k1")]
    assert "of it agent search" in episodes.titles[-1]


def test_opposite_moves_do_not_hide_each_other() -> None:
    """One of the two agents ceases as the other takes up as much again: the key spends what it did."""
    episodes = usual_for_half_an_hour()
    episodes.pass_time(3, with_amounts(triage="32", search="31"))
    episodes.told.clear()
    episodes.pass_time(4, with_amounts(triage="2", search="66"))
    assert [each[1:] for each in episodes.told] == [("grew", "k1")]
    assert "of it agent search" in episodes.titles[-1]


def test_the_rest_of_a_parent_is_told_when_it_rises_on_its_own() -> None:
    """Forty new agents of another key, none of which is news alone: nothing but their key is."""
    episodes = usual_for_half_an_hour()
    episodes.pass_time(3, with_amounts(triage="60"))
    assert [each[1:] for each in episodes.told] == [("opened", "triage")]
    many = {
        f"a{number}": {"amount": "0.9", "key_id": "k2", "team": "devtools", "sku": "claude", "provider": "x"}
        for number in range(40)
    }
    episodes.told.clear()
    episodes.pass_time(2, with_amounts(triage="60") | many)
    assert [each[1] for each in episodes.told] == ["opened"]


def test_what_goes_on_as_it_was_told_is_told_again_when_its_money_has_doubled_and_no_more() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(90, with_amounts(triage="42"))
    news = [(minute - 30, transition) for minute, transition, _ in episodes.told]
    assert news[0] == (0, "opened")
    assert {transition for _, transition in news[1:]} == {"grew"}
    assert 3 <= len(news) <= 6  # at about 5, 10, 20, 40 and 80 minutes
    assert all(later >= 2 * earlier - 1 for (earlier, _), (later, _) in pairwise(news[1:]))


def test_a_burst_that_grows_ten_times_is_told_within_two_minutes() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(3, with_amounts(triage="42"))
    episodes.pass_time(2, with_amounts(triage="420"))
    assert [each[1:] for each in episodes.told] == [("opened", "triage"), ("grew", "triage")]


def test_bursts_after_an_end_are_told_as_repeats_with_their_count() -> None:
    """Two minutes after the first's end, five after the second's and ten after the third's."""
    episodes = usual_for_half_an_hour()
    for pause in (2, 5, 10, 1):
        episodes.pass_time(2, with_amounts(triage="42"))
        while any(incident.state != "resolved" for incident in episodes.incidents):
            episodes.pass_time(0.5, USUAL)
        episodes.pass_time(pause, USUAL)
    assert [each[1] for each in episodes.told] == ["opened", "resolved", *["repeated", "resolved"] * 3]
    (incident,) = episodes.incidents
    assert (incident.repeats, incident.number) == (3, 7)
    assert [title.split(" (")[1] for title in episodes.titles[2::2]] == [
        "2nd time in 10 min)",
        "3rd time in 28 min)",
        "4th time in 1 h 1 min)",
    ]


def test_flapping_is_one_incident_that_stays_open() -> None:
    """A burst of a minute every eight minutes, for four hours."""
    episodes = usual_for_half_an_hour()
    for _ in range(30):
        episodes.pass_time(1, with_amounts(triage="42"))
        episodes.pass_time(7, USUAL)
    assert len(episodes.incidents) == 1
    assert len(episodes.told) <= 9, episodes.told


@pytest.mark.parametrize("told", [True, False])
def test_a_burst_teaches_nothing_whether_it_was_told_or_not(told: bool) -> None:
    """Nobody looked during the first one: the second is as much of a surprise, and what is usual is no more."""
    episodes = usual_for_half_an_hour()
    if told:
        episodes.pass_time(3, with_amounts(triage="42"))
    else:
        looked, episodes.look = episodes.look, lambda: None  # type: ignore[method-assign]
        episodes.pass_time(3, with_amounts(triage="42"))
        episodes.pass_time(3, USUAL)
        episodes.look = looked  # type: ignore[method-assign]
    episodes.pass_time(12, USUAL)
    expected = episodes._learned.scopes["agent", "triage"]
    assert 1.5 <= expected.per_minute <= 2.5
    assert expected.scale <= 4
    assert episodes._learned.scopes["tenant", ""].scale <= 10
    episodes.told.clear()
    episodes.pass_time(1, with_amounts(triage="42"))
    assert [each[1] for each in episodes.told] == ["repeated" if told else "opened"]


def test_where_the_ledger_stands_still_nothing_is_quiet() -> None:
    episodes = usual_for_half_an_hour()
    episodes.pass_time(2, with_amounts(triage="42"))
    episodes.booked_until = episodes.now
    episodes.pass_time(10)
    assert [each[1] for each in episodes.told] == ["opened"]
    episodes.booked_until = None
    episodes.pass_time(1, USUAL)
    assert [each[1] for each in episodes.told] == ["opened", "resolved"]
