"""Corrections over HTTP: who may ask, what may be asked, and that nobody is told yes before the broker holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from services.api.corrections import asking, publish
from services.api.corrections.publish import CorrectionLog
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.corrections import CorrectionRequest, EventCorrection, RerateCancel
from spendmeter.contracts.event_identity import identity
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.settings import Settings
from tests.api.book import Book
from tests.api.corrector import FakeCorrector, note
from tests.api.test_events import ID, LINES, NOON, SOURCE, ask, event
from tests.ports import free_port

RETRACT = {"kind": "retract", "source": SOURCE, "id": ID, "reason": "a test run"}
AMEND = {"kind": "amend", "source": SOURCE, "id": ID, "reason": "counted twice"}


@pytest.fixture
def corrector(api: FastAPI, client: httpx.AsyncClient) -> FakeCorrector:
    return FakeCorrector(api)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for what does not come."""
    monkeypatch.setattr(asking, "SETTLED_S_MAX", 0.05)


async def retracted(book: Book, wanted: CorrectionRequest) -> None:
    assert isinstance(wanted, EventCorrection)
    await note(book, wanted, "applied", seqs=(1,))
    await book.entry(event(), "-0.01", [], seq=1, correction=wanted.id)


async def test_a_void_is_acknowledged_applied_and_on_the_receipt(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector
) -> None:
    await book.entry(event(), "0.01", LINES)
    corrector.settle = lambda wanted: retracted(book, wanted)
    answer = await acme.post("/v1/corrections", json=RETRACT)
    assert answer.status_code == 200, answer.text
    [wanted] = corrector.asked
    assert (wanted.identity, wanted.kind) == (identity("acme", SOURCE, ID), "retract")
    body = answer.json()
    assert (body["state"], body["summary"]) == ("applied", "retracted: now 0 USD (was 0.01 USD)")
    assert [(each["seq"], each["kind"], each["effective"]) for each in body["entries"]] == [
        (0, "usage", "0.01"), (1, "reversal", "-0.01"),
    ]  # fmt: skip
    assert answer.headers["Location"] == f"/v1/corrections/{wanted.id}"
    assert (await acme.get(answer.headers["Location"])).json() == body
    receipt = await ask(acme)
    assert receipt["summary"] == "retracted: now 0 USD (was 0.01 USD)"
    cause = receipt["entries"][1]["cause"]
    assert (cause["kind"], cause["reason"], cause["author"], cause["id"]) == (
        "retract", "a test run", wanted.by, wanted.id,
    )  # fmt: skip
    assert wanted.by.startswith("key k") and wanted.by.endswith(" (test)")


async def test_the_same_id_again_asks_for_nothing_and_another_wish_under_it_is_refused(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector
) -> None:
    await book.entry(event(), "0.01", LINES)
    corrector.settle = lambda wanted: retracted(book, wanted)
    named = RETRACT | {"correction_id": str(uuid4())}
    first = await acme.post("/v1/corrections", json=named)
    assert (await acme.post("/v1/corrections", json=named)).json() == first.json()
    assert len(corrector.asked) == 1
    other = await acme.post("/v1/corrections", json=named | {"id": "another"})
    assert other.status_code == 409
    assert "says something else" in other.json()["detail"]


async def test_without_the_brokers_word_there_is_no_yes(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector
) -> None:
    corrector.away = True
    wanted = str(uuid4())
    answer = await acme.post("/v1/corrections", json=RETRACT | {"correction_id": wanted})
    assert (answer.status_code, answer.json()["id"]) == (503, wanted)
    assert int(answer.headers["Retry-After"]) > 0


async def test_what_is_not_settled_in_time_is_202_and_says_where_to_look(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector, soon: None
) -> None:
    answer = await acme.post("/v1/corrections", json=RETRACT)
    assert (answer.status_code, answer.json()["state"]) == (202, "sent")
    assert answer.headers["Location"] in answer.json()["summary"]
    assert (await acme.get(answer.headers["Location"])).status_code == 404
    await note(book, corrector.asked[0], "waiting", why="the event is not booked yet")
    found = (await acme.get(answer.headers["Location"])).json()
    assert (found["state"], found["summary"]) == ("waiting", "waiting: the event is not booked yet")


