"""OTLP log records that tell of a call: coding agents', and GenAI events that carry usage.

Every other record is accepted and skipped: a Collector sends what there is. Of a record only attributes that
are asked for are looked at; prompts and answers are never decoded.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b

import msgspec

from services.ingest.dialects.coding_agents import (
    ATTRIBUTES,
    CLAUDE,
    CODEX,
    COWORK,
    GEMINI,
    UnreadableCall,
    agent_of,
    claude_call,
    codex_call,
    gemini_call,
    moment_identity,
    text,
)
from services.ingest.dialects.otlp_items import Attributes, SentLog, SentSpan
from services.ingest.dialects.otlp_labels import labels_of, labels_of_agent
from services.ingest.dialects.otlp_spans import call_of
from services.ingest.dialects.translated import ASSUMED, SaidEvent, Translated
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.label_maps import TenantMaps
from spendmeter.contracts.otel_names import OTEL

NO_USAGE = "no usage"
FAILED = "a call that failed"
OTHER_SIGNAL = "a coding agent's other signal"
REPEAT = "a coding agent's second event of a call"

_CLAUDE_EVENTS = "claude_code."
_CLAUDE_SCOPE = "com.anthropic.claude_code"
_COWORK_SERVICE = "cowork"
_CODEX_EVENTS = "codex."
_GEMINI_EVENTS = "gemini_cli."
_GENAI_EVENT = "gen_ai.client.inference.operation.details"
_GENAI_ATTRIBUTES = (OTEL.attributes() | {"error.type"}) - set(OTEL.call.answer)
_canonical = msgspec.json.Encoder(order="sorted", decimal_format="string").encode

CallOfTool = Callable[[Attributes, Mapping[str, str], int, int], SaidEvent | None]


class LogReader:
    """Reads the records of one request, in their order."""

    def __init__(self, maps: RequestMaps, labels: Mapping[str, str]) -> None:
        """`labels`: what the request says beside its records; what they say themselves goes before it."""
        self._maps = maps
        self._labels = labels
        self._of_a_moment: Counter[str] = Counter()
        self.found = Translated()

    def read(self, record: SentLog) -> None:
        """Take a record, skip it, or refuse it."""
        tenant, maps = self._maps.of(record.resource)
        try:
            said = self._said(record, maps)
        except UnreadableCall as error:
            self.found.refuse(record.index, error.reason, error.field)
            return
        if isinstance(said, str):
            self.found.skipped[said] += 1
            return
        self._maps.name_in(said, tenant)
        if said["data"].get("normalised") == "assumed":
            self.found.noted[ASSUMED] += 1
        self.found.take(record.index, said)

    def _said(self, record: SentLog, maps: TenantMaps) -> SaidEvent | str:
        """The event, or why there is none."""
        event = text(record.attributes, "event.name") or record.name
        if event.startswith(_CODEX_EVENTS):
            complete = record.attributes.get("event.kind") == "response.completed"
            tells = event == "codex.sse_event" and complete
            return self._moment_said(CODEX, codex_call, record, maps) if tells else NO_USAGE
        if event.startswith(_GEMINI_EVENTS):
            tells = event == "gemini_cli.api_response"
            return self._moment_said(GEMINI, gemini_call, record, maps) if tells else NO_USAGE
        if _is_claudes(event, record):
            return self._claude_said(event.removeprefix(_CLAUDE_EVENTS), record, maps)
        if event != _GENAI_EVENT:
            return NO_USAGE
        return REPEAT if agent_of(record.resource) else self._genai_said(record, maps)

    def _claude_said(self, event: str, record: SentLog, maps: TenantMaps) -> SaidEvent | str:
        if event not in ("api_request", "api_error"):
            return NO_USAGE
        failed = event == "api_error"
        cowork = record.resource.get("service.name") == _COWORK_SERVICE
        labels = labels_of_agent(COWORK if cowork else CLAUDE, record, maps, self._labels)
        said = claude_call(record.attributes, labels, record.time_ns, "error" if failed else "ok")
        if said is None:
            return FAILED if failed else NO_USAGE
        return said if maps.signal_of(CLAUDE) == "logs" else OTHER_SIGNAL

    def _moment_said(
        self, tool: str, call_of_tool: CallOfTool, record: SentLog, maps: TenantMaps
    ) -> SaidEvent | str:
        """Of a tool whose calls state no id: one that says the same of the same moment is another call."""
        call = record.attributes
        identity = moment_identity(tool, call, record.time_ns)
        ordinal = self._of_a_moment[identity] + 1
        labels = labels_of_agent(tool, record, maps, self._labels)
        said = call_of_tool(call, labels, record.time_ns, ordinal)
        if said is None:
            return FAILED if "error.message" in call else NO_USAGE
        self._of_a_moment[identity] = ordinal
        return said if maps.signal_of(tool) == "logs" else OTHER_SIGNAL

    def _genai_said(self, record: SentLog, maps: TenantMaps) -> SaidEvent | str:
        """Of anybody else's call: what its span says too, under the span's identity."""
        found = Translated()
        labels = labels_of(record, maps, found, self._labels)
        call = call_of(_as_span(record), labels, found)
        self.found.noted += found.noted
        if found.refused:
            raise UnreadableCall(found.refused[0]["field"], found.refused[0]["reason"])
        return call.said if call else next(iter(found.skipped), NO_USAGE)


def kept(maps: RequestMaps) -> frozenset[str]:
    """The attributes that are to be decoded: nothing else is ever looked at."""
    return ATTRIBUTES | _GENAI_ATTRIBUTES | maps.attributes


def _as_span(record: SentLog) -> SentSpan:
    """The span that the record is of; of none, one that only this record has."""
    said = (record.time_ns, record.scope, record.attributes)
    digest = blake2b(_canonical(said), digest_size=24).hexdigest()
    return SentSpan(
        index=record.index,
        attributes=record.attributes,
        resource=record.resource,
        scope=record.scope,
        trace_id=record.trace_id or digest[:32],
        span_id=record.span_id or digest[32:],
        parent_id="",
        name=record.name,
        start_ns=0,
        end_ns=record.time_ns,
        failed="error.type" in record.attributes,
    )


def _is_claudes(event: str, record: SentLog) -> bool:
    """The name of the event itself may lack the tool's; then the library's or the service's has it."""
    return (
        event.startswith(_CLAUDE_EVENTS)
        or record.name.startswith(_CLAUDE_EVENTS)
        or record.scope.startswith(_CLAUDE_SCOPE)
        or record.resource.get("service.name") in (CLAUDE, _COWORK_SERVICE)
    )
