"""Pseudonyms that can be forgotten, and tenants whose usage may go to one region alone: at the real door."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from services.ingest.pseudonyms import Pseudonyms, keyed
from services.ingest.refused import RequestRefused
from spendmeter.contracts.events import Labels
from spendmeter.contracts.series import FOLDED
from spendmeter.platform.keys import pin_tenant
from spendmeter.platform.roles import role_url
from tests.databases import SECRET
from tests.ingest.harness import BATCH, Ingest, event
from tests.ingest.test_door import on_topic, problem


@pytest.fixture
async def owner(door: Ingest) -> Any:
    connection = await asyncpg.connect(door.database)
    yield connection
    await connection.close()


def by(user: str, id: str, tenant: str = "acme") -> dict[str, Any]:
    sent = event(id, subject=f"{tenant}/bot")
    sent["data"]["labels"]["user"] = user
    return sent


async def called(door: Ingest, *ids: str) -> list[str]:
    found = {value["id"]: value["data"]["labels"]["user"] for value in await on_topic(door, *ids)}
    return [found[each] for each in ids]


def answered(door: Ingest, body: Any, key: str = "acme") -> None:
    assert door.post(body, BATCH, key=key).status_code == 204


async def test_a_user_is_called_the_same_in_a_tenants_month_and_otherwise_by_everybody_else(
    door: Ingest,
) -> None:
    answered(door, [by("maria", "p-1"), by("maria", "p-2"), by("paul", "p-3")])
    answered(door, [by("maria", "p-4")])
    answered(door, [by("maria", "p-5", "globex")], key="globex")
    first, again, paul, later, elsewhere = await called(door, "p-1", "p-2", "p-3", "p-4", "p-5")
    assert first == again == later
    assert len({first, paul, elsewhere}) == 3
    assert first.startswith("user:")
    assert "maria" not in first


async def test_who_is_forgotten_is_called_something_else_from_then_on_and_nobody_can_say_who_it_was(
    door: Ingest, owner: asyncpg.Connection
) -> None:
    answered(door, [by("erika", "e-1")])
    [before] = await called(door, "e-1")
    secret = await owner.fetchval(
        "SELECT secret FROM pseudonym_keys WHERE tenant = 'acme' AND month = $1", this_month()
    )
    assert await owner.fetchval(
        "SELECT pseudonym FROM pseudonyms WHERE keyed_user = $1", keyed(secret, "erika")
    ) == before  # fmt: skip
    await owner.execute("DELETE FROM pseudonyms WHERE keyed_user = $1", keyed(secret, "erika"))
    await owner.execute(
        "INSERT INTO erasures (tenant, pseudonyms, by, reason) VALUES ('acme', 1, 'a test', 'asked for')"
    )
    deadline, now = time.monotonic() + 10, before
    while now == before:
        assert time.monotonic() < deadline, "ingest remembers for 10 s at the most"
        sent = f"e-{time.monotonic()}"
        answered(door, [by("erika", sent)])
        [now] = await called(door, sent)
        time.sleep(0.3)
    assert not await owner.fetchval("SELECT 1 FROM pseudonyms WHERE pseudonym = $1", before)


@pytest.fixture
def names(door: Ingest) -> Iterator[Pseudonyms]:
    yield Pseudonyms(role_url(door.database, "ingest", SECRET))


def this_month() -> date:
    return datetime.now(UTC).date().replace(day=1)


def whom(name: str, month: date | None = None) -> tuple[str, date, bytes]:
    return ("globex", month or this_month(), keyed(b"k", name))


async def test_two_processes_call_somebody_the_same(door: Ingest) -> None:
    called = []
    for process in (Pseudonyms(role_url(door.database, "ingest", SECRET)) for _ in range(2)):
        request = process.of_request({})
        labels = [Labels(user="one"), Labels(user="two")]
        for each in labels:
            request.replace(each, whom(each.user))
        await process.settle(request)
        called.append([each.user for each in labels])
    assert called[0] == called[1]
    assert len(set(called[0])) == 2


async def test_beyond_the_room_of_a_month_further_users_are_one(
    names: Pseudonyms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.ingest.pseudonyms.USERS_MAX", 2)
    month = date(2031, 1, 1)
    seen = []
    for name in ("a", "b", "c", "a"):
        request, labels = names.of_request({}), Labels(user=name)
        request.replace(labels, whom(name, month))
        await names.settle(request)
        seen.append(labels.user)
    assert seen[2] == FOLDED
    assert seen[0] == seen[3] != seen[1]


async def test_without_postgres_new_users_wait_and_those_who_came_before_do_not() -> None:
    names = Pseudonyms("postgresql://127.0.0.1:9/none")
    names._known = {whom("known"): "user:1"}
    request, known, new = names.of_request({}), Labels(user="known"), Labels(user="new")
    request.replace(known, whom("known"))
    await names.settle(request)
    assert known.user == "user:1"
    request.replace(new, whom("new"))
    with pytest.raises(RequestRefused) as caught:
        await names.settle(request)
    assert caught.value.status == 503
    assert new.user == "", "no name goes anywhere"


async def test_a_pinned_tenants_usage_is_refused_where_it_may_not_go(
    door: Ingest, owner: asyncpg.Connection
) -> None:
    assert await pin_tenant(owner, "globex", "eu")
    try:
        deadline = time.monotonic() + 10
        while (answer := door.post(event("pinned"), key="globex")).status_code == 204:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert problem(answer, 403)["detail"] == (
            "tenant 'globex' is pinned to region 'eu', and this system is of no region"
        )
        by_operator = event("pinned-2", tenant="globex")
        assert door.post(by_operator, key="operator").status_code == 403
        assert door.post(event("free"), key="acme").status_code == 204
    finally:
        await pin_tenant(owner, "globex", "")
    deadline = time.monotonic() + 10
    while door.post(event("pinned-3"), key="globex").status_code != 204:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert not await pin_tenant(owner, "nobody", "eu")
