"""Events one by one: the receipt, the list that a figure is drilled down to, and what was not booked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, Field

from services.api.access.auth import Reader
from services.api.accounting.progress import Completeness
from services.api.accounting.routes import completeness
from services.api.database.tenant import calendar_of, read_tenant
from services.api.database.transactions import TenantConnection, database_of
from services.api.events import receipt
from services.api.events.waiting import WAIT_S_MAX, Waiters, wait_s
from services.api.http.cursors import decode_cursor, page
from services.api.http.filters import FILTER_PARAMETERS, filters_of
from services.api.http.models import Complete, DecimalString
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.representation import Negotiated
from services.api.http.spans import From, Range, RangeName, To, Zone, checked_range, span_of, zone_of
from services.api.spend.sums import read_series
from spendmeter.contracts.catalog import (
    Adjustment,
    CalendarEntry,
    Model,
    Price,
    Provider,
    TenantTerms,
    UnitEntry,
    decode_catalog,
)
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Instant, UsageEvent
from spendmeter.contracts.money import plain, total
from spendmeter.platform.sql import load_sql
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.explain import naming
from spendmeter.pricing.price_book import PriceBook
from spendmeter.pricing.visibility import viewer

EVENTS_MAX = 200
RANGE_DAYS_MAX = 100
COPIES_MAX = 50
PARAMETERS = ("source", "id", "wait", "from", "to", "range", "tz", "limit", "cursor")
DEFAULT_RANGE = timedelta(days=1)

SQL = load_sql(Path(__file__).with_name("events.sql"))
router = APIRouter(tags=["events"], route_class=Negotiated)

Outcome = Literal["duplicate", "conflict", "rejected"]
Dimensions = Annotated[dict[str, str], BeforeValidator(receipt.dimensions)]
Limit = Annotated[int, Query(ge=1, le=EVENTS_MAX)]


class Copy(BaseModel):
    """Another submission of the same tenant, source and id, and why it was not booked."""

    outcome: str
    reason: str
    recorded_at: datetime
    key_id: str = Field(description="the key that sent it; empty: not known")
    partition: int
    offset: int
    size: int


class Received(BaseModel):
    """As it came in; `partition` and `offset` are its place on usage.events."""

    at: datetime | None
    key_id: str
    partition: int
    offset: int


class Entry(BaseModel):
    """One row of the book: the event itself (seq 0) or a signed correction of it."""

    seq: int
    recorded_at: datetime
    accounting_period: date
    catalog_version: int
    status: str
    currency: str
    list: DecimalString
    contracted: DecimalString
    effective: DecimalString


class PricedEntry(Entry):
    """The same with its lines, of which `arithmetic` is the sum. `naming`: what the sender's names for
    provider and model mean, and who says so. `remark`: why the lines have no contests, or others than were
    decided; mostly empty."""

    naming: list[str] = Field(default_factory=list)
    lines: list[receipt.ReceiptLine]
    arithmetic: str
    remark: str = ""


class Receipt(BaseModel):
    """What became of an event: `booked` (entries, with later copies), or `rejected` (copies alone). `summary`
    says it in one line, and begins with `conflict` where another event's id was used again."""

    summary: str
    status: Literal["booked", "rejected"]
    source: str
    id: str
    identity: str
    time: datetime | None = None
    received: Received | None = None
    dimensions: Dimensions | None = None
    event: dict[str, Any] | None = None
    entries: list[PricedEntry] = Field(default_factory=list)
    catalog: dict[str, dict[str, Any]] = Field(default_factory=dict)
    copies: list[Copy] = Field(default_factory=list)


class ListedEvent(Entry):
    """A booked event, as short as a list wants it."""

    source: str
    id: str
    time: datetime
    dimensions: Dimensions


class EventList(Complete):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("events",)

    events: list[ListedEvent]
    next_cursor: str | None


class UnbookedEvent(Copy):
    """Something that arrived and was not booked."""

    source: str
    id: str


class UnbookedList(Complete):
    """Newest first; `next_cursor` is null on the last page."""

    TABLES: ClassVar = ("unbooked",)

    unbooked: list[UnbookedEvent]
    next_cursor: str | None


