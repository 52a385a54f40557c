"""What the terms of whole periods make of a tenant's usage: how each stands, and what is to be booked. Pure.

A use is counted by one term for its quantity, the nearest that covers it, and by one for the money that is
committed: of two for the same use the other one counts nothing of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import FxRate, PeriodTerm
from spendmeter.contracts.events import Context, CostClass, UsageData
from spendmeter.contracts.money import EXACT, ZERO, plain, quantised, total
from spendmeter.contracts.true_ups import SKU, UNIT
from spendmeter.pricing.period_terms import (
    PAID,
    STEPPED,
    DayPeriod,
    TenantPeriodTerms,
    days_of,
    midnight,
    noon,
    period_of,
)
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.true_up import BookedUsage, covers, true_up, true_up_id

MONEY = "spend_commitment"
_MINUTE = timedelta(minutes=1)
_GONE = "the term does not count any more"
_DIGITS = "what it comes to has more digits than money holds"

TermPeriod = tuple[str, DayPeriod]
"""(id of a term, one of its periods)."""


class UsedOnDay(Struct, frozen=True):
    """What cells of a day say of one unit: names as events state them, and the effective amount."""

    day: date
    provider: str
    sku: str
    cost_class: CostClass
    tier: str
    region: str
    batch: bool
    unit: str
    currency: str
    status: str
    quantity: Decimal
    amount: Decimal


class BookedTrueUp(Struct, frozen=True, kw_only=True):
    """One that is in the book."""

    term: str
    period: DayPeriod
    amount: Decimal
    currency: str
    occurred_at: datetime
    effect: str
    provider: str
    cost_class: CostClass


class TermStanding(Struct, frozen=True, kw_only=True):
    """How a term of a period stands; amounts are of `currency`."""

    term: str
    effect: str
    provider: str
    units: Sequence[str]
    cost_class: CostClass
    period: DayPeriod
    covered_to: date
    """The first day that is not counted yet."""
    at: datetime
    """When what is to be booked counts as spent."""
    ended: bool
    currency: str
    quantity: Decimal = ZERO
    booked: Decimal = ZERO
    due: Decimal = ZERO
    trued_up: Decimal = ZERO
    """What all true-ups come to, with `amount`."""
    used: Decimal | None = None
    """None = it commits to nothing."""
    unused: Decimal | None = None
    amount: Decimal = ZERO
    """To be booked now, as this `revision`; zero = nothing is."""
    revision: int = 0
    identity: bytes = b""
    explanation: Sequence[str] = ()
    missing: Sequence[str] = ()
    """What makes it provisional."""
    refused: str = ""
    """Why nothing is worked out: the figures are then those of nothing."""

    @property
    def counted(self) -> Decimal | None:
        """What counts toward what is committed: of money what is booked. None = it commits to nothing."""
        if self.used is None:
            return None
        return self.booked if self.effect == MONEY else self.quantity


@dataclass(kw_only=True)
class Reckoning:
    """`standings(wanted)`: of these periods of these terms, from `uses` of every day that lies in them."""

    tenant: str
    book: PriceBook
    terms: TenantPeriodTerms
    horizon: date
    """The first day that is not over."""
    uses: Iterable[UsedOnDay]
    earlier: Sequence[BookedTrueUp]
    """All that are in the book of these periods, and every other that lies in one of a commitment of money;
    in the order of their revisions."""
    _of: defaultdict[TermPeriod, list[tuple[BookedUsage, UsedOnDay]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _names: dict[tuple[Any, ...], tuple[str, str, Context]] = field(default_factory=dict)
    """What was used how on a day, by the catalog's names, as events have it."""

    def standings(self, wanted: Iterable[TermPeriod]) -> list[TermStanding]:
        """Those of quantities first: what they change counts toward the money that is committed."""
        for use in self.uses:
            self._take(use)
        found: list[TermStanding] = []
        for name, period in sorted(wanted, key=lambda each: (self._is_money(each[0]), each)):
            if (standing := self._standing(name, period, found)) is not None:
                found.append(standing)
        return found

    def _is_money(self, name: str) -> bool:
        term = self.terms.term(name)
        return term is not None and term.effect == MONEY

    def _take(self, use: UsedOnDay) -> None:
        """Give a use to the nearest term that covers it, of quantities and of money. A cost that its sender
        reports is no unit's: it counts as money alone."""
        booked = self._named(use)
        for money in (False, True):
            if use.status == "reported" and not money:
                continue
            for term in self.terms.of(use.day):
                if (term.effect == MONEY) is money and covers(term, booked, self.book.spellings):
                    self._of[term.id, period_of(term, use.day)].append((booked, use))
                    break

    def _named(self, use: UsedOnDay) -> BookedUsage:
        """The use, by the names that the catalog has for it: of what, and how it was served."""
        key = use.day, use.provider, use.sku, use.tier, use.region, use.batch
        if key not in self._names:
            self._names[key] = self._read(use)
        provider, sku, context = self._names[key]
        return BookedUsage(
            time=midnight(use.day),
            provider=provider,
            sku=sku,
            unit=use.unit,
            quantity=use.quantity,
            amount=use.amount,
            cost_class=use.cost_class,
            context=context,
        )

    def _read(self, use: UsedOnDay) -> tuple[str, str, Context]:
        context = Context(service_tier=use.tier, region=use.region, batch=use.batch)
        data = UsageData(provider=use.provider, sku=use.sku, usage={}, context=context)
        at = noon(use.day)
        plan = self.book.planned(self.tenant, self.book.scope(self.tenant, at), data, at).plan
        by = self.book.served(self.tenant, data, at)  # a name may say it, too
        served = Context(service_tier=by.tier, region=by.region, batch=by.batch)
        return plan.reseller or plan.provider or use.provider, plan.sku or use.sku, served

    def _standing(self, name: str, period: DayPeriod, found: Sequence[TermStanding]) -> TermStanding | None:
        """None = there is nothing to say: it does not count, and never did."""
        earlier = [each for each in self.earlier if (each.term, each.period) == (name, period)]
        term = self.terms.term(name)
        if term is None or not self.terms.counts(term, period, self.horizon):
            return self._taken_back(period, earlier) if earlier else None
        uses = self._of[name, period]
        said = self._said(term, period, uses, earlier)
        at_start = midnight(days_of(term, period)[0])
        try:
            money = _Money(self.book, said["currency"], at_start)
            fx = money.rate(term.currency)
            booked = _summed(uses, money)
            booked += self._other_true_ups(term, period, money, found)
            before = [money.of(each.amount, each.currency) for each in earlier]
            done = true_up(
                term, booked, (midnight(period[0]), midnight(period[1])), tenant=self.tenant,
                currency=said["currency"], fx=fx, earlier=before, spellings=self.book.spellings,
                ended=said["ended"],
            )  # fmt: skip
            trued_up = total((*before, done.amount))
        except (LookupError, ArithmeticError) as error:
            return TermStanding(**said, refused=_why(error))
        paid = term.effect in PAID
        return TermStanding(
            **said,
            quantity=done.quantity,
            booked=done.booked,
            due=done.due,
            trued_up=trued_up,
            used=done.used if paid else None,
            unused=done.unused if paid else None,
            amount=done.amount,
            revision=done.revision,
            identity=done.id,
            explanation=(*money.steps, *done.explanation),
            missing=() if term.effect in STEPPED else _missing(uses),
        )

    def _said(
        self,
        term: PeriodTerm,
        period: DayPeriod,
        uses: Sequence[tuple[BookedUsage, UsedOnDay]],
        earlier: Sequence[BookedTrueUp],
    ) -> dict[str, Any]:
        _, end = days_of(term, period)
        covered_to = min(end, self.horizon)
        return {
            "term": term.id,
            "effect": term.effect,
            "provider": term.provider.lower(),
            "units": term.units,
            "cost_class": earlier[0].cost_class if earlier else _cost_class(term, uses),
            **self._counted(period, end, covered_to),
        }

    def _counted(self, period: DayPeriod, end: date, covered_to: date) -> dict[str, Any]:
        """Which days are counted of a period that is over at `end`, and where in the book that lies."""
        at = self._at(covered_to)
        return {
            "period": period,
            "covered_to": covered_to,
            "at": at,
            "ended": end <= self.horizon,
            "currency": self.book.agreement(self.tenant).at(at)[0].currency,
        }

    def _at(self, covered_to: date) -> datetime:
        """The last minute that is counted, and that lies in the tenant's month of that day."""
        timeline = self.book.agreement(self.tenant).timeline
        its_noon = timeline.midnight(covered_to - timedelta(days=1)) + timedelta(hours=12)
        _, month_end = timeline.bounds("month", its_noon)
        return min(midnight(covered_to), month_end) - _MINUTE

    def _other_true_ups(
        self, term: PeriodTerm, period: DayPeriod, money: _Money, found: Sequence[TermStanding]
    ) -> Iterable[BookedUsage]:
        """Toward money that is committed counts what other terms change of what its usage costs."""
        if term.effect != MONEY:
            return
        others = [
            (each.occurred_at, each.provider, each.cost_class, each.amount, each.currency)
            for each in self.earlier
            if each.effect != MONEY
        ]
        others += [
            (each.at, each.provider, each.cost_class, each.amount, each.currency)
            for each in found
            if each.effect != MONEY
        ]
        start, end = midnight(period[0]), midnight(period[1])
        for at, provider, cost_class, amount, currency in others:
            if start <= at < end and provider == term.provider.lower():
                yield BookedUsage(
                    time=at, provider=provider, sku=SKU, unit=UNIT, quantity=0, cost_class=cost_class,
                    amount=money.of(amount, currency),
                )  # fmt: skip

    def _taken_back(self, period: DayPeriod, earlier: Sequence[BookedTrueUp]) -> TermStanding:
        """Of a term that does not count any more: what it changed is changed back."""
        last = earlier[-1]
        covered_to = max(min(period[1], self.horizon), period[0] + timedelta(days=1))
        said: dict[str, Any] = {
            "term": last.term,
            "effect": last.effect,
            "provider": last.provider,
            "units": (),
            "cost_class": last.cost_class,
            **self._counted(period, period[1], covered_to),
        }
        try:
            money = _Money(self.book, said["currency"], midnight(period[0]))
            before = total(money.of(each.amount, each.currency) for each in earlier)
        except (LookupError, ArithmeticError) as error:
            return TermStanding(**said, refused=_why(error))
        if not before:
            return TermStanding(**said, revision=len(earlier), explanation=(_GONE,))
        amount = EXACT.minus(before)
        left = f"{_GONE}: - {plain(before)} trued up before = {plain(amount)}"
        return TermStanding(
            **said,
            amount=amount,
            revision=len(earlier),
            identity=true_up_id(self.tenant, last.term, midnight(period[0]), len(earlier)),
            explanation=(*money.steps, f"{left} {said['currency']}"),
        )


