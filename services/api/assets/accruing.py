"""Sends what accrues: hours whose minute has come, and amends of hours that are said otherwise by now.

Any number of processes may do it at once. Each puts an asset's next look off before it begins, so that it is
left alone until then, and moves how far the asset has come only from where it was; what is sent twice for all
that says the same under the same ids. What a killed process began, another takes up after LEASE.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace

from services.api.assets.door import AccrualDoor, EventsRefused, IngestAway
from services.api.assets.store import SQL, with_revisions
from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import ITSELF, Database, TenantConnection
from services.api.http.problems import HttpRefusal
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log
from spendmeter.pricing.accruals.asset import HOUR, Asset, standings
from spendmeter.pricing.accruals.hours import hours_within
from spendmeter.pricing.accruals.schedule import over_at
from spendmeter.pricing.accruals.sent import AssetEvents, at, hours_due, next_hour
from spendmeter.pricing.accruals.timesheets import (
    Timesheet,
    timesheet_amend,
    timesheet_event,
    worked_at,
)

LOOK_INTERVAL_S = 2.0
WATCH_INTERVAL_S = 30.0
LEASE = timedelta(seconds=40)
"""Longer than a batch takes: ingest has 20 s to answer, and the broker 10 s to take amends."""
REFUSED_AGAIN = timedelta(minutes=10)
DUE_MAX = 500
"""Assets looked at in one turn."""
EVENTS_MAX = 500
"""Events of one tenant sent in one turn, so that one who has years to catch up keeps nobody waiting."""
AMENDED_HOURS_MAX = 96


@dataclass(kw_only=True)
class AccrualWork:
    """What one turn does for one asset: where it stands, where it will, and what is sent in between."""

    asset: Asset
    row: Any
    sent_until: datetime
    amended: int
    amended_until: datetime | None
    due_at: datetime | None
    events: list[dict[str, Any]] = field(default_factory=list)
    amends: list[EventCorrection] = field(default_factory=list)
    sheets: list[Timesheet] = field(default_factory=list)


class Accruing:
    """`run` until cancelled; at once where nothing is sent from here."""

    def __init__(self, database: Database, door: AccrualDoor, corrections: CorrectionLog) -> None:
        self._database = database
        self._door = door
        self._corrections = corrections
        self._meters = Meters()

    async def run(self) -> None:
        """Look, again and again; at once where there is more."""
        if not self._door.there:
            log().info("no asset accrues here: SPENDMETER_INGEST_URL or SPENDMETER_ACCRUAL_KEY is not set")
            return
        await keep_doing(
            self._until_idle,
            "what accrues could not be sent yet",
            every_s=LOOK_INTERVAL_S,
            away=(*CONNECTION_ERRORS, IngestAway),
        )

    async def keep_watching(self) -> None:
        """Say how far behind they are, whoever sends them."""
        await keep_doing(
            self._watch,
            "how late accruals are cannot be read",
            every_s=WATCH_INTERVAL_S,
            away=CONNECTION_ERRORS,
        )

    async def _watch(self) -> None:
        async with self._database.reading("") as connection:
            late_s = await connection.fetchval(SQL["late"])
        self._meters.set("spendmeter.api.accruals.late", late_s)

    async def _until_idle(self) -> None:
        while await self.turn():
            pass

    async def turn(self) -> int:
        """A batch of every tenant that has something to do; how many assets were worked at. Raises
        IngestAway."""
        async with self._database.reading("") as connection:
            due = await connection.fetch(SQL["due"], DUE_MAX)
        of_tenants = defaultdict[str, list[str]](list)
        for row in due:
            of_tenants[row["tenant"]].append(row["asset_id"])
        worked = 0
        for tenant, ids in of_tenants.items():
            try:
                worked += await self._turn_of(tenant, ids)
            except HttpRefusal as refusal:  # the broker does not take its amends
                log().warning("a tenant's assets accrue later", tenant=tenant, reason=refusal.detail)
        return worked

    async def _turn_of(self, tenant: str, ids: Sequence[str]) -> int:
        async with self._database.writing(tenant, by=ITSELF, unasked=True) as connection:
            works = await _claim(connection, tenant, ids)
        try:
            await self._send(works)
        except EventsRefused:
            for work in works:  # to find out whose it is: the others are taken
                await self._send_alone(work)
        return len(works)

    async def _send_alone(self, work: AccrualWork) -> None:
        try:
            await self._send([work])
        except EventsRefused as refusal:
            log().error("ingest refuses what an asset accrues", asset=work.asset.id, reason=str(refusal))
            self._meters.add("spendmeter.api.accruals", max(len(work.events), 1), outcome="refused")
            async with self._database.writing(work.asset.tenant, by=ITSELF, unasked=True) as connection:
                await connection.execute(SQL["refused"], work.asset.id, str(refusal), REFUSED_AGAIN)

    async def _send(self, works: Sequence[AccrualWork]) -> None:
        """Events before amends, for an amend of what is nowhere is lost; and both before it says so."""
        if events := [event for work in works for event in work.events]:
            await self._door.send(events)
            self._meters.add("spendmeter.api.accruals", len(events), outcome="sent")
        await asyncio.gather(*(self._corrections.publish(amend) for work in works for amend in work.amends))
        if works:
            async with self._database.writing(works[0].asset.tenant, by=ITSELF, unasked=True) as connection:
                for work in works:
                    await _settle(connection, work)


async def _claim(connection: TenantConnection, tenant: str, ids: Sequence[str]) -> list[AccrualWork]:
    """What is to be done for those of the assets that nobody else works at, as far as a turn goes."""
    works, room = list[AccrualWork](), EVENTS_MAX
    rows = await connection.fetch(SQL["claim"], list(ids))
    for row, asset in zip(rows, await with_revisions(connection, tenant, rows), strict=True):
        if room <= 0:
            break
        sheets = list[Timesheet]()
        if row["unsent_timesheets"]:
            unsent = await connection.fetch(SQL["unsent"], asset.id, EVENTS_MAX)
            sheets = [msgspec.convert(dict(each), Timesheet) for each in unsent]
        work = await asyncio.to_thread(_work, row, asset, sheets, room)
        work.amends = await _last_words(connection, work.amends)
        await connection.execute(SQL["claimed"], asset.id, work.sent_until, LEASE)
        works.append(work)
        room -= len(work.events) + len(work.amends)
    return works


async def _last_words(
    connection: TenantConnection, amends: Sequence[EventCorrection]
) -> list[EventCorrection]:
    """Each above what was asked for of its event before: whoever said something last holds, a person or the
    register."""
    said = [each.identity for each in amends], [each.at for each in amends]
    rows = await connection.fetch(SQL["next_revisions"], *said) if amends else []
    return [replace(each, revision=row["revision"]) for each, row in zip(amends, rows, strict=True)]


def _work(row: Any, asset: Asset, sheets: Sequence[Timesheet], room: int) -> AccrualWork:
    now: datetime = row["at"]
    work = AccrualWork(
        asset=asset,
        row=row,
        sent_until=row["sent_until"],
        amended=row["amended"],
        amended_until=row["amended_until"],
        due_at=now,
    )
    over = over_at(asset, standings(asset.revisions))
    if over is not None:
        over = max(over, row["claimed_until"])  # what may have been sent by one who died is sent
    ready = [sheet for sheet in sheets if worked_at(asset, sheet.day) <= now]  # of today from noon on
    if hours := hours_due(asset, row["sent_until"], over, now, room):
        work.sent_until = hours[-1] + HOUR
        events = AssetEvents(asset, work.sent_until)
        for hour in hours:
            work.events += events.first([hour])
            work.sent_until = hour + HOUR
            if len(work.events) >= room:
                break
    elif row["amended"] < row["revision"]:
        _amend(work)
    else:
        _write_down(work, ready)
    following = next_hour(asset, work.sent_until, over)
    if work.amended == row["revision"] and not ready:
        times = [worked_at(asset, sheet.day) for sheet in sheets]
        times += [] if following is None else [max(at(asset, following), now)]
        work.due_at = min(times, default=None)
    return work


def _amend(work: AccrualWork) -> None:
    """The next hours that the next revision says otherwise, all of which were sent."""
    revision = work.asset.revisions[work.amended]
    since = max(revision.effective_from, work.asset.hour_from(work.asset.accrue_from))
    since = max(since, work.amended_until or since)
    until = revision.first_hour
    if since < until:
        hours = list(hours_within(work.asset, since, until))[:AMENDED_HOURS_MAX]
        work.events, work.amends = AssetEvents(work.asset, until).amended(revision, hours)
        work.amended_until = hours[-1] + HOUR
        since = work.amended_until
    if since >= until:
        work.amended, work.amended_until = revision.number, None


def _write_down(work: AccrualWork, sheets: Sequence[Timesheet]) -> None:
    work.sheets = list(sheets)
    for sheet in sheets:
        if sheet.revision == 1:
            work.events.append(timesheet_event(work.asset, sheet))
        else:
            work.amends.append(timesheet_amend(work.asset, sheet))


async def _settle(connection: TenantConnection, work: AccrualWork) -> None:
    row = work.row
    if work.sheets:
        names = [(sheet.entry_id, sheet.revision) for sheet in work.sheets]
        await connection.execute(SQL["timesheets_sent"], work.asset.id, *map(list, zip(*names, strict=True)))
    await connection.execute(
        SQL["settle"],
        work.asset.id,
        row["revision"],
        work.sent_until,
        work.amended,
        work.amended_until,
        row["sent_until"],
        row["amended"],
        row["amended_until"],
        work.due_at,
        row["at"] + LEASE,
    )
