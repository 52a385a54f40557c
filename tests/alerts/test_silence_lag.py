"""A book that lags, a stale catalog, and sources whose usage comes late: by values, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from services.alerts.incidents.incident import resolved
from services.alerts.silence.arrivals import Arrivals
from services.alerts.silence.catalog import CatalogFacts, CatalogLook
from services.alerts.silence.lag import LagLook
from services.alerts.silence.words import SilenceWording
from spendmeter.contracts.alert_rules import default_rule

RULE = default_rule("silence")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WORDING = SilenceWording(zone=ZoneInfo("Europe/Berlin"), portal_url="https://spend.example.org/")
LAG = LagLook(
    tenant="acme", now=NOON, through=NOON - 7 * MINUTE, listens_since=NOON - DAY, sent_at=NOON - 9 * MINUTE,
    rule=RULE, wording=WORDING,
)  # fmt: skip
FACTS = CatalogFacts(
    priced_at=NOON - 40 * DAY, pulled_at=NOON - 20 * DAY, failed_at=NOON - 1 * DAY,
    says="HTTP 404 of prices.example", scheduled=True,
)  # fmt: skip
CATALOG = CatalogLook(tenant="acme", now=NOON, facts=FACTS, spends=True, rule=RULE, wording=WORDING)


def test_a_book_that_is_five_minutes_behind_is_told_once_and_so_is_that_it_has_caught_up() -> None:
    assert replace(LAG, through=NOON - 4 * MINUTE).proposals([]) == []
    [incident] = LAG.proposals([])
    assert LAG.proposals([incident]) == []
    assert (incident.kind, incident.severity, incident.amount, incident.currency) == (
        "silence", "warning", 7, "minutes",
    )  # fmt: skip
    assert incident.title == "the book is 7 min behind"
    assert incident.summary.startswith(
        "acme: not all that was accepted since 2026-11-23 12:53 Europe/Berlin is in the book."
    )
    assert "docs/stopped-line.md" in incident.suggested_action
    later = replace(LAG, now=NOON + 20 * MINUTE, through=NOON + 16 * MINUTE)
    assert later.ending(incident) == ""  # four minutes: it is over below half of five
    caught_up = replace(LAG, now=NOON + 20 * MINUTE, through=NOON + 18 * MINUTE)
    assert caught_up.ending(incident) == "the book has caught up"
    over = resolved(caught_up.renewed(incident), "the book has caught up", caught_up.now)
    assert WORDING.summary(over).endswith(
        "was booked late; the book was behind for 27 min."
    )  # 11:53 to 12:20


def test_a_tenant_that_has_not_sent_within_the_hour_before_is_not_told() -> None:
    assert replace(LAG, sent_at=NOON - 68 * MINUTE).proposals([]) == []
    assert len(replace(LAG, sent_at=NOON - 67 * MINUTE).proposals([])) == 1
    assert replace(LAG, sent_at=None).proposals([]) == []


def test_a_worker_that_has_just_begun_does_not_take_an_old_position_for_a_lag() -> None:
    began = replace(LAG, through=NOON - DAY, sent_at=NOON - DAY, listens_since=NOON - 4 * MINUTE)
    assert began.proposals([]) == []
    assert len(replace(began, listens_since=NOON - 5 * MINUTE).proposals([])) == 1


def test_where_nothing_was_booked_since_the_worker_listens_the_book_is_behind_by_so_long_at_least() -> None:
    blind = replace(LAG, through=None, listens_since=NOON - 6 * MINUTE)
    [incident] = blind.proposals([])
    assert incident.amount == 6
    assert blind.ending(incident) == ""


def test_a_catalog_that_nobody_renews_is_told_and_why() -> None:
    [incident] = CATALOG.proposals([])
    assert CATALOG.proposals([incident]) == []
    assert (incident.severity, incident.amount, incident.currency) == ("warning", 20, "days")
    assert incident.title == "the newest price list is 20 days old"
    assert "The last pull came to nothing: HTTP 404 of prices.example." in incident.summary
    assert incident.suggested_action.startswith("Run spendmeter catalog pull --list")
    renewed = replace(CATALOG, facts=replace(FACTS, pulled_at=NOON))
    assert renewed.proposals([]) == []
    assert renewed.ending(incident) == "the price lists were renewed"


def test_without_a_schedule_it_is_to_know_and_of_a_tenant_that_spends_nothing_it_is_not_told() -> None:
    by_hand = replace(CATALOG, facts=replace(FACTS, scheduled=False, failed_at=None))
    [incident] = by_hand.proposals([])
    assert (incident.severity, incident.suggested_action[:26]) == ("info", "Run spendmeter catalog pul")
    assert replace(by_hand, spends=False).proposals([]) == []
    assert replace(by_hand, facts=replace(FACTS, priced_at=None, pulled_at=None)).proposals([]) == []


def test_who_sends_the_last_hours_usage_once_an_hour_is_known_to_be_an_hour_behind() -> None:
    """At five past each hour, up to the full hour: its newest minute is then 65 minutes old, and it is judged
    once it has come three times."""
    heard, now = Arrivals(), NOON
    for number in range(4 * 60):
        now = NOON + number * MINUTE
        full = (now - 5 * MINUTE).replace(minute=0)
        heard.take({"k1": full - MINUTE, "k2": now - MINUTE}, now)
        assert heard.judged("k2", now) is (number >= 3)
        assert heard.judged("k1", now) is (number >= 2 * 60 + 5)
    assert heard.usual_age("k1", now) == timedelta(minutes=65)
    assert heard.usual_age("k2", now) == timedelta()


def test_a_worker_that_was_away_listens_anew() -> None:
    heard = Arrivals()
    for number in range(10):
        heard.take({"k1": NOON + number * MINUTE}, NOON + number * MINUTE)
    assert heard.judged("k1", NOON + 10 * MINUTE)
    heard.take({"k1": NOON + 9 * MINUTE}, NOON + 60 * MINUTE)
    assert not heard.judged("k1", NOON + 60 * MINUTE)
    for number in range(3 * 60 + 1):
        heard.take({}, NOON + 60 * MINUTE + number * MINUTE)
    assert heard.judged("k1", NOON + 240 * MINUTE)
