"""`/api/v1/meters`: what portals made for OpenMeter ask, answered from the rollups. What events of its
clients mean is another thing, and lies in `meters`."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request, Response
from fastapi import Path as InPath

from services.api.access.auth import Caller, Governing, Reader
from services.api.access.sharing import question_key
from services.api.accounting.completeness import completeness
from services.api.database.tenant import read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import every_dimension
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, not_found, too_many
from services.api.http.representation import CSV, JSON, Negotiated, form_of
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import RANGE_DAYS_MAX, in_whole_minutes
from services.api.readouts.answer import KeptAnswer, as_csv, as_json, rows_of, values_of
from services.api.readouts.asked import WINDOWS, AskedGroups, asked_groups, sliced
from services.api.readouts.models import (
    NewReadout,
    ReadoutAnswer,
    ReadoutChange,
    ReadoutQuestion,
    ReadoutSums,
    WindowSize,
)
from services.api.readouts.reading import (
    question_of,
    read_cells_of,
    span_of,
    values_span,
    whole_where_dropped,
)
from services.api.readouts.readout import COST, SUBJECT, Readout, built_in, checked_groups, checked_value
from services.api.spend.buckets import Bucket
from spendmeter.contracts.events import EVENT_TYPE
from spendmeter.platform.sql import load_sql

READOUTS_MAX = 200
PAGE_MAX = 1_000
MISSING = "no such meter"
_FILTER_PARAMETER = {
    "name": "filterGroupBy",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "description": "only these values: filterGroupBy[team]=search, repeated: any of them",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
}

SQL = load_sql(Path(__file__).with_name("readouts.sql"))
router = APIRouter(tags=["meters"], route_class=Negotiated)

Meter = Annotated[str, InPath(max_length=64, description="its slug or id")]
ValuesFrom = Annotated[
    str | None, Query(alias="from", description=f"inclusive; default: {RANGE_DAYS_MAX} days before `to`")
]
ValuesTo = Annotated[str | None, Query(alias="to", description="exclusive; default: now")]


@router.get("/api/v1/meters", responses=answers("readouts"))
async def list_readouts(
    request: Request,
    caller: Reader,
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(alias="pageSize", ge=1, le=PAGE_MAX)] = PAGE_MAX,
) -> list[ReadoutAnswer]:
    """What can be asked for as a meter of OpenMeter's: the cost, events, tokens, each unit, and what the
    tenant defined."""
    async with database_of(request).reading(caller.tenant) as connection:
        ours = built_in(await every_dimension(connection))
        own = [_readout(row) for row in await connection.fetch(SQL["list"], None)]
    readouts = [*ours.values(), *(each for each in own if each.slug not in ours)]
    return [_answer(each) for each in readouts[(page - 1) * size : page * size]]


@router.post("/api/v1/meters", status_code=201, responses=answers("readout", status=201))
async def define_readout(request: Request, caller: Governing, body: NewReadout) -> ReadoutAnswer:
    """Define one. What is there already, and the same, is answered again; what rollups cannot answer to the
    last digit is refused, and it is said why."""
    value = checked_value(body.aggregation, body.event_type, body.value_property)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        known = await every_dimension(connection)
        groups = checked_groups(body.group_by, known, is_cost=value == COST)
        said = body.name or body.slug, body.description, body.aggregation, value, groups
        there = await _found(connection, body.slug)
        if there is not None:
            kept = there.name, there.description, there.aggregation, there.value_property, there.group_by
            if kept != said:
                raise HttpRefusal(409, "Slug taken", "there is another meter of this slug")
            return _answer(there)
        if await connection.fetchval(SQL["count"]) >= READOUTS_MAX:
            raise too_many("meters", READOUTS_MAX)
        await connection.execute(SQL["add"], caller.tenant, body.slug, *said, caller.by)
        return _answer(await _existing(connection, body.slug))


@router.get("/api/v1/meters/{meter}", responses=answers("readout", missing=MISSING))
async def read_readout(request: Request, caller: Reader, meter: Meter) -> ReadoutAnswer:
    """One of them, by slug or id."""
    async with database_of(request).reading(caller.tenant) as connection:
        return _answer(await _existing(connection, meter))


@router.put("/api/v1/meters/{meter}", responses=answers("readout", missing=MISSING))
async def change_readout(
    request: Request, caller: Governing, meter: Meter, body: ReadoutChange
) -> ReadoutAnswer:
    """Call one that the tenant defined otherwise, and group it by other dimensions; what it sums stays."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        await connection.execute(SQL["hold"], caller.tenant)
        there = await _existing(connection, meter)
        if there.built_in:
            raise HttpRefusal(409, "Always there", "this meter is everybody's: define one of your own")
        known = await every_dimension(connection)
        groups = checked_groups(body.group_by, known, is_cost=there.is_cost)
        said = body.name or there.slug, body.description, groups
        if said != (there.name, there.description, there.group_by):
            await connection.execute(SQL["change"], there.slug, *said, caller.by)
        return _answer(await _existing(connection, meter))


