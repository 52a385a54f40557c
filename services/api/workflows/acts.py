"""What people say of workflows and their versions, act by act: nothing is changed in place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from services.api.access.auth import Caller, Governing, Reader
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import not_found, too_many
from services.api.http.representation import Negotiated
from services.api.http.revisions import act_in_force, refuse_if_changed
from services.api.workflows.models import (
    ActReason,
    NewVersionSettings,
    NewWorkflowSettings,
    VersionAnswer,
    VersionName,
    VersionSettings,
    WorkflowAct,
    WorkflowActs,
    WorkflowAnswer,
    WorkflowName,
    WorkflowSettings,
)
from spendmeter.contracts.gate import as_booked
from spendmeter.platform.sql import load_sql

ACTS_MAX = 200
SAID_MAX = 1_000
"""Workflows and versions of which something holds."""

SQL = load_sql(Path(__file__).with_name("workflows.sql"))
router = APIRouter(tags=["workflows"], route_class=Negotiated)

About = Literal["workflow", "version"]


@router.put("/v1/workflows/settings", responses=answers("workflow_settings"))
async def set_workflow(request: Request, caller: Governing, body: NewWorkflowSettings) -> WorkflowAnswer:
    """Say which outcome of a workflow counts, for how long it must last and what it is worth. Holds at once,
    for days that are over as well."""
    workflow = as_booked("workflow", body.workflow)
    said = body.model_dump(mode="json", exclude={"workflow", "reason", "revision"})
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await _act(connection, caller, "workflow", workflow, "", said, body.reason, revision=body.revision)
        return workflow_of(workflow, await in_force(connection, workflow))


@router.put("/v1/workflows/versions", responses=answers("workflow_version"))
async def set_version(request: Request, caller: Governing, body: NewVersionSettings) -> VersionAnswer:
    """Say what a version of a workflow is: how it was done before AI, with minutes and rates; AI added to
    that; or the work thought anew."""
    workflow = as_booked("workflow", body.workflow)
    version = as_booked("workflow_version", body.version)
    said = body.model_dump(mode="json", exclude={"workflow", "version", "reason", "revision"})
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await _act(
            connection, caller, "version", workflow, version, said, body.reason, revision=body.revision
        )
        return versions_of(await in_force(connection, workflow))[version]


@router.delete("/v1/workflows/versions", responses=answers("workflow_acts", missing="nothing is said of it"))
async def remove_version(
    request: Request,
    caller: Governing,
    workflow: Annotated[WorkflowName, Query()],
    version: Annotated[VersionName, Query()],
    reason: Annotated[ActReason, Query()],
) -> WorkflowActs:
    """Take back what is said of a version. Its runs stay."""
    workflow, version = as_booked("workflow", workflow), as_booked("workflow_version", version)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        if await connection.fetchval(SQL["last"], "version", workflow, version) is None:
            raise not_found("nothing is said of such a version")
        await _act(connection, caller, "version", workflow, version, {}, reason, removed=True)
        return await _acts(connection, workflow)


@router.get("/v1/workflows/acts", responses=answers("workflow_acts"))
async def list_acts(
    request: Request, caller: Reader, workflow: Annotated[WorkflowName, Query()]
) -> WorkflowActs:
    """Who said what of a workflow and its versions, when and why."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _acts(connection, as_booked("workflow", workflow))


async def in_force(connection: TenantConnection, workflow: str | None = None) -> list[Mapping[str, Any]]:
    """The acts that hold, of one workflow or of all."""
    found: list[Mapping[str, Any]] = await connection.fetch(SQL["in_force"], workflow)
    return found


def workflow_of(workflow: str, acts: list[Mapping[str, Any]]) -> WorkflowAnswer:
    """What holds of the workflow, by these acts or by default."""
    found = [row for row in acts if row["about"] == "workflow" and row["workflow"] == workflow]
    row = found[0] if found else None
    return WorkflowAnswer(workflow=workflow, **(row["said"] if row else {}), **act_in_force(row))


def versions_of(acts: list[Mapping[str, Any]]) -> dict[str, VersionAnswer]:
    """By version what holds of it; of one workflow's acts."""
    return {
        row["version"]: VersionAnswer(
            workflow=row["workflow"], version=row["version"], **row["said"], **act_in_force(row)
        )
        for row in acts
        if row["about"] == "version"
    }


async def _act(
    connection: TenantConnection,
    caller: Caller,
    about: About,
    workflow: str,
    version: str,
    said: dict[str, Any],
    reason: str,
    *,
    removed: bool = False,
    revision: int | None = None,
) -> None:
    await connection.execute(SQL["hold"], caller.tenant)
    last = await connection.fetchval(SQL["last"], about, workflow, version)
    refuse_if_changed(revision, last or 0)
    if last is None and await connection.fetchval(SQL["count"]) >= SAID_MAX:
        raise too_many("workflows and versions", SAID_MAX)
    await connection.execute(
        SQL["act"], caller.tenant, about, workflow, version, said, removed, reason, caller.by
    )


async def _acts(connection: TenantConnection, workflow: str) -> WorkflowActs:
    rows = await connection.fetch(SQL["acts"], workflow, ACTS_MAX)
    return WorkflowActs(acts=[_one(row) for row in rows])


def _one(row: Mapping[str, Any]) -> WorkflowAct:
    of_version, said = row["about"] == "version", None if row["removed"] else row["said"]
    return WorkflowAct(
        revision=row["number"],
        version=row["version"] if of_version else None,
        settings=WorkflowSettings(**said) if said is not None and not of_version else None,
        version_settings=VersionSettings(**said) if said is not None and of_version else None,
        **{name: row[name] for name in ("removed", "reason", "by", "at")},
    )
