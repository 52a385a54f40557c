"""The chain's bytes, as docs/chain.md writes them down: made here by hand and by hashlib alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import msgspec
import pytest

from spendmeter.contracts.chain import (
    LEAF_COLUMNS,
    NO_LINK,
    ChainDay,
    ChainSums,
    canonical_values,
    chain_sums,
    leaf,
    next_link,
    root_of,
)

ENTRY: dict[str, Any] = {
    "recorded_on": date(2026, 11, 27),
    "occurred_at": datetime(2026, 11, 27, 10, 0, 0, 123_000, tzinfo=UTC),
    "identity": bytes.fromhex("00ff"),
    "seq": 0,
    "recorded_at": datetime(2026, 11, 27, 10, 0, 1, tzinfo=UTC),
    "origin_partition": 3,
    "origin_offset": 42,
    "catalog_version": 7,
    "accounting_period": date(2026, 11, 1),
    "series_id": bytes.fromhex("ab"),
    "tenant": "acme",
    "status": "priced",
    "currency": "USD",
    "list": Decimal("0.0300"),
    "contracted": Decimal("0.03"),
    "effective": Decimal("1E+1"),
    "event": '{"id":"ä"}',
    "lines": "[]",
    "correction_id": None,
}
LEAF = (
    "entry.v1;10:2026-11-27,16:1795773600123000,4:00ff,1:0,16:1795773601000000,1:3,2:42,1:7,10:2026-11-01,2:ab,"
    '4:acme,6:priced,3:USD,4:0.03,4:0.03,2:10,11:{"id":"ä"},2:[],-,'
)
DAY = ChainDay(
    tenant="acme",
    epoch=1,
    day=date(2026, 11, 27),
    previous_day=None,
    previous="",
    leaves=1,
    sums={"USD": ChainSums(list="0.03", contracted="0.03", effective="10")},
    link="00",
    root="",
    closed_at=datetime(2026, 11, 28, tzinfo=UTC),
)


def blake(text: bytes) -> bytes:
    return blake2b(text, digest_size=32).digest()


def test_a_leaf_is_every_column_with_its_length() -> None:
    assert leaf(ENTRY[name] for name in LEAF_COLUMNS).decode() == LEAF


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-,"), ("", "0:,"), ("-", "1:-,"), ("ä", "2:ä,"), (Decimal("-0.50"), "4:-0.5,"), (Decimal("-0.0"), "1:0,"),
        (Decimal("1E-12"), "14:0.000000000001,"), (-2, "2:-2,"), (b"", "0:,"),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), "2:-1,"),
    ],
)  # fmt: skip
def test_each_kind_of_value_has_one_spelling(value: Any, text: str) -> None:
    assert canonical_values([value]).decode() == text


def test_no_two_entries_have_the_same_leaf_because_of_where_a_value_ends() -> None:
    assert canonical_values(["a", "b,"]) != canonical_values(["a,", "b"])
    assert canonical_values([None, ""]) != canonical_values(["", None])


def test_a_link_is_of_the_one_before_it_and_the_leaf() -> None:
    assert next_link(NO_LINK, b"x") == blake(bytes(32) + b"x")


def test_a_root_says_the_day_the_one_before_it_and_what_it_comes_to() -> None:
    first = b"day.v1;4:acme,1:1,10:2026-11-27,-,-,1:1,2:00,3:USD,4:0.03,4:0.03,2:10,"
    assert root_of(DAY) == blake(first).hex()
    second = msgspec.structs.replace(DAY, previous_day=date(2026, 11, 25), previous="beef")
    later = b"day.v1;4:acme,1:1,10:2026-11-27,10:2026-11-25,4:beef,1:1,2:00,3:USD,4:0.03,4:0.03,2:10,"
    assert root_of(second) == blake(later).hex()


def test_when_it_was_closed_is_not_part_of_a_root_so_closing_again_gives_the_same() -> None:
    later = msgspec.structs.replace(DAY, closed_at=datetime(2027, 1, 1, tzinfo=UTC))
    assert root_of(later) == root_of(DAY)


def test_sums_are_told_plainly_by_currency_in_order() -> None:
    told = chain_sums({"USD": (Decimal("1.50"), Decimal(1), Decimal("-0.10")), "EUR": (Decimal(0),) * 3})
    assert list(told) == ["EUR", "USD"]
    assert told["USD"] == ChainSums(list="1.5", contracted="1", effective="-0.1")
