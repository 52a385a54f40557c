"""`GET /v1/outcomes`: outcome events, and what became of each; `/v1/outcomes/faults`: what was not kept."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Reader
from services.api.database.transactions import database_of
from services.api.events.within import Limit, read_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.models import Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from services.api.runs.models import ListedOutcome, OutcomeFaultList, OutcomeList, UnkeptOutcome
from spendmeter.contracts.events import LABEL_CHARACTERS_MAX, NAME_CHARACTERS_MAX, Instant
from spendmeter.contracts.gate import as_booked
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("outcomes.sql"))
router = APIRouter(tags=["runs"], route_class=Negotiated)

LabelFilter = Annotated[Text | None, Query(max_length=LABEL_CHARACTERS_MAX)]


@router.get("/v1/outcomes", responses=answers("outcomes"))
async def get_outcomes(
    request: Request,
    caller: Reader,
    span: SpanParameters,
    run: LabelFilter = None,
    workflow: LabelFilter = None,
    workflow_version: LabelFilter = None,
    name: Annotated[Text | None, Query(max_length=NAME_CHARACTERS_MAX)] = None,
    state: Literal["open", "accepted", "refused", "reversed"] | None = None,
    limit: Limit = 50,
    cursor: str = "",
) -> OutcomeList:
    """Outcome events, newest first, each with what became of it and which event says so. By default those of
    the last day. What usage events state themselves is on their receipts, and in the receipt of their run."""
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await read_within(connection, caller.tenant, span)
        at, key = decode_cursor(cursor, tuple[Instant, str]) if cursor else (beyond, "")
        try:
            after = (at, bytes.fromhex(key))
        except ValueError:
            raise invalid("cursor", "is not one that this route gave out") from None
        labels = {"run": run, "workflow": workflow, "workflow_version": workflow_version}
        booked = [None if said is None else as_booked(label, said) for label, said in labels.items()]
        asked = (*booked, name, state)
        rows = await connection.fetch(SQL["list"], first, beyond, *after, *asked, limit + 1)
    outcomes, more = page(
        ListedOutcome, list(map(_outcome, rows)), limit, lambda row: (row["time"], row["identity"].hex())
    )
    return OutcomeList(outcomes=outcomes, next_cursor=more)


@router.get("/v1/outcomes/faults", responses=answers("outcome_faults"))
async def get_outcome_faults(
    request: Request, caller: Reader, span: SpanParameters, limit: Limit = 50, cursor: str = ""
) -> OutcomeFaultList:
    """Outcome events that were accepted and are not kept, newest first: another one had the identity already
    (conflict), or they break a rule that was not the door's (rejected). By default those of the last day."""
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await read_within(connection, caller.tenant, span)
        after = decode_cursor(cursor, tuple[Instant, int]) if cursor else (beyond, 0)
        rows = await connection.fetch(SQL["faults"], first, beyond, *after, limit + 1)
    faults, more = page(UnkeptOutcome, rows, limit, lambda row: (row["recorded_at"], row["offset"]))
    return OutcomeFaultList(faults=faults, next_cursor=more)


def _outcome(row: Mapping[str, Any]) -> dict[str, Any]:
    at = row["by_at"]
    said_by = at and {"source": row["by_source"], "id": row["by_id"], "at": at}
    return {**row, "said_by": said_by}
