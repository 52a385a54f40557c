"""What HTTP ingest answers, and what is on the topic afterwards: real Kafka, real Postgres."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from services.ingest.body import IN_FLIGHT_REQUESTS_MAX, WIRE_BYTES_MAX
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import encode_event
from spendmeter.platform.keys import create_key, revoke_key
from tests.ingest.harness import BATCH, ONE, PATH, Ingest, event, records_of
from tests.platform.clients import CLIENTS, Client

MB = 1_000_000
CANARY = "canary-7d1f0c"


async def on_topic(door: Ingest, *ids: str) -> list[dict[str, Any]]:
    """The topic's events with these ids, in no order."""
    values = [json.loads(record.value) for record in await records_of(door.kafka, door.topic)]
    return [value for value in values if value["id"] in ids]


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The answer as the problem that it must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["detail"]
    return found


async def test_an_acknowledged_event_is_on_the_topic_in_canonical_form_under_its_identity(
    door: Ingest,
) -> None:
    answer = door.post(event("first"))
    assert (answer.status_code, answer.content) == (204, b"")
    [record] = [r for r in await records_of(door.kafka, door.topic) if b'"first"' in r.value]
    assert record.key == identity("acme", "bot", "first")
    assert encode_event(read_event(record.value)) == record.value
    said = json.loads(record.value)
    assert said["tenant"] == "acme"
    assert said["keyid"] == door.keys["acme"].split("_")[2]
    assert said["time"] == said["receivedat"]


@pytest.mark.parametrize("suffix", ["", "; charset=utf-8"])
async def test_every_content_type_takes_what_it_announces(door: Ingest, suffix: str) -> None:
    ids = [f"type{suffix}-{n}" for n in range(4)]
    one, two, three, four = (event(name) for name in ids)
    for body, content_type in (
        (one, ONE),
        ([two], BATCH),
        (three, "application/json"),
        ([four], "application/json"),
    ):
        assert door.post(body, content_type + suffix).status_code == 204
    assert len(await on_topic(door, *ids)) == 4


async def test_a_gzipped_batch_of_a_thousand_is_taken_whole(door: Ingest) -> None:
    ids = [f"gzip-{n}" for n in range(1000)]
    body = gzip.compress(json.dumps([event(name) for name in ids]).encode())
    assert door.post(body, BATCH, headers={"Content-Encoding": "gzip"}).status_code == 204
    assert sorted(found["id"] for found in await on_topic(door, *ids)) == sorted(ids)


async def test_a_batch_with_one_bad_event_is_refused_whole_and_names_it(door: Ingest) -> None:
    bad = event("mixed-1", data={"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": -1}})
    found = problem(door.post([event("mixed-0"), bad, event("mixed-2")], BATCH), 400)
    assert [(error["index"], error["field"]) for error in found["errors"]] == [(1, "data.usage.input_tokens")]
    assert await on_topic(door, "mixed-0", "mixed-1", "mixed-2") == []


def bad_bodies() -> Iterator[tuple[str, bytes]]:
    """Each thing that people and machines send by mistake, in an otherwise good event."""
    good = json.dumps(event("bad"))
    for name, written in {
        "NaN": "NaN", "1e400": "1e400", "negative": "-1", "2^63": "9223372036854775808", "underscore": '"1_000"',
        "full-width digits": '"\uff11\uff12"', "infinite exponent": "1e99999999999999999999", "text": '"many"',
    }.items():  # fmt: skip
        yield name, good.replace(": 5", f": {written}").encode()
    for name, written in {
        "NUL": rb"\u0000", "raw NUL": b"\x00", "high surrogate": rb"\ud800", "low surrogate": rb"\udc00",
        "raw high surrogate": b"\xed\xa0\x80", "raw low surrogate": b"\xed\xb0\x80", "not UTF-8": b"\xff",
    }.items():  # fmt: skip
        yield name, good.encode().replace(b'"bad"', b'"bad' + written + b'"')
    yield "deep list", b"[" * 100_000 + b"]" * 100_000
    yield "deep event", good.replace('"bad"', '"bad", "more": ' + "[" * 100_000 + "]" * 100_000).encode()
    yield "no JSON", b"input_tokens=5"
    yield "another type", good.replace("spendmeter.usage.v1", "litellm_tokens").encode()
    yield "a large event", good.replace('"bad"', '"bad", "more": "' + "x" * 300_000 + '"').encode()


