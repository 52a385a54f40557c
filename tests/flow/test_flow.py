"""From an event sent to its receipt, through everything that lies between, with literal prices."""

from __future__ import annotations

import csv
import json
import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaProducer

from cli._welcome import welcome
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.topics import partition_of
from tests.flow.book import money, position, settled
from tests.flow.system import System, eventually, usage_event

TRACE = Path(__file__).parents[2] / ".." / "shared" / "data" / "traces" / "azure_llm_2023_conv.csv"
INPUT_USD, OUTPUT_USD = Decimal("0.0000025"), Decimal("0.00001")
"""gpt-4o: 2.50 and 10.00 USD per million tokens."""
JUNK = (b"\x93\xff\x00 random", b"", None)


def stamped(event: dict, tenant: str = "acme") -> bytes:
    """The event as ingest puts it on the topic."""
    now = datetime.now(UTC).isoformat()
    return json.dumps(event | {"tenant": tenant, "keyid": "k0", "time": now, "receivedat": now}).encode()


def key_of(event: dict, tenant: str = "acme") -> bytes:
    return identity(tenant, event["source"], event["id"])


async def test_an_event_is_priced_booked_and_explained(system: System, owner: asyncpg.Connection) -> None:
    event_id = f"one/{uuid4().hex}"  # ids contain slashes
    usage = {"input_tokens": 2000, "cache_read_tokens": 8000, "output_tokens": 1000}
    assert system.send(usage_event(event_id, usage=usage)).status_code == 204

    def receipt() -> dict | None:
        try:
            found = system.get("/v1/events", source="flow", id=event_id)
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == 404, error
            return None  # still on its way
        return found if "booked" in json.dumps(found) else None

    text = json.dumps(eventually("the receipt", receipt, 10))
    assert "0.025" in text
    stored = await owner.fetchval(
        "SELECT effective FROM entries WHERE identity = $1", identity("acme", "flow", event_id)
    )
    assert stored == Decimal("0.025")


@pytest.mark.skipif(not TRACE.exists(), reason="the Azure trace (../shared/data/traces) is not here")
async def test_a_trace_replayed_twice_is_booked_once(system: System, owner: asyncpg.Connection) -> None:
    with TRACE.open() as file:
        rows = list(csv.DictReader(file))
    expected = sum(
        int(row["ContextTokens"]) * INPUT_USD + int(row["GeneratedTokens"]) * OUTPUT_USD for row in rows
    )
    team = f"replay-{uuid4().hex[:6]}"
    for _ in range(2):
        system.cli("replay", TRACE, "--model", "openai/gpt-4o", "--label", f"team={team}", timeout=120)
    source = await owner.fetchval(
        "SELECT event::jsonb->>'source' FROM entries JOIN series USING (series_id) WHERE team = $1 LIMIT 1",
        team,
    )
    counted = await settled(owner, source, 2 * len(rows))
    assert len(rows) == 19_366
    assert counted == {"booked": 19_366, "duplicate": 19_366}
    assert await money(owner, source) == expected
    now = datetime.now(UTC)
    answer = system.get(
        "/v1/spend",
        **{"from": (now - timedelta(days=1)).isoformat(), "to": (now + timedelta(days=1)).isoformat()},
        bucket="day", group_by="team", **{"filter.team": team},
    )  # fmt: skip
    assert sum(Decimal(row["effective"]) for row in answer["totals"]) == expected
    assert sum(row["events"] for row in answer["totals"]) == 19_366


