"""What a batch adds to the money under remarks: pure sums over the events that were booked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from msgspec import UNSET

from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.contracts.rated import RatedUsage

SPELLINGS_MAX = 200
"""Of a tenant, a day and a partition so many have a row of their own, as the inbox lists: senders make tiers
and regions up. What comes after them is added up in one row, which keeps the figures exact."""

RemarkKey = tuple[str, str, bool, str, str, str]
"""(tenant, provider, batch, tier, region, currency), as `Remarked` has them."""


@dataclass(kw_only=True, slots=True)
class RemarkSum:
    """What one batch adds to one row. An event is in one row, whatever it has remarks of, so that rows add up
    to what events cost; between the first and the last time lie all of its events."""

    events: int = 0
    effective: Decimal = ZERO
    first_at: datetime
    last_at: datetime


def add_up_remarks(booked: Iterable[RatedUsage]) -> dict[RemarkKey, RemarkSum]:
    """Sums by key; empty where no event has a remark."""
    sums: dict[RemarkKey, RemarkSum] = {}
    for event in booked:
        remarked = event.remarked
        if remarked is UNSET or not (remarked.batch or remarked.tier or remarked.region):
            continue
        key = (
            event.tenant,
            remarked.provider,
            remarked.batch,
            remarked.tier,
            remarked.region,
            event.currency,
        )
        row = sums.get(key)
        if row is None:
            row = sums[key] = RemarkSum(first_at=event.time, last_at=event.time)
        row.events += 1
        row.effective = EXACT.add(row.effective, Decimal(event.effective))
        row.first_at, row.last_at = min(row.first_at, event.time), max(row.last_at, event.time)
    return sums