class _Money:
    """Amounts in a period's currency: at the rate with which its part of the period begins, else the first
    after it. Raises LookupError where there is none."""

    def __init__(self, book: PriceBook, currency: str, at: datetime) -> None:
        self._book, self._currency, self._at = book, currency, at
        self.steps: list[str] = []

    def rate(self, currency: str) -> FxRate | None:
        """None = it is in that currency."""
        if currency == self._currency:
            return None
        rates = self._book.rates(currency, self._currency)
        found = self._book.fx(currency, self._currency, self._at) or (rates[0] if rates else None)
        if found is None:
            raise LookupError(f"No rate from {currency} to {self._currency}")
        return found

    def of(self, amount: Decimal, currency: str) -> Decimal:
        rate = self.rate(currency)
        if rate is None or not amount:
            return amount
        converted = quantised(EXACT.multiply(amount, Decimal(rate.rate)))
        shown = f"{plain(amount)} {currency} x {rate.rate} = {plain(converted)} {self._currency}"
        if shown not in self.steps:
            self.steps.append(shown)
        return converted


def _why(error: Exception) -> str:
    """Nothing that lies in one tenant's book may keep the corrector from everybody's."""
    return _DIGITS if isinstance(error, ArithmeticError) else str(error.args[0])


def _summed(uses: Sequence[tuple[BookedUsage, UsedOnDay]], money: _Money) -> list[BookedUsage]:
    """What all that a term counts comes to: each currency is exchanged once, and said once."""
    of: defaultdict[str, list[BookedUsage]] = defaultdict(list)
    for booked, use in uses:
        of[use.currency].append(booked)
    return [
        replace(
            found[0],
            quantity=total(Decimal(each.quantity) for each in found),
            amount=money.of(total(each.amount for each in found), currency),
        )
        for currency, found in of.items()
    ]


