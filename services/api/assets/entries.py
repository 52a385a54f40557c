"""What is said of an asset day by day: how many seats were used, and hours of work that were written down."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from services.api.access.auth import Governing, Reader
from services.api.assets.models import (
    ActivityAnswer,
    ActivityBody,
    TimesheetAnswer,
    TimesheetBody,
)
from services.api.assets.registering import BACK_MAX, check_event, check_labels
from services.api.assets.routes import PATH, AssetPath, own_labels
from services.api.assets.store import SQL, read_asset
from services.api.corrections.asking import author_of
from services.api.database.transactions import TenantConnection, database_of
from services.api.http.openapi import answers
from services.api.http.problems import HttpRefusal, invalid
from services.api.http.representation import Negotiated
from spendmeter.pricing.accruals.asset import Asset, AssetKind
from spendmeter.pricing.accruals.checks import WEEK_HOURS_MAX
from spendmeter.pricing.accruals.timesheets import Timesheet, terms_of, timesheet_event, wage, worked_at

DAYS_MAX = 400
router = APIRouter(tags=["assets"], route_class=Negotiated)
_UNKNOWN = "no such asset"
Activity = Annotated[list[ActivityBody], Field(min_length=1, max_length=DAYS_MAX)]


Entered = tuple[int, date, Decimal, Decimal, dict[str, str]]
"""Revision, day, hours, amount and labels."""
_AS_BEFORE = {200: "the same entry as before: nothing was changed"}


@router.get(f"{PATH}/{{id}}/activity", responses=answers("seat_activity", missing=_UNKNOWN))
async def list_activity(request: Request, caller: Reader, id: AssetPath) -> ActivityAnswer:
    """How many seats of a licence were used, by day."""
    async with database_of(request).reading(caller.tenant) as connection:
        await read_asset(connection, caller.tenant, id)
        return await _activity(connection, id)


@router.post(f"{PATH}/{{id}}/activity", responses=answers("seat_activity", missing=_UNKNOWN))
async def put_activity(request: Request, caller: Governing, id: AssetPath, body: Activity) -> ActivityAnswer:
    """Say how many seats of a licence were used on these days; the last word of a day holds. It changes no
    amount: seats are charged to whom they are assigned, used or not."""
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        _, asset = await read_asset(connection, caller.tenant, id)
        _check_kind(asset, "licence")
        author = await author_of(connection, caller)
        rows = [(caller.tenant, id, each.day, each.active, author) for each in body]
        await connection.executemany(SQL["put_activity"], rows)
        return await _activity(connection, id)


@router.post(
    f"{PATH}/{{id}}/timesheets",
    status_code=201,
    responses=answers("timesheet", status=201, missing=_UNKNOWN, also=_AS_BEFORE),
)
async def enter_timesheet(
    request: Request, response: Response, caller: Governing, id: AssetPath, body: TimesheetBody
) -> TimesheetAnswer:
    """Write hours of work down for a day, at the day's rate. The same entry again changes nothing (200); with
    other hours or labels it amends what was booked."""
    now = datetime.now(UTC)
    async with database_of(request).writing(caller.tenant, by=caller.by) as connection:
        _, asset = await read_asset(connection, caller.tenant, id, hold=True)
        _check_kind(asset, "labour")
        _check_entry(asset, body, now)
        check_labels("labels", body.labels, await own_labels(connection))
        known = await connection.fetchrow(SQL["timesheet"], id, body.id)
        wanted = await _entered(connection, asset, body, known)
        if wanted is None:
            response.status_code = 200
        else:
            author = await author_of(connection, caller)
            check_event(timesheet_event(asset, _sheet(body, wanted, author, now)), now)
            await connection.execute(
                SQL["put_timesheet"], caller.tenant, id, body.id, *wanted, author, body.reason
            )
            await connection.execute(SQL["wake"], id)
        row = await connection.fetchrow(SQL["timesheet"], id, body.id)
    return TimesheetAnswer(
        id=body.id,
        currency=asset.currency,
        **{name: row[name] for name in ("revision", "day", "hours", "amount", "labels")},
    )


async def _entered(
    connection: TenantConnection, asset: Asset, body: TimesheetBody, known: Any
) -> Entered | None:
    """What is to be written down; None = it is."""
    hours = Decimal(body.hours)
    if known is not None and known["day"] != body.day:
        raise HttpRefusal(409, "Another one", f"entry {body.id} is of another day; an entry keeps its day")
    if known is not None and (known["hours"], known["labels"]) == (hours, body.labels):
        return None
    revision = known["revision"] + 1 if known is not None else 1
    return revision, body.day, hours, wage(terms_of(asset, body.day), hours), body.labels


def _sheet(body: TimesheetBody, wanted: Entered, author: str, now: datetime) -> Timesheet:
    """As it would be sent if it were the first of its entry."""
    revision, day, hours, amount, labels = wanted
    return Timesheet(
        entry_id=body.id,
        revision=revision,
        day=day,
        hours=hours,
        amount=amount,
        labels=labels,
        first_labels=labels,
        author=author,
        reason=body.reason,
        recorded_at=now,
    )


def _check_entry(asset: Asset, body: TimesheetBody, now: datetime) -> None:
    if not 0 <= Decimal(body.hours) <= WEEK_HOURS_MAX:
        raise invalid("hours", f"must be 0 to {WEEK_HOURS_MAX}")
    if body.day < asset.starts_on:
        raise invalid("day", f"is before {asset.starts_on}, when it began")
    if terms_of(asset, body.day).hours_per_week:
        raise invalid("day", "its hours accrue by the week then: they would be counted twice")
    if body.day > now.astimezone(asset.zone).date():
        raise invalid("day", "is to come")
    if worked_at(asset, body.day) < now - BACK_MAX:
        raise invalid("day", f"is more than {BACK_MAX.days} days back")


def _check_kind(asset: Asset, kind: AssetKind) -> None:
    if asset.kind != kind:
        raise invalid("id", f"is of {asset.kind}, and this is of {kind}")


async def _activity(connection: TenantConnection, id: str) -> ActivityAnswer:
    rows = await connection.fetch(SQL["activity"], id, DAYS_MAX)
    return ActivityAnswer(activity=[ActivityBody(**row) for row in rows])
