"""The chain of days: roots to be kept elsewhere, and the act of saying that the book was put back."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Admin, Anyone
from services.api.chain.models import ChainedDay, ChainedDays, PutBack, PutBackReason
from services.api.database.transactions import database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, invalid
from services.api.http.representation import Negotiated
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.visibility import EVERYBODY

DAYS_MAX = 1_000
SQL = load_sql(Path(__file__).with_name("chain.sql"))
router = APIRouter(tags=["chain"], route_class=Negotiated)


@router.get("/v1/chain", responses=answers("chain"))
async def list_chain(
    request: Request,
    caller: Anyone,
    since: Annotated[
        date | None, Query(alias="from", description="the first day, of UTC; default: all")
    ] = None,
    until: Annotated[date | None, Query(alias="to", description="the day after the last one")] = None,
    limit: Annotated[int, Query(ge=1, le=DAYS_MAX)] = 400,
    cursor: str = "",
) -> ChainedDays:
    """The roots of closed days: keep them where nobody who runs this installation can write, and
    `spendmeter verify --roots` tells whether the book still says the same. An operator who names no tenant
    reads how the chain stands, and no days."""
    since, until = since or date.min, until or datetime.now(UTC).date() + timedelta(days=1)
    if since >= until:
        raise invalid("from", "is not before to")
    before = decode_cursor(cursor, date) if cursor else until
    async with database_of(request).reading(caller.tenant or EVERYBODY) as connection:
        rows = await connection.fetch(SQL["days"], since, until, before, limit + 1)
        put_backs = await connection.fetch(SQL["put_backs"])
        standing = await connection.fetchrow(SQL["standing"])
    days, more = page(ChainedDay, [dict(row) for row in rows], limit, lambda row: row["day"])
    contradictions = "; ".join(filter(None, (standing["contradicted"], standing["refused"])))
    return ChainedDays(
        closed_through=standing["closed_through"],
        agrees=not contradictions,
        contradictions=contradictions if caller.operator else "",
        put_backs=[PutBack(**row) for row in put_backs],
        days=days,
        next_cursor=more,
    )


@router.post("/v1/chain/put-backs", responses=answers("put_back", status=201), status_code=201)
async def say_put_back(request: Request, caller: Admin, body: PutBackReason) -> PutBack:
    """Say that the book was put back to an earlier state: an operator's act, after a backup was restored and
    the chain of days waits because of it. It begins an epoch. What was told of days that are lost stays on
    `ledger.roots`, and this act beside it, for ever. 409 where the book agrees with what was told."""
    if not caller.operator:
        raise forbidden(f"{caller.by} is of one tenant, and the book is everybody's: an operator says this")
    async with database_of(request).writing("", by=caller.by) as connection:
        row = await connection.fetchrow(SQL["put_back"], caller.by, body.reason)
    if row is None:
        raise HttpRefusal(
            409, "Conflict", "the book says what was told of it: nothing was put back, or it is said already"
        )
    return PutBack(**row)
