"""Fields that the contract does not have are named, and nothing else of them is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from spendmeter.contracts.event_reading import decode_event, read_batch, read_event
from spendmeter.contracts.events import EventError, encode_event
from spendmeter.contracts.known_fields import (
    LOOKED_AT,
    NAME_CHARACTERS_MAX,
    NAMES_MAX,
    decode_known_batch,
    decode_known_event,
    join_names,
    unknown_fields,
)
from tests.contracts.test_events import SENT


def event(*, more: dict[str, Any] | None = None, **data: Any) -> dict[str, Any]:
    return SENT | (more or {}) | {"data": SENT["data"] | data}


def names(*events: dict[str, Any]) -> list[str]:
    return unknown_fields(json.dumps(events).encode())


FULL = event(
    more={"time": "2026-11-23T10:00:00Z", "tenant": "acme"},
    context={"region": "us"}, labels={"team": "a"}, performance={"status": "ok"},
    outcome={"name": "x", "value": {"amount": "1", "currency": "USD"}},
    reported_cost={"amount": "1", "currency": "USD"},
)  # fmt: skip


def test_the_strict_reading_of_a_known_event_is_the_lenient_one() -> None:
    raw = json.dumps(FULL).encode()
    assert encode_event(decode_known_event(raw)) == encode_event(decode_event(raw))
    assert names(FULL) == []
    assert len(read_batch(b"[" + raw + b"]", decode_known_batch)) == 1


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        (event(more={"team": "x"}), "team"),
        (event(cost=3), "data.cost"),
        (event(labels={"team": "a", "costcenter": "b"}), "data.labels.costcenter"),
        (event(context={"zone": "b"}), "data.context.zone"),
        (event(performance={"ttft": 1}), "data.performance.ttft"),
        (event(outcome={"name": "x", "worth": 1}), "data.outcome.worth"),
        (event(outcome={"name": "x", "value": {"amount": "1", "currency": "USD", "by": 1}}), "data.outcome.value.by"),
        (event(reported_cost={"amount": "1", "currency": "USD", "source": 1}), "data.reported_cost.source"),
    ],
)  # fmt: skip
def test_a_field_nobody_knows_is_named_with_its_path_wherever_it_is(sent: dict[str, Any], name: str) -> None:
    raw = json.dumps(sent).encode()
    with pytest.raises(EventError, match="unknown field"):
        read_event(raw, decode_known_event)
    assert names(FULL, sent) == [name]
    assert read_event(raw).id == "1"


def test_what_cloudevents_libraries_add_is_nothing_lost() -> None:
    assert names(event(more={"datacontenttype": "application/json", "traceparent": "00-0-0-00"})) == []


def test_one_odd_event_among_a_thousand_is_found() -> None:
    assert names(*[FULL] * 998, event(cost=3), FULL) == ["data.cost"]
    assert names(*[event(cost=3)] * (3 * LOOKED_AT)) == ["data.cost"]


def test_values_and_strange_characters_of_names_are_told_to_nobody() -> None:
    found = names(event(**{"a\r\nSet-Cookie: x": "secret", "caf\u00e9": 1, "x" * 500: 1, "": 1}))
    assert found == ["data.?", "data.a??Set-Cookie??x", "data.caf?", "data." + "x" * NAME_CHARACTERS_MAX]


def test_names_are_few() -> None:
    found = names(event(**{f"field_{n:03}": n for n in range(300)}))
    assert len(found) == NAMES_MAX
    assert join_names(found).endswith("data.field_019, ...")
    assert join_names(found[:2]) == "data.field_000, data.field_001"


@pytest.mark.parametrize("value", ["1e999999", "1" * 5000, "[" * 50 + "]" * 50, '"\\ud800"'])
def test_the_value_of_an_unknown_field_is_never_looked_at(value: str) -> None:
    raw = json.dumps(event(odd=0)).replace('"odd": 0', f'"odd": {value}').encode()
    try:
        read_event(raw)
    except EventError:
        return
    assert unknown_fields(b"[" + raw + b"]") == ["data.odd"]


@pytest.mark.parametrize("field", [b'"a\xff": 1', b'"a?": "\xff"'], ids=["in the name", "in the value"])
def test_an_unknown_field_that_is_no_utf8_is_told_as_any_other_and_breaks_nothing(field: bytes) -> None:
    raw = json.dumps(event()).encode()[:-1] + b", " + field + b"}"
    assert read_event(raw).id == SENT["id"]
    assert unknown_fields(b"[" + raw + b"]") == ["a?"]
