"""Carries deliveries out: claims rows that are due, makes one attempt at each, writes down what came of it.

A claim runs out, so what a killed worker had in hand is sent again, with the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import asyncpg

from services.alerts.incidents.store import TOPIC
from services.alerts.notify import DeliveryOutcome, IncidentMessage
from services.alerts.notify.http import ATTEMPT_S_MAX
from services.alerts.notify.senders import Senders
from services.alerts.notify.topic import TopicSender
from spendmeter.contracts.channels import WebhookSettings
from spendmeter.contracts.incidents import decode_incident
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters, log

SQL = load_sql(Path(__file__).with_name("deliveries.sql"))
POLL_S = 0.5
IN_FLIGHT_MAX = 32
PER_TENANT_MAX = 8
PER_CHANNEL_MAX = 4
CLAIM = timedelta(seconds=3 * ATTEMPT_S_MAX)
RETRY_AFTER = tuple(timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 60 * 60))
"""After the first attempt, which is made at once; then the delivery has failed."""
JITTER_SHARE = 0.1
TOPIC_RETRY_AFTER = timedelta(seconds=5)
"""The topic is ours: it is tried until the broker takes it."""


@dataclass(eq=False)
class Deliveries:
    """`run` delivers until cancelled."""

    pool: asyncpg.Pool[asyncpg.Record]
    senders: Senders
    topic: TopicSender
    meters: Meters
    busy: Counter[tuple[str, object]] = field(default_factory=Counter)
    """Attempts under way by (tenant, channel)."""

    async def run(self) -> None:
        """Look for due deliveries twice a second; attempts run beside each other."""
        async with asyncio.TaskGroup() as attempts:

            async def begin_attempts() -> None:
                for row in await self._claim():
                    self.busy[row["tenant"], row["channel_id"]] += 1
                    attempts.create_task(self._deliver(row))

            await keep_doing(begin_attempts, "deliveries wait", every_s=POLL_S, away=CONNECTION_ERRORS)

    async def _claim(self) -> list[asyncpg.Record]:
        free = IN_FLIGHT_MAX - self.busy.total()
        if free <= 0:
            return []
        self.busy = +self.busy  # those that are over are forgotten
        tenants: Counter[str] = Counter()
        for (tenant, _), count in self.busy.items():
            tenants[tenant] += count
        channels = [channel for _, channel in self.busy if channel != TOPIC]
        busy = [tenant for tenant, count in tenants.items() if count >= PER_TENANT_MAX]
        return await self.pool.fetch(
            SQL["claim"], free, PER_CHANNEL_MAX, channels, CLAIM, busy, PER_TENANT_MAX
        )

    async def _deliver(self, row: asyncpg.Record) -> None:
        try:
            answer = await self._attempt(row)
            await self._write_down(row, answer)
        except CONNECTION_ERRORS as error:
            # The claim runs out and the attempt is made again, with the same id.
            log().warning("a delivery's outcome is lost", delivery=str(row["id"]), error=type(error).__name__)
        finally:
            self.busy[row["tenant"], row["channel_id"]] -= 1

    async def _attempt(self, row: asyncpg.Record) -> DeliveryOutcome:
        if row["channel_id"] == TOPIC:
            return await self.topic.send(delivery=row["id"], incident=row["incident_id"], body=row["body"])
        endpoint = await self.pool.fetchrow(SQL["endpoint"], row["tenant"], row["channel_id"])
        if endpoint is None:
            return DeliveryOutcome(final=True, error="the channel is disabled or deleted")
        message = IncidentMessage(
            event=decode_incident(row["body"]), delivery=row["id"], created_at=row["created_at"]
        )
        return await self.senders.send(WebhookSettings(**endpoint), message, {})

    async def _write_down(self, row: asyncpg.Record, answer: DeliveryOutcome) -> None:
        tenant, delivery, attempt = row["tenant"], row["id"], row["attempts"]
        delay = _delay(row)
        if answer.delivered:
            outcome = "delivered"
            await self.pool.execute(SQL["delivered"], tenant, delivery)
        elif answer.final or delay is None:
            outcome = "failed"
            await self.pool.execute(SQL["fail"], tenant, delivery, answer.error)
            if answer.gone:
                await self.pool.execute(SQL["disable_channel"], tenant, row["channel_id"], answer.error)
        else:
            outcome = "postponed"
            await self.pool.execute(SQL["postpone"], tenant, delivery, delay, attempt, answer.error)
        self.meters.add("spendmeter.alerts.deliveries", outcome=outcome)
        if not answer.delivered:
            log().warning(
                "not delivered",
                delivery=str(delivery),
                tenant=tenant,
                channel=str(row["channel_id"]),
                attempt=attempt,
                reason=answer.error,
            )


def _delay(row: asyncpg.Record) -> timedelta | None:
    """How long after this attempt the next one is made; None = there is none."""
    attempts: int = row["attempts"]
    if row["channel_id"] == TOPIC:
        return TOPIC_RETRY_AFTER
    if attempts > len(RETRY_AFTER):
        return None
    return RETRY_AFTER[attempts - 1] * (1 + random.uniform(0, JITTER_SHARE))  # noqa: S311 - no secret
