"""A rule tried on a tenant's own history before it is switched on: asked for here, carried out by alerts."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Governing, Reader
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import DecimalString, RequestBody
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid, not_found
from services.api.http.representation import Negotiated
from services.api.rules.models import RuleFilter, RuleKindName, SettingValue
from services.api.rules.routes import refuse_troubles, rule_in_force
from spendmeter.contracts.alert_rules import canonical
from spendmeter.platform.sql import load_sql

UNDER_WAY_MAX = 2
SHOWN_MAX = 20
DAYS_DEFAULT = 7
DAYS_MAX = {
    "burst": 7,
    "loop": 30,
    "first": 30,
    "hour": 28,
    "shift": 28,
    "drift": 28,
    "burn": 28,
    "silence": 7,
    "unreserved": 30,
    "unbooked": 28,
}
"""By kind; minutes are many, and kept for a month: silence reads four weeks before."""
NO_SOURCE = (
    "subjects has no source, and how far the book lagged is not kept, nor is the age of price lists tried"
)
MISSING = "no such dry run"

SQL = load_sql(Path(__file__).with_name("dry_runs.sql"))
router = APIRouter(tags=["rules"], route_class=Negotiated)


class NewDryRun(RequestBody):
    """Settings to try, beside those in force (null = the default); over how many days of the past: seven
    at most for a burst and silence, 30 for loops, firsts and what is unreserved, 28 for the others."""

    settings: dict[str, SettingValue | None] = Field(default={}, examples=[{"amount_min": "25"}])
    filter: RuleFilter | None = None
    days: Annotated[int, Field(ge=1, le=30)] = DAYS_DEFAULT


class FiredAnswer(BaseModel):
    """An incident that would have been told: what it is about, when, the money in it (of kind `unbooked` the
    events), how many messages."""

    scope: dict[str, str]
    at: datetime
    amount: DecimalString
    messages: int


class DryRunResult(BaseModel):
    """What the rule would have told. `caught`: the money in its incidents, over what was usual where the rule
    knows that; of kind `unbooked` amounts are events, and `currency` is "events". `fired`: the first 50.
    `notes`: how the replay differs from watching."""

    since: datetime
    until: datetime
    incidents: int
    messages: int
    per_day: DecimalString
    caught: DecimalString
    currency: str
    fired: list[FiredAnswer]
    notes: list[str]


class DryRun(BaseModel):
    """A rule that is being tried, or was. `settings`: those that are not the default. `progress`: of 1."""

    id: UUID
    rule: str
    of: RuleKindName
    filter: dict[str, str]
    settings: dict[str, SettingValue]
    days: int
    state: Literal["waiting", "running", "done", "failed"]
    progress: DecimalString
    result: DryRunResult | None
    error: str
    asked_by: str
    asked_at: datetime
    finished_at: datetime | None


class DryRuns(BaseModel):
    """The newest first; the newest 20."""

    dry_runs: list[DryRun]


@router.get("/v1/rules/{id}/dry-runs", responses=answers("dry_runs", missing="no such rule"))
async def list_dry_runs(request: Request, caller: Reader, id: str) -> DryRuns:
    """How a rule was tried, and what came of it."""
    async with database_of(request).reading(caller.tenant) as connection:
        await rule_in_force(connection, id)
        rows = await connection.fetch(SQL["list"], id, SHOWN_MAX)
    return DryRuns(dry_runs=[DryRun(**row) for row in rows])


@router.get("/v1/rules/{id}/dry-run/{run}", responses=answers("dry_run", missing=MISSING))
async def get_dry_run(request: Request, caller: Reader, id: str, run: UUID) -> DryRun:
    """One of them: how far it is, or what came of it."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _read_one(connection, id, run)


@router.post(
    "/v1/rules/{id}/dry-run",
    status_code=202,
    responses=answers("dry_run", status=202, missing="no such rule"),
)
async def try_rule(request: Request, caller: Governing, id: str, body: NewDryRun) -> DryRun:
    """Try a rule on what was spent, with other settings if need be. Nobody is told of what it finds."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        rule = await rule_in_force(connection, id)
        if body.days > DAYS_MAX[rule.of]:
            raise invalid("days", f"is at most {DAYS_MAX[rule.of]} for a rule of kind {rule.of}")
        settings = {name: value for name, value in rule.changed.items() if name not in body.settings}
        settings |= {name: value for name, value in body.settings.items() if value is not None}
        scope = rule.filter if body.filter is None else body.filter
        tried = replace(rule, changed=settings, filter=scope)
        await refuse_troubles(connection, tried)
        if rule.of == "silence" and "source" not in tried.chosen("subjects"):
            raise HttpRefusal(409, "Cannot be tried", f"a rule of kind silence: {NO_SOURCE}")
        if await connection.fetchval(SQL["under_way"]) >= UNDER_WAY_MAX:
            raise HttpRefusal(409, "Too many", f"{UNDER_WAY_MAX} dry runs are under way: wait for one")
        asked = await connection.fetchval(
            SQL["ask"], caller.tenant, id, rule.of, dict(scope), canonical(settings, rule.of), body.days,
            caller.by,
        )  # fmt: skip
        return await _read_one(connection, id, asked)


async def _read_one(connection: TenantConnection, id: str, run: UUID) -> DryRun:
    row = await connection.fetchrow(SQL["read"], id, run)
    if row is None:
        raise not_found(MISSING)
    return DryRun(**row)
