"""A conflict is told by the names of the fields that differ, and by nothing that they hold."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from services.ledger.conflicts import describe_difference
from spendmeter.contracts.events import Labels, encode_event
from tests.ledger_records import NOON, usage_event

BOOKED = encode_event(usage_event("a"))


def written(**changes: Any) -> bytes:
    body = json.loads(BOOKED)
    body["data"] |= changes
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (BOOKED, ""),
        (written(usage={"input_tokens": "1000", "output_tokens": 1e2}), ""),
        (written(usage={"input_tokens": 1000, "output_tokens": 101}), "data.usage.output_tokens"),
        (written(usage={"input_tokens": 1000}, sku="gpt-5"), "data.sku, data.usage.output_tokens"),
        (written(labels={"team": "a", "user": "hmac:1"}), "data.labels.team"),
        (written(usage={f"unit_{n}": 1 for n in range(4)}),
         "data.usage.input_tokens, data.usage.output_tokens, data.usage.unit_0, data.usage.unit_1, data.usage.unit_2 "
         "and 1 more"),
        (written(usage={"input_tokens": 1000, "output_tokens": 100, "x\u200b\n": 1}), ""),
        (encode_event(replace(usage_event("a"), supersedes="b")), "supersedes"),
        (encode_event(replace(usage_event("a"), receivedat=NOON, keyid="other")), ""),
        (b"{}", ""),
    ],
)  # fmt: skip
def test_the_fields_that_differ_are_named(sent: bytes, names: str) -> None:
    assert describe_difference(BOOKED, sent) == names


def test_what_a_field_holds_is_never_told() -> None:
    secret = usage_event("a", labels=Labels(team="the secret project"))
    assert "secret" not in describe_difference(BOOKED, encode_event(secret))
