"""A bill held against the book: a variance a day and model, with its causes. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import NamedTuple

from services.api.invoices.billed import InvoiceLine
from services.api.invoices.explaining import UNEXPLAINED, BilledDay, BookedDay, CellWorth, explained
from services.api.invoices.moves import BilledCell, UsageMove, moves_of
from services.api.invoices.sides import (
    BookedUse,
    RateOf,
    billed_day,
    booked_day,
    differences_of,
    off_by,
    told_of,
)
from spendmeter.contracts.money import EXACT, ZERO, total

_DATED = re.compile(r"[-@](\d{4}-\d{2}-\d{2}|\d{8})$")
_add, _subtract = EXACT.add, EXACT.subtract


class Variance(NamedTuple):
    """Of a model's day: causes and `unexplained` sum to billed less booked. None = not comparable."""

    day: date
    model: str
    billed: Decimal
    booked: Decimal | None
    causes: dict[str, Decimal]
    unexplained: Decimal | None
    note: str


NameOf = Callable[[str], str]
"""What a model is called on both sides."""


@dataclass
class _Model:
    """Both sides of a model, by day."""

    costs: dict[date, list[InvoiceLine]] = field(default_factory=lambda: defaultdict(list))
    usage: dict[date, list[InvoiceLine]] = field(default_factory=lambda: defaultdict(list))
    booked: dict[date, list[BookedUse]] = field(default_factory=lambda: defaultdict(list))


def held_against(
    billed: Iterable[InvoiceLine],
    booked: Iterable[BookedUse],
    *,
    currency: str,
    days: Collection[date],
    name_of: NameOf,
    rate_of: RateOf,
) -> list[Variance]:
    """Of the days that the bill speaks of: by day, then by model."""
    models, totals, at_all = _by_model(billed, booked, name_of)
    groups: dict[date, list[InvoiceLine]] = defaultdict(list)
    for model in models.values():
        for day, rows in model.costs.items():
            groups[day] += rows
    of_day = {day: total(row.amount or ZERO for row in rows) for day, rows in groups.items()}
    wholes = {day: _whole_of(rows, groups.get(day, [])) for day, rows in totals.items() if day in days}
    alone = {day for day in wholes if day not in groups}
    cut = {
        day
        for day in wholes
        if day not in alone and abs(_subtract(wholes[day], of_day[day])) > off_by(totals[day])
    }
    found = [
        each
        for name, model in models.items()
        for each in _of_model(name, model, [day for day in days if day not in alone], cut, currency, rate_of)
    ]
    for day in sorted(wholes):
        if day in alone:
            found.append(_whole(day, wholes[day], totals[day], at_all[day], currency, rate_of))
        elif left := _subtract(wholes[day], of_day[day]):
            cause = {"rounding": left} if day not in cut else {"truncated": left} if left > 0 else {}
            rest = ZERO if cause else left
            note = "" if cause else "the groups come to more than the total: one usage lies in several"
            found.append(Variance(day, "", left, ZERO, cause, rest, note))
    return sorted(found, key=lambda each: (each.day, each.model == "", each.model))


def _whole_of(totals: Iterable[InvoiceLine], groups: Iterable[InvoiceLine]) -> Decimal:
    """Of each account the total where there is one, else its groups."""
    totals = list(totals)
    stated = {row.account for row in totals}
    rest = [row for row in groups if row.account not in stated]
    return total(row.amount or ZERO for row in (*totals, *rest))


def _by_model(
    billed: Iterable[InvoiceLine], booked: Iterable[BookedUse], name_of: NameOf
) -> tuple[dict[str, _Model], dict[date, list[InvoiceLine]], dict[date, list[BookedUse]]]:
    models: dict[str, _Model] = defaultdict(_Model)
    totals: dict[date, list[InvoiceLine]] = defaultdict(list)
    at_all: dict[date, list[BookedUse]] = defaultdict(list)
    for use in booked:
        models[name_of(use.model)].booked[use.day].append(use)
        at_all[use.day].append(use)
    there = {*models}
    for row in billed:
        if row.kind == "total":
            totals[row.day].append(row)
            continue
        model = models[_as_booked(name_of(row.model), there)]
        (model.costs if row.kind == "cost" else model.usage)[row.day].append(row)
    return models, totals, at_all


