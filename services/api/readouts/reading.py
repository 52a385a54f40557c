"""The sums that a readout is made of, out of the rollups as `/v1/spend` reads them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from services.api.database.tenant import Tenant
from services.api.database.transactions import EVERY_TEAM, TenantConnection
from services.api.http.problems import invalid
from services.api.http.spans import RANGE_DAYS_MAX, TenantCalendar, instant_of, whole_minutes
from services.api.readouts.answer import WindowSum
from services.api.readouts.asked import Sliced
from services.api.spend.buckets import Bucket, bucket_edges
from services.api.spend.closed import ClosedSums
from services.api.spend.groups import cells_of, read_groups, totals_of
from services.api.spend.pages import Page, page_of
from services.api.spend.past import cover_period
from services.api.spend.question import SpendCursor, SpendQuestion
from services.api.spend.sums import read_cells, read_totals
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import spent_in

ROWS_MAX = 10_000
GROUPS_MAX = 1_000


def span_of(start: str | None, end: str | None, calendar: TenantCalendar, now: datetime) -> list[datetime]:
    """[from, to) in whole minutes. Raises HttpRefusal (422): without a beginning the question has no bound,
    and any that were chosen here would be the answer to another one."""
    if start is None:
        raise invalid("from", "is needed: a question has at most 400 days")
    zone = calendar.zone
    return list(whole_minutes(instant_of("from", start, zone), instant_of("to", end, zone), zone, now))


def values_span(
    start: str | None, end: str | None, calendar: TenantCalendar, now: datetime
) -> list[datetime]:
    """The same for a list of names: without a beginning as many days as may be asked."""
    beyond = instant_of("to", end, calendar.zone) or now
    first = instant_of("from", start, calendar.zone)
    earliest = beyond - timedelta(days=RANGE_DAYS_MAX)
    return list(whole_minutes(first or earliest, beyond, calendar.zone, now))


async def whole_where_dropped(
    connection: TenantConnection, tenant: Tenant, span: Sequence[datetime]
) -> list[datetime]:
    """The span of a list of names, which is no figure: of what is older than minutes are kept whole hours."""
    first, beyond = span
    for _ in span:
        try:
            await spent_in(connection, tenant.tenant, [first, beyond], tenant.timeline)
        except MinutesDropped as dropped:
            hour = dropped.hour
            first = hour.start if hour.start < first < hour.end else first
            beyond = hour.end if hour.start < beyond < hour.end else beyond
    return [first, beyond]


async def question_of(
    connection: TenantConnection,
    tenant: Tenant,
    span: Sequence[datetime],
    bucket: Bucket | None,
    calendar: TenantCalendar,
    sliced: Sliced,
    now: datetime,
) -> SpendQuestion:
    """The question as spend asks it. Raises HttpRefusal (422) for too many windows, and for what is too old
    to be told by them."""
    first, beyond = span
    edges = bucket_edges(first, beyond, bucket, calendar) if bucket else [first, beyond]
    return SpendQuestion(
        cursor=SpendCursor(question="", start=first, end=beyond),
        spent=await cover_period(connection, tenant, [first, *edges[1:-1], beyond]),
        zone=calendar.zone,
        group_by=sliced.dimensions,
        filters=sliced.filters,
        measure="effective",
        top=GROUPS_MAX,
        edges=edges,
        with_series=bucket is not None,
        with_usage=True,
        now=now,
        team=EVERY_TEAM,
    )


async def read_cells_of(
    connection: TenantConnection, question: SpendQuestion, closed: ClosedSums, own_currency: str
) -> list[WindowSum]:
    """What each group came to in each window, or in all. Raises HttpRefusal (422) for too many: a row of all
    others is nothing that these clients know."""
    placed = await read_groups(connection, question, closed)
    if placed is None:
        totals = await read_totals(connection, question, own_currency)
    else:
        totals = totals_of(placed, question, own_currency)
    if any(each.others for each in totals):
        raise invalid("groupBy", f"more than {GROUPS_MAX} groups: filterGroupBy, or a shorter range")
    page: Page | None = None
    if question.with_series:
        page, following = page_of(totals, question.edges, (1, 0), ROWS_MAX, question.now)
        if following:
            raise invalid("windowSize", f"more than {ROWS_MAX} rows: a shorter range, or larger windows")
    if placed is None:
        cells = await read_cells(connection, question, totals, page)
    else:
        cells = cells_of(placed, question, totals, page)
    spans = question.spans
    if page is None:
        return [WindowSum(spans[0], spans[-1], each, cells[each.currency, each.place, 0]) for each in totals]
    return [
        WindowSum(spans[n - 1], spans[n], each, cells[each.currency, each.place, n])
        for n, each in page.cells(totals)
    ]
