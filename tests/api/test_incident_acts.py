"""What people do about incidents is kept act by act, with who and why; and what is planned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.book import Book
from tests.api.test_governing import INCIDENT, incident

PATH = f"/v1/incidents/{INCIDENT}"
WHY = "agreed with finance"


def ahead(**lasting: int) -> str:
    return (datetime.now(UTC) + timedelta(**lasting)).isoformat()


async def acts(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get(f"{PATH}/acts")
    assert answer.status_code == 200, answer.text
    return [act["act"] for act in answer.json()["acts"]]


async def test_who_snoozes_an_incident_has_acknowledged_it_and_both_are_shown_at_once(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await incident(book, "acme", INCIDENT)
    before = (await acme.get(PATH)).json()
    assert (before["severity"], before["number"], before["repeats"], before["told"]) == (
        "warning",
        0,
        0,
        True,
    )
    assert (before["snoozed_until"], before["feedback"], before["planned"], before["parent"]) == (None,) * 4
    answer = await acme.post(f"{PATH}/snooze", json={"until": ahead(hours=4), "note": "vendor is at it"})
    assert answer.status_code == 200, answer.text
    asleep = answer.json()
    assert (asleep["state"], asleep["note"]) == ("acknowledged", "vendor is at it")
    assert asleep["snoozed_until"] is not None
    awake = (await acme.post(f"{PATH}/unsnooze", json={})).json()
    assert (awake["state"], awake["snoozed_until"]) == ("acknowledged", None)
    assert await acts(acme) == ["unsnooze", "snooze", "acknowledge"]


async def test_two_who_acknowledge_at_once_are_one(acme: httpx.AsyncClient, book: Book) -> None:
    await incident(book, "acme", INCIDENT)
    asked = [acme.post(f"{PATH}/acknowledge", json={"note": str(n)}) for n in range(8)]
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert await acts(acme) == ["acknowledge"]


async def test_what_is_over_is_not_snoozed_for_its_return_would_be_news(
    acme: httpx.AsyncClient, book: Book
) -> None:
    await incident(book, "acme", INCIDENT, state="resolved")
    refused = await acme.post(f"{PATH}/snooze", json={"until": ahead(hours=4)})
    assert (refused.status_code, refused.json()["title"]) == (409, "Over already")
    assert await acts(acme) == []


@pytest.mark.parametrize("until", [timedelta(minutes=-1), timedelta(days=31)])
async def test_a_snooze_lies_ahead_and_within_a_month(
    acme: httpx.AsyncClient, book: Book, until: timedelta
) -> None:
    await incident(book, "acme", INCIDENT)
    body = {"until": (datetime.now(UTC) + until).isoformat()}
    refused = await acme.post(f"{PATH}/snooze", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "until")
    assert await acts(acme) == []


async def test_the_last_feedback_counts_and_every_one_is_kept(acme: httpx.AsyncClient, book: Book) -> None:
    await incident(book, "acme", INCIDENT, state="resolved")
    for says in ("false_alarm", "expected"):
        answer = await acme.post(f"{PATH}/feedback", json={"says": says, "note": WHY})
        assert answer.status_code == 200, answer.text
        assert (answer.json()["feedback"]["says"], answer.json()["feedback"]["note"]) == (says, WHY)
    taken_back = await acme.post(f"{PATH}/feedback", json={"says": "no_feedback"})
    assert taken_back.json()["feedback"] is None
    assert await acts(acme) == ["no_feedback", "expected", "false_alarm"]


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("acknowledge", {}),
        ("snooze", {"until": ahead(hours=1)}),
        ("unsnooze", {}),
        ("feedback", {"says": "expected"}),
    ],
)
async def test_nobody_acts_on_an_incident_of_another_tenant_nor_with_a_key_that_reads(
    acme: httpx.AsyncClient, book: Book, act: str, body: dict[str, Any]
) -> None:
    await incident(book, "globex", INCIDENT)
    assert (await acme.post(f"{PATH}/{act}", json=body)).status_code == 404
    assert (await acme.get(f"{PATH}/acts")).status_code == 404
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read')}"
    assert (await acme.post(f"{PATH}/{act}", json=body)).status_code == 403
    assert await book.connection.fetchval("SELECT count(*) FROM incident_acts") == 0


async def test_the_parts_of_an_incident_are_found_by_it(acme: httpx.AsyncClient, book: Book) -> None:
    part = UUID(int=77)
    await incident(book, "acme", INCIDENT)
    await incident(book, "acme", part)
    await book.connection.execute("UPDATE incidents SET parent = $1 WHERE id = $2", INCIDENT, part)
    found = (await acme.get("/v1/incidents", params={"parent": str(INCIDENT)})).json()["incidents"]
    assert [each["id"] for each in found] == [str(part)]


def window(**changed: Any) -> dict[str, Any]:
    plan = {
        "name": "Backfill",
        "filter": {"team": "data"},
        "starts_at": ahead(hours=-1),
        "ends_at": ahead(hours=5),
    }
    return plan | {"reason": WHY} | changed


async def test_a_window_is_planned_shown_with_what_was_kept_in_it_and_called_off(
    acme: httpx.AsyncClient, book: Book
) -> None:
    made = await acme.post("/v1/planned-windows", json=window())
    assert made.status_code == 201, made.text
    plan = made.json()
    assert (plan["state"], plan["incidents"], plan["created_by"][:5]) == ("under_way", 0, "key k")
    await incident(book, "acme", INCIDENT)
    await book.connection.execute("UPDATE incidents SET planned = $1, told = false", UUID(plan["id"]))
    shown = (await acme.get(PATH)).json()
    assert (shown["planned"], shown["told"]) == ({"id": plan["id"], "name": "Backfill"}, False)
    [listed] = (await acme.get("/v1/planned-windows")).json()["windows"]
    assert listed["incidents"] == 1
    path = f"/v1/planned-windows/{plan['id']}"
    off = (await acme.delete(path, params={"reason": "not today"})).json()
    assert (off["state"], off["cancel_reason"]) == ("cancelled", "not today")
    again = await acme.delete(path, params={"reason": "again"})
    assert again.json()["cancel_reason"] == "not today"
    acme.headers["Authorization"] = f"Bearer {await book.key('globex', 'read', 'admin')}"
    assert (await acme.delete(path, params={"reason": "x"})).status_code == 404
    assert (await acme.get("/v1/planned-windows")).json() == {"windows": []}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"filter": {"customer": "x"}}, "a plan is for agent, workflow"),
        ({"ends_at": ahead(hours=-2)}, "ends after it starts"),
        ({"ends_at": ahead(days=40)}, "within 31 days"),
        ({"starts_at": ahead(hours=-3), "ends_at": ahead(hours=-2)}, "is over"),
        ({"reason": ""}, "at least 1 character"),
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(
    acme: httpx.AsyncClient, changed: dict[str, Any], reason: str
) -> None:
    refused = await acme.post("/v1/planned-windows", json=window(**changed))
    assert (refused.status_code, reason in refused.json()["detail"]) == (422, True), refused.text
