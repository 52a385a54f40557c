"""Why an event costs something else by another version of the catalog: its difference, by cause. Pure.

Each line says by which entries it was priced. Of those that changed from the old line to the new one, each
takes what it alone changes, in a fixed order (as if first the price had changed, then the factors on it, then
the exchange rate); the last takes what is left, so that the parts are the difference to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import zip_longest
from math import prod
from typing import Literal, NamedTuple, get_args

from spendmeter.contracts.money import EXACT, ZERO, divided
from spendmeter.contracts.rated import Line, Multiplier
from spendmeter.pricing.engine import Rating

Cause = Literal["price", "name", "multiplier", "contract", "fx", "terms", "engine"]
"""name: the event's words (provider, model, tier, region) mean others than they did; terms: the tenant's
currency is another; engine: nothing of the catalog changed, the way of pricing did."""
CAUSES: tuple[Cause, ...] = get_args(Cause)
"""In the order in which they are told apart."""
BOUND = "bound"
"""The name of a factor that is part of a bound, and no entry's."""
_ON_LIST, _ON_CONTRACTED = frozenset({"list", "list_alone"}), frozenset({"list", "contracted"})
_NO_LINE = Line(unit="")


class EntryFacts(NamedTuple):
    """The publications that brought an entry into the catalog and took it out; None = it stands."""

    version: int
    withdrawn: int | None = None


class EventAmounts(NamedTuple):
    """What an event comes to, in one currency."""

    list: Decimal = ZERO
    contracted: Decimal = ZERO
    effective: Decimal = ZERO

    def plus(self, other: EventAmounts) -> EventAmounts:
        """Both together."""
        return EventAmounts(*map(EXACT.add, self, other))

    def minus(self, other: EventAmounts) -> EventAmounts:
        """What there is more than of the other."""
        return EventAmounts(*map(EXACT.subtract, self, other))


class CauseStep(NamedTuple):
    """What an event came to before one cause, and after it: each begins with what the one before left."""

    currency: str
    cause: Cause
    before: EventAmounts
    after: EventAmounts


def amounts_of(rating: Rating) -> EventAmounts:
    """The sums of a rating."""
    return EventAmounts(rating.list, rating.contracted, rating.effective)


def steps(old: Rating, new: Rating, facts: Mapping[str, EntryFacts]) -> list[CauseStep]:
    """From what an event costs by an old rating to what it costs by a new one. `facts` are of the entries
    that the lines of both name. In another currency than before, it comes to nothing in the old one."""
    before, after = amounts_of(old), amounts_of(new)
    if old.currency != new.currency:
        return [
            CauseStep(old.currency, "terms", before, EventAmounts()),
            CauseStep(new.currency, "terms", EventAmounts(), after),
        ]
    known = _Known(old.catalog_version, facts)
    if cause := _only_cause(old.lines, new.lines, known):
        return [CauseStep(new.currency, cause, before, after)]
    parts = _parts(old, new, known)
    found = [
        CauseStep(new.currency, cause, before, before := before.plus(parts[cause]))
        for cause in CAUSES
        if cause in parts
    ]
    rest = after.minus(before)
    if any(rest) or not found:  # lines that are equal, and another status; or sums that are not their lines'
        found.append(CauseStep(new.currency, "engine", before, after))
    return found


def _only_cause(old: tuple[Line, ...], new: tuple[Line, ...], known: _Known) -> Cause | None:
    """The cause of all of it, where lines have nothing but prices and each is another: nearly always."""
    found: Cause | None = None
    if len(old) != len(new):
        return None
    for was, now in zip(old, new, strict=True):
        if was.entry == now.entry or was.unit != now.unit or not (_is_bare(was) and _is_bare(now)):
            return None
        cause = known.cause(was.entry, now.entry)
        if found not in (None, cause):
            return None
        found = cause
    return found


def _is_bare(line: Line) -> bool:
    return not (line.multipliers or line.fx or line.contracted_price) and line.status != "unpriced"


def _parts(old: Rating, new: Rating, known: _Known) -> dict[Cause, EventAmounts]:
    found: dict[Cause, EventAmounts] = {}
    for was, now in _pairs(old.lines, new.lines):
        if was == now:
            continue
        for cause, amount in _split(_list_side(was), _list_side(now), known):
            found[cause] = found.get(cause, EventAmounts()).plus(EventAmounts(list=amount))
        is_effective = was.effective_amount is None and now.effective_amount is None
        for cause, amount in _split(_contracted_side(was), _contracted_side(now), known):
            effective = amount if is_effective else ZERO
            found[cause] = found.get(cause, EventAmounts()).plus(
                EventAmounts(contracted=amount, effective=effective)
            )
        if not is_effective:
            for cause, amount in _split(_effective_side(was), _effective_side(now), known):
                found[cause] = found.get(cause, EventAmounts()).plus(EventAmounts(effective=amount))
    return found


