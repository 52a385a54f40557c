"""What people do about incidents, act by act: each is kept with who, when and why, and none is taken away."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, Field

from services.api.access.auth import Caller, Reader, Responding
from services.api.database.transactions import database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from services.api.incidents.models import Acknowledgement, IncidentAnswer
from services.api.incidents.routes import MISSING, SQL, read_one

ACTS_MAX = 500
SNOOZE_MAX = timedelta(days=30)

router = APIRouter(tags=["incidents"], route_class=Negotiated)

_Note = Annotated[Text, Field(max_length=2000)]


class Snooze(RequestBody):
    """Until when, within 30 days. `note` is for those who come after."""

    until: AwareDatetime
    note: _Note = ""


class FeedbackGiven(RequestBody):
    """Whether it was expected, a false alarm, or neither after all."""

    says: Literal["expected", "false_alarm", "no_feedback"]
    note: _Note = ""


class IncidentAct(BaseModel):
    """One thing that somebody did about an incident."""

    act: Literal["acknowledge", "snooze", "unsnooze", "expected", "false_alarm", "no_feedback"]
    until: datetime | None
    note: str
    by: str
    at: datetime


class IncidentActs(BaseModel):
    """The newest first; the newest 500."""

    acts: list[IncidentAct]


@router.get("/v1/incidents/{id}/acts", responses=answers("incident_acts", missing=MISSING))
async def list_acts(request: Request, caller: Reader, id: UUID) -> IncidentActs:
    """Who did what about it, when and why."""
    async with database_of(request).reading(caller.tenant) as connection:
        if not await connection.fetchval(SQL["exists"], id):
            raise not_found(f"there is no incident {id}")
        rows = await connection.fetch(SQL["acts"], id, ACTS_MAX)
    return IncidentActs(acts=[IncidentAct(**row) for row in rows])


@router.post("/v1/incidents/{id}/acknowledge", responses=answers("incident", missing=MISSING))
async def acknowledge_incident(
    request: Request, caller: Responding, id: UUID, body: Acknowledgement
) -> IncidentAnswer:
    """Say that somebody has it in hand. A second one changes nothing, unless it repeated since."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], str(id))
        await connection.execute(SQL["acknowledge"], id, caller.by, body.note)
        return await read_one(connection, id)


@router.post("/v1/incidents/{id}/snooze", responses=answers("incident", missing=MISSING))
async def snooze_incident(request: Request, caller: Responding, id: UUID, body: Snooze) -> IncidentAnswer:
    """Have no channel told of it until then, but for its end, and for money beyond twice of what it is now.

    Who snoozes an incident has seen it: it is acknowledged by that. 409 where it is over: nothing is told of
    it any more, and should it repeat, that is news.
    """
    if not timedelta() < body.until - datetime.now(UTC) <= SNOOZE_MAX:
        raise invalid("until", f"lies ahead, within {SNOOZE_MAX.days} days")
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], str(id))
        if (await read_one(connection, id)).state == "resolved":
            raise HttpRefusal(409, "Over already", f"incident {id} is over: nothing is told of it any more")
        await connection.execute(SQL["acknowledge"], id, caller.by, body.note)
        await connection.execute(SQL["act"], id, "snooze", body.until, caller.by, body.note)
        return await read_one(connection, id)


@router.post("/v1/incidents/{id}/unsnooze", responses=answers("incident", missing=MISSING))
async def unsnooze_incident(
    request: Request, caller: Responding, id: UUID, body: Acknowledgement
) -> IncidentAnswer:
    """Have channels told of it again: what waited goes out now."""
    return await _act(request, caller, id, "unsnooze", body.note)


@router.post("/v1/incidents/{id}/feedback", responses=answers("incident", missing=MISSING))
async def judge_incident(
    request: Request, caller: Responding, id: UUID, body: FeedbackGiven
) -> IncidentAnswer:
    """Say that it was expected, or a false alarm; the last word counts.

    Once a burst that was expected is over, its scope may spend so for 30 days; no gate in money changes. A
    false alarm changes nothing by itself: it counts for how good the rule is.
    """
    return await _act(request, caller, id, body.says, body.note)


async def _act(request: Request, caller: Caller, id: UUID, act: str, note: str) -> IncidentAnswer:
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["act"], id, act, None, caller.by, note)
        return await read_one(connection, id)
