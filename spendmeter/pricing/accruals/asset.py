"""An asset as it was registered, and what was said of it since: nothing of that is changed, only added to.

A revision says what changes (`change`), and from when. What holds in an hour is all that takes effect until
then, in the order in which it does: a price that is set right from the beginning stays right after a
reassignment that was recorded before.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby
from operator import attrgetter
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from spendmeter.contracts.events import CostClass
from spendmeter.contracts.money import ZERO
from spendmeter.contracts.periods import day_start

AssetKind = Literal["hardware", "licence", "labour", "commitment"]
PURCHASES = frozenset({"hardware", "commitment"})
"""Kinds that are bought once, and whose cost is spread over their life."""
CLASS_OF: Mapping[AssetKind, CostClass] = {
    "hardware": "hardware",
    "licence": "licence",
    "labour": "labour",
    "commitment": "model",
}
"""What each counts as where nobody says otherwise."""
HOUR = timedelta(hours=1)


class AssetShare(Struct, frozen=True, kw_only=True):
    """Whose part it is: `weight` seats of a licence, else so many parts of all parts."""

    labels: dict[str, str] = {}
    weight: int = 1


class AssetTerms(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What holds of an asset in an hour. Which fields a kind has, `checks` says."""

    name: str
    provider: str
    sku: str
    cost_class: CostClass
    cost: Decimal | None = None
    salvage: Decimal = ZERO
    months: int | None = None
    ends_on: date | None = None
    """The first day on which it is there no longer."""
    seats: int | None = None
    price_per_seat_month: Decimal | None = None
    rate_per_hour: Decimal | None = None
    hours_per_week: Decimal = ZERO
    capacity: Decimal | None = None
    """Of a commitment: so many units of throughput. What of it was used, nobody says yet."""
    labels: dict[str, str] = {}
    """Whose it is where no share says otherwise, and of seats that nobody has."""
    assigned: tuple[AssetShare, ...] = ()
    retired: bool = False
    proceeds: Decimal | None = None
    """What it was sold for; None = what it was thought to be worth in the end."""


class AssetRevision(Struct, frozen=True, kw_only=True):
    """Something said of an asset."""

    number: int
    """From 1, which registers it."""
    effective_from: datetime
    first_hour: datetime
    """When it was recorded, hours before this one might have been sent. It says otherwise of those that it is
    about, so they are amended; what is sent of later hours knows of it."""
    recorded_at: datetime
    change: dict[str, Any]
    """Fields of AssetTerms."""
    author: str
    reason: str

    @property
    def back_dated(self) -> bool:
        return self.number > 1 and self.effective_from < self.first_hour


class Asset(Struct, frozen=True, kw_only=True):
    """One asset, with all that was ever said of it."""

    tenant: str
    id: str
    kind: AssetKind
    currency: str
    zone: ZoneInfo
    """The tenant's when it was registered: by its calendar the asset's months and weeks are, for good."""
    starts_on: date
    accrue_from: datetime
    """What accrued before was never Spendmeter's to book."""
    revisions: tuple[AssetRevision, ...]

    @property
    def starts_at(self) -> datetime:
        """From here on its hours are counted, so that days of a zone like India's begin with one."""
        return day_start(self.starts_on, self.zone)

    @property
    def source(self) -> str:
        """Of its events."""
        return f"asset:{self.id}"

    @property
    def minute(self) -> timedelta:
        """How far into each hour it accrues: a thousand laptops are no burst at :00."""
        digest = blake2b(f"{self.tenant}/{self.id}".encode(), digest_size=8).digest()
        return timedelta(minutes=int.from_bytes(digest) % 60)

    def hour_from(self, at: datetime) -> datetime:
        """The first of its hours that begins at `at` or later."""
        hours = -((self.starts_at - at) // HOUR)
        return self.starts_at + hours * HOUR


class AssetStanding(Struct, frozen=True, kw_only=True):
    """What holds from `since` until the next standing."""

    since: datetime
    terms: AssetTerms


def standings(revisions: Iterable[AssetRevision]) -> list[AssetStanding]:
    """What holds when, by all of these. Raises msgspec.ValidationError for a change of a field that there
    is none of."""
    found, said = list[AssetStanding](), dict[str, Any]()
    ordered = sorted(revisions, key=attrgetter("effective_from", "number"))
    for since, at_once in groupby(ordered, attrgetter("effective_from")):
        for revision in at_once:
            said |= revision.change
        found.append(AssetStanding(since=since, terms=msgspec.convert(said, AssetTerms)))
    return found


def terms_at(said: Sequence[AssetStanding], at: datetime) -> AssetTerms:
    """What holds then, by these standings; before the first what holds from that on."""
    return said[max(bisect_right(said, at, key=attrgetter("since")) - 1, 0)].terms
