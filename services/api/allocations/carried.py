"""What was booked in another accounting period than that of its day: out of the one, and said in the other.

A month's own lines are its days without what was carried out of them. What was carried into it corrects
earlier months: it is what each of these comes to with it, by its own plan and drivers, less what it came to
before. So statements of all months add up to the days' money, for each cost centre and by the plan, and one
of a closed month is never told anew.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from services.api.allocations.allocating import SUMS, BookedSum, CostLine, DriverQuantity
from services.api.allocations.models import StatementLine
from services.api.allocations.reading import (
    ROWS_MAX,
    SQL,
    SQL_THEN,
    BookedStretch,
    DaysAsked,
    HandedOn,
    asked_of,
    hand_on,
    read_stretches,
)
from services.api.allocations.statement import lines_of
from services.api.allocations.versions import PlanAct
from services.api.database.remembered import BookedDays
from services.api.database.tenant import Tenant
from services.api.database.transactions import TenantConnection
from services.api.http.problems import invalid
from spendmeter.book.as_of import Moment
from spendmeter.contracts.money import EXACT
from spendmeter.contracts.periods import add_months


class CarriedRow(NamedTuple):
    """A row of the stretch at `place`, and the accounting period in which it is booked."""

    place: int
    period: date
    row: BookedSum | DriverQuantity


@dataclass(frozen=True, kw_only=True)
class PeriodReader:
    """Reads one cost centre's accounting periods; now, or as they stood at a moment."""

    connection: TenantConnection
    tenant: Tenant
    dimension: str
    versions: Sequence[PlanAct]
    kept: BookedDays
    centre: str
    moment: Moment | None

    async def own(self, month: date) -> list[HandedOn]:
        """What was booked in a month of its own days, and what became of it."""
        asked, read = self._asked(month), await self._read(month)
        carried = await self._carried(asked, date.min)
        return await hand_on(without(read, carried, lambda _: False), self.centre)

    async def corrections(self, month: date) -> list[StatementLine]:
        """What was booked in a month of earlier ones, line by line, in their order."""
        statements = SQL_THEN if self.moment else SQL
        rows = await self.connection.fetch(statements["carried_days"], self.tenant.tenant, month)
        months = sorted({self.tenant.timeline.month(row["bucket"]) for row in rows})
        return [line for each in months for line in await self._corrections_of(each, month)]

    async def _corrections_of(self, earlier: date, month: date) -> list[StatementLine]:
        asked = self._asked(earlier)
        if any(stretch.pools for stretch in asked.stretches):
            read, since = await self._read(earlier), date.min
        else:  # nothing is shared out: what was carried is all that there is to say
            read, since = [BookedStretch(stretch=stretch) for stretch in asked.stretches], month
        carried = await self._carried(asked, since)
        if since == month:
            told = [added(read, [each for each in carried if each.period == month]), read]
        else:
            told = [
                without(read, carried, lambda period: period <= month),
                without(read, carried, lambda period: period < month),
            ]
        days = earlier, add_months(earlier, 1)
        after, before = [lines_of(await hand_on(each, self.centre), self.centre, days) for each in told]
        return differences(after, before, f"{earlier:%Y-%m}")

    def _asked(self, month: date) -> DaysAsked:
        days = month, add_months(month, 1)
        return asked_of(self.tenant, self.dimension, days, self.versions, self.centre, self.moment)

    async def _read(self, month: date) -> list[BookedStretch]:
        days = month, add_months(month, 1)
        return await read_stretches(
            self.connection,
            self.tenant,
            self.dimension,
            days,
            self.versions,
            self.kept,
            self.centre,
            self.moment,
        )

    async def _carried(self, asked: DaysAsked, since: date) -> list[CarriedRow]:
        statements, question, edges = SQL_THEN if self.moment else SQL, asked.question, asked.edges
        scopes = question.scopes
        within: Sequence[Any] = (
            self.tenant.tenant, edges[0], edges[-1], since, edges[:-1], self.dimension,
            [dict(scope) for scope in scopes],
        )  # fmt: skip
        rows = await self.connection.fetch(
            statements["carried"], *within, self.centre, question.told, ROWS_MAX + 1
        )
        if len(rows) > ROWS_MAX:
            raise invalid("month", f"more than {ROWS_MAX:,} sums were carried out of it")
        found = []
        for row in rows:
            line = CostLine(row["currency"], row["cost_class"], row["provider"], row["sku"])
            let = frozenset(scopes[place - 1] for place in row["within"])
            amounts = tuple(row[name] for name in SUMS)
            each = BookedSum(row["value"], line, let, row["events"], row["unpriced_events"], amounts)
            found.append(CarriedRow(asked.weeks[row["week"] - 1][1], row["accounting_period"], each))
        if rows and question.units:
            asks = await self.connection.fetch(
                statements["carried_quantities"], *within, list(question.units)
            )
            for row in asks:
                let = frozenset(scopes[place - 1] for place in row["within"])
                used = DriverQuantity(row["value"], let, row["unit"], row["quantity"])
                found.append(CarriedRow(asked.weeks[row["week"] - 1][1], row["accounting_period"], used))
        return found


