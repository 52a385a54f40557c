"""Saved views: questions about spend that people ask again, by name."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Governing, Reader
from services.api.database.transactions import database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, not_found, too_many
from services.api.http.representation import Negotiated
from services.api.views.asked import ViewPath, checked_question
from spendmeter.platform.sql import load_sql

VIEWS_MAX = 200
MISSING = "no such view"

SQL = load_sql(Path(__file__).with_name("views.sql"))
router = APIRouter(tags=["spend"], route_class=Negotiated)


class NewSavedView(RequestBody):
    """A name, and what is asked under it."""

    name: Annotated[Text, Field(min_length=1, max_length=200)]
    path: ViewPath = "/v1/spend"
    question: Annotated[
        Text,
        Field(
            max_length=2_000,
            description="what stands after the ? of an address",
            examples=["range=month_to_date&group_by=team&compare=month"],
        ),
    ]


class SavedView(BaseModel):
    """A view: GET `href` answers it."""

    id: UUID
    name: str
    path: ViewPath
    question: str
    href: str
    by: str
    at: datetime


class SavedViews(BaseModel):
    """All of a tenant, by name."""

    views: list[SavedView]


@router.get("/v1/views", responses=answers("views"))
async def list_views(request: Request, caller: Reader) -> SavedViews:
    """The questions that were saved, by name, and by whom."""
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], None)
    return SavedViews(views=[_view(row) for row in rows])


@router.post("/v1/views", status_code=201, responses=answers("view", status=201))
async def save_view(request: Request, caller: Governing, body: NewSavedView) -> SavedView:
    """Save a question for everybody of the tenant. Parameters that its route does not know are refused."""
    question = checked_question(body.path, body.question)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        if await connection.fetchval(SQL["count"]) >= VIEWS_MAX:
            raise too_many("saved views", VIEWS_MAX)
        added = await connection.fetchval(
            SQL["add"], caller.tenant, body.name, body.path, question, caller.by
        )
        if added is None:
            raise HttpRefusal(
                409, "Name taken", "there is a view of this name: remove it first, or choose another"
            )
        return _view(await connection.fetchrow(SQL["list"], added))


@router.delete("/v1/views/{id}", status_code=204, responses=answers("", missing=MISSING))
async def remove_view(request: Request, caller: Governing, id: UUID) -> None:
    """Forget a saved question; what it asked for stays as it is."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        if await connection.fetchval(SQL["remove"], id) is None:
            raise not_found(MISSING)


def _view(row: Mapping[str, Any]) -> SavedView:
    asked = f"?{row['question']}" if row["question"] else ""
    return SavedView(**row, href=row["path"] + asked)
