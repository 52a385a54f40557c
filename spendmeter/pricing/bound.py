"""The most that a call can cost, before it is made: what a hard budget holds for it.

    answer = bound(book, tenant, provider=..., sku=..., quantities={"input_tokens": 9000},
                   max_output_tokens=1000, way=AnyWay(service_tier="standard"), since=now, until=now + ttl)

Pure, and by the book that prices the call afterwards: for every event that stays within what is stated here,
`rate(event, book).effective` is at most the amount. What is not stated counts as dearly as it may turn out:
the tier, the region, whether input is written to a cache, and to which. A cache that is counted on may be
missed. A unit that is stated, also as 0, is taken at its word. What a call may use beside tokens (searches,
tools) has to be stated to be counted; fees of every call are always in it. What a trusted sender reports as
its own cost, and what a bill says, is bounded by nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Context, Decimal, Inexact
from functools import partial
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.money import EXACT, plain, total
from spendmeter.pricing.conditions import Bounds
from spendmeter.pricing.dearest import CallsWithin, Dearest, dearest, gap, of_each_currency
from spendmeter.pricing.decision import Decision
from spendmeter.pricing.engine import Quantity
from spendmeter.pricing.memory import TenantMemory
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.ways import AnyWay, plans

REMEMBERED_FOR = timedelta(minutes=1)
"""So near a change of price the dearer one counts already."""
REMEMBERED_MAX = 2_000
_WRITES = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_write_12h_tokens")
_TEXT = ("input_tokens", "cache_read_tokens", "embedding_tokens")
_CACHED = {"input_audio_tokens": "cache_read_audio_tokens", "input_image_tokens": "cache_read_image_tokens"}
_SPOKEN = ("output_tokens", "reasoning_tokens", "citation_tokens")
_DRAWN = ("output_audio_tokens", "output_image_tokens", "output_video_tokens")
_WIDE = Context(prec=80, rounding=ROUND_CEILING)
_ONE = Decimal(1)
_STEP = Decimal("1E-12")
"""What one rounding of rating may add."""


class Bound(Struct, frozen=True, kw_only=True):
    """The most that the call costs, in the tenant's book currency."""

    amount: Decimal
    currency: str
    provisional: bool
    """Whether a price is a guess: of a model that nobody knows, by the dearest that its provider sells."""
    because: tuple[str, ...]
    """What of it is counted how, for people."""


class BoundRefused(Struct, frozen=True, kw_only=True):
    """Nobody can say what the call costs at most."""

    reason: str
    field: str = ""
    """What to state so that one can: "" = nothing that the caller could state."""


class _Unbounded(Exception):
    """Ends the work on a bound that there is none of."""

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(reason)
        self.refused = BoundRefused(reason=reason, field=field)


class _Counted(NamedTuple):
    """So many of a unit, each of which may turn out to be any of `kinds`."""

    unit: str
    quantity: Quantity
    kinds: tuple[str, ...]


def bound(
    book: PriceBook,
    tenant: str,
    *,
    provider: str,
    sku: str,
    quantities: Mapping[str, Quantity],
    max_output_tokens: int | None,
    way: AnyWay = AnyWay(),  # noqa: B008 - frozen
    since: datetime,
    until: datetime,
    most_output: Mapping[tuple[str, str], int] | None = None,
) -> Bound | BoundRefused:
    """`quantities`: the most of each unit that the call can use, without its output. `most_output`: what
    models put out at most where the caller states no maximum, by provider and sku. `since`, `until`: when the
    call may be made, both included."""
    calls = CallsWithin(since, until, _length(book, quantities))
    work = _Bounding(book, tenant, provider, sku, way, calls)
    return _worked_out(work, quantities, max_output_tokens, most_output or {})


