"""A request of spans as events: each call once, however many of its spans came along. Pure.

Since vendors' SDKs have spans of their own, an instrumentation around one makes a second span of each call.
Where both say the response's id, they are one call by that. Where the outer one does not, it is one with the
call inside it of the same model, whatever other spans stand between them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.ingest.dialects.otlp_items import SentSpan
from services.ingest.dialects.otlp_labels import NO_LABELS
from services.ingest.dialects.otlp_spans import ATTRIBUTES, SOURCE, SpanCall, is_repeat, span_call
from services.ingest.dialects.otlp_wire import read_spans
from services.ingest.dialects.translated import ASSUMED, Translated
from services.ingest.request_maps import RequestMaps

_DATE = re.compile(r"[-@]20[0-9]{2}-?[0-9]{2}-?[0-9]{2}")
SpanKey = tuple[str, str]
"""The trace, and the span in it."""
SECOND_SPAN = "a second span of one call"
SECOND_OF_ID = "a second span with one response's id in a trace, which may be another call"


def translate_spans(
    body: bytes, media_type: str, maps: RequestMaps, labels: Mapping[str, str] = NO_LABELS
) -> Translated:
    """An ExportTraceServiceRequest; `labels` go under what its spans say themselves. Raises WireError."""
    found = Translated()
    spans = read_spans(body, media_type, ATTRIBUTES | maps.attributes)
    calls = [call for span in spans if (call := span_call(span, maps, found, labels)) is not None]
    for call in _each_once(calls, spans, found):
        if call.said["data"].get("normalised") == "assumed":
            found.noted[ASSUMED] += 1
        found.take(call.span.index, call.said)
    return found


class _Above(NamedTuple):
    """The nearest call around a span; `direct`: no span of an agent or a tool stands between the two, which
    may have made a call of its own."""

    call: SpanKey
    direct: bool


def _each_once(calls: list[SpanCall], spans: Sequence[SentSpan], found: Translated) -> list[SpanCall]:
    """The calls in their order: of each the span that states most, with what its others alone say beside."""
    kept: dict[tuple[str, str], SpanCall] = {}
    inside = _calls_inside(calls, spans)
    seen: set[tuple[str, str]] = set()
    for call in calls:
        identity = (call.said["source"], call.said["id"])
        ours = inside[_key(call.span)]
        within = next((each for each, direct in ours if _repeats(call, each, direct)), None)
        if within is None and _adds_up(call, ours):
            within = ours[0][0]
        if within is not None:
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


def _calls_inside(
    calls: list[SpanCall], spans: Sequence[SentSpan]
) -> Mapping[SpanKey, list[tuple[SpanCall, bool]]]:
    """By call: those that it is the nearest call around, and whether directly."""
    inside: defaultdict[SpanKey, list[tuple[SpanCall, bool]]] = defaultdict(list)
    if len(calls) < 2:
        return inside
    by_key = {_key(span): span for span in spans}
    are_calls = {_key(call.span) for call in calls}
    known: dict[SpanKey, _Above | None] = {}
    for call in calls:
        above = _call_above(call.span, by_key, are_calls, known)
        if above is not None and above.call != _key(call.span):
            inside[above.call].append((call, above.direct))
    return inside


def _call_above(
    span: SentSpan,
    by_key: Mapping[SpanKey, SentSpan],
    are_calls: set[SpanKey],
    known: dict[SpanKey, _Above | None],
) -> _Above | None:
    """The nearest call around a span, as far as the request has what stands between. `known` grows by what
    was walked past, so that each span is walked past once."""
    walked: list[SentSpan] = []
    above: _Above | None = None
    here = span
    while here.parent_id:
        key = (here.trace_id, here.parent_id)
        if key in are_calls:
            above = _Above(key, direct=True)
            break
        if key in known:
            above = known[key]
            if above is not None and is_repeat(by_key[key].attributes):
                above = _Above(above.call, direct=False)
            break
        if key not in by_key:
            break
        known[key] = None  # so that spans around each other in a ring end the walk
        here = by_key[key]
        walked.append(here)
    for passed in reversed(walked):
        known[_key(passed)] = above
        if above is not None and is_repeat(passed.attributes):
            above = _Above(above.call, direct=False)
    return above


def _key(span: SentSpan) -> SpanKey:
    return span.trace_id, span.span_id


def _repeats(outer: SpanCall, inner: SpanCall, direct: bool) -> bool:
    """Whether a span without an id says again what the one inside it says: it may know the model by the name
    that was asked for, which has no date. Around an agent's or a tool's span it does only where all that it
    counts is the same; and so it is where nothing says of either what it is."""
    if outer.response_id:
        return False
    if not direct or (outer.by_usage and inner.by_usage):
        return _same(outer, inner)
    return outer.model == _DATE.sub("", inner.model) or outer.model == inner.model or _same(outer, inner)


def _adds_up(outer: SpanCall, inside: Sequence[tuple[SpanCall, bool]]) -> bool:
    """Whether what may be no call states the sum of the calls inside it."""
    if not outer.by_usage or not inside:
        return False
    used: Counter[str] = Counter()
    for call, _ in inside:
        used.update(call.said["data"]["usage"])
    return +used == +Counter(outer.said["data"]["usage"])


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
