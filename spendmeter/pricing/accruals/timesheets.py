"""Hours of work that were written down for a day: an event each, amended where it is said otherwise. Pure."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct

from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.money import EXACT, quantised
from spendmeter.contracts.periods import day_start
from spendmeter.pricing.accruals.asset import Asset, AssetTerms, standings, terms_at
from spendmeter.pricing.accruals.hours import AccrualPart
from spendmeter.pricing.accruals.sent import amend_of, event_of

NOON = timedelta(hours=12)


class Timesheet(Struct, frozen=True, kw_only=True):
    """One entry, as it was written down last."""

    entry_id: str
    revision: int
    """From 1, which is sent; later ones amend it."""
    day: date
    hours: Decimal
    amount: Decimal
    labels: dict[str, str]
    first_labels: dict[str, str]
    """Of its revision 1."""
    author: str
    reason: str
    recorded_at: datetime


def worked_at(asset: Asset, day: date) -> datetime:
    """When its event is: at noon of its day."""
    return day_start(day, asset.zone) + NOON


def terms_of(asset: Asset, day: date) -> AssetTerms:
    """What holds on the day."""
    return terms_at(standings(asset.revisions), worked_at(asset, day))


def wage(terms: AssetTerms, hours: Decimal) -> Decimal:
    """What so many hours cost at the day's rate; once written down, a rate that changes later changes none of
    it."""
    assert terms.rate_per_hour is not None, "work has a rate"
    return quantised(EXACT.multiply(terms.rate_per_hour, hours))


def timesheet_event(asset: Asset, sheet: Timesheet) -> dict[str, Any]:
    """Of an entry's first revision."""
    return event_of(asset, timesheet_id(sheet.entry_id), worked_at(asset, sheet.day), _part(asset, sheet))


def timesheet_amend(asset: Asset, sheet: Timesheet) -> EventCorrection:
    """Of a later one."""
    return amend_of(
        asset,
        timesheet_id(sheet.entry_id),
        _part(asset, sheet),
        _labels(terms_of(asset, sheet.day), sheet.first_labels),
        number=sheet.revision,
        author=sheet.author,
        reason=f"timesheet {sheet.entry_id} of {asset.id}: {sheet.reason}",
        at=sheet.recorded_at,
    )


def timesheet_id(entry_id: str) -> str:
    """Of its event."""
    return f"timesheet/{entry_id}"


def _part(asset: Asset, sheet: Timesheet) -> AccrualPart:
    terms = terms_of(asset, sheet.day)
    return AccrualPart(
        slot="0",
        provider=terms.provider,
        sku=terms.sku,
        cost_class=terms.cost_class,
        labels=_labels(terms, sheet.labels),
        unit="labour_hours",
        quantity=sheet.hours,
        amount=sheet.amount,
    )


def _labels(terms: AssetTerms, stated: Mapping[str, str]) -> Mapping[str, str]:
    return {**terms.labels, **stated}
