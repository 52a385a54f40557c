"""Rows of bills as they go out, by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from services.api.exports.charge_rows import ChargeEntry, billed, charge_row
from services.api.exports.layout import Layout
from services.api.exports.usage_rows import FIGURES, BillingAccount, series_piece
from spendmeter.contracts.events import encode_event
from tests.charges import charge

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTH_END = datetime(2026, 12, 1, tzinfo=UTC)


def entry(seq: int, amount: str, recorded_at: datetime, event: str | None) -> ChargeEntry:
    return ChargeEntry(
        AT, b"i" * 16, seq, b"s" * 16, recorded_at, "reported", "USD", amount, amount, amount, event
    )


def test_a_bill_that_is_restated_after_its_month_goes_out_as_it_was_and_then_by_how_much() -> None:
    """3 in November, restated as 5 in December: 3, -3 and 5, in one event less and one more. Whole numbers have
    a point in a file: a validator reads others as integers."""
    stated, restated = (
        encode_event(charge(amount, quantity="2", unit="GB")).decode() for amount in ("3", "5")
    )
    later = datetime(2026, 12, 4, tzinfo=UTC)
    entries = [entry(0, "3", AT, stated), entry(1, "-3", later, None), entry(2, "5", later, restated)]
    layout = Layout("1.4")
    series = series_piece(layout, {"cost_class": "database", "provider": "AWS", "sku": "Amazon DynamoDB"})
    rows = [
        dict(
            zip(
                FIGURES, charge_row(layout, BillingAccount("acme", "Acme"), each, series).figures, strict=True
            )
        )
        for each in billed(entries, MONTH_END)
    ]
    assert [
        (row["BilledCost"], row["EffectiveCost"], row["ConsumedQuantity"], row["x_Events"]) for row in rows
    ] == [
        ("3.0", "3.0", "2.0", "1.0"),
        ("-3.0", "-3.0", "-2.0", "-1.0"),
        ("5.0", "5.0", "2.0", "1.0"),
    ]
    assert len({row["x_RowId"] for row in rows}) == 3
    assert sum(Decimal(row["BilledCost"]) for row in rows) == 5