def _as_booked(name: str, there: Collection[str]) -> str:
    """A model's dated name where the book has that of no date alone."""
    if name in there:
        return name
    undated = _DATED.sub("", name)
    return undated if undated in there else name


def _of_model(
    name: str,
    model: _Model,
    days: Sequence[date],
    cut: Collection[date],
    currency: str,
    rate_of: RateOf,
) -> list[Variance]:
    rows = {day: _quantities_of(model, day) for day in days}
    told = told_of(
        [row for of_day in rows.values() for row in of_day], chain.from_iterable(model.booked.values())
    )
    billed = {day: billed_day(model.costs.get(day, []), rows[day], told) for day in days}
    booked = {day: booked_day(model.booked.get(day, []), told, currency, rate_of) for day in days}
    compared = [day for day in days if not booked[day].no_rate]
    differences = {
        day: differences_of(stated, booked[day].quantities)
        for day in compared
        if (stated := billed[day].quantities) is not None and not booked[day].is_reported
    }
    moves = moves_of(differences)
    found = []
    for day in days:
        if booked[day].is_empty and day not in model.costs:
            continue
        found.append(_variance(day, name, billed, booked, moves.get(day, []), is_cut=day in cut))
    return found


def _variance(
    day: date,
    name: str,
    billed: Mapping[date, BilledDay],
    booked: Mapping[date, BookedDay],
    moves: Sequence[UsageMove],
    *,
    is_cut: bool,
) -> Variance:
    bill, book = billed[day], booked[day]
    if book.no_rate:
        note = f"booked in {book.no_rate}, of which the catalog has no rate: not compared"
        return Variance(day, name, bill.amount, None, {}, None, note)
    sides = (book.priced, *(each.priced for each in booked.values()), bill.priced)
    sides += tuple(each.priced for each in billed.values())
    causes = explained(bill, book, moves, lambda cell: _first(sides, cell))
    if is_cut and "unbilled" in causes:  # nobody knows what the groups that are not shown have of it
        causes["truncated"] = causes.pop("unbilled")
    unexplained = causes.pop(UNEXPLAINED, ZERO)
    note = ""
    if unexplained and bill.amount < 0:
        note = "less than nothing was billed: a credit or a refund, which is no usage"
    elif unexplained and book.is_converted and bill.is_by_cell:
        note = "far more or less than our rate of exchange makes it: another rate or another price"
    elif unexplained and bill.quantities is None:
        note = "the bill states amounts without quantities: import the usage report of these days too"
    elif unexplained and not bill.is_by_cell:
        note = "quantities and amounts are not told apart alike: import both reports with the same groups"
    return Variance(day, name, bill.amount, book.amount, causes, unexplained, note)


def _first(sides: Iterable[Mapping[BilledCell, CellWorth]], cell: BilledCell) -> CellWorth | None:
    return next((price for side in sides if (price := side.get(cell)) is not None and price.quantity), None)


def _quantities_of(model: _Model, day: date) -> list[InvoiceLine]:
    """Of each account: where costs state all quantities these, else those of usage; [] where one has neither,
    for then nobody knows how much all used."""
    costs, usage = model.costs.get(day, []), model.usage.get(day, [])
    if not costs:
        return usage
    found: list[InvoiceLine] = []
    for account in dict.fromkeys(row.account for row in costs):
        own = [row for row in costs if row.account == account]
        if not all(row.quantity is not None and row.unit for row in own):
            own = [row for row in usage if row.account == account]
        if not own:
            return []
        found += own
    return found


def _whole(
    day: date,
    amount: Decimal,
    rows: Iterable[InvoiceLine],
    uses: Iterable[BookedUse],
    currency: str,
    rate_of: RateOf,
) -> Variance:
    """Of a day of which there is the total alone."""
    book = booked_day(uses, (), currency, rate_of)
    if book.no_rate:
        return Variance(
            day, "", amount, None, {}, None, f"booked in {book.no_rate}, of which the catalog has no rate"
        )
    left = _subtract(amount, book.compared)
    causes = {"left_out": _subtract(ZERO, book.left_out)} if book.left_out else {}
    if left and abs(left) <= off_by(rows):
        causes["rounding"], left = left, ZERO
    note = "the bill of this day is not told apart by model: import one that is" if left else ""
    return Variance(day, "", amount, book.amount, causes, left, note)
