"""Incidents in Postgres: every transition and its deliveries in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from services.alerts.incidents.incident import CLOSING, COOL_DOWN, REPEAT_AGE_MAX, Incident, event_of
from services.alerts.incidents.joining import Telling, are_of_one_budget, are_pair, tellings
from services.alerts.incidents.shares import told_with
from services.alerts.incidents.snoozing import BUDGETED, at_stake, ended, has_outgrown, held_until, is_snoozed
from services.alerts.incidents.withheld import PlannedWindow, withheld
from services.alerts.notify.queue import Whole, queue_message, queue_update
from spendmeter.contracts.incidents import Transition
from spendmeter.contracts.money import plain
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("store.sql"))


async def prepare(connection: Any) -> None:
    """Make a new connection speak jsonb as Python values."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: msgspec.json.encode(value).decode(),
        decoder=msgspec.json.decode,
    )


class Store:
    """What alerts knows and decides, in Postgres. Every method raises CONNECTION_ERRORS when that is away."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], meters: Meters) -> None:
        self.pool = pool
        self._meters = meters

    async def current(self, tenant: str, now: datetime) -> list[Incident]:
        """The tenant's incidents that are not over, or are for less than COOL_DOWN, anomalies for less than
        REPEAT_AGE_MAX, and budgets' of periods that are watched still."""
        return await _current(self.pool, tenant, now)

    async def rerating(self, tenant: str) -> bool:
        """Whether a job is correcting what the tenant has spent: half of that is no news."""
        return bool(await self.pool.fetchval(SQL["rerating"], tenant))

    async def key_names(self, tenant: str, ids: Sequence[str]) -> dict[str, str]:
        """What people call these keys, by id: the tenant's and operators', no others."""
        rows = await self.pool.fetch(SQL["key_names"], tenant, ids)
        return {row["key_id"]: row["name"] for row in rows}

    async def open(
        self, tenant: str, now: datetime, propose: Callable[[Sequence[Incident]], Iterable[Incident]]
    ) -> None:
        """Open or tell what `propose` says, given what is known now: no other worker can come between.

        An incident that is not known is opened. One that is known and is proposed with the next number is
        told again: as repeated where it was over, else as grown. What is planned, or a part of what was told,
        is kept and not told; a budget and what spends it are told together.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["hold_tenant"], tenant)
            current = await _current(connection, tenant, now)
            known = {incident.id: incident for incident in current}
            windows = [PlannedWindow(**row) for row in await connection.fetch(SQL["windows"], tenant, now)]
            for incident in propose(current):
                before = known.get(incident.id)
                if before is None or before.state == "resolved":
                    incident = withheld(incident, current, windows, now)
                    incident = await told_with(connection, incident, current, now)
                if before is not None:
                    await self._tell_again(connection, before, incident, now)
                elif await connection.fetchval(SQL["insert"], _record(incident)) is not None:
                    await self.notify(connection, incident, "opened", now)

    async def _tell_again(self, connection: Any, before: Incident, after: Incident, now: datetime) -> None:
        if after.number != before.number + 1:
            return
        after = replace(after, snoozed_until=before.snoozed_until, snoozed_amount=before.snoozed_amount)
        if outgrown := has_outgrown(after, now):
            after = replace(after, snoozed_amount=at_stake(after))
        if await self.replace_row(connection, before, after):
            again: Transition = "repeated" if before.state == "resolved" else "grew"
            await self.notify(connection, after, again, now, outgrown=outgrown)

    async def touch(self, incident: Incident, now: datetime) -> None:
        """An anomaly is still hot; a light write of its own, for its figures are renewed ever more seldom."""
        await self.pool.execute(SQL["touch"], incident.tenant, incident.id, now)

    async def update(self, before: Incident, after: Incident) -> None:
        """Put new figures in, unless another worker has; for the topic, and for who shows them in place. With
        the next number they are a message: it is snoozed, and has come to more than people knew."""
        async with self.pool.acquire() as connection, connection.transaction():
            if after.number > before.number:
                await connection.execute(SQL["hold_tenant"], before.tenant)  # before any row, as `open` does
            if not await self.replace_row(connection, before, after):
                return
            if after.number > before.number:
                await self.notify(connection, after, "grew", after.updated_at, outgrown=True)
            else:
                await queue_update(connection, event_of(after, "updated", after.updated_at))

    async def resolve(self, before: Incident, after: Incident) -> None:
        """End an incident, unless another worker has changed it meanwhile."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["hold_tenant"], before.tenant)  # one of two ends is the last
            after = replace(after, number=before.number + 1)
            unheard = await self._is_unheard(connection, after, after.updated_at)
            if await self.replace_row(connection, before, ended(after, unheard=unheard)):
                await self.notify(connection, after, "resolved", after.updated_at)

    async def replace_row(self, connection: Any, before: Incident, after: Incident) -> bool:
        """Write an incident, unless another worker has changed it meanwhile: whether it was written."""
        found = await connection.fetchval(SQL["update"], _record(after), before.state, before.updated_at)
        return found is not None

    async def notify(
        self,
        connection: Any,
        incident: Incident,
        transition: Transition,
        at: datetime,
        *,
        outgrown: bool = False,
    ) -> None:
        """Queue its message, in the transaction that wrote it; a snooze that is not outgrown holds it."""
        unheard = await self._is_unheard(connection, incident, at)
        held = held_until(incident, transition, at, outgrown=outgrown, unheard=unheard)
        event = event_of(incident, transition, at)
        found = await self._tellings(connection, incident, transition, at)
        wholes = [Whole(incident=each.before.id, event=each.event, raises=each.raises) for each in found]
        used = await queue_message(
            connection, event, at, told=incident.told, snoozed_until=held, wholes=wholes
        )
        for each in found:
            if each.before.id not in used or each.after is each.before:
                continue
            if not await self.replace_row(connection, each.before, each.after):
                raise RuntimeError(f"incident {each.before.id} changed while its row was held")
        self._meters.add("spendmeter.alerts.incidents", transition=transition, kind=incident.kind)
        log().info(
            "incident",
            incident=str(incident.id),
            tenant=incident.tenant,
            transition=transition,
            rule=incident.rule_id,
        )

    async def _is_unheard(self, connection: Any, incident: Incident, at: datetime) -> bool:
        """Whether a snooze holds back that it is open."""
        if not is_snoozed(incident, at):
            return False
        return bool(await connection.fetchval(SQL["unheard"], incident.tenant, incident.id))

    async def _tellings(
        self, connection: Any, part: Incident, transition: Transition, at: datetime
    ) -> list[Telling]:
        """By what it is told to whoever has heard of that."""
        if part.parent is None or not part.told:
            return []
        (whole,) = incidents_of(await connection.fetch(SQL["whole"], part.tenant, part.parent)) or (None,)
        if whole is None or not are_pair(whole, part):
            return []
        of = whole if whole.kind in BUDGETED else part
        same = incidents_of(
            await connection.fetch(SQL["of_budgets"], of.tenant, of.scope_digest, of.period_start)
        )
        thread = [whole, *(one for one in same if are_of_one_budget(one, of) and one.id != part.id)]
        ids = [one.id for one in thread]
        if transition != "acknowledged":  # there is nothing to say by others
            held = {one.id: one for one in incidents_of(await connection.fetch(SQL["hold"], of.tenant, ids))}
            thread = [held[one] for one in ids]
        rows = await connection.fetch(SQL["parts_open"], part.tenant, ids, part.id)
        return tellings(part, transition, thread, incidents_of(rows), at)


_FIELDS = tuple(field.name for field in fields(Incident))


async def _current(source: Any, tenant: str, now: datetime) -> list[Incident]:
    return incidents_of(
        await source.fetch(SQL["current"], tenant, now - REPEAT_AGE_MAX, now - CLOSING, now - COOL_DOWN, now)
    )


def incidents_of(rows: Iterable[asyncpg.Record]) -> list[Incident]:
    """Rows of `incidents`, with whatever else is in them."""
    return [Incident(**{name: row[name] for name in _FIELDS}) for row in rows]


def _record(incident: Incident) -> dict[str, Any]:
    """The row as JSON that Postgres turns into a record: amounts as plain text, bytes in hex."""
    return {name: _json(value) for name, value in asdict(incident).items()}


def _json(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    return "\\x" + value.hex() if isinstance(value, bytes) else value
