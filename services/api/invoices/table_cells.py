"""RowCells of a bill's table as values, and what is said of rows that are no usage. Pure."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from services.api.invoices.billed import BillError, checked, utc_span

RowCells = Mapping[str, str]


class Beside(NamedTuple):
    """A row that is held against nothing: what it is of, and its amount, for it is told."""

    what: str
    amount: Decimal
    currency: str


def decimal_in(cells: RowCells, name: str) -> Decimal | None:
    """None = empty. Raises BillError."""
    text = cells.get(name, "")
    if text.lower() in ("", "null"):
        return None
    try:
        return checked(Decimal(text))
    except InvalidOperation:
        raise BillError(f"has a {name} that is no number") from None


def amount_in(cells: RowCells, *names: str) -> Decimal:
    """Of the first that is not empty. Raises BillError where all are."""
    for name in names:
        if (amount := decimal_in(cells, name)) is not None:
            return amount
    raise BillError(f"has a row without {names[-1]}")


def span_in(start: str, end: str) -> tuple[date, date]:
    """The first and the last day in UTC. Raises BillError."""
    try:
        times = [datetime.fromisoformat(text.removesuffix(" UTC")) for text in (start, end)]
    except ValueError:
        raise BillError("has a charge period that is no date and time of ISO 8601") from None
    begins, ends = (each if each.tzinfo else each.replace(tzinfo=UTC) for each in times)
    return utc_span(begins, ends)
