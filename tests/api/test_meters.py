"""Meters: set whole, read with who and why, for one tenant alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.api.book import Book

IMAGES = {
    "event_type": "image.generated", "provider": "openai", "sku": "$.model", "counted": True, "unit": "images",
    "labels": {"team": "$.team"},
}  # fmt: skip
BUILT_IN = ["kong.api_request", "kong.llm_request", "litellm_tokens", "prompt"]


async def put(client: httpx.AsyncClient, status: int = 200, **body: Any) -> Any:
    answer = await client.put("/v1/meters", json={"reason": "the studio's pictures", **body})
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_what_is_set_is_in_force_whole_with_who_when_and_why(acme: httpx.AsyncClient) -> None:
    none = (await acme.get("/v1/meters")).json()
    assert none == {"meters": [], "built_in": BUILT_IN, "revision": 0, "reason": "", "by": "", "at": None}
    first = await put(acme, meters=[IMAGES, {"event_type": "ping", "ignored": "a heartbeat"}])
    assert first["meters"] == [IMAGES, {"event_type": "ping", "ignored": "a heartbeat"}]
    assert (first["reason"], first["by"][:5]) == ("the studio's pictures", "key k")
    assert (await acme.get("/v1/meters")).json() == first
    assert (await put(acme, meters=[], revision=first["revision"]))["meters"] == []


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(acme: httpx.AsyncClient) -> None:
    first = await put(acme, meters=[IMAGES])
    await put(acme, meters=[], revision=first["revision"])
    assert "read it first" in (await put(acme, 409, meters=[IMAGES], revision=first["revision"]))["detail"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"event_type": "spendmeter.usage.v1"}, "meters.0.event_type"), ({"sku": "$..x"}, "meters.0.sku"),
        ({"unit": "prompt_tokens"}, "meters.0.unit"), ({"labels": {"A B": "x"}}, "meters.0.labels"),
    ],
)  # fmt: skip
async def test_a_meter_that_cannot_be_is_refused_by_its_field(
    acme: httpx.AsyncClient, wrong: dict[str, Any], field: str
) -> None:
    refused = await put(acme, 422, meters=[{**IMAGES, **wrong}])
    assert [error["field"] for error in refused["errors"]] == [field]


async def test_a_field_that_nobody_knows_is_a_mistake(acme: httpx.AsyncClient) -> None:
    await put(acme, 422, meters=[{**IMAGES, "aggregation": "SUM"}])


async def test_another_tenant_sees_nothing_of_it_and_who_only_reads_sets_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await put(acme, meters=[IMAGES])
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await acme.get("/v1/meters")).json()["meters"] == []
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert (await acme.get("/v1/meters")).json()["meters"] == [IMAGES]
    await put(acme, 403, meters=[])
