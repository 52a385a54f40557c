"""A tenant's own dimensions: declared, asked by, retired; and nobody else's business."""

from __future__ import annotations

from typing import Any

import httpx

from services.api.changes.models import ChangeContributor
from services.api.spend.models import SeriesRow
from services.api.unit_economics.models import UnitEconomicsRow
from spendmeter.contracts.dimensions import trouble_with_name
from tests.api.book import Book

DAY = {"from": "2026-11-23T00:00:00Z", "to": "2026-11-24T00:00:00Z"}
BUILT_IN = (
    "cost_class provider sku team project feature workflow workflow_version agent environment key_id".split()
)


async def declare(client: httpx.AsyncClient, name: str, status: int = 201) -> Any:
    answer = await client.post("/v1/dimensions", json={"name": name, "reason": "finance books by it"})
    assert answer.status_code == status, answer.text
    return answer.json()


async def asked(client: httpx.AsyncClient, **parameters: str) -> dict[str, Any]:
    answer = await client.get("/v1/spend", params=DAY | parameters)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def refused(client: httpx.AsyncClient, path: str, **parameters: str) -> str:
    answer = await client.get(path, params=DAY | parameters)
    assert answer.status_code == 422
    return str(answer.json()["detail"])


async def test_what_is_declared_is_listed_with_who_and_why(acme: httpx.AsyncClient) -> None:
    assert (await acme.get("/v1/dimensions")).json() == {"built_in": BUILT_IN, "own": []}
    await declare(acme, "customer")
    answer = await declare(acme, "cost_centre")
    assert [(own["name"], own["active"], own["reason"]) for own in answer["own"]] == [
        ("cost_centre", True, "finance books by it"),
        ("customer", True, "finance books by it"),
    ]
    assert all(own["by"].startswith("key k") for own in answer["own"])
    assert await declare(acme, "customer") == answer, "declared once more it stays as it is"


async def test_spend_is_grouped_and_filtered_by_it_like_by_any_other(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await declare(acme, "customer")
    for amount, named in (("1", {"customer": "c1"}), ("2", {"customer": "c2"}), ("4", {})):
        await book.spend("acme", "2026-11-23T10:00Z", amount, team="a", **named)
    await book.spend("acme", "2026-11-23T11:00Z", "8", team="b", customer="c1")
    totals = (await asked(acme, group_by="customer,team"))["totals"]
    assert [(row["customer"], row["team"], row["amount"]) for row in totals] == [
        ("c1", "b", "8"),
        ("", "a", "4"),
        ("c2", "a", "2"),
        ("c1", "a", "1"),
    ]
    answer = await asked(acme, **{"filter.customer": "c1", "group_by": "customer", "bucket": "hour"})
    assert [(row["customer"], row["amount"]) for row in answer["totals"]] == [("c1", "9")]
    assert [row["amount"] for row in answer["series"] if row["amount"] != "0"] == ["1", "8"]
    assert (await asked(acme, **{"filter.customer": ""}))["totals"][0]["amount"] == "4"
    others = (await asked(acme, group_by="customer", top="1"))["totals"]
    assert [(row["customer"], row["others"], row["amount"]) for row in others] == [
        ("c1", 0, "9"),
        (None, 2, "6"),
    ]


async def test_a_sheet_has_it_as_a_column(acme: httpx.AsyncClient, book: Book) -> None:
    await declare(acme, "customer")
    await book.spend("acme", "2026-11-23T10:00Z", "1", customer="c1")
    answer = await acme.get(
        "/v1/spend", params={**DAY, "group_by": "customer"}, headers={"Accept": "text/csv"}
    )
    head, row = (line.split(",") for line in answer.text.splitlines())
    assert row[head.index("customer")] == "c1"


async def test_a_budget_counts_what_its_filter_names(acme: httpx.AsyncClient, book: Book) -> None:
    budget = {"name": "c1", "amount": "100", "filter": {"customer": "c1", "team": "a"}, "period": "month"}
    answer = await acme.post("/v1/budgets", json=budget)
    assert (answer.status_code, "'customer' is not one of" in answer.text) == (422, True)
    await declare(acme, "customer")
    for amount, customer, team in (("1", "c1", "a"), ("2", "c2", "a"), ("4", "c1", "b")):
        await book.spend("acme", "2026-11-23T10:00Z", amount, team=team, customer=customer)
    answer = await acme.post("/v1/budgets", json=budget)
    assert (answer.status_code, answer.json()["spent"]) == (201, "1")


async def test_a_retired_one_can_still_be_asked_by_and_be_declared_again(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await declare(acme, "customer")
    await book.spend("acme", "2026-11-23T10:00Z", "1", customer="c1")
    retired = await acme.post("/v1/dimensions/customer/retire", json={"reason": "too many"})
    assert [(own["active"], own["reason"]) for own in retired.json()["own"]] == [(False, "too many")]
    assert (await asked(acme, group_by="customer"))["totals"][0]["customer"] == "c1"
    assert (await declare(acme, "customer"))["own"][0]["active"]
    gone = await acme.post("/v1/dimensions/nobodys/retire", json={"reason": "x"})
    assert gone.status_code == 404


async def test_names_that_are_none_or_taken_and_more_than_eight_are_refused(acme: httpx.AsyncClient) -> None:
    for name in ("team", "effective", "Customer", "x", "a-b"):
        await declare(acme, name, 422)
    for number in range(8):
        await declare(acme, f"own_{number}")
    await declare(acme, "own_8", 409)
    await acme.post("/v1/dimensions/own_0/retire", json={"reason": "room"})
    await declare(acme, "own_8")


async def test_an_unknown_one_is_refused_with_the_list_and_the_tenants_own_in_it(
    acme: httpx.AsyncClient,
) -> None:
    await declare(acme, "customer")
    for path, parameters in (
        ("/v1/spend", {"group_by": "costumer"}),
        ("/v1/spend", {"filter.costumer": "x"}),
        ("/v1/events", {"filter.costumer": "x"}),
    ):
        said = await refused(acme, path, **parameters)
        assert "'costumer' is not one of cost_class, " in said
        assert said.endswith("key_id, customer")


async def test_another_tenant_sees_and_uses_nothing_of_it(acme: httpx.AsyncClient, book: Book) -> None:
    await declare(acme, "customer")
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    assert (await acme.get("/v1/dimensions")).json()["own"] == []
    assert "customer" not in (await refused(acme, "/v1/spend", group_by="customer")).partition("one of")[2]


async def test_who_may_only_read_declares_nothing(acme: httpx.AsyncClient, book: Book) -> None:
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    await declare(acme, "customer", 403)


def test_no_dimension_is_called_as_a_field_of_a_row_that_it_stands_beside() -> None:
    for row in (ChangeContributor, SeriesRow, UnitEconomicsRow):
        assert [name for name in row.model_fields if not trouble_with_name(name)] == [], row


async def test_one_that_was_called_as_a_figure_is_before_nobody_could_is_filtered_by_and_never_a_second_figure(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await book.connection.execute(
        "INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ('acme', 'cost', 'declared', 'r', 'me')"
    )
    await book.spend("acme", "2026-11-23T10:00Z", "3", cost="high")
    for path in ("/v1/spend", "/v1/spend/changes"):
        assert "what a figure of the answer is called" in await refused(acme, path, group_by="team,cost")
    days = {"from": "2026-11-23", "to": "2026-11-24"}
    answer = await acme.get("/v1/unit-economics", params={**days, "group_by": "cost"})
    assert answer.status_code == 422, answer.text
    [row] = (await asked(acme, **{"filter.cost": "high"}))["totals"]
    assert row["amount"] == "3"
