"""A thousand requests at once through three connections, many of them given up, a part in the midst of their
transaction: whoever asks whatever by others' ids is shown no row of theirs, and changes none."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.accounting.progress import BookProgress
from services.api.app import create_app
from services.api.database import shares, transactions
from services.api.database.transactions import Database, prepare
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.roles import TEAM_READER, role_url
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.teams import NINE, OURS, THEIRS, a_viewer_of_one_team
from tests.api.test_isolation_of_routes import (
    BODIES,
    MARK,
    QUERIES,
    ids_in,
    one_of_everything,
    paths_of,
    seen,
    still,
)
from tests.api.test_team_viewers import QUESTIONS
from tests.databases import SECRET

REQUESTS = 1_000
CONNECTIONS = 3
"""Fewer than two tenants may use at once: each is one tenant's, and the other's right after."""
LATER = (429, 503)
"""A slow machine says so, and is asked again."""
ASKED_MAX = 30

_began: ContextVar[asyncio.Event] = ContextVar("_began")


class Question(NamedTuple):
    method: str
    path: str
    parameters: Mapping[str, str]
    body: Any
    cache: str
    """`no-cache`, or what lets it have the answer that somebody else was given."""


@dataclass(frozen=True, kw_only=True)
class Asker:
    """Who asks what, and words that none of their answers may hold but for what they said in the path."""

    name: str
    headers: Mapping[str, str]
    questions: Sequence[Question]
    hidden: frozenset[str]


class WatchedDatabase(Database):
    """Tells the request that it has its turn: for the connection, its transaction and the statements there."""

    @asynccontextmanager
    async def _turn(self, tenant: str, *, long: bool = False) -> AsyncIterator[None]:
        async with super()._turn(tenant, long=long):
            began = _began.get(None)
            if began is not None:
                began.set()
            yield


@pytest.fixture
async def few(
    database_url: str, book: Book, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Connections for all of the application; nobody is told to come back because a thousand wait."""
    monkeypatch.setattr(shares, "WAITERS_MAX", REQUESTS)
    monkeypatch.setattr(shares, "WAIT_S_MAX", 600)
    monkeypatch.setattr(shares, "TIME_S_PER_S", 1_000)
    monkeypatch.setattr(transactions, "ACQUIRE_TIMEOUT_S", 600)
    pool = await create_pool(
        role_url(database_url, "api", SECRET), size_max=CONNECTIONS, service="test", init=prepare
    )
    yield pool
    await pool.close()


