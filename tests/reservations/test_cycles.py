"""Cycles' own client, unchanged, against the mount: real HTTP, real keys, real Postgres; Kafka is stood in for.

A dollar is 100,000,000 microcents.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import asyncpg
import msgspec
import pytest
import uvicorn
from runcycles import AsyncCyclesClient, BudgetExceededError, CyclesConfig, cycles
from runcycles.models import (
    Action,
    Amount,
    BalanceResponse,
    CommitRequest,
    DecisionRequest,
    EventCreateRequest,
    ReservationCreateRequest,
    ReservationDetail,
    ReservationListResponse,
    Subject,
    Unit,
)

from services.reservations.app import ReservationDoor, create_app
from services.reservations.callers import Callers
from services.reservations.cycles.maps import LevelMaps
from services.reservations.cycles.routes import cycles_routes
from services.reservations.desk import Desk
from services.reservations.finder import Finder
from services.reservations.memory import CounterMemory
from services.reservations.price_book import PriceBookFollower
from services.reservations.sender import EventSender
from spendmeter.platform.key_uses import KeyUses
from spendmeter.platform.keys import create_key, create_tenant
from spendmeter.platform.telemetry import Meters
from tests.reservations.test_http import Sender
from tests.reservations.world import World

PLANNER = Subject(tenant="acme", agent="planner")
LLM = Action(kind="llm.completion", name="openai:gpt-4o")


def usd(cents: int) -> Amount:
    """So many US cents."""
    return Amount(unit=Unit.USD_MICROCENTS, amount=cents * 1_000_000)


@dataclass(kw_only=True)
class Cycles:
    """One agent's client, and the world behind it. `lose`: ends of paths whose next answer is lost."""

    client: AsyncCyclesClient
    world: World
    owner: asyncpg.Connection
    memory: CounterMemory
    maps: LevelMaps
    config: CyclesConfig
    lose: list[str] = field(default_factory=list)

    async def reserve(self, key: str = "r1", cents: int = 10, **said: Any) -> Any:
        asked: dict[str, Any] = {"subject": PLANNER, "action": LLM} | said
        request = ReservationCreateRequest(idempotency_key=key, estimate=usd(cents), **asked)
        return await self.client.create_reservation(request)

    async def commit(self, id: str, cents: int, key: str = "c1") -> Any:
        return await self.client.commit_reservation(id, CommitRequest(idempotency_key=key, actual=usd(cents)))

    async def booked(self) -> list[tuple[str, str]]:
        """Of our own events that are to be sent: the agent, and the cost that they report."""
        rows = await self.owner.fetch(
            "SELECT event FROM reservations WHERE event <> '' ORDER BY committed_at"
        )
        said = [msgspec.json.decode(row["event"])["data"] for row in rows]
        return [(each["labels"].get("agent", ""), each["reported_cost"]["amount"]) for each in said]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An address at which it answers."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.fixture
