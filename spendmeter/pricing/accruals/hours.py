"""One hour of an asset: what accrues in it, and whose it is. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.events import CostClass
from spendmeter.contracts.money import EXACT, FRACTION_DIGITS_MAX, divided
from spendmeter.pricing.accruals.asset import (
    HOUR,
    PURCHASES,
    Asset,
    AssetRevision,
    AssetShare,
    AssetTerms,
    terms_at,
)
from spendmeter.pricing.accruals.asset import standings as standings_of
from spendmeter.pricing.accruals.schedule import (
    IDLE,
    AccrualSchedule,
    AccrualSum,
    end_of,
    idle_seats,
    over_at,
    purchase_schedule,
    seat_schedules,
    wage_schedule,
    work_schedule,
)

_UNITS = {
    "hardware": "asset_hours",
    "licence": "seat_hours",
    "labour": "labour_hours",
    "commitment": "provisioned_unit_hours",
}


class AccrualPart(Struct, frozen=True, kw_only=True):
    """A part of an hour, as one event says it. `slot`: which part: '0', '1', ... or IDLE."""

    slot: str
    provider: str
    sku: str
    cost_class: CostClass
    labels: Mapping[str, str]
    unit: str
    quantity: Decimal
    amount: Decimal

    def emptied(self) -> "AccrualPart":
        """What is left of it where the hour has it no longer."""
        return replace(self, quantity=Decimal(0), amount=Decimal(0))


class AssetHours:
    """The hours of an asset by these revisions of it, up to `until`. Raises ScheduleError."""

    def __init__(self, asset: Asset, revisions: Iterable[AssetRevision], until: datetime) -> None:
        self._asset = asset
        self.standings = said = standings_of(revisions)
        self._seats = dict[str, AccrualSchedule]()
        if asset.kind == "licence":
            self._seats = seat_schedules(asset, said, until)
            self.money: AccrualSchedule = AccrualSum(self._seats.values())
        elif asset.kind == "labour":
            self.money, self._work = wage_schedule(asset, said, until), work_schedule(asset, said, until)
        else:
            self.money = purchase_schedule(asset, said)
        self.over_at = over_at(asset, said)

    def terms_at(self, at: datetime) -> AssetTerms:
        """What holds then; before its first day what holds on that."""
        return terms_at(self.standings, at)

    def parts(self, hour: datetime) -> list[AccrualPart]:
        """What accrues from `hour` to the next, none of it 0. A sku of their own tells idle seats in every
        view."""
        terms = self.terms_at(hour)
        owners = _owners(self._asset, terms)
        weights = [share.weight for _, share in owners]
        if not weights:
            return []
        if self._asset.kind == "licence":
            amounts = [self._seats[slot].within(hour, hour + HOUR) for slot, _ in owners]
        else:
            amounts = split(self.money.within(hour, hour + HOUR), weights)
        return [
            AccrualPart(
                slot=slot,
                provider=terms.provider,
                sku=f"{terms.sku}:{IDLE}" if slot == IDLE else terms.sku,
                cost_class=terms.cost_class,
                labels={**terms.labels, **share.labels},
                unit=_UNITS[self._asset.kind],
                quantity=quantity,
                amount=amount,
            )
            for (slot, share), quantity, amount in zip(
                owners, split(self._quantity(terms, hour), weights), amounts, strict=True
            )
            if amount
        ]

    def by_owner(self, since: datetime, until: datetime) -> list[tuple[Mapping[str, str], bool, Decimal]]:
        """What accrues in [since, until), both hours of the asset: of whom, whether of idle seats, and how
        much, in the order in which each came first."""
        found = dict[tuple[frozenset[tuple[str, str]], bool], tuple[Mapping[str, str], Decimal]]()
        for place, standing in enumerate(self.standings):
            beyond = self.standings[place + 1].since if place + 1 < len(self.standings) else until
            start, end = max(since, standing.since), min(until, beyond)
            for slot, labels, amount in self._amounts(start, end) if start < end else ():
                key = frozenset(labels.items()), slot == IDLE
                before = found[key][1] if key in found else Decimal(0)
                found[key] = labels, EXACT.add(before, amount)
        return [(labels, idle, amount) for (_, idle), (labels, amount) in found.items() if amount]

    def _amounts(self, since: datetime, until: datetime) -> Iterator[tuple[str, Mapping[str, str], Decimal]]:
        """The same while one standing holds, by slot."""
        terms = self.terms_at(since)
        owners = [
            (slot, {**terms.labels, **share.labels}, share.weight)
            for slot, share in _owners(self._asset, terms)
        ]
        for slot, labels, _ in owners:
            if self._asset.kind == "licence":
                yield slot, labels, self._seats[slot].within(since, until)
            elif len(owners) == 1:
                yield slot, labels, self.money.within(since, until)
        if self._asset.kind != "licence" and len(owners) > 1:
            weights = [weight for *_, weight in owners]
            for whole, hours in self._in_hours(since, until).items():
                for (slot, labels, _), amount in zip(owners, split(whole, weights), strict=True):
                    yield slot, labels, EXACT.multiply(amount, Decimal(hours))

    def _in_hours(self, since: datetime, until: datetime) -> Counter[Decimal]:
        """How many hours have the same amount: it differs by the last digit, so of years there are few."""
        by = [self.money.by(hour) for hour in hours_within(self._asset, since, until + HOUR)]
        return Counter(EXACT.subtract(after, before) for before, after in pairwise(by))

    def _quantity(self, terms: AssetTerms, hour: datetime) -> Decimal:
        """Of the whole hour. In the hour in which the rest of it is written off, it is there no longer."""
        if self._asset.kind == "labour":
            return self._work.within(hour, hour + HOUR)
        if terms.retired and self._asset.kind in PURCHASES:
            return Decimal(0)
        end = end_of(self._asset, terms)
        there = min(hour + HOUR, end or hour + HOUR) - hour
        hours = divided(Decimal(there // timedelta(seconds=1)), Decimal(3600))
        count = terms.seats if self._asset.kind == "licence" else terms.capacity
        return EXACT.multiply(hours, Decimal(1 if count is None else count))


def split(total: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """Parts by weight that add up to `total`: by largest remainder at 12 places, of equal ones the first."""
    units = int(total.scaleb(FRACTION_DIGITS_MAX))
    all_of_them = sum(weights)
    parts = [units * weight // all_of_them for weight in weights]
    left = units - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda at: -(units * weights[at] % all_of_them))
    for place in by_remainder[:left]:
        parts[place] += 1
    return [Decimal(part).scaleb(-FRACTION_DIGITS_MAX) for part in parts]


def _owners(asset: Asset, terms: AssetTerms) -> list[tuple[str, AssetShare]]:
    """Whose the hour is, by slot."""
    owners = [(str(place), share) for place, share in enumerate(terms.assigned)]
    if asset.kind == "licence":
        idle = idle_seats(terms)
        return [*owners, (IDLE, AssetShare(weight=idle))] if idle else owners
    return owners or [("0", AssetShare())]


def hours_within(asset: Asset, since: datetime, until: datetime) -> Iterator[datetime]:
    """The asset's hours that begin in [since, until)."""
    hour = asset.hour_from(since)
    while hour < until:
        yield hour
        hour += HOUR
