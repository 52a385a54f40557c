"""Rating: what an event cost, line by line, from values alone.

    rating = rate(event, book)

Pure: no clock, no I/O; the same event and book give the same bytes. Unknown is never zero: a unit without a
price falls back to its parent's and says so, an unknown model is booked at an upper bound, and what nobody
can bound is a line without an amount.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from spendmeter.contracts.catalog import TenantTerms
from spendmeter.contracts.charges import Charge, charge_of
from spendmeter.contracts.events import Amount, EventError, UsageData, UsageEvent
from spendmeter.contracts.money import (
    EXACT,
    ZERO,
    divided,
    parse_decimal,
    plain,
    quantised,
)
from spendmeter.contracts.rated import STATUSES, Line, PriceStatus
from spendmeter.pricing.charged import charged
from spendmeter.pricing.decision import Decision
from spendmeter.pricing.plan import Plan
from spendmeter.pricing.price_book import Planned, PriceBook

ESTIMATED = "the quantity is the sender's estimate"
Quantity = int | Decimal
PricedLine = tuple[Line, Decimal, Decimal]
"""A line, and its list and contracted amounts in book currency."""

_SEVERITY = {status: severity for severity, status in enumerate(STATUSES)}
_multiply, _add = EXACT.multiply, EXACT.add


class Rating(Struct, frozen=True, kw_only=True, gc=False):
    """What an event cost. The sums are exact, in `currency`, the tenant's book currency."""

    status: PriceStatus
    currency: str
    accounting_period: date
    """The month, in the tenant's zone, as its first day."""
    list: Decimal
    contracted: Decimal
    effective: Decimal
    """As contracted: what a whole period changes, the ledger trues up."""
    catalog_version: int
    lines: tuple[Line, ...]


def rate(event: UsageEvent, book: PriceBook) -> Rating:
    """Price an event that passed `read_event`. Raises EventError without a time, and decimal.Inexact where an
    amount has more digits than money holds."""
    time, data = event.time, event.data
    if time is UNSET:
        raise EventError("is missing", "time")
    agreement = book.agreement(event.tenant)
    terms, scope = agreement.at(time)
    if (charge := charge_of(event)) is not None:
        return _as_billed(charge, time, terms.currency, agreement.month(time), book)
    bill = _EventBill(book, terms, time, data)
    if (reported := reported_cost(event)) is not None:
        bill.add(bill.reported(reported))
    else:
        planned = book.planned(event.tenant, scope, data, time)
        if planned.plan.sku is not None:
            bill.price_known(planned)
        else:
            for priced in bill.bound_unknown(planned.plan):
                bill.add(priced)
    if data.estimated:
        bill.mark_estimated(data.estimated)
    contracted = _add(bill.listed, bill.difference) if bill.difference else bill.listed
    return Rating(
        status=bill.status,
        currency=bill.currency,
        accounting_period=agreement.month(time),
        list=bill.listed,
        contracted=contracted,
        effective=contracted,
        catalog_version=book.version,
        lines=tuple(bill.lines),
    )


def _as_billed(charge: Charge, time: datetime, currency: str, month: date, book: PriceBook) -> Rating:
    """A charge costs what its bill says."""
    line, listed, contracted, effective = charged(charge, time, currency, book)
    return Rating(
        status=line.status,
        currency=currency,
        accounting_period=month,
        list=listed,
        contracted=contracted,
        effective=effective,
        catalog_version=book.version,
        lines=(line,),
    )


def states_cost(event: UsageEvent) -> bool:
    """Whether it says itself what it cost, so that no price is asked."""
    return reported_cost(event) is not None or charge_of(event) is not None


def reported_cost(event: UsageEvent) -> Amount | None:
    """What a trusted sender says that it paid, so that no price is asked; None = prices decide."""
    return event.data.reported_cost if event.trustreportedcost else None


