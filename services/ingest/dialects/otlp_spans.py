"""OTLP's spans as events: one for each call of a model, none for what repeats it. Pure.

Which attribute says what is data (spendmeter/contracts/otel_usage.toml); what stands neither there nor in the
tenant's maps is never read. A call that several spans tell of is one event (`otlp_calls.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from services.ingest.dialects.call_ids import call_identity
from services.ingest.dialects.coding_agents import ATTRIBUTES as AGENT_ATTRIBUTES
from services.ingest.dialects.coding_agents import CLAUDE, EPOCH, OTLP, UnreadableCall, agent_of, claude_call
from services.ingest.dialects.otlp_items import Attributes, SentSpan
from services.ingest.dialects.otlp_labels import NO_LABELS, labels_of, labels_of_agent
from services.ingest.dialects.translated import SaidEvent, Translated, usage_event
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.dialect_parts import DialectError
from spendmeter.contracts.dialects import disjoint
from spendmeter.contracts.money import parse_decimal, plain
from spendmeter.contracts.otel_names import OTEL, SCOPE, first_stated, opened

SOURCE = OTLP
"""Of every span's event whose call has no identity of its own: a Collector may rename `service.name`."""
ATTRIBUTES = OTEL.attributes() | (AGENT_ATTRIBUTES - {"error.message"})
AGENTS_REPEAT = "an agent's or a tool's: its calls have spans of their own"
NO_CALL = "no call of a model"
USAGE_OF_NO_CALL = "usage, and nothing that says of what: let the span say gen_ai.operation.name"
UNREAD = "usage in a form of a tool's own: let the instrumentation say gen_ai.usage"
PENDING = "not ended yet"
FROM_CACHE = "answered out of a gateway's own cache: no vendor was asked"
NO_USAGE = "no usage"
UNMETERED = "a call that was answered, and no usage: let the instrumentation ask for it (include_usage)"
OTHER_SIGNAL = "a coding agent's: priced by its log records"
COST_UNREADABLE = "its reported cost is no amount of money"
UNBOUNDED = "interrupted, and how much output it had at most is not said"
INTERRUPTED = "interrupted: what was last said, or may have come at most"
_UNKNOWN = "unknown"
"""What a call is booked under that names no provider or model: seen, and priced as unknown things are."""
_NS_MAX = 2**62
_ANSWER_ID = re.compile(r'\{\s*"id"\s*:\s*"([A-Za-z0-9_-]{8,80})"')
_CURRENCY = re.compile("[A-Z]{3}")
_NAME_MAX = 256
_WHOLE_DIGITS_MAX = 12


@dataclass(frozen=True, kw_only=True)
class SpanCall:
    """A span that is a call of a model, and the event that it makes."""

    span: SentSpan
    said: SaidEvent
    response_id: str
    model: str
    states: tuple[bool, int, bool]
    """How much of the call: its output too, so many quantities, and whether nothing of them is assumed. Of
    several spans of one that which states most counts."""
    by_usage: bool = False
    """Whether it is a call by its model and its usage alone: nothing says what kind of span it is."""


def span_call(
    span: SentSpan, maps: RequestMaps, found: Translated, labels: Mapping[str, str] = NO_LABELS
) -> SpanCall | None:
    """The call that a span tells of; None = none, and `found` says why. `labels`: of the whole request."""
    tenant, own_maps = maps.of(span.resource)
    agent = agent_of(span.resource)
    if agent and own_maps.signal_of(agent) != "traces":
        found.skipped[OTHER_SIGNAL] += 1
        return None
    why = "" if agent and span.name in OTEL.agents[agent].calls else _is_no_call(span.attributes)
    by_usage = why == USAGE_OF_NO_CALL and not agent and span.name not in _AGENTS_CALLS and _names_call(span)
    if why and not by_usage:
        found.skipped[why] += 1
        return None
    if agent:
        whose = labels_of_agent(agent, span, own_maps, labels)
    else:
        whose = labels_of(span, own_maps, found, labels)
    call = _claudes(span, whose, found) if agent == CLAUDE else call_of(span, whose, found)
    if call is None:
        return None
    maps.name_in(call.said, tenant)
    return replace(call, by_usage=True) if by_usage else call


