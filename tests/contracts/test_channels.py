"""What a channel is set to: one kind, strictly, with secrets that are shown to nobody and carried nowhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spendmeter.contracts.channels import (
    AlertmanagerSettings,
    ChannelSettingsError,
    PagerDutySettings,
    SlackSettings,
    carried_off,
    decode_settings,
    encode_settings,
    kind_of,
    renews,
    shown,
)

TOKEN = "xoxb-1234567890-sesame"
SET: list[dict[str, Any]] = [
    {"kind": "webhook", "url": "https://a.example/x", "secret": "whsec_" + "c2VzYW1l" * 5},
    {
        "kind": "alertmanager",
        "url": "https://a.example",
        "authorization": "Bearer sesame",
        "labels": {"team": "x"},
    },
    {"kind": "pagerduty", "routing_key": "sesame" + "0" * 26},
    {"kind": "slack", "token": TOKEN, "channel": "#alerts"},
    {"kind": "slack", "webhook_url": "https://hooks.slack.com/services/T0/B0/sesame"},
    {"kind": "apprise", "url": "mailtos://me:sesame@example.org?to=you%40example.org"},
]


@pytest.mark.parametrize("settings", SET)
def test_a_channel_is_read_as_it_was_written_and_shows_no_secret(settings: dict[str, Any]) -> None:
    read = decode_settings(json.dumps(settings))
    assert kind_of(read) == settings["kind"]
    assert decode_settings(encode_settings(read)) == read
    assert "sesame" not in json.dumps(shown(read))
    assert "c2VzYW1l" not in json.dumps(shown(read))


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ({"kind": "pager"}, "Invalid value 'pager'"),
        ({"url": "https://a.example"}, "kind"),
        ({"kind": "pagerduty", "routing_key": "0" * 31}, "32 letters and digits"),
        ({"kind": "pagerduty", "routing_key": "0" * 32, "severities": {"critical": "page"}}, "page"),
        ({"kind": "slack", "token": TOKEN}, "channel must be"),
        ({"kind": "slack", "token": TOKEN, "channel": "C0", "webhook_url": "https://a.example"}, "either"),
        (
            {"kind": "slack", "webhook_url": "https://a.example", "channel": "C0"},
            "channel belongs to a token",
        ),
        ({"kind": "slack", "token": "sesame", "channel": "C0123"}, "token must be"),
        ({"kind": "alertmanager", "url": "a.example"}, "must begin with https://"),
        ({"kind": "alertmanager", "url": "https://a.example", "labels": {"severity": "x"}}, "Spendmeter"),
        ({"kind": "alertmanager", "url": "https://a.example", "labels": {"7th": "x"}}, "no digit first"),
        ({"kind": "alertmanager", "url": "https://a.example", "authorization": "x\r\ny: z"}, "printable"),
        ({"kind": "webhook", "url": "ftp://a.example", "secret": "whsec_" + "c2VzYW1l" * 5}, "https://"),
        ({"kind": "webhook", "url": "https://a.example", "secret": "sesame"}, "secret must be"),
        ({"kind": "webhook", "url": "https://a.example:99999", "secret": "x"}, "is not a URL"),
        ({"kind": "webhook", "url": "https://a.example/" + "x" * 2000, "secret": "x"}, "more than 2000"),
        ({"kind": "webhook", "url": "https://a.example", "secret": "x", "sercet": "y"}, "sercet"),
    ],
)
def test_what_no_receiver_could_take_is_refused_with_the_rule(settings: dict[str, Any], rule: str) -> None:
    with pytest.raises(ChannelSettingsError, match=rule) as refused:
        decode_settings(json.dumps(settings))
    assert "sesame" not in str(refused.value)


def test_a_secret_is_not_sent_to_another_address_by_who_does_not_know_it() -> None:
    ours = SlackSettings(token=TOKEN, channel="C0123")
    thiefs = SlackSettings(token=TOKEN, channel="C0123", url="https://thief.example")
    assert carried_off(ours, thiefs, {"url"}) == "token"
    assert carried_off(ours, thiefs, {"url", "token"}) == ""
    assert carried_off(ours, SlackSettings(token=TOKEN, channel="C0999"), {"channel"}) == ""
    paged = PagerDutySettings(routing_key="0" * 32)
    assert carried_off(paged, PagerDutySettings(routing_key="0" * 32, url="https://thief.example"), {"url"})
    open_one = AlertmanagerSettings(url="https://a.example")
    assert carried_off(open_one, AlertmanagerSettings(url="https://b.example"), {"url"}) == ""


def test_only_what_shows_an_incident_in_one_place_hears_of_every_change() -> None:
    assert [renews(decode_settings(json.dumps(each))) for each in SET] == [
        False,
        True,
        False,
        True,
        False,
        False,
    ]
