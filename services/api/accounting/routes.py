"""`GET /v1/accounting`: every offset that passed, by what became of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.api.access.auth import Anyone
from services.api.accounting.completeness import SQL, progress_of
from services.api.accounting.progress import OUTCOMES, in_flight
from services.api.database.transactions import database_of
from services.api.http.models import DecimalString
from services.api.http.openapi import answers
from services.api.http.representation import Negotiated
from spendmeter.contracts.rated import REMARKS, STATUSES, Remark

UNATTRIBUTABLE = ""
KEYS_MAX = 100

router = APIRouter(tags=["accounting"], route_class=Negotiated)


class Counts(BaseModel):
    """Offsets by outcome; `booked` = priced + free + reported + provisional + unpriced."""

    booked: int
    priced: int
    free: int
    reported: int
    provisional: int
    unpriced: int
    duplicate: int
    conflict: int
    rejected: int
    holes: int


class TenantCounts(Counts):
    """One tenant's."""

    tenant: str


class KeyCounts(BaseModel):
    """What a key sent that was not booked; `key_id` is empty where an event named none."""

    tenant: str
    key_id: str
    duplicate: int
    conflict: int
    rejected: int


class Partition(BaseModel):
    """One partition of usage.events: next_origin = booked + duplicate + conflict + rejected + holes."""

    partition: int
    next_origin: int
    booked: int
    duplicate: int
    conflict: int
    rejected: int
    holes: int
    stray: int
    log_end: int
    read_at: datetime | None
    in_flight: int | None
    stopped: str


class Total(Counts):
    """Of the tenant, or of all; `in_flight` always of all, for what is not booked yet has no tenant, and null
    where it was not measured within the last 3 s (`in_flight_age_s` says how long ago it was)."""

    in_flight: int | None
    in_flight_age_s: float | None


class EventsMoney(BaseModel):
    """Events, and what they cost."""

    events: int
    effective: DecimalString


class MoneyUnderRemarks(EventsMoney):
    """Money at prices that do not mention how it was served, though the vendor charges by it, in one book
    currency; the inbox says which. An event with two remarks counts once, and under each kind."""

    currency: str
    by_kind: dict[Remark, EventsMoney]


class Accounting(BaseModel):
    """`partitions`, `unattributable` and other tenants are an operator's to see. `keys`: those with events
    that were not booked, most conflicts and rejections first, at most 100. `remarks`: since ever."""

    TABLES: ClassVar = ("tenants",)

    partitions: list[Partition]
    tenants: list[TenantCounts]
    keys: list[KeyCounts]
    unattributable: Counts | None
    total: Total
    complete_through: datetime | None
    proved_until: datetime | None
    balanced: bool
    remarks: list[MoneyUnderRemarks]


@router.get("/v1/accounting", responses=answers("accounting"))
async def get_accounting(request: Request, caller: Anyone) -> Accounting:
    """Accepted = booked + duplicate + conflict + rejected + in flight, by partition and by tenant; `balanced`
    says whether the two agree. A tenant's key sees its own counts, an operator's all or the named one's."""
    async with database_of(request).reading(caller.tenant) as connection:
        partitions = await connection.fetch(SQL["by_partition"])
        tenants = await connection.fetch(SQL["by_tenant"])
        shown = await connection.fetch(SQL["own"]) if caller.tenant else tenants
        keys = await connection.fetch(SQL["by_key"], KEYS_MAX)
        remarks = await connection.fetch(SQL["remarks"])
        proved_until = await connection.fetchval(SQL["proved_until"])
    everything = not caller.tenant
    now = datetime.now(UTC)
    progress = progress_of(request)
    complete = progress.observe(partitions, now)
    return Accounting(
        partitions=[_partition(row, now) for row in progress.with_log_ends(partitions)] if everything else [],
        tenants=[TenantCounts(tenant=row["tenant"], **_counts([row])) for row in shown if row["tenant"]],
        keys=[KeyCounts(**row) for row in keys],
        unattributable=Counts(**_counts([row for row in tenants if row["tenant"] == UNATTRIBUTABLE]))
        if everything
        else None,
        total=Total(**_counts(shown), in_flight=complete.in_flight, in_flight_age_s=complete.in_flight_age_s),
        complete_through=complete.complete_through,
        proved_until=proved_until,
        balanced=is_balanced(partitions, tenants),
        remarks=[_under_remarks(row) for row in remarks],
    )


def is_balanced(partitions: Sequence[Mapping[str, Any]], tenants: Sequence[Mapping[str, Any]]) -> bool:
    """Whether every partition adds up to its offsets, and the tenants with the unattributable to all."""
    each = all(row["next_origin"] == sum(row[name] for name in OUTCOMES) for row in partitions)
    by_partition = Counter({name: sum(row[name] for row in partitions) for name in OUTCOMES})
    by_tenant = _counts(tenants)
    return each and all(by_partition[name] == by_tenant[name] for name in OUTCOMES)


def _under_remarks(row: Mapping[str, Any]) -> MoneyUnderRemarks:
    by_kind = {
        kind: EventsMoney(events=row[f"{kind}_events"], effective=row[f"{kind}_effective"])
        for kind in REMARKS
        if row[f"{kind}_events"]
    }
    return MoneyUnderRemarks(
        currency=row["currency"], events=row["events"], effective=row["effective"], by_kind=by_kind
    )


def _partition(row: Mapping[str, Any], now: datetime) -> Partition:
    return Partition(**row, in_flight=in_flight(row, now))


def _counts(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    names = (*STATUSES, "duplicate", "conflict", "rejected", "holes")
    counts = {name: int(sum(row[name] for row in rows)) for name in names}
    return {"booked": sum(counts[status] for status in STATUSES), **counts}
