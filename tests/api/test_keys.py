"""Keys through the API: shown once, never given beyond what their maker has, rotated under one id, revoked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import httpx
import pytest
from fastapi import FastAPI

from services.api.access.cookies import COOKIE
from services.api.access.keys import ApiKeys
from services.api.database.transactions import Database
from services.api.keys import routes
from services.api.keys.models import KeyScope
from spendmeter.contracts.permissions import SCOPES
from tests.api.book import Book
from tests.api.test_auth import bearer


async def made(client: httpx.AsyncClient, *scopes: str, **body: Any) -> dict[str, Any]:
    answer = await client.post("/v1/keys", json={"name": "new", "scopes": scopes or ["read"], **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def own_id(client: httpx.AsyncClient) -> str:
    return client.headers["Authorization"].split("_")[2]


@pytest.fixture
def forget(api: FastAPI, database: Database) -> Any:
    """What the process remembers of keys is over."""

    def forgotten() -> None:
        api.state.keys = ApiKeys(database, again_s=0)

    return forgotten


def test_the_scopes_of_the_api_are_those_of_the_library() -> None:
    assert get_args(KeyScope) == tuple(SCOPES)


async def test_a_key_is_shown_once_and_works(acme: httpx.AsyncClient, book: Book) -> None:
    new = await made(acme, "read", "correct", expires_days=90)
    secret = new["key"].split("_", 3)[3]
    assert (await acme.get("/v1/spend", headers=bearer(new["key"]))).status_code == 200
    assert (new["state"], new["scopes"], new["last_used_at"]) == ("live", ["read", "correct"], None)
    stored = await book.connection.fetchval(
        "SELECT secret_sha256 FROM api_keys WHERE key_id = $1", new["key_id"]
    )
    for path in ("/v1/keys", f"/v1/keys/{new['key_id']}", "/v1/audit"):
        answer = await acme.get(path)
        assert new["key_id"] in answer.text
        assert secret not in answer.text
        assert stored.hex() not in answer.text
        assert "sha256" not in answer.text.replace("secret_sha256", "")


async def test_no_answer_with_a_secret_is_kept_or_compressed(acme: httpx.AsyncClient) -> None:
    answer = await acme.post(
        "/v1/keys",
        json={"name": "n" * 100, "scopes": ["read", "correct", "admin"], "expires_days": 9},
        params={"pretty": "true"},
        headers={"Accept-Encoding": "gzip"},
    )
    assert (answer.status_code, "content-encoding" in answer.headers) == (201, False)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("scope", ["ingest", "import", "reserve"])
async def test_a_key_gives_no_scope_that_it_lacks(acme: httpx.AsyncClient, book: Book, scope: str) -> None:
    asked = {"name": "more", "scopes": ["read", scope]}
    refused = await acme.post("/v1/keys", json=asked)
    assert (refused.status_code, scope in refused.json()["detail"]) == (403, True)
    able = bearer(await book.key("acme", "admin", scope))
    assert (await acme.post("/v1/keys", json=asked, headers=able)).status_code == 201
    operator = {**bearer(await book.key("", "admin")), "X-Spendmeter-Tenant": "acme"}
    assert (await acme.post("/v1/keys", json=asked, headers=operator)).status_code == 201


@pytest.mark.parametrize(
    "scopes", [["read"], ["correct"], ["import"], ["reserve", "read"], ["ingest", "read"]]
)
async def test_only_an_admin_sees_or_touches_keys(
    acme: httpx.AsyncClient, book: Book, scopes: list[str]
) -> None:
    new, headers = await made(acme), bearer(await book.key("acme", *scopes))
    for method, path, body in (
        ("GET", "/v1/keys", None), ("GET", f"/v1/keys/{new['key_id']}", None), ("DELETE", f"/v1/keys/{new['key_id']}", None),
        ("POST", "/v1/keys", {"name": "x", "scopes": ["read"]}), ("POST", f"/v1/keys/{new['key_id']}/rotate", {}),
    ):  # fmt: skip
        assert (await acme.request(method, path, json=body, headers=headers)).status_code == 403, (
            method,
            path,
        )


async def test_nobody_takes_the_secret_of_a_key_that_can_do_more(acme: httpx.AsyncClient, book: Book) -> None:
    sender = (await book.key("acme", "ingest")).split("_")[2]
    refused = await acme.post(f"/v1/keys/{sender}/rotate", json={})
    assert (refused.status_code, "ingest" in refused.json()["detail"]) == (403, True)
    trusted = (await book.key("acme", "read")).split("_")[2]
    await book.connection.execute("UPDATE api_keys SET trust_reported_cost = true WHERE key_id = $1", trusted)
    assert (await acme.post(f"/v1/keys/{trusted}/rotate", json={})).status_code == 403
    assert (await acme.delete(f"/v1/keys/{sender}")).status_code == 200, "to end it takes nothing"


@pytest.mark.parametrize("asked", [{"trust_reported_cost": True}, {"events_per_minute": 9}])
async def test_what_an_operator_decides_a_tenant_does_not(
    acme: httpx.AsyncClient, book: Book, asked: dict[str, Any]
) -> None:
    body = {"name": "x", "scopes": ["read"], **asked}
    assert (await acme.post("/v1/keys", json=body)).status_code == 403
    operator = {**bearer(await book.key("", "admin")), "X-Spendmeter-Tenant": "acme"}
    answer = await acme.post("/v1/keys", json=body, headers=operator)
    assert (answer.status_code, answer.json().items() >= asked.items()) == (201, True)


async def test_nothing_outlives_the_key_that_made_it(client: httpx.AsyncClient, book: Book) -> None:
    ends = datetime.now(UTC) + timedelta(days=30)
    client.headers.update(bearer(await book.key("acme", "admin", expires_at=ends)))
    lasting = (await book.key("acme", "read")).split("_")[2]
    for asked in ({}, {"expires_days": 31}):
        answer = await client.post("/v1/keys", json={"name": "x", "scopes": ["read"], **asked})
        assert answer.status_code == 403
    assert (await made(client, expires_days=29))["state"] == "live"
    assert (await client.post(f"/v1/keys/{lasting}/rotate", json={})).status_code == 403
    assert (await client.post(f"/v1/keys/{own_id(client)}/rotate", json={})).status_code == 200


async def test_a_rotated_key_keeps_its_id_and_both_secrets_open_until_the_grace_is_over(
    acme: httpx.AsyncClient, book: Book, forget: Any
) -> None:
    new = await made(acme)
    turned = (await acme.post(f"/v1/keys/{new['key_id']}/rotate", json={"grace_hours": 1})).json()
    assert turned["key_id"] == new["key_id"]
    assert turned["former_until"] is not None
    forget()
    for key in (new["key"], turned["key"]):
        assert (await acme.get("/v1/spend", headers=bearer(key))).status_code == 200
    again = await acme.post(f"/v1/keys/{new['key_id']}/rotate", json={})
    assert (again.status_code, again.json()["title"]) == (409, "Being rotated")
    ended = (await acme.post(f"/v1/keys/{new['key_id']}/rotate", json={"grace_hours": 0})).json()
    forget()
    answers = [
        (await acme.get("/v1/spend", headers=bearer(key))).status_code
        for key in (new["key"], turned["key"], ended["key"])
    ]
    assert answers == [401, 401, 200]


async def test_a_key_that_leaked_is_rotated_and_no_session_of_a_thief_outlives_it(
    acme: httpx.AsyncClient, forget: Any
) -> None:
    new = await made(acme)
    thief = (await acme.post("/v1/session", json={"key": new["key"]})).cookies[COOKIE]
    cookie = {"Cookie": f"{COOKIE}={thief}"}
    acme.cookies.clear()
    admin = acme.headers.pop("Authorization")
    for hours, status in ((1, 200), (0, 401)):  # with a grace, what it opened goes on
        path = f"/v1/keys/{new['key_id']}/rotate"
        turned = await acme.post(path, json={"grace_hours": hours}, headers={"Authorization": admin})
        assert turned.status_code == 200
        forget()
        assert (await acme.get("/v1/spend", headers=cookie)).status_code == status


async def test_a_revoked_key_opens_nothing_and_stays_in_the_list(
    acme: httpx.AsyncClient, forget: Any
) -> None:
    new = await made(acme)
    for _ in range(2):  # once more changes nothing
        revoked = await acme.delete(f"/v1/keys/{new['key_id']}")
        assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    forget()
    assert (await acme.get("/v1/spend", headers=bearer(new["key"]))).status_code == 401
    assert (await acme.post(f"/v1/keys/{new['key_id']}/rotate", json={})).status_code == 409
    listed = (await acme.get("/v1/keys", params={"state": "revoked"})).json()["keys"]
    assert [each["key_id"] for each in listed] == [new["key_id"]]
    log = (await acme.get("/v1/audit", params={"object": "api_keys", "object_id": new["key_id"]})).json()
    assert [each["act"] for each in log["changes"]] == ["changed", "made"]
    assert {each["by"] for each in log["changes"]} == {f"key {own_id(acme)}"}


async def test_a_tenant_cannot_lock_itself_out(acme: httpx.AsyncClient, book: Book, forget: Any) -> None:
    refused = await acme.delete(f"/v1/keys/{own_id(acme)}")
    assert (refused.status_code, refused.json()["title"]) == (409, "The last one")
    await made(acme, "admin")
    assert (await acme.delete(f"/v1/keys/{own_id(acme)}")).status_code == 200
    forget()
    assert (await acme.get("/v1/keys")).status_code == 401


async def test_a_tenant_sees_its_own_keys_and_when_they_were_used(
    acme: httpx.AsyncClient, book: Book
) -> None:
    theirs = (await book.key("globex", "read")).split("_")[2]
    operators = (await book.key("", "admin")).split("_")[2]
    at = datetime(2026, 11, 26, 8, tzinfo=UTC)
    for key_id in (theirs, own_id(acme)):
        await book.connection.execute("SELECT note_key_uses('api', $1, $2)", [key_id], [at])
    answer = await acme.get("/v1/keys")
    [own] = answer.json()["keys"]
    assert (own["key_id"], own["last_used_at"]) == (own_id(acme), "2026-11-26T08:00:00Z")
    for other in (theirs, operators):
        assert (await acme.get(f"/v1/keys/{other}")).status_code == 404
        assert (await acme.delete(f"/v1/keys/{other}")).status_code == 404
        assert (await acme.post(f"/v1/keys/{other}/rotate", json={})).status_code == 404


async def test_pages_of_keys_and_how_many_there_may_be(
    acme: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_ids = [(await made(acme))["key_id"] for _ in range(4)]
    first = (await acme.get("/v1/keys", params={"limit": 3})).json()
    rest = (await acme.get("/v1/keys", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert [each["key_id"] for each in first["keys"] + rest["keys"]] == [*reversed(made_ids), own_id(acme)]
    monkeypatch.setattr(routes, "KEYS_MAX", 5)
    assert (await acme.post("/v1/keys", json={"name": "x", "scopes": ["read"]})).status_code == 409


@pytest.mark.parametrize(
    "asked",
    [
        {"scopes": ["read"]},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": []},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["import", "ingest"]},
        {"name": "x", "scopes": ["read"], "tenant": "globex"},
        {"name": "x\0", "scopes": ["read"]},
    ],
)
async def test_what_no_key_can_be_is_refused(acme: httpx.AsyncClient, asked: dict[str, Any]) -> None:
    assert (await acme.post("/v1/keys", json=asked)).status_code == 422
