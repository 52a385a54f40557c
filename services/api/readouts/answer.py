"""Rows of a readout's answer out of sums by group and bucket, and the same as CSV. Pure."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from services.api.http.problems import invalid
from services.api.http.unrun import unrun
from services.api.readouts.readout import CURRENCY, SUBJECT, Readout
from services.api.spend.closed import GroupSum
from services.api.spend.pages import GroupTotal
from spendmeter.contracts.money import EXACT, plain


class WindowSum(NamedTuple):
    """What a group came to in a window, [start, end)."""

    start: datetime
    end: datetime
    total: GroupTotal
    spent: GroupSum


class SumRow(NamedTuple):
    """`groups`: the value of each name that was asked for, in their order."""

    start: datetime
    end: datetime
    groups: Sequence[str]
    value: Decimal


def rows_of(readout: Readout, cells: Iterable[WindowSum], group_by: Sequence[str]) -> list[SumRow]:
    """By window, then as the cells are in order; a group of which nothing can be said has no row. Quantities
    are the same thing in every currency. Raises HttpRefusal (422) where amounts of two would be added."""
    rows: dict[tuple[datetime, datetime, tuple[str, ...]], Decimal] = {}
    met: set[str] = set()
    for cell in cells:
        value = readout.value(cell.spent)
        if value is None:
            continue
        met.add(cell.total.currency)
        groups = tuple(_group(readout, cell.total, name) for name in group_by)
        key = cell.start, cell.end, groups
        rows[key] = EXACT.add(rows[key], value) if key in rows else value
    if readout.is_cost and len(met) > 1 and CURRENCY not in group_by:
        said = ", ".join(sorted(met))
        raise invalid(
            "groupBy",
            f"was spent in {said}, which are never added: ask for groupBy=currency, or one of them by "
            "filterGroupBy[currency]",
        )
    return [SumRow(*key, value) for key, value in rows.items()]


def values_of(readout: Readout, cells: Iterable[WindowSum], name: str) -> list[str]:
    """Of a name that can be grouped by the values that have a row, in order."""
    found = {_group(readout, cell.total, name) for cell in cells if readout.value(cell.spent) is not None}
    return sorted(found - {""})


def _group(readout: Readout, total: GroupTotal, name: str) -> str:
    dimension = readout.group_by[name]
    if readout.is_cost and dimension == CURRENCY:
        return total.currency
    return total.group[dimension] or ""


def as_json(row: SumRow, group_by: Sequence[str]) -> dict[str, Any]:
    """As OpenMeter has it. The value is a number in all its digits: whoever reads it as a double bends it
    there, not here."""
    groups = dict(zip(group_by, row.groups, strict=True))
    subject = groups.pop(SUBJECT, None)
    return {
        "value": msgspec.Raw(plain(row.value).encode()),
        "windowStart": row.start,
        "windowEnd": row.end,
        "subject": subject,
        "groupBy": groups,
    }


class _Kept(msgspec.Struct):
    """A row of `as_json`, as it is read again."""

    value: Decimal
    window_start: str = msgspec.field(name="windowStart")
    window_end: str = msgspec.field(name="windowEnd")
    subject: str | None
    group_by: dict[str, str] = msgspec.field(name="groupBy")


class KeptAnswer(msgspec.Struct):
    """What CSV is made of."""

    data: list[_Kept]
    complete_through: str | None


def as_csv(answer: KeptAnswer, group_by: Sequence[str]) -> str:
    """RFC 4180, with the columns that OpenMeter has; a text that a spreadsheet would run begins with an
    apostrophe."""
    names = [name for name in group_by if name != SUBJECT]
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow(["window_start", "window_end", "subject", *names, "value"])
    for row in answer.data:
        groups = [unrun(row.group_by[name]) for name in names]
        subject = unrun(row.subject or "")
        writer.writerow([row.window_start, row.window_end, subject, *groups, plain(row.value)])
    return written.getvalue()
