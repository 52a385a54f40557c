"""What people say of workflows: set whole, act by act, with who and why, for one tenant alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.book import Book

BY_HAND = {
    "currency": "USD",
    "roles": [{"role": "support agent", "minutes": "18", "hourly_rate": "42"}],
    "other_cost_per_case": "0.35",
    "failed_share": "0.04",
    "cases_per_month": "5200",
    "cycle_hours": "26",
}


async def put(client: httpx.AsyncClient, what: str, status: int = 200, **body: Any) -> Any:
    answer = await client.put(
        f"/v1/workflows/{what}", json={"workflow": "refund", "reason": "as measured in May", **body}
    )
    assert answer.status_code == status, answer.text
    return answer.json()


async def acts(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answer = await client.get("/v1/workflows/acts", params={"workflow": "refund"})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["acts"]
    return found


async def test_every_act_stays_with_who_when_and_why_and_the_last_one_holds(
    acme: httpx.AsyncClient,
) -> None:
    first = await put(acme, "settings", survival_days=7, outcome="refund_resolved")
    assert (first["survival_days"], first["outcome"], first["silence_accepts"]) == (
        7,
        "refund_resolved",
        False,
    )
    second = await put(acme, "settings", survival_days=30, reason="chargebacks come late")
    assert (second["survival_days"], second["outcome"]) == (30, "")
    told = await acts(acme)
    assert [(each["settings"]["survival_days"], each["reason"]) for each in told] == [
        (30, "chargebacks come late"),
        (7, "as measured in May"),
    ]
    assert told[0]["by"].startswith("key k")


async def test_a_version_is_said_to_be_of_a_kind_and_taken_back(acme: httpx.AsyncClient) -> None:
    await put(acme, "versions", version="by hand", kind="baseline", baseline=BY_HAND)
    cost = {"amount": "12000", "currency": "USD"}
    said = await put(acme, "versions", version="v2", kind="reimagined", change_cost=cost)
    assert (said["kind"], said["change_cost"], said["baseline"]) == ("reimagined", cost, None)
    removed = {"workflow": "refund", "version": "v2", "reason": "was another workflow"}
    answer = await acme.delete("/v1/workflows/versions", params=removed)
    assert answer.json()["acts"][0]["removed"]
    assert [(each["version"], each["version_settings"] is None) for each in await acts(acme)] == [
        ("v2", True),
        ("v2", False),
        ("by hand", False),
    ]
    assert (await acme.delete("/v1/workflows/versions", params=removed)).status_code == 404


async def test_what_somebody_else_said_meanwhile_is_not_overwritten(acme: httpx.AsyncClient) -> None:
    first = await put(acme, "versions", version="v2", kind="augmented")
    await put(acme, "versions", version="v2", kind="reimagined", revision=first["revision"])
    refused = await put(acme, "versions", 409, version="v2", kind="augmented", revision=first["revision"])
    assert "read it first" in refused["detail"]


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("settings", {"survival_days": 181}, "survival_days"),
        ("settings", {"value_per_accepted": {"amount": "-1", "currency": "USD"}}, "value_per_accepted.amount"),
        ("settings", {"value_per_accepted": {"amount": "1", "currency": "usd"}}, "value_per_accepted.currency"),
        ("versions", {"version": "v1", "kind": "better"}, "kind"),
        ("versions", {"version": "v1", "kind": "baseline"}, "body"),
        ("versions", {"version": "v1", "kind": "augmented", "baseline": BY_HAND}, "body"),
        ("versions", {"version": "v1", "kind": "baseline", "baseline": {**BY_HAND, "roles": []}}, "baseline.roles"),
        (
            "versions",
            {"version": "v1", "kind": "baseline", "baseline": {**BY_HAND, "failed_share": "1"}},
            "baseline.failed_share",
        ),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_by_its_field(
    acme: httpx.AsyncClient, what: str, body: dict[str, Any], field: str
) -> None:
    refused = await put(acme, what, 422, **body)
    assert [error["field"] for error in refused["errors"]] == [field]


async def test_another_tenant_sees_nothing_of_it_and_who_only_reads_says_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await put(acme, "settings", survival_days=7)
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert await acts(acme) == []
    acme.headers["Authorization"] = f"Bearer {await book.key('acme', 'read')}"
    assert len(await acts(acme)) == 1
    await put(acme, "settings", 403, survival_days=9)


async def test_the_commands_of_the_documentation_are_obeyed(acme: httpx.AsyncClient) -> None:
    page = Path("docs/workflows.md").read_text("utf-8")
    bodies = re.findall(r"^put (\S+) '(.*?)'$", page, re.MULTILINE | re.DOTALL)
    assert len(bodies) == 4
    for path, body in bodies:
        answer = await acme.put(f"/v1/{path}", json=json.loads(body))
        assert answer.status_code == 200, answer.text
    questions = re.findall(r"^ask (\S+)((?: -d \S+)*)", page, re.MULTILINE)
    assert len(questions) == 9
    for path, said in questions:
        asked = [tuple(one.split("=", 1)) for one in said.split(" -d ")[1:]]
        answer = await acme.get(f"/v1/{path}", params=asked)
        assert answer.status_code == 200, (path, asked, answer.text)