class _EventBill:
    """The lines of one event, and what they come to so far."""

    __slots__ = (
        "book",
        "currency",
        "data",
        "difference",
        "lines",
        "listed",
        "region",
        "status",
        "terms",
        "tier",
        "time",
    )

    def __init__(self, book: PriceBook, terms: TenantTerms, time: datetime, data: UsageData) -> None:
        self.book, self.terms, self.time, self.data = book, terms, time, data
        self.currency, self.region, self.tier = terms.currency, "", ""
        self.lines: list[Line] = []
        self.listed = self.difference = ZERO
        """Of list amounts; and of contracted over list amounts."""
        self.status: PriceStatus = "priced"

    def add(self, priced: PricedLine) -> None:
        """Put a line on the bill."""
        line, listed, contracted = priced
        self.lines.append(line)
        self.listed = _add(self.listed, listed)
        if contracted != listed:
            self.difference = _add(self.difference, EXACT.subtract(contracted, listed))
        if _SEVERITY[line.status] > _SEVERITY[self.status]:
            self.status = line.status

    def mark_estimated(self, units: Collection[str]) -> None:
        """What lines of estimated quantities come to may change: they are provisional at best. Of a reported
        cost the sender's word counts, whatever of the quantities it could only guess."""
        for place, line in enumerate(self.lines):
            if line.unit in units and _SEVERITY[line.status] < _SEVERITY["provisional"]:
                reason = f"{line.reason}; {ESTIMATED}" if line.reason else ESTIMATED
                self.lines[place] = replace(line, status="provisional", reason=reason)
                if _SEVERITY[self.status] < _SEVERITY["provisional"]:
                    self.status = "provisional"

    def price_known(self, planned: Planned) -> None:
        """A line for each unit of a known sku."""
        plan, self.region, self.tier = planned.plan, planned.region, planned.tier
        usage, currency = self.data.usage, self.currency
        context = self.book.context_length(self.data) if plan.by_length else 0
        decisions, lines, listed = plan.decisions(self.time, context), self.lines, ZERO
        for unit, quantity in usage.items():
            decision = decisions[unit]
            if decision is None or (not quantity and decision.status == "provisional"):
                self.add(self.unpriced(unit, quantity, f"No price for {unit} of {self.about}"))
            elif decision.is_linear and decision.currency == currency:
                # Nearly every line of nearly every event: kept short, for it is most of what rating costs.
                amount = _multiply(quantity, decision.price)
                listed = _add(listed, amount)
                text = str(amount)
                if text[-1] == "0" or "E" in text:
                    text = plain(amount)
                lines.append(
                    Line(unit=unit, entry=decision.entry, price=decision.text, amount=text)
                    if decision.is_bare
                    else self.line_in_words(decision, unit, text)
                )
            else:
                self.add(self.line(decision, unit, quantity))
        self.listed = _add(self.listed, listed) if self.listed else listed
        for unit, instead in plan.per_event:
            if usage.keys().isdisjoint(instead) and (decision := decisions[unit]):
                self.add(self.line(decision, unit, 1, by_event=False))

    def line_in_words(self, decision: Decision, unit: str, amount: str) -> Line:
        """A linear decision's line, with all that is to be said of it."""
        return Line(
            unit=unit,
            entry=decision.entry,
            price=decision.text,
            amount=amount,
            multipliers=decision.multipliers,
            parent=decision.parent,
            reason=decision.reason,
            remarks=decision.remarks,
            region=self.region if "region" in decision.remarks else "",
            tier=self.tier if "tier" in decision.remarks else "",
        )

    def bound_unknown(self, plan: Plan) -> Iterator[PricedLine]:
        """A line for each unit of an unknown sku, at the most it can be expected to cost."""
        unbounded: list[tuple[str, Quantity]] = []
        provisional, time, context = self.book.provisional, self.time, self.book.context_length(self.data)
        for unit, quantity in self.data.usage.items():
            if bound := provisional.bound(plan, unit, time, context) or self.tenant_bound(unit):
                yield self.line(bound, unit, quantity)
            else:
                unbounded.append((unit, quantity))
        fees = {fee for each, _ in plan.bounded.by for fee in each.per_event}
        for unit, instead in sorted(fees, key=lambda fee: fee[0]):
            if self.data.usage.keys().isdisjoint(instead) and (bound := provisional.bound(plan, unit, time)):
                yield self.line(bound, unit, 1, by_event=False)
        if self.terms.fallback_event is not None and any(quantity for _, quantity in unbounded):
            covered = ", ".join(unit for unit, _ in unbounded)
            reason = f"unknown model: the tenant's bound for an event, for {covered}"
            bound = _bound_by(self.terms, self.terms.fallback_event, reason)
            yield self.line(bound, "events", 1, by_event=False)
            return
        for unit, quantity in unbounded:
            yield self.unpriced(unit, quantity, f"No price for {unit} of {self.about}, and no bound")

    def tenant_bound(self, unit: str) -> Decision | None:
        """The tenant's own bound of one unit."""
        price = self.terms.fallback.get(unit)
        return None if price is None else _bound_by(self.terms, price, "unknown model: the tenant's bound")

    def reported(self, cost: Amount) -> PricedLine:
        """One line: what a trusted sender says it paid."""
        amount = parse_decimal(cost.amount)
        price = Decision(
            entry="",
            price=amount,
            text=plain(amount),
            currency=cost.currency,
            status="reported",
            reason="as reported by the sender",
        )
        return self.line(price, "reported_cost", 1, by_event=False)

    def line(self, decision: Decision, unit: str, quantity: Quantity, *, by_event: bool = True) -> PricedLine:
        """The line of a quantity that the event states, or that the price implies."""
        billed, agreed = decision.billed(quantity), decision.contracted
        amount, fx, listed = self.amounts(decision, billed)
        by_contract = agreed.billed(quantity) if agreed else billed
        negotiated, agreed_fx, contracted = (
            self.amounts(agreed, by_contract) if agreed else (amount, fx, listed)
        )
        status, reason = decision.status, decision.reason
        if listed is None or contracted is None:
            currency = decision.currency if listed is None or agreed is None else agreed.currency
            status, reason = "unpriced", f"No rate from {currency} to {self.currency} on {self.day}"
        line = Line(
            unit=unit,
            entry=decision.entry,
            price=decision.text,
            amount=plain(amount),
            quantity=None if by_event and billed == quantity else billed,
            contracted_quantity=None if by_contract == billed else by_contract,
            per=decision.per,
            contracted_entry=agreed.entry if agreed else "",
            contracted_price=agreed.text if agreed else None,
            contracted_amount=plain(negotiated) if agreed else None,
            contracted_currency=agreed.currency if agreed and agreed.currency != decision.currency else "",
            contracted_fx="" if agreed_fx == fx else agreed_fx,
            multipliers=decision.multipliers,
            currency="" if decision.currency == self.currency else decision.currency,
            fx=fx,
            book_list=plain(listed) if fx and listed is not None else None,
            book_contracted=plain(contracted) if agreed_fx and agreed and contracted is not None else None,
            status=status,
            parent=decision.parent,
            reason=reason,
            remarks=decision.remarks,
            region=self.region if "region" in decision.remarks else "",
            tier=self.tier if "tier" in decision.remarks else "",
        )
        return line, listed or ZERO, contracted or ZERO

    def amounts(self, price: Decision, quantity: Quantity) -> tuple[Decimal, str, Decimal | None]:
        """The amount as priced, the exchange rate entry it took, and the amount in book currency: None where
        no rate says; nothing is nothing in every currency."""
        amount = _multiply(quantity, price.price)
        if price.per != 1:
            amount = divided(amount, Decimal(price.per))
        if price.currency == self.currency:
            return amount, "", amount
        rate = self.book.fx(price.currency, self.currency, self.time)
        if rate is None:
            return amount, "", None if amount else ZERO
        return amount, rate.id, quantised(_multiply(amount, Decimal(rate.rate)))

    def unpriced(self, unit: str, quantity: Quantity, reason: str) -> PricedLine:
        """A line without an amount; nothing of it used costs nothing, whatever its price."""
        if not quantity:
            return Line(unit=unit, amount="0", reason="none used"), ZERO, ZERO
        return Line(unit=unit, status="unpriced", reason=reason), ZERO, ZERO

    @property
    def about(self) -> str:
        """What was used and when, for people."""
        return f"{self.data.provider}/{self.data.sku} on {self.day}"

    @property
    def day(self) -> str:
        """The event's day, in UTC."""
        return f"{self.time.astimezone(UTC):%Y-%m-%d}"


def _bound_by(terms: TenantTerms, price: str, reason: str) -> Decision:
    return Decision(
        entry=terms.id,
        price=Decimal(price),
        text=price,
        currency=terms.currency,
        status="provisional",
        reason=reason,
    )
