"""How much of what was booked was billed as something else, on another day, or not at all. Pure.

What a bill has more of in one cell of a day and less of in another of the same family was used once and
called otherwise: that is paired first. What is left is paired with the days beside it, and the rest was never
seen, or never billed. Of all this what is equal to the last token comes before what is not: a lack of
1,234,567 here and a surplus of as many there is no accident, whatever else is amiss beside it.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from services.api.invoices.vendor_words import family_of
from spendmeter.contracts.money import EXACT


class BilledCell(NamedTuple):
    """What a price is told apart by; '' = the bill does not tell."""

    unit: str
    tier: str
    context: str
    region: str


class UsageMove(NamedTuple):
    """So much of what was booked in `out` was billed in `into`; None = nowhere on that day."""

    cause: str
    quantity: Decimal
    out: BilledCell | None
    into: BilledCell | None


CellDifferences = Mapping[date, Mapping[BilledCell, Decimal]]
"""By day and cell: billed less booked."""
_BY_CAUSE = ("tier", "context", "cache", "region")


def moves_of(differences: CellDifferences) -> dict[date, list[UsageMove]]:
    """All that makes of what was booked what was billed, by day."""
    left = {day: dict(cells) for day, cells in differences.items()}
    found: dict[date, list[UsageMove]] = defaultdict(list)
    neighbours = [(day, after) for day in sorted(left) if (after := day + timedelta(days=1)) in left]
    for is_equal in (True, False):
        for day, cells in left.items():
            found[day] += _within(cells, is_equal=is_equal)
        for day, after in neighbours:
            for move, back in _between(left[day], left[after], is_equal=is_equal):
                found[day].append(move)
                found[after].append(back)
    for pair in neighbours:
        for out, into in (pair, pair[::-1]):
            for *moves, back in _in_both(left[out], left[into]):
                found[out] += moves
                found[into].append(back)
    for day, cells in left.items():
        for cell, quantity in sorted(cells.items()):
            if quantity > 0:
                found[day].append(UsageMove("unseen", quantity, None, cell))
            elif quantity < 0:
                found[day].append(UsageMove("unbilled", EXACT.minus(quantity), cell, None))
    return found


def _within(left: dict[BilledCell, Decimal], *, is_equal: bool) -> Iterator[UsageMove]:
    """Of one day: cells that differ in one thing first, then those that differ in more. Once those are done
    that differ in less, any two that are alike in all else differ in all of `apart`."""
    for size in range(1, len(_BY_CAUSE) + 1):
        for apart in combinations(_BY_CAUSE, size):
            groups: dict[tuple[str, ...], list[BilledCell]] = defaultdict(list)
            for cell in sorted(cell for cell, quantity in left.items() if quantity):
                groups[_but_for(cell, apart)].append(cell)
            for cells in groups.values():
                for out, into in _equal(left, cells) if is_equal else _in_turns(left, cells):
                    quantity = min(EXACT.minus(left[out]), left[into])
                    yield _moved(left, left, UsageMove(apart[0], quantity, out, into))


_Pairs = Iterator[tuple[BilledCell, BilledCell]]


def _equal(left: Mapping[BilledCell, Decimal], cells: Sequence[BilledCell]) -> _Pairs:
    """A lack and a surplus of as much."""
    surpluses: dict[Decimal, deque[BilledCell]] = defaultdict(deque)
    for cell in cells:
        if left[cell] > 0:
            surpluses[left[cell]].append(cell)
    for cell in cells:
        if left[cell] < 0 and (there := surpluses.get(EXACT.minus(left[cell]))):
            yield cell, there.popleft()


def _in_turns(left: Mapping[BilledCell, Decimal], cells: Sequence[BilledCell]) -> _Pairs:
    """They come off each other, each pair once, so that many cells take no longer than to look at each."""
    lacks = deque(cell for cell in cells if left[cell] < 0)
    surpluses = deque(cell for cell in cells if left[cell] > 0)
    while lacks and surpluses:
        yield lacks[0], surpluses[0]
        for each in (lacks, surpluses):
            if not left[each[0]]:
                each.popleft()


def _but_for(cell: BilledCell, apart: Collection[str]) -> tuple[str, ...]:
    """What it is but for some of it."""
    family, cached = family_of(cell.unit)
    said = {"tier": cell.tier, "context": cell.context, "cache": cached, "region": cell.region}
    return (family, *("" if name in apart else value for name, value in said.items()))


def _between(
    first: dict[BilledCell, Decimal], second: dict[BilledCell, Decimal], *, is_equal: bool
) -> Iterator[tuple[UsageMove, UsageMove]]:
    """Of two days, one after the other: what the bill has of a cell on one and the book on the other."""
    for cell in sorted(first.keys() & second.keys()):
        one, two = first[cell], second[cell]
        if (one < 0 < two or two < 0 < one) and (not is_equal or one == EXACT.minus(two)):
            quantity = min(EXACT.abs(one), EXACT.abs(two))
            came, went = UsageMove("timing", quantity, None, cell), UsageMove("timing", quantity, cell, None)
            _moved(
                second if one < 0 else first,
                first if one < 0 else second,
                UsageMove("", quantity, cell, cell),
            )
            yield (went, came) if one < 0 else (came, went)


def _in_both(
    lacking: dict[BilledCell, Decimal], having: dict[BilledCell, Decimal]
) -> Iterator[tuple[UsageMove, UsageMove, UsageMove]]:
    """Of two days side by side: what one lacks, and the other has as much of in another cell of the family:
    it was called otherwise, and then counted on the other day."""
    there: dict[tuple[str, Decimal], deque[BilledCell]] = defaultdict(deque)
    for cell, quantity in sorted(having.items()):
        if quantity > 0:
            there[family_of(cell.unit)[0], quantity].append(cell)
    for cell in sorted(cell for cell, quantity in lacking.items() if quantity < 0):
        quantity = EXACT.minus(lacking[cell])
        if alike := there.get((family_of(cell.unit)[0], quantity)):
            into = alike.popleft()
            lacking[cell] = having[into] = Decimal(0)
            both = zip(_BY_CAUSE, _but_for(cell, ())[1:], _but_for(into, ())[1:], strict=True)
            apart = next(name for name, one, other in both if one != other)
            yield (
                UsageMove(apart, quantity, cell, into),
                UsageMove("timing", quantity, into, None),
                UsageMove("timing", quantity, None, into),
            )


def _moved(into: dict[BilledCell, Decimal], out: dict[BilledCell, Decimal], move: UsageMove) -> UsageMove:
    assert move.out is not None
    assert move.into is not None
    into[move.into] = EXACT.subtract(into[move.into], move.quantity)
    out[move.out] = EXACT.add(out[move.out], move.quantity)
    return move
