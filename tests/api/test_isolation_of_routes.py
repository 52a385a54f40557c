"""Every route of the API, asked by another tenant with this one's ids: nothing of it is shown, nothing changed."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI

from tests.api.book import Book
from tests.api.test_assets import LAPTOP, days_ago
from tests.api.test_channels import WEBHOOK
from tests.api.test_governing import INCIDENT, incident
from tests.api.test_incident_acts import ahead, window
from tests.api.test_isolation import fill
from tests.api.test_label_maps import TEAM

MARK = "theirs-alone"
"""In a name of everything that is made."""
BY = {"reason": MARK}
DECISION = BY | {
    "title": MARK, "owner": MARK, "filter": {"team": MARK}, "from_model": "openai/gpt-4o",
    "to_model": "openai/gpt-4o-mini", "effective_day": days_ago(2),
}  # fmt: skip
READOUT = {
    "slug": "ours", "aggregation": "COUNT", "eventType": "spendmeter.usage.v1", "groupBy": {"subject": "$.team"},
}  # fmt: skip
FLOW = {"workflow": MARK, "version": "v1", "kind": "augmented"}
UUIDS = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
ELSEWHERE = {
    "/v1/corrections/{id}", "/v1/rerates/{id}", "/v1/rerates/{id}/apply", "/v1/rerates/{id}/cancel",
    "/v1/imports/{id}", "/v1/catalog/proposals/{id}", "/v1/catalog/proposals/{id}/reject",
    "/v1/catalog/proposals/{id}/approve", "/v1/catalog/pulls/{id}/withdraw", "/v1/exports/focus", "/v1/spend/live",
    "/v1/proof/findings/{finding}/seen", "/v1/periods/{period}/close", "/v1/periods/{period}/reopen",
}  # fmt: skip
"""What needs a corrector, a bill, a process of its own or an operator to be there, or has no end: their own tests ask as another tenant.
A month is everybody's own: that another's stays open shows tests/corrector/test_closings.py."""


async def made(client: httpx.AsyncClient, path: str, **body: Any) -> str:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201, 202), answer.text
    return str(answer.json().get("id", ""))


async def a_key(client: httpx.AsyncClient) -> str:
    answer = await client.post("/v1/keys", json={"name": MARK, "scopes": ["read"]})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key_id"])


async def a_person(client: httpx.AsyncClient) -> str:
    said = {"issuer": f"https://{MARK}.example", "subject": MARK, "name": MARK, "role": "viewer", **BY}
    answer = await client.put("/v1/people", json=said)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["person_id"])


@pytest.fixture
async def ids(client: httpx.AsyncClient, book: Book) -> dict[str, dict[str, str]]:
    return await one_of_everything(client, book)


async def one_of_everything(client: httpx.AsyncClient, book: Book) -> dict[str, dict[str, str]]:
    """By resource the ids in a path to what globex has: of each kind one. The client has globex' key then."""
    await fill(book)
    await incident(book, "globex", INCIDENT)
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin', 'reserve')}"
    budget = await made(
        client, "/v1/budgets", name=MARK, filter={"agent": MARK}, amount="10", hard={"key_share": "0.25"}
    )
    rule = await made(
        client, "/v1/rules", of="loop", name=MARK, filter={}, settings={"amount_min": "2"}, **BY
    )
    await made(client, "/v1/dimensions", name="customer", **BY)
    for path, body in (
        ("/v1/label-maps", {"labels": [TEAM | {"values": {"org-1": MARK}}]}),
        ("/v1/meters", {"meters": [{"event_type": MARK, "ignored": "a heartbeat"}]}),
        ("/v1/workflows/settings", {"workflow": MARK, "survival_days": 3}),
        ("/v1/workflows/versions", FLOW),
    ):
        answer = await client.put(path, json={**body, **BY})
        assert answer.status_code == 200, answer.text
    plan = {"first_day": "2026-11-01", "pools": [{"name": MARK, "filter": {}, "rule": "even"}], **BY}
    for dimension in ("customer", "team"):
        answer = await client.put(f"/v1/allocation-plans/{dimension}", json=plan)
        assert answer.status_code == 200, answer.text
    await book.spend("globex", "2026-11-23T10:00Z", "1", team=MARK)
    return {
        "budgets": {"id": budget},
        "budget-requests": {
            "id": await made(client, f"/v1/budgets/{budget}/requests", amount="20", reason=MARK)
        },
        "rules": {"id": rule, "run": await made(client, f"/v1/rules/{rule}/dry-run")},
        "planned-windows": {"id": await made(client, "/v1/planned-windows", **window(name=MARK))},
        "channels": {"id": await made(client, "/v1/channels", name=MARK, kind="webhook", settings=WEBHOOK)},
        "assets": {
            "id": await made(
                client, "/v1/assets", **LAPTOP | {"id": MARK, "name": MARK, "starts_on": days_ago(3)}
            )
        },
        "views": {"id": await made(client, "/v1/views", name=MARK, question="group_by=team")},
        "meters": {
            "meter": await made(client, "/api/v1/meters", **READOUT, description=MARK),
            "name": "subject",
        },
        "incidents": {"id": str(UUID(str(INCIDENT)))},
        "dimensions": {"name": "customer"},
        "allocation-plans": {"dimension": "customer"},
        "statements": {"cost_centre": MARK},
        "models": {"id": await made(client, "/v1/models/decisions", **DECISION)},
        "keys": {"key_id": await a_key(client)},
        "people": {"person_id": await a_person(client)},
    }


