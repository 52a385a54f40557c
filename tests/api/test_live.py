"""`GET /v1/spend/live` by a real server: rights, tenants, browsers, who does not read, and a server that stops."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.api.access.cookies import COOKIE
from services.api.access.keys import ApiKeys
from services.api.database.transactions import Database
from spendmeter.platform.serve import Server
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.teams import OURS, THEIRS, a_viewer_of_one_team
from tests.ports import free_port

REVOKED_WITHIN_S = 10.0


@dataclass(frozen=True, kw_only=True)
class LiveServer:
    url: str
    port: int
    server: Server
    serving: asyncio.Task[None]


@pytest.fixture
async def served(api: FastAPI, client: httpx.AsyncClient) -> AsyncIterator[LiveServer]:
    settings = Settings(port=free_port())
    server = Server(api, settings)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{settings.port}"
    yield LiveServer(url=url, port=settings.port, server=server, serving=serving)
    server.should_exit = True
    await serving


class Stream:
    """The events of one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, Any]:
        """(name, data) of the next event; comments and `retry` are passed over."""
        name = ""
        async with asyncio.timeout(30):
            async for line in self._lines:
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    return name, json.loads(line.removeprefix("data: "))
        return "closed", None

    async def total(self) -> str:
        name, data = await self.next()
        assert name == "totals", (name, data)
        return str(data["spans"]["today"]["totals"][0]["effective"])

    async def total_other_than(self, known: str) -> str:
        """It may be said again before it changes."""
        while (said := await self.total()) == known:
            pass
        return said


@asynccontextmanager
async def listening(served: LiveServer, **headers: str) -> AsyncIterator[Stream]:
    async with (
        httpx.AsyncClient(base_url=served.url, timeout=30) as http,
        http.stream("GET", "/v1/spend/live", headers=headers) as answer,
    ):
        yield Stream(answer)


def now() -> str:
    return datetime.now(UTC).isoformat()


async def test_totals_are_told_as_they_are_booked_to_the_own_tenant_alone(
    served: LiveServer, book: Book
) -> None:
    await book.spend("globex", now(), "99")
    await book.spend("acme", now(), "1.25")
    key = await book.key("acme", "read")
    async with listening(served, Authorization=f"Bearer {key}", **{"Last-Event-ID": "7"}) as stream:
        assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
        assert (stream.answer.headers["Cache-Control"], stream.answer.headers.get("Content-Encoding")) == (
            "no-store, no-transform",
            None,
        )
        name, first = await stream.next()
        assert (name, first["currency"], first["spans"].keys()) == (
            "totals", "USD", {"last_hour", "today", "month_to_date"},
        )  # fmt: skip
        assert [span["totals"][0]["effective"] for span in first["spans"].values()] == ["1.25"] * 3
        await book.spend("acme", now(), "0.5", shard=1)
        assert await stream.total() == "1.75"
        async with httpx.AsyncClient(base_url=served.url) as http:
            answer = await http.get(
                "/v1/spend", params={"range": "today"}, headers={"Authorization": f"Bearer {key}"}
            )
        assert answer.json()["totals"][0]["effective"] == "1.75"


async def test_a_viewer_of_one_team_is_told_of_that_team_alone_and_of_another_one_nothing(
    served: LiveServer, api: FastAPI, database: Database, book: Book
) -> None:
    """Ours spends 1.25 and, after 40 of the other team, 0.5 more. What is in flight is a count of everybody's."""
    api.state.keys = ApiKeys(database)
    await book.partition(0, log_end=9, read_at=datetime.now(UTC), booked=2)
    await book.spend("acme", now(), "1.25", team=OURS)
    await book.spend("acme", now(), "99", team=THEIRS)
    cookies = [await a_viewer_of_one_team(api, book, "acme", team) for team in (OURS, THEIRS)]
    async with (
        listening(served, Cookie=cookies[0]) as ours,
        listening(served, Cookie=cookies[1]) as theirs,
        listening(served, Authorization=f"Bearer {await book.key('acme', 'read')}") as everybody,
    ):
        assert ours.answer.status_code == 200
        name, first = await ours.next()
        assert (name, first["in_flight"], first["in_flight_age_s"]) == ("totals", None, None)
        assert [span["totals"][0]["effective"] for span in first["spans"].values()] == ["1.25"] * 3
        assert (await theirs.total(), await everybody.total()) == ("99", "100.25")
        await book.spend("acme", now(), "40", team=THEIRS, shard=1)
        assert (await theirs.total_other_than("99"), await everybody.total_other_than("100.25")) == (
            "139",
            "140.25",
        )
        await book.spend("acme", now(), "0.5", team=OURS, shard=1)
        assert await ours.total_other_than("1.25") == "1.75"
        await book.connection.execute(
            "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by) "
            "SELECT tenant, person_id, issuer, subject, name, role, $2, 'r', 'b' FROM people_acts WHERE team = $1",
            OURS, THEIRS,
        )  # fmt: skip
        while (said := await ours.next())[0] == "totals":
            assert said[1]["spans"]["today"]["totals"][0]["effective"] == "1.75"
        assert said == ("end", {"reason": "revoked"})


