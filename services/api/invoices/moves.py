"""How much of what was booked was billed as something else, on another day, or not at all. Pure.

What a bill has more of in one cell of a day and less of in another of the same family was used once and
called otherwise: that is paired first. What is left is paired with the days beside it, and the rest was never
seen, or never billed.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping
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
    for day, cells in left.items():
        found[day] += _within(cells)
    for day in sorted(left):
        after = day + timedelta(days=1)
        if after in left:
            for move, back in _between(left[day], left[after]):
                found[day].append(move)
                found[after].append(back)
    for day, cells in left.items():
        for cell, quantity in sorted(cells.items()):
            if quantity > 0:
                found[day].append(UsageMove("unseen", quantity, None, cell))
            elif quantity < 0:
                found[day].append(UsageMove("unbilled", EXACT.minus(quantity), cell, None))
    return found


def _within(left: dict[BilledCell, Decimal]) -> Iterator[UsageMove]:
    """Of one day: cells that differ in one thing first, then those that differ in more. Once those are done
    that differ in less, any two that are alike in all else differ in all of `apart`: a lack and a surplus
    come off each other in turns, each pair once, so that many cells take no longer than to look at each."""
    for size in range(1, len(_BY_CAUSE) + 1):
        for apart in combinations(_BY_CAUSE, size):
            groups: dict[tuple[str, ...], list[BilledCell]] = defaultdict(list)
            for cell in sorted(cell for cell, quantity in left.items() if quantity):
                groups[_but_for(cell, apart)].append(cell)
            for cells in groups.values():
                lacks = deque(cell for cell in cells if left[cell] < 0)
                surpluses = deque(cell for cell in cells if left[cell] > 0)
                while lacks and surpluses:
                    out, into = lacks[0], surpluses[0]
                    quantity = min(EXACT.minus(left[out]), left[into])
                    yield _moved(left, left, UsageMove(apart[0], quantity, out, into))
                    for each in (lacks, surpluses):
                        if not left[each[0]]:
                            each.popleft()


def _but_for(cell: BilledCell, apart: Collection[str]) -> tuple[str, ...]:
    """What it is but for some of it."""
    family, cached = family_of(cell.unit)
    said = {"tier": cell.tier, "context": cell.context, "cache": cached, "region": cell.region}
    return (family, *("" if name in apart else value for name, value in said.items()))


def _between(
    first: dict[BilledCell, Decimal], second: dict[BilledCell, Decimal]
) -> Iterator[tuple[UsageMove, UsageMove]]:
    """Of two days, one after the other: what the bill has of a cell on one and the book on the other."""
    for cell in sorted(first.keys() & second.keys()):
        one, two = first[cell], second[cell]
        if one < 0 < two or two < 0 < one:
            quantity = min(EXACT.abs(one), EXACT.abs(two))
            came, went = UsageMove("timing", quantity, None, cell), UsageMove("timing", quantity, cell, None)
            _moved(
                second if one < 0 else first,
                first if one < 0 else second,
                UsageMove("", quantity, cell, cell),
            )
            yield (went, came) if one < 0 else (came, went)


def _moved(into: dict[BilledCell, Decimal], out: dict[BilledCell, Decimal], move: UsageMove) -> UsageMove:
    assert move.out is not None
    assert move.into is not None
    into[move.into] = EXACT.subtract(into[move.into], move.quantity)
    out[move.out] = EXACT.add(out[move.out], move.quantity)
    return move
