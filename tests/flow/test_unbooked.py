"""What was not booked: seen, fixed and sent again, and told, on the real system."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer

from services.alerts.unbooked.unbooked import EVERYBODYS
from spendmeter.contracts.event_identity import identity
from tests.flow.book import money, settled
from tests.flow.system import System, eventually, usage_event
from tests.flow.test_flow import key_of, stamped


def of_source(system: System, source: str, **asked: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = system.get("/v1/unbooked", source=source, **asked)["unbooked"]
    return rows


async def test_a_conflict_and_a_rejection_are_listed_fixed_and_resolved_by_what_takes_their_place(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection, tmp_path: Path
) -> None:
    source = f"unbooked-{uuid4().hex[:6]}"
    taken, bad = usage_event("taken", source=source), usage_event("bad", source=source)
    assert system.send(taken).status_code == 204
    taken["data"]["usage"] = {"input_tokens": 9}
    assert system.send(taken).status_code == 204
    bad["data"]["usage"] = {"output_tokens": 2_000_000_000}
    await raw.send_and_wait("usage.events", stamped(bad), key=key_of(bad))
    assert await settled(owner, source, 3) == {"booked": 1, "conflict": 1, "rejected": 1}

    rows = {row["outcome"]: row for row in of_source(system, source)}
    assert (rows["conflict"]["id"], rows["rejected"]["id"]) == ("taken", "bad")
    assert rows["conflict"]["key_id"] == system.keys["acme"].split("_")[2]
    assert "per_event_max" in rows["rejected"]["reason"]
    told = system.cli("unbooked", "--source", source, "--unresolved").stdout
    assert "1 rejected of key k0, 1 without remedy: data.usage.output_tokens: … is more than" in told

    taken["data"]["usage"] = {"input_tokens": 1000}  # 0.0025 USD
    file = tmp_path / "fixed.json"
    file.write_text(json.dumps(taken))
    fixed = system.cli("send", "--file", file, "--id", "own", "--supersedes", "taken")
    assert f"supersedes {source}/taken: another event has that id and counts too" in fixed.stdout
    system.cli(
        "send",
        "openai/gpt-4o",
        "output_tokens=100",
        "--source",
        source,
        "--id",
        "good",
        "--supersedes",
        "bad",
    )  # 0.001 USD
    instead = {row["id"]: row["booked_instead"]["id"] for row in of_source(system, source, resolved="true")}
    assert instead == {"taken": "own", "bad": "good"}
    assert of_source(system, source, resolved="false") == []
    assert system.get("/v1/events", source=source, id="bad")["superseded_by"][0]["id"] == "good"
    # 1,000 + 100 tokens of what was first there, 0.0035; 0.0025; 0.001
    assert await money(owner, source) == Decimal("0.007")


async def test_a_retracted_event_is_sent_anew_under_another_id_that_says_so(
    system: System, owner: asyncpg.Connection
) -> None:
    source = f"anew-{uuid4().hex[:6]}"
    assert system.send(usage_event("wrong", source=source)).status_code == 204
    assert await settled(owner, source, 1) == {"booked": 1}
    answer = httpx.post(
        f"{system.api}/v1/corrections",
        json={"kind": "retract", "source": source, "id": "wrong", "reason": "another team's"},
        headers={
            "Authorization": f"Bearer {system.state.environment['SPENDMETER_ADMIN_KEY']}",
            "X-Spendmeter-Tenant": "acme",
        },
        timeout=30,
    )
    assert answer.status_code in {200, 202}, answer.text
    eventually(
        "the retraction",
        lambda: "retracted" in system.get("/v1/events", source=source, id="wrong")["summary"],
    )
    new = ("--source", source, "--id", "right", "--supersedes", "wrong")
    sent = system.cli("send", "openai/gpt-4o", "input_tokens=400", *new)  # 0.001 USD
    assert f"supersedes {source}/wrong: it was retracted: this one counts in its place" in sent.stdout
    assert system.get("/v1/events", source=source, id="wrong")["superseded_by"][0]["id"] == "right"
    amounts = await owner.fetch(
        "SELECT effective FROM entries WHERE identity = ANY ($1) ORDER BY seq",
        [identity("acme", source, each) for each in ("wrong", "right")],
    )
    assert sum(row["effective"] for row in amounts) == Decimal("0.001")


async def test_a_key_of_whose_events_too_many_are_not_booked_is_told_until_it_is_quiet(
    system: System, raw: AIOKafkaProducer, owner: asyncpg.Connection
) -> None:
    source = f"many-{uuid4().hex[:6]}"
    for number in range(int(EVERYBODYS.number("events_min"))):
        event = usage_event(f"e{number}", source=source, usage={"output_tokens": 2_000_000_000 + number})
        sent = json.loads(stamped(event)) | {"keyid": source}
        await raw.send("usage.events", json.dumps(sent).encode(), key=key_of(event))
    await raw.flush()

    def told(state: str) -> list[dict[str, Any]]:
        incidents = system.get("/v1/incidents", state=state)["incidents"]
        return [each for each in incidents if each["scope"] == {"key_id": source}]

    [incident] = eventually("the incident", lambda: told("open"), 30)
    assert (incident["kind"], incident["amount"], incident["currency"]) == ("unbooked", "20", "events")
    assert incident["title"] == f"20 events of key {source} in 5 minutes are not booked"
    assert "100 % of them: rejected, data.usage.output_tokens: … is more than" in incident["summary"]
    [fault] = system.get("/v1/unbooked/faults", source=source)["faults"]
    assert (fault["events"], fault["unresolved"], fault["key_id"]) == (20, 20, source)
    await owner.execute(
        "UPDATE unbooked SET recorded_at = recorded_at - interval '6 minutes' WHERE source = $1", source
    )
    [over] = eventually("its end", lambda: told("resolved"), 30)
    assert (over["id"], over["resolution"]) == (
        incident["id"], "less than half of that was not booked in the last 5 minutes",
    )  # fmt: skip
