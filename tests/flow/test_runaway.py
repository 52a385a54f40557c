"""The demo's runaway agent, from its first call to the alert in the hands of the one who asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest

from deploy.demo.mark import MarkFile
from deploy.demo.story import between
from deploy.demo.workload import RUNAWAY_FIRST_S
from deploy.local.home import Home
from tests.flow.system import UP_SECONDS_MAX, System, eventually

FOUND_WITHIN_S = 10
OF_THE_STORY = """
    SELECT count(*), count(DISTINCT identity), coalesce(sum(used), 0)::bigint
    FROM entries, LATERAL (
        SELECT sum(value::numeric) AS used FROM jsonb_each_text(event::jsonb->'data'->'usage')) AS each
    WHERE event::jsonb->>'source' = 'demo-story' AND occurred_at <= $1"""
KINDS = {"anomaly", "budget"}
LOOP_WITHIN_S = 60
"""It is a loop, too, which is seen once its calls are folded and it has gone on for twenty seconds."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The running system with the demo's traffic."""
    with System(tmp_path_factory.mktemp("demo") / "home", demo=True) as running:
        yield running


async def test_the_runaway_of_the_demo_raises_one_incident_of_each_kind_within_ten_seconds(
    demo: System,
) -> None:
    def opened() -> list[dict[str, Any]]:
        found = [each for each in demo.get("/v1/incidents")["incidents"] if each["kind"] in KINDS]
        return found if {incident["kind"] for incident in found} == KINDS else []

    incidents = eventually("an incident of each kind", opened, RUNAWAY_FIRST_S + 60, every_s=0.5)
    owner = await demo.database()
    began = await owner.fetchval(
        "SELECT min(occurred_at) FROM entries WHERE event::jsonb->'data'->'labels'->>'run' LIKE '%-loop-0'"
    )
    calls = await owner.fetch(
        "SELECT recorded_at, effective FROM entries WHERE occurred_at >= $1"
        " AND event::jsonb->'data'->'labels'->>'agent' = 'deep-research'",
        began,
    )
    await owner.close()
    seen = [(incident["kind"], incident["threshold_percent"]) for incident in incidents]
    assert len(set(seen)) == len(seen), "one anomaly, and one incident a threshold of the budget"
    for incident in incidents:
        # A burst is named by the combination that explains it, a budget by its filter.
        assert incident["scope"]["agent"] == "deep-research"
        assert incident["kind"] != "budget" or incident["scope"] == {"agent": "deep-research"}
        assert incident["top_contributor"]["dimensions"]["agent"] == "deep-research"
        # How fast it went is said over ten seconds at most, so at least what was booked by then makes its peak;
        # what was booked in the last second and a half a reading may miss. A budget's rate is that of now.
        by_then = datetime.fromisoformat(incident["opened_at"])
        seen_by_then = sum(
            call["effective"] for call in calls if call["recorded_at"] < by_then - timedelta(seconds=1.5)
        )
        assert Decimal(incident["peak_per_hour"]) > 10 * Decimal(incident["expected_per_hour"])
        assert Decimal(incident["peak_per_hour"]) >= seen_by_then * 360
        assert Decimal(incident["amount"]) > 0
        took = datetime.fromisoformat(incident["opened_at"]) - began
        assert took.total_seconds() < FOUND_WITHIN_S

    def received() -> bool:
        told = httpx.get(f"http://127.0.0.1:{demo.process('demo').port}/alerts").json()["alerts"]
        return any(kinds_told(alert["data"]) >= KINDS for alert in told)

    eventually("both, as one cause, at the demo's sink", received, FOUND_WITHIN_S)

    def loop() -> dict[str, Any] | None:
        return next((each for each in demo.get("/v1/incidents")["incidents"] if each["kind"] == "loop"), None)

    found = eventually("its loop", loop, LOOP_WITHIN_S, every_s=0.5)
    [burst] = [each for each in incidents if each["kind"] == "anomaly"]
    assert (found["told"], found["parent"]) == (False, burst["id"])


async def test_the_runaways_demo_started_again_with_a_history_books_each_event_of_it_once(
    demo: System,
) -> None:
    """On the data that it left: 2 days and the hours of today, and again what came while it was down. The one that
    tells is killed each time."""
    mark = MarkFile(Home(demo.folder).data / "demo-story.json")
    booked: list[tuple[int, ...]] = []
    for _ in range(2):
        demo.stop()
        began = datetime.now(UTC)
        demo.cli("up", "--detach", "--history", "2", timeout=UP_SECONDS_MAX)
        demo.kill("demo")
        installation = demo.state.environment["SPENDMETER_ADMIN_KEY"].split("_")[2]
        is_told = partial(told_since, mark, installation, began)
        eventually("the story is told until now", is_told, within_s=90)
        known = mark.read(installation)
        assert known is not None
        first = datetime(known.first_day.year, known.first_day.month, known.first_day.day, tzinfo=UTC)
        told = [
            event["data"]["usage"]
            for _, _, event in between(first - timedelta(days=2), began, known.first_day)
            if "usage" in event["data"]
        ]
        expected = len(told), len(told), sum(sum(usage.values()) for usage in told)
        owner = await demo.database()
        async with asyncio.timeout(60):
            while (row := tuple(await owner.fetchrow(OF_THE_STORY, began))) != expected:
                assert row < expected, (row, expected)
                await asyncio.sleep(0.2)
        await owner.close()
        booked.append(row)
    assert booked[0] <= booked[1]
    said = partial(versions_of_refund, demo)
    eventually("what people say of its versions", lambda: said() >= {"by hand", "v1", "v2"})


def versions_of_refund(demo: System) -> set[str]:
    workflows = demo.get("/v1/workflows")["workflows"]
    return {
        version["version"]
        for each in workflows
        if each["workflow"] == "refund"
        for version in each["versions"]
    }


def told_since(mark: MarkFile, installation: str, at: datetime) -> bool:
    known = mark.read(installation)
    return known is not None and known.told_until >= at


def kinds_told(message: dict[str, Any]) -> set[str]:
    return {message["kind"], *(part["kind"] for part in message["details"].get("parts", ()))}
