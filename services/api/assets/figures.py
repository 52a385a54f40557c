"""What an asset has come to, from what was said of it. Pure, and of many hours: no work for a transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from services.api.assets.models import AccruedOf, SaidOfAsset, SeatUse, ShareAnswer
from services.api.assets.store import KnownAsset
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.money import EXACT, divided, total
from spendmeter.pricing.accruals.asset import HOUR, PURCHASES, Asset, AssetTerms
from spendmeter.pricing.accruals.hours import AssetHours, hours_within
from spendmeter.pricing.accruals.schedule import idle_seats, to_accrue
from spendmeter.pricing.accruals.sent import at, event_id, slots_of
from spendmeter.pricing.accruals.timesheets import timesheet_id, worked_at

LOOKED_UP_MAX = 60_000
"""Events of one asset that are looked up in the book: three years of hours, of two parts each."""
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


def report_of(known: KnownAsset, now: datetime) -> dict[str, Any]:
    """The fields of an AssetReport, but for what the book says."""
    row, asset, sheets = known.row, known.asset, known.timesheets
    hours = AssetHours(asset, asset.revisions, row["sent_until"])
    owners = hours.by_owner(asset.hour_from(asset.accrue_from), row["sent_until"])
    return answer_of(row, asset, now, hours) | {
        "by_label": [
            AccruedOf(labels=dict(labels), idle=idle, amount=amount) for labels, idle, amount in owners
        ],
        "seat_use": _seat_use(hours.terms_at(now), known.activity) if asset.kind == "licence" else None,
        "timesheet_hours": total(each["hours"] for each in sheets),
        "timesheet_amount": total(each["amount"] for each in sheets),
        "revisions": [
            SaidOfAsset(
                revision=each.number,
                effective_from=each.effective_from,
                recorded_at=each.recorded_at,
                back_dated=each.back_dated,
                change=each.change,
                author=each.author,
                reason=each.reason,
            )
            for each in asset.revisions
        ],
    }


def events_of(known: KnownAsset) -> tuple[list[datetime], list[bytes]] | None:
    """The times and identities of all that was sent; None where they are too many to be looked up."""
    asset = known.asset
    hours = list(hours_within(asset, asset.hour_from(asset.accrue_from), known.row["sent_until"]))
    slots = slots_of(asset)
    if len(hours) * len(slots) > LOOKED_UP_MAX:
        return None
    named = [(at(asset, hour), event_id(hour, slot)) for hour in hours for slot in slots]
    named += [(worked_at(asset, each["day"]), timesheet_id(each["entry_id"])) for each in known.timesheets]
    times = [time for time, _ in named]
    return times, [identity(asset.tenant, asset.source, name) for _, name in named]


def _seat_use(terms: AssetTerms, activity: Sequence[Any]) -> SeatUse:
    """Of a licence: who has its seats, and who used them on the last day that is known."""
    assert terms.seats is not None, "a licence has seats"
    idle = idle_seats(terms)
    day, active = (activity[0]["day"], activity[0]["active"]) if activity else (None, None)
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