class Bounder:
    """`Bounder(book)`: the same bounds, of many calls. What a name's units cost at most is worked out for the
    next REMEMBERED_FOR as well, and remembered; README.md says of how many names."""

    def __init__(self, book: PriceBook) -> None:
        self.book = book
        self._lengths = _lengths(book)
        self._known: TenantMemory[tuple[str, str, AnyWay, int], _Bounding] = TenantMemory(REMEMBERED_MAX)

    def bound(
        self,
        tenant: str,
        *,
        provider: str,
        sku: str,
        quantities: Mapping[str, Quantity],
        max_output_tokens: int | None,
        way: AnyWay,
        since: datetime,
        until: datetime,
        most_output: Mapping[tuple[str, str], int],
    ) -> Bound | BoundRefused:
        """As `bound` says, of calls until REMEMBERED_FOR after `until`."""
        calls = CallsWithin(since, until, _length(self.book, quantities))
        work = self._work(tenant, provider, sku, way, calls).again()
        return _worked_out(work, quantities, max_output_tokens, most_output)

    def _work(self, tenant: str, provider: str, sku: str, way: AnyWay, calls: CallsWithin) -> _Bounding:
        # Between two of the lengths at which some price begins or ends, all calls meet the same prices.
        key = (provider, sku, way, bisect_right(self._lengths, calls.length))
        known = self._known.of_tenants.get(tenant, {}).get(key)
        if known is not None and known.is_for(calls):
            return known
        longer = calls._replace(until=calls.until + REMEMBERED_FOR)
        made = _Bounding(self.book, tenant, provider, sku, way, longer)
        self._known.remember(tenant, key, made)
        return made


def _length(book: PriceBook, quantities: Mapping[str, Quantity]) -> int:
    return sum(int(n) + (n != int(n)) for unit, n in quantities.items() if unit in book.context_units)


def _lengths(book: PriceBook) -> Sequence[int]:
    """Of a context: all from which on some price or factor holds, or none does any more."""
    prices = chain(book.lists.entries(), *book.unconfirmed.prices.values())
    bounds = [Bounds(when, book.lists.calendars) for when in {each.when for each in prices}]
    return sorted({length for each in bounds for length in (each.low, each.high + 1)})


def _worked_out(
    work: _Bounding,
    quantities: Mapping[str, Quantity],
    max_output_tokens: int | None,
    most_output: Mapping[tuple[str, str], int],
) -> Bound | BoundRefused:
    try:
        work.check(quantities)
        output = work.outputs(quantities, max_output_tokens, most_output)
        counted = [*_inputs(quantities, work.book), *output, *work.fees(quantities)]
        amounts = [work.amount(each) for each in counted]
        return Bound(
            amount=total(amounts),
            currency=work.currency,
            provisional=work.provisional,
            because=tuple(work.because),
        )
    except _Unbounded as error:
        return error.refused
    except Inexact:
        return BoundRefused(reason="an amount has more digits than money holds", field="quantities")


def _inputs(quantities: Mapping[str, Quantity], book: PriceBook) -> Iterator[_Counted]:
    writes = tuple(each for each in _WRITES if quantities.get(each))
    if not any(each in quantities for each in _WRITES):
        writes = _WRITES
    for unit, quantity in quantities.items():
        if not quantity:
            continue
        if unit in book.context_units or unit in _TEXT:
            kinds = (unit, *filter(None, [_CACHED.get(unit)]), *_TEXT, *writes)
        else:
            kinds = (unit, *sorted(book.lists.covered_by(unit)))
        yield _Counted(unit, quantity, tuple(dict.fromkeys(kinds)))


