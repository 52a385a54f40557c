"""A tenant's currency and zone on a running system: from its first terms to a budget that fires in euros."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest

from spendmeter.contracts.terms import Terms, Timeline, changes_at
from tests.flow.system import System, eventually, priced_by, usage_event
from tests.flow.test_catalog import change

KEY_WITHIN_S = 20
"""Ingest takes a new key within ten seconds, on a machine that is not busy."""
TERMS = """
source: "the agreement with {tenant}"
terms:
  - tenant: {tenant}
    currency: EUR
    time_zone: Europe/Berlin
fx:
  - {{base: USD, quote: EUR, rate: "0.9", effective_from: 2026-10-01T00:00:00Z}}
"""


class Newcomer:
    """A tenant that nobody has heard of, with a key for everything that it may do."""

    def __init__(self, system: System) -> None:
        self.name = f"new-{uuid4().hex[:8]}"
        self.system = system
        scopes = [part for scope in ("ingest", "read", "admin") for part in ("--scope", scope)]
        said = system.cli("keys", "create", self.name, "--create-tenant", *scopes).stdout
        self.api = httpx.Client(
            base_url=system.api, headers={"Authorization": f"Bearer {said.strip()}"}, timeout=30
        )

    def get(self, path: str, **query: str) -> Any:
        return self.api.get(path, params=query).raise_for_status().json()

    def send(self, id: str) -> bool:
        """gpt-4o, 1,000 tokens in and 100 out: 0.0035 USD, at 0.9 that is 0.00315 EUR."""
        event = json.dumps(usage_event(id))
        headers = {"Content-Type": "application/cloudevents+json"}
        return self.api.post(f"{self.system.ingest}/api/v1/events", content=event, headers=headers).is_success


@pytest.fixture
def newcomer(system: System) -> Iterator[Newcomer]:
    made = Newcomer(system)
    yield made
    made.api.close()


async def test_a_new_tenants_euros_are_in_its_spend_session_and_budgets_and_its_budget_fires_in_euros(
    system: System, owner: asyncpg.Connection, newcomer: Newcomer, tmp_path: Path
) -> None:
    file = tmp_path / "terms.yaml"
    file.write_text(TERMS.format(tenant=newcomer.name))
    version = change(system, file)
    eventually("rating prices by them", lambda: priced_by(system) >= version)
    assert newcomer.get("/v1/session")["tenants"] == [
        {"tenant": newcomer.name, "name": newcomer.name, "currency": "EUR", "tz": "Europe/Berlin"}
    ]
    asked = {"name": "All of it", "amount": "0.005", "period": "day", "thresholds_percent": ["100"]}
    budget = newcomer.api.post("/v1/budgets", json=asked).raise_for_status().json()
    assert budget["currency"] == "EUR"
    eventually("ingest knows the key", lambda: newcomer.send("e1"), KEY_WITHIN_S, every_s=0.5)
    assert newcomer.send("e2")

    def spent() -> Any:
        answer = newcomer.get("/v1/spend")
        return answer if answer["totals"][0]["events"] == 2 else None

    spend = eventually("both are booked", spent)
    assert (spend["currency"], spend["tz"]) == ("EUR", "Europe/Berlin")
    assert [(row["currency"], row["effective"]) for row in spend["totals"]] == [("EUR", "0.0063")]
    (counted,) = newcomer.get("/v1/budgets")["budgets"]
    assert (counted["spent"], counted["percent"], counted["currency"]) == ("0.0063", "126", "EUR")

    def fired() -> Any:
        return newcomer.get("/v1/incidents")["incidents"]

    (incident,) = eventually("the budget fires", fired)
    assert (incident["kind"], incident["currency"], incident["amount"]) == ("budget", "EUR", "0.0063")
    rows = await owner.fetch("SELECT currency FROM entries WHERE tenant = $1", newcomer.name)
    assert [row["currency"] for row in rows] == ["EUR", "EUR"]
    assert await owner.fetchval("SELECT count(*) FROM late_rated WHERE other_currency") == 0

    # With bookings it changes at a month's start alone, and needs a word about the budget.
    dollars = f'source: "back"\nterms:\n  - {{tenant: {newcomer.name}, currency: USD'
    file.write_text(f"{dollars}}}\n")
    refused = system.cli("catalog", "propose", file, "--replace", check=False)
    assert refused.returncode == 1
    berlin = Timeline([(None, Terms(zone=ZoneInfo("Europe/Berlin")))])
    at = changes_at(berlin, datetime.now(UTC) + timedelta(hours=1))[0].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert at in refused.stdout + refused.stderr
    file.write_text(f"{dollars}, time_zone: Europe/Berlin, effective_from: {at}}}\n")
    proposed = json.loads(system.cli("catalog", "propose", file, "--json").stdout)
    number = str(proposed["id"])
    assert [each["id"] for each in proposed["review"]["terms"][0]["budgets"]] == [budget["id"]]
    unanswered = system.cli("catalog", "approve", number, "--confirm", check=False)
    assert f"budget {budget['id']}" in unanswered.stdout + unanswered.stderr
    system.cli("catalog", "approve", number, "--confirm", "--budget", f"{budget['id']}=0.006")
    (later,) = newcomer.get("/v1/budgets")["budgets"]
    assert (later["currency"], later["next"]["currency"], later["next"]["amount"]) == ("EUR", "USD", "0.006")
    shown = system.cli("catalog", "terms", "--tenant", newcomer.name).stdout
    assert "EUR, Europe/Berlin, from the beginning until" in shown
    assert "(later)" in shown
    assert newcomer.send("e3")
    eventually("it is in euros still", lambda: newcomer.get("/v1/spend")["totals"][0]["events"] == 3)
    assert newcomer.get("/v1/spend")["totals"][0]["effective"] == "0.00945"
