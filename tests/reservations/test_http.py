"""The native API: real keys, real Postgres, the shipped prices' own arithmetic; Kafka is stood in for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

import asyncpg
import httpx
import msgspec
import pytest

from services.reservations.app import ReservationDoor, create_app
from services.reservations.callers import Callers
from services.reservations.desk import Desk
from services.reservations.finder import Finder
from services.reservations.memory import CounterMemory
from services.reservations.price_book import PriceBookFollower
from services.reservations.sender import EventSender, NotSent
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.keys import create_key, create_tenant
from spendmeter.platform.telemetry import Meters
from tests.corrector.written_book import event
from tests.reservations.world import World

CALL = {"provider": "openai", "sku": "gpt-4o", "quantities": {"input_tokens": 1000}, "max_output_tokens": 100}
"""2.5 USD a million in and 10 out: 1,000 in and 100 out cost 0.0025 + 0.001 = 0.0035 USD at most."""


class Sender:
    """Kafka, as far as the door sees it."""

    away = False

    async def sent(self, *, replayed: bool) -> None:
        if self.away:
            raise NotSent


class Client:
    """One key's requests."""

    def __init__(self, http: httpx.AsyncClient, world: World, sender: Sender, memory: CounterMemory) -> None:
        self.http, self.world, self.sender, self.memory = http, world, sender, memory

    async def post(self, path: str, key: str = "", **body: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post(path, content=msgspec.json.encode(body), headers=headers)

    async def reserve(self, key: str = "r1", **more: Any) -> dict[str, Any]:
        answer = await self.post("/v1/reservations", key, **CALL | more)
        assert answer.status_code == 201, answer.text
        return cast("dict[str, Any]", answer.json())


@pytest.fixture
async def client(world: World, owner: asyncpg.Connection) -> AsyncIterator[Client]:
    await create_tenant(owner, "acme")
    text = await create_key(owner, "acme", ["reserve"], name="agents")
    memory, sender = CounterMemory(world.pool), Sender()
    callers, prices = Callers(world.pool), PriceBookFollower(world.pool)
    await callers.refresh()
    await prices.look()
    door = ReservationDoor(
        pool=world.pool,
        desk=Desk(lambda: world.pool, Meters(), lambda tenant, turn: memory.note(tenant, turn.counters)),
        finder=Finder(world.pool),
        callers=callers,
        memory=memory,
        prices=prices,
        sender=cast("EventSender", sender),
        settler=world.settler,
        uses=KeyUses("", "reservations"),
    )
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(door)),
        base_url="http://test",
        headers={"Authorization": f"Bearer {text}"},
    ) as http:
        yield Client(http, world, sender, memory)


async def test_a_call_is_bounded_by_the_catalog_and_committed_at_what_it_used(client: Client) -> None:
    budget = await client.world.budget("1")
    held = await client.reserve()
    assert Decimal(held["reservation"]["bound"]) >= Decimal("0.0035")
    assert held["budgets"][0]["id"] == str(budget) and held["currency"] == "USD" and held["because"]
    named = held["reservation"]["id"]
    done = await client.post(
        f"/v1/reservations/{named}/commit", usage={"input_tokens": 1000, "output_tokens": 10}
    )
    assert done.status_code == 200, done.text
    assert done.json()["reservation"]["actual"] == "0.0026"  # 0.0025 + 10 * 0.00001
    seen = (await client.http.get(f"/v1/reservations/{named}")).json()
    assert (seen["state"], seen["held"], seen["committed_not_booked"]) == ("committed", "0.0026", True)


async def test_a_budget_that_has_not_enough_is_named_with_what_is_left_and_what_was_asked(
    client: Client,
) -> None:
    await client.world.budget("0.001")
    answer = await client.post("/v1/reservations", "r1", **CALL)
    problem = answer.json()
    assert (answer.status_code, problem["reason"], problem["budgets"][0]["left"]) == (
        409,
        "budget_exceeded",
        "0.001",
    )
    assert Decimal(problem["asked"]) >= Decimal("0.0035")


async def test_an_unknown_model_holds_what_its_provider_charges_at_most(client: Client) -> None:
    await client.world.budget("1")
    held = await client.reserve(sku="gpt-9")
    assert held["reservation"]["provisional"] is True
    assert Decimal(held["reservation"]["bound"]) >= Decimal("0.0035")


