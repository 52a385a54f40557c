"""`GET /v1/spend`: what was spent, by any dimensions and calendar buckets, from the minute rollups alone."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.api.accounting import completeness
from services.api.answers import Complete, Money
from services.api.auth import Reader
from services.api.database import Connection, Tenant, database_of, read_tenant
from services.api.openapi import FILTER_PARAMETERS, answers
from services.api.problems import invalid
from services.api.question import (
    Bucket,
    Measure,
    bucket_edges,
    decode_cursor,
    dimensions_of,
    encode_cursor,
    filters_of,
    whole_minutes,
    zone_of,
)
from spendmeter.contracts.money import ZERO, total
from spendmeter.contracts.series import DIMENSIONS
from spendmeter.platform.postgres import load_sql

GROUPS_MAX = 5_000
SERIES_ROWS_MAX = 5_000
_AFTER_ANY_CURRENCY = "ZZZZ"
_SUMS = (
    "currency", "events", "unpriced_events", "list", "contracted", "effective", "of_which_provisional",
)  # fmt: skip
PARAMETERS = ("from", "to", "bucket", "tz", "group_by", "measure", "usage", "limit", "cursor")

SQL = load_sql(Path(__file__).with_name("sql") / "spend.sql")
router = APIRouter(tags=["spend"])


class Row(BaseModel):
    """The sums of one group (beside these: one text a dimension of `group_by`); amounts in `currency`."""

    model_config = ConfigDict(extra="allow")

    currency: str
    events: int = 0
    unpriced_events: int = 0
    list: Money = ZERO
    contracted: Money = ZERO
    effective: Money = ZERO
    amount: Money = ZERO
    of_which_provisional: Money = ZERO
    usage: dict[str, Money] = Field(default_factory=dict)


class SeriesRow(Row):
    """The same of one calendar bucket; the first and the last may reach beyond the range, the sums do not."""

    bucket_start: datetime
    bucket_end: datetime


class Spend(Complete):
    """The answer. Amounts are plain decimal strings; each currency has rows of its own and is never added
    to another; what stands beside the rows is in `currency`, the tenant's."""

    currency: str
    tz: str
    from_: datetime = Field(alias="from")
    to: datetime
    measure: Measure
    of_which_provisional: Money
    unpriced_events: int
    totals: list[Row]
    series: list[SeriesRow]
    next_cursor: str | None = Field(None, description="of the series' next page; null on the last")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A checked question: `edges` are the starts of the buckets and the end of the last."""

    start: datetime
    end: datetime
    zone: ZoneInfo
    edges: Sequence[datetime]
    with_series: bool
    with_usage: bool
    group_by: Sequence[str]
    filters: Mapping[str, Sequence[str]]
    measure: Measure
    rows_max: int
    after: tuple[int, list[str], str]
    """Bucket, group and currency after which the page begins."""


@router.get(
    "/v1/spend",
    responses=answers("spend"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_spend(
    request: Request,
    caller: Reader,
    start: Annotated[
        AwareDatetime | None, Query(alias="from", description="inclusive; default: the day's start in `tz`")
    ] = None,
    end: Annotated[
        AwareDatetime | None, Query(alias="to", description="exclusive; default: through the open minute")
    ] = None,
    bucket: Annotated[Bucket | None, Query(description="asks for a series of such calendar buckets")] = None,
    tz: Annotated[str | None, Query(description="an IANA zone; default: the tenant's")] = None,
    group_by: Annotated[
        str, Query(description="dimensions, separated by commas", examples=["team,sku"])
    ] = "",
    measure: Annotated[
        Measure, Query(description="what `amount` repeats and totals are sorted by")
    ] = "effective",
    usage: Annotated[bool, Query(description="false leaves quantities out, which is faster")] = True,
    limit: Annotated[int, Query(ge=1, le=SERIES_ROWS_MAX, description="rows of series a page")] = 1_000,
    cursor: Annotated[str, Query(description="`next_cursor` of the page before")] = "",
) -> Spend:
    """Spend in `[from, to)`, widened to whole minutes: totals by group, and a series of them by bucket."""
    filters = filters_of(request.query_params.multi_items(), PARAMETERS)
    dimensions = dimensions_of(group_by)
    after = decode_cursor(cursor, tuple[int, list[str], str]) if cursor else (0, [], "")
    async with database_of(request).reading(caller.tenant) as connection:
        tenant = await read_tenant(connection, caller.tenant)
        zone = zone_of(tz) if tz else tenant.zone
        start, end = whole_minutes(start, end, zone, datetime.now(UTC))
        asked = Asked(
            start=start, end=end, zone=zone, group_by=dimensions, filters=filters, measure=measure,
            edges=bucket_edges(start, end, bucket, zone) if bucket else [start, end],
            with_series=bucket is not None, with_usage=usage, rows_max=limit, after=after,
        )  # fmt: skip
        return await _answer(request, connection, tenant, asked)


async def _answer(request: Request, connection: Connection, tenant: Tenant, asked: Asked) -> Spend:
    complete = await completeness(request, connection)
    rows, keys = await read_sums(connection, asked)
    totals = [row for row in rows if row["n"] is None]
    series = [row for row in rows if row["n"] is not None]
    page = series[: asked.rows_max]
    usages = await _read_usage(connection, asked, keys, page) if asked.with_usage else {}

    def row_of(row: Any) -> dict[str, Any]:
        group = dict(zip(asked.group_by, keys.groups[row["grp"]], strict=True))
        usage = usages.get((row["grp"], row["n"], row["currency"]), {})
        return group | {name: row[name] for name in _SUMS} | {"amount": row[asked.measure], "usage": usage}

    def bucket_of(row: Any) -> dict[str, Any]:
        first, beyond = asked.edges[row["n"] - 1 : row["n"] + 1]
        return {"bucket_start": first.astimezone(asked.zone), "bucket_end": beyond.astimezone(asked.zone)}

    totals.sort(key=lambda row: (row[asked.measure], row["events"]), reverse=True)
    own = [row for row in totals if row["currency"] == tenant.currency]
    nothing = [] if asked.group_by else [Row(currency=tenant.currency)]
    last = page[-1] if len(series) > len(page) else None
    return Spend.model_validate(
        {
            "currency": tenant.currency,
            "tz": str(asked.zone),
            "from": asked.start.astimezone(asked.zone),
            "to": asked.end.astimezone(asked.zone),
            "measure": asked.measure,
            "of_which_provisional": total(row["of_which_provisional"] for row in own),
            "unpriced_events": sum(row["unpriced_events"] for row in totals),
            "totals": [row_of(row) for row in totals] or nothing,
            "series": [row_of(row) | bucket_of(row) for row in page],
            "next_cursor": last and encode_cursor((last["n"], keys.groups[last["grp"]], last["currency"])),
            **vars(complete),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Keys:
    """`groups` in order; `series` and the number of the group that each belongs to."""

    groups: Sequence[tuple[str, ...]]
    series: Sequence[bytes]
    numbers: Sequence[int]


async def read_series(
    connection: Connection, group_by: Sequence[str], filters: Mapping[str, Sequence[str]]
) -> list[Any]:
    """(series_id, key) of every series that the filter lets through; `key` = its values of `group_by`."""
    allowed = [filters.get(dimension) for dimension in DIMENSIONS]
    rows: list[Any] = await connection.fetch(SQL["series"], list(group_by), *allowed)
    return rows


async def read_sums(connection: Connection, asked: Asked) -> tuple[list[Any], Keys]:
    """Totals (n = None) and one row more of the series than a page holds. Raises Refused (422)."""
    found = await read_series(connection, asked.group_by, asked.filters)
    groups = sorted({tuple(row["key"]) for row in found})
    if len(groups) > GROUPS_MAX:
        raise invalid(
            "group_by", f"makes {len(groups)} groups; at most {GROUPS_MAX}: filter, or group by fewer"
        )
    number = {group: index for index, group in enumerate(groups)}
    keys = Keys(
        groups=groups,
        series=[row["series_id"] for row in found],
        numbers=[number[tuple(row["key"])] for row in found],
    )
    n, group, currency = asked.after
    place = bisect_left(groups, tuple(group))
    if place < len(groups) and groups[place] != tuple(group):
        place, currency = place - 1, _AFTER_ANY_CURRENCY
    rows = await connection.fetch(
        SQL["sums"], asked.start, asked.end, keys.series, keys.numbers, list(asked.edges[:-1]),
        asked.with_series, n, place, currency, asked.rows_max + 1,
    )  # fmt: skip
    return list(rows), keys


async def _read_usage(
    connection: Connection, asked: Asked, keys: Keys, page: Sequence[Any]
) -> dict[tuple[int, int | None, str], dict[str, Decimal]]:
    first, last = (page[0]["n"], page[-1]["n"]) if page else (0, 0)
    rows = await connection.fetch(
        SQL["usage"], asked.start, asked.end, keys.series, keys.numbers, list(asked.edges[:-1]), first, last
    )
    usages: defaultdict[tuple[int, int | None, str], dict[str, Decimal]] = defaultdict(dict)
    for row in rows:
        usages[row["grp"], row["n"], row["currency"]][row["unit"]] = row["quantity"]
    return usages
