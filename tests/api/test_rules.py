"""Rules as data: on for everybody, changed by act with who and why, a tenant's own beside them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from spendmeter.contracts.alert_rules import DEFAULT_RULES, RULES_MAX
from tests.api.book import Book

WHY = "nightly batches are expected"


async def rules(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get("/v1/rules")
    assert answer.status_code == 200, answer.text
    return {rule["id"]: rule for rule in answer.json()["rules"]}


async def act_as(client: httpx.AsyncClient, book: Book, tenant: str, *scopes: str) -> None:
    key = await book.key(tenant, *(scopes or ("read", "admin")))
    client.headers["Authorization"] = f"Bearer {key}"


async def test_a_new_tenant_is_watched_by_every_rule_and_is_told_what_each_setting_means(
    acme: httpx.AsyncClient,
) -> None:
    found = await rules(acme)
    assert found.keys() == DEFAULT_RULES.keys()
    assert all(rule["enabled"] and rule["everybodys"] and rule["revision"] == 0 for rule in found.values())
    setting = found["minute-burst"]["settings"]["amount_min"]
    assert (setting["value"], setting["default"], setting["type"]) == ("1", "1", "amount")
    assert setting["means"] == "what the excess comes to at least"


async def test_a_change_keeps_the_rest_and_says_who_and_why(acme: httpx.AsyncClient, book: Book) -> None:
    change = {"settings": {"amount_min": "25.0"}, "enabled": False, "reason": WHY}
    first = (await acme.patch("/v1/rules/minute-burst", json=change)).json()
    assert (first["settings"]["amount_min"]["value"], first["enabled"]) == ("25", False)
    assert first["settings"]["score_min"]["value"] == "2"
    assert (first["reason"], first["by"][:5]) == (WHY, "key k")
    again = {
        "settings": {"score_min": "3"},
        "enabled": True,
        "reason": "again",
        "revision": first["revision"],
    }
    second = (await acme.patch("/v1/rules/minute-burst", json=again)).json()
    values = {name: each["value"] for name, each in second["settings"].items()}
    assert (values["amount_min"], values["score_min"], second["enabled"]) == ("25", "3", True)
    back = {"settings": {"amount_min": None}, "reason": "as it was"}
    third = (await acme.patch("/v1/rules/minute-burst", json=back)).json()
    assert third["settings"]["amount_min"]["value"] == "1"
    acts = (await acme.get("/v1/rules/minute-burst/history")).json()["acts"]
    assert [act["reason"] for act in acts] == ["as it was", "again", WHY]
    await act_as(acme, book, "globex")
    assert (await rules(acme))["minute-burst"]["revision"] == 0


async def test_what_somebody_else_changed_meanwhile_is_not_overwritten(acme: httpx.AsyncClient) -> None:
    await acme.patch("/v1/rules/loop", json={"enabled": False, "reason": WHY})
    late = await acme.patch("/v1/rules/loop", json={"enabled": True, "reason": WHY, "revision": 0})
    assert (late.status_code, "read it first" in late.json()["detail"]) == (409, True)


async def test_a_removed_default_is_what_it_was_and_a_removed_own_rule_is_gone(
    acme: httpx.AsyncClient,
) -> None:
    await acme.patch("/v1/rules/drift", json={"enabled": False, "reason": WHY})
    own = {"of": "burst", "name": "Payments", "filter": {"team": "payments"}, "reason": WHY}
    made = await acme.post("/v1/rules", json={**own, "settings": {"amount_min": "0.25"}})
    assert made.status_code == 201, made.text
    rule = made.json()
    assert (rule["everybodys"], rule["severity"], rule["filter"]) == (False, "critical", {"team": "payments"})
    for each in ("drift", rule["id"]):
        gone = await acme.delete(f"/v1/rules/{each}", params={"reason": "no more"})
        assert gone.status_code == 200, gone.text
        assert (gone.json()["acts"][0]["removed"], gone.json()["acts"][0]["reason"]) == (True, "no more")
    found = await rules(acme)
    assert found.keys() == DEFAULT_RULES.keys()
    assert (found["drift"]["enabled"], found["drift"]["revision"]) == (True, 0)
    assert (await acme.get(f"/v1/rules/{rule['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"settings": {"amount_min": "-1"}}, "settings.amount_min"),
        ({"settings": {"sensitivity": "3"}}, "settings.sensitivity"),
        ({"filter": {"colour": "red"}}, "filter.colour"),
    ],
)
async def test_what_cannot_be_is_refused_by_its_field(
    acme: httpx.AsyncClient, body: dict[str, Any], field: str
) -> None:
    refused = await acme.patch("/v1/rules/minute-burst", json={**body, "reason": WHY})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, field)
    assert (await rules(acme))["minute-burst"]["revision"] == 0


async def test_no_rule_of_another_tenant_can_be_seen_or_changed_and_who_reads_changes_nothing(
    acme: httpx.AsyncClient, book: Book
) -> None:
    body = {"of": "burst", "name": "Payments", "reason": WHY}
    rule = (await acme.post("/v1/rules", json=body)).json()["id"]
    await act_as(acme, book, "globex")
    assert (await acme.get(f"/v1/rules/{rule}")).status_code == 404
    assert (await acme.get(f"/v1/rules/{rule}/history")).status_code == 404
    off = {"enabled": False, "reason": WHY}
    assert (await acme.patch(f"/v1/rules/{rule}", json=off)).status_code == 404
    await act_as(acme, book, "acme", "read")
    assert (await acme.get(f"/v1/rules/{rule}")).status_code == 200
    assert (await acme.patch(f"/v1/rules/{rule}", json=off)).status_code == 403


async def test_there_are_as_many_rules_as_there_is_room_for(acme: httpx.AsyncClient, book: Book) -> None:
    await book.connection.execute(
        "INSERT INTO alert_rules (tenant, rule_id, of, name, severity, enabled, reason, by) "
        "SELECT 'acme', gen_random_uuid()::text, 'burst', 'n', 'info', true, 'r', 'key k' "
        f"FROM generate_series(1, {RULES_MAX})"
    )
    answer = await acme.post("/v1/rules", json={"of": "burst", "name": "one more", "reason": WHY})
    assert (answer.status_code, answer.json()["title"]) == (409, "Too many")


@pytest.mark.parametrize(
    ("of", "name", "says"),
    [
        ("first", "team", "all of the spend"),
        ("loop", "team", "is for workflow"),
        ("burst", "project", "is for agent"),
    ],
)
async def test_a_rule_is_not_added_for_a_part_that_it_cannot_tell(
    acme: httpx.AsyncClient, of: str, name: str, says: str
) -> None:
    body = {"of": of, "name": "Mine", "filter": {name: "x"}, "reason": WHY}
    refused = await acme.post("/v1/rules", json=body)
    assert (refused.status_code, says in refused.text) == (422, True), refused.text


@pytest.mark.parametrize(("of", "names"), [("shift", ("team", "agent")), ("drift", ("agent", "sku"))])
async def test_a_rule_of_days_that_would_watch_nothing_is_refused_with_the_reason(
    acme: httpx.AsyncClient, of: str, names: tuple[str, str]
) -> None:
    body = {"of": of, "name": "Mine", "filter": dict.fromkeys(names, "x"), "reason": WHY}
    refused = await acme.post("/v1/rules", json=body)
    assert (refused.status_code, "one dimension each" in refused.text) == (422, True), refused.text
    body["filter"] = {names[0]: "x"}
    assert (await acme.post("/v1/rules", json=body)).status_code == 201
