"""What an incident says: amounts worked out by hand, in words that name scope, money, rate and contributor."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.alerts.budgets.breaches import budget_incident
from services.alerts.bursts.anomalies import EVERYBODYS, Anomaly
from services.alerts.bursts.bursts import anomaly_incident
from services.alerts.incidents.incident import (
    IncidentFigures,
    event_of,
    resolved,
    top_contributor,
    with_figures,
)
from services.alerts.incidents.words import Wording, title
from services.alerts.rates import per_hour
from services.alerts.scopes import TENANT
from spendmeter import contracts
from spendmeter.contracts.incidents import TopContributor, decode_incident, encode_incident
from spendmeter.contracts.series import Series
from spendmeter.contracts.totals import decode_total
from tests.alerts.test_budgets import BERLIN as BERLIN_CALENDAR
from tests.alerts.test_budgets import BUDGET

EXAMPLES = Path(contracts.__path__[0]) / "examples"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 23, 10, 3, 8, tzinfo=UTC)
FIGURES = IncidentFigures(
    amount=Decimal("6.87"), expected=Decimal("0.024"), rate_per_hour=Decimal("3091.5"),
    expected_per_hour=Decimal("10.8"), of_which_provisional=Decimal("0.687"),
    top_contributor=TopContributor(dimensions={"project": "p", "agent": "researcher", "sku": "gpt-4o", "key_id": "k1"}, amount="6.6", share="0.96"),
)  # fmt: skip
ANOMALY = Anomaly(
    rule=EVERYBODYS[0],
    scope=("agent", "researcher"),
    began_at=NOW.replace(second=0),
    expected_per_minute=Decimal("0.18"),
    hot_per_minute=Decimal("0.36"),
)
WORDING = Wording(zone=BERLIN, key_names={"k1": "search-bot"}, portal_url="https://spend.example.org/")
INCIDENT = WORDING.with_words(anomaly_incident("acme", ANOMALY, "USD", FIGURES, NOW))


def test_an_anomalys_title_says_the_news() -> None:
    assert INCIDENT.title == "agent researcher spends 3,092 USD/h, usually 11"
    calm = replace(INCIDENT, peak_per_hour=Decimal("1803.2"), expected_per_hour=Decimal("4.04"))
    assert title(calm) == "agent researcher spends 1,803 USD/h, usually 4"
    assert title(replace(calm, expected_per_hour=Decimal(0))).endswith("1,803 USD/h, usually nothing")
    early = replace(calm, expected_per_hour=Decimal(0), details={**calm.details, "history_waits": True})
    assert title(early).endswith("1,803 USD/h, usually not known yet")
    assert "When it began the weeks before were not added up yet" in WORDING.summary(early)
    assert title(replace(calm, scope={})).startswith("tenant acme spends 1,803 USD/h")
    assert title(replace(calm, scope={"key_id": "k1"})).startswith("key search-bot (k1) spends 1,803")


def test_a_budgets_title_says_the_threshold_and_the_money() -> None:
    budget = replace(BUDGET, name="Research, monthly")
    figures = replace(FIGURES, amount=Decimal("41.205"), expected=Decimal(50))
    opened = budget_incident(budget, budget.bounds(NOW, BERLIN_CALENDAR), Decimal(80), figures, NOW)
    assert title(opened) == "budget Research, monthly passed 80 %: 41.2 of 50 USD spent"


def test_an_anomaly_says_what_where_how_much_how_fast_and_since_when() -> None:
    assert INCIDENT.summary == (
        "acme: agent=researcher spends up to 3,091.50 USD per hour, 286 times what was expected (10.80 USD per "
        "hour), since 2026-11-23 11:03 Europe/Berlin; 6.87 USD so far, 0.0240 USD expected. 96 % of it is "
        "key_id=search-bot (k1), sku=gpt-4o. 10 % of it is provisional: priced by an upper bound."
    )
    assert INCIDENT.suggested_action == "Look at agent researcher: stop it if nobody expects this."
    assert INCIDENT.key_names == {"k1": "search-bot"}


def test_figures_are_exact_and_labelled_and_their_words_are_rounded() -> None:
    assert [(figure["label"], figure["amount"], figure["text"]) for figure in INCIDENT.figures] == [
        ("highest rate", "3091.5", "3,091.50 USD/h"),
        ("usual rate", "10.8", "10.80 USD/h"),
        ("spent since it began", "6.87", "6.87 USD"),
        ("expected meanwhile", "0.024", "0.0240 USD"),
        ("rate at the last look", "3091.5", "3,091.50 USD/h"),
        ("of it priced by an upper bound", "0.687", "0.6870 USD"),
    ]


def test_an_incident_links_to_its_scope_in_the_portal_with_what_is_usual_around_it() -> None:
    assert INCIDENT.link == (
        "https://spend.example.org/#/?from=2026-11-23T09%3A33%3A00Z&to=2026-11-23T10%3A33%3A00Z&by=sku"
        "&filter.agent=researcher"
    )
    assert replace(WORDING, portal_url="").with_words(INCIDENT).link == ""


def test_its_end_says_what_the_burst_was_and_how_long_it_took() -> None:
    """The peak stays: what is spent an hour later says nothing of the burst."""
    quiet = replace(FIGURES, amount=Decimal("10.02"), expected=Decimal("0.36"), rate_per_hour=Decimal(0))
    after = with_figures(replace(INCIDENT, hot_at=NOW + timedelta(minutes=2)), quiet, NOW)
    over = WORDING.with_words(resolved(after, "nothing unusual for 5 minutes", NOW + timedelta(minutes=12)))
    assert over.title == "Over: agent researcher spent up to 3,092 USD/h, usually 11"
    assert over.summary.startswith(
        "Over: nothing unusual for 5 minutes. acme: agent=researcher spent up to 3,091.50 USD per hour, 286 times "
        "what was expected (10.80 USD per hour), since 2026-11-23 11:03 Europe/Berlin until 11:05: 10.02 USD in "
        "all, 0.3600 USD expected; the incident was open for 12 min."
    )
    assert (over.id, over.peak_per_hour) == (INCIDENT.id, Decimal("3091.5"))
    short = replace(INCIDENT, hot_at=INCIDENT.began_at + timedelta(seconds=40))
    over = WORDING.with_words(resolved(short, "nothing unusual for 5 minutes", NOW + timedelta(minutes=12)))
    assert "), within the minute of 2026-11-23 11:03 Europe/Berlin: " in over.summary


def test_where_nothing_was_expected_there_is_no_ratio() -> None:
    unexpected = with_figures(INCIDENT, replace(FIGURES, expected_per_hour=Decimal(0)), NOW)
    assert "where nothing was expected" in WORDING.with_words(unexpected).summary


def test_an_episode_is_the_minute_it_began_in() -> None:
    def opened(**changes: object) -> object:
        return anomaly_incident("acme", replace(ANOMALY, **changes), "USD", FIGURES, NOW)  # type: ignore[arg-type]

    assert opened().id == opened(expected_per_minute=Decimal(1)).id == INCIDENT.id  # type: ignore[attr-defined]
    assert INCIDENT.episode == 29_923_803  # 2026-11-23 10:03 in minutes since 1970
    others = {opened(scope=TENANT).id, opened(began_at=NOW.replace(minute=4, second=0)).id}  # type: ignore[attr-defined]
    assert len(others | {INCIDENT.id}) == 3
    assert opened(scope=TENANT).scope == {}  # type: ignore[attr-defined]


def test_a_rate_is_exact_to_twelve_places() -> None:
    assert per_hour(Decimal("0.1"), timedelta(seconds=7)) == Decimal("51.428571428571")
    assert per_hour(Decimal(5), timedelta()) == 0


def test_the_top_contributor_is_the_series_with_the_most_money() -> None:
    small, large = Series(team="a", sku="x"), Series(team="b", sku="y")
    top = top_contributor({small: Decimal(1), large: Decimal(3)}, Decimal(4))
    assert (top.dimensions, top.amount, top.share) == ({"team": "b", "sku": "y"}, "3", "0.75")
    assert top_contributor({}, Decimal(0)) == TopContributor()


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("incident.*.json")), ids=lambda path: path.name)
def test_every_example_of_an_incident_decodes(path: Path) -> None:
    event = decode_incident(path.read_bytes())
    assert decode_incident(encode_incident(event)) == event


def test_what_is_sent_decodes_to_what_was_said() -> None:
    event = decode_incident(encode_incident(event_of(INCIDENT, "opened", NOW)))
    assert (event.amount, event.rate_per_hour, event.scope) == ("6.87", "3091.5", {"agent": "researcher"})
    assert event.top_contributor == FIGURES.top_contributor
    assert (event.title, event.key_names) == (INCIDENT.title, {"k1": "search-bot"})
    assert (event.figures[0].label, event.figures[0].unit) == ("highest rate", "USD/h")


def test_the_example_of_a_total_decodes() -> None:
    total = decode_total((EXAMPLES / "total.json").read_bytes())
    assert (total.tenant, total.effective, total.dimensions.agent) == ("acme", "0.0441195", "triage")
