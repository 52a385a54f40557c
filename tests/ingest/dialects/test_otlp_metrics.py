"""What coding agents count: outcomes and time at work, each once, and nothing that repeats a call."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.message import Message

from services.ingest.dialects.otlp_wire import PROTOBUF
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import Incoming
from services.ingest.otlp_entrance import told
from services.ingest.otlp_metrics_entrance import OTLP_METRICS, translate_metrics
from services.ingest.pseudonyms import PREFIX
from spendmeter.contracts.event_identity import content_hash
from spendmeter.contracts.events import encode_event
from spendmeter.contracts.outcomes import encode_outcome, read_outcome
from spendmeter.pricing.catalog import load_own
from spendmeter.pricing.catalog.read import read_prices
from spendmeter.pricing.engine import rate
from spendmeter.pricing.price_book import PriceBook
from tests.ingest.dialects.agents import CLAUDE_RESOURCE, CODEX_RESOURCE, NOW, PERSON, SESSION, sent
from tests.ingest.dialects.otlp import START_NS, metrics, pairs

MINUTE_NS = 60 * 10**9
DELTA, CUMULATIVE = 1, 2


def point(value: float, minute: int = 0, **attributes: Any) -> dict[str, Any]:
    """What came within a minute."""
    begins = START_NS + (minute - 1) * MINUTE_NS
    return {
        "start_time_unix_nano": begins,
        "time_unix_nano": begins + MINUTE_NS,
        "as_double": value,
        "attributes": pairs({"session.id": SESSION, **PERSON} | attributes),
    }


def counted(name: str, *points: dict[str, Any], temporality: int = DELTA) -> dict[str, Any]:
    data = {"aggregation_temporality": temporality, "is_monotonic": True, "data_points": list(points)}
    return {"name": name, "sum": data}


def turns(ms: int | None) -> dict[str, Any]:
    begins = {"start_time_unix_nano": START_NS - MINUTE_NS, "time_unix_nano": START_NS, "count": 3}
    points = [begins | ({} if ms is None else {"sum": ms})]
    return {
        "name": "codex.turn.e2e_duration_ms",
        "histogram": {"aggregation_temporality": DELTA, "data_points": points},
    }


def read(request: Message) -> Translated:
    return translate_metrics(
        Incoming(
            body=request.SerializeToString(),
            media_type=PROTOBUF,
            headers={},
            query={},
            path={},
            url="",
            now=NOW,
        ),
        {},
    )


def claude(*found: dict[str, Any]) -> Message:
    return metrics(*found, resource=CLAUDE_RESOURCE)


def test_pull_requests_commits_and_lines_are_outcomes_of_their_session() -> None:
    found = read(
        claude(
            counted("claude_code.pull_request.count", point(1)),
            counted("claude_code.commit.count", point(2)),
            counted("claude_code.lines_of_code.count", point(120, type="added"), point(7, type="removed")),
        )
    )
    assert not found.events and not found.refused
    outcomes = [read_outcome(json.dumps(each.said, default=str).encode()) for each in found.outcomes]
    assert [(each.data.name, each.data.count) for each in outcomes] == [
        ("pull_request", 1), ("commit", 2), ("lines_of_code_added", 120), ("lines_of_code_removed", 7),
    ]  # fmt: skip
    assert {(each.source, each.data.labels.run, each.data.labels.agent) for each in outcomes} == {
        ("otlp", SESSION, "claude-code")
    }
    assert len({each.id for each in outcomes}) == 4


def test_time_at_work_is_labour_of_its_own_kind_and_exact() -> None:
    found = sent(
        OTLP_METRICS,
        claude(counted("claude_code.active_time.total", point(37.284, type="user"), point(12.5, type="cli"))),
    )
    said = [json.loads(encode_event(event))["data"] for event in found.events]
    assert [(each["cost_class"], each["provider"], each["sku"], each["usage"]) for each in said] == [
        ("labour", "claude-code", "active-time-person", {"active_seconds": "37.284"}),
        ("labour", "claude-code", "active-time-agent", {"active_seconds": "12.5"}),
    ]
    assert {each["labels"]["run"] for each in said} == {SESSION}


def test_the_turns_of_codex_are_time_of_the_agent() -> None:
    (event,) = sent(OTLP_METRICS, metrics(turns(61_250), resource=CODEX_RESOURCE)).events
    assert (event.data.provider, event.data.sku) == ("codex", "active-time-agent")
    assert event.data.usage == {"active_seconds": Decimal("61.25")}
    assert event.data.labels.environment == "dev"
    assert [bad["index"] for bad in read(metrics(turns(None))).refused] == [0]


RATE = b"""
source = "our rates of 2026"
recorded_at = 2026-11-26T00:00:00Z
layer = "organisation"
[[model]]
provider = "claude-code"
sku = "active-time-person"
rates = [{ per = 3600, prices = { active_seconds = "90" } }]
"""


def test_an_active_second_costs_nothing_unless_somebody_has_said_what_an_hour_costs() -> None:
    (event,) = sent(
        OTLP_METRICS, claude(counted("claude_code.active_time.total", point(37.284, type="user")))
    ).events
    own = load_own()
    (line,) = rate(event, PriceBook(own)).lines
    assert (line.status, line.amount) == ("free", "0")
    known = {entry.id for entry in own}
    agreed = [entry for entry in read_prices("rates.toml", RATE) if entry.id not in known]
    (line,) = rate(event, PriceBook([*own, *agreed])).lines
    assert (line.status, line.amount) == ("priced", "0.9321")  # 37.284 s x 90 / 3,600


def test_a_point_that_is_sent_again_is_the_same_and_the_next_minutes_is_another() -> None:
    def identities(*minutes: int) -> list[str]:
        active = [point(9.5, minute, type="user") for minute in minutes]
        commits = [point(1, minute) for minute in minutes]
        found = read(
            claude(
                counted("claude_code.active_time.total", *active),
                counted("claude_code.commit.count", *commits),
            )
        )
        return [each.said["id"] for each in (*found.events, *found.outcomes)]

    assert identities(0, 1) == identities(0, 1)
    assert len(set(identities(0, 1, 2))) == 6
    request = claude(counted("claude_code.active_time.total", point(9.5)))
    first, again = (sent(OTLP_METRICS, request).events[0] for _ in range(2))
    assert content_hash(first) == content_hash(again)


def test_a_count_of_all_there_is_is_rejected_with_the_setting_that_mends_it() -> None:
    found = sent(
        OTLP_METRICS,
        claude(
            counted("claude_code.commit.count", point(5), point(6, 1), temporality=CUMULATIVE),
            counted("claude_code.active_time.total", point(60, type="user"), temporality=CUMULATIVE),
            counted("claude_code.cost.usage", point(0.5), temporality=CUMULATIVE),
            counted("claude_code.active_time.total", point(9.5, type="user")),
        ),
    )
    assert [bad["index"] for bad in found.refused] == [0, 1, 2]
    said = told(found.refused)
    assert "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta" in said
    assert "cumulativetodelta" in said
    assert len(found.events) == 1
    assert found.skipped == {"a metric that repeats calls": 1}


def test_what_repeats_calls_is_never_added_and_what_is_none_of_ours_passed_over() -> None:
    usage = [counted(name, point(9)) for name in ("claude_code.cost.usage", "claude_code.token.usage")]
    histogram = {"aggregation_temporality": DELTA, "data_points": [{"sum": 900, "count": 2}]}
    others = [
        {"name": name, "histogram": histogram}
        for name in ("gen_ai.client.token.usage", "codex.turn.token_usage")
    ]
    found = read(
        claude(
            *usage,
            *others,
            counted("http.server.requests", point(1)),
            counted("codex.thread.started", point(1)),
        )
    )
    assert not found.events and not found.outcomes and not found.refused
    assert found.skipped == {"a metric that repeats calls": 4, "no outcome and no time at work": 2}


@pytest.mark.parametrize("value", [-1, 0.5, float("nan"), float("inf"), 1e300])
def test_a_count_that_can_be_none_is_rejected_by_name(value: float) -> None:
    (refused,) = read(claude(counted("claude_code.commit.count", point(value)))).refused
    assert (refused["field"], refused["reason"]) == (
        "claude_code.commit.count",
        "must be a whole number of at least 0",
    )


def test_a_minute_in_which_nothing_happened_is_nothing() -> None:
    found = read(
        claude(
            counted("claude_code.commit.count", point(0)), counted("claude_code.active_time.total", point(0))
        )
    )
    assert found.skipped == {"nothing happened": 2}


def test_a_tenants_map_says_whose_it_is() -> None:
    rules = [{"attribute": "organization.id", "label": "team", "values": {"org-1": "platform"}}]
    request = claude(counted("claude_code.active_time.total", point(9.5)))
    (event,) = sent(OTLP_METRICS, request, maps={"labels": rules}).events
    assert event.data.labels.team == "platform"


def test_no_name_of_a_person_leaves_the_door() -> None:
    request = claude(counted("claude_code.active_time.total", point(9.5, prompt="canary")))
    (event,) = sent(OTLP_METRICS, request).events
    assert event.data.labels.user.startswith(PREFIX)
    raw = encode_event(event).lower()
    assert b"example.com" not in raw and b"canary" not in raw and b"user_01" not in raw


def test_outcomes_pass_the_door_with_a_pseudonym_and_whatever_the_laptops_clock_says() -> None:
    """Of a minute a year ahead the time of receipt stands, as for a call."""
    ahead = 365 * 24 * 60
    found = sent(
        OTLP_METRICS,
        claude(
            counted("claude_code.commit.count", point(1), point(1, ahead)),
            counted("claude_code.active_time.total", point(9, ahead)),
        ),
    )
    assert not found.refused
    kept, late = found.outcomes
    assert (kept.tenant, kept.data.name, kept.data.labels.run) == ("acme", "commit", SESSION)
    assert kept.data.labels.user.startswith(PREFIX)
    assert (kept.time, late.time) == (datetime(2026, 11, 26, 10, tzinfo=UTC), NOW)
    assert b"example.com" not in encode_outcome(kept).lower()
    assert found.events[0].time == NOW and found.events[0].claimedtime
