"""What is kept of a tenant, where and for how long; forgetting a person; how long pseudonyms are kept."""

import hashlib
import hmac
import tomllib
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from services.api.privacy.forgetting import SQL, retention_of
from spendmeter.contracts.gate import as_booked

router = APIRouter(tags=["privacy"], route_class=Negotiated)
STORED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("stored.toml").read_text("utf-8"))

PrivacyReason = Annotated[Text, Field(min_length=1, max_length=500)]


class KeptData(BaseModel):
    """One kind of what is kept; `personal`: how it leads to a person."""

    what: str
    topics: list[str] = []
    tables: list[str] = []
    how_long: str
    personal: str


class PeopleOfMonth(BaseModel):
    """How many people have a pseudonym of this month of receipt."""

    month: date
    people: int


class Erasure(BaseModel):
    """Somebody was forgotten: `pseudonyms` became nobody's. By whom, when and why, never who."""

    number: int
    pseudonyms: int
    by: str
    reason: str
    at: datetime


class Retention(BaseModel):
    """For how many months, with the current one, pseudonyms are kept."""

    pseudonyms_months: int
    by: str = ""
    reason: str = ""
    at: datetime | None = None


class Privacy(BaseModel):
    """All of it. `region`: whose system alone may take the tenant's usage; '' = any."""

    TABLES: ClassVar = ("kept",)

    region: str
    never: list[str]
    kept: list[KeptData]
    retention: Retention
    people: list[PeopleOfMonth]
    erasures: list[Erasure]


class NewErasure(RequestBody):
    """Whose pseudonyms are to be nobody's; the name is kept nowhere. It is looked for as it is written, and
    in small letters, as the doors of coding agents write it."""

    user: Annotated[Text, Field(min_length=1, max_length=128, examples=["jo@example.com"])]
    reason: PrivacyReason


class NewRetention(RequestBody):
    """How long from now on."""

    pseudonyms_months: Annotated[int, Field(ge=1, le=120)]
    reason: PrivacyReason


@router.get("/v1/privacy", responses=answers("privacy"))
async def read_privacy(request: Request, caller: Reader) -> Privacy:
    """What is stored of the tenant, where and for how long; how many people have a pseudonym; who was
    forgotten, without saying who."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _read(connection, caller.tenant)


@router.put("/v1/privacy", responses=answers("privacy"))
async def set_retention(request: Request, caller: Writer, body: NewRetention) -> Privacy:
    """Keep pseudonyms for so many months, the current one included; older ones are deleted within 6 hours.
    No total changes."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["retain"], caller.tenant, body.pseudonyms_months, caller.by, body.reason)
        return await _read(connection, caller.tenant)


@router.post("/v1/privacy/erasures", status_code=201, responses=answers("erasure", status=201))
async def erase_person(request: Request, caller: Writer, body: NewErasure) -> Erasure:
    """Forget a person: what was booked under their pseudonyms stays, in every total, and is nobody's. Ingest
    forgets within 10 s; what they send afterwards has new pseudonyms. Once more, it finds nothing."""
    users = {as_booked("user", name).encode() for name in (body.user, body.user.lower())}
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        keys = await connection.fetch(SQL["month_keys"])
        named = [
            (row["month"], hmac.digest(row["secret"], user, hashlib.sha256)) for row in keys for user in users
        ]
        erased = len(await connection.fetch(SQL["erase"], *zip(*named, strict=True))) if named else 0
        by = caller.by
        noted = await connection.fetchrow(SQL["note_erasure"], caller.tenant, erased, by, body.reason)
    return Erasure(pseudonyms=erased, by=by, reason=body.reason, **dict(noted))


async def _read(connection: TenantConnection, tenant: str) -> Privacy:
    return Privacy(
        region=await connection.fetchval(SQL["region"], tenant) or "",
        never=STORED["never"],
        kept=[KeptData(**each) for each in STORED["kept"]],
        retention=Retention(**await retention_of(connection)),
        people=[PeopleOfMonth(**row) for row in await connection.fetch(SQL["people"])],
        erasures=[Erasure(**row) for row in await connection.fetch(SQL["erasures"])],
    )
