"""Providers' own answers, from what an application has in its hands to the receipt, on the real system."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import httpx

from tests.flow.system import System, eventually
from tests.ingest.dialects.provider_calls import SSE, sse
from tests.ingest.dialects.test_provider_streams import CLAUDE, CLAUDE_STREAM

ALPHABET = str.maketrans("0", "z")
"""Anthropic's ids have no 0."""


def post(system: System, provider: str, body: bytes, media: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {system.keys['acme']}", "Content-Type": media}
    query = {"label.team": "answers"}
    return httpx.post(
        f"{system.ingest}/api/v1/usage/{provider}", params=query, content=body, headers=headers, timeout=30
    )


def receipt(system: System, call: str, amount: str) -> dict[str, Any]:
    """Once the call comes to that amount."""
    asked = {"source": "call:anthropic", "id": call}
    headers = {"Authorization": f"Bearer {system.keys['acme']}"}

    def found() -> dict[str, Any] | None:
        answer = httpx.get(f"{system.api}/v1/events", params=asked, headers=headers, timeout=30)
        told: dict[str, Any] = answer.json()
        return told if answer.is_success and told["sums"] and told["sums"][0]["effective"] == amount else None

    return eventually(f"{amount} USD", found)


def test_a_stream_that_broke_off_costs_what_it_sent_until_the_whole_message_comes(system: System) -> None:
    """claude-sonnet-4-5 at 3 / 0.30 / 15: 25 x 3 + 100 x 0.30 + 11 x 15 = 270; then 15 x 15: 330, for a million."""
    call = "msg_01" + uuid4().hex[:22].translate(ALPHABET)
    stream = json.loads(json.dumps(CLAUDE_STREAM).replace(CLAUDE, call))
    broken = post(system, "anthropic", sse(*stream[:5]), SSE)
    assert broken.json()["noted"] == {"quantities estimated": 1}
    early = receipt(system, call, "0.00027")
    assert [entry["status"] for entry in early["entries"]] == ["provisional"]

    assert post(system, "anthropic", sse(*stream), SSE).status_code == 204
    late = receipt(system, call, "0.00033")
    assert [(entry["kind"], entry["status"]) for entry in late["entries"]] == [
        ("usage", "provisional"), ("reversal", "provisional"), ("replacement", "priced"),
    ]  # fmt: skip

    # another door, the same call: nothing is booked twice
    answer = stream[0]["message"] | {
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 15}
    }
    assert post(system, "anthropic", json.dumps(answer).encode(), "application/json").status_code == 204
    spent = system.get("/v1/spend", **{"range": "today", "filter.team": "answers", "group_by": "team"})
    assert spent["totals"][0]["effective"] == "0.00033"
