"""What events add to the rollups, and what taking them back takes away; amounts worked out by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from spendmeter.book.rollup import RollupSum, rollup

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOON.replace(second=42)


@dataclass(frozen=True, kw_only=True)
class Booked:
    tenant: str = "acme"
    time: datetime = AT
    series_id: str = "5e"
    status: str = "priced"
    currency: str = "USD"
    list: str = "0.4"
    contracted: str = "0.3"
    effective: str = "0.3"
    usage: dict[str, int | str] = field(default_factory=lambda: {"input_tokens": 1000})


KEY = ("acme", NOON, "5e", "USD")


def test_the_events_of_a_minute_and_series_are_one_sum() -> None:
    events = [Booked(), Booked(status="provisional", effective="0.2"), Booked(status="unpriced", list="0")]
    assert rollup(events) == {
        KEY: RollupSum(
            events=3, unpriced_events=1, list=Decimal("0.8"), contracted=Decimal("0.9"), effective=Decimal("0.8"),
            of_which_provisional=Decimal("0.2"), usage={"input_tokens": 3000},
        )
    }  # fmt: skip


def test_taking_an_event_back_leaves_nothing_of_it() -> None:
    event = Booked(status="provisional", usage={"input_tokens": 7, "gb_months": "0.1"})
    sums = rollup([event], sign=-1, sums=rollup([event]))
    nothing = {"input_tokens": 0, "gb_months": Decimal(0)}
    assert sums == {KEY: RollupSum(usage=nothing)}


def test_a_correction_is_what_is_put_in_its_place_less_what_was() -> None:
    before = Booked(status="unpriced", list="0", contracted="0", effective="0", usage={"input_tokens": 1000})
    after = Booked(list="2.5", contracted="2.5", effective="2.5", usage={"input_tokens": 900, "searches": 1})
    assert rollup([after], sums=rollup([before], sign=-1)) == {
        KEY: RollupSum(
            unpriced_events=-1, list=Decimal("2.5"), contracted=Decimal("2.5"), effective=Decimal("2.5"),
            usage={"input_tokens": -100, "searches": 1},
        )
    }  # fmt: skip
