"""No row of one tenant is ever visible to another, whatever is cancelled meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.database import shares
from services.api.database.transactions import Database, prepare
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import role_url
from tests.api.book import Book
from tests.api.teams import MADE_FOR_TEAMS, THEIRS, a_viewer_of_one_team, work
from tests.api.test_events import LINES, event
from tests.databases import SECRET

REQUESTS = 1_000
ELSEWHERE = ("/v1/session/", "/v1/exports/", "/v1/catalog/pulls", "/v1/spend/live")
"""What has no rows of tenants, what a process of its own answers, what only operators ask, and what has no end."""
TABLES = (
    "tenants", "api_keys", "pseudonym_keys", "series", "entries", "unbooked", "accounting", "rollups_minute",
    "remarks_daily", "budgets", "channels", "incidents", "incident_acts", "deliveries",
)  # fmt: skip


async def fill(book: Book) -> None:
    for tenant, amount in (("acme", "1"), ("globex", "1000")):
        for minute in range(10):
            await book.spend(tenant, f"2026-11-23T10:0{minute}Z", amount, team=f"{tenant}-team")
        await book.entry(event(f"{tenant}-1", tenant=tenant, team=f"{tenant}-team"), amount, LINES)
        await book.unbooked(tenant, "bot", f"{tenant}-2", "rejected", "bad")
        await book.accounts(0, tenant, priced=10)
        await book.under_remarks(tenant, amount, datetime(2026, 11, 23, 10, tzinfo=UTC), region=f"{tenant}-1")


async def test_a_thousand_requests_of_two_tenants_some_cancelled_see_their_own_rows_alone(
    client: httpx.AsyncClient, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "TIME_S_PER_S", 1_000)  # a slow machine takes longer than a share for these
    monkeypatch.setattr(shares, "WAIT_S_MAX", 60)  # and lets who waits for a connection wait longer
    await fill(book)
    keys = {tenant: await book.key(tenant) for tenant in ("acme", "globex")}
    expected = {"acme": "10", "globex": "10000"}
    chance = random.Random(7)
    paths = (
        "/v1/spend?group_by=team&bucket=minute&from=2026-11-23T10:00:00Z&to=2026-11-23T11:00:00Z",
        "/v1/events?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z", "/v1/unbooked", "/v1/accounting",
        "/v1/catalog/inbox",
    )  # fmt: skip
    answered = cancelled = 0

    async def one(number: int) -> None:
        nonlocal answered, cancelled
        tenant, other = ("acme", "globex") if number % 2 else ("globex", "acme")
        path = chance.choice(paths)
        asking = asyncio.create_task(client.get(path, headers={"Authorization": f"Bearer {keys[tenant]}"}))
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 0.05)
            asking.cancel()
        try:
            answer = await asking
        except asyncio.CancelledError:
            cancelled += 1
            return
        assert answer.status_code == 200, answer.text
        assert other not in answer.text, path
        assert tenant in answer.text, path
        if path.startswith("/v1/spend"):
            assert [row["effective"] for row in answer.json()["totals"]] == [expected[tenant]]
        answered += 1

    gate = asyncio.Semaphore(12)  # more than the connections of both

    async def gated(number: int) -> None:
        async with gate:
            await one(number)

    await asyncio.gather(*(gated(number) for number in range(REQUESTS)))
    assert (answered + cancelled, cancelled > 50, answered > 500) == (REQUESTS, True, True)


async def test_every_list_asked_by_two_tenants_and_one_teams_viewer_at_once_shows_each_its_own_alone(
    client: httpx.AsyncClient, api: FastAPI, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "TIME_S_PER_S", 1_000)
    await fill(book)
    await work(book, THEIRS, times=3)
    # First, for who may do what is read at the first question, and again five seconds later.
    who = {"viewer": {"Cookie": await a_viewer_of_one_team(api, book, "acme", "acme-team")}}
    for tenant in ("acme", "globex"):
        who[tenant] = {"Authorization": f"Bearer {await book.key(tenant, 'read', 'admin')}"}
        for path, body in (
            ("/v1/budgets", {"name": f"{tenant}-budget", "amount": "1"}),
            ("/v1/keys", {"name": f"{tenant}-key", "scopes": ["read"]}),
        ):
            assert (await client.post(path, json=body, headers=who[tenant])).status_code == 201
    paths = [
        path
        for path, operations in api.openapi()["paths"].items()
        if "get" in operations and "{" not in path and not path.startswith(ELSEWHERE)
    ]
    assert len(paths) > 40
    chance, gate, statuses, cancelled = random.Random(11), asyncio.Semaphore(12), Counter[str](), 0

    async def one(path: str, name: str) -> None:
        nonlocal cancelled
        asking = asyncio.create_task(client.get(path, headers=who[name]))
        if chance.random() < 0.25:
            await asyncio.sleep(chance.random() * 0.05)
            asking.cancel()
        try:
            answer = await asking
        except asyncio.CancelledError:
            cancelled += 1
            return
        statuses[f"{name} {answer.status_code}"] += 1
        if name == "viewer" and path != "/v1/session" and ("get", path) not in MADE_FOR_TEAMS:
            assert answer.status_code == 403, (path, answer.text)
        else:  # a slow machine tells some to come back later
            assert answer.status_code in (200, 422, 429, 503), (path, answer.text)
        hidden = {
            "acme": ["globex"], "globex": ["acme"], "viewer": ["globex", "acme-budget", "acme-key", THEIRS],
        }[name]  # fmt: skip
        assert not [each for each in hidden if each in answer.text], (path, name)

    async def gated(number: int) -> None:
        async with gate:
            await one(paths[number % len(paths)], chance.choice(list(who)))

    await asyncio.gather(*(gated(number) for number in range(REQUESTS)))
    assert sum(statuses.values()) + cancelled == REQUESTS
    assert (cancelled > 50, statuses["acme 200"] > 150, statuses["globex 200"] > 150) == (True, True, True)
    assert (statuses["viewer 403"] > 100, statuses["viewer 200"] > 10) == (True, True)


async def test_without_a_tenant_the_api_role_sees_nothing(book: Book, database_url: str) -> None:
    await fill(book)
    connection = await asyncpg.connect(role_url(database_url, "api", SECRET))
    try:
        for table in TABLES:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table
        for table in ("identities", "positions", "log_ends"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetchval(f"SELECT count(*) FROM {table}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("DELETE FROM entries")
    finally:
        await connection.close()


async def test_a_tenant_does_not_outlive_its_transaction_on_a_pooled_connection(
    book: Book, database_url: str
) -> None:
    await fill(book)
    pool = await create_pool(role_url(database_url, "api", SECRET), size_max=1, service="test", init=prepare)
    database = Database(pool)
    async with database.reading("acme") as connection:
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 10
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 0
    with pytest.raises(asyncio.CancelledError):
        async with database.writing("acme", by="test"):
            raise asyncio.CancelledError
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 0
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with database.reading("acme") as connection:
            await connection.execute("UPDATE budgets SET name = 'x'")
    await pool.close()


async def test_nobody_writes_into_another_tenant(book: Book, database: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.writing("acme", by="test") as connection:
            await connection.execute(
                "INSERT INTO budgets (tenant, name, amount, currency, period) VALUES ('globex', 'b', 1, 'USD', 'day')"
            )
    theirs = uuid4()
    await book.connection.execute(
        "INSERT INTO budgets (tenant, id, name, amount, currency, period) VALUES ('globex', $1, 'b', 1, 'USD', 'day')",
        theirs,
    )
    async with database.writing("acme", by="test") as connection:
        tag = await connection.execute(
            "UPDATE budgets SET deleted_at = $2 WHERE id = $1", theirs, datetime.now(UTC)
        )
        assert tag == "UPDATE 0"