async def test_one_poison_event_in_five_thousand_costs_one_event(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"poison-{uuid4().hex[:6]}"
    before = await owner.fetchval("SELECT count(*) FROM unbooked WHERE outcome = 'rejected'")
    for number in range(5000):
        event = usage_event(f"e{number}", source=source)
        value = b'{"specversion":"1.0","id":"\xff' if number == 2500 else stamped(event)
        await raw.send("usage.events", value, key=key_of(event), partition=partition_of(key_of(event), 4))
    await raw.flush()
    assert await settled(owner, source, 4999) == {"booked": 4999}
    assert await owner.fetchval("SELECT count(*) FROM unbooked WHERE outcome = 'rejected'") == before + 1
    assert await money(owner, source) == 4999 * Decimal("0.0035")


async def test_junk_on_usage_events_is_rejected_and_the_next_offset_proceeds(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"junk-{uuid4().hex[:6]}"
    offsets = [
        (await raw.send_and_wait("usage.events", junk, key=b"junk", partition=1)).offset for junk in JUNK
    ]
    await raw.send_and_wait("usage.events", stamped(usage_event("after", source=source)), partition=1)
    assert await settled(owner, source, 1) == {"booked": 1}
    rows = await owner.fetch(
        "SELECT outcome, tenant, reason FROM unbooked WHERE origin_partition = 1 AND origin_offset = ANY($1) "
        "AND outcome = 'rejected'", offsets,
    )  # fmt: skip
    assert len(rows) == len(JUNK)
    assert {row["tenant"] for row in rows} == {""}
    assert all(row["reason"] for row in rows)


async def test_junk_on_usage_rated_is_a_stray_and_the_next_offset_proceeds(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"stray-{uuid4().hex[:6]}"
    before = await position(owner, "stray", 2)
    for junk in JUNK:
        await raw.send_and_wait("usage.rated", junk, key=b"junk", partition=2)
    await raw.send_and_wait("usage.events", stamped(usage_event("after", source=source)), partition=2)
    assert await settled(owner, source, 1) == {"booked": 1}
    assert await position(owner, "stray", 2) == before + len(JUNK)


@pytest.mark.parametrize(("topic", "service"), [("spend.totals", "alerts"), ("catalog", "rating")])
async def test_junk_on_the_other_topics_is_skipped(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection, topic: str, service: str
) -> None:
    source = f"skip-{uuid4().hex[:6]}"
    pid = system.process(service).pid
    for junk in JUNK:
        await raw.send_and_wait(topic, junk, key=b"junk", partition=0)
    assert system.send(usage_event("after", source=source)).status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    entry = system.process(service)
    assert (entry.pid, entry.state) == (pid, "ready")


@pytest.mark.parametrize("partitions", [(0, 0, 0), (0, 1, 2)])
async def test_an_event_sent_three_times_is_one_row(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection, partitions: tuple[int, ...]
) -> None:
    source = f"thrice-{uuid4().hex[:6]}"
    event = stamped(usage_event("e", source=source))
    for partition in partitions:
        await raw.send("usage.events", event, partition=partition)
    await raw.flush()
    assert await settled(owner, source, 3) == {"booked": 1, "duplicate": 2}
    assert await money(owner, source) == Decimal("0.0035")


async def test_the_same_id_with_another_body_is_a_visible_conflict(
    system: System, owner: asyncpg.Connection
) -> None:
    source = f"conflict-{uuid4().hex[:6]}"
    assert system.send(usage_event("e", source=source)).status_code == 204
    await settled(owner, source, 1)
    assert system.send(usage_event("e", source=source, usage={"input_tokens": 9})).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 1, "conflict": 1}
    assert await money(owner, source) == Decimal("0.0035")


async def test_two_tenants_may_use_the_same_id(system: System, owner: asyncpg.Connection) -> None:
    source = f"tenants-{uuid4().hex[:6]}"
    for tenant in ("acme", "globex"):
        assert system.send(usage_event("e", source=source), tenant=tenant).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 2}


@pytest.mark.parametrize("language", ["curl", "python"])
def test_the_lines_that_up_prints_end_at_a_receipt(system: System, language: str) -> None:
    page = welcome(system.state.environment, home=str(system.folder))
    lines = page.split("see its receipt:\n")[1]
    at = lines.index("python3 - <<")
    command = {"curl": lines[:at], "python": lines[at:]}[language]
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "booked" in done.stdout
    assert "gpt-4o" in done.stdout
