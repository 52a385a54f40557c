"""Providers' own answers through a running ingest, onto the topic."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import httpx

from deploy.local.home import CLONE
from services.ingest.provider_entrance import BOUNDS
from tests.ingest.dialects.provider_calls import JSONL, SSE, jsonl, sse
from tests.ingest.dialects.test_provider_money import chat, message
from tests.ingest.dialects.test_provider_rows import openai_row
from tests.ingest.dialects.test_provider_streams import CLAUDE_STREAM
from tests.ingest.harness import Ingest, records_of

CANARY = "tell-nobody-51b2c0"
USAGE = {
    "prompt_tokens": 10_000,
    "completion_tokens": 1_000,
    "prompt_tokens_details": {"cached_tokens": 8_000},
}


def post(
    door: Ingest, provider: str, body: Any, media: str = "application/json", query: str = "", **headers: str
) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Authorization": f"Bearer {door.keys['acme']}", "Content-Type": media} | headers
    return httpx.post(f"{door.url}/api/v1/usage/{provider}{query}", content=content, headers=sent, timeout=30)


async def sent_by(door: Ingest, *ids: str) -> dict[str, dict[str, Any]]:
    records = await records_of(door.kafka, door.topic)
    values = [json.loads(record.value) for record in records if record.value is not None]
    return {value["id"]: value for value in values if value.get("id") in ids}


async def test_an_answer_is_an_event_on_the_topic_under_its_own_identity(door: Ingest) -> None:
    gpt = "chatcmpl-D1xHDbslfkBeAs8l4bebGdFOJ6PeG"
    body = chat(USAGE, id=gpt, created=1_795_600_000)
    body["choices"][0]["message"]["content"] = CANARY
    answer = post(
        door,
        "openai",
        body,
        query="?label.team=search&label.feature=answers",
        **{"Spendmeter-Labels": "project=x"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    event = (await sent_by(door, gpt))[gpt]
    assert (event["source"], event["tenant"]) == ("call:openai", "acme")
    assert event["data"]["usage"] == {
        "input_tokens": 2_000,
        "cache_read_tokens": 8_000,
        "output_tokens": 1_000,
    }
    assert event["data"]["labels"] == {"team": "search", "feature": "answers", "project": "x"}


async def test_a_broken_stream_is_taken_with_a_remark_and_the_whole_one_has_its_identity(
    door: Ingest,
) -> None:
    claude = "msg_01YGEVEZKhBBDaowqtvVoZFMa"
    stream = json.loads(
        json.dumps(CLAUDE_STREAM).replace("msg_01XFDUDYJgAACzvnptvVoYEL", claude).replace("umbrella", CANARY)
    )
    early = post(door, "anthropic", sse(*stream[:5]), SSE)
    assert early.status_code == 200
    assert early.json() == {"accepted": 1, "errors": [], "skipped": {}, "noted": {"quantities estimated": 1}}
    assert post(door, "anthropic", sse(*stream), SSE).status_code == 204
    records = [
        json.loads(record.value) for record in await records_of(door.kafka, door.topic) if record.value
    ]
    both = [value for value in records if value.get("id") == claude]
    assert [value["data"].get("estimated", []) for value in both] == [["output_tokens"], []]
    assert {value["source"] for value in both} == {"call:anthropic"}


async def test_rows_of_a_batch_go_on_beside_those_that_are_named(door: Ingest) -> None:
    answer = post(
        door,
        "openai",
        jsonl(openai_row(7), b"{" + CANARY.encode(), openai_row(8, error={"message": CANARY}, response=None)),
        JSONL,
    )
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 1, "errors": [{"index": 1, "field": "line 2", "reason": "is no JSON object"}],
        "skipped": {"a failed request of a batch": 1}, "noted": {},
    }  # fmt: skip


async def test_what_cannot_be_metered_is_refused_and_says_what_to_send(door: Ingest) -> None:
    unknown = post(door, "esperanto", {"note": CANARY})
    assert unknown.status_code == 404
    assert "openai" in unknown.json()["detail"]
    nameless = post(door, "openai", chat(USAGE, id="chatcmpl-213"))
    assert nameless.status_code == 400
    ((error),) = nameless.json()["errors"]
    assert (error["field"], "Idempotency-Key" in error["reason"]) == ("id", True)
    assert (
        post(door, "openai", chat(USAGE, id="chatcmpl-213"), **{"Idempotency-Key": "door-1"}).status_code
        == 204
    )
    assert (await sent_by(door, "door-1"))["door-1"]["source"] == "raw:openai"
    assert (
        post(door, "openai", {"usage": {"prompt_tokens": CANARY}}, query="?model=m&id=k").status_code == 400
    )
    assert post(door, "anthropic", message({"input_tokens": 10**10, "output_tokens": 0})).status_code == 400
    assert post(door, "openai", chat(USAGE), media="text/plain").status_code == 415
    assert post(door, "openai", b" " * (BOUNDS.wire_bytes_max + 1)).status_code == 413
    assert httpx.post(f"{door.url}/api/v1/usage/openai", json=chat(USAGE), timeout=10).status_code == 401


async def test_a_large_answer_is_read_for_its_usage_alone(door: Ingest) -> None:
    """Four million letters of an image, and what stands behind them."""
    body = {
        "created": 1_795_600_000,
        "data": [{"b64_json": CANARY * 200_000}],
        "usage": {"input_tokens": 5, "output_tokens": 4_160},
    }
    assert post(door, "openai", body, query="?model=gpt-image-1&id=image-1").status_code == 204
    usage = (await sent_by(door, "image-1"))["image-1"]["data"]["usage"]
    assert usage == {"input_tokens": 5, "output_tokens": 0, "output_image_tokens": 4_160}


async def test_nothing_of_what_was_said_is_on_the_topic_or_in_the_log(door: Ingest) -> None:
    """After all of the above, which said it in ten places."""
    for record in await records_of(door.kafka, door.topic):
        assert CANARY.encode() not in (record.value or b"")
    assert CANARY not in door.log.read_text()


def test_every_command_of_the_page_is_taken(door: Ingest) -> None:
    """docs/raw-responses.md, as it stands but for the address and the key."""
    page = (CLONE / "docs/raw-responses.md").read_text("utf-8")
    script = page.split("```sh\n")[1].split("```")[0]
    script = script.replace("https://ingest.example.com", door.url).replace("sm_YOUR_KEY", door.keys["acme"])
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["204"] * script.count("echo ")
    assert done.stderr == ""
