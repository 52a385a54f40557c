"""The client library at a running door: what the vendors' SDKs return is on the topic, in our units."""

from __future__ import annotations

import asyncio

import openai

from spendmeter.contracts.event_reading import decode_event
from spendmeter_client import Drop, Meter
from tests.ingest.dialects.vendors import CONTENT, vendor
from tests.ingest.harness import Ingest, records_of


async def test_an_answer_and_a_stream_of_openais_sdk_are_on_the_topic(door: Ingest) -> None:
    drops: list[Drop] = []
    meter = Meter(door.url, door.keys["acme"], "shop", labels={"team": "search"}, on_drop=drops.append)
    with vendor() as url:
        ids = await asyncio.to_thread(_use, meter, url)
    assert await asyncio.to_thread(meter.flush, 20)
    meter.close()
    assert (drops, meter.stats.sent) == ([], 3)
    records = [record.value or b"" for record in await records_of(door.kafka, door.topic)]
    assert not [record for record in records if CONTENT.encode() in record]
    events = {event.id: event for event in map(decode_event, records)}
    quantities = {"input_tokens": 86, "cache_read_tokens": 1920, "output_tokens": 236, "reasoning_tokens": 64}
    for answered in ids[:2]:
        assert (events[answered].source, events[answered].data.usage) == ("call:openai", quantities)
        assert (events[answered].subject, events[answered].data.labels.team) == ("shop", "search")
    assert (events[ids[2]].source, events[ids[2]].data.usage) == ("shop", {"requests": 3})


def _use(meter: Meter, url: str) -> list[str]:
    """The ids under which the calls are known."""
    with openai.OpenAI(api_key="k", base_url=url + "/v1", max_retries=0) as client:
        asked = [{"role": "user", "content": CONTENT}]
        answer = client.chat.completions.create(model="gpt-4o", messages=asked)
        meter.response("openai", answer)
        stream = client.chat.completions.create(
            model="gpt-4o", messages=asked, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(meter.stream("openai", stream))
    return [answer.id, chunks[0].id, meter.record(provider="qdrant", model="cloud", usage={"requests": 3})]
