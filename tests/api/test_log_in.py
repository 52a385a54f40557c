"""People by their own issuer: tokens as bearers, the code flow into a session, and every way around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from joserfc.jwk import RSAKey

from services.api.access.auth import person_id_of
from services.api.access.cookies import COOKIE, PENDING
from services.api.access.issuers import AGAIN_S, KEYS_S, STALE_S_MAX, Issuers
from services.api.access.keys import SESSIONS_OF_A_KEY_MAX, ApiKeys
from services.api.database.transactions import Database
from spendmeter.platform.settings import Settings
from spendmeter.platform.trusted_issuers import TrustedIssuer
from tests.api.book import Book
from tests.api.issuer import Issuer
from tests.api.teams import MADE_FOR_TEAMS, OURS, THEIRS, work
from tests.api.test_auth import bearer

BEGIN = "/v1/session/log-in?tenant=acme"
BACK = "/v1/session/callback/acme"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with Issuer() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def now() -> list[float]:
    """The clock of what is remembered of issuers."""
    return [1_000.0]


@pytest.fixture
async def browser(
    api: FastAPI, client: httpx.AsyncClient, issuer: Issuer, now: list[float]
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser, where acme's people come from `issuer`, and globex's from there with another
    audience."""
    trusted = (
        TrustedIssuer(tenant="acme", issuer=issuer.url, audience="spendmeter"),
        TrustedIssuer(tenant="globex", issuer=issuer.url, audience="spendmeter-globex"),
    )
    before = api.state.issuers, api.state.settings
    api.state.issuers = Issuers(trusted, allow_private=True, clock=lambda: now[0])
    api.state.settings = Settings(issuers_allow_private=True)
    yield client
    api.state.issuers, api.state.settings = before


async def role(
    book: Book, api: FastAPI, issuer: Issuer, given: str, tenant: str = "acme", **also: str
) -> str:
    """Give the subject a role of the tenant; '' = take it. The process knows it at once."""
    subject, team = also.get("subject", "00u1"), also.get("team", "")
    person_id = person_id_of(tenant, issuer.url, subject)
    await book.connection.execute(
        "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by) "
        "VALUES ($1, $2, $3, $4, 'Ada', $5, $6, 'r', 'b')",
        tenant, person_id, issuer.url, subject, given, team,
    )  # fmt: skip
    api.state.keys = ApiKeys(api.state.database, again_s=0)
    return person_id


async def test_a_token_is_of_whom_it_says_and_may_what_our_table_says(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    person = await role(book, api, issuer, "finops")
    headers = bearer(issuer.token(tenant="globex", roles=["admin"], scope="admin"))
    session = (await browser.get("/v1/session", headers=headers)).json()
    assert (session["key_id"], session["tenant"], session["scopes"]) == (
        person,
        "acme",
        ["govern", "correct"],
    )
    made = await browser.post("/v1/budgets", json={"name": "b", "amount": "1"}, headers=headers)
    assert made.status_code == 201
    assert (await browser.get("/v1/audit", headers=headers)).status_code == 403, "no claim makes an admin"
    other = headers | {"X-Spendmeter-Tenant": "globex"}
    assert (await browser.get("/v1/spend", headers=other)).status_code == 403
    admin = bearer(await book.key("acme", "admin"))
    [change] = (await browser.get("/v1/audit?object=budgets", headers=admin)).json()["changes"]
    assert (change["by"], change["by_name"]) == (f"person {person}", "Ada")


async def test_a_stranger_with_a_good_token_has_no_role_and_is_told_how_to_get_one(
    browser: httpx.AsyncClient, issuer: Issuer
) -> None:
    answer = await browser.get("/v1/spend", headers=bearer(issuer.token()))
    assert answer.status_code == 403
    assert "spendmeter people grant" in answer.json()["detail"]


async def test_one_tenants_role_is_none_of_anothers(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "admin", tenant="globex")
    assert (await browser.get("/v1/spend", headers=bearer(issuer.token()))).status_code == 403
    theirs = bearer(issuer.token(aud="spendmeter-globex"))
    assert (await browser.get("/v1/session", headers=theirs)).json()["tenant"] == "globex"


async def test_a_role_that_is_taken_is_over_at_the_next_look(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "viewer")
    headers = bearer(issuer.token())
    assert (await browser.get("/v1/spend", headers=headers)).status_code == 200
    await role(book, api, issuer, "")
    assert (await browser.get("/v1/spend", headers=headers)).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"aud": "somebody-else"}, {"aud": ["spendmeter", "else"]}, {"exp": 1},
        {"iat": 9_999_999_999, "exp": 9_999_999_999}, {"sub": ""},
    ],
)  # fmt: skip
async def test_a_token_that_is_not_for_us_is_refused_and_asks_nobody_else(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer, claims: dict[str, Any]
) -> None:
    await role(book, api, issuer, "admin")
    answer = await browser.get("/v1/spend", headers=bearer(issuer.token(**claims)))
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert issuer.token() not in answer.text


