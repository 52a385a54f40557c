"""OTLP data points that say what no call says: what came of the work, and how long it was worked at.

Everything else in metrics repeats what spans and logs say call by call, and is passed over. A point is what
was added since the one before (delta): one that says how much there is in all (cumulative) would count the
same commits again each minute, so it is rejected, with the setting that mends it.
"""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec

from services.ingest.dialects.coding_agents import (
    CLAUDE,
    CODEX,
    OTLP,
    happened,
    text,
)
from services.ingest.dialects.otlp_items import SentPoint
from services.ingest.dialects.otlp_labels import labels_of_agent
from services.ingest.dialects.translated import SaidEvent, Translated, outcome_event, usage_event
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.label_maps import TenantMaps
from spendmeter.contracts.money import divided

REPEAT = "a metric that repeats calls"
NOTHING = "nothing happened"
OTHER = "no outcome and no time at work"
CUMULATIVE = (
    "must be a sum of deltas: set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=delta, or put the "
    "Collector's cumulativetodelta before it"
)
WHOLE = "must be a whole number of at least 0"
SECONDS = "must be a number of seconds of at least 0"
VALUE_MAX = 10**9

OUTCOMES = {
    "claude_code.pull_request.count": "pull_request",
    "claude_code.commit.count": "commit",
    "claude_code.lines_of_code.count": "lines_of_code",
}
"""What came of the work; lines are told apart by their type: lines_of_code_added."""
LINE_TYPES = ("added", "removed")
ACTIVE = {"claude_code.active_time.total": (CLAUDE, 1), "codex.turn.e2e_duration_ms": (CODEX, 1_000)}
"""Time at work: whose tool says it, and how many of its units a second has."""
TAKEN = OUTCOMES.keys() | ACTIVE.keys()
"""The attributes of no other metric's points are looked at."""
PERSON, AGENT = "active-time-person", "active-time-agent"
REPEATS = (
    "claude_code.cost.",
    "claude_code.token.",
    "codex.turn.token_usage",
    "codex.turn.cost",
    "gen_ai.client.",
)
"""How metrics begin that tell of calls once more."""

_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string").encode


class PointReader:
    """Reads the data points of one request, in their order."""

    def __init__(self, maps: RequestMaps, labels: Mapping[str, str]) -> None:
        """`labels`: what the request says beside its points; what they say themselves goes before it."""
        self._maps = maps
        self._labels = labels
        self.found = Translated()

    def read(self, point: SentPoint) -> None:
        """Take a point, skip it, or refuse it."""
        if point.metric not in TAKEN:
            self.found.skipped[REPEAT if point.metric.startswith(REPEATS) else OTHER] += 1
        elif point.temporality != "delta":
            self.found.refuse(point.index, CUMULATIVE, point.metric)
        else:
            self._take(point)

    def _take(self, point: SentPoint) -> None:
        counts = point.metric in OUTCOMES
        value = _in_bounds(point.value)
        if value is None or (counts and value != int(value)):
            self.found.refuse(point.index, WHOLE if counts else SECONDS, point.metric)
        elif value == 0:
            self.found.skipped[NOTHING] += 1
        else:
            tenant, maps = self._maps.of(point.resource)
            said = self._outcome(point, int(value), maps) if counts else self._active(point, value, maps)
            self._maps.name_in(said, tenant)
            (self.found.outcome if counts else self.found.take)(point.index, said)

    def _outcome(self, point: SentPoint, count: int, maps: TenantMaps) -> SaidEvent:
        name = OUTCOMES[point.metric]
        kind = text(point.attributes, "type")
        return outcome_event(
            id=point_identity(point),
            source=OTLP,
            name=f"{name}_{kind}" if kind in LINE_TYPES else name,
            count=count,
            time=happened({}, point.end_ns),
            labels=labels_of_agent(CLAUDE, point, maps, self._labels),
        )

    def _active(self, point: SentPoint, value: Decimal, maps: TenantMaps) -> SaidEvent:
        tool, per_second = ACTIVE[point.metric]
        return usage_event(
            id=point_identity(point),
            source=OTLP,
            provider=tool,
            sku=PERSON if text(point.attributes, "type") == "user" else AGENT,
            cost_class="labour",
            usage={"active_seconds": divided(value, Decimal(per_second))},
            time=happened({}, point.end_ns),
            labels=labels_of_agent(tool, point, maps, self._labels),
        )


def point_identity(point: SentPoint) -> str:
    """Whose count it is and from when to when: the same however often an exporter sends it."""
    said: tuple[Any, ...] = (point.resource, point.scope, point.metric, point.attributes)
    digest = blake2b(_canonical(said), digest_size=16).hexdigest()
    return f"{point.metric}:{digest}:{point.start_ns}:{point.end_ns}"


def _in_bounds(value: int | Decimal | None) -> Decimal | None:
    """The value of a point, if it is a number that a minute can have."""
    if value is None or (isinstance(value, Decimal) and not value.is_finite()):
        return None
    return Decimal(value) if 0 <= value < VALUE_MAX else None
