"""Events one by one: the receipt, and the list that a figure is drilled down to."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Query, Request

from services.api.access.auth import TeamReader
from services.api.accounting.completeness import completeness_for
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.events.models import (
    EventList,
    ListedEvent,
    Receipt,
)
from services.api.events.read_receipt import SQL, read_receipt
from services.api.events.waiting import WAIT_S_MAX, Waiters, wait_s
from services.api.events.within import Limit, calendar_of, read_within
from services.api.http.cursors import decode_cursor, page
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, filters_of
from services.api.http.models import NOT_MEASURED
from services.api.http.openapi import answers
from services.api.http.problems import forbidden, invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import SpanParameters
from services.api.spend.moments import AsOf, stood_at, told_of
from services.api.spend.sums import read_series
from spendmeter.book.as_of import StoodAt
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.event_reading import TIME_AHEAD_MAX
from spendmeter.contracts.events import Instant

PARAMETERS = ("source", "id", "wait", "entries", "from", "to", "range", "tz", "limit", "cursor", "as_of")

router = APIRouter(tags=["events"], route_class=Negotiated)


class _Place(msgspec.Struct, frozen=True, array_like=True):
    """After which entry a page begins, and as the book stood when: None = as it stands."""

    time: Instant
    key: str
    seq: int
    stood_at: Instant | None = None


@router.get(
    "/v1/events",
    responses=answers(
        "receipt",
        missing="no such event is in the book; it may still be on its way",
        conflict="the event was booked in a month that is archived: the operator attaches it first",
    ),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_events(
    request: Request,
    caller: TeamReader,
    span: SpanParameters,
    source: Annotated[
        str | None, Query(max_length=256, description="with `id`: asks for the receipt")
    ] = None,
    id: Annotated[str | None, Query(max_length=256)] = None,
    wait: Annotated[
        str | None,
        Query(
            description=f"for a receipt: wait so long for it to be there, at most {WAIT_S_MAX:.0f}s",
            examples=["5s"],
        ),
    ] = None,
    entries: Annotated[
        Literal["in_force", "all"],
        Query(
            description="of a list. in_force: each event as it counts now, a retracted one not at all; all: "
            "every entry, what was reversed and its reversal too. Both add up to the same"
        ),
    ] = "in_force",
    limit: Limit = 50,
    cursor: str = "",
    as_of: AsOf = None,
) -> Receipt | EventList:
    """With `source` and `id`: the event's receipt (received, rated line by line, booked; or rejected, and
    why); with `wait`, as soon as it is there. Without: the booked events of `[from, to)`, newest first,
    filtered like spend. Who sees one team alone is shown no receipt: it tells of copies and corrections,
    whosever they are.

    With `as_of` the list is of what was in the book then, each event as it counted; a receipt says of each of
    its entries when it was recorded, and takes none."""
    filters = filters_of(request.query_params.multi_items(), PARAMETERS)
    if (source is None) != (id is None):
        raise invalid("source", "and id are given together, for a receipt, or not at all")
    if caller.team and (source, wait) != (None, None):
        raise forbidden(
            f"{caller.by} sees one team alone, and receipts are not shown by team: ask for the list"
        )
    if as_of is not None and source is not None:
        raise invalid("as_of", "is for the list: a receipt says of each entry when it was recorded")
    if wait is not None:
        if source is None or id is None:
            raise invalid("wait", "is for one event: give its source and id")
        waiting: Waiters = request.app.state.waiting
        await waiting.until_known(caller.tenant, identity(caller.tenant, source, id), wait_s(wait))
    async with database_of(request).seen_by(caller.onlooker) as connection:
        check_dimensions([], filters, await known_dimensions(connection, filters))
        if source is not None and id is not None:
            return await read_receipt(request, connection, caller.tenant, source, id)
        calendar = await calendar_of(connection, caller.tenant, span)
        after = decode_cursor(cursor, _Place) if cursor else None
        stood = await stood_at(connection, as_of, calendar, caller.team, after.stood_at if after else None)
        complete = NOT_MEASURED if stood else await completeness_for(request, connection, caller.onlooker)
        within = await read_within(connection, caller.tenant, span, stood and stood.at)
        series = await read_series(connection, filters) if filters or caller.team else None
        rows = await _list(connection, within, series, limit, after, entries == "all", stood)
    at = stood and stood.at
    events, more = page(
        ListedEvent, rows, limit, lambda row: (row["time"], row["identity"].hex(), row["seq"], at)
    )
    said = told_of(stood, calendar.zone, caller.team) | vars(complete)
    return EventList(events=events, next_cursor=more, **said)


async def _list(
    connection: TenantConnection,
    within: tuple[datetime, datetime],
    series: list[bytes] | None,
    limit: int,
    place: _Place | None,
    every_entry: bool,
    stood: StoodAt | None,
) -> list[Any]:
    place = place or _Place(within[1], "", 0)
    try:
        after = (place.time, bytes.fromhex(place.key), place.seq)
    except ValueError:
        raise invalid("cursor", "is not one that this route gave out") from None
    moment = None
    if stood is not None:  # what is dated later than that was nowhere yet
        moment, within = stood.moment.at, (within[0], min(within[1], stood.at + TIME_AHEAD_MAX))
    rows: list[Any] = await connection.fetch(
        SQL["list"], *within, series, *after, limit + 1, every_entry, moment
    )
    return rows
