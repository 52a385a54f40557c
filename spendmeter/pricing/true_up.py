"""True-ups: what a whole period changes of what its events were booked at one by one.

    correction = true_up(term, booked, period, tenant=..., currency=..., earlier=[...])

Pure. A period's amount follows from sums alone, so neither the order of the usage nor how it was split into
events matters; where only a part of it is free or committed, that part is valued at the average booked price.
What a commitment pays is spread over the usage that it is for; what of it was not used by the end of the
period costs then.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from itertools import pairwise

from msgspec import Struct

from spendmeter.contracts.catalog import FxRate, PeriodTerm
from spendmeter.contracts.events import Context, CostClass
from spendmeter.contracts.money import EXACT, ZERO, divided, plain, quantised, total
from spendmeter.pricing.conditions import Bounds, CatalogError, admits
from spendmeter.pricing.names import matches_any
from spendmeter.pricing.spellings import AS_WRITTEN, Spellings

UsagePeriod = tuple[datetime, datetime]
"""[start, end)."""


class BookedUsage(Struct, frozen=True, kw_only=True):
    """What the book holds of one unit of one event, or of many that agree in all but quantity and amount.

    Provider and sku are the catalog's names for what was used, as its plan gives them.
    """

    time: datetime
    provider: str
    sku: str
    unit: str
    quantity: int | Decimal
    amount: Decimal
    """Effective, in book currency, without earlier true-ups; zero for an unpriced line."""
    cost_class: CostClass = "model"
    context: Context = Context()


class TrueUp(Struct, frozen=True, kw_only=True):
    """A signed entry for the book; zero = nothing is left to correct."""

    id: bytes
    """16 bytes: BLAKE2b-128 of tenant, term, the period's start and revision."""
    term: str
    period: UsagePeriod
    revision: int
    amount: Decimal
    currency: str
    quantity: Decimal
    """Of the usage that the term covers."""
    booked: Decimal
    """What that usage was booked at, without true-ups."""
    due: Decimal
    """What it costs by the term."""
    used: Decimal
    """What of a commitment's payment the usage has used, in book currency; with `unused` all of it."""
    unused: Decimal
    """What a commitment pays for usage that did not happen (while the period runs: not yet)."""
    explanation: tuple[str, ...]
    """The arithmetic, for a person to redo."""


def true_up(
    term: PeriodTerm,
    booked: Iterable[BookedUsage],
    period: UsagePeriod,
    *,
    tenant: str,
    currency: str,
    fx: FxRate | None = None,
    earlier: Sequence[Decimal] = (),
    spellings: Spellings = AS_WRITTEN,
    ended: bool = True,
) -> TrueUp:
    """What must be booked so that the period costs what `term` says.

    `booked` may hold anything: what the term does not cover, or lies outside the period, is left out.
    `spellings`: how ways of serving are written. `currency` is the book's, and `fx` the period's rate into it
    where the term is in another one. `earlier` are the true-ups of this term and period that are in the book:
    their number is the revision, and the correction is what they leave to do. A period's amounts are never
    prorated: a term that begins within the period counts what came after. Until it has `ended`, what of a
    commitment is not used yet is not due.

    Raises CatalogError for a term that says what no period can follow, ValueError for a wrong or missing
    rate, decimal.Inexact where an amount has more digits than money holds.
    """
    check_term(term)
    if term.currency != currency and (fx is None or (fx.base, fx.quote) != (term.currency, currency)):
        raise ValueError(f"period term {term.id} is in {term.currency} and the book in {currency}: no rate")
    covered = [
        usage for usage in booked if period[0] <= usage.time < period[1] and covers(term, usage, spellings)
    ]
    quantity = total(Decimal(usage.quantity) for usage in covered)
    amount = total(usage.amount for usage in covered)
    done = total(earlier)
    sums = _PeriodSums(term=term, quantity=quantity, amount=amount, currency=currency, fx=fx, ended=ended)
    due = sums.due()
    correction = EXACT.subtract(EXACT.subtract(due, amount), done)
    left = f"{plain(due)} due - {plain(amount)} booked"
    left += f" - {plain(done)} trued up before" if earlier else ""
    return TrueUp(
        id=true_up_id(tenant, term.id, period[0], len(earlier)),
        term=term.id,
        period=period,
        revision=len(earlier),
        amount=correction,
        currency=currency,
        quantity=quantity,
        booked=amount,
        due=due,
        used=sums.used,
        unused=sums.unused,
        explanation=(*sums.steps, f"{left} = {plain(correction)} {currency}"),
    )


