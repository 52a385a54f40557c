"""The demo's workload and its webhook sink, by themselves."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
from standardwebhooks import Webhook
from starlette.applications import Starlette

from deploy.demo.sink import ALERT_BYTES_MAX, Sink
from deploy.demo.workload import RUNAWAY_EVERY_S, RUNAWAY_FIRST_S, RUNAWAY_LASTS_S, Event, Workload, day_shape
from spendmeter.contracts.event_reading import read_event

START = datetime(2026, 11, 23, 10, tzinfo=UTC)
SECRET = "whsec_c2VjcmV0IG9mIGEgdGVzdCB3aXRoIDMyIGJ5dGVz"


def stream(workload: Workload, seconds: int, start_s: int = 0) -> list[tuple[str, Event]]:
    events = []
    for step in range(start_s, start_s + seconds):
        events += workload.take(START + timedelta(seconds=step), float(step), 1.0)
    return events


def test_twenty_teams_and_ten_models_of_five_providers_are_metered() -> None:
    events = stream(Workload(run="r"), 60)
    models = {(e["data"]["provider"], e["data"]["sku"]) for _, e in events if "cost_class" not in e["data"]}
    assert len({(tenant, e["data"]["labels"]["team"]) for tenant, e in events}) == 20
    assert len(models) == 10
    assert len({provider for provider, _ in models}) == 5
    assert {e["data"].get("cost_class", "model") for _, e in events} == {"model", "database", "tool"}
    assert {e["data"]["labels"].get("workflow_version") for _, e in events} >= {"v1", "v2"}
    outcomes = Counter(e["data"]["outcome"]["name"] for _, e in events if "outcome" in e["data"])
    assert outcomes["ticket_solved"] > 0
    assert outcomes["ticket_solved_failed"] > 0


def test_every_event_passes_the_gate_that_ingest_holds() -> None:
    for tenant, event in stream(Workload(run="r"), 100):
        read_event(msgspec.json.encode(event | {"tenant": tenant}))


def test_the_same_seed_says_the_same_and_another_run_has_other_ids() -> None:
    first, again, other = (stream(Workload(run=run), 5) for run in ("r", "r", "s"))
    assert first == again
    assert not {e["id"] for _, e in first} & {e["id"] for _, e in other}
    assert len({e["id"] for _, e in first}) == len(first)


def test_the_runaway_begins_after_a_while_and_comes_back() -> None:
    def calls(start_s: float) -> int:
        events = stream(Workload(run="r"), 10, int(start_s))
        return sum(e["data"]["labels"]["run"].startswith("r-loop") for _, e in events)

    assert calls(0) == 0
    assert calls(RUNAWAY_FIRST_S) == 40
    assert calls(RUNAWAY_FIRST_S + RUNAWAY_LASTS_S) == 0
    assert calls(RUNAWAY_FIRST_S + RUNAWAY_EVERY_S) == 40


def test_the_runaway_breaks_a_budget_of_five_dollars_within_seconds() -> None:
    events = stream(Workload(run="r"), 8, int(RUNAWAY_FIRST_S))
    loop = [e["data"]["usage"] for _, e in events if e["data"]["labels"]["run"].startswith("r-loop")]
    assert sum(usage["input_tokens"] for usage in loop) * 5 / 1_000_000 > 5
    assert loop[-1]["input_tokens"] > loop[0]["input_tokens"]


def test_the_day_has_a_shape_and_no_night_is_silent() -> None:
    shapes = [day_shape(START + timedelta(hours=hour)) for hour in range(24)]
    assert min(shapes) >= 0.7
    assert max(shapes) <= 1.3
    assert max(shapes) > 1.8 * min(shapes)


def test_after_a_pause_only_a_moment_is_made_up_for() -> None:
    assert len(Workload(run="r", rate=100).take(START, 600.0, 600.0)) < 300


async def deliver(client: httpx.AsyncClient, id: str, body: str, *, sign: str | None = None) -> int:
    now = datetime.now(UTC)
    headers = {
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign(id, now, sign or body),
    }
    return (await client.post("/alerts", content=body, headers=headers)).status_code


async def test_the_sink_takes_what_is_signed_and_counts_repeats() -> None:
    app = Starlette(routes=Sink(SECRET).routes())
    alert = json.dumps(
        {"type": "incident.opened", "timestamp": "2026-11-23T10:00:00Z", "data": {"summary": "loop"}}
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sink") as client:
        assert await deliver(client, "d1", alert) == 204
        assert await deliver(client, "d1", alert) == 204
        assert await deliver(client, "d2", alert, sign="something else") == 401
        assert await deliver(client, "d3", "x" * (ALERT_BYTES_MAX + 1)) == 413
        assert (await client.post("/alerts", content=alert)).status_code == 401
        kept = (await client.get("/alerts")).json()["alerts"]
    assert [(a["delivery"], a["deliveries"], a["data"]["summary"]) for a in kept] == [("d1", 2, "loop")]
