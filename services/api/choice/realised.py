"""What a decision was to save, and what it has saved: pure, from rows of cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any

from services.api.choice.comparing import ModelKey, key_of
from services.api.choice.decision_models import ModelDecision, OwnerCredit, RealisedSaving, SavingForecast
from services.api.choice.traffic import CallSums, Row, TrafficOfCurrency, traffic_of
from spendmeter.contracts.money import EXACT, ZERO, divided, quantised
from spendmeter.pricing.choice.growth import TokenGrowth, inverse
from spendmeter.pricing.choice.reprice import Pricing, reprice
from spendmeter.pricing.choice.traffic import CandidateModel
from spendmeter.pricing.price_book import PriceBook

DAYS_MIN, CALLS_MIN = 7, 100
"""Before so many complete days and calls nothing is said to have been saved."""
_NOON = time(12)
Calls = Mapping[tuple[str, str], CallSums]


@dataclass(frozen=True, kw_only=True)
class Move:
    """From which model to which, and what the tenant says of their tokens."""

    old: CandidateModel
    new: CandidateModel
    growth: TokenGrowth | None = None


def forecast_of(
    move: Move, rows: Iterable[Row], calls: Calls, pricing: Pricing, days: tuple[date, date]
) -> SavingForecast:
    """From the rows of the slice in [first, beyond) of days, in the pricing's currency."""
    all_rows = list(rows)
    traffic = traffic_of(_of(move.old, all_rows, pricing), calls).get(pricing.currency)
    there = traffic_of(_of(move.new, all_rows, pricing), calls).values()
    uses = traffic.uses if traffic else []
    as_is, other = reprice(uses, None, pricing), reprice(uses, move.new, pricing)
    missing = [*as_is.missing, *other.missing]
    if not uses:
        missing = [f"no call of {move.old.name} is booked in these days and this slice"]
    known = not missing
    return SavingForecast(
        first_day=days[0],
        last_day=days[1] - timedelta(days=1),
        calls=traffic.calls if traffic else 0,
        calls_on_new=sum(each.calls for each in there),
        currency=pricing.currency,
        as_is=as_is.low if known and as_is.low == as_is.high else None,
        low=other.low if known else None,
        high=other.high if known else None,
        saving_low=_less(as_is.low, other.high) if known else None,
        saving_high=_less(as_is.high, other.low) if known else None,
        priced_at=pricing.at,
        catalog_version=pricing.book.version,
        missing=missing,
        notes=list(other.notes),
    )


def realised_of(
    move: Move,
    rows: Sequence[Row],
    calls: Calls,
    *,
    book: PriceBook,
    tenant: str,
    forecast: SavingForecast,
    days: tuple[date, date],
) -> RealisedSaving:
    """From the rows of the slice, day by day, in [first, beyond) of complete days, in the currency of the
    forecast."""
    currency = forecast.currency
    sums = _Realised()
    growth = {move.old.name: inverse(move.growth)} if move.growth else {}
    for day, of_day in groupby(rows, key=itemgetter("day")):
        at = datetime.combine(day, _NOON, tzinfo=UTC)
        pricing = Pricing(book=book, tenant=tenant, currency=currency, at=at, growth=growth)
        sums.add(move, list(of_day), calls, pricing)
    complete = max(0, (days[1] - days[0]).days)
    says = sums.says(complete, move, forecast)
    known = not says
    saving = sums.savings(forecast, complete)
    return RealisedSaving(
        first_day=days[0],
        last_day=days[1] - timedelta(days=1) if complete else None,
        calls=sums.calls,
        calls_left=sums.left,
        currency=currency,
        booked=sums.booked if known else None,
        would_low=sums.low if known else None,
        would_high=sums.high if known else None,
        saving_low=saving[0] if known else None,
        saving_high=saving[1] if known else None,
        says=says,
        notes=list(sums.notes),
    )


def unread(currency: str, days: tuple[date, date], says: str) -> RealisedSaving:
    """Of a decision whose calls were not read, for this reason."""
    names = ("calls", "calls_left", "booked", "would_low", "would_high", "saving_low", "saving_high")
    return RealisedSaving(
        first_day=days[0],
        last_day=days[1] - timedelta(days=1) if days[0] < days[1] else None,
        currency=currency,
        **dict.fromkeys(names),
        says=says,
        notes=[],
    )


