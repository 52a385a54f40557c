"""What is registered or said of an asset, made of what was sent and held against every rule. Pure."""

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.api.assets.models import AssetPatch, NewAsset, as_change
from services.api.http.problems import HttpRefusal, invalid, invalid_fields
from spendmeter.contracts.corrections import BOOK_MAX, BOOK_MIN
from spendmeter.contracts.event_reading import read_event
from spendmeter.contracts.events import LABELS, EventError, broken_rule
from spendmeter.contracts.gate import check_rules, is_plain
from spendmeter.contracts.periods import day_start
from spendmeter.contracts.series import FOLDED
from spendmeter.pricing.accruals.asset import CLASS_OF, HOUR, Asset, AssetRevision, standings
from spendmeter.pricing.accruals.checks import troubles
from spendmeter.pricing.accruals.sent import AssetEvents

BACK_MAX = timedelta(days=390)
"""How far back hours may be booked or amended: ingest takes nothing older than 400 days, and an outage must
not take longer than the rest."""
PERSONS = frozenset({"user", "run"})
"""Labels that no asset has: whose desk it stands on is nobody's business here."""
_REGISTERING = frozenset({"id", "kind", "currency", "starts_on", "accrue_from", "reason"})
_SAYING = frozenset({"effective_from", "reason"})


def new_asset(
    body: NewAsset, *, tenant: str, currency: str, zone: ZoneInfo, author: str, now: datetime
) -> Asset:
    """The asset that is to be registered. Raises HttpRefusal (422)."""
    if not BOOK_MIN.year <= body.starts_on.year <= BOOK_MAX.year - 60:
        raise invalid("starts_on", f"must be in the years {BOOK_MIN.year} to {BOOK_MAX.year - 60}")
    starts_at = day_start(body.starts_on, zone)
    accrue_from = day_start(body.accrue_from, zone) if body.accrue_from else starts_at
    if accrue_from < now - BACK_MAX:
        reason = f"is needed: at most {BACK_MAX.days} days back are booked, and it began before"
        raise invalid("accrue_from", reason)
    change = as_change(body, without=_REGISTERING)
    defaults = {"provider": "own", "sku": body.name, "cost_class": CLASS_OF[body.kind]}
    first = AssetRevision(
        number=1,
        effective_from=starts_at,
        first_hour=starts_at,
        recorded_at=now,
        change=defaults | change,
        author=author,
        reason=body.reason,
    )
    return Asset(
        tenant=tenant,
        id=body.id,
        kind=body.kind,
        currency=body.currency or currency,
        zone=zone,
        starts_on=body.starts_on,
        accrue_from=max(accrue_from, starts_at),
        revisions=(first,),
    )


def new_revision(
    asset: Asset, body: AssetPatch, *, claimed_until: datetime, author: str, now: datetime
) -> AssetRevision:
    """What is said of it now. Raises HttpRefusal (422)."""
    change = as_change(body, without=_SAYING)
    if not change:
        raise invalid("body", "says nothing that changes")
    first_hour = asset.hour_from(claimed_until)
    if body.effective_from is None:
        since = max(asset.hour_from(now), first_hour)
    else:
        since = asset.hour_from(_instant(body.effective_from, asset.zone))
    since = max(since, asset.starts_at)
    if since < now - BACK_MAX and since < first_hour:
        reason = f"is more than {BACK_MAX.days} days back, and nothing older is amended"
        raise invalid("effective_from", reason)
    return AssetRevision(
        number=len(asset.revisions) + 1,
        effective_from=since,
        first_hour=first_hour,
        recorded_at=now,
        change=change,
        author=author,
        reason=body.reason,
    )


def check_asset(asset: Asset, own_labels: Collection[str], now: datetime) -> None:
    """Raises HttpRefusal (422), which names every field and its rule."""
    change = asset.revisions[-1].change
    check_labels("labels", change.get("labels") or {}, own_labels)
    for share in change.get("assigned") or ():
        check_labels("assigned", share["labels"], own_labels)
    try:
        said = standings(asset.revisions)
    except msgspec.ValidationError as error:
        broken = broken_rule(error)
        raise invalid(broken.field or "body", broken.reason) from None
    if found := troubles(asset, said):
        raise invalid_fields([{"field": field, "reason": reason} for field, reason in found])
    _check_events(asset, [each.since for each in said], now)


def check_labels(field: str, labels: Mapping[str, str], own_labels: Collection[str]) -> None:
    """Raises HttpRefusal (422) for a label that no asset has."""
    known = (frozenset(LABELS) - PERSONS) | frozenset(own_labels)
    for name in labels.keys() - known:
        raise invalid(field, f"{name[:64]!r} is no label of an asset; it has {', '.join(sorted(known))}")
    if FOLDED in labels.values():
        raise invalid(field, f"{FOLDED!r} stands for what is folded")


def _check_events(asset: Asset, hours: list[datetime], now: datetime) -> None:
    """Whether ingest will take what it sends."""
    events = AssetEvents(asset, hours[-1] + HOUR)
    for event in events.first([asset.hour_from(each) for each in hours]):
        check_event(event, now)


def check_event(event: Mapping[str, Any], now: datetime) -> None:
    """Whether ingest will take it: what it refuses stands in the way of all that the asset sends later.
    Raises HttpRefusal (422)."""
    raw = msgspec.json.encode(event)
    try:
        check_rules(read_event(raw), is_plain(raw), now)
    except EventError as error:
        raise invalid(error.field.removeprefix("data.") or "body", error.reason) from None


def _instant(text: str, zone: ZoneInfo) -> datetime:
    try:
        return day_start(date.fromisoformat(text), zone)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None and BOOK_MIN.year <= at.year < BOOK_MAX.year:
            return at.astimezone(UTC)
    except ValueError:
        pass
    raise invalid("effective_from", "must be a day, or an instant with its offset")


def another_one(id: str) -> HttpRefusal:
    """409: the id is taken."""
    detail = f"asset {id} is registered already, and says something else: change it, or choose another id"
    return HttpRefusal(409, "Another one", detail)


def says_the_same(known: Asset, wanted: Asset) -> bool:
    """Whether what is registered is what was asked for, whatever was said of it since."""
    return (known.kind, known.currency, known.starts_on, known.accrue_from, known.revisions[0].change) == (
        wanted.kind,
        wanted.currency,
        wanted.starts_on,
        wanted.accrue_from,
        wanted.revisions[0].change,
    )