@router.delete("/api/v1/meters/{meter}", status_code=204, responses=answers("", missing=MISSING))
async def remove_readout(request: Request, caller: Governing, meter: Meter) -> None:
    """Forget one that the tenant defined, by slug or id; what it summed stays as it is."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        if await connection.fetchval(SQL["remove"], meter) is None:
            raise not_found(MISSING)


@router.get(
    "/api/v1/meters/{meter}/query",
    response_model=ReadoutSums,
    responses=answers("readout_sums", missing=MISSING),
    openapi_extra={"parameters": [_FILTER_PARAMETER]},
)
async def query_readout(
    request: Request,
    caller: Reader,
    meter: Meter,
    start: Annotated[str | None, Query(alias="from", description="inclusive; needed")] = None,
    end: Annotated[str | None, Query(alias="to", description="exclusive; default: now")] = None,
    window: Annotated[WindowSize | None, Query(alias="windowSize", description="default: one in all")] = None,
    zone: Annotated[str, Query(alias="windowTimeZone", description="whose days and hours")] = "UTC",
    subject: Annotated[
        list[str] | None, Query(description="only these subjects, each with rows of its own")
    ] = None,
    group_by: Annotated[list[str] | None, Query(alias="groupBy")] = None,
    conditions: Annotated[
        str, Query(alias="advancedMeterGroupByFilters", description="JSON: by name, $eq or $in")
    ] = "",
    client: Annotated[str, Query(alias="clientId", description="answered alike for all")] = "",
) -> Response:
    """The sums of a meter in `[from, to)`, widened to whole minutes, by window and group: what `/v1/spend`
    says of the same. Of amounts in two currencies each has rows of its own by `groupBy=currency`, and without
    that the question is refused."""
    parameters = request.query_params.multi_items()
    return await _answered(request, caller, meter, parameters, window, zone)


@router.post(
    "/api/v1/meters/{meter}/query",
    response_model=ReadoutSums,
    responses=answers("readout_sums", missing=MISSING),
)
async def query_readout_by_body(
    request: Request, caller: Reader, meter: Meter, body: ReadoutQuestion
) -> Response:
    """The same question in a body, with the same answer; it changes nothing."""
    return await _answered(request, caller, meter, body.parameters(), body.window, body.zone)


@router.get("/api/v1/meters/{meter}/subjects", responses=answers("readout_values", missing=MISSING))
async def list_subjects(
    request: Request, caller: Reader, meter: Meter, start: ValuesFrom = None, end: ValuesTo = None
) -> list[str]:
    """Which subjects have anything in `[from, to)`; where minutes are no longer kept, in its whole hours."""
    return await _values(request, caller.tenant, meter, SUBJECT, start, end)


@router.get(
    "/api/v1/meters/{meter}/group-by/{name}/values", responses=answers("readout_values", missing=MISSING)
)
async def list_group_values(
    request: Request,
    caller: Reader,
    meter: Meter,
    name: str,
    start: ValuesFrom = None,
    end: ValuesTo = None,
) -> list[str]:
    """Which values of a name of `groupBy` have anything in `[from, to)`; a question with more than 1,000 is
    refused."""
    return await _values(request, caller.tenant, meter, name, start, end)


async def _answered(
    request: Request,
    caller: Caller,
    meter: str,
    said: Iterable[tuple[str, str]],
    window: WindowSize | None,
    zone: str,
) -> Response:
    parameters = in_whole_minutes(said)
    asked = _Asked(
        meter, dict(parameters), WINDOWS[window] if window else None, zone, asked_groups(parameters)
    )
    now = datetime.now(UTC)

    async def answer() -> bytes:
        async with database_of(request).reading(caller.tenant, spend=True) as connection:
            return await _read(request, connection, caller.tenant, asked, now)

    key = question_key(request, caller.onlooker, parameters), now.replace(second=0, microsecond=0)
    content = await shared_answers_of(request).get(key, answer, fresh=wants_fresh(request))
    return _in_form(request, content, asked.groups)


async def _values(
    request: Request, tenant: str, meter: str, name: str, start: str | None, end: str | None
) -> list[str]:
    """In UTC, as everything of OpenMeter's that names no zone."""
    now = datetime.now(UTC)
    async with database_of(request).reading(tenant, spend=True) as connection:
        readout = await _existing(connection, meter)
        known = await read_tenant(connection, tenant)
        calendar = known.calendar("UTC")
        slices = sliced(AskedGroups([name], {}), readout)
        span = await whole_where_dropped(connection, known, values_span(start, end, calendar, now))
        question = await question_of(connection, known, span, None, calendar, slices, now)
        cells = await read_cells_of(connection, question, request.app.state.closed, known.currency)
    return values_of(readout, cells, name)


