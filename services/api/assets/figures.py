"""What an asset has come to, from what was said of it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from services.api.assets.models import AccruedOf, SeatUse, ShareAnswer
from spendmeter.contracts.money import EXACT, divided
from spendmeter.pricing.accruals.asset import HOUR, PURCHASES, Asset, AssetTerms
from spendmeter.pricing.accruals.hours import AssetHours
from spendmeter.pricing.accruals.schedule import idle_seats, to_accrue

_TERMS = (
    "name",
    "provider",
    "sku",
    "cost_class",
    "cost",
    "salvage",
    "months",
    "seats",
    "price_per_seat_month",
    "rate_per_hour",
    "hours_per_week",
    "capacity",
    "retired",
)


def answer_of(
    row: Mapping[str, Any], asset: Asset, now: datetime, hours: AssetHours | None = None
) -> dict[str, Any]:
    """The fields of an AssetAnswer. `hours`: the asset's up to the last one sent, where somebody has them."""
    sent_until = row["sent_until"]
    hours = hours or AssetHours(asset, asset.revisions, sent_until)
    terms, since = hours.terms_at(now), asset.hour_from(asset.accrue_from)
    before = hours.money.by(since)
    rest = EXACT.subtract(_whole(hours), hours.money.by(sent_until)) if asset.kind in PURCHASES else None
    return {
        **{name: getattr(terms, name) for name in _TERMS},
        "id": asset.id,
        "kind": asset.kind,
        "currency": asset.currency,
        "tz": asset.zone.key,
        "starts_on": asset.starts_on,
        "accrue_from": asset.accrue_from,
        "ends_at": hours.over_at,
        "state": _state(row, asset, hours, now),
        "trouble": row["trouble"],
        "revision": len(asset.revisions),
        "registered_at": row["registered_at"],
        "labels": terms.labels,
        "assigned": [ShareAnswer(labels=each.labels, weight=each.weight) for each in terms.assigned],
        "accrued_until": sent_until,
        "accrued": EXACT.subtract(hours.money.by(sent_until), before),
        "before": before,
        "remaining": rest,
    }


def accrued_by_label(row: Mapping[str, Any], asset: Asset, hours: AssetHours) -> list[AccruedOf]:
    """Of whom it was, from the first hour that is booked to the last one sent."""
    owners = hours.by_owner(asset.hour_from(asset.accrue_from), row["sent_until"])
    return [AccruedOf(labels=dict(labels), idle=idle, amount=amount) for labels, idle, amount in owners]


def seat_use(terms: AssetTerms, activity: Sequence[tuple[date, int]]) -> SeatUse:
    """Of a licence: who has its seats, and who used them on the last day that is known."""
    assert terms.seats is not None, "a licence has seats"
    idle = idle_seats(terms)
    day, active = activity[0] if activity else (None, None)
    unused = None if active is None else _share(max(terms.seats - active, 0), terms.seats)
    return SeatUse(
        seats=terms.seats,
        assigned=terms.seats - idle,
        idle=idle,
        idle_share=_share(idle, terms.seats),
        day=day,
        active=active,
        unused_share=unused,
    )


def _share(part: int, whole: int) -> Decimal:
    return divided(Decimal(part), Decimal(whole)) if whole else Decimal(0)


def _whole(hours: AssetHours) -> Decimal:
    assert hours.over_at is not None, "what is bought has an end"
    last = hours.standings[-1].terms
    return hours.money.by(hours.over_at + HOUR) if last.retired else to_accrue(last)


def _state(
    row: Mapping[str, Any], asset: Asset, hours: AssetHours, now: datetime
) -> Literal["coming", "accruing", "over", "refused"]:
    if row["trouble"]:
        return "refused"
    if hours.over_at is not None and row["sent_until"] >= asset.hour_from(hours.over_at):
        return "over"
    return "coming" if now < asset.starts_at else "accruing"