def true_up_id(tenant: str, term: str, start: datetime, revision: int) -> bytes:
    """16 bytes. Senders choose the source and id of events: none can make it, and take a true-up's place."""
    parts = (tenant, term, f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", str(revision))
    prefixed = b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(str.encode, parts))
    return blake2b(prefixed, digest_size=16, person=b"true-up").digest()


def covers(term: PeriodTerm, usage: BookedUsage, spellings: Spellings = AS_WRITTEN) -> bool:
    """Whether the usage counts toward the term."""
    return (
        usage.provider.lower() == term.provider.lower()
        and (not term.units or usage.unit in term.units)
        and (not term.skus or matches_any(term.skus, usage.sku.lower()))
        and (not term.cost_classes or usage.cost_class in term.cost_classes)
        and admits(term.when, spellings.served(usage.provider.lower(), usage.context))
        and Bounds(term.when, {}).holds(usage.time, 0)
    )


def check_term(term: PeriodTerm) -> None:
    """Raises CatalogError, with the rule, for a term that does not say what a period costs."""
    when = term.when
    rule = ""
    if when.windows or when.context_min is not None or when.context_max is not None:
        rule = "its conditions may name batch, tier, region and dates, not hours or a context length"
    elif term.effect in {"graduated", "volume"}:
        overs = [Decimal(step.over) for step in term.steps]
        if not overs or overs[0] or any(low >= high for low, high in pairwise(overs)):
            rule = "its steps begin over 0 and rise"
    elif term.steps:
        rule = "it takes a quantity and no steps"
    elif term.effect == "allowance" and not Decimal(term.quantity):
        rule = "it says how much is free"
    elif term.effect == "spend_commitment" and not Decimal(term.quantity):
        rule = "it says how much is to be spent"
    if not (rule or term.units or term.effect == "spend_commitment"):
        rule = "it says of which units"
    if rule:
        raise CatalogError(f"period term {term.id} ({term.effect}): {rule}")


