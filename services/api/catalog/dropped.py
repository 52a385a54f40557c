"""Fields that nobody knows and that ingest did not keep: by key, for those who can mend the sender."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.api.catalog.access import AnyAccess
from services.api.catalog.sql import SQL
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated

DAYS = 90

router = APIRouter(tags=["catalog"], route_class=Negotiated)


class DroppedNameAnswer(BaseModel):
    """One field of one key's events. Its values were kept nowhere."""

    tenant: str = Field(description="empty: an operator's key")
    key_id: str
    key_name: str
    name: str = Field(description="its path in the event, as in data.labels.costcenter")
    first_at: datetime
    last_at: datetime
    requests: int = Field(description="requests in which at least one event had it")


class DroppedNames(BaseModel):
    """Of the last 90 days, the latest first; of a key at most 100 names are kept."""

    dropped: list[DroppedNameAnswer]


@router.get("/v1/catalog/inbox/dropped", responses=answers("dropped"))
async def get_dropped(access: AnyAccess, limit: Annotated[int, Query(ge=1, le=500)] = 100) -> DroppedNames:
    """What senders put into events that the contract has no field for: of the tenant; of all tenants for an
    operator who names none. The answer to their request names it too, in `Spendmeter-Dropped`."""
    since = datetime.now(UTC) - timedelta(days=DAYS)
    async with access.reading() as connection:
        rows = await connection.fetch(SQL["dropped"], since, limit)
    return DroppedNames(dropped=[DroppedNameAnswer(**row) for row in rows])
