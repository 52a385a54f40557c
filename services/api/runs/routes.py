"""`GET /v1/runs?run=`: one run as a receipt. A run's name may hold slashes, so it is in no path."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.accounting.completeness import folded
from services.api.database.transactions import database_of
from services.api.events.models import ListedEvent
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal
from services.api.http.representation import Negotiated
from services.api.runs.models import RunReceipt
from services.api.runs.receipt import receipt_of
from spendmeter.book.entry import ENTRY_PARTS
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX
from spendmeter.contracts.gate import as_booked
from spendmeter.platform.sql import load_sql

GROUPS_MAX = 100
EVENTS_MAX = 50
LISTED = timedelta(minutes=10)
"""Of a run's end: events have no index by run, and whatever its tenant did meanwhile is looked through."""

SQL = load_sql(Path(__file__).with_name("runs.sql"), ENTRY_PARTS)
router = APIRouter(tags=["runs"], route_class=Negotiated)


@router.get(
    "/v1/runs", responses=answers("run", missing="no event and no outcome of such a run is known yet")
)
async def get_run(
    request: Request,
    caller: Reader,
    run: Annotated[
        Text, Query(min_length=1, max_length=LABEL_CHARACTERS_MAX, description="as events name it")
    ],
) -> RunReceipt:
    """One run as a receipt over all cost classes: what it cost, by class, model, agent and workflow; how its
    calls went; what it achieved, accepted and reversed, and the cost of each; and what is not in it."""
    run = as_booked("run", run)
    async with database_of(request).reading(caller.tenant) as connection:
        complete, unfolded = await folded(request, connection, caller.onlooker, "runs", "run_outcomes")
        sums = await connection.fetch(SQL["sums"], run, GROUPS_MAX)
        outcomes = await connection.fetch(SQL["outcomes"], run, GROUPS_MAX)
        if not sums and not outcomes:
            raise HttpRefusal(
                404,
                "No such run",
                "no event and no outcome of this run is known; what was sent seconds ago may be on its way",
                in_flight=complete.in_flight,
            )
        fields = receipt_of(
            run,
            sums,
            outcomes,
            dangling=await connection.fetchval(SQL["dangling"], run),
            unfolded=unfolded,
            in_flight=complete.in_flight,
        )
        rows = []
        if last_at := fields["last_at"]:
            since = max(fields["first_at"], last_at - LISTED)
            rows = await connection.fetch(SQL["events"], run, since, last_at, EVENTS_MAX)
    return RunReceipt(**fields, events=[ListedEvent(**row) for row in rows], **vars(complete))
