"""A bill held against the book: a variance a day and model, with its causes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache, partial
from itertools import chain
from typing import NamedTuple

from services.api.invoices.billed import InvoiceLine
from services.api.invoices.explaining import (
    UNEXPLAINED,
    BilledDay,
    BookedDay,
    CellWorth,
    PriceOf,
    explained,
)
from services.api.invoices.moves import BilledCell, UsageMove, moves_of
from services.api.invoices.names import NamesThere
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
    as_booked = cache(NamesThere(models).as_booked)
    for row in billed:
        if row.kind == "total":
            totals[row.day].append(row)
            continue
        model = models[as_booked(name_of(row.model))]
        (model.costs if row.kind == "cost" else model.usage)[row.day].append(row)
    return models, totals, at_all


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
    of_book, of_bill = (_prices(each.priced for each in side.values()) for side in (booked, billed))
    found = []
    for day in days:
        bill, book = billed[day], booked[day]
        if book.is_empty and day not in model.costs:
            continue
        prices = partial(_first, (book.priced, of_book, bill.priced, of_bill))
        found.append(_variance(day, name, bill, book, moves.get(day, []), prices, is_cut=day in cut))
    return found


def _variance(
    day: date,
    name: str,
    bill: BilledDay,
    book: BookedDay,
    moves: Sequence[UsageMove],
    price_of: PriceOf,
    *,
    is_cut: bool,
) -> Variance:
    if book.no_rate:
        note = f"booked in {book.no_rate}, of which the catalog has no rate: not compared"
        return Variance(day, name, bill.amount, None, {}, None, note)
    causes = explained(bill, book, moves, price_of)
    if is_cut and "unbilled" in causes:  # nobody knows what the groups that are not shown have of it
        causes["truncated"] = causes.pop("unbilled")
    unexplained = causes.pop(UNEXPLAINED, ZERO)
    note = ""
    if unexplained and bill.amount < 0:
        note = "less than nothing was billed: a credit or a refund, which is no usage"
    elif unexplained and bill.is_unknown:
        note = "the bill has rows of it in words that are not known here, or of several days at once"
    elif unexplained and book.is_converted and bill.is_by_cell:
        note = (
            "no rate of exchange alone, or one of two: another rate, another price, or a discount not given"
        )
    elif unexplained and bill.quantities is None:
        note = "the bill states amounts without quantities: import the usage report of these days too"
    elif unexplained and not bill.is_by_cell:
        note = "quantities and amounts are not told apart alike: import both reports with the same groups"
    return Variance(day, name, bill.amount, book.amount, causes, unexplained, note)


def _prices(sides: Iterable[Mapping[BilledCell, CellWorth]]) -> dict[BilledCell, CellWorth]:
    """Of each cell that of the first day that has one."""
    found: dict[BilledCell, CellWorth] = {}
    for side in sides:
        for cell, price in side.items():
            if price.quantity:
                found.setdefault(cell, price)
    return found


def _first(sides: Iterable[Mapping[BilledCell, CellWorth]], cell: BilledCell) -> CellWorth | None:
    return next((price for side in sides if (price := side.get(cell)) is not None and price.quantity), None)


def _quantities_of(model: _Model, day: date) -> list[InvoiceLine]:
    """Of each account: where costs state all quantities these, else those of usage; [] where one has neither,
    for then nobody knows how much all used. A line of nothing, without a quantity, says nothing."""
    costs, usage = _by_account(model.costs.get(day, [])), _by_account(model.usage.get(day, []))
    if not costs:
        return list(chain.from_iterable(usage.values()))
    found: list[InvoiceLine] = []
    for account, rows in costs.items():
        own = rows
        if not _is_counted(own):
            own = [row for row in rows if row.amount or row.quantity is not None]
            own = usage.get(account) or (own if _is_counted(own) else [])
        if not own:
            return []
        found += own
    return found


def _is_counted(costs: Iterable[InvoiceLine]) -> bool:
    return all(row.quantity is not None and row.unit for row in costs)


def _by_account(rows: Iterable[InvoiceLine]) -> dict[str, list[InvoiceLine]]:
    found: dict[str, list[InvoiceLine]] = defaultdict(list)
    for row in rows:
        found[row.account].append(row)
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
