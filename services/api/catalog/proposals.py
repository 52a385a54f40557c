"""Proposals: a change of the catalog as somebody asked for it, reviewed, then approved or rejected."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from services.api.catalog.access import AdminAccess, AnyAccess
from services.api.catalog.review import Review
from services.api.catalog.sql import SQL
from services.api.database.transactions import TenantConnection
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, not_found
from services.api.http.representation import Negotiated

PROPOSALS_PATH = "/v1/catalog/proposals"
NOT_NEW = {200: "nothing was recorded: it was a dry run, or is proposed already"}
ID_MAX = 2**31 - 1

router = APIRouter(tags=["catalog"], route_class=Negotiated)
ProposalState = Literal["open", "approved", "rejected"]
NoteText = Annotated[Text, Field(max_length=1000)]


class ListedProposal(BaseModel):
    """Who proposed what, and what became of it; `id` is null where nothing was recorded (a dry run)."""

    id: int | None
    name: str
    note: str
    proposed_by: str
    proposed_at: AwareDatetime
    state: ProposalState
    decided_by: str | None = None
    decided_at: AwareDatetime | None = None
    reason: str = ""
    version: int | None = Field(None, description="the publication that brought it into force")


class Proposal(ListedProposal):
    """With its review, as of proposing, and of approval for one that was approved."""

    review: Review


class ProposalPage(BaseModel):
    """Newest first; `next_cursor` is null on the last page."""

    proposals: list[ListedProposal]
    next_cursor: int | None


class Rejection(RequestBody):
    """Why not."""

    reason: Annotated[NoteText, Field(min_length=1)]


@router.get(PROPOSALS_PATH, responses=answers("proposals"))
async def list_proposals(
    access: AnyAccess,
    state: ProposalState | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[int, Query(ge=1, description="`next_cursor` of the page before")] = ID_MAX,
) -> ProposalPage:
    """What was proposed, newest first: of the caller's tenant; of everybody's catalog for an operator who
    names no tenant."""
    async with access.reading() as connection:
        rows = await connection.fetch(SQL["proposals"], state or "", cursor, limit + 1)
    listed = [ListedProposal(**row) for row in rows[:limit]]
    return ProposalPage(proposals=listed, next_cursor=listed[-1].id if len(rows) > limit else None)


@router.get(f"{PROPOSALS_PATH}/{{id}}", responses=answers("proposal", missing="no such proposal"))
async def get_proposal(access: AnyAccess, id: int) -> Proposal:
    """One proposal, with its review."""
    async with access.reading() as connection:
        return Proposal(**await read_proposal(connection, id))


@router.post(f"{PROPOSALS_PATH}/{{id}}/reject", responses=answers("proposal", missing="no such proposal"))
async def reject(access: AdminAccess, id: int, rejection: Rejection) -> Proposal:
    """Turn a proposal down; it stays in the list with the reason."""
    async with access.writing() as connection:
        check_is_open(await read_proposal(connection, id))
        return await decide(connection, id, "rejected", access.key, rejection.reason, None, None)


async def read_proposal(connection: TenantConnection, id: int) -> Any:
    """Its row. Raises HttpRefusal (404)."""
    row = await connection.fetchrow(SQL["proposal"], id) if 0 < id <= ID_MAX else None
    if row is None:
        raise not_found(f"there is no proposal {id}")
    return row


async def decide(connection: TenantConnection, id: int, *decision: Any) -> Proposal:
    """Record what was decided: state, by whom, reason, version, review (None = as it was). Raises HttpRefusal
    (409) where somebody else has decided meanwhile."""
    if await connection.fetchval(SQL["decide"], id, *decision) is None:
        check_is_open(await read_proposal(connection, id))
    return Proposal(**await read_proposal(connection, id))


def check_is_open(row: Any) -> None:
    """Raises HttpRefusal (409) for a proposal that is decided."""
    if row["state"] != "open":
        raise HttpRefusal(409, "Decided", f"proposal {row['id']} is {row['state']}, by {row['decided_by']}")
