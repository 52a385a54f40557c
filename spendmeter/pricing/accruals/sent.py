"""What is sent of an asset: events of its hours, and amends of what was said otherwise since. Pure.

The same hour says the same whoever works it out and whenever: it is made of what had been recorded before
anybody could have sent it (`AssetRevision.first_hour`). Ids name the asset, the hour and the part, and no
revision, so what is sent twice is booked once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Raw

from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.events import EVENT_TYPE, LABELS
from spendmeter.contracts.money import plain
from spendmeter.pricing.accruals.asset import HOUR, Asset, AssetRevision
from spendmeter.pricing.accruals.hours import AccrualPart, AssetHours
from spendmeter.pricing.accruals.schedule import IDLE

CADENCE = "accrual"
REASON_CHARACTERS_MAX = 500
_AMENDS = UUID("8d1f63a5-9d0c-4e0a-9f0d-6f7a9b0c41d2")
"""Names the ids of amends: an amend that is sent twice is the same one."""


class AssetEvents:
    """What is sent of the hours of one asset, up to `until`."""

    def __init__(self, asset: Asset, until: datetime) -> None:
        self._asset = asset
        self._until = until
        self._by = lru_cache(maxsize=8)(self._hours_by)

    def first(self, hours: Iterable[datetime]) -> Iterator[dict[str, Any]]:
        """The events of these hours, as a client would send them. Raises ScheduleError."""
        for hour in hours:
            for part in self._first_parts(hour):
                yield self._event(hour, part)

    def amended(
        self, revision: AssetRevision, hours: Iterable[datetime]
    ) -> tuple[list[dict[str, Any]], list[EventCorrection]]:
        """What a back-dated revision makes of hours that were sent before: events of parts that they did not
        have, and amends of those that they had. Raises ScheduleError."""
        events, amends = list[dict[str, Any]](), list[EventCorrection]()
        for hour in hours:
            *said, now = self._history(hour, revision.number)
            first = dict[str, AccrualPart]()
            for parts in said:
                first = parts | first
            was = {slot: said[-1].get(slot, part.emptied()) for slot, part in first.items()}
            for slot, part in now.items():
                if slot not in first:
                    events.append(self._event(hour, part))
            for slot, part in first.items():
                after = now.get(slot, part.emptied())
                if after != was[slot]:
                    amends.append(self._amend(revision, hour, part, after))
        return events, amends

    def _history(self, hour: datetime, last: int) -> list[dict[str, AccrualPart]]:
        """The hour's parts as they were first sent, and after each revision up to `last` that came later."""
        revisions = self._asset.revisions[:last]
        known = tuple(each.number for each in revisions if _knew(each, hour))
        later = [each.number for each in revisions if not _knew(each, hour)]
        return [
            self._parts(known, hour),
            *(self._parts(tuple(range(1, number + 1)), hour) for number in later),
        ]

    def _first_parts(self, hour: datetime) -> list[AccrualPart]:
        known = tuple(each.number for each in self._asset.revisions if _knew(each, hour))
        return self._by(known).parts(hour)

    def _parts(self, numbers: tuple[int, ...], hour: datetime) -> dict[str, AccrualPart]:
        return {part.slot: part for part in self._by(numbers).parts(hour)}

    def _hours_by(self, numbers: tuple[int, ...]) -> AssetHours:
        return AssetHours(self._asset, [self._asset.revisions[number - 1] for number in numbers], self._until)

    def _event(self, hour: datetime, part: AccrualPart) -> dict[str, Any]:
        return event_of(self._asset, event_id(hour, part.slot), at(self._asset, hour), part)

    def _amend(
        self, revision: AssetRevision, hour: datetime, first: AccrualPart, after: AccrualPart
    ) -> EventCorrection:
        return amend_of(
            self._asset,
            event_id(hour, first.slot),
            after,
            first.labels,
            number=revision.number,
            author=revision.author,
            reason=f"asset {self._asset.id}, revision {revision.number}: {revision.reason}",
            at=revision.recorded_at,
        )