class _Asked(NamedTuple):
    meter: str
    parameters: Mapping[str, str]
    bucket: Bucket | None
    zone: str
    groups: AskedGroups


async def _read(
    request: Request, connection: TenantConnection, name: str, asked: _Asked, now: datetime
) -> bytes:
    """`ReadoutSums` as JSON has it, the digits of its numbers as they are."""
    readout = await _existing(connection, asked.meter)
    tenant = await read_tenant(connection, name)
    calendar = tenant.calendar(asked.zone)
    span = span_of(asked.parameters.get("from"), asked.parameters.get("to"), calendar, now)
    slices = sliced(asked.groups, readout)
    question = await question_of(connection, tenant, span, asked.bucket, calendar, slices, now)
    complete = await completeness(request, connection)
    read = await read_cells_of(connection, question, request.app.state.closed, tenant.currency)
    only = slices.currencies
    cells = [each for each in read if only is None or each.total.currency in only]
    rows = rows_of(readout, cells, asked.groups.group_by)
    unpriced = sum(each.spent.sums["unpriced_events"] for each in cells)
    answer = {
        "from": span[0],
        "to": span[1],
        "windowSize": asked.parameters.get("windowSize"),
        "data": [as_json(row, asked.groups.group_by) for row in rows],
        "unpriced_events": unpriced if readout.is_cost else None,
        **vars(complete),
    }
    return msgspec.json.encode(answer)


def _in_form(request: Request, content: bytes, asked: AskedGroups) -> Response:
    if form_of(",".join(request.headers.getlist("accept")), (JSON, CSV)) != CSV:
        return Response(content, media_type=JSON)
    kept = msgspec.json.decode(content, type=KeptAnswer)
    headers = {"X-Complete-Through": kept.complete_through or ""}
    media_type = f"{CSV}; charset=utf-8; header=present"
    return Response(as_csv(kept, asked.group_by), headers=headers, media_type=media_type)


async def _found(connection: TenantConnection, meter: str) -> Readout | None:
    ours = built_in(await every_dimension(connection)).get(meter)
    if ours is not None:
        return ours
    row = await connection.fetchrow(SQL["list"], meter)
    return _readout(row) if row else None


async def _existing(connection: TenantConnection, meter: str) -> Readout:
    found = await _found(connection, meter)
    if found is None:
        raise not_found(MISSING)
    return found


def _readout(row: Mapping[str, Any]) -> Readout:
    return Readout(**{**row, "id": str(row["id"])})


def _answer(readout: Readout) -> ReadoutAnswer:
    return ReadoutAnswer(
        id=readout.id,
        slug=readout.slug,
        name=readout.name,
        description=readout.description,
        aggregation=readout.aggregation,
        eventType=EVENT_TYPE,
        valueProperty=readout.value_property,
        groupBy={name: f"$.{dimension}" for name, dimension in readout.group_by.items()},
        createdAt=readout.at,
        updatedAt=readout.changed_at,
    )
