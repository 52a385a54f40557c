"""Gateways and other meters' clients, unchanged, at a running door: only the URL and the key are ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
import pytest
import requests
from cloudevents.conversion import to_binary, to_json, to_structured
from cloudevents.http import CloudEvent
from corehttp.exceptions import ClientAuthenticationError, HttpResponseError
from lago_python_client.client import Client as LagoClient
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent, Event
from openmeter import Client as OpenMeterClient
from openmeter.models import Event as OpenMeterEvent

from tests.ingest.dialects.litellm_gateway import CALLS, OPENAI_ID, SECRETS, run_litellm, vendors
from tests.ingest.dialects.test_metered import KONG, cloud_event
from tests.ingest.harness import BATCH, PATH, Ingest, event, records_of
from tests.ingest.test_door import on_topic, problem
from tests.waiting import until

NOW = datetime.now(UTC)
"""When the tests are read: events are of today."""


def prompt(id: str, tokens: str = "70", **more: Any) -> dict[str, Any]:
    data = {"tokens": tokens, "model": "gpt-4o", "type": "output"}
    return cloud_event("prompt", id, time=NOW.isoformat(), data=data) | more


async def usage_of(door: Ingest, *ids: str) -> dict[str, Any]:
    return {each["id"]: each["data"]["usage"] for each in await on_topic(door, *ids)}


def openmeter(door: Ingest, key: str = "acme") -> OpenMeterClient:
    return OpenMeterClient(endpoint=door.url, token=door.keys[key])


async def test_openmeters_client_sends_one_and_many(door: Ingest) -> None:
    client = openmeter(door)
    client.events.ingest_event(OpenMeterEvent(prompt("om-1", time=NOW)))
    client.events.ingest_events([OpenMeterEvent(prompt(f"om-{n}", str(n), time=NOW)) for n in (2, 3)])
    client.events.ingest_events_json(
        [OpenMeterEvent(prompt("om-4", time=NOW)), OpenMeterEvent(event("om-5"))]
    )
    assert await usage_of(door, *(f"om-{n}" for n in range(1, 6))) == {
        "om-1": {"output_tokens": 70}, "om-2": {"output_tokens": 2}, "om-3": {"output_tokens": 3},
        "om-4": {"output_tokens": 70}, "om-5": {"input_tokens": 5},
    }  # fmt: skip


def test_openmeters_client_reads_why_it_is_refused(door: Ingest) -> None:
    with pytest.raises(HttpResponseError) as caught:
        openmeter(door).events.ingest_event(OpenMeterEvent(cloud_event("heartbeat", time=NOW)))
    assert caught.value.status_code == 400
    assert "no meter knows this event type" in caught.value.response.text()
    assert caught.value.model is not None
    assert caught.value.model.status == 400
    with pytest.raises(ClientAuthenticationError):
        OpenMeterClient(endpoint=door.url, token="sm_none").events.ingest_event(OpenMeterEvent(prompt("x")))


@pytest.mark.parametrize("path", ["/openmeter/events", "/v3/openmeter/events", "/api/v3/openmeter/events"])
async def test_openmeters_newer_paths_take_kongs_pair_and_answer_202(door: Ingest, path: str) -> None:
    pair = [each | {"id": f"{path}{each['id']}", "time": NOW.isoformat()} for each in KONG]
    headers = {"Authorization": f"Bearer {door.keys['acme']}", "Content-Type": BATCH}
    answer = httpx.post(door.url + path, content=json.dumps(pair), headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")
    found = await usage_of(door, *(each["id"] for each in pair))
    assert list(found.values()) in ([{"input_tokens": 1000}, {"output_tokens": 200}], [{"output_tokens": 200}, {"input_tokens": 1000}])  # fmt: skip
    refused = httpx.post(door.url + path, content=json.dumps([cloud_event("x")]), headers=headers)
    assert problem(refused, 400)["instance"] == path


async def test_cloudevents_are_taken_in_both_modes_and_as_json(door: Ingest) -> None:
    def made(id: str) -> CloudEvent:
        said = prompt(id)
        return CloudEvent({name: said[name] for name in said if name != "data"}, said["data"])

    key = {"Authorization": f"Bearer {door.keys['acme']}"}
    for convert, name in ((to_structured, "ce-1"), (to_binary, "ce-2")):
        headers, body = convert(made(name))
        assert requests.post(door.url + PATH, headers=headers | key, data=body, timeout=30).status_code == 204
    own = CloudEvent(
        {"type": "spendmeter.usage.v1", "source": "bot", "subject": "s", "id": "ce-3"}, event()["data"]
    )
    headers, body = to_binary(own)
    assert requests.post(door.url + PATH, headers=headers | key, data=body, timeout=30).status_code == 204
    assert door.post(to_json(made("ce-4")), "application/cloudevents+json").status_code == 204
    output = {"output_tokens": 70}
    assert await usage_of(door, "ce-1", "ce-2", "ce-3", "ce-4") == {
        "ce-1": output, "ce-2": output, "ce-3": {"input_tokens": 5}, "ce-4": output,
    }  # fmt: skip


def lago(id: str, code: str = "litellm_tokens", **more: Any) -> Event:
    properties = {
        "model": "gpt-4o-mini",
        "prompt_tokens": 1200,
        "completion_tokens": 50,
        "response_cost": 0.0001332,
    }
    facts = {
        "transaction_id": id,
        "external_subscription_id": "acme-sub",
        "code": code,
        "properties": properties,
    }
    return Event(**facts | {"timestamp": int(NOW.timestamp()), "precise_total_amount_cents": None} | more)


async def test_lagos_client_sends_one_and_many_and_reads_what_was_taken(door: Ingest) -> None:
    client = LagoClient(api_key=door.keys["acme"], api_url=door.url)
    taken = client.events.create(lago("lago-1"))
    assert taken is not None
    assert (taken.transaction_id, taken.code, taken.external_subscription_id) == (
        "lago-1", "litellm_tokens", "acme-sub",
    )  # fmt: skip
    client.events.batch_create(BatchEvent(events=[lago("lago-2"), lago("lago-3")]))
    usage = {"input_tokens": 1200, "output_tokens": 50}
    assert await usage_of(door, "lago-1", "lago-2", "lago-3") == dict.fromkeys(
        ("lago-1", "lago-2", "lago-3"), usage
    )


def test_lagos_client_reads_why_it_is_refused(door: Ingest) -> None:
    client = LagoClient(api_key=door.keys["acme"], api_url=door.url)
    with pytest.raises(LagoApiError) as caught:
        client.events.create(lago("lago-x", "unheard-of"))
    assert (caught.value.status_code, caught.value.response["code"]) == (422, "validation_errors")
    with pytest.raises(LagoApiError) as caught:
        client.events.batch_create(BatchEvent(events=[lago("lago-y"), lago("lago-z", "unheard-of")]))
    assert list(caught.value.response["error_details"]) == ["1"]
    with pytest.raises(LagoApiError) as caught:
        LagoClient(api_key="sm_none", api_url=door.url).events.batch_create(BatchEvent(events=[lago("a")]))
    assert caught.value.status_code == 401


async def test_the_installed_litellm_is_metered_call_by_call_and_nothing_that_was_said_is_kept(
    door: Ingest,
) -> None:
    with vendors() as stand_in:
        run_litellm(
            CALLS, stand_in, "json_array", SPENDMETER_URL=door.url, SPENDMETER_KEY=door.keys["globex"]
        )
    records = [each.value for each in await records_of(door.kafka, door.topic)]
    found = [
        said
        for said in map(json.loads, records)
        if said.get("tenant") == "globex" and said["subject"] == "search-prod"
    ]
    by_sku = {said["data"]["sku"]: said for said in found}
    assert len(found) == 5
    assert by_sku["claude-sonnet-4-5"]["data"]["usage"] == {
        "input_tokens": 5, "cache_read_tokens": 128955, "cache_write_5m_tokens": 1000, "cache_write_1h_tokens": 253,
        "output_tokens": 10,
    }  # fmt: skip
    assert by_sku["claude-sonnet-4-5"]["data"]["reported_cost"] == {"amount": "0.0441195", "currency": "USD"}
    (openai,) = (said for said in found if said["id"] == OPENAI_ID)
    assert openai["source"] == "call:openai"
    assert openai["data"]["labels"]["team"] == "search"
    assert openai["data"]["labels"]["user"] not in ("", "end-1", "u-7")
    everything = b"".join(records) + door.log.read_bytes()
    for secret in (*SECRETS, "jo@example.com", "end-1"):
        assert secret.encode() not in everything, secret


CALLBACK = """
import asyncio, os, sys
import litellm
litellm.callbacks = [sys.argv[1]]

