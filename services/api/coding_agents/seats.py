"""Seats that nobody used, and what they cost. Pure.

Idle is a seat of which somebody has said that it was not used (`spendmeter assets activity`): a day of which
nobody has said anything is unknown, and in no sum.
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from services.api.coding_agents.models import IdleSeats
from spendmeter.contracts.money import EXACT, ZERO, divided, quantised, total
from spendmeter.contracts.periods import day_start
from spendmeter.pricing.accruals.asset import HOUR, Asset, AssetStanding, AssetTerms, standings, terms_at
from spendmeter.pricing.accruals.schedule import idle_seats, over_at

UNKNOWN = "nobody has said how many seats were used in these days"


@dataclass(frozen=True, kw_only=True)
class ToolLicence:
    """A licence of a tool, with how many of its seats were used, by day."""

    tool: str
    asset: Asset
    active: Mapping[date, int]
    counts_people: bool
    """Whether who has a seat is somebody who may use the tool: not where only the question says so, or any
    licence of a large team would let a small one be seen."""

    def last_terms(self, start: date, last: date) -> AssetTerms | None:
        """What held at the end of the last day of [start, last] on which it was there; None = on none."""
        said = standings(self.asset.revisions)
        over = over_at(self.asset, said)
        if over is not None:
            last = min(last, (over.astimezone(self.asset.zone) - HOUR).date())
        return self._terms(said, last) if last >= start else None

    def idle(self, start: date, last: date) -> IdleSeats | None:
        """Of the days [start, last]; None = it was on none of them."""
        terms = self.last_terms(start, last)
        if terms is None:
            return None
        assert terms.seats is not None and terms.price_per_seat_month is not None, "a licence has seats"
        known = self._idle_by_day()
        day = max(known, default=None)
        return IdleSeats(
            tool=self.tool,
            licence=self.asset.id,
            name=terms.name,
            currency=self.asset.currency,
            seats=terms.seats,
            nobody_has=idle_seats(terms),
            price_per_seat_month=terms.price_per_seat_month,
            day=day,
            active=self.active[day] if day else None,
            idle=known[day][0] if day else None,
            idle_cost_per_month=EXACT.multiply(known[day][1], Decimal(known[day][0])) if day else None,
            known_days=len(known),
            idle_cost=_cost(known.items()) if known else None,
            missing=[] if known else [UNKNOWN],
        )

    def seats_by_team(self, start: date, last: date) -> dict[str, int]:
        """How many seats each team has."""
        terms, found = self.last_terms(start, last), defaultdict[str, int](int)
        for share in terms.assigned if terms else ():
            found[share.labels.get("team") or (terms.labels.get("team", "") if terms else "")] += share.weight
        return dict(found)

    def _idle_by_day(self) -> dict[date, tuple[int, Decimal]]:
        """Idle seats and the price of one, of days of which somebody has said how many were used."""
        said, found = standings(self.asset.revisions), dict[date, tuple[int, Decimal]]()
        over = over_at(self.asset, said)
        for day, active in self.active.items():
            if over is not None and day_start(day, self.asset.zone) >= over:
                continue
            terms = self._terms(said, day)
            if terms is not None and terms.seats is not None and terms.price_per_seat_month is not None:
                found[day] = max(terms.seats - active, 0), terms.price_per_seat_month
        return found

    def _terms(self, said: Sequence[AssetStanding], day: date) -> AssetTerms | None:
        """What held at the day's end."""
        end = day_start(day + timedelta(days=1), self.asset.zone)
        return terms_at(said, end - HOUR) if end > self.asset.starts_at else None


def _cost(known: Iterable[tuple[date, tuple[int, Decimal]]]) -> Decimal:
    """A seat costs its price in a month, however long: of each day the month's part."""
    months = defaultdict[tuple[int, int], Decimal](lambda: ZERO)
    for day, (idle, price) in known:
        months[day.year, day.month] = EXACT.add(
            months[day.year, day.month], EXACT.multiply(price, Decimal(idle))
        )
    return quantised(total(divided(sum_, Decimal(monthrange(*month)[1])) for month, sum_ in months.items()))
