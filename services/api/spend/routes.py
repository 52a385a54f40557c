"""`GET /v1/spend`: what was spent, by any dimensions and calendar buckets, from the minute rollups alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.api.access.auth import Reader
from services.api.accounting.routes import completeness
from services.api.database.tenant import Tenant, calendar_of, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.cursors import decode_cursor, digest_of, encode_cursor
from services.api.http.filters import FILTER_PARAMETERS, dimensions_of, filters_of
from services.api.http.models import Complete, DecimalString
from services.api.http.openapi import answers
from services.api.http.pretty import PRETTY
from services.api.http.problems import invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import From, Range, To, Zone, span_of, whole_minutes, zone_of
from services.api.spend.buckets import Bucket, bucket_edges
from services.api.spend.sums import (
    NOTHING,
    Cell,
    GroupTotal,
    Measure,
    Page,
    Wanted,
    has_more,
    page_of,
    read_buckets,
    read_quantities,
    read_totals,
)
from spendmeter.contracts.events import Instant
from spendmeter.contracts.money import ZERO, total

TOP_MAX = 1_000
SERIES_ROWS_MAX = 5_000
SKIP_MAX = 10**8
"""Groups of a currency that pages can go through: more than any tenant has."""
PARAMETERS = (
    "from", "to", "range", "bucket", "tz", "group_by", "measure", "top", "usage", "limit", "cursor",
)  # fmt: skip
_SAME_QUESTION = ("cursor", "limit", "usage", PRETTY)
"""What may differ between the pages of one question."""

router = APIRouter(tags=["spend"], route_class=Negotiated)

Cut = Literal["start", "end", "open"]


class SpendRow(BaseModel):
    """The sums of one group (beside these: one text a dimension of `group_by`); amounts in `currency`.

    `others` = how many groups this row sums up, all that the page does not name, whose dimensions are null;
    0 = it is of one group."""

    model_config = ConfigDict(extra="allow")

    currency: str
    others: int = 0
    events: int = 0
    unpriced_events: int = 0
    list: DecimalString = ZERO
    contracted: DecimalString = ZERO
    effective: DecimalString = ZERO
    amount: DecimalString = ZERO
    of_which_provisional: DecimalString = ZERO
    usage: dict[str, DecimalString] = Field(default_factory=dict)


class SeriesRow(SpendRow):
    """The same of one calendar bucket, 0 where nothing was spent; a bucket that has not begun has no row.

    `cut`: the range begins (`start`) or ends (`end`) within the bucket, so the sums are of a part of it;
    `open`: the bucket is not over."""

    bucket_start: datetime
    bucket_end: datetime
    cut: list[Cut] = Field(default_factory=list)


class Spend(Complete):
    """The answer. Amounts are plain decimal strings; each currency has rows of its own and is never added
    to another; what stands beside the rows is in `currency`, the tenant's. The rows of `totals` add up to all
    that was spent in the range, whichever page they are of."""

    TABLES: ClassVar = ("series", "totals")

    currency: str
    tz: str
    from_: datetime = Field(alias="from")
    to: datetime
    measure: Measure
    of_which_provisional: DecimalString
    unpriced_events: int
    totals: list[SpendRow]
    series: list[SeriesRow]
    next_cursor: str | None = Field(None, description="of the series' next page; null on the last")
    next_groups: str | None = Field(
        None, description="a cursor too: of the groups that come after these; null when all were named"
    )


class _Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Where a page begins: of which question and span, after which groups, at which row of the series."""

    question: str
    start: Instant
    end: Instant
    skip: Annotated[int, msgspec.Meta(ge=0, le=SKIP_MAX)] = 0
    bucket: Annotated[int, msgspec.Meta(ge=1, le=SERIES_ROWS_MAX)] = 1
    row: Annotated[int, msgspec.Meta(ge=0, le=SKIP_MAX)] = 0


@dataclass(frozen=True, kw_only=True)
class SpendQuestion:
    """A checked question."""

    wanted: Wanted
    tz: str
    place: _Place
    with_series: bool
    with_usage: bool
    rows_max: int
    now: datetime