async def test_a_revoked_key_ends_its_stream_within_ten_seconds(
    served: LiveServer, api: FastAPI, database: Database, book: Book
) -> None:
    api.state.keys = ApiKeys(database)
    key = await book.key("acme", "read")
    async with listening(served, Authorization=f"Bearer {key}") as stream:
        await stream.next()
        await book.connection.execute("UPDATE api_keys SET revoked_at = now()")
        began_s = time.monotonic()
        while (said := await stream.next())[0] == "totals":
            pass
        assert said == ("end", {"reason": "revoked"})
        assert time.monotonic() - began_s < REVOKED_WITHIN_S
        assert await stream.next() == ("closed", None)


async def test_a_session_of_the_portal_has_one_stream_and_ends_with_the_log_out(
    served: LiveServer, book: Book
) -> None:
    key = await book.key("acme", "read")
    async with httpx.AsyncClient(base_url=served.url, headers={"Sec-Fetch-Site": "same-origin"}) as http:
        answer = await http.post("/v1/session", json={"key": key})
        assert answer.is_success, answer.text
        cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
        async with listening(served, **cookie) as older:
            await older.next()
            async with listening(served, **cookie) as newer:
                assert (await newer.next())[0] == "totals"
                while (said := await older.next())[0] == "totals":
                    pass
                assert said == ("end", {"reason": "replaced"})
                assert (await http.delete("/v1/session")).is_success
                while (said := await newer.next())[0] == "totals":
                    pass
                assert said == ("end", {"reason": "revoked"})


async def test_who_does_not_read_delays_nobody_and_what_leaves_is_forgotten(
    served: LiveServer, api: FastAPI, book: Book
) -> None:
    key = await book.key("acme", "read")
    deaf = socket.create_connection(("127.0.0.1", served.port))
    deaf.sendall(
        f"GET /v1/spend/live HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    async with listening(served, Authorization=f"Bearer {key}") as stream:
        await stream.next()
        for n in range(1, 4):
            await book.spend("acme", now(), "1", shard=n)
            assert await stream.total() == str(n)
    deaf.close()
    async with asyncio.timeout(10):
        while api.state.live._followed:
            await asyncio.sleep(0.05)


async def test_a_database_that_breaks_every_connection_ends_no_stream(
    served: LiveServer, api: FastAPI, database: Database, book: Book
) -> None:
    api.state.keys = ApiKeys(database)
    key = await book.key("acme", "read")
    async with listening(served, Authorization=f"Bearer {key}") as stream:
        await stream.next()
        broken = await book.connection.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert broken
        await book.spend("acme", now(), "2.5")
        while (said := await stream.next())[0] == "totals":
            if [span["totals"][0]["effective"] for span in said[1]["spans"].values()] == ["2.5"] * 3:
                return
        raise AssertionError(said)


async def test_a_server_that_stops_does_not_wait_for_streams(served: LiveServer, book: Book) -> None:
    key = await book.key("acme", "read")
    async with listening(served, Authorization=f"Bearer {key}") as stream:
        await stream.next()
        served.server.should_exit = True
        async with asyncio.timeout(3):
            await served.serving


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [(("ingest",), "/v1/spend/live", 403), (("read",), "/v1/spend/live?group_by=team", 422)],
)
async def test_who_may_not_read_and_what_cannot_be_asked_is_refused(
    client: httpx.AsyncClient, book: Book, scopes: tuple[str, ...], path: str, status: int
) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', *scopes)}"
    assert (await client.get(path)).status_code == status
