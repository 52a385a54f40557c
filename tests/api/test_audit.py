"""The audit log as people read it: who changed what, what it was and became; of their own tenant alone."""

from __future__ import annotations

import csv
import io
from typing import Any

import httpx
import pytest

from tests.api.book import Book
from tests.api.test_channels import WEBHOOK
from tests.api.test_governing import make


async def changes(client: httpx.AsyncClient, **asked: Any) -> list[dict[str, Any]]:
    answer = await client.get("/v1/audit", params=asked)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["changes"]
    return found


def key_of(client: httpx.AsyncClient) -> str:
    return "key " + client.headers["Authorization"].split("_")[2]


async def test_a_budget_that_is_raised_says_by_whom_from_what_and_to_what(acme: httpx.AsyncClient) -> None:
    made = await make(acme, name="Search")
    await acme.patch(f"/v1/budgets/{made['id']}", json={"amount": "250.50"})
    changed, first = await changes(acme, object="budgets", object_id=made["id"])
    assert (changed["by"], changed["by_name"]) == (key_of(acme), "test")
    assert (first["act"], changed["act"]) == ("made", "changed")
    values = {each["field"]: (each["was"], each["became"]) for each in changed["differences"]}
    assert values["amount"] == ("100", "250.50")
    assert values["revision"] == (1, 2)
    assert "name" not in values


async def test_a_channels_address_and_secret_are_not_told_but_that_they_were_changed_is(
    acme: httpx.AsyncClient,
) -> None:
    made = (
        await acme.post("/v1/channels", json={"name": "ops", "kind": "webhook", "settings": WEBHOOK})
    ).json()
    answer = await acme.patch(
        f"/v1/channels/{made['id']}", json={"settings": {**WEBHOOK, "url": "https://other.example/y"}}
    )
    assert answer.status_code == 200, answer.text
    found = await acme.get("/v1/audit", params={"object": "channels"})
    assert [each["withheld"] for each in found.json()["changes"]] == [["settings"], ["settings"]]
    for hidden in (WEBHOOK["secret"], "hooks.example", "other.example"):
        assert hidden not in found.text


async def test_what_was_refused_changed_nothing_and_is_not_logged(acme: httpx.AsyncClient) -> None:
    refused = await acme.post("/v1/budgets", json={"name": "b", "amount": "-1"})
    assert refused.status_code == 422
    assert await changes(acme, by=key_of(acme)) == []


async def test_only_an_admin_reads_it_and_of_their_own_tenant_alone(
    client: httpx.AsyncClient, acme: httpx.AsyncClient, book: Book
) -> None:
    made = await make(acme, name="theirs")
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert made["id"] not in (await client.get("/v1/audit")).text
    assert await changes(client, object="budgets") == []
    client.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert (await client.get("/v1/audit")).status_code == 403


async def test_an_operator_reads_a_tenants_and_without_one_what_was_changed_for_everybody(
    operator: httpx.AsyncClient, book: Book
) -> None:
    everybodys = await changes(operator)
    assert {each["object"] for each in everybodys} == {"catalog_publications", "api_keys"}
    operator.headers["X-Spendmeter-Tenant"] = "acme"
    made = await make(operator, name="by the operator")
    [change] = await changes(operator, object="budgets")
    assert (change["object_id"], change["by"]) == (made["id"], key_of(operator))


async def test_pages_and_a_table_for_spreadsheets(acme: httpx.AsyncClient) -> None:
    for number in range(5):
        await make(acme, name=f"b{number}")
    first = (await acme.get("/v1/audit", params={"object": "budgets", "limit": 3})).json()
    second = (
        await acme.get("/v1/audit", params={"object": "budgets", "limit": 3, "cursor": first["next_cursor"]})
    ).json()
    numbers = [each["number"] for each in first["changes"] + second["changes"]]
    assert (len(numbers), numbers) == (5, sorted(numbers, reverse=True))
    assert second["next_cursor"] is None
    table = await acme.get("/v1/audit", params={"object": "budgets"}, headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [int(row["number"]) for row in rows] == numbers
    assert {row["act"] for row in rows} == {"made"}


@pytest.mark.parametrize(
    ("asked", "found"), [({"to": "2020-01-01"}, 0), ({"range": "today"}, 1), ({"by": "key k0"}, 0)]
)
async def test_it_is_filtered_by_time_and_by_whom(
    acme: httpx.AsyncClient, asked: dict[str, str], found: int
) -> None:
    await make(acme)
    assert len(await changes(acme, object="budgets", **asked)) == found
