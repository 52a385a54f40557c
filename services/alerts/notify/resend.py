"""Says again, every minute, what fires in an Alertmanager, and for a while that it is over.

An Alertmanager takes for over what it does not hear of: each repetition stands for a quarter of an hour, so
that neither a restart of ours nor of its own ends an incident (`docs/decisions/told-at-least-once.md`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec

from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.alertmanager import next_resend
from services.alerts.notify.senders import Senders
from spendmeter.contracts.channels import ChannelSettingsError, decode_settings
from spendmeter.contracts.incidents import decode_incident
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("resend.sql"))
POLL_S = 1.0
CLAIMED_MAX = 500
AT_ONCE_MAX = 16


@dataclass(eq=False)
class Resend:
    """`run` says again until cancelled. Any number of workers may: each row is one's."""

    pool: asyncpg.Pool[asyncpg.Record]
    senders: Senders
    meters: Meters

    async def run(self) -> None:
        """Once a second, what is due."""
        await keep_doing(self.once, "repetitions wait", every_s=POLL_S, away=CONNECTION_ERRORS)

    async def once(self) -> None:
        """All that is due now. A channel that fails is left alone until its rows are due again."""
        rows = await self.pool.fetch(SQL["claim"], CLAIMED_MAX)
        at_once, failing = asyncio.Semaphore(AT_ONCE_MAX), set[UUID]()

        async def say(row: asyncpg.Record) -> None:
            async with at_once:
                if row["channel_id"] not in failing and not await self._say(row):
                    failing.add(row["channel_id"])

        async with asyncio.TaskGroup() as tasks:
            for row in rows:
                if not row["in_hand"]:
                    tasks.create_task(say(row))

    async def _say(self, row: asyncpg.Record) -> bool:
        """Whether the channel takes things."""
        key = (row["tenant"], row["incident_id"], row["channel_id"], row["resend_at"])
        answer, goes_on = await self._attempt(row)
        if not goes_on or answer.gone:
            await self.pool.execute(SQL["stop"], *key)
        if answer.delivered and answer.remember:
            await self.pool.execute(SQL["remember"], *key, dict(answer.remember))
        self.meters.add("spendmeter.alerts.repetitions", outcome="said" if answer.delivered else "failed")
        if not answer.delivered:
            log().warning(
                "not said again", tenant=row["tenant"], channel=str(row["channel_id"]), reason=answer.error
            )
        return answer.delivered

    async def _attempt(self, row: asyncpg.Record) -> tuple[DeliveryOutcome, bool]:
        """What came of it, and whether it is to be said once more."""
        if row["away"]:
            return DeliveryOutcome(error="the channel is disabled or deleted"), False
        try:
            settings, event = (
                decode_settings(msgspec.json.encode(row["settings"])),
                decode_incident(row["event"]),
            )
        except (ChannelSettingsError, msgspec.DecodeError) as error:
            return DeliveryOutcome(error=f"cannot be read: {error}"[:200]), False
        message = IncidentMessage(event=event, delivery=row["delivery_id"], created_at=row["told_at"])
        answer = await self.senders.send(settings, message, row["remembered"])
        return answer, next_resend(event, datetime.now(UTC)) is not None