@pytest.mark.parametrize(("name", "body"), list(bad_bodies()), ids=[name for name, _ in bad_bodies()])
def test_bad_input_is_a_400_with_a_reason_alone_and_in_a_batch(door: Ingest, name: str, body: bytes) -> None:
    for sent in (body, b"[" + json.dumps(event("good beside bad")).encode() + b"," + body + b"]"):
        errors = problem(door.post(sent), 400)["errors"]
        assert all(error["reason"] for error in errors)
        assert errors


def test_another_type_is_named(door: Ingest) -> None:
    for kind, rule in (
        ("spendmeter.usage.v9", "unknown type"),
        ("heartbeat", "no meter knows this event type"),
    ):
        (error,) = problem(door.post(event(type=kind)), 400)["errors"]
        assert error["field"] == "type"
        assert rule in error["reason"]


def test_a_request_over_its_bounds_is_413_and_names_the_rule_with_memory_bounded(door: Ingest) -> None:
    assert door.process is not None
    process = psutil.Process(door.process.pid)
    door.post(event("warm"))
    before = process.memory_info().rss
    large = json.dumps(event(more="x" * 10 * MB)).encode()
    assert str(WIRE_BYTES_MAX) in problem(door.post(large), 413)["detail"]
    pieces = (large[at : at + 65_536] for at in range(0, len(large), 65_536))
    chunked = httpx.post(
        door.url + PATH,
        content=pieces,
        headers={"Authorization": f"Bearer {door.keys['acme']}", "Content-Type": ONE},
    )
    assert str(WIRE_BYTES_MAX) in problem(chunked, 413)["detail"]
    many = json.dumps([event(str(n)) for n in range(10_000)]).encode()
    assert str(WIRE_BYTES_MAX) in problem(door.post(many), 413)["detail"]
    for body, rule in (
        (many, "1000 events"),
        (b"[" + b" " * 100 * MB + b"]", "after decompression"),
        (b"[" + b"{}," * 3 * MB + b"{}]", "1000 events"),
        (b"[" * 10 * MB, "deep"),
        (json.dumps([event(data={"usage": [[]] * 60_000})] * 40).encode(), "data"),
    ):
        answer = door.post(gzip.compress(body), headers={"Content-Encoding": "gzip"})
        assert answer.status_code in {400, 413}
        assert rule in answer.text
    assert process.memory_info().rss - before < 80 * MB
    assert door.post(event("after the bombs")).status_code == 204


def test_other_encodings_and_content_types_are_415(door: Ingest) -> None:
    problem(door.post(event(), headers={"Content-Encoding": "br"}), 415)
    problem(door.post(event(), "text/plain"), 415)
    problem(door.post(event(), "application/json; charset=utf-16"), 415)
    problem(door.post(b"no gzip", headers={"Content-Encoding": "gzip"}), 400)


def test_a_request_without_a_good_key_is_401_and_one_without_the_scope_403(door: Ingest) -> None:
    other = {"Authorization": f"Bearer sm_live_k000000000000_{'x' * 43}"}
    for headers in (other, {"Authorization": ""}, {"Authorization": "Bearer nonsense"}):
        answer = door.post(event(), headers=headers)
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    problem(door.post(event(), key="reader"), 403)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_refusal_reaches_a_client_that_is_still_sending(door: Ingest, client: Client) -> None:
    def refusal(key: str, body: bytes, content_type: str = ONE, **more: str) -> tuple[int, str]:
        bearer = {"Authorization": f"Bearer {door.keys.get(key, 'nobody')}", "Content-Type": content_type}
        status, text = client(door.url + PATH, body, bearer | more)
        return status, json.loads(text)["detail"]

    large = b" " * 10 * MB
    assert refusal("nobody", large)[0] == 401
    assert refusal("reader", large)[0] == 403
    assert refusal("acme", large) == (
        413, f"a request may have at most {WIRE_BYTES_MAX} bytes (as sent, before decompression)"
    )  # fmt: skip
    assert refusal("acme", large, "text/plain")[0] == 415
    assert refusal("acme", large, **{"Content-Encoding": "br"})[0] == 415


