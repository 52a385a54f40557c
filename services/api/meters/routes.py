"""A tenant's meters: what events of other meters' clients mean. Ingest obeys them within 5 s; what was sent
before stays as it was."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.api.access.auth import Reader, Writer
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.models import RequestBody, Text
from services.api.http.openapi import answers
from services.api.http.problems import invalid_fields
from services.api.http.representation import Negotiated
from services.api.http.revisions import act_in_force, refuse_if_changed
from spendmeter.contracts.events import CostClass
from spendmeter.contracts.meters import BUILT_IN_METERS, METERS_MAX, UsageMeter, troubles_with_meters
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("meters.sql"))

_SAID = "a path into the event's data ($.model), @subject, @source, @type, or the text itself"

router = APIRouter(tags=["meters"], route_class=Negotiated)


class EventMeter(RequestBody):
    """What events of one type mean."""

    event_type: Annotated[Text, Field(description="CloudEvents' type, Lago's code", examples=["prompt"])]
    ignored: Text = Field(default="", description="why events of this type cost nothing; empty: they do")
    provider: Text = Field(default="", description=f"{_SAID}, or @maker: whose model the sku begins like")
    provider_else: Text = Field(default="", description="where that leads nowhere")
    maker_else: Text = Field(default="", description="where @maker finds nobody")
    sku: Text = Field(default="", description=_SAID)
    cost_class: CostClass = "model"
    value: Text = Field(default="", description="the path of the quantity")
    unit: Text = ""
    unit_by: Text = Field(default="", description="the path of what says which of `units` it is")
    units: dict[Text, Text] = Field(default={}, description="unit by what `unit_by` finds")
    usage: dict[Text, Text] = Field(default={}, description="paths of quantities, by unit")
    dialect: Text = Field(default="", description="whose usage object lies at `usage_at`")
    usage_at: Text = "$"
    counted: bool = Field(default=False, description="each event counts as one of `unit`")
    cost: list[Text] = Field(default=[], description="paths of what it cost; the first that is there counts")
    currency: Text = "USD"
    labels: dict[Text, Text] = Field(default={}, description=f"by label, {_SAID}")
    skipped_when: dict[Text, list[Text]] = Field(
        default={}, description="by path, values with which an event costs nothing"
    )
    is_call: bool = Field(default=False, description="the event's id is the vendor's id of the response")
    assumed: bool = Field(default=False, description="what is not stated is taken to be none")
    source: Text = Field(default="", description="where such events are described")


class NewMeters(RequestBody):
    """All that is to be in force: it takes the place of what was."""

    meters: list[EventMeter] = Field(default=[], max_length=METERS_MAX)
    reason: Annotated[Text, Field(min_length=1, max_length=500)]
    revision: int | None = Field(
        default=None, description="refuse if another than this is in force: what was read and then changed"
    )


class MeterSet(BaseModel):
    """What is in force, and by whom, when and why it was set; of none that was ever set, revision 0.
    `built_in`: event types that everybody's meters know; one of the tenant's own goes before."""

    meters: list[EventMeter]
    built_in: list[str]
    revision: int
    reason: str
    by: str
    at: datetime | None


@router.get("/v1/meters", responses=answers("meters"), response_model_exclude_defaults=True)
async def read_meters(request: Request, caller: Reader) -> MeterSet:
    """What events of other meters' clients mean for this tenant."""
    async with database_of(request).reading(caller.tenant) as connection:
        return await _read(connection, caller.tenant)


@router.put("/v1/meters", responses=answers("meters"), response_model_exclude_defaults=True)
async def set_meters(request: Request, caller: Writer, body: NewMeters) -> MeterSet:
    """Set all of them anew; counts for what is sent from then on, within 5 s."""
    said = [meter.model_dump(exclude_defaults=True) for meter in body.meters]
    meters = msgspec.convert(said, tuple[UsageMeter, ...])
    if troubles := list(troubles_with_meters(meters)):
        raise invalid_fields([{"field": field, "reason": reason} for field, reason in troubles])
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        now = await _read(connection, caller.tenant)
        refuse_if_changed(body.revision, now.revision)
        kept: Any = msgspec.to_builtins(meters)
        await connection.execute(SQL["act"], caller.tenant, kept, body.reason, caller.by)
        return await _read(connection, caller.tenant)


async def _read(connection: TenantConnection, tenant: str) -> MeterSet:
    row = await connection.fetchrow(SQL["in_force"], tenant)
    return MeterSet(
        meters=[EventMeter(**meter) for meter in row["meters"]] if row else [],
        built_in=sorted(BUILT_IN_METERS),
        **act_in_force(row),
    )