async def test_each_amend_of_an_event_is_the_next_revision_unless_it_says_which(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector
) -> None:
    async def settle(wanted: Any) -> None:
        await note(book, wanted, "duplicate", why="the event says so already")

    corrector.settle = settle
    patch = {"usage": {"input_tokens": 5}}
    for body in ({}, {}, {"revision": 7}, {}):
        assert (await acme.post("/v1/corrections", json=AMEND | body | {"patch": patch})).status_code == 200
    assert [each.revision for each in corrector.asked] == [0, 1, 7, 8]


async def test_the_same_id_with_another_revision_is_refused_and_the_highest_revision_is_no_end(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector
) -> None:
    async def settle(wanted: Any) -> None:
        await note(book, wanted, "duplicate", why="the event says so already")

    corrector.settle = settle
    amend = AMEND | {"patch": {"usage": {"input_tokens": 5}}}
    named = amend | {"correction_id": str(uuid4()), "revision": 2**31 - 1}
    assert (await acme.post("/v1/corrections", json=named)).status_code == 200
    assert (await acme.post("/v1/corrections", json=named | {"revision": 3})).status_code == 409
    unrevised = {name: value for name, value in named.items() if name != "revision"}
    assert (await acme.post("/v1/corrections", json=unrevised)).status_code == 200
    assert (await acme.post("/v1/corrections", json=amend)).status_code == 200
    assert [each.revision for each in corrector.asked] == [2**31 - 1, 2**31 - 1]