class _Bounding:
    """One call's bound as it is worked out; `again` for another call of the same names and length."""

    def __init__(
        self, book: PriceBook, tenant: str, provider: str, sku: str, way: AnyWay, calls: CallsWithin
    ) -> None:
        self.book, self.tenant, self.calls = book, tenant, calls
        self.about, self.ceilings = f"{provider}/{sku}", book.ceilings
        self.plans = plans(book, tenant, provider, sku, way, calls)
        self.unknown = [plan for plan in self.plans if plan.sku is None]
        self.provisional = bool(self.unknown)
        self.terms, self.scope = book.agreement(tenant).at(calls.since)
        self.currency = self.terms.currency
        self.because: list[str] = []
        self._prices: dict[str, list[Dearest]] = {}
        self._gaps: dict[tuple[str, ...], datetime | None] = {}

    def is_for(self, calls: CallsWithin) -> bool:
        """Whether it bounds calls of this span too."""
        terms, _ = self.book.agreement(self.tenant).at(calls.since)
        return self.calls.since <= calls.since and calls.until <= self.calls.until and terms is self.terms

    def again(self) -> _Bounding:
        """For another call: what was found of prices is kept, what was said of the last call is not."""
        other = copy(self)
        other.provisional, other.because = bool(self.unknown), []
        return other

    def check(self, quantities: Mapping[str, Quantity]) -> None:
        """Raises _Unbounded where nothing can be bounded."""
        since, until = self.calls.since, self.calls.until
        for terms in self.book.agreement(self.tenant).stated:
            begins = terms.effective_from
            if begins and since < begins <= until and terms.currency != self.currency:
                raise _Unbounded(f"the book goes from {self.currency} to {terms.currency} on {_day(begins)}")
        for plan in self.unknown:
            if plan.provider is None and not self.terms.fallback:
                raise _Unbounded(f"{self.about} is no known model of a known provider", "provider")
        reads = any(self.prices(unit) for unit in ("input_tokens", "input_audio_tokens"))
        if reads and not any(u in self.book.context_units or u in _TEXT for u in quantities):
            raise _Unbounded(f"{self.about} is charged by its input, and none is stated", "quantities")

    def outputs(
        self, quantities: Mapping[str, Quantity], stated: int | None, most: Mapping[tuple[str, str], int]
    ) -> Iterator[_Counted]:
        """All that the call puts out, at the dearest kind that the caller does not count apart."""
        kinds = (*_SPOKEN, *(each for each in _DRAWN if each not in quantities))
        if not any(self.prices(kind) for kind in kinds):
            return  # what puts nothing out, as an embedding
        if stated is None:
            known = [most.get((plan.provider or "", plan.sku or "")) for plan in self.plans]
            limits = [each for each in known if each is not None]
            if not limits or len(limits) < len(known):
                reason = f"how much {self.about} puts out at most is neither stated nor known"
                raise _Unbounded(reason, "max_output_tokens")
            stated = max(limits)
            self.because.append(f"no maximum of the output is stated: the model's own, {stated:,}")
        if stated:
            yield _Counted("output_tokens", stated, kinds)

    def fees(self, quantities: Mapping[str, Quantity]) -> Iterator[_Counted]:
        """What is charged once a call, of which a call may also say of which kind it was."""
        units = {unit for plan in self.plans for unit, _ in plan.per_event}
        for plan in self.unknown:
            units |= {unit for each, _ in plan.bounded.by for unit, _ in each.per_event}
            units |= self.ceilings.fees(plan.provider or "")
        for unit in sorted(units):
            kinds = self.book.lists.covered_by(unit)
            if not any(quantities.get(kind, 0) >= 1 for kind in kinds):
                yield _Counted(unit, 1, (unit, *sorted(kinds - {unit})))

    def amount(self, counted: _Counted) -> Decimal:
        """What it costs at most, in book currency. Raises _Unbounded where nothing prices it."""
        unit, quantity, kinds = counted
        lacks = None if self.unknown else self.gap(kinds)
        priced = [(kind, price) for kind in kinds for price in self.prices(kind)]
        found = [(self._cost(price, quantity, kinds), kind, price) for kind, price in priced]
        if lacks or not found:
            raise _Unbounded(f"No price for {unit} of {self.about} on {_day(lacks or self.calls.since)}")
        cost, kind, price = max(found, key=lambda each: (each[0], each[1] == unit, each[1]))
        decision = price.decision
        self.provisional |= decision.status == "provisional"
        said = f"{plain(Decimal(quantity))} {unit}" + (f" as {kind}" if kind != unit else "")
        per = f" for {decision.per:,}" if decision.per != 1 else ""
        said += f" at {decision.text} {decision.currency}{per}"
        if price.factors:
            said += f" x {plain(price.factor)} ({', '.join(price.factors)})"
        self.because.append(said)
        return cost

    def gap(self, kinds: tuple[str, ...]) -> datetime | None:
        """From when on nothing prices any of the kinds; None = something always does."""
        if kinds not in self._gaps:
            self._gaps[kinds] = gap(self.plans, kinds, self.calls)
        return self._gaps[kinds]

    def prices(self, unit: str) -> Sequence[Dearest]:
        """The dearest that one of the unit costs, in each currency."""
        if unit not in self._prices:
            found = dearest((plan for plan in self.plans if plan.sku is not None), unit, self.calls)
            self._prices[unit] = of_each_currency([*found, *self._of_unknown(unit)])
        return self._prices[unit]

    def _of_unknown(self, unit: str) -> Iterable[Dearest]:
        """The dearest that the provider sells, and no less than what the unknown model would be booked at."""
        dearest_of = partial(self.ceilings.dearest, scope=self.scope, unit=unit, calls=self.calls)
        for plan in self.unknown:
            if plan.provider:
                yield from dearest_of(self.book.sellers(plan.provider))
            for members, factor in _bounding(plan):
                for each in dearest_of({m.provider or "" for m in members}, {m.sku or "" for m in members}):
                    yield each._replace(factor=EXACT.multiply(each.factor, factor))
            if plan.name:  # of an embedding or the like, which anybody's bound
                booked = self.book.provisional.bound(plan, unit, self.calls.since, self.calls.length)
                yield from [Dearest(booked, _ONE, ())] if booked else []
        if self.unknown and (fallback := self.terms.fallback.get(unit)):
            yield Dearest(_by_terms(self.terms, fallback), _ONE, ())

    def _cost(self, price: Dearest, quantity: Quantity, kinds: Sequence[str]) -> Decimal:
        """Of that many, rounded up. Where they may be of several kinds, no kind's maximum counts."""
        decision = price.decision
        billed = decision.billed(quantity) if len(kinds) == 1 else max(quantity, decision.minimum)
        amount = EXACT.multiply(EXACT.multiply(billed, decision.price), price.factor)
        inexact = decision.per != 1
        if inexact:
            amount = _WIDE.divide(amount, Decimal(decision.per))
        if decision.currency != self.currency and amount:
            amount, inexact = _WIDE.multiply(amount, self._rate(decision.currency)), True
        if not inexact:
            return amount
        return amount.quantize(_STEP, context=_WIDE) + _STEP * 2 * len(kinds)

    def _rate(self, currency: str) -> Decimal:
        """The dearest of the span. Raises _Unbounded where there is none at its begin."""
        since, until = self.calls.since, self.calls.until
        first = self.book.fx(currency, self.currency, since)
        if first is None:
            raise _Unbounded(f"No rate from {currency} to {self.currency} on {_day(since)}")
        later = self.book.rates(currency, self.currency)
        return max(
            Decimal(rate.rate) for rate in (first, *(r for r in later if since < r.effective_from <= until))
        )


def _bounding(plan: Plan) -> Iterator[tuple[Sequence[Plan], Decimal]]:
    """The models by which an unknown one would be booked, and how many times their prices."""
    bounded = plan.bounded
    yield from (([each], at_most) for each, at_most in bounded.by)
    yield from ((tier(), at_most) for tier, at_most in bounded.tiers)
    yield bounded.elsewhere(), _ONE


def _by_terms(terms: TenantTerms, price: str) -> Decision:
    """The tenant's own word for what it does not know."""
    return Decision(
        entry=terms.id, price=Decimal(price), text=price, currency=terms.currency, status="provisional"
    )


def _day(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d}"
