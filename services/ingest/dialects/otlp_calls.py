"""A request of spans as events: each call once, however many of its spans came along. Pure.

Since vendors' SDKs have spans of their own, an instrumentation around one makes a second span of each call.
Where both say the response's id, they are one call by that. Where the outer one does not, it is one with the
span inside it of the same model.
"""

import re
from collections.abc import Mapping

from services.ingest.dialects.otlp_labels import NO_LABELS
from services.ingest.dialects.otlp_spans import ATTRIBUTES, SOURCE, SpanCall, span_call
from services.ingest.dialects.otlp_wire import read_spans
from services.ingest.dialects.translated import Translated
from services.ingest.request_maps import RequestMaps

_DATE = re.compile(r"[-@]20[0-9]{2}-?[0-9]{2}-?[0-9]{2}")
SECOND_SPAN = "a second span of one call"
SECOND_OF_ID = "a second span with one response's id in a trace, which may be another call"


def translate_spans(
    body: bytes, media_type: str, maps: RequestMaps, labels: Mapping[str, str] = NO_LABELS
) -> Translated:
    """An ExportTraceServiceRequest; `labels` go under what its spans say themselves. Raises WireError."""
    found = Translated()
    spans = read_spans(body, media_type, ATTRIBUTES | maps.attributes)
    calls = [call for span in spans if (call := span_call(span, maps, found, labels)) is not None]
    for call in _each_once(calls, found):
        found.take(call.span.index, call.said)
    return found


def _each_once(calls: list[SpanCall], found: Translated) -> list[SpanCall]:
    """The calls in their order: of each the span that states most, with what its others alone say beside."""
    kept: dict[tuple[str, str], SpanCall] = {}
    inner = {(call.span.trace_id, call.span.parent_id): call for call in calls if call.span.parent_id}
    seen: set[tuple[str, str]] = set()
    for call in calls:
        identity = (call.said["source"], call.said["id"])
        within = inner.get((call.span.trace_id, call.span.span_id))
        if within is not None and _repeats(call, within):
            found.skipped[SECOND_SPAN] += 1
            _complete(within, call)
            continue
        if (other := kept.get(identity)) is not None:
            found.skipped[SECOND_SPAN] += 1
            better, worse = (call, other) if call.states > other.states else (other, call)
            _complete(better, worse)
            kept[identity] = better
            continue
        kept[identity] = call
        if call.response_id and identity[0] == SOURCE:
            if (call.span.trace_id, call.response_id) in seen:
                found.noted[SECOND_OF_ID] += 1
            seen.add((call.span.trace_id, call.response_id))
    return list(kept.values())


def _repeats(outer: SpanCall, inner: SpanCall) -> bool:
    """Whether a span without an id says again what the one inside it says: it may know the model by the name
    that was asked for, which has no date."""
    if outer.response_id:
        return False
    return outer.model == _DATE.sub("", inner.model) or outer.model == inner.model or _same(outer, inner)


def _same(outer: SpanCall, inner: SpanCall) -> bool:
    """Whether both state one usage, of both sides."""
    used: dict[str, object] = outer.said["data"]["usage"]
    both = bool(used.get("input_tokens") and used.get("output_tokens"))
    return both and used == inner.said["data"]["usage"]


def _complete(call: SpanCall, other: SpanCall) -> None:
    """Add what the other span alone says: whose the call is, and that it was interrupted."""
    ours, theirs = call.said["data"], other.said["data"]
    if labels := theirs.get("labels", {}) | ours.get("labels", {}):
        ours["labels"] = labels
    for name in ("outcome", "reported_cost", "estimated"):
        if name in theirs:
            ours.setdefault(name, theirs[name])
