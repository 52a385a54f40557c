"""Whatever spans say: nothing crashes, what is accepted is never more than was sent, and nothing is said twice."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.ingest.accept import accept_translated
from services.ingest.dialects.otlp_calls import translate_spans
from services.ingest.dialects.otlp_spans import ATTRIBUTES
from services.ingest.dialects.otlp_wire import JSON, PROTOBUF
from services.ingest.request_maps import RequestMaps
from spendmeter.contracts.otel_names import OTEL
from tests.ingest.dialects.otlp import in_json, span, traces
from tests.ingest.test_accept import submission

ID = "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG"
WORDS = sorted(
    OTEL.spans.calls
    | OTEL.spans.repeats
    | {"openai", "gpt-4o", ID, "chatcmpl-213", "USD", "", "x" * 300, "\u202e", "NaN"}
)
values = st.one_of(
    st.sampled_from(WORDS), st.integers(-5, 2**62), st.integers(0, 20_000), st.floats(), st.booleans(), st.text(max_size=20), st.binary(max_size=5),
    st.lists(st.integers(0, 9), max_size=2), st.none(),
)  # fmt: skip
attributes = st.dictionaries(st.sampled_from(sorted(ATTRIBUTES)), values, max_size=14)
counted = st.dictionaries(
    st.sampled_from([name for names in (getattr(OTEL.usage, field) for field in OTEL.usage.__struct_fields__) for name in names]),
    st.integers(0, 20_000), max_size=8,
)  # fmt: skip
spans = st.builds(
    lambda said, counts, place, parent, ms: span(place, attributes=said | counts, parent_span_id=parent.to_bytes(8, "big") if parent else b"", ms=ms),
    attributes, counted, st.integers(0, 3), st.integers(0, 3), st.integers(-5, 10**9),
)  # fmt: skip


slowly = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A machine on which others run draws slowly."""


def most(sent: dict[str, Any]) -> int:
    """All that its attributes could mean, each read as something of its own."""
    names = [*(getattr(OTEL.usage, field) for field in OTEL.usage.__struct_fields__), OTEL.call.output_max]
    stated = [
        value for spellings in names for name in spellings if isinstance(value := sent.get(name), int | float)
    ]
    return sum(int(value) for value in stated if 0 < value < 2**63)


@slowly
@given(st.lists(spans, min_size=1, max_size=4))
def test_whatever_spans_say_is_accepted_or_refused_and_never_more_than_they_said(
    sent: list[dict[str, Any]],
) -> None:
    request = traces(*sent)
    found = translate_spans(request.SerializeToString(), PROTOBUF, RequestMaps(tenant="acme"))
    taken = accept_translated(found, submission(keeps_late=True), partly=True)
    assert len(taken.events) + len(taken.refused) + sum(found.skipped.values()) >= len(sent)
    identities = [(event.source, event.id) for event in taken.events]
    assert len(identities) == len(set(identities))
    by_index = {
        place: {pair.key: _plain(pair.value) for pair in sent[place]["attributes"]}
        for place in range(len(sent))
    }
    for place, event in zip(taken.places, taken.events, strict=True):
        assert all(quantity >= 0 for quantity in event.data.usage.values())
        assert sum(event.data.usage.values()) <= most(by_index[place])


@slowly
@given(st.lists(spans, min_size=1, max_size=3))
def test_both_encodings_say_the_same(sent: list[dict[str, Any]]) -> None:
    request, acme = traces(*sent), RequestMaps(tenant="acme")
    assert translate_spans(in_json(request), JSON, acme) == translate_spans(
        request.SerializeToString(), PROTOBUF, acme
    )


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind in ("int_value", "double_value") else None