def _claudes(span: SentSpan, labels: Mapping[str, str], found: Translated) -> SpanCall | None:
    """Of Claude Code, which counts in words of its own, and as its vendor does."""
    try:
        said = claude_call(span.attributes, labels, span.end_ns, "error" if span.failed else "ok")
    except UnreadableCall as error:
        found.refuse(span.index, error.reason, error.field)
        return None
    if said is None:
        found.skipped[NO_USAGE] += 1
        return None
    said["data"]["performance"] = _performance(span)
    model = said["data"]["sku"]
    return SpanCall(span=span, said=said, response_id=said["id"], model=model, states=(True, 0, True))


def call_of(span: SentSpan, labels: Mapping[str, str], found: Translated) -> SpanCall | None:
    """The call that a span is of which no more is known than what its attributes say."""
    attributes = opened(span.attributes)
    response_id = _response_id(attributes)
    try:
        quantities, normalised = disjoint("otel", {**attributes, SCOPE: span.scope})
    except DialectError as error:
        if _says_usage(attributes):
            found.refuse(span.index, str(error), "attributes")
            return None
        quantities, normalised = {}, "stated"
    ended = bool(quantities.get("output_tokens"))
    estimated = _complete(quantities, attributes, response_id, found)
    filled = bool(estimated) and not ended
    if not any(quantities.values()) and not _states_zero(quantities, span):
        was_answered = not span.failed and bool(response_id or _finished(attributes))
        found.skipped[UNMETERED if was_answered else NO_USAGE] += 1
        return None
    provider, model = _provider(attributes), _text(attributes, OTEL.call.model) or _UNKNOWN
    identity = call_identity(provider, response_id) if response_id else None
    if identity is None and not (span.trace_id and span.span_id):
        found.refuse(span.index, "must be 16 and 8 bytes that are not all zero", "trace_id, span_id")
        return None
    source, event_id = identity or (SOURCE, f"{span.trace_id}-{span.span_id}")
    said = usage_event(
        id=event_id,
        source=source,
        time=_instant(span.end_ns or span.start_ns),
        provider=provider,
        sku=model,
        usage=quantities,
        context=_context(attributes),
        labels=labels,
        performance=_performance(span),
        outcome=_outcome(attributes),
        reported_cost=_reported_cost(attributes, found),
        estimated=estimated,
        normalised=normalised,
    )
    counted = sum(1 for quantity in quantities.values() if quantity)
    states = (not filled, counted, normalised == "stated")
    return SpanCall(span=span, said=said, response_id=response_id, model=model, states=states)


def is_repeat(attributes: Attributes) -> bool:
    """Whether a span is an agent's, a tool's or another kind's that repeats the calls inside it."""
    return _is_no_call(attributes) == AGENTS_REPEAT


def _is_no_call(attributes: Attributes) -> str:
    """Why a span is not the call of a model itself; '' = it is."""
    kinds = OTEL.spans
    operation = _text(attributes, OTEL.call.operation).lower()
    span_kind = _text(attributes, OTEL.call.span_kind).lower()
    if _text(attributes, OTEL.call.pending) in kinds.pending:
        return PENDING
    if str(first_stated(attributes, OTEL.call.from_cache)).lower() == "true":
        return FROM_CACHE
    if operation in kinds.calls and span_kind in kinds.vague:
        return ""
    if operation in kinds.repeats or span_kind in kinds.repeats:
        return AGENTS_REPEAT
    if operation in kinds.calls or span_kind in kinds.calls:
        return ""
    if first_stated(attributes, OTEL.call.response_id):
        return ""
    counted = (first_stated(attributes, names) for names in (OTEL.usage.input, OTEL.usage.output))
    if any(tokens not in (None, 0, "0") for tokens in counted):
        return USAGE_OF_NO_CALL
    return UNREAD if first_stated(attributes, OTEL.call.unread) else NO_CALL


_AGENTS_CALLS = frozenset().union(*(names.calls for names in OTEL.agents.values()))


def _names_call(span: SentSpan) -> bool:
    """Whether a span that states usage is to be taken for a call: it says of which model and whose, as that
    of Google's ADK did (`call_llm`), and no operation or kind, of which an unknown one may repeat others."""
    call = OTEL.call
    stated = all(_text(span.attributes, names) for names in (call.provider, call.model))
    return stated and not any(_text(span.attributes, names) for names in (call.operation, call.span_kind))