def _pairs(old: tuple[Line, ...], new: tuple[Line, ...]) -> Iterator[tuple[Line, Line]]:
    """The lines of one unit, and those without a counterpart."""
    if [line.unit for line in old] == [line.unit for line in new]:
        yield from zip(old, new, strict=True)
        return
    for unit in dict.fromkeys(line.unit for line in (*old, *new)):
        was, now = [[line for line in lines if line.unit == unit] for lines in (old, new)]
        yield from zip_longest(was, now, fillvalue=_NO_LINE)


class _Side(NamedTuple):
    """What a line says of one of its two prices."""

    entry: str
    of_contract: bool
    factors: tuple[Multiplier, ...]
    currency: str
    fx: str
    priced: Decimal
    """The amount as priced, and in book currency (nothing where there is none)."""
    booked: Decimal


def _list_side(line: Line) -> _Side:
    priced = Decimal(line.amount or 0)
    booked = Decimal(line.book_list) if line.book_list is not None else priced
    return _Side(
        line.entry,
        False,
        tuple(each for each in line.multipliers if each.kind in _ON_LIST),
        line.currency,
        line.fx,
        priced,
        ZERO if line.status == "unpriced" else booked,
    )


def _contracted_side(line: Line) -> _Side:
    if line.contracted_price is None:
        return _list_side(line)
    priced = Decimal(line.contracted_amount or 0)
    booked = Decimal(line.book_contracted) if line.book_contracted is not None else priced
    return _Side(
        line.contracted_entry,
        line.contracted_entry != line.entry,
        tuple(each for each in line.multipliers if each.kind in _ON_CONTRACTED),
        line.contracted_currency or line.currency,
        line.contracted_fx or line.fx,
        priced,
        ZERO if line.status == "unpriced" else booked,
    )


def _effective_side(line: Line) -> _Side:
    """Of a charge; of all else what is contracted is effective."""
    agreed = _contracted_side(line)
    if line.effective_amount is None:
        return agreed
    priced = Decimal(line.effective_amount)
    booked = Decimal(line.book_effective) if line.book_effective is not None else priced
    return agreed._replace(priced=priced, booked=ZERO if line.status == "unpriced" else booked)


class _Known(NamedTuple):
    """What the catalog has done since the old rating."""

    version: int
    facts: Mapping[str, EntryFacts]

    def cause(self, was: str, now: str) -> Cause:
        """Why another entry decides: one of the two is new or gone; or both stand, and words changed."""
        new, old = self.facts.get(now), self.facts.get(was)
        is_new = new is not None and new.version > self.version
        is_gone = old is not None and old.withdrawn is not None and old.withdrawn > self.version
        return "price" if is_new or is_gone else "name"


def _split(was: _Side, now: _Side, known: _Known) -> Iterator[tuple[Cause, Decimal]]:
    """Each cause, and what it adds to the amount in book currency."""
    changes = list(_changes(was, now, known)) or [_UNEXPLAINED]
    if was.booked == now.booked and len(changes) == 1:
        return
    so_far = was.booked
    for place, (cause, _) in enumerate(changes):
        reached = _undone(was, now, [undo for _, undo in changes[place + 1 :]])
        if reached != so_far:
            yield cause, EXACT.subtract(reached, so_far)
        so_far = reached


_Change = tuple[Cause, Fraction | None]
"""What changed, and the factor that would take it back; None = nothing would."""
_UNEXPLAINED: _Change = "engine", None
_FACTORS: tuple[tuple[Cause, frozenset[str]], ...] = (
    ("multiplier", _ON_LIST),
    ("contract", frozenset({"contracted"})),
)


def _changes(was: _Side, now: _Side, known: _Known) -> Iterator[_Change]:
    if was.entry != now.entry:
        of_contract = was.of_contract or now.of_contract
        yield "contract" if of_contract else known.cause(was.entry, now.entry), None
    for cause, kinds in _FACTORS:
        old, new = [
            {each.entry: each.factor for each in side.factors if each.kind in kinds and each.name != BOUND}
            for side in (was, now)
        ]
        if old != new:
            yield cause, _ratio(_product(old), _product(new))
    if was.fx != now.fx and was.currency == now.currency:
        yield "fx", _ratio(_rate(was), _rate(now))


def _undone(was: _Side, now: _Side, undo: list[Fraction | None]) -> Decimal:
    """The new amount without these changes: the old one, where they cannot be taken back."""
    if not undo:
        return now.booked
    factors = [each for each in undo if each is not None]
    if len(factors) < len(undo):
        return was.booked
    exact = Fraction(now.booked) * prod(factors, start=Fraction(1))
    return divided(Decimal(exact.numerator), Decimal(exact.denominator))


def _product(factors: Mapping[str, str]) -> Fraction:
    return prod(map(Fraction, factors.values()), start=Fraction(1))


def _rate(side: _Side) -> Fraction | None:
    return Fraction(side.booked) / Fraction(side.priced) if side.fx and side.priced else None


def _ratio(old: Fraction | None, new: Fraction | None) -> Fraction | None:
    return old / new if old is not None and new else None
