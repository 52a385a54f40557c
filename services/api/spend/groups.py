"""Sums by group and bucket where there are few enough to be put together here, so that Postgres is asked only
for what has changed since the last question. Where there are many, it says the largest itself (`sums.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from services.api.database.transactions import TenantConnection
from services.api.spend.closed import READ_MAX, ClosedSums, Grouping, GroupKey, GroupSum, PieceSums
from services.api.spend.pages import GroupTotal, Page
from services.api.spend.question import SpendQuestion
from services.api.spend.sums import BucketSums, in_order, nothing, spent_of, statements
from spendmeter.book.cover import Piece, cut, in_minutes
from spendmeter.book.reading import FOR_GOOD, Coverage, Generations, generations
from spendmeter.contracts.money import EXACT, ZERO, total, totals

PIECES_MAX = 1_000
MINUTES_MAX = 120
"""Kept one by one: how often each has changed is read with every question."""

RUN = 8
"""Pieces of a bucket in a row whose sum is kept too: a month of days is not added up for each look at it."""

_ADD: Mapping[type, Callable[[Iterable[Any]], Any]] = {int: sum, Decimal: total}

Parts = Sequence[tuple[int, Piece]]
"""Each with the number of its bucket."""
K = TypeVar("K", bound=Hashable)
PlacedSums = Sequence[tuple[int, PieceSums]]
"""What was spent, piece by piece, each in the bucket of that number, from 1."""


async def read_groups(
    connection: TenantConnection, question: SpendQuestion, closed: ClosedSums, most: int | None = None
) -> PlacedSums | None:
    """All that was spent; None = in too many groups. Who has no other way to read them says how many rows may
    be read, `most`: where pieces of time together have more, Postgres adds these up. `connection` sees one
    instant."""
    placed = await read_pieces(connection, question, closed, READ_MAX if most is None else most)
    if placed is None and most is not None:
        return await _in_buckets(connection, question, closed, most)
    return placed


async def read_pieces(
    connection: TenantConnection, question: SpendQuestion, closed: ClosedSums, most: int
) -> PlacedSums | None:
    """All that was spent; None = in more groups and pieces of time than `most`, and for a while nobody looks
    whether there are fewer on these days."""
    tenant, grouping = question.spent.tenant, _kind(question, most)
    whole = cut(question.spent.pieces(), question.spans)
    if len(whole) > PIECES_MAX or closed.is_wide(tenant, grouping, len(question.edges), question.now):
        return None
    parts = in_minutes(whole, MINUTES_MAX)
    placed = await _placed(connection, question, closed, parts, most)
    if placed is None and parts != whole:  # groups count once for each minute that is apart
        placed = await _placed(connection, question, closed, whole, most)
    if placed is None:
        closed.remember_wide(tenant, grouping, len(question.edges), question.now)
    return placed


def _kind(question: SpendQuestion, most: int) -> Grouping:
    """Questions that have too many groups alike: of the same days. Who is refused may ask for fewer."""
    first, last = question.edges[0], question.edges[-1]
    return *question.grouping, most, first.date(), last.date()


async def _in_buckets(
    connection: TenantConnection, question: SpendQuestion, closed: ClosedSums, most: int
) -> PlacedSums | None:
    """What came at once, weeks of it, lies in thousands of pieces until it is rolled up. Nothing is kept."""
    tenant, grouping = question.spent.tenant, (*_kind(question, most), "buckets")
    if closed.is_wide(tenant, grouping, len(question.edges), question.now):
        return None
    read = await _read(connection, question, question.spent, question.spans[:-1], most)
    if read is None:
        closed.remember_wide(tenant, grouping, len(question.edges), question.now)
        return None
    return [*enumerate(read, 1)]


async def _placed(
    connection: TenantConnection, question: SpendQuestion, closed: ClosedSums, parts: Parts, most: int
) -> PlacedSums | None:
    tenant, grouping = question.spent.tenant, question.grouping
    pieces = [piece for _, piece in parts]
    seen = FOR_GOOD if question.moment else await generations(connection, tenant, pieces)
    found: dict[Piece, PieceSums] = {}
    missing = []
    for _, piece in parts:
        kept = closed.get(tenant, grouping, piece, seen.of(piece))
        if kept is None:
            missing.append(piece)
        else:
            found[piece] = kept
    spent, starts = question.spent.only(missing), [piece.start for piece in missing]
    read = await _read(connection, question, spent, starts, most)
    if read is None:
        return None
    for piece, groups in zip(missing, read, strict=True):
        found[piece] = groups
        closed.put(tenant, grouping, piece, seen.of(piece), groups)
    placed = [(place, piece, found[piece]) for place, piece in parts]
    return _in_runs(placed, seen, closed, tenant, grouping)


def _in_runs(
    placed: Sequence[tuple[int, Piece, PieceSums]],
    seen: Generations,
    closed: ClosedSums,
    tenant: str,
    grouping: Grouping,
) -> PlacedSums:
    """Each RUN of one bucket that can be kept as one, the rest one by one."""
    shorter: list[tuple[int, PieceSums]] = []
    for place, of_bucket in groupby(placed, key=itemgetter(0)):
        each = list(of_bucket)
        for at in range(0, len(each), RUN):
            run = each[at : at + RUN]
            pieces = tuple(piece for _, piece, _ in run)
            numbers = [seen.of(piece) for piece in pieces]
            known = [number for number in numbers if number is not None]
            if len(known) < RUN:
                shorter += [(place, groups) for *_, groups in run]
                continue
            sums = closed.get(tenant, grouping, pieces, sum(known))
            if sums is None:
                sums = added_up(item for *_, groups in run for item in groups.items())
                closed.put(tenant, grouping, pieces, sum(known), sums)
            shorter.append((place, sums))
    return shorter


async def _read(
    connection: TenantConnection,
    question: SpendQuestion,
    spent: Coverage,
    starts: Sequence[datetime],
    most: int,
) -> list[PieceSums] | None:
    """What is in `spent` from each of the `starts` to the next; None = too many groups."""
    read: list[dict[GroupKey, GroupSum]] = [{} for _ in starts]
    if not starts:
        return list(read)
    await connection.execute(statements(question)["join_by_hash"])
    parameters = [*question.parameters(spent), list(starts)]
    rows = await connection.fetch(statements(question)["groups"], *parameters, most + 1)
    if len(rows) > most:
        return None
    for row in rows:
        key = row["currency"], tuple(row["key"])
        read[row["piece"] - 1][key] = spent_of(row, row["last_minute"])
    if any(row["usage"] is not None for row in rows):
        for row in await connection.fetch(statements(question)["groups_rest"], *parameters):
            if group := read[row["piece"] - 1].get((row["currency"], tuple(row["key"]))):
                group.usage[row["unit"]] = EXACT.add(group.usage.get(row["unit"], ZERO), row["quantity"])
    return list(read)


def in_all(placed: PlacedSums, *, usage: bool = True) -> dict[GroupKey, GroupSum]:
    """What each group came to, all pieces together; without `usage` its quantities are of no account."""
    return added_up(((key, each) for _, piece in placed for key, each in piece.items()), usage=usage)


def totals_of(placed: PlacedSums, question: SpendQuestion, own_currency: str) -> list[GroupTotal]:
    """As `sums.read_totals` has them."""
    rows = []
    groups = in_all(placed, usage=question.with_usage)
    for currency in {currency for currency, _ in groups}:
        named, others = _ranked(groups, currency, question)
        rows += [_total(question, key, groups[key], place=place) for place, key in enumerate(named, 1)]
        if others:
            rest = added_up((((currency, ()), groups[key]) for key in others), usage=question.with_usage)
            rows.append(_total(question, (currency, ()), rest[currency, ()], others=len(others)))
    return in_order(rows, question, own_currency)


def _ranked(
    groups: Mapping[GroupKey, GroupSum], currency: str, question: SpendQuestion
) -> tuple[list[GroupKey], list[GroupKey]]:
    """The groups of a currency that the page names, in their order, and all others."""
    keys = sorted(key for key in groups if key[0] == currency)
    keys.sort(key=lambda key: (groups[key].sums[question.measure], groups[key].sums["events"]), reverse=True)
    first, beyond = question.cursor.skip, question.cursor.skip + question.top
    return keys[first:beyond], keys[:first] + keys[beyond:]


def _total(
    question: SpendQuestion, key: GroupKey, of: GroupSum, *, place: int | None = None, others: int = 0
) -> GroupTotal:
    values = dict(zip(question.group_by, key[1], strict=place is not None))
    return GroupTotal(
        currency=key[0],
        place=place,
        others=others,
        group={name: values.get(name) for name in question.group_by},
        spent=of,
    )


def cells_of(
    placed: PlacedSums, question: SpendQuestion, totals: Iterable[GroupTotal], page: Page | None
) -> BucketSums:
    """As `sums.read_cells` has them."""
    cells: BucketSums = defaultdict(nothing)
    totals = list(totals)
    for each in totals:
        cells[each.currency, each.place, 0] = each.spent
    if page:
        places = places_of(totals, question)
        met = (
            ((key[0], places.get(key), number), each)
            for number, piece in placed
            if page.first <= number <= page.last
            for key, each in piece.items()
        )
        summed = added_up(met, usage=question.with_usage)
        cells.update(summed)
    return cells


def places_of(totals: Iterable[GroupTotal], question: SpendQuestion) -> dict[GroupKey, int]:
    """The place of each group that the page names; any other is among the others."""
    return {
        (each.currency, tuple(each.group.get(name) or "" for name in question.group_by)): each.place
        for each in totals
        if each.place is not None
    }


def sums_at(
    placed: PlacedSums, totals: Iterable[GroupTotal], question: SpendQuestion
) -> dict[tuple[str, int | None, int], GroupSum]:
    """What stands at the places of `totals`, in all (0) and by bucket."""
    places = places_of(totals, question)
    return added_up(
        ((key[0], places.get(key), at), each)
        for number, piece in placed
        for key, each in piece.items()
        for at in (0, number)
    )


def added_up(groups: Iterable[tuple[K, GroupSum]], *, usage: bool = True) -> dict[K, GroupSum]:
    """What stands under the same key is added up; what was read stays as it was."""
    met: defaultdict[K, list[GroupSum]] = defaultdict(list)
    for key, each in groups:
        met[key].append(each)
    return {key: of[0] if len(of) == 1 else _sum(of, usage) for key, of in met.items()}


def _sum(of: Sequence[GroupSum], usage: bool) -> GroupSum:
    first = of[0].sums
    sums = {name: _ADD[type(first[name])]([each.sums[name] for each in of]) for name in first}
    used = totals(quantity for each in of for quantity in each.usage.items()) if usage else {}
    return GroupSum(max([each.last_minute for each in of]), sums, used)
