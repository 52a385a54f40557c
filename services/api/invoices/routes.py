"""`POST /v1/invoices`: what a provider charged; `GET /v1/invoices/variance`: why the book differs."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import Importing, Reader
from services.api.accounting.completeness import folded, not_added_up
from services.api.database.transactions import database_of
from services.api.events.within import Limit
from services.api.http.cursors import decode_cursor, page
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import FirstDay, UntilDay, day_range
from services.api.invoices.answering import answer_of
from services.api.invoices.arriving import BillTurns, kept, read_arrived
from services.api.invoices.billed import BillError
from services.api.invoices.held_against import held_against
from services.api.invoices.models import InvoiceImport, InvoiceImportPage, InvoiceVariance
from services.api.invoices.reading import (
    SQL,
    booked_uses,
    names_of,
    rates_of,
    read_bill_and_book,
)
from services.api.invoices.storing import stored
from spendmeter.contracts.events import Instant

PATH = "/v1/invoices"
BILL_BYTES_MAX = 128 * 1024 * 1024
DAYS, DAYS_MAX = 30, 100
TABLE_MEDIA = ("text/csv", "application/vnd.apache.parquet", "application/gzip", "application/zip")
_BODY = {
    "requestBody": {
        "required": True,
        "description": "answers of the provider, page by page; or FOCUS, or AWS' cost and usage report (2.0 "
        "or before), as CSV or Parquet, either also in gzip, or several parts of it in a zip",
        "content": {"application/json": {"schema": {"type": "object"}}}
        | {name: {"schema": {"type": "string", "format": "binary"}} for name in TABLE_MEDIA},
    }
}
router = APIRouter(tags=["invoices"], route_class=Negotiated)
BilledProvider = Annotated[
    Literal[
        "openai", "anthropic", "bedrock", "azure-openai", "vertex", "mistral", "cohere", "xai", "deepseek",
        "openrouter",
    ],
    Query(description="whose usage the bill is of; of the first two also as pages of their own API"),
]  # fmt: skip


@router.post(PATH, status_code=201, responses=answers("invoice", status=201), openapi_extra=_BODY)
async def import_invoice(
    request: Request,
    response: Response,
    caller: Importing,
    provider: BilledProvider,
    account: Annotated[
        Text, Query(max_length=128, description="which of several organisations with it; bills of all add up")
    ] = "",
    file: Annotated[Text, Query(max_length=200, description="what people call the file")] = "",
) -> InvoiceImport:
    """Import a provider's pages of costs or of usage, to be held against the book: nothing of them is booked.
    Of each day the newest import counts; the same content again changes nothing (200)."""
    turns: BillTurns = request.app.state.bill_turns
    # memory has a piece of the body at a time
    with turns.turn(caller.tenant), tempfile.TemporaryFile() as stored_body:
        try:
            digest = await kept(request.stream(), stored_body)
            if not digest:
                raise invalid("body", "is empty: send the provider's answer itself")
            async with turns.reader:
                bill = await read_arrived(provider, stored_body)
        except BillError as error:
            raise invalid("body", str(error)) from None
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        there = await connection.fetchval(SQL["same"], provider, account, digest)
        if there is None:
            there = await stored(connection, caller, bill, account=account, file=file, digest=digest)
        else:
            response.status_code = 200
        row = await connection.fetchrow(SQL["import"], there)
    return InvoiceImport.model_validate(dict(row))


@router.get(PATH, responses=answers("invoices"))
async def list_invoices(
    request: Request, caller: Reader, limit: Limit = 50, cursor: str = ""
) -> InvoiceImportPage:
    """Imports of bills that are held against the book, newest first."""
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    after = decode_cursor(cursor, tuple[Instant, UUID]) if cursor else (tomorrow, UUID(int=0))
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["imports"], *after, limit + 1)
    listed, more = page(InvoiceImport, rows, limit, lambda row: (row["imported_at"], row["import_id"]))
    return InvoiceImportPage(imports=listed, next_cursor=more)


@router.get(f"{PATH}/variance", responses=answers("invoice_variance"))
async def get_invoice_variance(
    request: Request,
    caller: Reader,
    provider: BilledProvider,
    start: FirstDay = None,
    end: UntilDay = None,
    account: Annotated[
        Text | None, Query(max_length=128, description="of this one alone; the book is of all")
    ] = None,
) -> InvoiceVariance:
    """A provider's bill against what was booked as contracted, as priced: by day and model, with causes that
    sum to the difference to the last digit. What no cause is known of is `unexplained`, and in no other."""
    days = day_range(start, end, datetime.now(UTC).date(), days=DAYS, days_max=DAYS_MAX)
    book = (await request.app.state.price_books.newest()).book
    async with database_of(request).reading(caller.tenant, spend=True) as connection:
        complete, unfolded = await folded(request, connection, caller.onlooker, "cells")
        read = await read_bill_and_book(
            connection, book, caller.tenant, provider=provider, account=account, days=days
        )
    if read.is_cut:
        raise invalid("from", "so many models and ways of serving are in no one answer: ask for fewer days")
    currencies = {row.currency for row in read.billed if row.currency}
    if len(currencies) > 1:
        raise invalid("account", f"bills are in {', '.join(sorted(currencies))}: ask for the account of one")
    covered = sorted(day for day, kinds in read.days.items() if kinds & {"cost", "total"})
    if covered and not currencies:  # billed at nothing, in whatever currency
        currencies = {row["contracted_in"] for row in read.booked if row["contracted_in"]}
    currency = min(currencies, default=None)

    def work() -> InvoiceVariance:
        rows = held_against(
            read.billed,
            booked_uses(read.booked, book, caller.tenant, provider),
            currency=currency or "",
            days=covered,
            name_of=names_of(book, caller.tenant, provider),
            rate_of=rates_of(book, currency or ""),
        )
        return answer_of(
            [row for row in rows if days[0] <= row.day < days[1]],
            provider=provider,
            account=account,
            currency=currency,
            days=days,
            covered=covered,
            notes=[*not_added_up(caller.onlooker, unfolded), *read.notes],
            complete=complete,
        )

    return await asyncio.to_thread(work)
