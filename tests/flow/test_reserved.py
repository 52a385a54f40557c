"""A hard budget end to end: reserved, sent through ingest, booked, and counted once; whoever is killed meanwhile."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from spendmeter.platform.keys import create_key
from tests.flow.system import System, eventually, usage_event

CALL = {
    "provider": "openai", "sku": "gpt-4o", "quantities": {"input_tokens": 1000}, "max_output_tokens": 100,
    "context": {"service_tier": "standard", "region": "", "batch": False},
}  # fmt: skip
"""An event of flow's is just that: 1,000 in and 100 out, 0.0035 USD."""
KNOWN_WITHIN_S = 30
"""A new key, to every process."""


@dataclass
class Agent:
    """One agent of acme's, with a hard budget of its own."""

    system: System
    name: str
    key: str
    admin: str
    budget: str

    def budgets(self) -> dict[str, Any]:
        url = f"{self.system.api}/v1/budgets/{self.budget}"
        headers = {"Authorization": f"Bearer {self.admin}", "Cache-Control": "no-cache"}
        found: dict[str, Any] = httpx.get(url, headers=headers, timeout=30).raise_for_status().json()
        return found

    def post(self, path: str, **body: Any) -> httpx.Response:
        url = self.system.state.environment["SPENDMETER_RESERVATIONS_URL"] + path
        return httpx.post(url, json=body, headers={"Authorization": f"Bearer {self.key}"}, timeout=30)

    def reserve(self, key: str, **more: Any) -> httpx.Response:
        return self.post(
            "/v1/reservations",
            idempotency_key=f"{self.name}-{key}",
            dimensions={"agent": self.name},
            **CALL,
            **more,
        )

    def has(self, spent: str, held: str) -> bool:
        """What the api says of it, from the rollups and from the counters."""
        found = self.budgets()
        return (Decimal(found["spent"]), Decimal(found["hard"]["held"])) == (Decimal(spent), Decimal(held))


@pytest.fixture
async def agent(system: System) -> AsyncIterator[Agent]:
    owner = await system.database()
    name = f"agent-{secrets.token_hex(4)}"
    key = await create_key(owner, "acme", ["reserve", "ingest"], name=name)
    admin = await create_key(owner, "acme", ["read", "admin"], name=name)
    await owner.close()
    new = {"name": name, "filter": {"agent": name}, "amount": "0.06", "hard": {"key_share": "1"}}
    headers = {"Authorization": f"Bearer {admin}"}

    def made() -> httpx.Response | None:
        answer = httpx.post(f"{system.api}/v1/budgets", json=new, headers=headers, timeout=30)
        return answer if answer.status_code == 201 else None

    answer = eventually("the budget is set", made, KNOWN_WITHIN_S)
    found = Agent(system, name, key, admin, answer.json()["id"])
    eventually("the key is known", lambda: found.reserve("known").status_code != 401, KNOWN_WITHIN_S)
    known = found.reserve("known")
    assert known.status_code == 201, known.text
    first = known.json()["reservation"]["id"]
    assert found.post(f"/v1/reservations/{first}/release").status_code == 200
    yield found
    httpx.delete(f"{system.api}/v1/budgets/{found.budget}", headers=headers, timeout=30)


def test_what_an_application_sends_takes_the_place_of_what_was_held_and_counts_once(
    agent: Agent, system: System
) -> None:
    named = f"call-{secrets.token_hex(4)}"
    assert agent.reserve("r1", event={"source": "flow", "id": named}).status_code == 201
    assert Decimal(agent.budgets()["hard"]["held"]) >= Decimal("0.0035")
    assert system.send(usage_event(named, labels={"agent": agent.name})).status_code == 204
    eventually("booked, and held no more", lambda: agent.has("0.0035", "0"), 30)


def test_what_nobody_else_sends_is_booked_by_its_reservation(agent: Agent) -> None:
    held = agent.reserve("r1").json()["reservation"]
    usage = {"input_tokens": 1000, "output_tokens": 100}
    done = agent.post(f"/v1/reservations/{held['id']}/commit", usage=usage)
    assert (done.status_code, done.json()["reservation"]["actual"]) == (200, "0.0035"), done.text
    eventually("booked, and held no more", lambda: agent.has("0.0035", "0"), 30)
    asked = [agent.reserve(f"r{number}") for number in range(2, 20)]
    assert asked[0].json()["reservation"]["bound"] == "0.0035", asked[0].text
    assert asked[-1].json()["reason"] == "budget_exceeded", "0.06 holds no nineteen calls"


def test_a_killed_worker_forgets_nothing_that_it_has_answered(agent: Agent, system: System) -> None:
    first = agent.reserve("r1").json()["reservation"]
    killed = system.kill("reservations")
    system.restarted("reservations", killed)

    def again() -> dict[str, Any] | None:
        answer = agent.reserve("r1")
        return answer.json() if answer.status_code == 201 else None

    told = eventually("it answers again", again, 30)
    assert (told["replayed"], told["reservation"]) == (True, first)
    assert Decimal(agent.budgets()["hard"]["held"]) == Decimal(first["held"])


async def the_minute_of_a_commit_is_over(system: System, agent: Agent) -> None:
    """A commit may name for a minute what was counted without one; counted soon after it is booked."""
    owner = await system.database()
    over = "UPDATE unreserved_waiting SET counted_at = counted_at - interval '1 minute' WHERE budget_id = $1"
    deadline = time.monotonic() + 30
    while await owner.execute(over, UUID(agent.budget)) == "UPDATE 0":
        assert time.monotonic() < deadline, "what nobody reserved is not counted"
        await asyncio.sleep(0.2)
    await owner.close()


async def test_what_nobody_reserved_is_told_with_its_key(agent: Agent, system: System) -> None:
    headers = {"Authorization": f"Bearer {agent.admin}"}
    rule = {
        "of": "unreserved",
        "name": "any",
        "filter": {},
        "settings": {"amount_min": "0.003"},
        "reason": "r",
    }
    rules = f"{system.api}/v1/rules"
    made = httpx.post(rules, json=rule, headers=headers, timeout=30)
    assert made.status_code == 201, made.text
    assert system.send(usage_event(secrets.token_hex(8), labels={"agent": agent.name})).status_code == 204
    eventually("booked", lambda: agent.has("0.0035", "0"), 30)
    await the_minute_of_a_commit_is_over(system, agent)

    def told() -> dict[str, Any] | None:
        answer = (
            httpx.get(f"{system.api}/v1/incidents", headers=headers, timeout=30).raise_for_status().json()
        )
        its = [one for one in answer["incidents"] if one["kind"] == "unreserved"]
        parts = [budget["id"] for one in its for budget in one["details"]["past"]["unreserved"]["budgets"]]
        return its[0] if agent.budget in parts else None

    incident = eventually("it is told", told, 30)
    assert (incident["state"], list(incident["scope"])) == ("open", ["key_id"])
    removed = httpx.delete(
        f"{rules}/{made.json()['id']}", params={"reason": "r"}, headers=headers, timeout=30
    )
    assert removed.status_code == 200, removed.text