def without(
    read: Sequence[BookedStretch], carried: Iterable[CarriedRow], stays: Callable[[date], bool]
) -> list[BookedStretch]:
    """The stretches without what was carried out of them, but for periods that stay."""
    gone = [each._replace(row=_negated(each.row)) for each in carried if not stays(each.period)]
    return added(read, gone)


def added(read: Sequence[BookedStretch], rows: Iterable[CarriedRow]) -> list[BookedStretch]:
    """The stretches with these rows, which count as others do."""
    by_place: dict[int, list[BookedSum | DriverQuantity]] = defaultdict(list)
    for each in rows:
        by_place[each.place].append(each.row)
    return [
        BookedStretch(
            stretch=stretch.stretch,
            booked=[*stretch.booked, *(row for row in by_place[place] if isinstance(row, BookedSum))],
            quantities=[
                *stretch.quantities,
                *(row for row in by_place[place] if isinstance(row, DriverQuantity)),
            ],
        )
        for place, stretch in enumerate(read)
    ]


def _negated(row: BookedSum | DriverQuantity) -> BookedSum | DriverQuantity:
    if isinstance(row, DriverQuantity):
        return row._replace(quantity=EXACT.minus(row.quantity))
    amounts = tuple(map(EXACT.minus, row.amounts))
    return row._replace(events=-row.events, unpriced_events=-row.unpriced_events, amounts=amounts)


_TOLD_BY = "kind currency cost_class provider sku pool source rule driver revision first_day until".split()


def differences(
    after: Sequence[StatementLine], before: Sequence[StatementLine], month: str
) -> list[StatementLine]:
    """Line by line what `after` has more than `before`, as corrections of a month; of shares no weights, for
    these may differ."""
    lines, was = _by_place(after), _by_place(before)
    found = []
    for key in dict.fromkeys([*lines, *was]):
        one, other = lines.get(key), was.get(key)
        said: dict[str, Any] = {
            name: EXACT.subtract(_amount(one, name), _amount(other, name)) for name in SUMS
        }
        events = (
            None
            if key[0] == "shared"
            else (one.events or 0 if one else 0) - (other.events or 0 if other else 0)
        )
        unpriced = (one.unpriced_events if one else 0) - (other.unpriced_events if other else 0)
        if any(said.values()) or events or unpriced:
            named = dict(zip(_TOLD_BY, key, strict=True))
            found.append(
                StatementLine(**named, **said, corrects=month, events=events, unpriced_events=unpriced)
            )
    return found


def _by_place(lines: Iterable[StatementLine]) -> Mapping[tuple[Any, ...], StatementLine]:
    return {tuple(getattr(line, name) for name in _TOLD_BY): line for line in lines}


def _amount(line: StatementLine | None, name: str) -> Decimal:
    return getattr(line, name) if line is not None else Decimal()
