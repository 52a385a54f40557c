"""A tenant's label maps: what its administrators make of attributes that others send. Ingest obeys them
within 5 s; what was sent before stays as it was."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Anyone, Caller
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import forbidden, invalid_fields
from services.api.http.representation import Negotiated
from services.api.http.revisions import act_in_force, refuse_if_changed
from spendmeter.contracts.label_maps import (
    AGENT_TOOLS,
    NO_MAPS,
    OPERATORS,
    PricedSignal,
    TenantMaps,
    troubles_with_maps,
)
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("label_maps.sql"))

router = APIRouter(tags=["label maps"], route_class=Negotiated)


class MappedAttribute(BaseModel):
    """An attribute that means a label."""

    attribute: Annotated[Text, Field(examples=["organization.id"])]
    label: Annotated[Text, Field(examples=["team"])]
    values: dict[Text, Text] = Field(
        default={}, description="what each value of the attribute means; empty: the value itself"
    )


class NewLabelMaps(RequestBody):
    """All that is to be in force: it takes the place of what was."""

    labels: list[MappedAttribute] = Field(
        default=[], description="for each label the first that finds something counts"
    )
    signals: dict[Text, PricedSignal] = Field(
        default={}, description="by which of its signals a coding agent is priced; logs unless set"
    )
    reason: Annotated[Text, Field(min_length=1, max_length=500)]
    revision: int | None = Field(
        default=None, description="refuse if another than this is in force: what was read and then changed"
    )


class LabelMaps(BaseModel):
    """What is in force, and by whom, when and why it was set; of none that was ever set, revision 0."""

    labels: list[MappedAttribute]
    signals: dict[str, PricedSignal]
    revision: int
    reason: str
    by: str
    at: datetime | None


@router.get("/v1/label-maps", responses=answers("label_maps"))
async def read_label_maps(request: Request, caller: Anyone) -> LabelMaps:
    """Which attributes of what others send mean which labels, and by which signal coding agents are priced.
    An operator who names no tenant reads which attribute means which tenant."""
    tenant = _whose(caller)
    async with database_of(request).reading(tenant) as connection:
        return await _read(connection, tenant)


@router.put("/v1/label-maps", responses=answers("label_maps"))
async def set_label_maps(request: Request, caller: Anyone, body: NewLabelMaps) -> LabelMaps:
    """Set all of it anew; counts for what is sent from then on, within 5 s. An operator who names no tenant
    sets which attribute means which tenant, for what operators' keys send."""
    if not caller.may("admin"):
        raise forbidden(f"{caller.by} lacks the scope admin, so it cannot change this")
    tenant = _whose(caller)
    maps = msgspec.convert(body.model_dump(include={"labels", "signals"}), TenantMaps)
    if troubles := list(troubles_with_maps(maps, operators=tenant == OPERATORS)):
        raise invalid_fields([{"field": field, "reason": reason} for field, reason in troubles])
    async with database_of(request).writing(tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], tenant)
        now = await _read(connection, tenant)
        refuse_if_changed(body.revision, now.revision)
        kept = msgspec.to_builtins(maps)
        await connection.execute(SQL["act"], tenant, kept, body.reason, caller.by)
        return await _read(connection, tenant)


def _whose(caller: Caller) -> str:
    return caller.tenant or OPERATORS


async def _read(connection: TenantConnection, tenant: str) -> LabelMaps:
    row = await connection.fetchrow(SQL["in_force"], tenant)
    maps = msgspec.convert(row["maps"], TenantMaps) if row else NO_MAPS
    signals = {} if tenant == OPERATORS else {tool: maps.signal_of(tool) for tool in AGENT_TOOLS}
    return LabelMaps(
        labels=[MappedAttribute(**msgspec.structs.asdict(rule)) for rule in maps.labels],
        signals=signals,
        **act_in_force(row),
    )
