"""What a sender is told of what was not understood, was not booked or was too much: on the real system."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaProducer

from spendmeter.contracts.foreign_units import FOREIGN_UNITS_FROM
from spendmeter.contracts.gate import PER_EVENT_MAX_FROM, VISIBLE_TEXT_FROM
from tests.flow.book import money, settled
from tests.flow.system import System, eventually, usage_event
from tests.flow.test_flow import key_of, stamped

RULES_FROM = max(FOREIGN_UNITS_FROM, PER_EVENT_MAX_FROM, VISIBLE_TEXT_FROM)
COMPOSED, APART = "caf\u00e9", "cafe\u0301"
"""One word in Unicode's normal forms C and D."""


def refused(system: System, event: dict[str, Any]) -> dict[str, Any]:
    answer = system.send(event)
    assert answer.status_code == 400, answer.text
    [error] = answer.json()["errors"]
    return error


async def written(
    raw: AIOKafkaProducer, owner: asyncpg.Connection, event: dict[str, Any], received_at: datetime
) -> str:
    """Put an event on the topic as an operator does; "booked", or why it was rejected."""
    sent = json.loads(stamped(event)) | {"receivedat": received_at.isoformat()}
    await raw.send_and_wait("usage.events", json.dumps(sent).encode(), key=key_of(event))
    outcomes = await settled(owner, event["source"], 1)
    if outcomes == {"rejected": 1}:
        return await owner.fetchval("SELECT reason FROM unbooked WHERE source = $1", event["source"])
    assert outcomes == {"booked": 1}
    return "booked"


def spent_by_team(system: System, team: str) -> list[dict[str, Any]]:
    """What `/v1/spend` shows of a team."""
    asked = {"range": "last_24_hours", "group_by": "team", "filter.team": team}
    rows: list[dict[str, Any]] = system.get("/v1/spend", **asked)["totals"]
    return rows


async def test_look_alike_labels_are_one_row_and_what_cannot_be_seen_is_refused(
    system: System, owner: asyncpg.Connection
) -> None:
    source = f"look-alike-{uuid4().hex[:6]}"
    events = [
        usage_event(f"e{n}", source=source, labels={"team": t}) for n, t in enumerate((COMPOSED, APART))
    ]
    assert system.send(*events).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 2}
    teams = await owner.fetch(
        "SELECT DISTINCT s.team FROM entries e JOIN series s USING (tenant, series_id) "
        "WHERE e.event::json->>'source' = $1", source,
    )  # fmt: skip
    assert [row["team"] for row in teams] == [COMPOSED]
    found = spent_by_team(system, APART)
    assert [(row["team"], row["events"]) for row in found] == [(COMPOSED, 2)]
    error = refused(system, usage_event("z", source=source, labels={"team": "pay\u200bments"}))
    assert error["field"] == "data.labels.team"
    assert "U+200B (ZERO WIDTH SPACE)" in error["reason"]


async def test_a_vendors_names_are_refused_with_the_units_and_a_slip_is_booked_and_hinted_at(
    system: System, owner: asyncpg.Connection
) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}
    error = refused(system, usage_event("openai", usage=usage))
    assert error["field"] == "data.usage.prompt_tokens"
    assert "send input_tokens, cache_read_tokens" in error["reason"]
    sent = system.cli("send", "openai/gpt-4o", "input_token=5", check=False)
    assert sent.returncode == 3, sent.stdout + sent.stderr
    assert "input_token: did you mean input_tokens?" in sent.stdout
    sent = system.cli("send", "openai/gpt-4o", "prompt_tokens=5", "--json", check=False)
    assert sent.returncode == 1
    assert json.loads(sent.stdout)["errors"][0]["flag"] == "prompt_tokens"


