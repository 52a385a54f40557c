"""`GET /v1/proof`: up to when the book is proved, and what was found wrong with it."""

from datetime import datetime
from pathlib import Path as FilePath
from typing import Annotated, ClassVar

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Admin, Anyone
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, forbidden, not_found
from services.api.http.representation import Negotiated
from spendmeter.platform.sql import load_sql

SQL = load_sql(FilePath(__file__).with_name("proof.sql"))
FINDINGS_MAX = 1_000

router = APIRouter(tags=["accounting"], route_class=Negotiated)


class ProofFindingAnswer(BaseModel):
    """One thing that is wrong, or was; once `seen_at` is there an operator knows of it."""

    id: str
    tenant: str = Field(description="empty where it is of nobody in particular")
    invariant: str = Field(description="which rule of `spendmeter verify` it breaks")
    named: str = Field(description="the row, named so that a person finds it")
    what: str
    partition: int | None = Field(description="of usage.events; -1 = of the entries that correct")
    origin_offset: int | None
    found_at: datetime
    last_seen_at: datetime = Field(description="when the reconciler found it the last time")
    gone_at: datetime | None = Field(description="when all was looked at again and it was not found")
    note: str = Field(description="why the proof may go on past it")
    seen_by: str
    seen_at: datetime | None


class ProvedMark(BaseModel):
    """How far one partition is proved."""

    partition: int
    first_origin: int = Field(description="what lay before was gone when the reconciler began")
    looked: int
    next_origin: int = Field(
        description="all before it is proved: it stays at the first finding that nobody has seen"
    )
    without_record: int = Field(
        description="entries whose record the broker no longer had: proved by themselves"
    )
    looked_at: datetime


class ProofAnswer(BaseModel):
    """`proved_until`: up to then the book is what the events say, entry by entry, and every count adds up;
    null where nothing is proved yet. `marks` are an operator's to see."""

    TABLES: ClassVar = ("findings",)

    proved_until: datetime | None
    proved_at: datetime | None = Field(description="when that was looked at last")
    line: str = Field(description="why the line stood still then; empty = it moved")
    unseen: int = Field(description="findings below that are there and nobody has seen")
    findings: list[ProofFindingAnswer]
    marks: list[ProvedMark]


class SeenNote(RequestBody):
    """Why the proof may go on."""

    note: Annotated[Text, Field(min_length=1, max_length=1_000)]


@router.get("/v1/proof", responses=answers("proof"))
async def get_proof(request: Request, caller: Anyone) -> ProofAnswer:
    """Up to when the book is proved, and what was found wrong with it, what nobody has seen first. A tenant
    sees what is its own; an operator who names none sees all, and how far each partition is."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _read(connection, caller.tenant)


@router.post("/v1/proof/findings/{finding}/seen", responses=answers("proof", missing="no such finding"))
async def see_finding(
    request: Request,
    caller: Admin,
    finding: Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="its id, as the list shows it")],
    body: SeenNote,
) -> ProofAnswer:
    """Let the proof go on past a finding, which stays listed: for operators who act for no tenant, since it
    goes on for all. It changes nothing in the book."""
    if caller.tenant:
        raise forbidden(
            "only an operator who names no tenant lets the proof go on: it goes on for all tenants"
        )
    async with database_of(request).writing("", by=caller.by) as connection:
        if not await connection.fetchval(SQL["see"], finding, caller.by, body.note):
            known = {row["id"] for row in await connection.fetch(SQL["findings"], FINDINGS_MAX)}
            if finding in known:
                raise HttpRefusal(409, "Conflict", "somebody has seen it before")
            raise not_found(f"finding {finding}")
        return await _read(connection, "")


async def _read(connection: TenantConnection, tenant: str) -> ProofAnswer:
    until = await connection.fetchrow(SQL["until"])
    findings = [ProofFindingAnswer(**row) for row in await connection.fetch(SQL["findings"], FINDINGS_MAX)]
    marks = [] if tenant else await connection.fetch(SQL["marks"])
    return ProofAnswer(
        proved_until=until["held_until"] if until else None,
        proved_at=until["proved_at"] if until else None,
        line=until["line"] if until else "",
        unseen=sum(each.seen_at is None and each.gone_at is None for each in findings),
        findings=findings,
        marks=[ProvedMark(**row) for row in marks],
    )