async def agent(world: World, owner: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[Cycles]:
    await create_tenant(owner, "acme")
    key = await create_key(owner, "acme", ["reserve"], name="agents")
    memory, maps = CounterMemory(world.pool), LevelMaps(world.pool)
    callers, prices = Callers(world.pool), PriceBookFollower(world.pool)
    await callers.refresh()
    await prices.look()
    await maps.refresh()
    door = ReservationDoor(
        pool=world.pool,
        desk=Desk(lambda: world.pool, Meters(), lambda tenant, turn: memory.note(tenant, turn.counters)),
        finder=Finder(world.pool),
        callers=callers,
        memory=memory,
        prices=prices,
        sender=cast("EventSender", Sender()),
        settler=world.settler,
        uses=KeyUses("", "reservations"),
    )
    inner, lose = create_app(door, cycles_routes(door, maps)), list[str]()

    async def lossy(scope: Any, receive: Any, send: Any) -> None:
        found = next((each for each in lose if scope.get("path", "").endswith(each)), None)
        if found is None:
            await inner(scope, receive, send)
            return
        lose.remove(found)

        async def nowhere(_message: Any) -> None:
            pass

        await inner(scope, receive, nowhere)  # done, and nobody is told
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with served(lossy) as address:
        config = CyclesConfig(
            base_url=f"{address}/cycles", api_key=key, tenant="acme", agent="planner",
            connect_timeout=0.2, read_timeout=2.0, retry_initial_delay=0.05, journal_dir=str(tmp_path),
        )  # fmt: skip
        async with AsyncCyclesClient(config) as client:
            yield Cycles(
                client=client, world=world, owner=owner, memory=memory, maps=maps, config=config, lose=lose
            )


async def test_a_call_is_held_at_its_estimate_and_committed_at_its_cost(agent: Cycles) -> None:
    budget = await agent.world.budget("1", agent="planner")
    held = await agent.reserve()
    assert held.status == 200, held.body
    body = held.body
    assert (body["decision"], body["reserved"]["amount"]) == ("ALLOW", 10_000_000)
    assert body["affected_scopes"] == ["tenant:acme", "tenant:acme/agent:planner"]
    assert 0 < body["remaining_ttl_ms"] <= 60_000
    assert await agent.world.held_by_hand(budget) == Decimal("0.1")  # 10 cents
    done = await agent.commit(body["reservation_id"], 4)
    assert (done.body["charged"]["amount"], done.body["released"]["amount"]) == (4_000_000, 6_000_000)
    assert done.body["balances"][0]["remaining"]["amount"] == 96_000_000  # 1.00 - 0.04
    assert await agent.booked() == [("planner", "0.04")]
    found = await agent.client.get_reservation(body["reservation_id"])
    detail = ReservationDetail.model_validate(found.body)
    assert detail.is_committed() and detail.committed == usd(4) and detail.subject == PLANNER


async def test_what_a_budget_has_not_left_is_refused_and_debt_is_told_apart(agent: Cycles) -> None:
    await agent.world.budget("0.15", agent="planner")
    held = await agent.reserve()
    refused = await agent.reserve("r2")
    assert (refused.status, refused.body["error"]) == (409, "BUDGET_EXCEEDED")
    assert refused.get_error_response().request_id
    dear = await agent.commit(held.body["reservation_id"], 20)  # 0.20 of 0.10: spent, so it is counted
    assert (dear.status, dear.body["charged"]["amount"]) == (200, 20_000_000)
    assert dear.body["balances"][0]["is_over_limit"]


async def test_a_policy_of_reject_refuses_a_commit_above_what_was_held(agent: Cycles) -> None:
    await agent.world.budget("1", agent="planner")
    held = await agent.reserve(overage_policy="REJECT")
    assert (await agent.commit(held.body["reservation_id"], 20)).body["error"] == "BUDGET_EXCEEDED"


async def test_the_answer_of_a_commit_that_was_lost_comes_again_and_is_charged_once(agent: Cycles) -> None:
    await agent.world.budget("1", agent="planner")
    held = (await agent.reserve()).body["reservation_id"]
    agent.lose.append("/commit")
    assert (await agent.commit(held, 4)).status == 502
    again = await agent.commit(held, 4)
    assert (again.status, again.body["charged"]["amount"]) == (200, 4_000_000)
    assert len(await agent.booked()) == 1
    other = await agent.commit(held, 5)
    assert (other.status, other.body["error"]) == (409, "IDEMPOTENCY_MISMATCH")
    assert (await agent.commit(held, 4, "c2")).body["error"] == "RESERVATION_FINALIZED"


async def test_a_lost_answer_to_a_reservation_is_recovered_by_the_client_and_holds_once(
    agent: Cycles,
) -> None:
    budget = await agent.world.budget("1", agent="planner")
    agent.lose.append("/v1/reservations")

    @cycles(estimate=10_000_000, actual=4_000_000, client=agent.client)
    async def call() -> str:
        assert await agent.world.held_by_hand(budget) == Decimal("0.1")
        return "done"

    assert await call() == "done"
    assert await agent.booked() == [("planner", "0.04")]


async def test_a_commit_that_comes_too_late_falls_back_to_an_event_and_is_booked_once(agent: Cycles) -> None:
    await agent.world.budget("1", agent="planner")

    @cycles(estimate=10_000_000, actual=4_000_000, client=agent.client)
    async def call() -> None:
        await agent.owner.execute("UPDATE reservations SET expires_at = now() - interval '1 minute'")
        await agent.world.settle()

    await call()
    async with asyncio.timeout(10):
        while not await agent.booked():
            await asyncio.sleep(0.05)
    assert await agent.booked() == [("planner", "0.04")]
    states = await agent.owner.fetch("SELECT state FROM reservations ORDER BY created_at")
    assert [row["state"] for row in states] == ["expired", "committed"]


async def test_a_decorated_call_that_may_not_be_made_is_not_made(agent: Cycles) -> None:
    await agent.world.budget("0.05", agent="planner")

    @cycles(estimate=10_000_000, client=agent.client)
    async def call() -> None:
        raise AssertionError("it is not made")

    with pytest.raises(BudgetExceededError):
        await call()


async def test_a_call_that_fails_gives_back_what_it_held(agent: Cycles) -> None:
    budget = await agent.world.budget("1", agent="planner")

    @cycles(estimate=10_000_000, client=agent.client)
    async def call() -> None:
        raise LookupError

    with suppress(LookupError):
        await call()
    assert await agent.world.held_by_hand(budget) == 0
    assert await agent.booked() == []


async def test_the_heartbeat_of_a_stream_extends_its_lease(agent: Cycles) -> None:
    """The client keeps two attempts of 7.2 s and a margin of 1 s in hand: of 16 s it extends after 0.6 s."""
    await agent.world.budget("1", agent="planner")
    async with agent.client.stream_reservation(action=LLM, estimate=usd(10), ttl_ms=16_000) as stream:
        async with asyncio.timeout(10):
            while not await agent.owner.fetchval("SELECT extensions FROM reservations"):
                await asyncio.sleep(0.1)
        stream.usage.actual_cost = 4_000_000
    assert await agent.booked() == [("planner", "0.04")]


async def test_another_unit_and_another_currency_are_no_amounts_of_this_book(agent: Cycles) -> None:
    tokens = await agent.client.create_event(
        EventCreateRequest(
            idempotency_key="e", subject=PLANNER, action=LLM, actual=Amount(unit=Unit.TOKENS, amount=1)
        )
    )
    assert (tokens.status, tokens.body["error"]) == (400, "UNIT_MISMATCH")


async def test_whom_the_key_does_not_belong_to_it_does_not_speak_for(agent: Cycles) -> None:
    foreign = await agent.reserve(subject=Subject(tenant="other", agent="planner"))
    assert (foreign.status, foreign.body["error"]) == (403, "FORBIDDEN")
    async with AsyncCyclesClient(CyclesConfig(base_url=agent.config.base_url, api_key="sm_no")) as stranger:
        refused = await stranger.get_balances(tenant="acme")
    assert (refused.status, refused.body["error"]) == (401, "UNAUTHORIZED")
    nothing = await agent.reserve(subject=Subject(dimensions={"team": "a"}))
    assert (nothing.status, nothing.body["error"]) == (400, "INVALID_REQUEST")


async def test_deciding_and_a_dry_run_hold_nothing_and_balances_tell_each_budget_of_a_subject(
    agent: Cycles,
) -> None:
    budget = await agent.world.budget("0.15", agent="planner")
    await agent.world.budget("9", agent="other")
    await agent.reserve()
    await agent.memory.refresh()
    for cents, decision in ((1, "ALLOW"), (10, "DENY")):
        asked = DecisionRequest(idempotency_key="d", subject=PLANNER, action=LLM, estimate=usd(cents))
        assert (await agent.client.decide(asked)).body["decision"] == decision
        assert (await agent.reserve("dry", cents, dry_run=True)).body["decision"] == decision
    assert await agent.world.held_by_hand(budget) == Decimal("0.1")
    found = BalanceResponse.model_validate((await agent.client.get_balances(agent="planner")).body)
    (balance,) = found.balances
    assert (balance.scope_path, balance.remaining.amount) == ("tenant:acme/agent:planner", 5_000_000)
    said = ReservationListResponse.model_validate(
        (await agent.client.list_reservations(agent="planner")).body
    )
    assert [each.status.value for each in said.reservations] == ["ACTIVE"]


async def test_a_tenants_label_map_says_what_a_level_means(agent: Cycles) -> None:
    team = await agent.world.budget("1", team="payments")
    missing = await agent.reserve()
    assert (missing.status, missing.body["error"]) == (400, "INVALID_REQUEST")  # nothing says the team
    rule = {"attribute": "cycles.workspace", "label": "team", "values": {"pay": "payments"}}
    await agent.owner.execute(
        "INSERT INTO label_maps (tenant, maps, reason, by) VALUES ('acme', $1::jsonb, 'r', 'me')",
        msgspec.json.encode({"labels": [rule]}).decode(),
    )
    await agent.maps.refresh()
    held = await agent.reserve("r2", subject=Subject(tenant="acme", workspace="pay"))
    assert held.status == 200 and await agent.world.held_by_hand(team) == Decimal("0.1")
    await agent.owner.execute("DELETE FROM label_maps")
