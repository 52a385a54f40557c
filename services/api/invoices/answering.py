"""Variances as they are answered: row by row, and summed by day, by model and in all. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from services.api.http.models import Complete
from services.api.invoices.explaining import CAUSES
from services.api.invoices.held_against import Variance
from services.api.invoices.models import (
    CauseMeaning,
    DayVariance,
    InvoiceVariance,
    ModelVariance,
    VarianceRow,
    VarianceSum,
)
from spendmeter.contracts.money import EXACT, ZERO, total

_DAY = timedelta(days=1)


def answer_of(
    rows: Sequence[Variance],
    *,
    provider: str,
    account: str | None,
    currency: str | None,
    days: tuple[date, date],
    covered: Iterable[date],
    notes: list[str],
    complete: Complete,
) -> InvoiceVariance:
    """All that is said of a provider's bill of some days."""
    asked = [days[0] + _DAY * number for number in range((days[1] - days[0]).days)]
    billed = {*covered}
    compared = [row for row in rows if row.booked is not None]
    return InvoiceVariance(
        provider=provider,
        account=account,
        currency=currency,
        first_day=days[0],
        until=days[1],
        days_billed=sum(day in billed for day in asked),
        days_without_bill=[day for day in asked if day not in billed],
        not_compared=len(rows) - len(compared),
        totals=VarianceSum(**_sums(compared)),
        days=[DayVariance(day=day, **sums) for day, sums in _by(compared, lambda row: row.day)],
        models=[ModelVariance(model=model, **sums) for model, sums in _by(compared, lambda row: row.model)],
        rows=[_row(row) for row in rows],
        meanings=[
            CauseMeaning.model_validate({"cause": cause, "meaning": said}) for cause, said in CAUSES.items()
        ],
        notes=notes,
        **vars(complete),
    )


def _by(rows: Iterable[Variance], key: Callable[[Variance], Any]) -> list[tuple[Any, dict[str, Any]]]:
    found = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return [(each, _sums(found[each])) for each in sorted(found)]


def _sums(rows: Sequence[Variance]) -> dict[str, Any]:
    billed = total(row.billed for row in rows)
    booked = total(row.booked or ZERO for row in rows)
    causes = {cause: total(row.causes.get(cause, ZERO) for row in rows) for cause in CAUSES}
    return {
        "billed": billed,
        "booked": booked,
        "variance": EXACT.subtract(billed, booked),
        "causes": {cause: amount for cause, amount in causes.items() if amount},
        "unexplained": total(row.unexplained or ZERO for row in rows),
    }


def _row(row: Variance) -> VarianceRow:
    variance: Decimal | None = None if row.booked is None else EXACT.subtract(row.billed, row.booked)
    causes = {cause: row.causes[cause] for cause in CAUSES if cause in row.causes}
    return VarianceRow.model_validate(
        {
            "day": row.day, "model": row.model, "billed": row.billed, "booked": row.booked,
            "variance": variance, "causes": causes, "unexplained": row.unexplained, "note": row.note,
        }
    )  # fmt: skip