@router.get(
    "/v1/events",
    responses=answers("receipt", missing="no such event is in the book; it may still be on its way"),
    openapi_extra={"parameters": FILTER_PARAMETERS},
)
async def get_events(
    request: Request,
    caller: Reader,
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
    start: From = None,
    end: To = None,
    range: Range = None,
    tz: Zone = None,
    limit: Limit = 50,
    cursor: str = "",
) -> Receipt | EventList:
    """With `source` and `id`: the event's receipt (received, rated line by line, booked; or rejected, and
    why); with `wait`, as soon as it is there. Without: the booked events of `[from, to)`, newest first,
    filtered like spend."""
    filters = filters_of(request.query_params.multi_items(), PARAMETERS)
    if (source is None) != (id is None):
        raise invalid("source", "and id are given together, for a receipt, or not at all")
    if wait is not None:
        if source is None or id is None:
            raise invalid("wait", "is for one event: give its source and id")
        waiting: Waiters = request.app.state.waiting
        await waiting.until_known(caller.tenant, identity(caller.tenant, source, id), wait_s(wait))
    async with database_of(request).reading(caller.tenant) as connection:
        if source is not None and id is not None:
            return await _receipt(request, connection, caller.tenant, source, id)
        complete = await completeness(request, connection)
        within = await _span(connection, caller.tenant, Span(range, start, end, tz))
        rows = await _list(connection, within, filters, limit, cursor)
    events, more = page(
        ListedEvent, rows, limit, lambda row: (row["time"], row["identity"].hex(), row["seq"])
    )
    return EventList(events=events, next_cursor=more, **vars(complete))


@router.get("/v1/unbooked", responses=answers("unbooked"))
async def get_unbooked(
    request: Request,
    caller: Reader,
    start: From = None,
    end: To = None,
    range: Range = None,
    tz: Zone = None,
    outcome: Annotated[list[Outcome] | None, Query(description="default: conflict and rejected")] = None,
    limit: Limit = 50,
    cursor: str = "",
) -> UnbookedList:
    """What arrived and was not booked, with the reason, newest first."""
    async with database_of(request).reading(caller.tenant) as connection:
        first, beyond = await _span(connection, caller.tenant, Span(range, start, end, tz))
        after = decode_cursor(cursor, tuple[Instant, int, int]) if cursor else (beyond, 0, 0)
        complete = await completeness(request, connection)
        rows = await connection.fetch(
            SQL["list_unbooked"], first, beyond, outcome or ["conflict", "rejected"], *after, limit + 1
        )
    unbooked, more = page(
        UnbookedEvent, rows, limit, lambda row: (row["recorded_at"], row["partition"], row["offset"])
    )
    return UnbookedList(unbooked=unbooked, next_cursor=more, **vars(complete))


class Span(NamedTuple):
    """As asked for."""

    range: RangeName | None
    start: str | None
    end: str | None
    tz: str | None


async def _span(connection: TenantConnection, tenant: str, span: Span) -> tuple[datetime, datetime]:
    """[from, to) in UTC; without an end, until in an hour: an event may be dated so far ahead. Without a
    start, a day before the end."""
    now = datetime.now(UTC)
    calendar = calendar_of(await read_tenant(connection, tenant), zone_of(span.tz) if span.tz else None)
    start, end = span_of(span.range, span.start, span.end, calendar, now)
    end = now + timedelta(hours=1) if end is None else end
    if start is None:
        start = end - DEFAULT_RANGE if end.year > 1 else end  # which checked_range refuses
    return checked_range(start, end, RANGE_DAYS_MAX)


