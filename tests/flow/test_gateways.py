"""A LiteLLM gateway and Kong on a running system: what their calls cost is in the book, once each, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.flow.system import System, eventually
from tests.flow.test_terms import KEY_WITHIN_S, Newcomer
from tests.ingest.dialects.litellm_gateway import CALLS, OPENAI_ID, run_litellm, vendors
from tests.ingest.dialects.test_metered import KONG, LITELLM, cloud_event

METERS_WITHIN_S = 30


@pytest.fixture
def newcomer(system: System) -> Iterator[Newcomer]:
    made = Newcomer(system)
    yield made
    made.api.close()


def post(newcomer: Newcomer, path: str, body: Any) -> int:
    headers = {"Content-Type": "application/json"}
    return newcomer.api.post(
        f"{newcomer.system.ingest}{path}", content=json.dumps(body), headers=headers
    ).status_code


def test_calls_through_gateways_are_booked_once_at_what_vendors_charge(
    system: System, newcomer: Newcomer, tmp_path: Path
) -> None:
    eventually("the key", lambda: post(newcomer, "/api/v1/litellm", []) == 204, KEY_WITHIN_S, every_s=0.5)
    key = newcomer.api.headers["Authorization"].removeprefix("Bearer ")
    with vendors() as stand_in:
        run_litellm(CALLS, stand_in, "ndjson", SPENDMETER_URL=system.ingest, SPENDMETER_KEY=key)

    now = datetime.now(UTC).isoformat()
    assert post(newcomer, "/api/v3/openmeter/events", [each | {"time": now} for each in KONG]) == 202
    again = LITELLM | {"time": now, "id": OPENAI_ID}  # the same call by LiteLLM's callback for OpenMeter
    assert post(newcomer, "/api/v1/events", again) == 204

    file = tmp_path / "meters.toml"
    file.write_text(
        '[[meters]]\nevent_type = "search"\nprovider = "openai"\nsku = "gpt-4o"\nvalue = "$.n"\nunit = "input_tokens"\n'
    )
    system.cli("meters", "set", str(file), "--reason", "our own", "--tenant", newcomer.name)
    own = cloud_event("search", "search-1", time=now, data={"n": "2000"})
    eventually("the meter counts", lambda: post(newcomer, "/openmeter/events", own) == 202, METERS_WITHIN_S)

    def booked() -> Any:
        rows = newcomer.get("/v1/spend", group_by="provider,sku,agent")["totals"]
        found = {(row["provider"], row["sku"], row["agent"]): row for row in rows}
        return found if sum(row["events"] for row in rows) == 8 else None

    found = eventually("five calls, a pair and a search are booked", booked)
    effective = {name: Decimal(row["effective"]) for name, row in found.items()}
    # of pricing.md's golden cases: what was cached at its own prices
    assert effective["anthropic", "claude-sonnet-4-5", "search-prod"] == Decimal("0.0441195")
    # Kong: 1,000 x 2.50/M + 200 x 10/M
    assert effective["openai", "gpt-4o", "consumer:7"] == Decimal("0.0045")
    # the tenant's own meter: 2,000 x 2.50/M
    assert effective["openai", "gpt-4o", ""] == Decimal("0.005")
    assert effective["openai", "text-embedding-3-small", "search-prod"] == Decimal("0.00000016")
    receipt = newcomer.get("/v1/events", source="call:openai", id=OPENAI_ID)
    # 176 x 0.15/M + 1,024 x 0.075/M + 50 x 0.60/M: as first told of, with what was cached
    assert receipt["entries"][0]["effective"] == "0.0001332"
    assert "conflict" in receipt["summary"] or "booked once" in receipt["summary"]
