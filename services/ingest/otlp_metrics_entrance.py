"""The entrance of OTLP metrics: `POST /v1/metrics`, of which outcomes and time at work are taken."""

from collections.abc import Mapping

from services.ingest.dialects.otlp_metrics import TAKEN, PointReader
from services.ingest.dialects.otlp_wire import read_points
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import Incoming
from services.ingest.otlp_entrance import otlp_entrance


def translate_metrics(incoming: Incoming, labels: Mapping[str, str]) -> Translated:
    """The outcomes and the time at work that a request's points tell of. Raises WireError."""
    reader = PointReader(incoming.maps, labels)
    for point in read_points(incoming.body, incoming.media_type, TAKEN):
        reader.read(point)
    return reader.found


_EXAMPLE = {
    "resourceMetrics": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]},
            "scopeMetrics": [
                {
                    "metrics": [
                        {
                            "name": "claude_code.commit.count",
                            "sum": {
                                "aggregationTemporality": 1,
                                "isMonotonic": True,
                                "dataPoints": [
                                    {
                                        "startTimeUnixNano": "1795687200000000000",
                                        "timeUnixNano": "1795687260000000000",
                                        "asDouble": 1,
                                    }
                                ],
                            },
                        }
                    ]
                }
            ],
        }
    ]
}

OTLP_METRICS = otlp_entrance(
    "metrics",
    translate_metrics,
    about="Of metrics outcomes are taken (pull requests, commits, lines of Claude Code's) and time at work "
    "(`claude_code.active_time.total`, `codex.turn.e2e_duration_ms`), as deltas: cumulative points of these "
    "are rejected. All other metrics repeat what calls say one by one, and are accepted and passed over.",
    example=_EXAMPLE,
)