async def test_the_same_request_again_is_the_same_reservation(client: Client) -> None:
    await client.world.budget("1")
    first, again = await client.reserve(), await client.reserve()
    assert again["replayed"] and again["reservation"] == first["reservation"]
    other = await client.post("/v1/reservations", "r1", **CALL | {"max_output_tokens": 7})
    assert other.json()["reason"] == "idempotency_mismatch"


async def test_a_released_call_is_over_and_an_extended_one_lives_longer(client: Client) -> None:
    await client.world.budget("1")
    named = (await client.reserve(ttl_s=10))["reservation"]["id"]
    longer = await client.post(f"/v1/reservations/{named}/extend", "e1", by_s=60)
    assert longer.json()["reservation"]["extensions"] == 1
    assert (await client.post(f"/v1/reservations/{named}/release")).json()["reservation"][
        "state"
    ] == "released"
    assert (await client.post(f"/v1/reservations/{named}/extend", "e2", by_s=60)).status_code == 409
    assert (await client.post(f"/v1/reservations/{named}/release")).json()["replayed"]


async def test_check_answers_from_memory_and_holds_nothing(client: Client) -> None:
    await client.world.budget("0.004", team="a")
    await client.world.settle()
    await client.memory.refresh()
    query = {"provider": "openai", "sku": "gpt-4o", "input_tokens": "1000", "max_output_tokens": "10"}
    asked = await client.http.get("/v1/budgets/check", params={**query, "team": "a"})
    assert (asked.json()["allowed"], asked.json()["advisory"]) == (True, True), asked.text
    assert datetime.fromisoformat(asked.json()["as_of"]) <= datetime.now(UTC)
    without = await client.http.get("/v1/budgets/check", params=query)
    assert (without.json()["allowed"], without.json()["dimensions_missing"]) == (False, ["team"])
    more = await client.http.get(
        "/v1/budgets/check", params={**query, "team": "a", "max_output_tokens": "900"}
    )
    assert more.json()["allowed"] is False


async def test_a_commit_that_kafka_does_not_hold_yet_is_no_2xx_and_is_kept(client: Client) -> None:
    await client.world.budget("1")
    named = (await client.reserve())["reservation"]["id"]
    client.sender.away = True
    answer = await client.post(f"/v1/reservations/{named}/commit", usage={"input_tokens": 5})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    client.sender.away = False
    again = await client.post(f"/v1/reservations/{named}/commit", usage={"input_tokens": 5})
    assert (again.status_code, again.json()["replayed"]) == (200, True)


async def test_an_event_of_the_applications_own_books_it_once(client: Client) -> None:
    budget = await client.world.budget("1")
    await client.reserve(event={"source": "bot", "id": "e1"})
    await client.world.book.book_events(event("e1", time=datetime.now(UTC)))
    await client.world.settle()
    assert await client.world.counter(budget) == (Decimal("0.0035"), Decimal(0), Decimal(0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"amount": "-1", "quantities": {}, "max_output_tokens": None}, "non-negative"),
        ({"dimensions": {"key_id": "k1"}}, "no dimension that is stated here"),
        ({"dimensions": {"team": "a\u0000"}}, "cannot be seen"),
        ({"quantities": {"input_tokens": "many"}}, "quantities"),
        ({"ttl_s": 901}, "ttl_s"),
        ({"wrong": 1}, "unknown field"),
    ],
)
async def test_what_breaks_a_rule_is_422_and_says_which(
    client: Client, change: dict[str, Any], says: str
) -> None:
    answer = await client.post("/v1/reservations", "r1", **CALL | change)
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text


async def test_without_a_key_with_the_scope_nothing_is_told(client: Client) -> None:
    owner = client.world.owner
    reader = await create_key(owner, "acme", ["ingest"], name="app")
    answer = await client.http.get("/v1/reservations", headers={"Authorization": f"Bearer {reader}"})
    assert answer.status_code == 401  # not in the snapshot yet
    assert (
        await client.http.get("/v1/reservations", headers={"Authorization": "Bearer x"})
    ).status_code == 401
    assert (await client.http.get("/v1/reservations")).json() == {"reservations": [], "after": ""}
