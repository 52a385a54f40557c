"""What a tenant, or a team of it, has spent so far: sums of `/v1/spend`, of three ranges at one instant."""

from datetime import datetime
from typing import get_args

from services.api.accounting.completeness import SQL as ACCOUNTING
from services.api.accounting.progress import BookProgress, of_one_team
from services.api.database.tenant import Tenant, read_tenant
from services.api.database.transactions import EVERY_TEAM, Database, Onlooker, TenantConnection
from services.api.http.spans import named_span, whole_minutes
from services.api.live.models import LiveRange, LiveRow, LiveSpan, LiveSpend
from services.api.spend.closed import ClosedSums
from services.api.spend.groups import read_groups, totals_of
from services.api.spend.past import cover_period
from services.api.spend.question import SpendCursor, SpendQuestion
from services.api.spend.sums import SUMS, read_totals

RANGES: tuple[LiveRange, ...] = get_args(LiveRange)


async def read_live(
    database: Database, progress: BookProgress, closed: ClosedSums, onlooker: Onlooker, now: datetime
) -> LiveSpend:
    """As of `now`. Raises what `Database.seen_by` raises."""
    async with database.seen_by(onlooker, spend=True) as connection:
        known = await read_tenant(connection, onlooker.tenant)
        complete = progress.observe(await connection.fetch(ACCOUNTING["by_partition"]), now)
        spans = {name: await _span(connection, known, onlooker, closed, name, now) for name in RANGES}
    if onlooker.team != EVERY_TEAM:
        complete = of_one_team(complete)
    return LiveSpend(at=now, tz=known.zone.key, currency=known.currency, spans=spans, **vars(complete))


async def _span(
    connection: TenantConnection,
    tenant: Tenant,
    onlooker: Onlooker,
    closed: ClosedSums,
    name: LiveRange,
    now: datetime,
) -> LiveSpan:
    start, end = whole_minutes(*named_span(name, tenant.calendar(), now), tenant.zone, now)
    question = SpendQuestion(
        cursor=SpendCursor(question="", start=start, end=end),
        spent=await cover_period(connection, tenant, [start, end]),
        zone=tenant.zone,
        group_by=(),
        filters={},
        measure="effective",
        top=1,
        edges=[start, end],
        with_series=False,
        with_usage=False,
        now=now,
        team=onlooker.team,
    )
    placed = await read_groups(connection, question, closed)
    if placed is None:
        totals = await read_totals(connection, question, tenant.currency)
    else:
        totals = totals_of(placed, question, tenant.currency)
    rows = [
        LiveRow(currency=each.currency, **{sum_: each.spent.sums[sum_] for sum_ in SUMS}) for each in totals
    ]
    return LiveSpan(from_=start.astimezone(tenant.zone), to=end.astimezone(tenant.zone), totals=rows)