async def test_another_tenants_name_is_403_and_nothing_is_taken(door: Ingest) -> None:
    sent = [event("mine"), event("theirs", tenant="globex")]
    assert "belongs to 'acme'" in problem(door.post(sent, BATCH), 403)["detail"]
    assert await on_topic(door, "mine", "theirs") == []


async def test_an_operator_sends_for_the_tenant_that_each_event_names(door: Ingest) -> None:
    sent = [event("op", tenant="acme"), event("op", tenant="globex")]
    assert door.post(sent, BATCH, key="operator").status_code == 204
    assert sorted(found["tenant"] for found in await on_topic(door, "op")) == ["acme", "globex"]
    problem(door.post(event(), key="operator"), 400)


async def test_content_in_any_unknown_field_reaches_neither_kafka_nor_the_log(door: Ingest) -> None:
    sent = event("canary", prompt=CANARY, datacontenttype=CANARY)
    sent["data"] |= {"messages": [{"content": CANARY}], "completion": CANARY, "cost_class": "model"}
    for part in ("labels", "context", "performance"):
        sent["data"].setdefault(part, {})["unknown"] = CANARY
    sent["data"]["outcome"] = {"name": "done", "unknown": CANARY}
    sent["data"]["labels"]["user"] = CANARY
    assert door.post(sent).status_code == 204
    spoiled = event("spoiled", type=CANARY)
    spoiled["data"]["cost_class"] = CANARY
    for body in (spoiled, CANARY.encode(), [spoiled], event(tenant=CANARY)):
        assert door.post(body, headers={"X-Note": CANARY}).status_code in {400, 403}
    assert door.post(event(), CANARY).status_code == 415
    [found] = await on_topic(door, "canary")
    assert found["data"]["labels"]["user"].startswith("user:")
    records = await records_of(door.kafka, door.topic)
    assert not [record for record in records if CANARY.encode() in record.value]
    assert CANARY not in door.log.read_text()


async def test_a_trusted_keys_reported_cost_is_flagged_and_another_cannot_flag_its_own(door: Ingest) -> None:
    for key in ("trusted", "acme"):
        assert door.post(event(f"flag-{key}", trustreportedcost=True), key=key).status_code == 204
    flags = {
        found["id"]: found.get("trustreportedcost")
        for found in await on_topic(door, "flag-trusted", "flag-acme")
    }
    assert flags == {"flag-trusted": True, "flag-acme": None}


async def test_a_revoked_key_stops_within_ten_seconds_and_a_new_one_works(door: Ingest) -> None:
    connection = await asyncpg.connect(door.database)
    try:
        door.keys["short"] = await create_key(connection, "acme", ["ingest"], name="short")

        async def until(status: int) -> float:
            began = time.monotonic()
            while door.post(event("short"), key="short").status_code != status:
                assert time.monotonic() - began < 10
                await asyncio.sleep(0.2)
            return time.monotonic() - began

        await until(204)
        assert await revoke_key(connection, door.keys["short"].split("_")[2])
        await until(401)
    finally:
        await connection.close()


def opened(door: Ingest, body: bytes) -> socket.socket:
    """A connection that has sent part of a body of a megabyte."""
    connection = socket.create_connection(("127.0.0.1", door.port), timeout=10)
    connection.sendall(
        f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {door.keys['acme']}\r\n"
        f"Content-Type: {ONE}\r\nContent-Length: {WIRE_BYTES_MAX}\r\n\r\n".encode()
        + body
    )
    return connection


def test_clients_that_break_off_leave_nothing_behind(door: Ingest) -> None:
    for _ in range(IN_FLIGHT_REQUESTS_MAX + 50):
        opened(door, b'{"half').close()
    assert door.post(event("after the broken ones")).status_code == 204


