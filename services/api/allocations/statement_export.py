"""`GET /v1/exports/statement`: a cost centre's month as a file, in FOCUS."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from services.api.access.auth import Reader
from services.api.allocations.allocating import SUMS
from services.api.allocations.days import Dimension, Month
from services.api.allocations.invoice import COLUMNS, StatedMonth, StatementDataset, dataset_rows
from services.api.allocations.models import Statement
from services.api.allocations.statements import read_statement
from services.api.exports.files import PARQUET_DIGITS, ExportForm, parquet_places
from services.api.exports.routes import FILE_ANSWER, MEDIA
from services.api.exports.table_file import table_file
from services.api.exports.usage_rows import instant
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.representation import refuse_unknown
from services.api.spend.moments import AsOf
from spendmeter.contracts.money import plain

PARAMETERS = ("cost_centre", "month", "dimension", "dataset", "format", "as_of")
_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS = 64

router = APIRouter(tags=["exports"])


@router.get(
    "/v1/exports/statement",
    summary="What one cost centre bears of a month, in FOCUS",
    response_class=StreamingResponse,
    responses={**answers("", missing="no such cost centre"), 200: FILE_ANSWER},
)
async def export_statement(
    request: Request,
    caller: Reader,
    cost_centre: Annotated[str, Query(description="whose", examples=["search"])],
    month: Month = None,
    dimension: Dimension = "team",
    dataset: Annotated[StatementDataset, Query(description="of FOCUS 1.4")] = "invoice_detail",
    format: Annotated[ExportForm, Query(description="of the file")] = "csv",
    as_of: AsOf = None,
) -> StreamingResponse:
    """A statement in the datasets that FOCUS 1.4 has for it. Invoice Detail: a row a line of the statement,
    and one with x_ChargeClass Correction for what corrections have made of it since it was booked; their
    BilledCost comes to the statement's totals, to the last digit, in each currency, and lines of 0 are among
    them. Billing Period: the tenant's month.

    Until the month is closed (`/v1/periods`) the invoice and its period are Open, and the file is to be asked
    for again; then they are Issued and Closed, and the file stays. What was booked of earlier months after
    their close is a row with x_ChargeClass Correction, and `x_Corrects` in its grain. 422 for a month that
    has not begun.

    With `as_of` it is of the book, and by the versions of the plan, that there were then: `X-As-Of` says the
    moment, `X-Proved-Until` up to where the book is proved, and InvoiceDetailCreated is the moment."""
    refuse_unknown(request, PARAMETERS)
    now = datetime.now(UTC)
    tenant, statement = await read_statement(request, caller, cost_centre, month, dimension, now, as_of)
    now = statement.as_of or now
    start, end = map(tenant.timeline.midnight, (statement.first_day, statement.until))
    if start > now:
        raise invalid("month", f"{statement.month} has not begun")
    stated = StatedMonth(tenant.tenant, tenant.name or tenant.tenant, start, end, now)
    rows = dataset_rows(dataset, stated, statement)
    file = table_file(format, COLUMNS[dataset], rows, _places(statement, format))
    return StreamingResponse(
        file, media_type=MEDIA[format], headers=_headers(statement, tenant.tenant, dataset, format)
    )


def _places(statement: Statement, form: ExportForm) -> int:
    """Digits after the point that Parquet's decimals get. Raises HttpRefusal (422) where that is too few."""
    if form == "csv":
        return 0
    amounts = [getattr(line, name) for line in statement.lines for name in SUMS]
    needed = max((-int(amount.normalize().as_tuple().exponent) for amount in amounts), default=0)
    places = parquet_places(max(map(abs, amounts), default=Decimal()), needed)
    if places is None:
        reason = f"an amount has more digits than Parquet's decimals of {PARQUET_DIGITS}: ask for format=csv"
        raise HttpRefusal(422, "Cannot be written", reason)
    return places


def _headers(
    statement: Statement, tenant: str, dataset: StatementDataset, form: ExportForm
) -> dict[str, str]:
    """As of an export in FOCUS."""
    centre = _IN_A_NAME.sub("_", statement.cost_centre)[:_NAME_CHARACTERS]
    words = (dataset.replace("_", "-"), tenant, statement.dimension, centre, statement.month)
    totals = [
        {
            "currency": whole.currency,
            "list": plain(whole.list),
            "contracted": plain(whole.contracted),
            "effective": plain(whole.total),
        }
        for whole in statement.totals
    ]
    through = statement.complete_through
    return {
        "Content-Disposition": f'attachment; filename="{"-".join(words)}.{form}"',
        "X-Export-Totals": json.dumps(totals),
        "X-Complete-Through": through.isoformat() if through else "",
        **(_stood(statement) if statement.as_of else {}),
    }


def _stood(statement: Statement) -> dict[str, str]:
    return {
        "X-As-Of": instant(statement.as_of) if statement.as_of else "",
        "X-Proved-Until": instant(statement.proved_until) if statement.proved_until else "",
    }