async def test_a_key_of_somebody_else_proves_nothing_and_a_new_one_of_the_issuers_is_found(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer, now: list[float]
) -> None:
    await role(book, api, issuer, "viewer")
    stranger = RSAKey.generate_key(2048, {"kid": "k1"})
    assert (await browser.get("/v1/spend", headers=bearer(issuer.token(stranger)))).status_code == 401
    former = bearer(issuer.token())
    assert (await browser.get("/v1/spend", headers=former)).status_code == 200
    issuer.rotate()
    asked = len(issuer.asked)
    for _ in range(20):  # made-up kids make us ask once, and not before it is time
        assert (await browser.get("/v1/spend", headers=bearer(issuer.token()))).status_code == 401
    assert len(issuer.asked) == asked
    now[0] += AGAIN_S + 1
    assert (await browser.get("/v1/spend", headers=bearer(issuer.token()))).status_code == 200
    assert len(issuer.asked) == asked + 2
    assert (await browser.get("/v1/spend", headers=former)).status_code == 401, (
        "what is withdrawn opens no more"
    )


async def test_keys_outlast_an_issuer_that_is_down_for_a_while(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer, now: list[float]
) -> None:
    await role(book, api, issuer, "viewer")
    headers = bearer(issuer.token())
    assert (await browser.get("/v1/spend", headers=headers)).status_code == 200
    issuer.odd["says"] = {"issuer": "https://evil.example"}  # as bad as down, and quicker than its retries
    now[0] += KEYS_S + 1
    assert (await browser.get("/v1/spend", headers=headers)).status_code == 200
    now[0] += STALE_S_MAX
    answer = await browser.get("/v1/spend", headers=headers)
    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


async def test_an_issuer_on_a_private_address_is_not_asked_unless_an_operator_says_so(
    browser: httpx.AsyncClient, api: FastAPI, issuer: Issuer
) -> None:
    api.state.issuers = Issuers(api.state.issuers.trusted)
    assert (await browser.get("/v1/spend", headers=bearer(issuer.token()))).status_code == 503
    assert issuer.asked == []


async def test_who_sees_one_team_is_let_into_no_route_that_is_not_made_for_them(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "viewer", team="search")
    headers = bearer(issuer.token())
    assert (await browser.get("/v1/session", headers=headers)).status_code == 200
    let_in = []
    for path, operations in api.openapi()["paths"].items():
        for method in operations:
            if path.startswith("/v1/session") or path == "/v1/spend/live":  # test_live.py: it has no end
                continue
            body = None if method == "get" else {}
            answer = await browser.request(method, path.format_map(_Ids()), json=body, headers=headers)
            if answer.status_code != 403:
                let_in.append((method, path, answer.status_code))
    assert {(method, path) for method, path, _ in let_in} == MADE_FOR_TEAMS - {("get", "/v1/spend/live")}
    one = await browser.get("/v1/incidents", headers=headers)
    assert "one team alone" in one.json()["detail"]