def _response_id(attributes: Attributes) -> str:
    """The vendor's, where a span says it; or where the answer that it has written down begins with one."""
    if stated := _text(attributes, OTEL.call.response_id):
        return stated
    answer = first_stated(attributes, OTEL.call.answer)
    begins = _ANSWER_ID.match(answer) if isinstance(answer, str) else None
    # nothing of an answer is ever kept but an id that only a vendor makes
    return begins[1] if begins and call_identity(_provider(attributes), begins[1]) else ""


def _provider(attributes: Attributes) -> str:
    name = _text(attributes, OTEL.call.provider).lower()
    if name.endswith(OTEL.spans.provider_endings):
        name = name.rpartition(".")[0]
    return name or _UNKNOWN


def _says_usage(attributes: Attributes) -> bool:
    return any(first_stated(attributes, names) not in (None, 0) for names in _QUANTITIES)


_QUANTITIES = tuple(getattr(OTEL.usage, name) for name in OTEL.usage.__struct_fields__)


def _complete(
    quantities: dict[str, Any], attributes: Attributes, response_id: str, found: Translated
) -> tuple[str, ...]:
    """The units of an interrupted call whose quantity is an estimate; what is missing is put in."""
    if not quantities or not response_id or _embeds(attributes):
        return ()
    if quantities.get("output_tokens"):
        if first_stated(attributes, OTEL.call.stream) is True and not _finished(attributes):
            found.noted[INTERRUPTED] += 1
            return ("output_tokens",)
        return ()
    if "output_tokens" in quantities or _finished(attributes):
        return ()
    most = first_stated(attributes, OTEL.call.output_max)
    if type(most) is int and most > 0:
        quantities["output_tokens"] = most
        found.noted[INTERRUPTED] += 1
        return ("output_tokens",)
    found.noted[UNBOUNDED] += 1
    return ()


def _embeds(attributes: Attributes) -> bool:
    return "embed" in (
        _text(attributes, OTEL.call.operation).lower() + _text(attributes, OTEL.call.span_kind).lower()
    )


def _finished(attributes: Attributes) -> bool:
    return first_stated(attributes, OTEL.call.finish) is not None


def _states_zero(quantities: Mapping[str, Any], span: SentSpan) -> bool:
    """Whether nothing was used, and the span says so of a call that came to its end in an error. Of one that
    was answered no zero is believed: instrumentations write it where a stream was not asked for its usage,
    and booked it would hold the call's identity against the span that knows."""
    return bool(quantities) and span.failed and _finished(span.attributes)


def _context(attributes: Attributes) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if tier := _text(attributes, OTEL.call.service_tier):
        context["service_tier"] = tier
    if region := _text(attributes, OTEL.call.region):
        context["region"] = region
    if str(first_stated(attributes, OTEL.call.batch)).lower() == "true":
        context["batch"] = True
    return context


def _performance(span: SentSpan) -> dict[str, Any]:
    said: dict[str, Any] = {"status": "error" if span.failed else "ok"}
    if 0 < span.start_ns <= span.end_ns < _NS_MAX:
        said["latency_ms"] = (span.end_ns - span.start_ns) // 1_000_000
    return said


def _outcome(attributes: Attributes) -> dict[str, Any] | None:
    name = _text(attributes, OTEL.call.outcome)
    return {"name": name, "count": 1} if name else None


def _reported_cost(attributes: Attributes, found: Translated) -> dict[str, str] | None:
    stated = first_stated(attributes, OTEL.reported.amount)
    if stated is None:
        return None
    currency = first_stated(attributes, OTEL.reported.currency) or "USD"
    try:
        amount = _plain_amount(stated)
    except ValueError:
        amount = ""
    if not amount or not _CURRENCY.fullmatch(str(currency)):
        found.noted[COST_UNREADABLE] += 1
        return None
    return {"amount": amount, "currency": str(currency)}


def _plain_amount(stated: Any) -> str:
    """As our contract writes money: a double has more digits than anybody is charged. Raises ValueError."""
    if isinstance(stated, Decimal):
        if not stated.is_finite() or stated.adjusted() > _WHOLE_DIGITS_MAX:
            raise ValueError("is no amount")
        stated = plain(round(stated, 12))
    text = str(stated)
    parse_decimal(text)
    return text


def _text(attributes: Attributes, names: tuple[str, ...]) -> str:
    value = first_stated(attributes, names)
    return value.strip()[:_NAME_MAX] if isinstance(value, str) else ""


def _instant(ns: int) -> datetime | None:
    """None = not stated, or no time at all."""
    return EPOCH + timedelta(microseconds=ns // 1000) if 0 < ns < _NS_MAX else None
