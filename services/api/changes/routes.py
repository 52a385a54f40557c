"""`GET /v1/spend/changes`: what cost more or less than before, why, and who contributed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from services.api.access.auth import TeamReader
from services.api.access.sharing import question_key
from services.api.accounting.completeness import completeness_for
from services.api.changes.contributors import GroupChange, changes_of, row_of, top_of
from services.api.changes.models import SpendChanges
from services.api.changes.prices import PastPrices, read_unit_worth
from services.api.changes.reading import GROUPS_MAX, SPLIT_MAX, read_used
from services.api.changes.uses import SERVED, USE, Compared, compared, unsplit
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import Onlooker, TenantConnection, database_of
from services.api.dimensions.names import known_dimensions
from services.api.http.compared import Compare, FromTo, lengths_of, measure_of, shift_of
from services.api.http.filters import FILTER_PARAMETERS, check_dimensions, dimensions_of, filters_of
from services.api.http.models import NOT_MEASURED, Complete
from services.api.http.openapi import answers
from services.api.http.problems import invalid
from services.api.http.representation import JSON, Negotiated
from services.api.http.shared_answers import shared_answers_of, wants_fresh
from services.api.http.spans import (
    SpanParameters,
    SpanQuestion,
    TenantCalendar,
    checked_range,
    in_whole_minutes,
    instant_of,
    span_of,
    whole_minutes,
)
from services.api.spend.closed import ClosedSums, GroupKey, GroupSum
from services.api.spend.moments import AsOf, stood_at, told_of
from services.api.spend.past import cover_past, cover_period
from services.api.spend.question import Filters
from spendmeter.book.as_of import Moment, StoodAt

TOP_MAX = 1_000
PARAMETERS = "from to range tz compare before_from before_to group_by parts top as_of".split()

router = APIRouter(tags=["spend"], route_class=Negotiated)


@router.get(
    "/v1/spend/changes",
    summary="What changed: why a period cost more or less than one before",
    response_model=SpendChanges,
    responses=answers("changes"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_changes(
    request: Request,
    caller: TeamReader,
    span: SpanParameters,
    compare: Annotated[
        Compare, Query(description="with as many days before, or with the same days last month")
    ] = "previous",
    before_from: Annotated[str | None, Query(description="with this period instead: its start")] = None,
    before_to: Annotated[str | None, Query(description="its end, exclusive")] = None,
    group_by: Annotated[
        str, Query(description="contributors by these dimensions", examples=["team", "sku"])
    ] = "",
    parts: Annotated[bool, Query(description="false leaves the parts of contributors out")] = True,
    top: Annotated[
        int, Query(ge=1, le=TOP_MAX, description="contributors of each currency, the largest change first")
    ] = 20,
    as_of: AsOf = None,
) -> Response:
    """The change of effective cost between two periods, in parts that sum to it to the last digit, and who
    contributed. Without a range, of the last seven days. A period that is not over is compared up to now,
    with the one before up to the same time of day.

    One thing after the other is set from what it was to what it is: the length of the period, calls, the
    models that they go to, how large each is, how much of its input is cached, and last what a unit costs; so
    what two things did together counts for the later one. Of hours, gigabytes and seats no call is counted
    but they themselves. Amounts are those of `/v1/spend`.

    With `as_of` amounts and quantities are as the book stood then. What units are worth, which weighs parts
    against each other, is always what is known now: nobody wrote down what it was taken for then."""
    parameters = in_whole_minutes(request.query_params.multi_items())
    filters = filters_of(parameters, PARAMETERS)
    group = dimensions_of(group_by)
    asked_at = datetime.now(UTC)
    minutes = dict(parameters)
    span = span._replace(start=minutes.get("from"), end=minutes.get("to"))
    if span[:3] == (None, None, None):
        span = span._replace(range="last_7_days")

    async def answer() -> bytes:
        async with database_of(request).seen_by(caller.onlooker, spend=True) as connection:
            check_dimensions(group, filters, await known_dimensions(connection, [*group, *filters]))
            tenant = await read_tenant(connection, caller.tenant)
            calendar = tenant.calendar(span.tz)
            stood = await stood_at(connection, as_of, calendar, caller.team)
            now = stood.at if stood else asked_at
            period = _period(span, calendar, now)
            before = _before(period, compare, (before_from, before_to), calendar, now)
            question = _ChangeQuestion(
                tenant=tenant, onlooker=caller.onlooker, calendar=calendar, period=period, before=before,
                group_by=group, filters=filters, now=now, stood=stood,
            )  # fmt: skip
            found = await _read(request, connection, question)
        return _written(found, with_parts=parts, top=top)

    key = question_key(request, caller.onlooker, parameters), asked_at.replace(second=0, microsecond=0)
    content = await shared_answers_of(request).get(key, answer, fresh=wants_fresh(request))
    return Response(content, media_type=JSON)


@dataclass(frozen=True, kw_only=True)
class _ChangeQuestion:
    tenant: Tenant
    onlooker: Onlooker
    calendar: TenantCalendar
    period: FromTo
    before: FromTo
    group_by: Sequence[str]
    filters: Filters
    now: datetime
    stood: StoodAt | None

    @property
    def moment(self) -> Moment | None:
        return self.stood.moment if self.stood else None


_Sides = tuple[Mapping[GroupKey, GroupSum], Mapping[GroupKey, GroupSum]]


@dataclass(frozen=True, kw_only=True)
class _FoundChanges:
    question: _ChangeQuestion
    before: FromTo
    uses: Sequence[str]
    whole: Sequence[GroupChange]
    contributors: Sequence[GroupChange]
    with_parts: bool
    complete: Complete


def _period(span: SpanQuestion, calendar: TenantCalendar, now: datetime) -> FromTo:
    """As far as it has gone."""
    first, beyond = whole_minutes(*span_of(span, calendar, now), calendar.zone, now)
    gone = whole_minutes(first, now, calendar.zone, now)[1] if first < now else beyond
    return first, min(beyond, gone)


def _before(
    period: FromTo,
    compare: Compare,
    asked: tuple[str | None, str | None],
    calendar: TenantCalendar,
    now: datetime,
) -> FromTo:
    """What it is compared with. Raises HttpRefusal (422)."""
    edges = [
        instant_of(name, text, calendar.zone)
        for name, text in zip(("before_from", "before_to"), asked, strict=True)
    ]
    if all(edges):
        return whole_minutes(edges[0], edges[1], calendar.zone, now)
    if any(edges):
        raise invalid("before_to" if edges[0] else "before_from", "is missing: both or neither")
    shift = shift_of(compare, *period, calendar.zone)
    first, beyond = map(shift, period)
    if first >= beyond:
        raise invalid("compare", "last month has no such days: ask for compare=previous")
    return checked_range(first, beyond)


async def _read(request: Request, connection: TenantConnection, question: _ChangeQuestion) -> _FoundChanges:
    tenant, now = question.tenant, question.now
    moment = question.moment
    complete = NOT_MEASURED if moment else await completeness_for(request, connection, question.onlooker)
    coverage = await cover_period(connection, tenant, question.period, moment)
    edges, past = await cover_past(connection, tenant, question.before, moment)
    before = edges[0], edges[-1]
    closed: ClosedSums = request.app.state.closed

    async def used_by(dimensions: Sequence[str], most: int) -> _Sides | None:
        sides = [
            await read_used(
                connection, covered, span, dimensions=dimensions, filters=question.filters,
                zone=question.calendar.zone, now=now, team=question.onlooker.team, closed=closed, most=most,
                moment=moment,
            )
            for span, covered in ((before, past), (question.period, coverage))
        ]  # fmt: skip
        return None if sides[0] is None or sides[1] is None else (sides[0], sides[1])

    own = [name for name in question.group_by if name not in SERVED]
    dimensions: Sequence[str] = list(dict.fromkeys((*USE, *SERVED, *own)))
    used = await used_by(dimensions, SPLIT_MAX)
    if used is None:
        dimensions = (*USE[:1], *SERVED)
        used = await used_by(dimensions, SPLIT_MAX)
    if used is None:
        raise invalid("filter", "too many models spent then to compare them all: add a filter")
    groups, by = await _split(request, connection, question, before, dimensions, used), dimensions
    contributors = groups
    if not {*question.group_by} <= {*dimensions}:
        grouped, by = await used_by(question.group_by, GROUPS_MAX), question.group_by
        if grouped is None:
            raise invalid("group_by", "too many values of these spent then: add a filter")
        contributors = unsplit(grouped)
    return _FoundChanges(
        question=question,
        before=before,
        uses=[name for name in dimensions if name not in SERVED],
        whole=changes_of(dimensions, groups, ()),
        contributors=changes_of(by, contributors, question.group_by) if question.group_by else (),
        with_parts=contributors is groups,
        complete=complete,
    )


async def _split(
    request: Request,
    connection: TenantConnection,
    question: _ChangeQuestion,
    before: FromTo,
    dimensions: Sequence[str],
    used: _Sides,
) -> Mapping[GroupKey, Compared]:
    past: PastPrices = request.app.state.past_prices
    spans = before, question.period
    worth = [await read_unit_worth(connection, question.onlooker, span, past, question.now) for span in spans]
    await asyncio.sleep(0)  # some milliseconds of work to come: others first
    lengths = lengths_of(question.period, before, question.calendar.zone)
    return compared(dimensions, used, (worth[0], worth[1]), lengths)


def _written(found: _FoundChanges, *, with_parts: bool, top: int) -> bytes:
    """`models.SpendChanges` as JSON has it."""
    question, zone = found.question, found.question.calendar.zone
    own = question.tenant.currency
    whole = sorted(found.whole, key=lambda each: (each.currency != own, each.currency))
    with_parts = with_parts and found.with_parts
    rows: list[dict[str, Any]] = []
    for each in whole:
        named, others = top_of([of for of in found.contributors if of.currency == each.currency], top)
        shown = [*named, *([others] if others else ())]
        rows += [row_of(of, question.group_by, each, with_parts=with_parts) for of in shown]
    lengths = lengths_of(question.period, found.before, zone)
    spans = {"period": question.period, "before": found.before}
    answer: dict[str, Any] = {
        "currency": own,
        "tz": str(zone),
        **told_of(question.stood, zone, question.onlooker.team),
        **{
            name: {"from": span[0].astimezone(zone), "to": span[1].astimezone(zone), "length": int(length)}
            for (name, span), length in zip(spans.items(), lengths, strict=True)
        },
        "measured_in": measure_of(question.period, found.before, zone),
        "uses": found.uses,
        "currencies": [row_of(each, ()) for each in whole],
        "contributors": rows,
        **vars(found.complete),
    }
    return msgspec.json.encode(answer)
