"""The fold of `user_months`, with amounts worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from msgspec.structs import astuple

from services.corrector.projections.user_months import UserMonthFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.events import Labels, encode_event
from tests.ledger_records import usage_event

LAST_SECOND = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
NEXT = datetime(2026, 12, 1, tzinfo=UTC)


def entry(
    amount: str, user: str = "user:a1", at: datetime = LAST_SECOND, status: str = "priced", seq: int = 0
) -> BookEntry:
    event = encode_event(usage_event(time=at, labels=Labels(user=user, team="search"))).decode()
    return read_entry(seq, at, "acme", b"s" * 16, status, "USD", amount, amount, amount, event, "[]")


def test_a_person_is_added_up_by_month_of_utc() -> None:
    fold = UserMonthFold()
    fold.add([entry("1.5"), entry("0.25", status="provisional"), entry("8", at=NEXT)])
    assert [astuple(row) for row in fold.rows()] == [
        ("acme", "2026-11-01", "user:a1", "USD", 2, Decimal("1.75"), Decimal("0.25")),
        ("acme", "2026-12-01", "user:a1", "USD", 1, Decimal(8), Decimal(0)),
    ]


def test_a_retraction_takes_away_what_its_target_added() -> None:
    fold = UserMonthFold()
    fold.add([entry("1.5"), entry("-1.5", seq=1), entry("2", seq=2)])
    assert [astuple(row)[4:6] for row in fold.rows()] == [(1, Decimal(2))]


def test_nobody_and_those_that_a_month_has_no_room_for_are_no_persons() -> None:
    fold = UserMonthFold()
    fold.add([entry("1", user=""), entry("1", user="~other")])
    assert fold.rows() == []
    assert len(fold) == 0
