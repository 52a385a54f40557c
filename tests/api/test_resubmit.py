"""An event sent again from the portal: passed on to ingest's door as it was written, by a key that may ingest."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiohttp import web
from fastapi import FastAPI

from services.api.events.ingest_door import PATH, IngestDoor
from services.api.events.resubmit import Resubmission, event_instead
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX
from tests.api.book import Book
from tests.ports import free_port

EVENT = '{"specversion": "1.0", "source": "bot", "data": {"usage": {"seconds": 1.10, "tokens": 12345678901234567890}}}'

DEEP = f'{{"a": {"[" * 100_000}{"]" * 100_000}}}'


class Door:
    """Stands where ingest does: what came through it, and what it answers next."""

    def __init__(self) -> None:
        self.came: list[tuple[str | None, str, bytes]] = []
        self.answer: tuple[int, dict[str, Any], dict[str, str]] = (204, {}, {})

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.headers["Authorization"], request.content_type, await request.read()))
        status, body, headers = self.answer
        if status == 204:
            return web.Response(status=204, headers=headers)
        return web.json_response(body, status=status, headers=headers)


@pytest.fixture
async def door(api: FastAPI) -> AsyncIterator[Door]:
    standing, app, port = Door(), web.Application(), free_port()
    app.router.add_post(PATH, standing.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    api.state.ingest_door = IngestDoor(f"http://127.0.0.1:{port}/")
    yield standing
    api.state.ingest_door = IngestDoor("")
    await runner.cleanup()


async def send(client: httpx.AsyncClient, key: str, **said: str) -> httpx.Response:
    body = {"key": key, "event": EVENT, "id": "a-again", "supersedes": "a", "source": "bot"} | said
    return await client.post("/v1/unbooked/resubmit", json=body)


def filled(text: str) -> str:
    return json.dumps({"a": text}, ensure_ascii=False)


def written(event: str, source: str = "bot") -> tuple[str, bytes]:
    said = {"key": "", "event": event, "id": "new", "supersedes": "old", "source": source}
    return event_instead(Resubmission(**said))


def test_quantities_stay_digit_by_digit_and_the_links_are_those_of_the_form() -> None:
    claimed = EVENT.replace('"source"', '"id": "x", "supersedes": "y", "supersedessource": "z", "source"')
    source, event = written(claimed)
    assert source == "bot"
    assert b'{"seconds":1.10,"tokens":12345678901234567890}' in event
    said = json.loads(event)
    assert (said["id"], said["source"], said["supersedes"]) == ("new", "bot", "old")
    assert "supersedessource" not in said


def test_an_event_of_another_source_says_whose_place_it_takes() -> None:
    source, event = written(EVENT, source="other")
    assert (source, json.loads(event)["supersedessource"]) == ("bot", "other")
    source, event = written("{}", source="other")
    assert (source, json.loads(event)["source"]) == ("other", "other")


@pytest.mark.parametrize("event", ["", "[]", "{", '{"source": 5}', "[" * 100_000, DEEP, '{"a": "\ud800"}'])
def test_what_is_no_event_is_refused_before_ingest_is_asked(event: str) -> None:
    with pytest.raises(HttpRefusal) as refused:
        written(event)
    assert refused.value.status == 422


async def test_it_goes_to_ingest_by_the_key_that_came_with_it(
    acme: httpx.AsyncClient, book: Book, door: Door
) -> None:
    key = await book.key("acme", "ingest")
    door.answer = (204, {}, {"Spendmeter-Dropped": "data.tracer"})
    answer = await send(acme, key)
    assert (answer.status_code, answer.json()) == (
        200, {"source": "bot", "id": "a-again", "dropped": "data.tracer"},
    )  # fmt: skip
    [(authorization, kind, event)] = door.came
    assert (authorization, kind) == (f"Bearer {key}", "application/cloudevents+json")
    assert json.loads(event)["supersedes"] == "a"


async def test_an_event_as_large_as_ingest_takes_is_sent_however_it_is_written(
    acme: httpx.AsyncClient, book: Book, door: Door
) -> None:
    """262,144 bytes at the door. Of é a byte of the event is three of the request, indented lines are longer still."""
    key = await book.key("acme", "ingest")
    largest = filled("é" * 131_000)
    said = {"key": key, "event": largest, "id": "a-again", "supersedes": "a", "source": "bot"}
    body = json.dumps(said)  # é as an escape of six bytes
    assert len(body) > 3 * 260_000
    headers = {"Content-Type": "application/json"}
    assert (await acme.post("/v1/unbooked/resubmit", content=body, headers=headers)).status_code == 200
    indented = json.dumps({"data": {"usage": {f"unit_{n}": [n] for n in range(9_000)}}}, indent=8)
    assert len(indented) > EVENT_BYTES_MAX
    assert (await send(acme, key, event=indented)).status_code == 200
    assert all(150_000 < len(event) <= EVENT_BYTES_MAX for _, _, event in door.came)


async def test_a_larger_event_is_refused_with_the_bound_and_so_is_a_larger_request(
    acme: httpx.AsyncClient, book: Book, door: Door
) -> None:
    key = await book.key("acme", "ingest")
    answer = await send(acme, key, event=filled("x" * 262_144))
    links = len('{"a":"","id":"a-again","source":"bot","supersedes":"a"}')
    assert (answer.status_code, answer.json()["detail"]) == (
        422, f"event: may have at most 262144 bytes, this one has {262_144 + links}",
    )  # fmt: skip
    answer = await send(acme, key, event=filled("x" * 1_048_576))
    assert (answer.status_code, answer.json()["detail"]) == (413, "a body has at most 1048576 bytes")
    assert door.came == []


async def test_a_key_that_may_not_ingest_or_is_of_another_tenant_sends_nothing(
    acme: httpx.AsyncClient, book: Book, door: Door
) -> None:
    keys = [
        await book.key("acme", "read", "admin"),
        await book.key("globex", "ingest"),
        await book.key("", "ingest"),
    ]
    for key in (*keys, "sm_test_k000000000000_" + "a" * 43, "nonsense"):
        answer = await send(acme, key)
        assert (answer.status_code, key in answer.text) == (403, False)
        assert answer.json()["detail"] == "send it with a live key of acme that has the scope ingest"
    assert door.came == []


async def test_what_ingest_refuses_is_said_with_its_reasons_and_ends_no_session(
    acme: httpx.AsyncClient, book: Book, door: Door
) -> None:
    key = await book.key("acme", "ingest")
    bad = {"index": 0, "field": "data.usage.tokens", "reason": "is no unit"}
    for status, problem, answered, detail in (
        (400, {"detail": "1 of 1 events are bad", "errors": [bad]}, 422, "data.usage.tokens: is no unit"),
        (413, {"detail": "an event has at most so many bytes"}, 422, "event: an event has at most so many bytes"),
        (401, {"detail": "the key is unknown"}, 403, "the key is unknown"),
        (503, {"detail": "the broker is away"}, 503, "whether ingest took it is unknown: send it again, under the same id"),
        (302, {}, 503, "whether ingest took it is unknown: send it again, under the same id"),
    ):  # fmt: skip
        door.answer = (status, problem, {"Location": "http://example.org"} if status == 302 else {})
        answer = await send(acme, key)
        assert (answer.status_code, answer.json()["detail"]) == (answered, detail)
    assert len(door.came) == 5


async def test_where_nobody_says_where_ingest_is_the_answer_names_the_setting_and_the_command(
    acme: httpx.AsyncClient, book: Book
) -> None:
    detail = (await send(acme, await book.key("acme", "ingest"))).json()["detail"]
    assert detail == "SPENDMETER_INGEST_URL does not say where ingest is: use `spendmeter send --file`"


async def test_an_ingest_that_is_away_may_be_asked_again(
    acme: httpx.AsyncClient, book: Book, door: Door, api: FastAPI
) -> None:
    api.state.ingest_door = IngestDoor(f"http://127.0.0.1:{free_port()}")
    answer = await send(acme, await book.key("acme", "ingest"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


async def test_a_session_sends_from_our_own_page_alone(
    client: httpx.AsyncClient, book: Book, door: Door
) -> None:
    key = await book.key("acme", "ingest", "read")
    assert (await client.post("/v1/session", json={"key": key})).status_code == 200
    assert (await send(client, key)).status_code == 403  # a browser says where it comes from
    client.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await send(client, key)).status_code == 403
    assert door.came == []
    client.headers["Sec-Fetch-Site"] = "same-origin"
    assert (await send(client, key)).status_code == 200
