"""Pulling other people's price lists: begin one, see what became of it, take back what it approved."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, Field

from services.api.catalog.access import AdminAccess, AnyAccess, CatalogAccess
from services.api.catalog.approve import Approval, approve
from services.api.catalog.proposals import ID_MAX, NoteText, read_proposal
from services.api.catalog.propose import ProposedFile, store_proposal
from services.api.catalog.pull import begin, run
from services.api.catalog.pull_files import PulledFile, PullFiles
from services.api.catalog.rerate_offer import starts
from services.api.catalog.sql import SQL
from services.api.corrections.asking import corrector_of
from services.api.database.transactions import TenantConnection
from services.api.http.models import RequestBody
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, not_found
from services.api.http.representation import Negotiated
from spendmeter.contracts.catalog import CatalogEntry, Withdrawal
from spendmeter.pricing.visibility import EVERYBODY

PULLS_PATH = "/v1/catalog/pulls"

router = APIRouter(tags=["catalog"], route_class=Negotiated)
_decode_entries = msgspec.json.Decoder(list[CatalogEntry]).decode

PullState = Literal["running", "unchanged", "nothing", "proposed", "refused", "away", "failed"]


class Pull(BaseModel):
    """What was pulled, by whom, and what became of it.

    `unchanged`: no file is another than the last time. `nothing`: all that they say is in force.
    `proposed`: see `report.proposals`, and `report.approved` for those that the policy approved.
    `refused`, `away`: nothing else is new, and a file cannot be read, or had.
    """

    id: int
    started_by: str
    trigger: Literal["command", "schedule"]
    started_at: AwareDatetime
    ended_at: datetime | None
    state: PullState
    says: str
    files: list[PulledFile]
    report: dict[str, Any] = Field(
        description="`models`: the verdict on each that the catalog has not, with what keeps it from being "
        "approved (`why_not`); `proposals`, `approved`, `versions`, `rerates` (of what had waited for what "
        "was approved: offered, or begun), `notes`"
    )
    withdrawn_by: str | None = None
    withdrawn_version: int | None = None


class PullPage(BaseModel):
    """Newest first."""

    pulls: list[Pull]


class PullWithdrawal(RequestBody):
    """Why what a pull approved is taken back."""

    reason: Annotated[NoteText, Field(min_length=1)]


@router.post(PULLS_PATH, status_code=201, responses=answers("pull", status=201))
async def pull_now(request: Request, access: AdminAccess) -> Pull:
    """Pull the public price lists now, and answer when that is done."""
    _check_everybodys(access)
    try:
        files = PullFiles(request.app.state.settings)
    except ValueError as error:
        raise HttpRefusal(503, "Not available", str(error)) from None
    begun = await begin(access, "command")
    if begun is None:
        raise HttpRefusal(409, "Busy", "another pull is running: its outcome will be in the list")
    await run(access, files, begun, starts(request.app.state.settings, corrector_of(request)))
    async with access.reading() as connection:
        return await _read_pull(connection, begun)


@router.get(PULLS_PATH, responses=answers("pulls"))
async def list_pulls(access: AnyAccess, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> PullPage:
    """What was pulled, newest first."""
    _check_everybodys(access)
    async with access.reading() as connection:
        rows = await connection.fetch(SQL["pulls"], ID_MAX, limit)
    return PullPage(pulls=[Pull(**row) for row in rows])


@router.post(f"{PULLS_PATH}/{{id}}/withdraw", responses=answers("pull", missing="no such pull"))
async def withdraw_pull(access: AdminAccess, id: int, withdrawal: PullWithdrawal) -> Pull:
    """Take back all that the policy approved of a pull, in one publication; what is booked stays as it is."""
    _check_everybodys(access)
    async with access.reading() as connection:
        pull = await _read_pull(connection, id)
        proposals = [await read_proposal(connection, each) for each in pull.report.get("approved", [])]
    snapshot = await access.books.newest()
    stated = [entry for row in proposals for entry in _decode_entries(row["entries"])]
    standing = [
        entry.id
        for entry in stated
        if not isinstance(entry, Withdrawal) and snapshot.withdrawn_by.get(entry.id) == []
    ]
    if not standing:
        raise HttpRefusal(409, "Nothing to withdraw", f"nothing that pull {id} approved is in force")
    file = ProposedFile(
        name=f"withdrawal of pull {id}", content=b"", note=withdrawal.reason, withdraw=standing
    )
    made = await store_proposal(access, file)
    assert made.id is not None, "it is recorded"
    done = await approve(access, made.id, Approval(confirm=True, reason=withdrawal.reason))
    async with access.writing() as connection:
        await connection.execute(SQL["pull_withdrawn"], id, access.key, done.version)
        return await _read_pull(connection, id)


async def _read_pull(connection: TenantConnection, id: int) -> Pull:
    row = await connection.fetchrow(SQL["pull"], id) if 0 < id <= ID_MAX else None
    if row is None:
        raise not_found(f"there is no pull {id}")
    return Pull(**row)


def _check_everybodys(access: CatalogAccess) -> None:
    if access.as_tenant != EVERYBODY:
        raise forbidden("price lists are everybody's: an operator pulls them, acting for no tenant")
