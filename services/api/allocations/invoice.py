"""A statement in the datasets that FOCUS 1.4 has for it: Invoice Detail and Billing Period. Pure.

A statement is issued by the close of its month: until then it and its period are Open, however long the
month is over, and neither is final. From then on the file is the same whenever it is asked for.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from services.api.allocations.models import Statement, StatementLine
from services.api.exports.table_file import TableColumn, TableRow
from services.api.exports.usage_rows import as_json, instant
from services.api.exports.vocabulary import service_name
from spendmeter.contracts.money import EXACT, plain

StatementDataset = Literal["invoice_detail", "billing_period"]
OPEN, CLOSED, ISSUED = "Open", "Closed", "Issued"
CORRECTION = "Correction"
INTERNAL = "None: a statement within the organisation"
_DATA = tomllib.loads(Path(__file__).with_name("invoice_columns.toml").read_text("utf-8"))
COLUMNS: Mapping[StatementDataset, Sequence[TableColumn]] = {
    dataset: [TableColumn(name, kind) for name, kind in _DATA[dataset].items()]
    for dataset in get_args(StatementDataset)
}


class StatedMonth(NamedTuple):
    """Who states it, and the month of theirs; `read_at`: when the book was read for it."""

    tenant: str
    issuer: str
    start: datetime
    end: datetime
    read_at: datetime


def dataset_rows(dataset: StatementDataset, month: StatedMonth, statement: Statement) -> Iterator[TableRow]:
    """The rows of either dataset. BilledCost of Invoice Detail comes to the statement's totals, to the last
    digit, in each currency."""
    if dataset == "billing_period":
        yield _period(month, statement)
        return
    invoice = _invoice(month, statement)
    for line in statement.lines:
        grain = _grain(statement, line)
        if line.corrects:
            changed = grain | {"x_ChargeClass": CORRECTION, "x_Corrects": line.corrects}
            yield invoice | _detail(invoice["InvoiceId"], line, changed, line.effective) | _beside(line)
            continue
        booked = EXACT.subtract(line.effective, line.corrected)
        yield invoice | _detail(invoice["InvoiceId"], line, grain, booked) | _beside(line)
        if line.corrected:
            changed = grain | {"x_ChargeClass": CORRECTION}
            yield invoice | _detail(invoice["InvoiceId"], line, changed, line.corrected)


def _period(month: StatedMonth, statement: Statement) -> TableRow:
    """It is there as soon as it begins, and nothing of it changes but that it is closed."""
    closed = statement.closed_at
    return {
        "InvoiceIssuerName": month.issuer,
        "BillingPeriodStart": instant(month.start),
        "BillingPeriodEnd": instant(month.end),
        "BillingPeriodStatus": OPEN if closed is None else CLOSED,
        "BillingPeriodCreated": instant(month.start),
        "BillingPeriodLastUpdated": instant(closed or month.start),
    }


def _invoice(month: StatedMonth, statement: Statement) -> dict[str, str]:
    """What its rows have alike. An open one is made anew whenever it is asked for."""
    closed = statement.closed_at
    made = instant(closed or month.read_at)
    invoice_id = f"{month.tenant}/{statement.dimension}/{statement.month}/{statement.cost_centre}"
    return {
        "InvoiceId": invoice_id,
        "InvoiceDetailCreated": made,
        "InvoiceDetailLastUpdated": made,
        "InvoiceIssuerName": month.issuer,
        "InvoiceIssueStatus": OPEN if closed is None else ISSUED,
        **({} if closed is None else {"InvoiceIssueDate": instant(closed)}),
        "ReferenceInvoiceId": invoice_id,
        "PaymentTerms": INTERNAL,
        "BillingAccountId": f"{statement.dimension}:{statement.cost_centre}",
        "BillingPeriodStart": instant(month.start),
        "BillingPeriodEnd": instant(month.end),
        "ChargeCategory": "Usage",
    }


def _detail(
    invoice_id: str, line: StatementLine, grain: Mapping[str, str], billed: Decimal
) -> dict[str, str]:
    """`grain` tells it apart from every other of the invoice and the currency, so the id is of that."""
    text = as_json(grain)
    of_what = "\0".join((invoice_id, line.currency, text))
    charge_class = grain.get("x_ChargeClass", "")
    return {
        "InvoiceDetailId": blake2b(of_what.encode(), digest_size=16).hexdigest(),
        "InvoiceDetailDescription": _words(line, charge_class),
        "InvoiceDetailGrain": text,
        "BillingCurrency": line.currency,
        "BilledCost": plain(billed),
        "x_ChargeClass": charge_class,
        "x_CostClass": line.cost_class,
        "x_Sku": f"{line.provider}/{line.sku}",
        "x_ShareWeight": _figure(line.weight),
        "x_ShareOf": _figure(line.of),
    }


def _beside(line: StatementLine) -> dict[str, str]:
    """What the statement says of the whole line, with what corrections made of it."""
    return {
        "x_ListCost": plain(line.list),
        "x_ContractedCost": plain(line.contracted),
        "x_ProvisionalCost": plain(line.of_which_provisional),
        "x_Events": "" if line.events is None else str(line.events),
        "x_UnpricedEvents": str(line.unpriced_events),
    }


def _grain(statement: Statement, line: StatementLine) -> dict[str, str]:
    """By what the statement tells lines apart. Of a team's own spend the sub-account is that of an
    export; what pools hand on is nobody's there."""
    is_own = line.kind == "direct"
    found = {
        "ServiceName": service_name(line.cost_class, line.provider),
        "SubAccountId": f"team:{statement.cost_centre}" if is_own and statement.dimension == "team" else "",
        "x_CostClass": line.cost_class,
        "x_Sku": f"{line.provider}/{line.sku}",
        "x_Kind": line.kind,
        "x_Pool": line.pool,
        "x_PoolSource": line.source,
        "x_PlanRevision": "" if line.revision is None else str(line.revision),
        "x_FirstDay": str(line.first_day),
        "x_Until": str(line.until),
    }
    return {name: said for name, said in found.items() if said}


def _words(line: StatementLine, charge_class: str) -> str:
    """In one line, which begins with a word of ours."""
    of = f"{line.provider}/{line.sku} ({line.cost_class})"
    said = f"Spent itself: {of}"
    if line.corrects:
        of_pool = f" by {line.pool}" if line.pool else ""
        return f"Booked of {line.corrects} after its close{of_pool}: {of}"
    if line.kind == "shared":
        how = f"{_figure(line.weight)} of {_figure(line.of)}" + (f" by {line.driver}" if line.driver else "")
        whose = f", cost of {line.source}" if line.source != line.pool else ""
        said = f"Part of {line.pool}{whose}, {how}: {of}"
    if charge_class:
        return f"Corrected since it was booked: {said}"
    if line.unpriced_events:
        said += f"; {line.unpriced_events} events of it have no price yet: it is more"
    return said


def _figure(amount: Decimal | None) -> str:
    return "" if amount is None else plain(amount)
