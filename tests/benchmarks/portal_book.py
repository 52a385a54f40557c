"""The book that the portal is measured on: calls that were really priced, repeated over months, folded by the services.

    book = await make_book(system, owner, events=10_000_000, days=90)

60 models that the shipped catalog prices make 20 different calls each, which go in by the front door. History repeats
them under ids, times and labels of 200 teams: runs of ten calls, 12 workflows of three versions, one after the other.
It is put into the book's tables by SQL as an account that was closed before; the ledger's own code rolls it up, the
corrector folds it into cells, runs, days of runs and how calls went, and makes moments of its workflows, whose
outcomes are put there too. What people set comes by the API. In the end what `/v1/spend` says of all of it is held
against the entries.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import httpx

from services.corrector.workflows.keeper import MomentsKeeper
from spendmeter.platform.keys import create_key
from spendmeter.platform.telemetry import Meters
from spendmeter.pricing.catalog import load_public
from tests.benchmarks.history import SQL, book_new, roll_up
from tests.flow.book import settled
from tests.flow.system import System

TENANT, SOURCE = "acme", "shapes"
PROVIDERS = ("openai", "google", "anthropic", "mistral")
MODELS, SHAPES, TEAMS, PARTITIONS = 60, 20, 200, 4
UNITS = {"input_tokens", "output_tokens", "cache_read_tokens"}
RUN_EVENTS = 10
BATCH = 100
BUDGETS = 40
SETTLED_S_MAX = 7_200


async def make_book(system: System, owner: asyncpg.Connection, *, events: int, days: int) -> dict[str, Any]:
    """What it has, and how long making it took."""
    began_s = time.monotonic()
    ended_at: datetime = await owner.fetchval(SQL["close_accounts"])
    await _book_shapes(system, owner)
    _say("booked by the front door", began_s)
    await _repeat(owner, ended_at.replace(second=0, microsecond=0), events, days)
    _say("history is booked", began_s)
    await owner.execute("VACUUM ANALYZE")
    await roll_up(system.owner_url, owner)
    _say("rolled up", began_s)
    await _fold(system, owner)
    _say("folded", began_s)
    await _set(system, owner)
    await owner.execute("VACUUM ANALYZE")
    await _hold_against_entries(system, owner, days)
    return {**dict(await owner.fetchrow(SQL["figures"])), "book_made_s": round(time.monotonic() - began_s)}


def _say(what: str, began_s: float) -> None:
    print(f"{time.monotonic() - began_s:6.0f} s: {what}", flush=True)


def priced_models() -> list[tuple[str, str]]:
    """The first 60 (provider, sku), in turn of each provider, that have a price of their own for all three units."""
    units: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for entry in load_public(*PROVIDERS):
        if unit := getattr(entry, "unit", ""):
            units[getattr(entry, "provider", ""), getattr(entry, "sku", "")].add(unit)
    found = [
        [model for model in sorted(units) if model[0] == name and units[model] >= UNITS] for name in PROVIDERS
    ]
    return [each[place] for place in range(MODELS) for each in found if place < len(each)][:MODELS]


def calls() -> list[dict[str, Any]]:
    """What history repeats, as ingest takes it."""
    drawn, now = Random(14), datetime.now(UTC).isoformat()
    return [
        {
            "specversion": "1.0", "type": "spendmeter.usage.v1", "source": SOURCE, "subject": f"{TENANT}/{SOURCE}",
            "id": f"{provider}-{sku}-{shape}", "time": now,
            "data": {
                "provider": provider, "sku": sku,
                "usage": {
                    "input_tokens": int(drawn.lognormvariate(7.2, 1.0)) + 1,
                    "cache_read_tokens": int(drawn.lognormvariate(8.5, 1.0)) + 1,
                    "output_tokens": min(8_000, int(drawn.lognormvariate(5.3, 0.9)) + 1),
                },
                "labels": {"team": "team-000", "project": "project-0", "feature": "feature-0", "workflow": "workflow-0",
                           "workflow_version": "v3", "run": f"shapes-{shape}", "agent": "agent-0", "environment": "prod"},
                "performance": {"latency_ms": int(drawn.lognormvariate(7.6, 0.8)), "status": "error" if shape == 7 else "ok"},
            },
        }
        for provider, sku in priced_models()
        for shape in range(SHAPES)
    ]  # fmt: skip


async def _book_shapes(system: System, owner: asyncpg.Connection) -> None:
    sent = calls()
    for start in range(0, len(sent), BATCH):
        system.send(*sent[start : start + BATCH]).raise_for_status()
    await settled(owner, SOURCE, len(sent), within_s=300)
    await owner.execute(SQL["shapes"], TENANT, SOURCE)
    priced = await owner.fetchval("SELECT count(*) FROM shapes")
    assert priced == MODELS * SHAPES, f"{priced} of {len(sent)} calls are priced"
    await owner.execute(SQL["parties"], TEAMS)
    await owner.execute(SQL["party_series"], TENANT)


async def _repeat(owner: asyncpg.Connection, until: datetime, events: int, days: int) -> None:
    await owner.execute(SQL["months"], days + 31)
    whole = PARTITIONS * RUN_EVENTS
    a_day = max(whole, events // days // whole * whole)
    for number, day in enumerate(range(days, 0, -1)):
        end = until - timedelta(days=day - 1)
        async with owner.transaction():
            await owner.execute(SQL["new"])
            place = number * a_day // PARTITIONS
            await owner.execute(SQL["party_events"], end - timedelta(days=1), end, day, a_day, days, place)
            await book_new(owner, TENANT)
    await owner.execute(SQL["account_is"], days * a_day // PARTITIONS)


async def _fold(system: System, owner: asyncpg.Connection) -> None:
    """Wait for the corrector's projections; then moments, of outcomes as well."""
    deadline_s = time.monotonic() + SETTLED_S_MAX
    while left := (await owner.fetchrow(SQL["folded"]))["places"]:
        assert time.monotonic() < deadline_s, f"{left} places of projections are not folded"
        await asyncio.sleep(1)
    await owner.execute("VACUUM ANALYZE")
    await owner.execute(SQL["outcomes"], TENANT)
    await owner.execute(SQL["outcomes_due"], TENANT)
    await owner.execute("ANALYZE outcomes")
    async with asyncpg.create_pool(system.owner_url, min_size=1, max_size=2, command_timeout=1_800) as pool:
        keeper = MomentsKeeper(pool=pool, meters=Meters())
        while (await owner.fetchrow(SQL["folded"]))["days"]:
            assert time.monotonic() < deadline_s, "days of workflows are not made"
            await keeper.catch_up()
            await asyncio.sleep(0.2)  # the corrector is at one


async def _hold_against_entries(system: System, owner: asyncpg.Connection, days: int) -> None:
    """What pages are told is what was booked, to the last digit."""
    booked = await owner.fetchrow(SQL["booked"], TENANT)
    since = datetime.now(UTC) - timedelta(days=days + 2)
    totals = system.get("/v1/spend", tenant=TENANT, **{"from": since.isoformat()})["totals"]
    assert sum(each["events"] for each in totals) == booked["events"]
    assert sum(Decimal(each["effective"]) for each in totals) == booked["effective"]


async def _set(system: System, owner: asyncpg.Connection) -> None:
    key = await create_key(owner, TENANT, ["read", "admin"], name="sets budgets")
    budgets: list[dict[str, Any]] = [{"name": "Everything", "amount": "1000000"}]
    budgets += [
        {"name": f"Team {team}", "amount": "5000", "filter": {"team": f"team-{team:03}"}}
        for team in range(BUDGETS)
    ]
    async with httpx.AsyncClient(
        base_url=system.api, headers={"Authorization": f"Bearer {key}"}, timeout=60
    ) as client:
        for budget in budgets:
            (await client.post("/v1/budgets", json=budget)).raise_for_status()
