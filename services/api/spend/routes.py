"""`GET /v1/spend`: what was spent, by any dimensions and calendar buckets, from the rollups alone."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace

from services.api.access.auth import Reader
from services.api.accounting.completeness import completeness
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.cursors import digest_of
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, dimensions_of, filters_of
from services.api.http.models import Complete
from services.api.http.openapi import answers
from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from services.api.http.representation import JSON, Negotiated
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import SpanParameters, in_whole_minutes, span_of, whole_minutes
from services.api.spend.buckets import Bucket, bucket_edges, too_fine
from services.api.spend.closed import ClosedSums
from services.api.spend.groups import cells_of, read_groups, totals_of
from services.api.spend.models import Cut, Spend
from services.api.spend.pages import GroupTotal, Page, page_of
from services.api.spend.question import (
    SERIES_ROWS_MAX,
    Measure,
    SpendCursor,
    SpendQuestion,
    read_spend_cursor,
)
from services.api.spend.sums import BucketSums, read_cells, read_totals
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import Coverage, spent_in
from spendmeter.contracts.money import plain, total

TOP_MAX = 1_000
PARAMETERS = "from to range bucket tz group_by measure top usage limit cursor".split()
_SAME_QUESTION = ("cursor", "limit", "usage", PRETTY)
"""What may differ between the pages of one question."""

router = APIRouter(tags=["spend"], route_class=Negotiated)


@router.get(
    "/v1/spend",
    summary="What was spent, by any dimensions and over time",
    response_model=Spend,
    responses=answers("spend"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_spend(
    request: Request,
    caller: Reader,
    span: SpanParameters,
    bucket: Annotated[Bucket | None, Query(description="asks for a series of such calendar buckets")] = None,
    group_by: Annotated[
        str, Query(description="dimensions, separated by commas", examples=["team,sku"])
    ] = "",
    measure: Annotated[
        Measure, Query(description="what `amount` repeats and totals are ranked by")
    ] = "effective",
    top: Annotated[
        int, Query(ge=1, le=TOP_MAX, description="groups of each currency that are named, the largest first")
    ] = 100,
    usage: Annotated[bool, Query(description="false leaves quantities out, which is faster")] = True,
    limit: Annotated[int, Query(ge=1, le=SERIES_ROWS_MAX, description="rows of series a page")] = 1_000,
    cursor: Annotated[str, Query(description="`next_cursor` or `next_groups` of the page before")] = "",
) -> Response:
    """Spend in `[from, to)`, widened to whole minutes; without a range, today's. Totals are of the groups
    that spent in the range: the `top` largest by name, and all others in one row. With a bucket, a series of
    the same rows.

    Minutes are kept for 35 days, unless the installation says otherwise. What is older is there by hours of
    the tenant's time zone, to the last digit: a question that cuts through one (bucket=minute, a time such as
    12:30, a `tz` whose hours begin at other minutes) is refused with 422, and says since when minutes are
    there."""
    parameters = in_whole_minutes(request.query_params.multi_items())
    filters = filters_of(parameters, PARAMETERS)
    dimensions = dimensions_of(group_by)
    digest = digest_of([*parameters, ("tenant", caller.tenant)], _SAME_QUESTION)
    now = datetime.now(UTC)
    minutes = dict(parameters)
    span = span._replace(start=minutes.get("from"), end=minutes.get("to"))

    async def answer() -> bytes:
        async with database_of(request).reading(caller.tenant, spend=True) as connection:
            check_dimensions(dimensions, filters, await known_dimensions(connection, [*dimensions, *filters]))
            tenant = await read_tenant(connection, caller.tenant)
            calendar = tenant.calendar(span.tz)
            start, end = span_of(span, calendar, now)
            place = SpendCursor(question=digest, start=now, end=now)
            if cursor:
                place = read_spend_cursor(cursor, digest)
                start, end = place.start, place.end
            first, beyond = whole_minutes(start, end, calendar.zone, now)
            edges = bucket_edges(first, beyond, bucket, calendar) if bucket else [first, beyond]
            question = SpendQuestion(
                cursor=replace(place, start=first, end=beyond),
                spent=await _spent_in(connection, tenant, [first, *edges[1:-1], beyond]),
                zone=calendar.zone,
                group_by=dimensions,
                filters=filters,
                measure=measure,
                top=top,
                edges=edges,
                with_series=bucket is not None,
                with_usage=usage,
                now=now,
            )
            found = await _read(request, connection, question, tenant.currency, limit)
        return _written(found)

    key = caller.tenant, now.replace(second=0, microsecond=0), *sorted(parameters)
    content = await shared_answers_of(request).get(key, answer, fresh=wants_fresh(request))
    return Response(content, media_type=JSON)


async def _spent_in(connection: TenantConnection, tenant: Tenant, edges: list[datetime]) -> Coverage:
    """Raises HttpRefusal (422) where hours are too coarse, and minutes are no longer kept."""
    try:
        return await spent_in(connection, tenant.tenant, edges, tenant.timeline)
    except MinutesDropped as dropped:
        raise invalid("bucket", too_fine(dropped, tenant.timeline)) from dropped


@dataclass(frozen=True, kw_only=True)
class _Found:
    """All that an answer is written from."""

    question: SpendQuestion
    currency: str
    totals: list[GroupTotal]
    page: Page | None
    following: tuple[int, int] | None
    cells: BucketSums
    complete: Complete


async def _read(
    request: Request, connection: TenantConnection, question: SpendQuestion, currency: str, rows_max: int
) -> _Found:
    cursor = question.cursor
    complete = await completeness(request, connection)
    closed: ClosedSums = request.app.state.closed
    placed = await read_groups(connection, question, closed)
    if placed is None:
        totals = await read_totals(connection, question, currency)
    else:
        totals = totals_of(placed, question, currency)
        await asyncio.sleep(0)  # some milliseconds of work, and as much to come: others first
    page, following = None, None
    if question.with_series:
        page, following = page_of(totals, question.edges, (cursor.bucket, cursor.row), rows_max, question.now)
    if placed is None:
        cells = await read_cells(connection, question, totals, page)
    else:
        cells = cells_of(placed, question, totals, page)
    return _Found(
        question=question,
        currency=currency,
        totals=totals,
        page=page,
        following=following,
        cells=cells,
        complete=complete,
    )


def _written(found: _Found) -> bytes:
    """`models.Spend` as JSON has it: thousands of rows are an answer, too many to validate."""
    question, following = found.question, found.following
    rows = found.page.cells(found.totals) if found.page else []
    spans = {n: _span(question, n) for n in {n for n, _ in rows}}
    answer = {
        **_heading(question, found.totals, found.currency),
        "totals": [_row(found, each, 0) for each in found.totals],
        "series": [_row(found, each, n) | spans[n] for n, each in rows],
        "next_cursor": question.cursor.at(bucket=following[0], row=following[1]) if following else None,
        **vars(found.complete),
    }
    return msgspec.json.encode(answer)


def _heading(question: SpendQuestion, totals: list[GroupTotal], currency: str) -> dict[str, Any]:
    """What stands beside the rows."""
    cursor = question.cursor
    own = [each for each in totals if each.currency == currency]
    has_more = any(each.others > cursor.skip for each in totals)
    return {
        "currency": currency,
        "tz": str(question.zone),
        "from": cursor.start.astimezone(question.zone),
        "to": cursor.end.astimezone(question.zone),
        "measure": question.measure,
        "of_which_provisional": plain(total(each.spent.sums["of_which_provisional"] for each in own)),
        "unpriced_events": sum(each.spent.sums["unpriced_events"] for each in totals),
        "next_groups": cursor.at(skip=cursor.skip + question.top, bucket=1, row=0) if has_more else None,
    }


def _row(found: _Found, each: GroupTotal, n: int) -> dict[str, Any]:
    texts = found.cells[each.currency, each.place, n].texts()
    return {
        **each.group,
        "currency": each.currency,
        "others": each.others,
        **texts.sums,
        "amount": texts.sums[found.question.measure],
        "usage": texts.usage if found.question.with_usage else {},
    }


def _span(question: SpendQuestion, n: int) -> dict[str, Any]:
    """What stands in each row of a bucket of a series."""
    first, beyond = question.edges[n - 1 : n + 1]
    return {
        "bucket_start": first.astimezone(question.zone),
        "bucket_end": beyond.astimezone(question.zone),
        "cut": _cuts(first, beyond, question),
    }


def _cuts(first: datetime, beyond: datetime, question: SpendQuestion) -> list[Cut]:
    """How the sums of [first, beyond) may not be those of the whole bucket."""
    cuts: dict[Cut, bool] = {
        "start": first < question.cursor.start,
        "end": beyond > question.cursor.end,
        "open": beyond > question.now,
    }
    return [name for name, cut in cuts.items() if cut]
