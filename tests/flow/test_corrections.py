"""Corrections on the real system: amounts by hand, a corrector killed at work, its topic and the events' once more."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from signal import SIGTERM
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer
from msgspec import UNSET, Raw

from spendmeter.contracts.corrections import EventCorrection, correction_key, encode_correction
from tests.flow.book import folded, money, settled
from tests.flow.system import System, eventually, usage_event
from tests.waiting import until

EVENTS = 300
BOOK = (
    "SELECT (SELECT md5(string_agg(e::text, '' ORDER BY origin_partition, origin_offset)) FROM entries e), "
    "(SELECT md5(string_agg((tenant, bucket, series_id, shard, events, effective)::text, '' "
    "ORDER BY tenant, bucket, series_id, shard, recorded_on)) FROM rollups_minute)"
)
"""All that is booked, and all that the minutes come to."""


def correction(source: str, number: int) -> EventCorrection:
    """Of every third event a retraction, of others an amend to 400 tokens in: 0.001 + 0.001 = 0.002 USD."""
    retract = number % 3 == 0
    return EventCorrection(
        id=f"{source}-{number}", tenant="acme", source=source, event_id=f"e{number}",
        kind="retract" if retract else "amend", revision=1, reason="a test", by="k_test", at=datetime.now(UTC),
        patch=UNSET if retract else Raw(b'{"usage":{"input_tokens":400}}'),
    )  # fmt: skip


async def ask(raw: AIOKafkaProducer, corrections: list[EventCorrection]) -> None:
    for one in corrections:
        await raw.send("usage.corrections", encode_correction(one), key=correction_key(one))
    await raw.flush()


async def test_a_corrector_that_is_killed_at_work_corrects_every_event_once(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"corrected-{uuid4().hex[:6]}"
    numbers = range(EVENTS)
    events = [usage_event(f"e{number}", source=source) for number in numbers]
    for start in range(0, EVENTS, 100):
        assert system.send(*events[start : start + 100]).status_code == 204
    assert await settled(owner, source, EVENTS) == {"booked": EVENTS}
    assert await money(owner, source) == Decimal("1.05")  # 300 x 0.0035
    corrections = [correction(source, number) for number in numbers]
    # the half of them twice: an API that asks again
    await ask(raw, corrections[:100])
    for _ in range(3):
        pid = system.kill("corrector")
        await ask(raw, corrections)
        system.restarted("corrector", pid)
    applied = "SELECT count(*) = $2 FROM corrections WHERE source = $1 AND state = 'applied'"
    await until(lambda: owner.fetchval(applied, source, EVENTS), "all to be applied", within_s=90)
    assert await money(owner, source) == Decimal("0.4")  # 100 retracted, 200 x 0.002
    entries = await owner.fetchval("SELECT count(*) FROM entries WHERE correction_id LIKE $1 || '-%'", source)
    assert entries == 100 + 2 * 200

    # its topic once more from the beginning, and every event of the log sent once more
    before = await owner.fetchrow(BOOK)
    position = await owner.fetchval("SELECT position FROM corrector")
    await owner.execute("UPDATE corrector SET position = 0")
    system.restarted("corrector", system.kill("corrector", SIGTERM))
    reached = "SELECT position >= $1 FROM corrector"
    await until(lambda: owner.fetchval(reached, position), "the topic to be read once more", within_s=90)
    for start in range(0, EVENTS, 100):
        assert system.send(*events[start : start + 100]).status_code == 204
    counted = await settled(owner, source, 2 * EVENTS)
    # what is sent anew after its retraction says that the usage was: nobody is told that this is well
    assert counted == {"booked": EVENTS, "duplicate": 200, "conflict": 100}
    assert await owner.fetchrow(BOOK) == before


async def test_an_amend_and_a_retraction_to_the_last_digit(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"amended-{uuid4().hex[:6]}"
    assert system.send(*(usage_event(f"e{n}", source=source) for n in range(2))).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 2}
    await ask(raw, [correction(source, 0), correction(source, 1)])
    eventually(
        "both are applied",
        lambda: all(
            any(entry["seq"] for entry in system.get("/v1/events", source=source, id=f"e{n}")["entries"])
            for n in range(2)
        ),
    )
    amended = system.get("/v1/events", source=source, id="e1")["entries"]
    assert [(entry["seq"], entry["effective"]) for entry in amended] == [
        (0, "0.0035"),
        (1, "-0.0035"),
        (2, "0.002"),
    ]
    retracted = system.get("/v1/events", source=source, id="e0")["entries"]
    assert [(entry["seq"], entry["effective"]) for entry in retracted] == [(0, "0.0035"), (1, "-0.0035")]
    await folded(owner)  # else a projection takes the changed amount for what was booked
    spoilt = "UPDATE entries SET effective = -0.003 WHERE seq = 1 AND event IS NULL AND correction_id = $1"
    await owner.execute(spoilt, f"{source}-0")
    said = json.loads(system.cli("verify", "--json", check=False).stdout)
    await owner.execute(spoilt.replace("-0.003", "-0.0035"), f"{source}-0")
    assert "a reversal that is not minus its entry" in json.dumps(said)