async def main():
    await litellm.acompletion(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "SECRETPROMPT"}],
        api_base=os.environ["VENDORS"] + "/v1", user="end-9", metadata={},
        proxy_server_request={"body": {"user": "end-9"}},
    )
    await asyncio.sleep(3)

asyncio.run(main())
"""


@pytest.mark.parametrize(("callback", "key"), [("openmeter", "acme"), ("lago", "globex")])
async def test_litellms_callbacks_for_other_meters_are_pointed_at_us(
    door: Ingest, callback: str, key: str
) -> None:
    settings = {
        "OPENMETER_API_ENDPOINT": door.url, "OPENMETER_API_KEY": door.keys[key], "LAGO_API_BASE": door.url,
        "LAGO_API_KEY": door.keys[key], "LAGO_API_EVENT_CODE": "litellm_tokens",
    }  # fmt: skip
    before = {(record.partition, record.offset) for record in await records_of(door.kafka, door.topic)}
    with vendors() as stand_in:
        run_litellm(CALLBACK, stand_in, callback, **settings)
    values = [
        json.loads(record.value)
        for record in await records_of(door.kafka, door.topic)
        if (record.partition, record.offset) not in before
    ]
    found = [
        said for said in values
        if said.get("tenant") == key and said["subject"] in ("litellm-proxy", "lago")
        and said["data"].get("normalised") == "assumed" and not said["id"].startswith("lago-")
    ]  # fmt: skip
    (call,) = found
    assert b"end-9" not in b"".join(json.dumps(said).encode() for said in values)
    assert call["data"]["usage"] == {"input_tokens": 1200, "output_tokens": 50}
    assert call["data"]["reported_cost"]["amount"] == "0.0001332"
    if callback == "openmeter":
        assert (call["source"], call["id"]) == ("call:openai", OPENAI_ID)


async def test_a_tenants_meter_counts_within_seconds_and_for_that_tenant_alone(door: Ingest) -> None:
    meter = [
        {
            "event_type": "image.generated",
            "provider": "openai",
            "sku": "$.model",
            "counted": True,
            "unit": "images",
        }
    ]
    connection = await asyncpg.connect(door.database)
    try:
        insert = "INSERT INTO meters (tenant, meters, reason, by) VALUES ('globex', $1, 'x', 'y')"
        await connection.execute(insert, json.dumps(meter))
    finally:
        await connection.close()
    sent = cloud_event("image.generated", "image-1", time=NOW.isoformat(), data={"model": "gpt-image-1"})
    await until(lambda: door.post(sent, key="globex").status_code == 204, "the meter to count")
    assert door.post(sent, key="acme").status_code == 400
    assert await usage_of(door, "image-1") == {"image-1": {"images": 1}}


async def test_litellms_payloads_are_refused_one_by_one(door: Ingest) -> None:
    good = {
        "id": "one-by-one", "status": "success", "custom_llm_provider": "openai", "model": "gpt-4o", "prompt_tokens": 3,
        "completion_tokens": 1, "startTime": 5, "metadata": {},
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {door.keys['acme']}", "Content-Type": "application/json"}

    def post(*payloads: Any) -> httpx.Response:
        return httpx.post(
            door.url + "/api/v1/litellm", content=json.dumps(payloads), headers=headers, timeout=30
        )

    answer = post(good, {**good, "id": None})
    assert answer.status_code == 200
    assert answer.json() == {"accepted": 1, "errors": [{"index": 1, "field": "id", "reason": "is missing"}]}
    assert problem(post({**good, "id": None}), 400)["errors"][0]["field"] == "id"
    assert post({**good, "cache_hit": True}).status_code == 204
    (found,) = await on_topic(door, "one-by-one")
    assert found["claimedtime"].startswith("1970-01-01"), "a clock that is wrong loses nothing"