def event_of(asset: Asset, id: str, time: datetime, part: AccrualPart) -> dict[str, Any]:
    """An event as a client would send it."""
    return {
        "specversion": "1.0",
        "type": EVENT_TYPE,
        "id": id,
        "source": asset.source,
        "subject": asset.id,
        "time": time.isoformat(),
        "tenant": asset.tenant,
        "data": _data(asset, part) | {"cadence": CADENCE, "labels": _labels(part.labels)},
    }


def amend_of(
    asset: Asset,
    id: str,
    after: AccrualPart,
    first_labels: Mapping[str, str],
    *,
    number: int,
    author: str,
    reason: str,
    at: datetime,
) -> EventCorrection:
    """What is to be said by event `id` instead, which first had `first_labels`. `number`: which of its
    amends this is. Its revision says who sends it, and knows what others have amended."""
    patch = _data(asset, after) | {"labels": _labels_patch(first_labels, after.labels)}
    return EventCorrection(
        id=str(uuid5(_AMENDS, f"{asset.tenant}/{asset.id}/{id}/{number}")),
        tenant=asset.tenant,
        source=asset.source,
        event_id=id,
        kind="amend",
        patch=Raw(msgspec.json.encode(patch)),
        reason=reason[:REASON_CHARACTERS_MAX],
        by=author,
        at=at,
    )


def at(asset: Asset, hour: datetime) -> datetime:
    """When an hour accrues: its event's time, and from when on it is sent."""
    return (hour + asset.minute).astimezone(UTC)


def slots_of(asset: Asset) -> list[str]:
    """Every part that an hour of the asset may ever have had."""
    shares = max(len(revision.change.get("assigned") or ()) for revision in asset.revisions)
    slots = [str(place) for place in range(max(shares, 1))]
    return [*slots, IDLE] if asset.kind == "licence" else slots


def event_id(hour: datetime, slot: str) -> str:
    """Of a part of an hour."""
    name = f"{hour.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
    return name if slot == "0" else f"{name}/{slot}"


def next_hour(asset: Asset, sent_until: datetime, over_at: datetime | None) -> datetime | None:
    """The next of its hours to be sent; None = there is none."""
    hour = asset.hour_from(sent_until)
    return None if over_at is not None and hour >= over_at else hour


def hours_due(
    asset: Asset, sent_until: datetime, over_at: datetime | None, now: datetime, most: int
) -> list[datetime]:
    """Hours whose minute has come, oldest first."""
    found = list[datetime]()
    hour = next_hour(asset, sent_until, over_at)
    while hour is not None and len(found) < most and at(asset, hour) <= now:
        found.append(hour)
        hour = next_hour(asset, hour + HOUR, over_at)
    return found


def _knew(revision: AssetRevision, hour: datetime) -> bool:
    """Whether it was recorded before anybody could have sent that hour."""
    return revision.number == 1 or revision.first_hour <= hour


def _data(asset: Asset, part: AccrualPart) -> dict[str, Any]:
    return {
        "provider": part.provider,
        "sku": part.sku,
        "cost_class": part.cost_class,
        "usage": {part.unit: plain(part.quantity)},
        "reported_cost": {"amount": plain(part.amount), "currency": asset.currency},
    }


def _labels(labels: Mapping[str, str]) -> dict[str, Any]:
    """As an event has them: a tenant's own apart."""
    own = {name: value for name, value in labels.items() if name not in LABELS}
    return {name: value for name, value in labels.items() if name in LABELS} | ({"own": own} if own else {})


def _labels_patch(first: Mapping[str, str], after: Mapping[str, str]) -> dict[str, Any]:
    """A merge patch from what an event first said to what it is to say: null takes a label away."""
    gone: Sequence[str] = [name for name in first if name not in after]
    own = {name: value for name, value in after.items() if name not in LABELS}
    patch: dict[str, Any] = {name: value for name, value in after.items() if name in LABELS}
    patch |= {name: None for name in gone if name in LABELS}
    own_patch = own | {name: None for name in gone if name not in LABELS}
    return patch | ({"own": own_patch} if own_patch else {})
