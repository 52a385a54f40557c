"""Terms of whole periods: how each stands, and what true-ups booked of it. The corrector works them out."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.database.transactions import database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.true_ups.models import PeriodStanding, PeriodStandings
from spendmeter.contracts.true_ups import SOURCE
from spendmeter.platform.sql import load_sql

DAYS = 400
"""So far back where no first day is asked for."""
PERIODS_MAX = 200
REVISIONS_MAX = 100
"""Of one period that are shown, the last ones; `trued_up` is of all."""
_AFTER_ALL = "~"
"""Behind every id of an entry."""

SQL = load_sql(Path(__file__).with_name("true_ups.sql"))
router = APIRouter(tags=["true-ups"], route_class=Negotiated)


@router.get("/v1/true-ups", responses=answers("true_ups"))
async def list_true_ups(
    request: Request,
    caller: Reader,
    since: Annotated[
        date | None,
        Query(alias="from", description="periods with days from this one on, of UTC; 400 days back"),
    ] = None,
    until: Annotated[date | None, Query(alias="to", description="and before this one; tomorrow")] = None,
    limit: Annotated[int, Query(ge=1, le=PERIODS_MAX)] = 50,
    cursor: str = "",
) -> PeriodStandings:
    """How steps, allowances and commitments of whole periods stand: what was booked event by event, what is
    due by the term, what true-ups have booked of the difference, and of a commitment what is used and
    unused. Days that are over are counted; a period is worked out again within seconds when something of it
    changes."""
    until = until or datetime.now(UTC).date() + timedelta(days=1)
    since = since or date.fromordinal(max(1, until.toordinal() - DAYS))
    if since >= until:
        raise invalid("from", "is not before to")
    after = decode_cursor(cursor, tuple[date, str]) if cursor else (until, _AFTER_ALL)
    asked = since, until, *after, SOURCE, limit + 1, REVISIONS_MAX
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["periods"], *asked)
    found, more = page(
        PeriodStanding, [_known(row) for row in rows], limit, lambda row: (row["period_start"], row["term"])
    )
    return PeriodStandings(periods=found, next_cursor=more)


def _known(row: Any) -> dict[str, Any]:
    """Where nothing is worked out, nothing is known: no figure is zero."""
    said = dict(row)
    said["true_ups"] = said["true_ups"][::-1]
    if said["refused"]:
        said |= dict.fromkeys(("quantity", "booked", "due", "trued_up", "used", "unused"))
    return said
