"""What rows are told apart by fits into an index, in whatever script it is written."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from spendmeter.contracts import gate
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import EventError
from spendmeter.contracts.gate import TOLD_APART_BYTES_MAX, check_rules, is_plain
from tests.contracts.test_events import SENT


def sent(character: str, length: int, name: int | None = None) -> bytes:
    """Five labels and a status of `length` characters, provider and model of `name`, else twice as many."""
    labels = dict.fromkeys(("team", "run", "workflow", "workflow_version", "agent"), character * length)
    long = character * (2 * length if name is None else name)
    data = SENT["data"] | {
        "labels": labels, "provider": long, "sku": long, "performance": {"status": character * length},
    }  # fmt: skip
    return json.dumps(SENT | {"data": data}, ensure_ascii=False).encode()


def check(raw: bytes, **how: Any) -> None:
    check_rules(read_event(raw), is_plain(raw), **how)


def test_in_ascii_all_may_be_as_long_as_each_may_be() -> None:
    check(sent("x", 128))


def test_in_another_script_they_have_so_many_bytes_together() -> None:
    """6 x 80 x 3 + 2 x 160 x 3 = 2,400; a character more of provider and model is 6 bytes more."""
    assert TOLD_APART_BYTES_MAX == 2_400
    check(sent("\u4e2d", 80))
    with pytest.raises(EventError) as refused:
        check(sent("\u4e2d", 80, 161))
    assert (refused.value.field, refused.value.reason) == (
        "data", "team, run, workflow, workflow_version, agent, provider, sku and status have 2406 bytes together, at most 2400",
    )  # fmt: skip


def test_what_was_received_before_the_rule_is_taken_as_then() -> None:
    check(sent("\u4e2d", 128), received_at=gate.TOLD_APART_FROM - timedelta(microseconds=1))
    with pytest.raises(EventError):
        check(sent("\u4e2d", 128), received_at=gate.TOLD_APART_FROM)