def test_what_is_in_flight_has_a_bound_beyond_which_the_answer_is_503(door: Ingest) -> None:
    assert door.process is not None
    before = psutil.Process(door.process.pid).memory_info().rss
    with ExitStack() as stack:
        slow = [stack.enter_context(opened(door, b"x" * (WIRE_BYTES_MAX - 1))) for _ in range(80)]
        deadline = time.monotonic() + 20
        while len(select.select(slow, [], [], 0.1)[0]) <= 10:  # some are turned away once it is full
            assert time.monotonic() < deadline
        answer = door.post(event("one too many"))
        problem(answer, 503)
        assert answer.headers["retry-after"]
        assert psutil.Process(door.process.pid).memory_info().rss - before < 250 * MB
        answered, _, _ = select.select(slow, [], [], 0)
        assert len(answered) > 10
        assert all(b" 503 " in connection.recv(100) for connection in answered)
    deadline = time.monotonic() + 10
    while door.post(event("one too many")).status_code != 204:
        assert time.monotonic() < deadline


async def test_the_callers_sampled_trace_continues_into_kafka(door: Ingest) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    for flag, name in (("01", "sampled"), ("00", "unsampled")):
        headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-{flag}"}
        assert door.post(event(name), headers=headers).status_code == 204
    records = {json.loads(r.value)["id"]: r for r in await records_of(door.kafka, door.topic)}
    [(header, value)] = records["sampled"].headers
    assert (header, value[:36]) == ("traceparent", f"00-{trace}-".encode())
    assert b"b7ad6b7169203331" not in value
    assert not records["unsampled"].headers


def test_the_counters_say_what_was_accepted_and_refused(door: Ingest) -> None:
    def counted(outcome: str) -> float:
        lines = httpx.get(door.url + "/metrics").text.splitlines()
        name = "spendmeter_ingest_events_total"
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name) and outcome in line)

    before = counted("accepted"), counted("refused")
    door.post([event("count-1"), event("count-2")])
    door.post(event("count-3", type="x"))
    assert (counted("accepted") - before[0], counted("refused") - before[1]) == (2, 1)
    assert "spendmeter_ingest_request_duration_seconds_count" in httpx.get(door.url + "/metrics").text


def test_the_description_is_complete_and_its_example_is_accepted(door: Ingest) -> None:
    description = httpx.get(door.url + "/openapi.json").json()
    operation = description["paths"][PATH]["post"]
    stated = {
        "200",
        "204",
        "400",
        "401",
        "403",
        "408",
        "413",
        "414",
        "415",
        "421",
        "422",
        "429",
        "431",
        "503",
    }
    assert operation["responses"].keys() == stated
    for content_type, content in operation["requestBody"]["content"].items():
        assert door.post(content["example"], content_type).status_code == 204
    assert "cost_class" in json.dumps(description["components"]["schemas"]["UsageData"])
    page = httpx.get(door.url + "/", follow_redirects=True).text
    assert "/openapi.json" in page
    scripts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert scripts
    assert all(httpx.get(door.url + script).status_code == 200 for script in scripts)
    problem(httpx.get(door.url + "/nothing"), 404)
    problem(httpx.get(door.url + PATH), 405)


def test_every_example_of_a_problem_is_of_its_own_status_and_as_it_is_answered(door: Ingest) -> None:
    description = httpx.get(door.url + "/openapi.json").json()
    schema = description["components"]["schemas"]["Problem"]
    assert {"type", "title", "status", "detail", "instance", "errors"} == set(schema["properties"])
    assert set(schema["properties"]["errors"]["items"]["required"]) == {"index", "field", "reason"}
    examples = {}
    for status, response in description["paths"][PATH]["post"]["responses"].items():
        if status >= "400" and status != "422":  # Lago's clients are refused in Lago's shape
            content = response["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert content["example"]["status"] == int(status)
            examples[int(status)] = content["example"]
    answered = {
        401: door.post(event(), headers={"Authorization": "Bearer sm_none"}),
        413: door.post([event()] * 1001),
        414: httpx.post(door.url + PATH + "?" + "x" * 9000),
        415: door.post(event(), "text/csv"),
        421: door.post(event(), headers={"Host": "elsewhere.test"}),
        431: door.post(event(), headers={f"x-{n}": "1" for n in range(101)}),
    }
    for status, answer in answered.items():
        assert problem(answer, status) == examples[status]
