"""What channels are sent where names, links and answers are as long and as odd as they can be."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from services.alerts.notify import DeliveryOutcome
from services.alerts.notify.alertmanager import alerts_of
from services.alerts.notify.apprise_text import title_and_body
from services.alerts.notify.outcomes import storable
from services.alerts.notify.pagerduty import enqueued
from services.alerts.notify.slack import blocks
from services.alerts.notify.texts import account, headline, plain_text, utf16_units
from spendmeter.contracts.channels import AlertmanagerSettings, PagerDutySettings
from tests.alerts.notifying import NOW, incident_event

PAGERDUTY = PagerDutySettings(routing_key="R" * 32)
ALERTMANAGER = AlertmanagerSettings(url="https://alerts.example.org")


@pytest.mark.parametrize(
    "plain_address", ["https://spend.example.org", "https://" + "long." * 600 + "example"]
)
def test_names_too_long_for_a_link_cost_the_filters_and_not_the_message(plain_address: str) -> None:
    # 128 characters of Chinese are 1,152 of a URL: three such labels are beyond what Slack takes
    filters = urlencode({f"filter.{name}": "费" * 128 for name in ("team", "agent", "feature")})
    event = incident_event(link=f"{plain_address}/#/?{filters}", summary="s" * 4000)
    assert len(event.link) > 3000
    for block in blocks(event):
        assert utf16_units(block.get("text", {}).get("text", "")) <= 3000
    for schema, title_max, body_max in (("discord", 0, 2000), ("pover", 250, 1024), ("ntfys", 250, 7800)):
        title, body = title_and_body(event, schema, title_max, body_max)
        assert len(body) + (0 if title_max else len(title)) <= body_max, schema
        assert ("/#/" in body) == (plain_address == "https://spend.example.org")
    assert utf16_units(plain_text(event, 1024)) <= 1024


def test_a_dimension_of_the_tenants_own_takes_the_place_of_nothing_that_is_said() -> None:
    event = incident_event(scope={"summary": "mine", "description": "mine", "what": "mine"})
    said = alerts_of(ALERTMANAGER, event, {}, NOW)[0]["annotations"]
    assert (said["summary"], said["description"]) == (headline(event), account(event))
    assert enqueued(PAGERDUTY, event)["payload"]["custom_details"]["what"] == account(event)


def test_what_a_receiver_answers_is_kept_as_text_that_postgres_takes() -> None:
    answer = DeliveryOutcome(
        error="bad \x00 line\n" + "x" * 1000, remember={"ts": "1\x00", "channel": "\ud800"}
    )
    kept = storable(answer)
    assert kept.error.startswith("bad \\x00 line\\nx") and len(kept.error) == 300
    assert kept.remember == {"ts": "1\\x00", "channel": "\\ud800"}