async def test_a_unit_that_nobody_knows_is_counted_in_spend_with_its_quantity_and_verify_agrees(
    system: System, owner: asyncpg.Connection
) -> None:
    source = f"unknown-{uuid4().hex[:6]}"
    usage = {"input_tokens": 1000, "sparks": "2.50"} | {f"job_{n}": 1 for n in range(1, 9)}
    event = usage_event("e", source=source, usage=usage, labels={"team": source})
    assert system.send(event).status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    [row] = spent_by_team(system, source)
    assert (row["events"], row["unpriced_events"], row["amount"]) == (1, 1, "0.0025")
    # The first eight names that nobody registered: "sparks" comes after the eight jobs.
    assert row["usage"] == {"input_tokens": "1000"} | {f"job_{n}": "1" for n in range(1, 9)}
    again = usage_event("f", source=source, usage={"sparks": "2.50"}, labels={"team": source})
    assert system.send(again).status_code == 204
    assert await settled(owner, source, 2) == {"booked": 2}
    [row] = spent_by_team(system, source)
    assert (row["events"], row["unpriced_events"], row["usage"]["sparks"]) == (2, 2, "2.5")


async def test_a_field_that_nobody_knows_is_named_in_the_answer_and_in_the_inbox(
    system: System, owner: asyncpg.Connection
) -> None:
    source = f"dropped-{uuid4().hex[:6]}"
    event = usage_event("e", source=source, cost="0.30", labels={"team": "a", "costcenter": "cc-7"})
    answer = system.send(event)
    assert answer.status_code == 204
    assert answer.headers["Spendmeter-Dropped"] == "data.cost, data.labels.costcenter"
    assert await settled(owner, source, 1) == {"booked": 1}
    assert "cc-7" not in await owner.fetchval(
        "SELECT event FROM entries WHERE event::json->>'source' = $1", source
    )
    key_id = system.keys["acme"].split("_")[2]

    def in_the_inbox() -> bool:
        rows = system.get("/v1/catalog/inbox/dropped")["dropped"]
        mine = {row["name"] for row in rows if row["key_id"] == key_id}
        return {"data.cost", "data.labels.costcenter"} <= mine

    eventually("the names in the inbox", in_the_inbox, 30)
    assert "data.labels.costcenter" in system.cli("catalog", "inbox").stdout


async def test_the_same_id_with_other_content_is_said_to_be_a_conflict(
    system: System, owner: asyncpg.Connection
) -> None:
    def conflicts() -> int:
        return Counter({row["key_id"]: row["conflict"] for row in system.get("/v1/accounting")["keys"]})[
            system.keys["acme"].split("_")[2]
        ]

    before, name = conflicts(), f"said-{uuid4().hex}"
    first = system.cli("send", "openai/gpt-4o", "input_tokens=1000", "--id", name)
    assert first.stdout.startswith("booked: ")
    again = system.cli("send", "openai/gpt-4o", "input_tokens=1000", "--id", name)
    assert again.stdout.startswith("duplicate: ")
    other = system.cli("send", "openai/gpt-4o", "input_tokens=9", "--id", name, check=False)
    assert (other.returncode, other.stdout.startswith("conflict: ")) == (1, True)
    summary = system.get("/v1/events", source="cli", id=name)["summary"]
    assert summary.startswith("conflict: another event with this id was booked first, at ")
    assert conflicts() == before + 1
    booked = "SELECT effective FROM entries WHERE event::json->>'id' = $1"
    assert await owner.fetchval(booked, name) == Decimal("0.0025")


async def test_an_event_of_more_tokens_than_there_are_opens_no_budget(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    error = refused(system, usage_event("huge", usage={"output_tokens": 2**63 - 1}))
    assert error["field"] == "data.usage.output_tokens"
    for said in ("9223372036854775807", "1000000000", "per_event_max"):
        assert said in error["reason"]
    source = f"bound-{uuid4().hex[:6]}"
    largest = usage_event("e", source=source, usage={"output_tokens": 1_000_000_000})
    assert system.send(largest).status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    assert await money(owner, source) == 10_000  # at 10 USD per million


async def test_a_direct_writer_meets_the_same_rules_and_older_records_are_booked_as_they_were(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    for data, reason in (
        ({"usage": {"prompt_tokens": 5}}, "prompt_tokens is OpenAI's"),
        ({"usage": {"output_tokens": 2**63 - 1}}, "per_event_max"),
        ({"labels": {"team": "a\u200bb"}}, "U+200B"),
    ):
        new = usage_event("e", source=f"direct-{uuid4().hex[:6]}", **data)
        assert reason in await written(raw, owner, new, max(RULES_FROM, datetime.now(UTC)))
        old = usage_event("e", source=f"direct-{uuid4().hex[:6]}", **data)
        assert await written(raw, owner, old, RULES_FROM - timedelta(seconds=1)) == "booked"
