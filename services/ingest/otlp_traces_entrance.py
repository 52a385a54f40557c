"""The entrance of OTLP traces: `POST /v1/traces`, by which instrumented applications tell what they used."""

from collections.abc import Mapping

from services.ingest.dialects.otlp_calls import translate_spans
from services.ingest.dialects.translated import Translated
from services.ingest.entrances import Incoming
from services.ingest.otlp_entrance import otlp_entrance


def translate_traces(incoming: Incoming, labels: Mapping[str, str]) -> Translated:
    """The calls that a request's spans tell of. Raises WireError."""
    return translate_spans(incoming.body, incoming.media_type, incoming.maps, labels)


def _attribute(key: str, **value: str) -> dict[str, object]:
    return {"key": key, "value": value}


_EXAMPLE = {
    "resourceSpans": [
        {
            "resource": {"attributes": [_attribute("service.name", stringValue="checkout")]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "chat gpt-4o",
                            "startTimeUnixNano": "1795687200000000000",
                            "endTimeUnixNano": "1795687200830000000",
                            "attributes": [
                                _attribute("gen_ai.operation.name", stringValue="chat"),
                                _attribute("gen_ai.provider.name", stringValue="openai"),
                                _attribute("gen_ai.response.model", stringValue="gpt-4o-2024-08-06"),
                                _attribute("gen_ai.usage.input_tokens", intValue="10000"),
                                _attribute("gen_ai.usage.cache_read.input_tokens", intValue="8000"),
                                _attribute("gen_ai.usage.output_tokens", intValue="1000"),
                            ],
                        }
                    ]
                }
            ],
        }
    ]
}

OTLP_TRACES = otlp_entrance(
    "traces",
    translate_traces,
    about="Of spans those are priced that are calls of a model, as OpenTelemetry's GenAI conventions, "
    "OpenLLMetry and OpenInference write them. Spans that repeat their children, and all others, are "
    "accepted and passed over. Prompts and answers are never kept.",
    example=_EXAMPLE,
)