async def test_an_assistant_of_who_sees_one_team_is_told_of_that_team_alone(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "viewer", team=OURS)
    await work(book, OURS)
    await work(book, THEIRS, times=3)
    headers = bearer(issuer.token()) | {"Accept": "application/json, text/event-stream"}
    day = {"from": "2026-11-23", "to": "2026-11-24"}

    async def told(tool: str, **arguments: str) -> tuple[bool, str]:
        asked = {"name": tool, "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
        answer = await browser.post("/mcp", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        return result["isError"], result["content"][0]["text"]

    for tool, asked in (("spend", day | {"group_by": "team"}), ("what_changed", day | {"group_by": "team"})):
        refused, text = await told(tool, **asked)
        assert (refused, OURS in text, THEIRS in text) == (False, True, False), text
    for tool, asked in (("incidents", {}), ("run", {"run": "r"})):
        refused, text = await told(tool, **asked)
        assert (refused, "one team alone" in text) == (True, True), text


class _Ids(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "1"


async def begun(browser: httpx.AsyncClient) -> str:
    answer = await browser.get(BEGIN)
    assert answer.status_code == 303, answer.text
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=lax" in answer.headers["set-cookie"].lower()
    return answer.headers["location"]


async def test_a_person_logs_in_and_out(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    person = await role(book, api, issuer, "on_call")
    back = issuer.logs_in(await begun(browser))
    answer = await browser.get(back)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert (
        "samesite=strict"
        in [each for each in answer.headers.get_list("set-cookie") if COOKIE in each][0].lower()
    )
    assert PENDING not in browser.cookies
    session = (await browser.get("/v1/session")).json()
    assert (session["key_id"], session["scopes"]) == (person, ["respond"])
    copied = {"Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
    assert (await browser.delete("/v1/session")).status_code == 204
    assert (await browser.get("/v1/spend", headers=copied)).status_code == 401


async def test_what_the_issuer_answers_piece_by_piece_is_read_whole(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "viewer")
    issuer.odd["drips"] = True
    answer = await browser.get(issuer.logs_in(await begun(browser)))
    assert (answer.status_code, COOKIE in browser.cookies) == (303, True), answer.text


async def test_a_session_ends_with_the_role_and_follows_it(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "admin")
    await browser.get(issuer.logs_in(await begun(browser)))
    assert (await browser.get("/v1/audit")).status_code == 200
    await role(book, api, issuer, "viewer")
    assert (await browser.get("/v1/audit")).status_code == 403
    assert (await browser.get("/v1/spend")).status_code == 200
    await role(book, api, issuer, "")
    assert (await browser.get("/v1/spend")).status_code == 401


async def test_a_log_in_is_ended_only_in_the_browser_that_began_it_and_once(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "admin")
    pending = await begun(browser)
    cookie = browser.cookies[PENDING]
    back = issuer.logs_in(pending)
    browser.cookies.clear()
    assert (await browser.get(back)).status_code == 400, "no log-in was begun here"
    await begun(browser)
    assert (await browser.get(back)).status_code == 400, "another one was"
    first = await browser.get(back, headers={"Cookie": f"{PENDING}={cookie}"})
    assert first.status_code == 303
    again = await browser.get(back, headers={"Cookie": f"{PENDING}={cookie}"})
    assert again.status_code == 401, "a code is good once"


async def test_sessions_end_with_the_issuer_that_vouched_for_their_people(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    person_id = await role(book, api, issuer, "viewer")
    await browser.get(issuer.logs_in(await begun(browser)))
    keys = httpx.AsyncClient(transport=browser._transport, base_url=browser.base_url)
    await keys.post("/v1/session", json={"key": await book.key("acme", "read")})
    pinned = api.state.issuers.trusted
    elsewhere = [pinned[0].model_copy(update={"issuer": "https://another.example"}), pinned[1]]
    for trusted, status in ((pinned, 200), (elsewhere, 401), (pinned, 401)):
        await api.state.keys.end_sessions_but(trusted)
        api.state.keys = ApiKeys(api.state.database, again_s=0)
        assert (await browser.get("/v1/spend")).status_code == status, "and none is revived"
        assert (await keys.get("/v1/spend")).status_code == 200, "a key's is nobody's word"
    assert await api.state.keys.by_person("acme", person_id), "the role stays"


async def test_a_code_without_its_verifier_is_worth_nothing(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    await role(book, api, issuer, "admin", subject="victim")
    stolen = parse_qs(urlsplit(issuer.logs_in(await begun(browser), "victim")).query)["code"][0]
    browser.cookies.clear()
    state = parse_qs(urlsplit(await begun(browser)).query)["state"][0]
    answer = await browser.get(BACK, params={"code": stolen, "state": state})
    assert (answer.status_code, COOKIE in browser.cookies) == (401, False)


@pytest.mark.parametrize(
    "odd",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "spendmeter-globex"},
        {"iss": "https://evil.example"},
        {"exp": 1},
    ],
)
async def test_an_answer_that_is_not_to_this_log_in_is_refused(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer, odd: dict[str, Any]
) -> None:
    await role(book, api, issuer, "admin")
    issuer.odd["claims"] = odd
    answer = await browser.get(issuer.logs_in(await begun(browser)))
    assert (answer.status_code, COOKIE in browser.cookies) == (401, False)


async def test_an_issuer_that_sends_people_on_to_anothers_is_not_given_their_code(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer
) -> None:
    """RFC 9700, 4.4: somebody begins at an evil tenant's issuer, which sends them to acme's, as acme's client
    and with the state and the challenge that it was given. Acme's sends them back where it always does."""
    await role(book, api, issuer, "admin")
    with Issuer() as evil:
        Thread(target=evil.serve_forever, daemon=True).start()
        evils = TrustedIssuer(tenant="globex", issuer=evil.url, audience="evil")
        api.state.issuers = Issuers((api.state.issuers.trusted[0], evils), allow_private=True)
        asked = (await browser.get("/v1/session/log-in?tenant=globex")).headers["location"]
        own = (await browser.get(BEGIN)).headers["location"]
        back_to = parse_qs(urlsplit(own).query)["redirect_uri"][0]
        assert back_to != parse_qs(urlsplit(asked).query)["redirect_uri"][0]
        browser.cookies.clear()
        asked = (await browser.get("/v1/session/log-in?tenant=globex")).headers["location"]
        query = parse_qs(urlsplit(asked).query) | {"client_id": ["spendmeter"], "redirect_uri": [back_to]}
        answer = await browser.get(issuer.logs_in(f"{issuer.url}/authorize?{urlencode(query, doseq=True)}"))
        assert (answer.status_code, "/token" in evil.asked, COOKIE in browser.cookies) == (400, False, False)
        evil.shutdown()


async def test_other_ways_back_are_refused(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    state = parse_qs(urlsplit(await begun(browser)).query)["state"][0]
    for asked, status in (
        ({"state": state, "error": "access_denied"}, 403),
        ({"state": state}, 403),
        ({"state": state, "code": "made-up"}, 401),
        ({"state": state, "code": "x", "iss": "https://evil.example"}, 400),
        ({"state": state + "x", "code": "x"}, 400),
        ({"code": "x"}, 400),
    ):
        answer = await browser.get(BACK, params=asked)
        assert (answer.status_code, COOKIE in browser.cookies) == (status, False), asked
    for path in ("/v1/session/log-in?tenant=initech", BEGIN + "&issuer=https://evil.example"):
        assert (await browser.get(path)).status_code == 404


async def test_a_browser_is_refused_by_a_page_and_a_program_by_a_problem(
    browser: httpx.AsyncClient,
) -> None:
    html = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    for path, status in (
        ("/v1/session/log-in?tenant=initech", 404),
        ("/v1/session/log-in", 422),
        ("/v1/session/callback/acme?state=<i>x</i>", 400),
    ):
        page = await browser.get(path, headers=html)
        assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert '<a href="/">' in page.text
        assert "<i>" not in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        problem = await browser.get(path)
        assert (problem.status_code, problem.headers["content-type"]) == (status, "application/problem+json")
    assert (await browser.get(BEGIN, headers=html)).status_code == 303


async def test_whether_anybody_has_an_issuer_is_said_and_not_whose(browser: httpx.AsyncClient) -> None:
    assert (await browser.get("/v1/session/ways")).json() == {"issuer": True}


async def test_a_stranger_logs_in_nowhere(browser: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await browser.get(issuer.logs_in(await begun(browser)))
    assert (answer.status_code, COOKIE in browser.cookies) == (403, False)


async def test_a_person_has_a_bounded_number_of_sessions(
    browser: httpx.AsyncClient, api: FastAPI, book: Book, issuer: Issuer, database: Database
) -> None:
    await role(book, api, issuer, "viewer")
    credential = await api.state.keys.by_person("acme", person_id_of("acme", issuer.url, "00u1"))
    for _ in range(SESSIONS_OF_A_KEY_MAX + 2):
        await api.state.keys.open_person_session(credential, datetime.now(UTC))
    assert await book.connection.fetchval("SELECT count(*) FROM sessions") == SESSIONS_OF_A_KEY_MAX
