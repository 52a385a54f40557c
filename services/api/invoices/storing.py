"""An import as rows of the database: those that are alike as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from services.api.access.auth import Caller
from services.api.corrections.asking import author_of
from services.api.database.transactions import TenantConnection
from services.api.invoices.billed import InvoiceLine, ProviderBill
from services.api.invoices.reading import SQL
from spendmeter.contracts.money import EXACT, ZERO


async def stored(
    connection: TenantConnection,
    caller: Caller,
    bill: ProviderBill,
    *,
    account: str,
    file: str,
    digest: bytes,
) -> UUID:
    """The import's id."""
    import_id = uuid4()
    rows = _summed(bill.rows)
    days = [day for day, _ in bill.days]
    await connection.execute(
        SQL["add"], caller.tenant, import_id, bill.provider, account, digest, file,
        await author_of(connection, caller), days[0], days[-1], len(rows), _amounts(rows), list(bill.notes),
    )  # fmt: skip
    await connection.execute(SQL["add_days"], caller.tenant, import_id, days, [kind for _, kind in bill.days])
    names = (
        "day", "kind", "model", "unit", "tier", "context", "region", "currency", "quantity", "amount",
        "listed", "tolerance",
    )  # fmt: skip
    columns = [[getattr(row, name) for row in rows] for name in names]
    await connection.execute(SQL["add_rows"], caller.tenant, import_id, list(range(len(rows))), *columns)
    return import_id


@dataclass
class _Sum:
    quantity: Decimal | None
    amount: Decimal | None
    listed: Decimal | None
    tolerance: Decimal


def _summed(rows: Iterable[InvoiceLine]) -> list[InvoiceLine]:
    """Those that are alike but for whose project, key or person they are of, as one."""
    sums: dict[tuple[Any, ...], _Sum] = {}
    for row in rows:
        key = (
            row.day, row.kind, row.model, row.unit, row.tier, row.context, row.region, row.currency,
            row.quantity is None, row.listed is None,
        )  # fmt: skip
        if (found := sums.get(key)) is None:
            sums[key] = _Sum(row.quantity, row.amount, row.listed, row.tolerance)
            continue
        for name in ("quantity", "amount", "listed", "tolerance"):
            if (more := getattr(row, name)) is not None:
                setattr(found, name, EXACT.add(getattr(found, name), more))
    return [
        InvoiceLine(
            day=key[0], kind=key[1], model=key[2], unit=key[3], tier=key[4], context=key[5], region=key[6],
            currency=key[7], quantity=each.quantity, amount=each.amount, listed=each.listed,
            tolerance=each.tolerance,
        )
        for key, each in sums.items()
    ]  # fmt: skip


def _amounts(rows: Sequence[InvoiceLine]) -> list[dict[str, str]]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row.amount is not None:
            sums[row.kind, row.currency] = EXACT.add(sums[row.kind, row.currency], row.amount)
    return [
        {"kind": kind, "currency": currency, "amount": f"{amount:f}"}
        for (kind, currency), amount in sorted(sums.items())
    ]
