"""What is wrong with a value is said with the field's name, in nobody's notation."""

from __future__ import annotations

from typing import Any

import pytest

from spendmeter.contracts.channels import ChannelSettingsError, decode_settings
from spendmeter.contracts.placed import placed
from spendmeter.contracts.routes import RouteError, match_of, quiet_of


@pytest.mark.parametrize(
    ("quiet", "said"),
    [
        ([{"from": "25:00", "until": "08:00"}], "quiet: from must be a time of day such as 22:00"),
        ([{"from": "22:00"}], "Object missing required field `until`"),
        (
            [{"from": "22:00", "until": "08:00", "weekdays": ["Mon"]}],
            "weekdays: Expected `int`, got `str`",
        ),
    ],
)
def test_quiet_hours_are_refused_without_a_path(quiet: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(RouteError) as refused:
        quiet_of(quiet)
    assert str(refused.value) == said


def test_a_field_within_is_named() -> None:
    with pytest.raises(RouteError, match=r"^scope: Expected `str`, got `int`$"):
        match_of({"scope": {"team": 5}})
    with pytest.raises(ChannelSettingsError, match=r"^labels: Expected `object`, got `str`$"):
        decode_settings('{"kind": "alertmanager", "url": "https://a.example", "labels": "x"}')


def test_words_of_a_sender_that_look_like_a_path_are_no_place() -> None:
    assert placed(ValueError("Invalid 'x - at `$.a`' - at `$.b`")) == "b: Invalid 'x - at `$.a`'"
    assert placed(ValueError("Invalid 'x - at `$.a`'")) == "Invalid 'x - at `$.a`'"


@pytest.mark.parametrize(
    "url", ["hooks.slack.com/services/T0/B0/x", "https://hooks.slack.com/services/T0/B0/x"]
)
def test_who_sets_a_slack_channels_url_is_told_what_it_needs(url: str) -> None:
    with pytest.raises(ChannelSettingsError, match="an incoming webhook's address is its webhook_url"):
        decode_settings(f'{{"kind": "slack", "url": "{url}"}}')
