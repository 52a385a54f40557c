"""`GET /v1/spend`: what was spent, by any dimensions and calendar buckets, from the rollups alone."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import replace as replace_question
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request, Response
from msgspec.structs import replace

from services.api.access.auth import TeamReader
from services.api.access.sharing import question_key
from services.api.accounting.completeness import completeness_for, proved_for
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import Onlooker, TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.compared import Compare, shift_of
from services.api.http.cursors import digest_of
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, dimensions_of, filters_of
from services.api.http.models import NOT_MEASURED, Complete
from services.api.http.openapi import answers
from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from services.api.http.representation import JSON, Negotiated
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import SpanParameters, in_whole_minutes, span_of, whole_minutes
from services.api.spend.buckets import Bucket, bucket_edges
from services.api.spend.closed import ClosedSums, GroupSum
from services.api.spend.groups import PlacedSums, cells_of, read_groups, sums_at, totals_of
from services.api.spend.models import Cut, Spend
from services.api.spend.moments import AsOf, stood_at, told_of
from services.api.spend.pages import GroupTotal, Page, page_of
from services.api.spend.past import BESIDE_MAX, BucketAmounts, PastSpend, cover_period, read_past, with_gone
from services.api.spend.question import (
    SERIES_ROWS_MAX,
    Measure,
    SpendCursor,
    SpendQuestion,
    read_spend_cursor,
)
from services.api.spend.ratios import MODEL, ratios_of
from services.api.spend.sums import BucketSums, read_cells, read_totals
from spendmeter.book.as_of import StoodAt
from spendmeter.contracts.money import plain, total

TOP_MAX = 1_000
PARAMETERS = "from to range bucket tz group_by measure top usage compare ratios as_of limit cursor".split()
_SAME_QUESTION = ("cursor", "limit", "usage", PRETTY)
"""What may differ between the pages of one question."""

_TOO_MANY = invalid(
    "group_by",
    "too many groups or buckets for something to stand beside each: filter, or ask for larger buckets",
)

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
    caller: TeamReader,
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
    compare: Annotated[
        Compare | None,
        Query(description="what each row was before: as many days before, or the same days last month"),
    ] = None,
    ratios: Annotated[bool, Query(description="what each row's cost is measured by: events, tokens")] = False,
    as_of: AsOf = None,
    limit: Annotated[int, Query(ge=1, le=SERIES_ROWS_MAX, description="rows of series a page")] = 1_000,
    cursor: Annotated[str, Query(description="`next_cursor` or `next_groups` of the page before")] = "",
) -> Response:
    """Spend in `[from, to)`, widened to whole minutes; without a range, today's. Totals are of the groups
    that spent in the range: the `top` largest by name, and all others in one row. With a bucket, a series of
    the same rows.

    With `as_of` it is as the book stood then: the answer says by which moment (the last one up to it), and up
    to where the book is proved; before that it never changes. A group that came to nothing then has no row, a
    quantity of nothing no figure.

    Minutes are kept for 35 days, unless the installation says otherwise. What is older is there by hours of
    the tenant's time zone, to the last digit: a question that cuts through one (bucket=minute, a time such as
    12:30, a `tz` whose hours begin at other minutes) is refused with 422, and says since when minutes are
    there."""
    parameters = in_whole_minutes(request.query_params.multi_items())
    filters = filters_of(parameters, PARAMETERS)
    dimensions = dimensions_of(group_by)
    digest = digest_of([*parameters, *caller.onlooker._asdict().items()], _SAME_QUESTION)
    asked_at = datetime.now(UTC)
    minutes = dict(parameters)
    span = span._replace(start=minutes.get("from"), end=minutes.get("to"))

    async def answer() -> bytes:
        async with database_of(request).seen_by(caller.onlooker, spend=True) as connection:
            check_dimensions(dimensions, filters, await known_dimensions(connection, [*dimensions, *filters]))
            tenant = await read_tenant(connection, caller.tenant)
            calendar = tenant.calendar(span.tz)
            page = read_spend_cursor(cursor, digest) if cursor else None
            stood = await stood_at(connection, as_of, calendar, caller.team, page.stood_at if page else None)
            moment = stood.moment if stood else None
            now = stood.at if stood else asked_at
            start, end = span_of(span, calendar, now)
            if page:
                start, end = page.start, page.end
            place = page or SpendCursor(question=digest, start=now, end=now, stood_at=stood and stood.at)
            first, beyond = whole_minutes(start, end, calendar.zone, now)
            edges = bucket_edges(first, beyond, bucket, calendar) if bucket else [first, beyond]
            question = SpendQuestion(
                cursor=replace(place, start=first, end=beyond),
                spent=await cover_period(connection, tenant, [first, *edges[1:-1], beyond], moment),
                zone=calendar.zone,
                group_by=dimensions,
                filters=filters,
                measure=measure,
                top=top,
                edges=edges,
                with_series=bucket is not None,
                with_usage=usage,
                now=now,
                team=caller.team,
                moment=moment,
            )
            found = await _read(
                request,
                connection,
                _Asked(question, tenant, caller.onlooker, compare, ratios, stood),
                rows_max=limit,
            )
        return _written(found)

    key = question_key(request, caller.onlooker, parameters), asked_at.replace(second=0, microsecond=0)
    content = await shared_answers_of(request).get(key, answer, fresh=wants_fresh(request))
    return Response(content, media_type=JSON)


class _Asked(NamedTuple):
    question: SpendQuestion
    tenant: Tenant
    onlooker: Onlooker
    compare: Compare | None
    ratios: bool
    stood: StoodAt | None


@dataclass(frozen=True, kw_only=True)
class _Found:
    """All that an answer is written from."""

    question: SpendQuestion
    stood: StoodAt | None
    currency: str
    totals: list[GroupTotal]
    page: Page | None
    following: tuple[int, int] | None
    cells: BucketSums
    complete: Complete
    proved_until: datetime | None
    past: PastSpend | None
    amounts: BucketAmounts
    models: Mapping[tuple[str, int | None, int], GroupSum] | None
    """Of calls to models, what stands in `cells` of all; None = it is not asked for."""


async def _read(request: Request, connection: TenantConnection, asked: _Asked, *, rows_max: int) -> _Found:
    question, currency = asked.question, asked.tenant.currency
    cursor = question.cursor
    complete = (
        NOT_MEASURED if question.moment else await completeness_for(request, connection, asked.onlooker)
    )
    closed: ClosedSums = request.app.state.closed
    beside = asked.compare is not None or asked.ratios
    placed = await read_groups(connection, question, closed, BESIDE_MAX if beside else None)
    past, models = await _read_beside(connection, asked, closed)
    if beside and placed is None:
        raise _TOO_MANY
    if placed is None:
        totals = await read_totals(connection, question, currency)
    else:
        placed = with_gone(placed, past) if past else placed
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
        stood=asked.stood,
        currency=currency,
        totals=totals,
        page=page,
        following=following,
        cells=cells,
        complete=complete,
        proved_until=None if question.moment else proved_for(request, asked.onlooker),
        past=past,
        amounts=past.amounts(totals, question) if past else {},
        models=None if models is None else sums_at(models, totals, question),
    )


async def _read_beside(
    connection: TenantConnection, asked: _Asked, closed: ClosedSums
) -> tuple[PastSpend | None, PlacedSums | None]:
    """What was spent before, and on models, where it is asked for. Raises HttpRefusal (422)."""
    question, past, models = asked.question, None, None
    if asked.compare:
        shift = shift_of(asked.compare, question.cursor.start, question.until, question.zone)
        past = await read_past(connection, asked.tenant, question, shift, closed)
    if asked.ratios:
        classes = question.filters.get("cost_class", (MODEL,))
        only = replace_question(
            question, filters={**question.filters, "cost_class": [each for each in classes if each == MODEL]}
        )
        models = await read_groups(connection, only, closed, BESIDE_MAX)
    if (asked.compare and past is None) or (asked.ratios and models is None):
        raise _TOO_MANY
    return past, models


def _written(found: _Found) -> bytes:
    """`models.Spend` as JSON has it: thousands of rows are an answer, too many to validate."""
    question, following = found.question, found.following
    rows = found.page.cells(found.totals) if found.page else []
    spans = {n: _span(question, n) for n in {n for n, _ in rows}}
    answer = {
        **_heading(found),
        "totals": [_row(found, each, 0) for each in found.totals],
        "series": [_row(found, each, n) | spans[n] for n, each in rows],
        "next_cursor": question.cursor.at(bucket=following[0], row=following[1]) if following else None,
        **vars(found.complete),
    }
    if found.stood is None:
        answer["proved_until"] = found.proved_until
    return msgspec.json.encode(answer)


def _heading(found: _Found) -> dict[str, Any]:
    """What stands beside the rows."""
    question, totals, currency = found.question, found.totals, found.currency
    cursor = question.cursor
    own = [each for each in totals if each.currency == currency]
    has_more = any(each.others > cursor.skip for each in totals)
    return {
        "currency": currency,
        "tz": str(question.zone),
        "from": cursor.start.astimezone(question.zone),
        "to": cursor.end.astimezone(question.zone),
        "measure": question.measure,
        **told_of(found.stood, question.zone, question.team),
        "compared_with": _told(found.past, question),
        "of_which_provisional": plain(total(each.spent.sums["of_which_provisional"] for each in own)),
        "unpriced_events": sum(each.spent.sums["unpriced_events"] for each in totals),
        "next_groups": cursor.at(skip=cursor.skip + question.top, bucket=1, row=0) if has_more else None,
    }


def _told(past: PastSpend | None, question: SpendQuestion) -> dict[str, datetime] | None:
    if past is None:
        return None
    return dict(zip(("from", "to"), (at.astimezone(question.zone) for at in past.span), strict=True))


def _row(found: _Found, each: GroupTotal, n: int) -> dict[str, Any]:
    at = each.currency, each.place, n
    cell, past, models = found.cells[at], found.past, found.models
    texts = cell.texts()
    return {
        **each.group,
        "currency": each.currency,
        "others": each.others,
        **texts.sums,
        "amount": texts.sums[found.question.measure],
        "usage": texts.usage if found.question.with_usage else {},
        "compared": past.row(cell.sums[found.question.measure], found.amounts, at) if past else {},
        "ratios": {} if models is None else ratios_of(cell, models.get(at)),
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
