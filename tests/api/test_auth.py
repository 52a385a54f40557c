"""Keys, scopes, operators, the portal's cookie, and that every refusal is a problem."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from services.api.access import keys as keys_module
from services.api.access.cookies import COOKIE
from services.api.access.keys import SESSIONS_OF_A_KEY_MAX, SNAPSHOT_S, ApiKeys
from services.api.app import PARTS
from services.api.database import shares
from services.api.database.shares import TENANT_CONNECTIONS_MAX
from services.api.database.transactions import Database
from spendmeter.platform.keys import revoke_key
from spendmeter.platform.settings import Settings
from tests.api.book import Book

BUDGET = {"name": "b", "amount": "1"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def test_without_a_good_key_there_is_no_answer(client: httpx.AsyncClient, book: Book) -> None:
    expired = await book.key("acme", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    good = await book.key("acme")
    for headers in ({}, bearer("sm_live_nonsense"), bearer(good[:-1] + ("A" if good[-1] != "A" else "B")),
                    bearer(expired), {"Authorization": f"Basic {good}"}, {"Authorization": good}):  # fmt: skip
        answer = await client.get("/v1/spend", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (await client.get("/v1/spend", headers=bearer(good))).status_code == 200


async def test_a_revoked_key_stops_working_when_its_few_remembered_seconds_are_over(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book
) -> None:
    now_s = 100.0
    api.state.keys = ApiKeys(database, clock=lambda: now_s, again_s=0)
    key = await book.key("acme")
    assert (await client.get("/v1/session", headers=bearer(key))).status_code == 200
    await revoke_key(book.connection, key.split("_")[2])
    now_s += SNAPSHOT_S + 0.01
    assert SNAPSHOT_S <= 5
    assert (await client.get("/v1/session", headers=bearer(key))).status_code == 401


async def test_a_key_that_may_only_read_changes_nothing(client: httpx.AsyncClient, book: Book) -> None:
    headers = bearer(await book.key("acme", "read"))
    nobody = "00000000-0000-0000-0000-000000000000"
    for method, path, body in (
        ("POST", "/v1/budgets", BUDGET), ("PATCH", f"/v1/budgets/{nobody}", {"name": "x"}),
        ("DELETE", f"/v1/budgets/{nobody}", None), ("POST", f"/v1/incidents/{nobody}/acknowledge", {}),
        ("POST", "/v1/channels", {"name": "c", "url": "https://a.example"}), ("DELETE", f"/v1/channels/{nobody}", None),
        ("PATCH", f"/v1/channels/{nobody}", {"name": "x"}), ("POST", f"/v1/channels/{nobody}/test", None),
        ("POST", f"/v1/channels/{nobody}/rotate-secret", None),
    ):  # fmt: skip
        answer = await client.request(method, path, headers=headers, json=body)
        assert (answer.status_code, answer.json()["title"]) == (403, "Forbidden")
    assert await book.connection.fetchval("SELECT count(*) FROM budgets") == 0


async def test_a_key_that_may_only_send_sees_nothing(client: httpx.AsyncClient, book: Book) -> None:
    answer = await client.get("/v1/spend", headers=bearer(await book.key("acme", "ingest")))
    assert answer.status_code == 403


async def test_an_operator_names_the_tenant_and_nobody_else_does(
    client: httpx.AsyncClient, book: Book
) -> None:
    await book.spend("globex", "2026-11-23T10:00Z", "7")
    operator, ordinary = bearer(await book.key("", "admin")), bearer(await book.key("acme", "admin"))
    question = "/v1/spend?from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"
    answer = await client.get(question, headers=operator)
    assert (answer.status_code, answer.json()["title"]) == (400, "No tenant")
    answer = await client.get(question, headers={**operator, "X-Spendmeter-Tenant": "globex"})
    assert answer.json()["totals"][0]["effective"] == "7"
    for tenant, status in (("nobody", 404), ("Not A Name", 400), ("' OR 1=1", 400)):
        answer = await client.get(question, headers={**operator, "X-Spendmeter-Tenant": tenant})
        assert answer.status_code == status
    answer = await client.get(question, headers={**ordinary, "X-Spendmeter-Tenant": "globex"})
    assert answer.status_code == 403
    answer = await client.get(
        question, headers={**bearer(await book.key("", "read")), "X-Spendmeter-Tenant": "globex"}
    )
    assert answer.status_code == 403


async def log_in(client: httpx.AsyncClient, key: str, **headers: str) -> httpx.Response:
    return await client.post("/v1/session", json={"key": key}, headers=headers)


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: httpx.AsyncClient, book: Book
) -> None:
    answer = await log_in(client, await book.key("globex", "read"))
    assert answer.json() | {"key_id": ""} == {
        "key_id": "", "tenant": "globex", "operator": False, "scopes": ["read"],
        "team": "",
        "tenants": [{"tenant": "globex", "name": "globex", "currency": "USD", "tz": "Europe/Berlin"}],
    }  # fmt: skip
    flags = answer.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=strict" in flags
    assert "secure" not in flags, "over http a browser would drop it"
    assert (await client.get("/v1/spend")).status_code == 200
    gone = await client.delete("/v1/session")
    assert (gone.status_code, client.cookies) == (204, httpx.Cookies())
    assert (await client.get("/v1/spend")).status_code == 401


async def test_the_cookie_is_no_key_and_is_over_when_the_session_is(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book
) -> None:
    key = await book.key("acme")
    await log_in(client, key)
    token = client.cookies[COOKIE]
    assert token not in key
    assert (await client.get("/v1/spend", headers=bearer(token))).status_code == 401
    kept = await book.connection.fetch("SELECT token_sha256, expires_at - opened_at AS lasts FROM sessions")
    assert [(row["token_sha256"], row["lasts"]) for row in kept] == [
        (sha256(token.encode()).digest(), timedelta(hours=8))
    ]
    copied = {"Cookie": f"{COOKIE}={token}"}
    await client.delete("/v1/session")
    answer = await client.get("/v1/spend", headers=copied)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the session is over: log in again")

    await log_in(client, key)
    await book.connection.execute("UPDATE sessions SET expires_at = now()")
    api.state.keys = ApiKeys(database, again_s=0)
    assert (await client.get("/v1/spend")).status_code == 401


async def test_a_session_ends_with_its_key(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book
) -> None:
    key = await book.key("acme")
    await log_in(client, key)
    await revoke_key(book.connection, key.split("_")[2])
    api.state.keys = ApiKeys(database, again_s=0)
    assert (await client.get("/v1/spend")).status_code == 401


async def test_a_key_has_a_bounded_number_of_sessions_and_the_newest_works(
    client: httpx.AsyncClient, book: Book
) -> None:
    key = await book.key("acme")
    for _ in range(SESSIONS_OF_A_KEY_MAX + 2):
        assert (await log_in(client, key)).status_code == 200
    assert await book.connection.fetchval("SELECT count(*) FROM sessions") == SESSIONS_OF_A_KEY_MAX
    assert (await client.get("/v1/spend")).status_code == 200


async def test_keys_that_strangers_make_up_never_reach_the_database(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "READ_S_MAX", 60)  # a slow machine has much to do between its answers
    now_s = 0.0
    api.state.keys = ApiKeys(database, clock=lambda: now_s, again_s=0.2)
    good = await book.key("acme")
    assert (await client.get("/v1/session", headers=bearer(good))).status_code == 200
    now_s, reads, reading = 1.0, 0, database.reading

    def counted(tenant: str, **share: str) -> object:
        nonlocal reads
        reads += 1
        return reading(tenant, **share)

    monkeypatch.setattr(database, "reading", counted)
    strangers = [bearer(f"sm_live_k{number:012x}_{'A' * 43}") for number in range(200)]
    strangers += [{"Cookie": f"{COOKIE}={number:043d}"} for number in range(200)]
    answers = await asyncio.gather(*(client.get("/v1/session", headers=each) for each in strangers))
    assert {answer.status_code for answer in answers} == {401}
    assert reads == 1, "one snapshot for all that came within its time"


async def test_a_frozen_database_is_told_to_all_who_ask_at_once_and_not_one_after_the_other(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    @asynccontextmanager
    async def frozen(_tenant: str) -> AsyncIterator[None]:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        raise TimeoutError
        yield

    monkeypatch.setattr(database, "reading", frozen)
    keys, key = ApiKeys(database), await book.key("acme")
    told = await asyncio.gather(
        *(keys.by_key(key, datetime.now(UTC)) for _ in range(50)), return_exceptions=True
    )
    assert {type(each) for each in told} == {TimeoutError}
    assert asked == 1


async def test_who_gives_up_waiting_for_the_keys_takes_nobody_with_him(
    database: Database, book: Book
) -> None:
    keys, key = ApiKeys(database), await book.key("acme")
    first = asyncio.create_task(keys.by_key(key, datetime.now(UTC)))
    second = asyncio.create_task(keys.by_key(key, datetime.now(UTC)))
    await asyncio.sleep(0)
    first.cancel()
    assert await second is not None


async def test_logging_in_and_out_all_day_has_nobodys_keys_read_again(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.state.keys = ApiKeys(database, clock=lambda: 100.0, again_s=0)
    key, reads, reading = await book.key("acme"), 0, database.reading
    assert (await log_in(client, key)).status_code == 200

    def counted(tenant: str, **share: str) -> object:
        nonlocal reads
        reads += not tenant
        return reading(tenant, **share)

    monkeypatch.setattr(database, "reading", counted)
    for _ in range(20):
        assert (await log_in(client, key)).status_code == 200
        assert (await client.get("/v1/spend")).status_code == 200
        cookie = {"Cookie": f"{COOKIE}={client.cookies[COOKIE]}"}
        assert (await client.delete("/v1/session")).status_code == 204
        assert (await client.get("/v1/spend", headers=cookie)).status_code == 401
    assert reads == 0


async def test_a_session_is_over_though_the_keys_were_being_read_when_it_ended(
    database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s, now = 100.0, datetime.now(UTC)
    keys, key = ApiKeys(database, clock=lambda: now_s, again_s=0), await book.key("acme")
    credential = await keys.by_key(key, now)
    assert credential is not None
    token, reading = await keys.open_session(credential, now), database.reading
    has_read, goes_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def slow(tenant: str) -> AsyncIterator[object]:
        async with reading(tenant) as connection:
            await connection.execute("SELECT 1 FROM live_sessions()")  # its snapshot is of now
            has_read.set()
            await goes_on.wait()
            yield connection

    ending = asyncio.create_task(keys.close_session(token))
    monkeypatch.setattr(database, "reading", slow)
    now_s += SNAPSHOT_S + 1
    looking = asyncio.create_task(keys.by_session(token, now))
    await has_read.wait()
    await asyncio.sleep(0.1)
    goes_on.set()
    await asyncio.gather(ending, looking)
    assert await keys.by_session(token, now) is None


async def test_log_ins_and_what_is_everybodys_take_turns_of_the_tenant_that_asks(
    client: httpx.AsyncClient, database: Database, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares, "WAIT_S_MAX", 0.05)
    monkeypatch.setattr(shares, "ALONE_CONNECTIONS_MAX", TENANT_CONNECTIONS_MAX)
    acme, globex = bearer(await book.key("acme")), bearer(await book.key("globex"))
    question = "/v1/catalog/publication"
    assert (await client.get(question, headers=acme)).status_code == 200
    async with AsyncExitStack() as dear_ones:
        for _ in range(TENANT_CONNECTIONS_MAX):
            await dear_ones.enter_async_context(database.reading("acme"))
        assert (await client.get(question, headers=acme)).status_code == 429
        assert (await log_in(client, acme["Authorization"].split()[1])).status_code == 429
        assert (await client.get(question, headers=globex)).status_code == 200
        assert (await log_in(client, globex["Authorization"].split()[1])).status_code == 200


async def test_a_key_made_a_moment_ago_works_at_once(
    client: httpx.AsyncClient, api: FastAPI, database: Database, book: Book
) -> None:
    api.state.keys = ApiKeys(database, again_s=0.1)
    for _ in range(2):
        assert (await client.get("/v1/session", headers=bearer(await book.key("acme")))).status_code == 200


@pytest.fixture
def settings_of(api: FastAPI) -> Iterator[Callable[[Settings], None]]:
    """Sets what the process is set to, for the test."""
    before = api.state.settings
    yield lambda settings: setattr(api.state, "settings", settings)
    api.state.settings = before


@pytest.mark.parametrize("portal_url", ["", "https://spend.test", "https://Spend.test:443/"])
async def test_over_https_the_cookie_is_secure_and_none_that_a_neighbour_could_plant(
    client: httpx.AsyncClient,
    api: FastAPI,
    book: Book,
    settings_of: Callable[[Settings], None],
    portal_url: str,
) -> None:
    settings_of(Settings(portal_url=portal_url))
    if not portal_url:  # a proxy that ends TLS may not say that it did
        client.base_url = httpx.URL("https://spend.test")
    kept = (await log_in(client, await book.key("acme"))).headers["set-cookie"]
    named, _, rest = kept.partition("=")
    token = rest.partition(";")[0]
    assert named == f"__Host-{COOKIE}"
    assert all(each in kept.lower() for each in ("; secure", "; path=/", "; httponly", "; samesite=strict"))
    assert "domain" not in kept.lower()
    client.cookies.clear()
    for cookie, status in ((f"{COOKIE}={token}", 401), (f"{named}={token}", 200)):
        assert (await client.get("/v1/spend", headers={"Cookie": cookie})).status_code == status
    gone = await client.delete("/v1/session", headers={"Cookie": f"{named}={token}"})
    assert (gone.status_code, gone.headers["set-cookie"].startswith(f'{named}="";')) == (204, True)
    assert (await client.get("/v1/spend", headers={"Cookie": f"{named}={token}"})).status_code == 401


async def test_a_change_by_cookie_must_come_from_our_own_page(client: httpx.AsyncClient, book: Book) -> None:
    await log_in(client, await book.key("acme", "admin"))
    for headers, status in (
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://spend.test"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://spend.test"}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ):
        answer = await client.post("/v1/budgets", json=BUDGET, headers=headers)
        assert answer.status_code == status, headers
    # who holds the key itself is no browser led astray
    key = await book.key("acme", "admin")
    assert (await client.post("/v1/budgets", json=BUDGET, headers=bearer(key))).status_code == 201


async def test_another_site_can_neither_log_in_nor_out(client: httpx.AsyncClient, book: Book) -> None:
    key = await book.key("acme")
    assert (await log_in(client, key, Origin="https://evil.example")).status_code == 403
    assert (await log_in(client, key)).status_code == 200
    answer = await client.delete("/v1/session", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_a_wrong_key_is_refused_without_being_repeated(client: httpx.AsyncClient, book: Book) -> None:
    for body in (
        {"key": "sm_live_secretsecret"},
        {"key": "x" * 300},
        {"kez": "sm_live_secretsecret"},
        ["secretsecret"],
    ):
        answer = await client.post("/v1/session", json=body)
        assert answer.status_code in {401, 422}
        assert "secretsecret" not in answer.text
        assert "xxx" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/nothing", b"", 404),
        ("GET", "/portal/../auth.py", b"", 404),
        ("GET", "/portal/%2e%2e%2fauth.py", b"", 404),
        ("GET", "/library/requirements.txt", b"", 404),
        ("PUT", "/v1/spend", b"", 405),
        ("GET", "/v1/budgets/not-a-uuid", b"", 422),
        ("POST", "/v1/budgets", b"{not json", 422),
        ("POST", "/v1/budgets", b'{"name": "\\ud800", "amount": "1"}', 422),
        ("POST", "/v1/budgets", b'{"name": "a\\u0000b", "amount": "1"}', 422),
        ("POST", "/v1/budgets", b"[" * 100_000, 413),
    ],
)
async def test_every_error_is_a_problem_that_names_the_rule(
    acme: httpx.AsyncClient, method: str, path: str, body: bytes, status: int
) -> None:
    answer = await acme.request(method, path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"]


async def test_a_bug_tells_the_caller_nothing_about_the_inside(
    acme: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await acme.get("/v1/session")  # the key is known now
    monkeypatch.setattr(database, "reading", None)
    answer = await acme.get("/v1/budgets")
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "NoneType" not in answer.text


async def test_a_database_that_is_away_is_a_503_with_a_time_to_come_back(
    acme: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await acme.get("/v1/session")  # the key is known now

    def away(_tenant: str, share: str = "", *, spend: bool = False) -> None:
        raise asyncpg.CannotConnectNowError("starting up on 10.0.0.7")

    monkeypatch.setattr(database, "reading", away)
    answer = await acme.get("/v1/spend")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "10.0.0.7" not in answer.text


async def test_every_answer_may_be_read_by_nobody_else(acme: httpx.AsyncClient) -> None:
    headers = (await acme.get("/v1/spend")).headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    page = (await acme.get("/")).headers
    assert "script-src 'self'" in page["content-security-policy"]
    assert "unsafe-inline" not in page["content-security-policy"].split("style-src")[0]
    again = await acme.get(
        "/library/swagger-ui.js",
        headers={"If-None-Match": (await acme.get("/library/swagger-ui.js")).headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


def test_who_asks_and_what_is_found_out_without_a_thread_that_waits_for_its_turn() -> None:
    def called(dependant: Dependant) -> list[object]:
        return [dependant.call, *(call for each in dependant.dependencies for call in called(each))]

    routes = [route for module in PARTS for route in module.router.routes if isinstance(route, APIRoute)]
    calls = {call for route in routes for call in called(route.dependant)}
    assert len(calls) > 30
    assert [
        call
        for call in calls
        if not inspect.iscoroutinefunction(call) and not inspect.iscoroutinefunction(type(call).__call__)
    ] == []
