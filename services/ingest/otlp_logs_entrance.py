"""The entrance of OTLP logs: `POST /v1/logs`, by which coding agents tell what they used."""

from collections.abc import Mapping

from services.ingest.dialects.otlp_logs import LogReader, kept
from services.ingest.dialects.otlp_wire import read_logs
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import Incoming
from services.ingest.otlp_entrance import otlp_entrance


def translate_logs(incoming: Incoming, labels: Mapping[str, str]) -> Translated:
    """The calls that a request's records tell of. Raises WireError."""
    reader = LogReader(incoming.maps, labels)
    for record in read_logs(incoming.body, incoming.media_type, kept(incoming.maps)):
        reader.read(record)
    return reader.found


_EXAMPLE = {
    "resourceLogs": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]},
            "scopeLogs": [
                {
                    "logRecords": [
                        {
                            "body": {"stringValue": "claude_code.api_request"},
                            "attributes": [
                                {"key": "model", "value": {"stringValue": "claude-sonnet-4-5"}},
                                {"key": "input_tokens", "value": {"intValue": "5"}},
                                {"key": "output_tokens", "value": {"intValue": "10"}},
                                {
                                    "key": "request_id",
                                    "value": {"stringValue": "req_011CSHoEeqs5C35K2UUqR7Fy"},
                                },
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}

OTLP_LOGS = otlp_entrance(
    "logs",
    translate_logs,
    about="Of log records those are priced that tell of a call: Claude Code's `claude_code.api_request`, "
    "Codex' `codex.sse_event` of a complete response, and GenAI events that carry usage. All others are "
    "accepted and passed over. Prompts and answers are never read.",
    example=_EXAMPLE,
)
