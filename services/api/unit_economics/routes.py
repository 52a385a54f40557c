"""`GET /v1/unit-economics`: what a request and a thousand tokens cost, what caching brings, of any slice."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query, Request

from services.api.access.auth import TeamReader
from services.api.access.sharing import answered_once
from services.api.accounting.completeness import folded, not_added_up
from services.api.database.remembered import BookedDays
from services.api.database.tenant import read_tenant
from services.api.database.transactions import EVERY_TEAM, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, dimensions_of, filters_of
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import FirstDay, RangeName, UntilDay, day_range, named_days
from services.api.unit_economics.economics import row_of
from services.api.unit_economics.models import UnitEconomics, VersionRelease
from services.api.unit_economics.reading import CALLS, CELLS, SQL, UnitsAsked, read_units

DAYS, DAYS_MAX = 30, 100
DIMENSIONS_MAX = 3
RELEASES_MAX = 50
PROJECTIONS = (CELLS, CALLS)
PARAMETERS = ("range", "from", "to", "group_by", "top")

router = APIRouter(tags=["unit economics"], route_class=Negotiated)


@router.get(
    "/v1/unit-economics",
    responses=answers("unit_economics"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
@answered_once
async def get_unit_economics(
    request: Request,
    caller: TeamReader,
    start: FirstDay = None,
    end: UntilDay = None,
    range: Annotated[
        RangeName | None,
        Query(description="whole days of UTC by name, instead of from and to; those of today end tomorrow"),
    ] = None,
    group_by: Annotated[
        str, Query(description="at most three dimensions, separated by commas", examples=["sku,team"])
    ] = "",
    top: Annotated[int, Query(ge=1, le=500, description="groups, the dearest first")] = 100,
) -> UnitEconomics:
    """What models cost a request and a thousand tokens, how much of the input came from a cache and what
    that saved against all of it uncached, and how many attempts a success took; of class `model`."""
    filters = filters_of(request.query_params.multi_items(), PARAMETERS)
    dimensions = dimensions_of(group_by)
    if len(dimensions) > DIMENSIONS_MAX:
        raise invalid("group_by", f"names at most {DIMENSIONS_MAX} dimensions")
    now = datetime.now(UTC)
    async with database_of(request).seen_by(caller.onlooker, spend=True) as connection:
        if range is not None:
            if start or end:
                raise invalid("range", "stands instead of from and to: give the range or these, not both")
            tenant = await read_tenant(connection, caller.tenant)
            start, end = named_days(range, tenant.calendar("UTC"), now)
        start, end = day_range(start, end, now.date(), days=DAYS, days_max=DAYS_MAX)
        check_dimensions(dimensions, filters, await known_dimensions(connection, [*dimensions, *filters]))
        complete, unfolded = await folded(request, connection, caller.onlooker, *PROJECTIONS)
        asked = UnitsAsked(caller.onlooker, filters, tuple(dimensions))
        kept: BookedDays = request.app.state.booked_days
        found = await read_units(connection, asked, (start, end), now.date(), top, kept)
        releases = []
        if caller.onlooker.team == EVERY_TEAM:
            releases = await connection.fetch(SQL["releases"], start, end, filters, RELEASES_MAX)
    return UnitEconomics(
        first_day=start,
        until=end,
        group_by=dimensions,
        groups=found.groups,
        not_in_it=not_added_up(caller.onlooker, unfolded),
        rows=[row_of(row, dimensions, found.calls.get(tuple(row["key"]))) for row in found.rows],
        releases=[VersionRelease(**row) for row in releases],
        **vars(complete),
    )
