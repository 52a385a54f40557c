"""What events add to the rollups, and what taking them back takes away: pure sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, Protocol

from spendmeter.contracts.money import EXACT, ZERO

_MINUTE = timedelta(minutes=1)

RollupKey = tuple[str, datetime, str, str]
"""(tenant, minute in UTC, series id in hex, currency)."""


class Contribution(Protocol):
    """What is added up of an event as it was booked: a `RatedUsage`, or an entry read again."""

    @property
    def tenant(self) -> str: ...
    @property
    def time(self) -> datetime: ...
    @property
    def series_id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def list(self) -> str | Decimal: ...
    @property
    def contracted(self) -> str | Decimal: ...
    @property
    def effective(self) -> str | Decimal: ...
    @property
    def usage(self) -> Mapping[str, Any]: ...


@dataclass(kw_only=True, slots=True)
class RollupSum:
    """What is added to one rollup row; amounts in the row's currency."""

    events: int = 0
    unpriced_events: int = 0
    list: Decimal = ZERO
    contracted: Decimal = ZERO
    effective: Decimal = ZERO
    of_which_provisional: Decimal = ZERO
    usage: dict[str, int | Decimal] = field(default_factory=dict)


RollupSums = defaultdict[RollupKey, RollupSum]


def rollup(
    booked: Iterable[Contribution], *, sign: Literal[1, -1] = 1, sums: RollupSums | None = None
) -> RollupSums:
    """Sums by (tenant, minute, series, currency), added to `sums` where there are some. -1 takes everything
    back that these events once added, their quantities and their being events too."""
    sums = defaultdict(RollupSum) if sums is None else sums
    add = EXACT.add if sign > 0 else EXACT.subtract
    minute = over = datetime.min.replace(tzinfo=UTC)
    for event in booked:
        if not minute <= event.time < over:  # nearly all are of one: a new one costs more than the sums
            minute = event.time.replace(second=0, microsecond=0)
            over = minute + _MINUTE
        row = sums[event.tenant, minute, event.series_id, event.currency]
        row.events += sign
        effective, before = Decimal(event.effective), row.effective
        row.effective = add(before, effective)
        # Where no contract applies the three are one figure, in one spelling, and so are their sums.
        same = event.list == event.contracted == event.effective
        if same and row.list is before and row.contracted is before:
            row.list = row.contracted = row.effective
        else:
            row.list = add(row.list, effective if same else Decimal(event.list))
            row.contracted = add(row.contracted, effective if same else Decimal(event.contracted))
        if event.status == "unpriced":
            row.unpriced_events += sign
        elif event.status == "provisional":
            row.of_which_provisional = add(row.of_which_provisional, effective)
        usage = row.usage
        for unit, stated in event.usage.items():
            so_far = usage.get(unit, 0)
            usage[unit] = (
                so_far + sign * stated
                if type(so_far) is int and type(stated) is int
                else add(Decimal(so_far), Decimal(stated))
            )
    return sums