@router.get(
    "/v1/spend",
    summary="What was spent, by any dimensions and over time",
    responses=answers("spend"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_spend(
    request: Request,
    caller: Reader,
    start: From = None,
    end: To = None,
    range: Range = None,
    bucket: Annotated[Bucket | None, Query(description="asks for a series of such calendar buckets")] = None,
    tz: Zone = None,
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
) -> Spend:
    """Spend in `[from, to)`, widened to whole minutes; without a range, today's. Totals are of the groups
    that spent in the range: the `top` largest by name, and all others in one row. With a bucket, a series of
    the same rows."""
    parameters = request.query_params.multi_items()
    filters = filters_of(parameters, PARAMETERS)
    dimensions = dimensions_of(group_by)
    question = digest_of([*parameters, ("tenant", caller.tenant)], _SAME_QUESTION)
    now = datetime.now(UTC)
    async with database_of(request).reading(caller.tenant) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        calendar = calendar_of(tenant, zone_of(tz) if tz else None)
        span = span_of(range, start, end, calendar, now)
        place = _place(cursor, question) or _Place(question=question, start=now, end=now)
        first, beyond = whole_minutes(*((place.start, place.end) if cursor else span), calendar.zone, now)
        wanted = Wanted(
            start=first, end=beyond, group_by=dimensions, filters=filters, measure=measure, skip=place.skip,
            top=top, edges=bucket_edges(first, beyond, bucket, calendar) if bucket else [first, beyond],
        )  # fmt: skip
        asked = SpendQuestion(
            wanted=wanted, tz=str(calendar.zone), with_series=bucket is not None, with_usage=usage,
            place=msgspec.structs.replace(place, start=first, end=beyond), rows_max=limit, now=now,
        )  # fmt: skip
        return await _answer(request, connection, tenant, asked)


def _place(cursor: str, question: str) -> _Place | None:
    if not cursor:
        return None
    place = decode_cursor(cursor, _Place)
    if place.question != question:
        raise invalid("cursor", "belongs to another question: repeat the one that it was given for")
    return place


async def _answer(
    request: Request, connection: TenantConnection, tenant: Tenant, asked: SpendQuestion
) -> Spend:
    complete = await completeness(request, connection)
    wanted, place = asked.wanted, asked.place
    totals = await read_totals(connection, wanted, tenant.currency)
    page, following, sums = None, None, {}
    if asked.with_series:
        page, following = page_of(totals, wanted.edges, (place.bucket, place.row), asked.rows_max, asked.now)
        sums = await read_buckets(connection, wanted, totals, page)
    quantities = await read_quantities(connection, wanted, totals, page) if asked.with_usage else {}
    own = [each for each in totals if each.currency == tenant.currency]
    return Spend.model_validate(
        {
            "currency": tenant.currency,
            "tz": asked.tz,
            "from": _local(wanted.start, asked),
            "to": _local(wanted.end, asked),
            "measure": wanted.measure,
            "of_which_provisional": total(each.sums["of_which_provisional"] for each in own),
            "unpriced_events": sum(each.sums["unpriced_events"] for each in totals),
            "totals": [_row(each, 0, each.sums, quantities, asked) for each in totals],
            "series": list(_series(totals, page, sums, quantities, asked)) if page else [],
            "next_cursor": following and _cursor(place, bucket=following[0], row=following[1]),
            "next_groups": _cursor(place, skip=wanted.skip + wanted.top, bucket=1, row=0)
            if has_more(totals, wanted)
            else None,
            **vars(complete),
        }
    )


def _cursor(place: _Place, **where: int) -> str:
    return encode_cursor(msgspec.structs.replace(place, **where))


def _row(
    each: GroupTotal, n: int, sums: Mapping[str, Any], quantities: Mapping[Cell, Any], asked: SpendQuestion
) -> dict[str, Any]:
    return {
        **each.group,
        "currency": each.currency,
        "others": each.others,
        **sums,
        "amount": sums[asked.wanted.measure],
        "usage": quantities.get((each.currency, each.place, n), {}),
    }


def _series(
    totals: list[GroupTotal],
    page: Page,
    sums: Mapping[Cell, Any],
    quantities: Mapping[Cell, Any],
    asked: SpendQuestion,
) -> Iterable[dict[str, Any]]:
    for n, each in page.cells(totals):
        first, beyond = asked.wanted.edges[n - 1 : n + 1]
        yield {
            **_row(each, n, sums.get((each.currency, each.place, n), NOTHING), quantities, asked),
            "bucket_start": _local(first, asked),
            "bucket_end": _local(beyond, asked),
            "cut": _cut(first, beyond, asked),
        }


def _cut(first: datetime, beyond: datetime, asked: SpendQuestion) -> list[Cut]:
    """How the sums of [first, beyond) may not be those of the whole bucket."""
    cuts: dict[Cut, bool] = {
        "start": first < asked.wanted.start,
        "end": beyond > asked.wanted.end,
        "open": beyond > asked.now,
    }
    return [name for name, cut in cuts.items() if cut]


def _local(at: datetime, asked: SpendQuestion) -> datetime:
    return at.astimezone(zone_of(asked.tz))