async def _receipt(
    request: Request, connection: TenantConnection, tenant: str, source: str, id: str
) -> Receipt:
    key = identity(tenant, source, id)
    occurred_at = await connection.fetchval(SQL["occurred_at"], key)
    rows = [] if occurred_at is None else await connection.fetch(SQL["entries"], occurred_at, key)
    copies = [Copy(**row) for row in await connection.fetch(SQL["unbooked_copies"], key, COPIES_MAX)]
    known: dict[str, Any] = {"source": source, "id": id, "identity": key.hex(), "copies": copies}
    if not rows and not copies:
        raise _not_in_the_book(await completeness(request, connection), source, id)
    told = [(copy.outcome, copy.reason, copy.recorded_at) for copy in copies]
    if not rows:
        return Receipt(summary=receipt.first_line(None, told), status="rejected", **known)
    ids = receipt.catalog_ids([row["lines"] for row in rows])
    bodies = {row["id"]: row["body"] for row in await connection.fetch(SQL["catalog_entries"], ids)}
    catalog = {name: decode_catalog(body) for name, body in bodies.items()}
    first = rows[0]
    event = receipt.read_event(first["event"])
    entries = [_priced(row, catalog, await _book(connection, event, row["catalog_version"])) for row in rows]
    amount = plain(total(row["effective"] for row in rows))
    return Receipt(
        summary=receipt.first_line((first["recorded_at"], amount, first["currency"], first["status"]), told),
        status="booked",
        time=occurred_at,
        received=Received(
            at=event.receivedat or None,
            key_id=event.keyid,
            partition=first["partition"],
            offset=first["offset"],
        ),
        dimensions=first["series"],
        event=msgspec.to_builtins(event),
        entries=entries,
        catalog={name: msgspec.json.decode(body) for name, body in bodies.items()},
        **known,
    )


async def _book(connection: TenantConnection, event: UsageEvent, version: int) -> PriceBook | CatalogError:
    """What the book of a version had for the event, as far as the tenant may see it."""

    async def entries(*kinds: type[Any], of: tuple[str, ...] | None, skus: set[str] | None) -> list[Any]:
        types = [kind.__struct_config__.tag for kind in kinds]
        rows = await connection.fetch(SQL["catalog_candidates"], version, types, of, skus)
        return [decode_catalog(row["body"]) for row in rows]

    general = await entries(Provider, UnitEntry, CalendarEntry, TenantTerms, Adjustment, of=None, skus={""})
    sellers = receipt.sellers(event, general)
    models = await entries(Model, of=sellers, skus=None)
    prices = await entries(Price, of=sellers, skus=receipt.skus(event, models))
    try:
        return PriceBook(viewer(event.tenant, general).visible([*general, *models, *prices]), version)
    except CatalogError as error:
        return error


def _priced(row: Any, catalog: receipt.Catalog, book: PriceBook | CatalogError) -> PricedEntry:
    event = receipt.read_event(row["event"])
    read = None if isinstance(book, CatalogError) else book
    lines = receipt.expanded_lines(row["lines"], event, row["currency"], catalog, read)
    arithmetic = receipt.sum_of(lines, row["effective"], row["currency"])
    remark = receipt.differing(lines) if read else f"the catalog of then cannot be read now: {book}"
    names = list(naming(event.tenant, event.data, read, row["occurred_at"])) if read else []
    return PricedEntry(**{**row, "lines": lines}, naming=names, arithmetic=arithmetic, remark=remark)


def _not_in_the_book(complete: Completeness, source: str, id: str) -> HttpRefusal:
    at = complete.complete_through
    through = at and f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return HttpRefusal(
        404,
        "Not in the book",
        f"no event of source {source!r} with id {id!r} is in the book, which is complete through "
        f"{through or 'an unknown time'}; accepted later, it may still be on its way",
        complete_through=through,
        in_flight=complete.in_flight,
        in_flight_age_s=complete.in_flight_age_s,
    )


async def _list(
    connection: TenantConnection,
    within: tuple[datetime, datetime],
    filters: dict[str, list[str]],
    limit: int,
    cursor: str,
) -> list[Any]:
    series = None
    if filters:
        series = await read_series(connection, filters)
    at, key, seq = decode_cursor(cursor, tuple[Instant, str, int]) if cursor else (within[1], "", 0)
    try:
        after = (at, bytes.fromhex(key), seq)
    except ValueError:
        raise invalid("cursor", "is not one that this route gave out") from None
    rows: list[Any] = await connection.fetch(SQL["list"], *within, series, *after, limit + 1)
    return rows
