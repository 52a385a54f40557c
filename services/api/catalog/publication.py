"""Which publication of the catalog is in force."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel

from services.api.access.auth import Anyone
from services.api.catalog.sql import SQL
from services.api.database.transactions import database_of
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated

router = APIRouter(tags=["catalog"], route_class=Negotiated)


class PublicationAnswer(BaseModel):
    """The publication in force; `version` 0 = none yet."""

    version: int
    entries: int
    published_at: AwareDatetime | None
    note: str


@router.get("/v1/catalog/publication", responses=answers("publication"))
async def get_publication(request: Request, caller: Anyone) -> PublicationAnswer:
    """Which price catalog is in force."""
    async with database_of(request).reading("", share=caller.tenant) as connection:
        row = await connection.fetchrow(SQL["publication"])
    if row is None:
        return PublicationAnswer(version=0, entries=0, published_at=None, note="")
    return PublicationAnswer(**row)
