"""People by role: who may do what of a tenant, given and taken in acts that stay."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath

from services.api.access.auth import Caller, Reader, Writer, issuers_of, person_id_of
from services.api.access.granting import last_admin, refuse_lasting, refuse_scopes
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, page
from services.api.http.openapi import answers
from services.api.http.problems import not_found, too_many
from services.api.http.representation import Negotiated
from services.api.people.models import (
    GrantedRole,
    NamedScope,
    PeopleList,
    PeopleReason,
    PersonAnswer,
    RoleAnswer,
    RoleList,
)
from spendmeter.contracts.permissions import ROLES, SCOPES, contained
from spendmeter.platform.sql import load_sql

PEOPLE_MAX = 10_000
PAGE_MAX = 200
MISSING = "nobody of that id has or had a role"

SQL = load_sql(Path(__file__).with_name("people.sql"))
router = APIRouter(tags=["people"], route_class=Negotiated)

PersonId = Annotated[str, InPath(max_length=64, description="p and 16 digits, as the list shows it")]


@router.get("/v1/roles", responses=answers("roles"))
async def list_roles(caller: Reader) -> RoleList:
    """What each role and each scope lets do."""
    return RoleList(
        roles=[
            RoleAnswer(role=name, means=role.means, scopes=sorted(contained(role.scopes)))
            for name, role in ROLES.items()
        ],
        scopes=[
            NamedScope(scope=scope, means=means, contains=sorted(contained([scope]) - {scope}))
            for scope, means in SCOPES.items()
        ],
    )


@router.get("/v1/people", responses=answers("people"))
async def list_people(
    request: Request,
    caller: Writer,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = 50,
    cursor: str = "",
) -> PeopleList:
    """Whoever has a role, by name, with who gave it and why."""
    after = decode_cursor(cursor, tuple[str, str]) if cursor else ("", "")
    async with database_of(request).reading(caller.tenant) as connection:
        rows = await connection.fetch(SQL["list"], *after, None, limit + 1)
    shown = [_shown(row) for row in rows]
    people, more = page(PersonAnswer, shown, limit, lambda row: (row["name"], row["person_id"]))
    return PeopleList(people=people, next_cursor=more)


@router.get("/v1/people/{person_id}", responses=answers("person", missing=MISSING))
async def get_person(request: Request, caller: Writer, person_id: PersonId) -> PersonAnswer:
    """One person, also one whose role was taken away. What they had before is in the audit log."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _stated(connection, person_id)


@router.put("/v1/people", responses=answers("person"))
async def grant_role(request: Request, caller: Writer, body: GrantedRole) -> PersonAnswer:
    """Give a person a role, instead of the one that they have. Nobody gives what they lack, and a key that
    ends gives none, for a role is for good. The last who may change everything only an operator takes that
    from."""
    refuse_scopes(caller, contained(ROLES[body.role].scopes))
    refuse_lasting(caller, None)
    person_id = person_id_of(caller.tenant, body.issuer, body.subject)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        row = await connection.fetchrow(SQL["list"], "", "", person_id, 1)
        if (row is None or not row["role"]) and await connection.fetchval(SQL["count"]) >= PEOPLE_MAX:
            raise too_many("people with a role", PEOPLE_MAX)
        if row is not None and body.role != "admin":
            await _refuse_last_admin(request, connection, caller, person_id, row["role"])
        given = body.model_dump(include={"name", "role", "team"})
        if row is None or given.items() - dict(row).items():
            await connection.execute(
                SQL["act"], caller.tenant, person_id, body.issuer, body.subject, body.name, body.role,
                body.team, body.reason, caller.by,
            )  # fmt: skip
        return await _stated(connection, person_id)


@router.delete("/v1/people/{person_id}", responses=answers("person", missing=MISSING))
async def take_role(
    request: Request, caller: Writer, person_id: PersonId, reason: Annotated[PeopleReason, Query()]
) -> PersonAnswer:
    """Take a person's role away, but for the last who may change everything: an operator does that."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        person = await _stated(connection, person_id)
        await _refuse_last_admin(request, connection, caller, person_id, person.role)
        if person.role:
            await connection.execute(
                SQL["act"], caller.tenant, person_id, person.issuer, person.subject, person.name, "", "",
                reason, caller.by,
            )  # fmt: skip
        return await _stated(connection, person_id)


async def _refuse_last_admin(
    request: Request, connection: TenantConnection, caller: Caller, person_id: str, role: str
) -> None:
    """Raises HttpRefusal (409) where nobody of the tenant could undo it."""
    if role != "admin" or caller.operator:
        return
    pinned = [each.issuer for each in issuers_of(request).trusted if each.tenant == caller.tenant]
    if not await connection.fetchval(SQL["other_admins"], person_id, pinned):
        raise last_admin(f"person {person_id}", "make another first")


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    role = ROLES.get(row["role"])
    return {**row, "scopes": sorted(contained(role.scopes)) if role else []}


async def _stated(connection: TenantConnection, person_id: str) -> PersonAnswer:
    """Raises HttpRefusal (404)."""
    row = await connection.fetchrow(SQL["list"], "", "", person_id, 1)
    if row is None:
        raise not_found(f"nobody {person_id!r:.40} has or had a role here")
    return PersonAnswer(**_shown(row))
