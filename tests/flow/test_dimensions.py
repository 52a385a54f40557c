"""A dimension of a tenant's own on a running system: declared, spent by, retired, and nobody else's business."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.flow.system import System, eventually, usage_event
from tests.flow.test_terms import KEY_WITHIN_S, Newcomer

KNOWN_WITHIN_S = 30
"""Ingest reads what is declared every five seconds; the machine may be busy."""
DROPPED = "Spendmeter-Dropped"


@pytest.fixture
def newcomer(system: System) -> Iterator[Newcomer]:
    made = Newcomer(system)
    yield made
    made.api.close()


def send(newcomer: Newcomer, id: str, input_tokens: int, **labels: str) -> httpx.Response:
    """gpt-4o: 400 tokens in are 0.001 USD."""
    event = usage_event(id, usage={"input_tokens": input_tokens}, labels=labels)
    headers = {"Content-Type": "application/cloudevents+json"}
    url = f"{newcomer.system.ingest}/api/v1/events"
    return newcomer.api.post(url, content=json.dumps(event), headers=headers)


def by_cost_centre(newcomer: Newcomer, **asked: str) -> list[tuple[str, str, int]]:
    rows = newcomer.get("/v1/spend", group_by="cost_centre", **asked)["totals"]
    return [(row["cost_centre"], row["effective"], row["events"]) for row in rows]


def booked(newcomer: Newcomer, events: int) -> None:
    def all_there() -> bool:
        return sum(row["events"] for row in newcomer.get("/v1/spend")["totals"]) == events

    eventually(f"{events} events are booked", all_there)


def test_spend_is_asked_by_a_dimension_from_its_declaration_on_and_after_it_is_retired(
    system: System, newcomer: Newcomer
) -> None:
    def dimensions(*words: str) -> str:
        return system.cli("dimensions", *words, "--tenant", newcomer.name).stdout

    # Sent before it is declared, and once more afterwards, which says more than what is booked.
    early: dict[str, Any] = {"id": "early", "input_tokens": 1200, "cost_centre": "4711"}  # 0.003
    taken = eventually("the key", lambda: send(newcomer, **early).is_success, KEY_WITHIN_S, every_s=0.5)
    assert taken and send(newcomer, **early).headers[DROPPED] == "data.labels.cost_centre"
    said = dimensions("add", "cost_centre", "--reason", "finance books by it")
    assert said.startswith("cost_centre ") and "  active  " in said
    eventually(
        "ingest keeps it", lambda: DROPPED not in send(newcomer, **early).headers, KNOWN_WITHIN_S, every_s=0.5
    )
    send(newcomer, "e1", 2000, cost_centre="4711").raise_for_status()  # 0.005
    send(newcomer, "e2", 400, cost_centre="4712").raise_for_status()  # 0.001
    send(newcomer, "e3", 1600).raise_for_status()  # 0.004, of none
    booked(newcomer, 4)
    assert by_cost_centre(newcomer) == [("", "0.007", 2), ("4711", "0.005", 1), ("4712", "0.001", 1)]
    assert by_cost_centre(newcomer, **{"filter.cost_centre": "4711"}) == [("4711", "0.005", 1)]
    events = newcomer.get("/v1/events", **{"filter.cost_centre": "4712"})["events"]
    assert [event["id"] for event in events] == ["e2"]
    eventually("the conflict is shown", lambda: newcomer.get("/v1/unbooked")["unbooked"])
    (conflict,) = newcomer.get("/v1/unbooked")["unbooked"]
    assert (conflict["outcome"], conflict["id"]) == ("conflict", "early")

    # A budget of one cost centre: half of it is spent, then nine tenths.
    budget = {
        "name": "4711",
        "amount": "0.01",
        "period": "quarter",
        "filter": {"cost_centre": "4711"},
        "thresholds_percent": ["80"],
    }
    made = newcomer.api.post("/v1/budgets", json=budget).raise_for_status().json()
    assert made["spent"] == "0.005"
    send(newcomer, "e4", 1600, cost_centre="4711").raise_for_status()  # 0.004
    (incident,) = eventually("the budget fires", lambda: newcomer.get("/v1/incidents")["incidents"])
    assert (incident["scope"], incident["amount"]) == ({"cost_centre": "4711"}, "0.009")

    # Retired: what is booked keeps it, what comes has none.
    retired = dimensions("retire", "cost_centre", "--reason", "finance is gone")
    assert "  retired  " in retired and "finance is gone" in retired
    late: dict[str, Any] = {"id": "e4", "input_tokens": 1600, "cost_centre": "4711"}
    eventually(
        "ingest drops it", lambda: DROPPED in send(newcomer, **late).headers, KNOWN_WITHIN_S, every_s=0.5
    )
    send(newcomer, "e5", 800, cost_centre="4711").raise_for_status()  # 0.002, of none
    booked(newcomer, 6)
    assert by_cost_centre(newcomer) == [("", "0.009", 3), ("4711", "0.009", 2), ("4712", "0.001", 1)]
    (counted,) = newcomer.get("/v1/budgets")["budgets"]
    assert counted["spent"] == "0.009"

    assert system.get("/v1/dimensions", tenant="globex")["own"] == []
    with pytest.raises(httpx.HTTPStatusError) as refused:
        system.get("/v1/spend", tenant="globex", group_by="cost_centre")
    assert "cost_centre" not in refused.value.response.json()["detail"].partition("one of")[2]
