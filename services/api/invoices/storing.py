"""An import as rows of the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
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
    rows = bill.rows
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


def _amounts(rows: Sequence[InvoiceLine]) -> list[dict[str, str]]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        if row.amount is not None:
            sums[row.kind, row.currency] = EXACT.add(sums[row.kind, row.currency], row.amount)
    return [
        {"kind": kind, "currency": currency, "amount": f"{amount:f}"}
        for (kind, currency), amount in sorted(sums.items())
    ]
