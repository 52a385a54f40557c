"""People by role, and what the scopes between reading and changing everything let do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from services.api.access.auth import person_id_of
from services.api.access.cookies import COOKIE
from services.api.access.keys import ApiKeys, PersonCredential
from services.api.people.models import RoleName
from spendmeter.contracts.permissions import ROLES
from spendmeter.platform.trusted_issuers import TrustedIssuer
from tests.api.book import Book
from tests.api.test_auth import bearer

ADA = {
    "issuer": "https://login.example",
    "subject": "00u1",
    "name": "Ada",
    "role": "finops",
    "reason": "leads",
}
NOBODY = "00000000-0000-0000-0000-000000000000"


async def granted(client: httpx.AsyncClient, **said: Any) -> dict[str, Any]:
    answer = await client.put("/v1/people", json=ADA | said)
    assert answer.status_code == 200, answer.text
    person: dict[str, Any] = answer.json()
    return person


async def people(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/v1/people")).json()["people"]
    return found


async def test_roles_are_those_of_the_contract_and_of_the_database(book: Book) -> None:
    assert get_args(RoleName) == tuple(ROLES)
    for role in ROLES:
        await book.connection.execute(
            "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, reason, by) "
            "VALUES ('acme', 'p0123456789abcdef', 'https://i', 's', 'n', $1, 'r', 'b')",
            role,
        )


async def test_a_role_is_given_changed_and_taken_and_each_act_stays(
    acme: httpx.AsyncClient, book: Book
) -> None:
    ada = await granted(acme)
    assert (ada["role"], ada["scopes"]) == ("finops", ["correct", "govern", "read", "respond"])
    again = await granted(acme, reason="said once more")
    assert again == ada, "the same again is no act"
    changed = await granted(acme, role="viewer", team="search")
    assert (changed["person_id"], changed["team"], changed["scopes"]) == (
        ada["person_id"],
        "search",
        ["read"],
    )
    assert await people(acme) == [changed]
    taken = await acme.delete(f"/v1/people/{ada['person_id']}", params={"reason": "left"})
    assert (taken.json()["role"], taken.json()["scopes"], taken.json()["reason"]) == ("", [], "left")
    assert await people(acme) == []
    assert (await acme.get(f"/v1/people/{ada['person_id']}")).json() == taken.json()
    acts = await book.connection.fetch("SELECT role FROM people_acts ORDER BY number")
    assert [row["role"] for row in acts] == ["finops", "viewer", ""]
    log = (await acme.get("/v1/audit", params={"object": "people_acts"})).json()["changes"]
    assert len(log) == 3
    with pytest.raises(asyncpg.PostgresError):
        await book.connection.execute(
            "INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by) "
            "VALUES ('acme', 'p0123456789abcdef', 'https://i', 's', 'n', 'admin', 'search', 'r', 'b')"
        )


async def test_a_person_is_the_issuers_subject_and_no_name(acme: httpx.AsyncClient) -> None:
    first = await granted(acme)
    others = [
        await granted(acme, subject="00u2"),
        await granted(acme, issuer="https://other.example"),
        await granted(acme, issuer="https://login.example/", subject="00u1"),
    ]
    assert len({each["person_id"] for each in (first, *others)}) == 4


async def test_a_tenants_people_are_its_own(acme: httpx.AsyncClient, book: Book) -> None:
    ada = await granted(acme)
    theirs = bearer(await book.key("globex", "admin"))
    assert (await acme.get("/v1/people", headers=theirs)).json()["people"] == []
    for method in ("GET", "DELETE"):
        answer = await acme.request(
            method,
            f"/v1/people/{ada['person_id']}",
            headers=theirs,
            params={"reason": "x"} if method == "DELETE" else None,
        )
        assert answer.status_code == 404
    same = (await acme.put("/v1/people", json=ADA, headers=theirs)).json()
    assert same["person_id"] != ada["person_id"]


@pytest.mark.parametrize(
    "said",
    [
        {"role": "owner"},
        {"role": "admin", "team": "search"},
        {"issuer": "login.example"},
        {"issuer": "javascript:alert(1)"},
        {"subject": ""},
        {"reason": ""},
        {"email": "ada@example.org"},
    ],
)
async def test_what_no_role_can_be_is_refused(acme: httpx.AsyncClient, said: dict[str, str]) -> None:
    assert (await acme.put("/v1/people", json=ADA | said)).status_code == 422


async def test_a_key_that_ends_gives_no_role_and_no_other_scope_does(
    client: httpx.AsyncClient, book: Book
) -> None:
    ends = bearer(await book.key("acme", "admin", expires_at=datetime.now(UTC) + timedelta(days=1)))
    assert (await client.put("/v1/people", json=ADA, headers=ends)).status_code == 403
    for scope in ("read", "respond", "govern", "correct", "import"):
        headers = bearer(await book.key("acme", scope))
        assert (await client.get("/v1/people", headers=headers)).status_code == 403
        assert (await client.put("/v1/people", json=ADA, headers=headers)).status_code == 403
        assert (await client.get("/v1/roles", headers=headers)).status_code == 200


async def a_session_of(api: FastAPI, person: dict[str, Any]) -> dict[str, str]:
    """As headers of the portal's page. The process knows the role at once."""
    api.state.keys = ApiKeys(api.state.database, again_s=0)
    credential = PersonCredential(person_id=person["person_id"], tenant="acme", scopes=("admin",), team="")
    opened = await api.state.keys.open_person_session(credential, datetime.now(UTC))
    return {"Cookie": f"{COOKIE}={opened}", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def pinned(api: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Operators pinned the issuer of Ada for acme, and another one for globex."""
    of = [("acme", ADA["issuer"]), ("globex", "https://former.example")]
    issuers = tuple(TrustedIssuer(tenant=tenant, issuer=issuer, audience="spend") for tenant, issuer in of)
    monkeypatch.setattr(api.state.issuers, "trusted", issuers)


@pytest.mark.usefixtures("pinned")
async def test_whoever_cannot_come_in_is_no_other_admin(
    client: httpx.AsyncClient, api: FastAPI, book: Book
) -> None:
    operator = bearer(await book.key("", "admin")) | {"X-Spendmeter-Tenant": "acme"}
    ada = (await client.put("/v1/people", json=ADA | {"role": "admin"}, headers=operator)).json()
    former = ADA | {"issuer": "https://former.example", "role": "admin"}
    assert (await client.put("/v1/people", json=former, headers=operator)).status_code == 200
    own = await a_session_of(api, ada)
    refused = await client.delete(f"/v1/people/{ada['person_id']}", params={"reason": "left"}, headers=own)
    assert (refused.status_code, refused.json()["title"]) == (409, "The last one"), refused.text


@pytest.mark.usefixtures("pinned")
async def test_the_last_who_may_change_everything_stays_unless_an_operator_says_otherwise(
    client: httpx.AsyncClient, api: FastAPI, book: Book
) -> None:
    operator = bearer(await book.key("", "admin")) | {"X-Spendmeter-Tenant": "acme"}
    ada = (await client.put("/v1/people", json=ADA | {"role": "admin"}, headers=operator)).json()
    path, why = f"/v1/people/{ada['person_id']}", {"reason": "left"}
    own = await a_session_of(api, ada)
    for refused in (
        await client.delete(path, params=why, headers=own),
        await client.put("/v1/people", json=ADA, headers=own),
    ):
        assert (refused.status_code, refused.json()["title"]) == (409, "The last one"), refused.text
    renamed = await client.put("/v1/people", json=ADA | {"role": "admin", "name": "A."}, headers=own)
    assert (renamed.status_code, renamed.json()["name"]) == (200, "A.")

    grace = ADA | {"subject": "00u2", "role": "admin"}
    assert (await client.put("/v1/people", json=grace, headers=own)).status_code == 200
    assert (await client.put("/v1/people", json=ADA, headers=own)).json()["role"] == "finops"
    other = person_id_of("acme", ADA["issuer"], "00u2")
    gone = await client.delete(f"/v1/people/{other}", params=why, headers=operator)
    assert gone.json()["role"] == "", "an operator can make another"


async def test_a_key_beside_them_makes_the_last_person_dispensable(
    acme: httpx.AsyncClient, api: FastAPI
) -> None:
    ada = await granted(acme, role="admin")
    own = await a_session_of(api, ada)
    del acme.headers["Authorization"]
    gone = await acme.delete(f"/v1/people/{ada['person_id']}", params={"reason": "left"}, headers=own)
    assert (gone.status_code, gone.json()["role"]) == (200, "")


GOVERNED: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/v1/budgets", {"name": "b", "amount": "1"}), ("DELETE", f"/v1/budgets/{NOBODY}", None),
    ("POST", f"/v1/budget-requests/{NOBODY}/refuse", {"reason": "no"}), ("DELETE", "/v1/rules/none?reason=x", None),
    ("POST", f"/v1/channels/{NOBODY}/test", None), ("DELETE", f"/v1/planned-windows/{NOBODY}?reason=x", None),
    ("POST", "/v1/catalog/inbox", {"provider": "p", "sku": "s"}),
)  # fmt: skip
RESPONDED = (("POST", f"/v1/incidents/{NOBODY}/acknowledge", {}),)
ADMINS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/v1/dimensions", {"name": "customer", "reason": "x"}), ("PUT", "/v1/meters", {"meters": [], "reason": "x"}),
    ("PUT", "/v1/label-maps", {"labels": [], "reason": "x"}), ("GET", "/v1/audit", None), ("GET", "/v1/keys", None),
    ("POST", "/v1/catalog/proposals/1/approve", {}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("read", ()),
        ("respond", RESPONDED),
        ("govern", RESPONDED + GOVERNED),
        ("correct", ()),
        ("import", ()),
        ("admin", RESPONDED + GOVERNED + ADMINS),
    ],
)
async def test_each_scope_may_what_it_says_and_nothing_beyond(
    client: httpx.AsyncClient, book: Book, scope: str, may: tuple[Any, ...]
) -> None:
    headers = bearer(await book.key("acme", scope))
    for asked in (*RESPONDED, *GOVERNED, *ADMINS):
        method, path, body = asked
        answer = await client.request(method, path, json=body, headers=headers)
        assert (answer.status_code != 403) == (asked in may), (method, path, answer.text)
        if asked in may:
            assert answer.status_code < 500, (method, path, answer.text)
        else:
            assert "lacks the scope" in answer.json()["detail"]
