"""An incident is named by the combination that explains it, which is whose money it is; two at once are both said."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tests.alerts.episodes import Episodes

AGENTS = ("triage", "search", "review", "intake", "billing", "mail")
MODELS = ("large", "small", "tiny", "vision")


def flows(**amounts: str) -> dict[str, Mapping[str, str]]:
    """Six agents on four models, 1.00 a minute each; `amounts`: what others cost, by agent_model."""
    return {
        f"{agent}_{model}": {"agent": agent, "sku": model, "amount": amounts.get(f"{agent}_{model}", "1")}
        for agent in AGENTS
        for model in MODELS
    }


def usual() -> Episodes:
    episodes = Episodes()
    episodes.explains = True
    episodes.pass_time(30, flows())
    assert episodes.told == []
    return episodes


def scopes_opened(episodes: Episodes) -> list[dict[str, str]]:
    return [dict(incident.scope) for incident in episodes.incidents]


def test_a_pair_that_bursts_is_the_incident_and_its_figures_are_of_its_money_alone() -> None:
    episodes = usual()
    episodes.pass_time(10, flows(triage_large="61"))
    (incident,) = episodes.incidents
    assert incident.scope == {"agent": "triage", "sku": "large"}
    assert incident.title.startswith("agent triage on model large spends ")
    assert round(incident.expected_per_hour, 6) == Decimal(60)  # 1.00 a minute, without its other models
    assert round(incident.amount, 6) == 610  # ten minutes of 61.00
    assert incident.details["explanation"]["of"] == {"agent": "triage"}
    assert "Of the excess of agent triage as it opened 100 % is model large" in incident.summary
    assert [each[1] for each in episodes.told] == ["opened", "grew"]  # its money has doubled: no second page


def test_other_money_of_the_value_is_told_by_itself() -> None:
    episodes = usual()
    episodes.pass_time(3, flows(triage_large="61"))
    episodes.told.clear()
    episodes.pass_time(1, flows(triage_large="61", triage_small="41"))
    assert [each[1:] for each in episodes.told] == [("opened", "triage, small")]
    assert scopes_opened(episodes) == [
        {"agent": "triage", "sku": "large"},
        {"agent": "triage", "sku": "small"},
    ]


def test_where_all_but_the_rest_of_a_value_is_told_already_the_rest_is_named_so() -> None:
    episodes = Episodes()
    two = [name for name in flows() if name.endswith(("large", "small"))]
    episodes.explains = True
    episodes.pass_time(30, {name: flows()[name] for name in two})
    for told in ({"triage_large": "61"}, {"triage_large": "61", "triage_small": "41"}):
        episodes.pass_time(2, {name: flow for name, flow in flows(**told).items() if name in two})
    assert [dict(each.scope)["sku"] for each in episodes.incidents] == ["large", "small"]
    assert round(episodes.incidents[1].amount, 6) == 83  # two minutes of 41.00, and the one before


def test_where_the_whole_value_rose_it_is_the_name() -> None:
    episodes = usual()
    episodes.pass_time(2, flows(triage_large="31", triage_small="31", triage_tiny="31", triage_vision="31"))
    (incident,) = episodes.incidents
    assert incident.scope == {"agent": "triage"}
    assert incident.title.startswith("agent triage spends ")


def test_two_pairs_that_are_found_as_two_are_two_incidents() -> None:
    episodes = usual()
    episodes.pass_time(2, flows(triage_large="61", search_small="61"))
    assert scopes_opened(episodes) == [
        {"agent": "triage", "sku": "large"},
        {"agent": "search", "sku": "small"},
    ]


def test_a_pair_that_begins_again_is_the_same_incident() -> None:
    episodes = usual()
    episodes.pass_time(2, flows(triage_large="61"))
    episodes.pass_time(8, flows())
    episodes.told.clear()
    episodes.pass_time(2, flows(triage_large="61"))
    assert [each[1:] for each in episodes.told] == [("repeated", "triage, large")]


def test_a_pair_that_begins_again_is_known_when_nobody_can_explain_it() -> None:
    episodes = usual()
    episodes.pass_time(2, flows(triage_large="61"))
    episodes.pass_time(8, flows())
    episodes.told.clear()
    episodes.explains = False
    episodes.pass_time(2, flows(triage_large="61"))
    assert [each[1:] for each in episodes.told] == [("repeated", "triage, large")]


def test_what_was_not_explained_is_named_by_its_value_and_repeats_by_it() -> None:
    episodes = usual()
    episodes.explains = False
    episodes.pass_time(2, flows(triage_large="61"))
    assert scopes_opened(episodes) == [{"agent": "triage"}]
    episodes.pass_time(8, flows())
    episodes.explains = True
    episodes.told.clear()
    episodes.pass_time(2, flows(triage_large="61"))
    assert [each[1:] for each in episodes.told] == [("repeated", "triage")]
    assert episodes.incidents[0].title.startswith("model large: agent triage spends ")