class _Realised:
    """So far."""

    def __init__(self) -> None:
        self.calls = self.left = self.unpriced = 0
        self.booked = self.low = self.high = ZERO
        self.least = self.most = ZERO
        """Of what is booked, by any reading."""
        self.missing: dict[str, None] = {}
        self.notes: dict[str, None] = {}

    def add(self, move: Move, rows: Sequence[Row], calls: Calls, pricing: Pricing) -> None:
        """Count a day."""
        for currency, old in traffic_of(_of(move.old, rows, pricing), calls).items():
            self.left += old.calls if currency == pricing.currency else 0
        for currency, new in traffic_of(_of(move.new, rows, pricing), calls).items():
            if currency != pricing.currency:
                self.missing[f"some of it is booked in {currency}, not in {pricing.currency}"] = None
                continue
            would = reprice(new.uses, move.old, pricing)
            self.calls += new.calls
            self.unpriced += new.unpriced
            self.booked = EXACT.add(self.booked, new.booked)
            self.missing |= dict.fromkeys(would.missing)
            self.notes |= dict.fromkeys(would.notes)
            self._add_paid(new, pricing)
            if would.low is not None and would.high is not None:
                self.low, self.high = EXACT.add(self.low, would.low), EXACT.add(self.high, would.high)

    def _add_paid(self, new: TrafficOfCurrency, pricing: Pricing) -> None:
        """What a bound stands for may have been nothing; and what a sender reported has its discounts, but
        what the old model would have cost is by the catalog."""
        least = EXACT.subtract(new.booked, max(ZERO, new.provisional))
        most = new.booked
        if new.provisional:
            self.notes["some of what is booked is provisional: a bound, until a price is known"] = None
        if new.reported:
            listed = reprice(new.uses, None, pricing)
            self.missing |= dict.fromkeys(listed.missing)
            if listed.low is not None and listed.high is not None:
                least, most = min(least, listed.low), max(most, listed.high)
            said = "some of what is booked is as its sender reported it"
            self.notes[f"{said}: the old model is held against that, and against the catalog"] = None
        self.least, self.most = EXACT.add(self.least, least), EXACT.add(self.most, most)

    def savings(self, forecast: SavingForecast, days: int) -> tuple[Decimal, Decimal]:
        """At least and at most. Where the new model was used before, as many calls a day may have been there
        without the decision: then both readings lie within."""
        low, high = EXACT.subtract(self.low, self.most), EXACT.subtract(self.high, self.least)
        before = forecast.calls_on_new
        if before > 0 and self.calls > 0:
            span = _days_of(forecast)
            there = min(Decimal(self.calls), divided(Decimal(before * days), Decimal(span)))
            share = divided(self.calls - there, Decimal(self.calls))
            said = f"{before} calls of the new model were in this slice in the {span} days before"
            self.notes[f"{said}: as many a day may be no saving"] = None
            low, high = min(low, quantised(low * share)), max(high, quantised(high * share))
        return low, high

    def says(self, days: int, move: Move, forecast: SavingForecast) -> str:
        """Why there is no figure; '' = there is one."""
        if forecast.calls <= 0:
            said = (
                f"no call of {move.old.name} is booked in this slice in the {_days_of(forecast)} days before"
            )
            return f"{said}: nothing was moved"
        if days < DAYS_MIN or self.calls < CALLS_MIN:
            return f"too early: {days} of {DAYS_MIN} complete days, {self.calls} of {CALLS_MIN} calls"
        if self.unpriced:
            return f"{self.unpriced} of the calls have no price yet: what they cost is unknown"
        return "; ".join(self.missing)


def _days_of(forecast: SavingForecast) -> int:
    return (forecast.last_day - forecast.first_day).days + 1


def overlap(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether a call may be in both slices: no dimension keeps them apart."""
    return all(other.get(name, value) == value for name, value in one.items())


def credits_of(decisions: Iterable[ModelDecision]) -> list[OwnerCredit]:
    """By owner and currency, of decisions in force."""
    found: dict[tuple[str, str], OwnerCredit] = {}
    for each in decisions:
        realised = each.realised
        if realised is None:
            continue
        key = each.owner, realised.currency
        credit = found.get(key)
        if credit is None:
            credit = found[key] = OwnerCredit(
                owner=key[0], currency=key[1], decisions=0, not_judged=0, saving_low=ZERO, saving_high=ZERO
            )
        credit.decisions += 1
        if realised.saving_low is None or realised.saving_high is None:
            credit.not_judged += 1
            continue
        credit.saving_low = EXACT.add(credit.saving_low, realised.saving_low)
        credit.saving_high = EXACT.add(credit.saving_high, realised.saving_high)
    return [found[key] for key in sorted(found)]


def _of(model: CandidateModel, rows: Iterable[Row], pricing: Pricing) -> list[Row]:
    """The rows of what a name means, whatever events called it."""
    key = key_of(model, pricing)
    known: dict[tuple[Any, Any], ModelKey] = {}
    found = []
    for row in rows:
        name = row["provider"], row["sku"]
        if name not in known:
            known[name] = key_of(CandidateModel(provider=name[0], sku=name[1]), pricing)
        if known[name] == key:
            found.append(row)
    return found


def _less(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else EXACT.subtract(one, other)