async def test_a_quantity_arrives_digit_by_digit(
    acme: httpx.AsyncClient, corrector: FakeCorrector, soon: None
) -> None:
    patch = '{"usage": {"gpu_seconds": 123456789.123456789012}}'
    body = f'{{"kind": "amend", "source": "s", "id": "i", "reason": "r", "patch": {patch}}}'
    answer = await acme.post("/v1/corrections", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 202, answer.text
    assert bytes(corrector.asked[0].patch).decode() == patch


@pytest.mark.parametrize(
    "patch, field, rule",
    [
        ({"time": "2026-01-01T00:00:00Z"}, "patch.time", "`supersedes`"),
        ({"tenant": "globex"}, "patch.tenant", "no amend changes it"),
        ({"id": "x"}, "patch.id", "retract the event"),
        ({"labels": {"user": "hmac:1"}}, "patch.labels.user", "is a pseudonym"),
        ({"labels": {"folded": []}}, "patch.labels.folded", "ingest's word"),
        ({"labels": {"folded": None}}, "patch.labels.folded", "ingest's word"),
        ({"labels": None}, "patch.labels", "null takes one away"),
        ({"labels": {"taem": "x"}}, "patch.labels.taem", "is not a field"),
        ({"labels": {"own": {"region": "eu"}}}, "patch.labels.own.region", "ever declared"),
        ({"price": 5}, "patch", "no such field; it has provider, sku, usage"),
        ({"usage": {"input_tokens": -1}}, "patch.usage.input_tokens", "at least 0"),
        ({"usage": {"input_tokens": 1.5}}, "patch.usage.input_tokens", "whole number"),
        ({"usage": {"prompt_tokens": 1}}, "patch.usage.prompt_tokens", "input_tokens"),
        ({"provider": None}, "patch", "provider"),
        ({"labels": {"team": "a\u200bb"}}, "patch.labels.team", "cannot be seen"),
        ({}, "patch", "names what changes"),
        (None, "patch", "is needed"),
    ],
)
async def test_what_no_event_could_say_is_refused_with_the_rule(
    acme: httpx.AsyncClient, corrector: FakeCorrector, patch: Any, field: str, rule: str
) -> None:
    answer = await acme.post("/v1/corrections", json=AMEND | {"patch": patch})
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert rule in error["reason"]
    assert corrector.asked == []


async def test_an_amend_states_dimensions_that_the_tenant_declared_and_takes_any_away(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector, soon: None
) -> None:
    for tenant, name, act in (
        ("acme", "region", "declared"),
        ("acme", "region", "retired"),
        ("globex", "customer", "declared"),
    ):
        statement = (
            "INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ($1, $2, $3, 'x', 'key k')"
        )
        await book.connection.execute(statement, tenant, name, act)
    patch: dict[str, Any] = {"labels": {"own": {"region": "eu", "customer": None}}}
    assert (await acme.post("/v1/corrections", json=AMEND | {"patch": patch})).status_code == 202
    patch["labels"]["own"]["customer"] = "c1"
    answer = await acme.post("/v1/corrections", json=AMEND | {"patch": patch})
    assert [each["field"] for each in answer.json()["errors"]] == ["patch.labels.own.customer"]
    assert len(corrector.asked) == 1


@pytest.mark.parametrize(
    "body, field",
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"source": ""}, "source"),
        ({"kind": "void"}, "kind"),
        ({"patch": {"sku": "x"}}, "patch"),
        ({"revision": 1}, "revision"),
        ({"correction_id": "fix/1"}, "correction_id"),
        ({"author": "me"}, "author"),
    ],
)
async def test_a_bad_request_names_its_field(
    acme: httpx.AsyncClient, corrector: FakeCorrector, body: dict[str, Any], field: str
) -> None:
    answer = await acme.post("/v1/corrections", json=RETRACT | body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field
    assert corrector.asked == []


@pytest.mark.parametrize(
    "scopes, status", [(["ingest"], 403), (["ingest", "read"], 403), (["correct"], 202), (["admin"], 202)]
)
async def test_who_sends_or_reads_usage_corrects_none(
    client: httpx.AsyncClient,
    book: Book,
    corrector: FakeCorrector,
    soon: None,
    scopes: list[str],
    status: int,
) -> None:
    client.headers["Authorization"] = f"Bearer {await book.key('acme', *scopes)}"
    answer = await client.post("/v1/corrections", json=RETRACT)
    assert answer.status_code == status
    assert ("scope" in answer.text) == (status == 403)


async def test_a_tenant_means_its_own_event_and_an_operator_that_of_the_tenant_it_names(
    client: httpx.AsyncClient, book: Book, corrector: FakeCorrector, soon: None
) -> None:
    """globex names acme's event by source and id, and means one of its own that nobody knows."""
    await book.entry(event(), "0.01", LINES)
    client.headers["Authorization"] = f"Bearer {await book.key('globex', 'correct')}"
    theirs = await client.post("/v1/corrections", json=RETRACT)
    assert (theirs.status_code, theirs.json()["entries"]) == (202, [])
    await note(book, corrector.asked[0], "unknown", why="no such event ever came")
    client.headers["Authorization"] = f"Bearer {await book.key('', 'admin')}"
    assert (await client.post("/v1/corrections", json=RETRACT)).status_code == 400
    for_acme = {"X-Spendmeter-Tenant": "acme"}
    assert (await client.post("/v1/corrections", json=RETRACT, headers=for_acme)).status_code == 202
    assert [each.tenant for each in corrector.asked] == ["globex", "acme"]
    assert corrector.asked[1].by.startswith("operator key k")
    assert (await client.get("/v1/corrections", headers=for_acme)).json()["corrections"] == []


async def test_corrections_are_listed_newest_first_by_state_and_page_by_page(
    acme: httpx.AsyncClient, book: Book, corrector: FakeCorrector, soon: None
) -> None:
    for number in range(3):
        await acme.post("/v1/corrections", json=RETRACT | {"id": f"e{number}"})
    for number, wanted in enumerate(corrector.asked):
        await note(book, wanted, "refused" if number == 1 else "duplicate", why="because")
    listed = (await acme.get("/v1/corrections", params={"limit": "2"})).json()
    assert [each["id"] for each in listed["corrections"]] == ["e2", "e1"]
    rest = (await acme.get("/v1/corrections", params={"limit": "2", "cursor": listed["next_cursor"]})).json()
    assert ([each["id"] for each in rest["corrections"]], rest["next_cursor"]) == (["e0"], None)
    refused = (await acme.get("/v1/corrections", params={"state": "refused"})).json()["corrections"]
    assert [each["id"] for each in refused] == ["e1"]
    before = (NOON - timedelta(days=30)).strftime("%Y-%m-%d")
    assert (await acme.get("/v1/corrections", params={"to": before})).json()["corrections"] == []
    for path in ("/v1/corrections", "/v1/rerates"):
        assert (await acme.get(path, params={"to": "0001-06-01"})).status_code == 422


async def test_a_broker_that_is_away_is_503_in_time_and_asked_again_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publish, "DEADLINE_S", 1)
    log = CorrectionLog(
        Settings(kafka=KafkaAccess.of({"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{free_port()}"}))
    )
    wanted = RerateCancel(id="job", tenant="acme", by="key k1", at=NOON)
    for _ in range(2):
        with pytest.raises(HttpRefusal, match="under the id job") as refused:
            await log.publish(wanted)
        assert (refused.value.status, refused.value.members["id"]) == (503, "job")
    await log.aclose()
