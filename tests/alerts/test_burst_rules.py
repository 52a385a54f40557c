"""Bursts are news by a tenant's own rules: their amounts, their multiples, what they watch, on or off."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from spendmeter.contracts.alert_rules import AlertRule, default_rule
from tests.alerts.episodes import Episodes
from tests.alerts.test_untold import USUAL, with_amounts

BURST = default_rule("burst")


def told_by(*rules: AlertRule, **amounts: str) -> list[tuple[str, str]]:
    """What is told of two minutes of these amounts, after half an hour as usual."""
    episodes = Episodes(rules=rules)
    episodes.pass_time(30, USUAL)
    episodes.pass_time(2, with_amounts(**amounts))
    return [(transition, scope) for _, transition, scope in episodes.told]


def with_settings(**changed: Any) -> AlertRule:
    return replace(BURST, revision=7, changed=changed)


def test_the_rule_that_everybody_has_tells_of_forty_over_two() -> None:
    assert told_by(BURST, triage="42") == [("opened", "triage")]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"amount_min": "73"}, True),
        ({"amount_min": "74"}, False),
        ({"share_min": "1"}, True),  # the tenant spends 6.5 a minute
        ({"score_min": "34"}, True),  # 34 x (1 + 2/30) x the high minute of 2: 72.5
        ({"score_min": "35"}, False),  # 74.7
    ],
)
def test_a_gate_that_is_raised_holds_back_what_lies_below_it(changed: dict[str, str], told: bool) -> None:
    """77 in 110 s, after which the first minute is no longer tested, are 73.3 over what is usual."""
    assert told_by(with_settings(**changed), triage="42") == ([("opened", "triage")] if told else [])


def test_a_gate_that_is_lowered_tells_of_less() -> None:
    """3 more in two minutes: the gate is 2 x (1 + 2/30) x 2 = 4.27 for everybody, and 2.13 with half the score."""
    small = {"triage": "3.5"}
    assert told_by(BURST, **small) == []
    low = with_settings(amount_min="0.5", score_min="1", share_min="0")
    assert told_by(low, **small) == [("opened", "triage")]


def test_a_rule_that_is_off_tells_nothing_new_and_what_is_open_ends_by_itself() -> None:
    assert told_by(triage="42") == []
    episodes = Episodes()
    episodes.pass_time(30, USUAL)
    episodes.pass_time(2, with_amounts(triage="42"))
    episodes.rules = ()
    episodes.pass_time(10, USUAL)
    assert [each[1:] for each in episodes.told] == [("opened", "triage"), ("resolved", "triage")]


def test_a_rule_for_a_part_of_the_spend_says_so_in_its_incident() -> None:
    own = AlertRule(
        id="r1", of="burst", name="Support", filter={"team": "support"}, severity="info", enabled=True, revision=9,
        changed={},
    )  # fmt: skip
    assert told_by(own, search="42") == []
    episodes = Episodes(rules=(own,))
    episodes.pass_time(30, USUAL)
    episodes.pass_time(1, with_amounts(triage="42"))
    [incident] = episodes.incidents
    assert (incident.rule_id, incident.rule_name, incident.rule_revision) == ("r1", "Support", 9)
    assert (incident.severity, incident.scope) == ("info", {"agent": "triage"})