def paths_of(api: FastAPI, ids: dict[str, dict[str, str]]) -> list[tuple[str, str]]:
    """(method, path) of every route, with the ids of what globex has."""
    found = []
    for path, operations in api.openapi()["paths"].items():
        if path.startswith("/v1/session") or path in ELSEWHERE:
            continue
        named = ids.get(path.removeprefix("/api").split("/")[2], {})
        assert "{" not in path or named, f"{path}: make one in ids, or say in ELSEWHERE who asks"
        found += [(method, path.format(**named)) for method in operations]
    return found


QUERIES = {
    "/v1/invoices/variance": {"provider": "openai"},
    "/v1/runs": {"run": "r"},
    "/v1/exports/statement": {"cost_centre": MARK, "dataset": "billing_period"},
    "/v1/workflows/acts": {"workflow": MARK},
    "/v1/workflows/comparison": {"workflow": MARK},
    "/v1/catalog/changes": {"from": "2026-11-01"},
    "/v1/spend/changes": {"from": "2026-11-20", "to": "2026-11-27", "group_by": "team"},
    "/v1/models/estimate": {
        "candidates": "openai/gpt-4o",
        "calls_per_day": "1",
        "input_tokens": "1",
        "output_tokens": "1",
    },
    "/v1/catalog/model": {"provider": "openai", "sku": "gpt-4o"},
}

BODIES: tuple[Any, ...] = (
    None, {}, BY, READOUT, {"name": "ours"}, {"name": "ours", "question": "top=3"}, {"note": "x"}, {"amount": "1", **BY}, {"enabled": False, **BY},
    {"until": "2099-01-01T00:00:00Z", "note": "x"}, {"until": ahead(hours=3), "note": "x"},
    {"says": "expected"}, [{"day": days_ago(1), "active": 5}],
    {"id": "w-1", "day": days_ago(1), "hours": "7.5"}, {"retired_on": "2026-11-01"},
    {"first_day": "2026-11-01", "pools": [], **BY}, {"pools": []},
    {"workflow": MARK, "survival_days": 9, **BY}, FLOW | {"kind": "reimagined", **BY},
)  # fmt: skip
"""For each route that writes, one at least that would be obeyed if it were one's own."""


async def seen(client: httpx.AsyncClient, paths: list[tuple[str, str]]) -> dict[str, str]:
    """What each route that reads answers."""
    answers = {}
    for method, path in paths:
        if method == "get":
            answer = await client.get(path, params=QUERIES.get(path, {}))
            assert answer.status_code < 500, (path, answer.text)
            answers[path] = answer.text if answer.status_code == 200 else ""
    return answers


def ids_in(answers: dict[str, str]) -> set[str]:
    """What only whose answers these are knows."""
    return {each for text in answers.values() for each in UUIDS.findall(text)}


async def test_nobody_sees_or_changes_anything_of_another_tenant_by_any_route(
    api: FastAPI, client: httpx.AsyncClient, book: Book, ids: dict[str, dict[str, str]]
) -> None:
    paths = paths_of(api, ids)
    theirs = client.headers["Authorization"]
    before = await seen(client, paths)
    secret = ids_in(before)
    assert sum(MARK in text for text in before.values()) > 12
    assert secret >= {each for named in ids.values() for each in named.values() if UUIDS.fullmatch(each)}

    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read', 'admin', 'reserve')}"
    own = await seen(client, paths)
    for path, text in own.items():
        shown = {each for each in secret if each in text and each not in path}
        assert not shown, (path, shown)
        assert MARK not in text.replace(path, ""), path
        assert "globex" not in text, path
    for method, path in paths:
        if method != "get":
            asked = ({}, BY) if method == "delete" else ({},)
            statuses = {
                (await client.request(method, path, json=body, params=parameters)).status_code
                for body in BODIES
                for parameters in asked
            }
            assert max(statuses) < 500, (method, path)
            if any(each in path for of in ids.values() for each in of.values()):
                assert 404 in statuses, (method, path, statuses)
                assert min(statuses) >= 400, (method, path, statuses)

    client.headers["Authorization"] = theirs
    after = await seen(client, paths)
    assert {path for path in before if still(before[path]) != still(after[path])} == set()


def still(text: str) -> str:
    """Without what moves by itself: the time."""
    return re.sub(r'"\d{4}-\d\d-\d\dT[^"]*"', '""', text)
