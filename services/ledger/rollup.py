"""What a batch adds to the rollups and to the accounting: pure sums over the events that were booked."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.contracts.rated import RatedUsage

_encode_usage = msgspec.json.Encoder(decimal_format="number").encode

LATE = timedelta(minutes=10)
"""What is booked so long after its minute comes alone, and not with all that the tenant does."""

RollupKey = tuple[str, datetime, str, str]
"""(tenant, minute in UTC, series id in hex, currency)."""


@dataclass(kw_only=True, slots=True)
class RollupSum:
    """What one batch adds to one rollup row; amounts in the row's currency."""

    events: int = 0
    unpriced_events: int = 0
    list: Decimal = ZERO
    contracted: Decimal = ZERO
    effective: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    usage: dict[str, int | Decimal] = field(default_factory=dict)

    def usage_json(self) -> str:
        """Quantities by unit, as JSON numbers without loss."""
        return _encode_usage(self.usage).decode()


def rollup(booked: Iterable[RatedUsage]) -> dict[RollupKey, RollupSum]:
    """Sums by (tenant, minute, series, currency)."""
    sums: defaultdict[RollupKey, RollupSum] = defaultdict(RollupSum)
    add = EXACT.add
    for event in booked:
        minute = event.time.replace(second=0, microsecond=0)
        row = sums[event.tenant, minute, event.series_id, event.currency]
        row.events += 1
        effective = Decimal(event.effective)
        row.effective = add(row.effective, effective)
        # Where no contract applies the three are one figure, in one spelling.
        same = event.list == event.contracted == event.effective
        row.list = add(row.list, effective if same else Decimal(event.list))
        row.contracted = add(row.contracted, effective if same else Decimal(event.contracted))
        if event.status == "unpriced":
            row.unpriced_events += 1
        elif event.status == "provisional":
            row.of_which_provisional = add(row.of_which_provisional, effective)
        usage = row.usage
        for unit, stated in event.usage.items():
            quantity = stated if type(stated) is int else Decimal(stated)
            so_far = usage.get(unit, 0)
            usage[unit] = (
                so_far + quantity
                if type(so_far) is int and type(quantity) is int
                else add(Decimal(so_far), Decimal(quantity))
            )
    return sums


def touched(sums: Iterable[RollupKey], now: datetime) -> set[tuple[str, datetime, str | None]]:
    """The five minutes that are to be made again: (tenant, start, series id in hex; None = any series).

    Of what is late the series is named: an old bucket is made again for it alone, and not for the hundreds of
    series that it has."""
    found = set()
    for tenant, minute, series_id, _ in sums:
        start = minute - timedelta(minutes=minute.minute % 5)
        found.add((tenant, start, series_id if now - minute > LATE else None))
    return found
