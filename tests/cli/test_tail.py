"""`tail`: rated events as they pass, from a real Kafka; which are shown, and how."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from cli._passing import is_wanted, line_of, passing
from deploy.local.home import CLONE
from spendmeter.contracts.topics import USAGE_RATED
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin

EXAMPLES = CLONE / "spendmeter" / "contracts" / "examples"
PRICED, REJECTED = ((EXAMPLES / f"rated.{name}.json").read_bytes() for name in ("priced", "rejected"))
HOLES = (EXAMPLES / "rated.holes.json").read_bytes()


def said(record: bytes) -> dict[str, Any]:
    found = passing(record)
    assert found is not None
    return found


def test_a_rated_event_is_a_line_of_what_it_cost_of_what_and_whose() -> None:
    assert line_of(said(PRICED)).split("  ") == [
        "10:00:00 priced",
        "acme",
        "anthropic/claude-sonnet-4-5",
        "0.0441195 USD",
        "input_tokens=5 cache_read_tokens=128955 cache_write_5m_tokens=1000 cache_write_1h_tokens=253 output_tokens=10",
        "team=payments project=checkout feature=assistant workflow=refund workflow_version=v2 agent=triage environment=prod",
        "checkout-bot/01JDCE5W3T",
    ]


def test_what_was_rejected_is_a_line_of_who_and_why() -> None:
    reason = "data.usage.input_tokens: must be at least 0 and below 2^63"
    assert line_of(said(REJECTED)) == f"rejected acme checkout-bot/01JDCE5W3T {reason}"


def test_holes_are_no_event() -> None:
    assert passing(HOLES) is None


def test_what_cannot_be_read_is_said_and_stops_nothing() -> None:
    assert line_of(said(b"{}")) == "a record that this release cannot read"


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ([], True),
        ([("tenant", "acme")], True),
        ([("tenant", "globex")], False),
        ([("team", "search"), ("team", "payments")], True),
        ([("team", "payments"), ("status", "unpriced")], False),
        ([("sku", "claude-sonnet-4-5"), ("run", "run-81"), ("source", "checkout-bot")], True),
        ([("region", "")], True),
        ([("region", "eu")], False),
    ],
)
def test_filters(filters: list[tuple[str, str]], wanted: bool) -> None:
    assert is_wanted(said(PRICED), filters) is wanted


async def test_what_passes_is_shown_until_there_are_enough(kafka_access: KafkaAccess, tmp_path: Path) -> None:
    prefix = "tail."
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics([USAGE_RATED], prefix=prefix, partitions=2)
    producer = AIOKafkaProducer(**kafka_access.options(), acks="all")
    await producer.start()
    try:
        for _ in range(2):
            await producer.send_and_wait(prefix + USAGE_RATED.name, PRICED, partition=0)
        environment = os.environ | kafka_access.environment() | {"SPENDMETER_TOPIC_PREFIX": prefix}
        command = [
            sys.executable,
            "-m",
            "cli",
            "tail",
            "--json",
            "--last",
            "1",
            "--count",
            "3",
            "--filter",
            "status=priced",
        ]
        process = subprocess.Popen(command, cwd=CLONE, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        first = await asyncio.to_thread(process.stdout.readline)
        assert json.loads(first)["status"] == "priced"  # the last one of before, and not the one before that
        for record in (REJECTED, HOLES, PRICED, PRICED):
            await producer.send_and_wait(prefix + USAGE_RATED.name, record, partition=1)
        rest, _ = await asyncio.to_thread(process.communicate, timeout=30)
        assert [json.loads(line)["status"] for line in rest.splitlines()] == ["priced", "priced"]
        assert process.returncode == 0
    finally:
        await producer.stop()
