"""Whatever stands in the attributes of a coding agent's records and points: nothing breaks, and nothing is added."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.otlp_logs_entrance import OTLP_LOGS
from services.ingest.otlp_metrics_entrance import OTLP_METRICS
from services.ingest.otlp_traces_entrance import OTLP_TRACES
from tests.ingest.dialects.agents import CLAUDE_RESOURCE, CODEX_RESOURCE, api_request, sent, sse_event
from tests.ingest.dialects.otlp import START_NS, logs, metrics, pairs, span, traces
from tests.ingest.dialects.test_otlp_metrics import CUMULATIVE, DELTA, counted

CLAUDES = "input_tokens output_tokens cache_read_tokens cache_creation_tokens".split()
CODEXS = "input_token_count output_token_count".split()
"""Inside of which all else is."""
INT64 = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.one_of(
    INT64, st.floats(), st.text(max_size=20), st.booleans(), st.none(), st.just("9" * 5_000), st.just("\uff11\uff12"),
    st.sampled_from(["NaN", "Infinity", "-1", "1e9", "1_000", " 7", "7", "007", "sNaN"]),
)  # fmt: skip
VALUES = st.one_of(
    SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2)
)
NAMES = st.sampled_from(
    [
        *CLAUDES, *CODEXS, "cached_token_count", "reasoning_token_count", "cache_write_token_count", "model",
        "session.id", "request_id", "client_request_id", "event.timestamp", "event.sequence", "duration_ms", "cost_usd",
        "speed", "service_tier", "user.email", "team", "conversation.id", "type",
    ]
)  # fmt: skip
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=6)
quickly = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def stated(attributes: dict[str, Any], names: list[str]) -> float:
    """All that is said to have been used: nothing of it twice."""
    found = [attributes.get(name) for name in names]
    return sum(float(each) for each in found if isinstance(each, int | float) or _is_digits(each))


def _is_digits(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20


def attributes_of(record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = record["attributes"]
    return found


@quickly
@given(ATTRIBUTES)
def test_claude_codes_call_never_uses_more_than_it_says(said: dict[str, Any]) -> None:
    record = api_request(**said)
    for entrance, request in (
        (OTLP_LOGS, logs(record, resource=CLAUDE_RESOURCE)),
        (
            OTLP_TRACES,
            traces(
                span(name="claude_code.llm_request", attributes=attributes_of(record)),
                resource=CLAUDE_RESOURCE,
            ),
        ),
    ):
        found = sent(
            entrance, request, maps={"signals": {} if entrance is OTLP_LOGS else {"claude-code": "traces"}}
        )
        assert len(found.events) + len(found.refused) + sum(found.skipped.values()) == 1
        for event in found.events:
            used = sum(float(quantity) for quantity in event.data.usage.values())
            assert 0 <= used <= stated(attributes_of(record), CLAUDES) and math.isfinite(used)


@quickly
@given(ATTRIBUTES)
def test_codexs_call_never_uses_more_than_it_says(said: dict[str, Any]) -> None:
    record = sse_event(**said)
    found = sent(OTLP_LOGS, logs(record, resource=CODEX_RESOURCE))
    assert len(found.events) + len(found.refused) + sum(found.skipped.values()) == 1
    for event in found.events:
        used = sum(float(quantity) for quantity in event.data.usage.values())
        counts = list(CODEXS)
        if event.data.normalised == "assumed":  # what is cached then lies beside the input
            counts += ["cached_token_count", "cache_write_token_count"]
        if record["attributes"].get("output_token_count", "") in ("", None):
            counts.append("reasoning_token_count")
        assert 0 <= used <= stated(attributes_of(record), counts)


@quickly
@given(
    st.sampled_from(
        ["claude_code.commit.count", "claude_code.active_time.total", "codex.turn.e2e_duration_ms"]
    ),
    st.floats(),
    st.sampled_from([DELTA, CUMULATIVE, 0]),
    ATTRIBUTES,
)
def test_a_point_never_says_more_than_its_value(
    metric: str, value: float, temporality: int, said: dict[str, Any]
) -> None:
    points = [{"time_unix_nano": START_NS, "as_double": value, "attributes": pairs(said)}]
    found = sent(OTLP_METRICS, metrics(counted(metric, *points, temporality=temporality)))
    for event in found.events:
        assert temporality == DELTA
        assert 0 <= float(event.data.usage["active_seconds"]) <= value + 1e-12
