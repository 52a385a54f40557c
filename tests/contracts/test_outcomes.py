"""The outcome event: one of three, read the same at the door and by who keeps it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import EventError
from spendmeter.contracts.outcomes import (
    OUTCOME_BYTES_MAX,
    OUTCOME_TYPE,
    check_outcome_rules,
    outcome_hash,
    read_outcome,
)


def said(id: str = "o1", **data: Any) -> bytes:
    event = {"specversion": "1.0", "type": OUTCOME_TYPE, "id": id, "source": "ci", "subject": "ci"}
    return msgspec.json.encode({**event, "time": "2026-11-26T10:00:00Z", "tenant": "acme", "data": data})


@pytest.mark.parametrize(
    ("data", "kind", "target"),
    [
        ({"name": "merged"}, "outcome", None),
        ({"name": "merged", "accepted": False, "count": 0}, "outcome", None),
        ({"verdict_on": "o0", "accepted": True}, "verdict", identity("acme", "ci", "o0")),
        ({"reverses": "o0", "target_source": "bot"}, "reversal", identity("acme", "bot", "o0")),
        ({"reverses": "o1", "target_source": "bot"}, "reversal", identity("acme", "bot", "o1")),
    ],
)
def test_an_event_is_an_outcome_a_verdict_or_a_reversal(
    data: dict[str, Any], kind: str, target: bytes | None
) -> None:
    event = read_outcome(said(**data))
    assert (event.kind, event.target) == (kind, target)


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "data.name"),
        ({"accepted": True}, "data.name"),
        ({"name": "merged", "target_source": "bot"}, "data.target_source"),
        ({"name": "merged", "count": -1}, "data.count"),
        ({"name": "merged", "count": 1.5}, "data.count"),
        ({"name": "merged", "value": {"amount": "-1", "currency": "USD"}}, "data.value.amount"),
        ({"name": "merged", "value": {"amount": "NaN", "currency": "USD"}}, "data.value.amount"),
        ({"name": "merged", "value": {"amount": "1", "currency": "usd"}}, "data.value.currency"),
        ({"name": "merged", "accepted": "yes"}, "data.accepted"),
        ({"verdict_on": "o0"}, "data.accepted"),
        ({"verdict_on": "o0", "accepted": True, "name": "merged"}, "data.name"),
        ({"verdict_on": "o0", "accepted": True, "count": 2}, "data.count"),
        ({"reverses": "o0", "verdict_on": "o0", "accepted": True}, "data.reverses"),
        ({"reverses": "o0", "accepted": True}, "data.accepted"),
        ({"reverses": "o0", "value": {"amount": "1", "currency": "USD"}}, "data.value"),
        ({"reverses": "o1"}, "data.reverses"),
        ({"verdict_on": "o1", "accepted": True}, "data.verdict_on"),
        ({"name": "merged\u202e"}, "data.name"),
        ({"name": "merged", "labels": {"team": "a\u200bb"}}, "data.labels.team"),
        ({"name": "merged", "labels": {"team": "x" * 129}}, "data.labels.team"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_its_field(data: dict[str, Any], field: str) -> None:
    with pytest.raises(EventError) as refused:
        check_outcome_rules(read_outcome(said(**data)))
    assert refused.value.field == field


def test_nothing_of_what_was_sent_is_in_a_refusal() -> None:
    for data in (
        {"verdict_on": "SECRET"},
        {"reverses": "SECRET", "name": "SECRET"},
        {"name": "SECRET\u200b"},
    ):
        with pytest.raises(EventError) as refused:
            check_outcome_rules(read_outcome(said(**data)))
        assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[" * 5000, b"\xff", b'{"type":7}', b" " * (OUTCOME_BYTES_MAX + 1)]
)
def test_whatever_lies_on_the_topic_is_read_or_refused(raw: bytes) -> None:
    with pytest.raises(EventError):
        read_outcome(raw)


def test_a_nul_is_refused() -> None:
    with pytest.raises(EventError, match="NUL"):
        read_outcome(said(name="a\0b"))


def test_one_content_has_one_hash_however_it_is_written() -> None:
    value = {"amount": "4.2", "currency": "USD"}
    first = outcome_hash(read_outcome(said(name="merged", value=value)))
    assert first == outcome_hash(
        read_outcome(
            said(name="merged", count=1, value={**value, "amount": "4.20"}, labels={"user": "hmac:1"})
        )
    )
    others = [{"count": 2}, {"accepted": True}, {"value": None}, {"labels": {"run": "r"}}]
    hashes = [
        outcome_hash(read_outcome(said(**{"name": "merged", "value": value, **more}))) for more in others
    ]
    assert len({first, *hashes}) == 5