def _cost_class(term: PeriodTerm, uses: Sequence[tuple[BookedUsage, UsedOnDay]]) -> CostClass:
    """The term's own, else that of most of what it covers."""
    if term.cost_classes:
        return term.cost_classes[0]
    amounts: defaultdict[CostClass, Decimal] = defaultdict(Decimal)
    for booked, _ in uses:
        amounts[booked.cost_class] += booked.amount
    return max(sorted(amounts), key=amounts.__getitem__) if amounts else "other"


def _missing(uses: Sequence[tuple[BookedUsage, UsedOnDay]]) -> tuple[str, ...]:
    """What is not known of what these cost: it counts as nothing, or as a bound says."""
    unpriced: defaultdict[str, Decimal] = defaultdict(Decimal)
    bounded: defaultdict[str, Decimal] = defaultdict(Decimal)
    for _, use in uses:
        if use.status == "unpriced":
            unpriced[use.unit] += use.quantity
        elif use.status == "provisional":
            bounded[use.currency] += use.amount
    said = [
        f"{plain(quantity)} {unit} have no price" for unit, quantity in sorted(unpriced.items()) if quantity
    ]
    said += [
        f"{plain(amount)} {currency} are provisional"
        for currency, amount in sorted(bounded.items())
        if amount
    ]
    return tuple(said)