@pytest.fixture
async def few_of_teams(database_url: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """As many for all who see one team."""
    pool = await create_pool(
        role_url(database_url, TEAM_READER, SECRET), size_max=CONNECTIONS, service="test", init=prepare
    )
    yield pool
    await pool.close()


@pytest.fixture
def crowded(few: asyncpg.Pool[asyncpg.Record], few_of_teams: asyncpg.Pool[asyncpg.Record]) -> FastAPI:
    return create_app(Settings(), WatchedDatabase(few, few_of_teams), BookProgress(), lambda: "")


@pytest.fixture
async def client(crowded: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=crowded, raise_app_exceptions=False)
    fresh = {"Cache-Control": "no-cache"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://spend.test", headers=fresh, timeout=None
    ) as client:
        yield client


async def test_a_thousand_requests_at_once_show_and_change_nothing_of_others(
    crowded: FastAPI, client: httpx.AsyncClient, book: Book, few: asyncpg.Pool[asyncpg.Record]
) -> None:
    theirs = paths_of(crowded, await one_of_everything(client, book))
    before = await seen(client, theirs)
    chance = random.Random(13)
    globex = Asker(
        name="globex",
        headers={"Authorization": client.headers.pop("Authorization")},
        questions=[each for each in questions_of(theirs, chance) if each.method == "get"],
        hidden=frozenset({"acme"}),
    )
    acme = Asker(
        name="acme",
        headers={"Authorization": f"Bearer {await book.key('acme', 'read', 'admin', 'reserve')}"},
        questions=questions_of(theirs, chance),
        hidden=frozenset({"globex", MARK, *ids_in(before)}),
    )
    became = await asked_at_once(client, [globex, acme, acme], chance)
    assert became["acme given up"] + became["globex given up"] > REQUESTS / 20, became
    assert became["globex 200"] > REQUESTS / 20, became
    assert became["acme 404"] > REQUESTS / 20, became
    assert not [each for each in became if each.endswith(" 500")], became

    await nobodys(few)
    client.headers.update(globex.headers)
    after = await seen(client, theirs)
    assert {path for path in before if still(before[path]) != still(after[path])} == set()


async def test_a_thousand_requests_of_one_teams_viewer_with_anothers_show_none_a_row_of_the_other(
    crowded: FastAPI,
    client: httpx.AsyncClient,
    book: Book,
    few: asyncpg.Pool[asyncpg.Record],
    few_of_teams: asyncpg.Pool[asyncpg.Record],
) -> None:
    """In one tenant, beside somebody who sees all of it and whose answers are kept for a while: each asks every
    route by the tenant's ids, and what is open to them. The last places of an amount tell of whom it is a sum."""
    ours, theirs, both = ".000251251", ".000530531", ".000781782"
    # First, for who may do what is read at the first question, and again five seconds later.
    cookies = [await a_viewer_of_one_team(crowded, book, "globex", team) for team in (OURS, THEIRS)]
    tenants = paths_of(crowded, await one_of_everything(client, book))
    ids = ids_in(await seen(client, tenants))
    everybody = {"Authorization": client.headers.pop("Authorization")}
    for team, amount in ((OURS, f"41{ours}"), (THEIRS, f"40{theirs}")):
        await book.spend("globex", NINE, amount, cost_class="model", team=team, key_id=f"k-{team}")
    chance = random.Random(17)
    asked = questions_of(tenants, chance)
    for cache in ("no-cache", "max-age=1"):
        asked += 6 * [Question("get", path, {}, None, cache) for path in QUESTIONS]
    chance.shuffle(asked)
    others = frozenset({"globex-team", "acme", both, *ids})
    askers = [
        Asker(name=team, headers={"Cookie": cookie}, questions=asked, hidden=others | hidden)
        for team, cookie, hidden in zip((OURS, THEIRS), cookies, ({theirs, MARK}, {ours, OURS}), strict=True)
    ]
    alone = [await answered(client, each) for each in askers]
    assert both in (await client.get(QUESTIONS[0], headers=everybody)).text
    reads = [each for each in asked if each.method == "get"]
    all_of_it = Asker(name="all", headers=everybody, questions=reads, hidden=frozenset({"acme"}))
    became = await asked_at_once(client, [*askers, all_of_it], chance)
    for team in (OURS, THEIRS):
        assert min(became[f"{team} {how}"] for how in ("200", "403", "given up")) > REQUESTS / 100, became
    assert became["all 200"] > REQUESTS / 50, became
    assert not [each for each in became if each.endswith(" 500")], became
    await nobodys(few)
    await nobodys(few_of_teams)
    assert [await answered(client, each) for each in askers] == alone


async def answered(client: httpx.AsyncClient, asker: Asker) -> dict[str, str]:
    """What they are told to what is open to them, without what moves by itself."""
    answers = {path: await client.get(path, headers=asker.headers) for path in QUESTIONS}
    assert {each.status_code for each in answers.values()} == {200}
    return {path: still(each.text) for path, each in answers.items()}


async def nobodys(few: asyncpg.Pool[asyncpg.Record]) -> None:
    """No connection of the pool is in a transaction, or anybody's."""
    connections = [await few.acquire() for _ in range(CONNECTIONS)]
    for connection in connections:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT count(*) FROM rollups_minute") == 0
        await few.release(connection)


def questions_of(theirs: Sequence[tuple[str, str]], chance: random.Random) -> list[Question]:
    """Every route with globex' ids, in any order; what is written says who wrote it."""
    bodies = [json.loads(json.dumps(each).replace(MARK, "ours")) for each in BODIES]
    reason = {"reason": "ours"}
    asked = [
        Question("get", path, QUERIES.get(path, {}), None, chance.choice(("no-cache", "max-age=1")))
        if method == "get"
        else Question(method, path, reason if method == "delete" else {}, chance.choice(bodies), "no-cache")
        for method, path in theirs
    ]
    chance.shuffle(asked)
    return asked


async def asked_at_once(
    client: httpx.AsyncClient, askers: Sequence[Asker], chance: random.Random
) -> Counter[str]:
    """How many of whom were answered how, or given up; each asker in turn, all at the same time."""
    turns = [(asker, cycle(asker.questions)) for asker in askers]
    asked = [(asker, next(questions)) for asker, questions in islice(cycle(turns), REQUESTS)]
    ends = [chance.choices(("answered", "waiting", "begun"), (8, 1, 2))[0] for _ in asked]
    became = await asyncio.gather(
        *(_asked(client, *each, end, chance.random()) for each, end in zip(asked, ends, strict=True))
    )
    return Counter(became)


async def _asked(client: httpx.AsyncClient, asker: Asker, question: Question, end: str, part: float) -> str:
    began = asyncio.Event()
    _began.set(began)
    asking = asyncio.create_task(_answer(client, asker, question))
    if end == "begun":  # given up when it gets its connection, or some statements later
        begun = asyncio.create_task(began.wait())
        await asyncio.wait({asking, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        await asyncio.sleep(part**2 * 0.1)
    elif end == "waiting":
        await asyncio.sleep(part)
    if end != "answered":
        asking.cancel()
    try:
        answer = await asking
    except asyncio.CancelledError:
        return f"{asker.name} given up"
    text = answer.text.replace(question.path, "")
    asked = (question.path, *question.parameters.values())  # what was asked for may be named
    shown = {each for each in asker.hidden if each in text and not any(each in said for said in asked)}
    assert not shown, (asker.name, question, shown)
    return f"{asker.name} {answer.status_code}"


async def _answer(client: httpx.AsyncClient, asker: Asker, question: Question) -> httpx.Response:
    for _ in range(ASKED_MAX):
        answer = await client.request(
            question.method,
            question.path,
            params=question.parameters,
            json=question.body,
            headers={**asker.headers, "Cache-Control": question.cache},
        )
        if answer.status_code not in LATER:
            break
        await asyncio.sleep(0.2)
    return answer