@dataclass(kw_only=True, slots=True)
class _PeriodSums:
    """What a term makes of a period's sums."""

    term: PeriodTerm
    quantity: Decimal
    amount: Decimal
    currency: str
    fx: FxRate | None
    ended: bool = True
    steps: list[str] = field(default_factory=list)
    used: Decimal = ZERO
    unused: Decimal = ZERO

    @property
    def units(self) -> str:
        return " + ".join(self.term.units)

    def due(self) -> Decimal:
        """What the period costs, in book currency; fills `steps`, and of a commitment `used` and `unused`."""
        match self.term.effect:
            case "graduated":
                return self.priced(self.graduated())
            case "volume":
                return self.priced(self.volume())
            case "allowance":
                return self.beyond("free")
            case "commitment":
                return self.commitment()
            case "spend_commitment":
                return self.spend_commitment()

    def graduated(self) -> Iterator[tuple[Decimal, str]]:
        """The quantity in each step, and the step's price."""
        steps = self.term.steps
        ends = [*(Decimal(step.over) for step in steps[1:]), self.quantity]
        for step, end in zip(steps, ends, strict=True):
            if self.quantity > Decimal(step.over):
                yield EXACT.subtract(min(end, self.quantity), Decimal(step.over)), step.price

    def volume(self) -> Iterator[tuple[Decimal, str]]:
        """All of it, at the price of the last step that it has passed: a step begins beyond its quantity."""
        first, *others = self.term.steps
        passed = [step for step in others if self.quantity > Decimal(step.over)]
        yield self.quantity, (passed or [first])[-1].price

    def priced(self, parts: Iterator[tuple[Decimal, str]]) -> Decimal:
        """The parts at their prices: summed exactly, divided once."""
        amount, per = ZERO, self.term.per
        for quantity, price in parts:
            product = EXACT.multiply(quantity, Decimal(price))
            amount = EXACT.add(amount, product)
            shown = plain(divided(product, Decimal(per)))
            self.steps.append(
                f"{plain(quantity)} {self.units} x {price} / {per} = {shown} {self.term.currency}"
            )
        return self.in_book(divided(amount, Decimal(per)))

    def commitment(self) -> Decimal:
        """What of the fee is used, at the end all of it, and what was used beyond at its booked price."""
        committed, fee = Decimal(self.term.quantity), Decimal(self.term.amount)
        self.steps.append(f"committed: {plain(committed)} {self.units} for {plain(fee)} {self.term.currency}")
        fee = self.paid(self.in_book(fee), self.quantity, committed)
        return EXACT.add(fee, self.beyond("committed"))

    def spend_commitment(self) -> Decimal:
        """The same of a commitment of money: what is booked counts toward it, in its own currency's worth."""
        committed, fee = Decimal(self.term.quantity), Decimal(self.term.amount)
        named = self.term.currency
        self.steps.append(f"committed: to spend {plain(committed)} {named}, for {plain(fee)} {named}")
        committed, fee = self.in_book(committed), self.in_book(fee)
        due = self.paid(fee, self.amount, committed)
        if self.amount <= committed:
            self.steps.append(f"{plain(self.amount)} {self.currency} spent, of {plain(committed)} committed")
            return due
        over = EXACT.subtract(self.amount, committed)
        spent = f"{plain(self.amount)} - {plain(committed)}"
        self.steps.append(f"beyond what is committed: {spent} = {plain(over)} {self.currency}")
        return EXACT.add(due, over)

    def paid(self, fee: Decimal, amount: Decimal, committed: Decimal) -> Decimal:
        """What of a commitment's payment is due now: what is used of it, at the end all. Fills `used` and
        `unused`."""
        if amount < committed:
            idle = EXACT.subtract(committed, amount)
            self.unused = divided(EXACT.multiply(fee, idle), committed)
            share = f"{plain(fee)} x {plain(idle)} / {plain(committed)}"
            name = "unused" if self.ended else "unused so far, and due when the period ends"
            self.steps.append(f"{name}: {share} = {plain(self.unused)} {self.currency}")
        self.used = EXACT.subtract(fee, self.unused)
        return fee if self.ended else self.used

    def beyond(self, name: str) -> Decimal:
        """What was booked for the quantity beyond the term's, at the average price."""
        first = Decimal(self.term.quantity)
        if self.quantity <= first:
            self.steps.append(f"{plain(self.quantity)} {self.units} used, of {plain(first)} {name}")
            return ZERO
        over = EXACT.subtract(self.quantity, first)
        amount = divided(EXACT.multiply(self.amount, over), self.quantity)
        share = f"{plain(self.amount)} booked x {plain(over)} / {plain(self.quantity)} {self.units}"
        self.steps.append(f"beyond {plain(first)} {name}: {share} = {plain(amount)} {self.currency}")
        return amount

    def in_book(self, amount: Decimal) -> Decimal:
        """An amount of the term's currency, in the book's."""
        if self.fx is None or self.term.currency == self.currency:
            return amount
        converted = quantised(EXACT.multiply(amount, Decimal(self.fx.rate)))
        self.steps.append(
            f"{plain(amount)} {self.term.currency} x {self.fx.rate} = {plain(converted)} {self.currency}"
        )
        return converted
