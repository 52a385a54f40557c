"""What `read_event` takes and what it refuses: each answer is a value or an EventError, never a crash."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spendmeter.contracts.event_identity import content_hash, identity
from spendmeter.contracts.event_reading import EVENT_BYTES_MAX, check_time, read_batch, read_event
from spendmeter.contracts.events import EventError, UsageEvent, encode_event, event_time

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
SENT: dict[str, Any] = {
    "specversion": "1.0", "type": "spendmeter.usage.v1", "id": "1", "source": "bot", "subject": "acme/bot",
    "data": {"provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 5}},
}  # fmt: skip


def event(usage: str = '{"input_tokens":5}', **fields: str) -> bytes:
    """An event as JSON; `usage` and `fields` are pieces of JSON put in as they stand."""
    known = {name: json.dumps(value) for name, value in SENT.items() if name != "data"} | fields
    head = ",".join(f'"{name}":{value}' for name, value in known.items())
    return f'{{{head},"data":{{"provider":"openai","sku":"gpt-4o","usage":{usage}}}}}'.encode()


def read(**parts: str) -> UsageEvent:
    return read_event(event(**parts))


def refusal(raw: bytes) -> EventError:
    with pytest.raises(EventError) as caught:
        read_event(raw)
    return caught.value


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("5", 5), ('"5"', 5), ("5.0", 5), ("1e2", 100), ("-0", 0), ("9223372036854775807", 2**63 - 1)],
)
def test_a_quantity_has_one_normal_form_however_it_was_written(written: str, read_as: int) -> None:
    assert read(usage=f'{{"input_tokens":{written}}}').data.usage == {"input_tokens": read_as}


def test_a_fraction_stays_exact() -> None:
    usage = read(usage='{"gpu_hours":0.100000000001,"labour_hours":"1.50"}').data.usage
    assert usage == {"gpu_hours": Decimal("0.100000000001"), "labour_hours": Decimal("1.5")}


@pytest.mark.parametrize(
    "quantity",
    [
        "-1", "9223372036854775808", "18446744073709551616", "1e400", "1e-400", "1e99999999999999999999",
        "1" * 5000, "0.0000000000001", '"1_000"', '"\uff11\uff12"', '"NaN"', '"1e3"', '" 5"', '"-1"', '""',
        "NaN", "Infinity", "true", "null", "[]", "{}", "1.5",
    ],
)  # fmt: skip
def test_a_quantity_that_is_no_plain_number_in_range_is_refused(quantity: str) -> None:
    assert refusal(event(usage=f'{{"input_tokens":{quantity}}}')).reason


@pytest.mark.parametrize(
    "id_bytes",
    [rb"\u0000", b"\x00", b"\x01", rb"\ud800", rb"\udc00", rb"\ud800\ud800", rb"\ud800a", b"\xed\xa0\x80",
     b"\xed\xb0\x80", b"\xff", b"\xc0\x80", b""],
)  # fmt: skip
def test_an_id_that_postgres_could_not_hold_is_refused(id_bytes: bytes) -> None:
    assert refusal(event(id='"ID"').replace(b"ID", id_bytes)).reason


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert read(id=r'"a\\u0000"').id == "a\\u0000"


@pytest.mark.parametrize("opened", ["[" * 100_000, '{"a":' * 40_000])
def test_deep_nesting_is_refused(opened: str) -> None:
    assert refusal(opened.encode()).reason
    assert refusal(event(extra=opened + "1")).reason
    assert refusal(event(usage=f'{{"input_tokens":{opened}')).reason


def test_an_event_has_a_size() -> None:
    assert str(EVENT_BYTES_MAX) in refusal(event(extra=json.dumps("x" * EVENT_BYTES_MAX))).reason


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"type": '"llm_tokens"'}, "type"),
        ({"id": "7"}, "id"),
        ({"source": '""'}, "source"),
        ({"usage": "{}"}, "data.usage"),
        ({"usage": '{"input_tokens":-1}'}, "data.usage.input_tokens"),
        ({"time": '"2026-11-23T10:00:00"'}, "time"),
        ({"specversion": '"0.3"'}, "specversion"),
    ],
)
def test_a_refusal_names_the_field(parts: dict[str, str], field: str) -> None:
    assert refusal(event(**parts)).field == field


def test_a_currency_is_three_letters_and_nothing_after_them() -> None:
    raw = event().replace(b'"usage"', rb'"reported_cost":{"amount":"1","currency":"USD\n"},"usage"')
    assert refusal(raw).field == "data.reported_cost.currency"


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-23:00"])
def test_a_time_that_has_no_utc_is_refused_by_every_rule_that_reads_it(time: str) -> None:
    found = read(time=json.dumps(time))
    with pytest.raises(EventError):
        event_time(found)
    assert isinstance(found.time, datetime)
    with pytest.raises(EventError):
        check_time(found.time, NOW, timedelta(days=400))


def test_a_batch_reads_as_its_events_do_one_by_one() -> None:
    raws = [event(id=f'"{n}"') for n in range(3)]
    assert read_batch(b"[" + b",".join(raws) + b"]") == [read_event(raw) for raw in raws]


def test_identity_keeps_its_three_parts_apart() -> None:
    by_hand = blake2b(b"\0\0\0\1a\0\0\0\1b\0\0\0\1c", digest_size=16)
    assert identity("a", "b", "c") == by_hand.digest()
    assert identity("ab", "", "c") != identity("a", "b", "c") != identity("a", "bc", "")


def test_the_content_hash_knows_what_was_said_and_not_how_or_when() -> None:
    one = read(usage='{"input_tokens":5,"output_tokens":1}')
    other = read(usage='{"output_tokens":"1","input_tokens":5.0}', time='"2026-11-23T10:00:00Z"', extra="[1]")
    assert content_hash(one) == content_hash(other)
    assert content_hash(one) != content_hash(read(usage='{"input_tokens":5,"output_tokens":2}'))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_event_or_an_event_error(raw: bytes) -> None:
    for read_any in (read_event, read_batch):
        with contextlib.suppress(EventError):
            read_any(raw)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["id", "time", "data", "provider", "usage", "labels", "outcome", "performance"]),
    json_values,
)
def test_any_value_in_any_field_is_read_back_as_it_was_or_refused(field: str, value: Any) -> None:
    sent = json.loads(json.dumps(SENT))
    (sent if field in {"id", "time", "data"} else sent["data"])[field] = value
    try:
        found = read_event(json.dumps(sent).encode())
    except EventError:
        return
    assert read_event(encode_event(found)) == found
    content_hash(found)
