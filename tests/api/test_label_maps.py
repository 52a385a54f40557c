"""Label maps: set whole, read with who and why, for one tenant alone; an operator's find tenants."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.book import Book

TEAM = {"attribute": "organization.id", "label": "team", "values": {"org-1": "platform"}}
OWN = {"attribute": "cost.center", "label": "cost_centre", "values": {}}


async def put(client: httpx.AsyncClient, status: int = 200, **body: Any) -> Any:
    answer = await client.put("/v1/label-maps", json={"reason": "one team an organisation", **body})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_what_is_set_is_in_force_whole_with_who_when_and_why(acme: httpx.AsyncClient) -> None:
    none = (await acme.get("/v1/label-maps")).json()
    assert (none["labels"], none["revision"], none["at"]) == ([], 0, None)
    assert none["signals"] == {"claude-code": "logs", "codex": "logs", "gemini-cli": "logs"}
    first = await put(acme, labels=[TEAM, OWN])
    assert first["labels"] == [TEAM, OWN]
    assert (first["reason"], first["by"][:5]) == ("one team an organisation", "key k")
    second = await put(acme, signals={"codex": "traces"}, revision=first["revision"])
    assert (second["labels"], second["signals"]) == ([], {**none["signals"], "codex": "traces"})
    assert (await acme.get("/v1/label-maps")).json() == second


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(acme: httpx.AsyncClient) -> None:
    first = await put(acme, labels=[TEAM])
    await put(acme, labels=[OWN], revision=first["revision"])
    assert "read it first" in (await put(acme, 409, labels=[], revision=first["revision"]))["detail"]
    assert (await acme.get("/v1/label-maps")).json()["labels"] == [OWN]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"attribute": "user.email"}, "labels.0.attribute"),
        ({"attribute": "a b"}, "labels.0.attribute"),
        ({"label": "user"}, "labels.0.label"),
        ({"label": "run"}, "labels.0.label"),
        ({"label": "tenant"}, "labels.0.label"),
        ({"values": {"org-1": ""}}, "labels.0.values"),
        ({"values": {"org-1": "x" * 129}}, "labels.0.values"),
        ({"values": {str(n): "x" for n in range(1001)}}, "labels.0.values"),
    ],
)
async def test_a_rule_that_cannot_be_is_refused_by_its_field(
    acme: httpx.AsyncClient, wrong: dict[str, Any], field: str
) -> None:
    refused = await put(acme, 422, labels=[{**TEAM, **wrong}])
    assert [error["field"] for error in refused["errors"]] == [field]


async def test_there_are_as_many_rules_as_there_is_room_for_and_tools_that_are_known(
    acme: httpx.AsyncClient,
) -> None:
    assert (await put(acme, 422, labels=[TEAM] * 51))["errors"][0]["field"] == "labels"
    assert (await put(acme, 422, signals={"cursor": "logs"}))["errors"][0]["field"] == "signals"
    await put(acme, 422, signals={"codex": "metrics"})


async def test_another_tenant_sees_nothing_of_it_and_who_only_reads_sets_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await put(acme, labels=[TEAM])
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await acme.get("/v1/label-maps")).json()["labels"] == []
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert (await acme.get("/v1/label-maps")).json()["labels"] == [TEAM]
    await put(acme, 403, labels=[])


async def test_an_operators_map_finds_tenants_and_a_tenants_key_sees_nothing_of_it(
    acme: httpx.AsyncClient, book: Book
) -> None:
    finds = {"attribute": "service.namespace", "label": "tenant", "values": {"shop": "acme"}}
    key = acme.headers["Authorization"]
    acme.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    assert (await put(acme, labels=[finds]))["labels"] == [finds]
    await put(acme, 422, labels=[TEAM])
    await put(acme, 422, signals={"codex": "logs"})
    named = await acme.get("/v1/label-maps", headers={"X-Spendmeter-Tenant": "acme"})
    assert named.json()["labels"] == []
    acme.headers["Authorization"] = key
    assert (await acme.get("/v1/label-maps")).json()["labels"] == []
