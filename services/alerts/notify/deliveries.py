"""Carries deliveries out: claims rows that are due, makes one attempt at each, writes down what came of it.

A claim runs out, so what a killed worker had in hand is sent again, with the same id.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from services.alerts.notify import ChannelSender, DeliveryOutcome, IncidentMessage
from services.alerts.notify.merging import SQL, merge_others
from services.alerts.notify.outcomes import write_down
from services.alerts.notify.queue import TOPIC
from services.alerts.notify.topic import TopicSender
from services.alerts.notify.trial import trial_event, trial_over
from spendmeter.contracts.channels import ChannelKind, ChannelSettingsError, decode_settings
from spendmeter.contracts.incidents import IncidentEvent
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import Meters, log

POLL_S = 0.5
IN_FLIGHT_MAX = 32
PER_TENANT_MAX = 8
PER_CHANNEL_MAX = 4
ATTEMPT_S_MAX = 25
"""Of one attempt, which may be several requests."""
CLAIM = timedelta(seconds=ATTEMPT_S_MAX + 5)
RETRY_AFTER = tuple(
    timedelta(seconds=seconds) for seconds in (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600)
)
"""After the first attempt, which is made at once; then the delivery has failed."""
JITTER_SHARE = 0.1
ASKED_TO_WAIT_MAX = timedelta(hours=1)
"""Where a receiver says when to come again, and it says so for as long as PATIENCE: then attempts count."""
PATIENCE = timedelta(days=2)
UNCOUNTED_WAIT = timedelta(minutes=5)
"""Who has asked for no wait at all, again and again, is asked this rarely in the end."""
TOPIC_RETRY_AFTER = timedelta(seconds=5)
"""The topic is ours: it is tried until the broker takes it."""
SHOWS_OPEN: frozenset[ChannelKind] = frozenset({"alertmanager", "pagerduty"})
"""A test that arrived there is ended as well."""
AWAY = "the channel is disabled or deleted"


@dataclass(eq=False)
class Deliveries:
    """`run` delivers until cancelled."""

    pool: asyncpg.Pool[asyncpg.Record]
    senders: ChannelSender
    """To every kind."""
    topic: TopicSender
    meters: Meters
    portal_url: str = ""
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
            SQL["claim"], free, PER_CHANNEL_MAX, channels, CLAIM, busy, PER_TENANT_MAX, TOPIC
        )

    async def _deliver(self, row: asyncpg.Record) -> None:
        try:
            if row["channel_id"] == TOPIC:
                answer = await self.topic.send(
                    delivery=row["id"], incident=row["incident_id"], body=row["body"]
                )
                await self._write_down(row, answer)
            else:
                await self._tell(row)
        except CONNECTION_ERRORS as error:
            # The claim runs out and the attempt is made again, with the same id.
            log().warning("a delivery's outcome is lost", delivery=str(row["id"]), error=type(error).__name__)
        finally:
            self.busy[row["tenant"], row["channel_id"]] -= 1

    async def _tell(self, row: asyncpg.Record) -> None:
        channel = await self.pool.fetchrow(
            SQL["channel"], row["tenant"], row["channel_id"], row["incident_id"]
        )
        if channel is None:
            await self._write_down(row, DeliveryOutcome(final=True, error=AWAY))
            return
        kind: ChannelKind = channel["kind"]
        try:
            settings = decode_settings(msgspec.json.encode(channel["settings"]))
            event = await self._event(row)
        except (ChannelSettingsError, msgspec.DecodeError) as error:
            answer = DeliveryOutcome(final=True, error=f"cannot be read: {error}"[:200])
            await self._write_down(row, answer, kind=kind)
            return
        if event is None:
            return
        alone = event.transition == "digest" or row["incident_id"] is None
        remembered = {} if alone else channel["remembered"]
        answer = await self._attempt(kind, settings, row, event, remembered)
        await self._write_down(row, answer, kind=kind, event=None if alone else event)

    async def _event(self, row: asyncpg.Record) -> IncidentEvent | None:
        if row["incident_id"] is None:
            return trial_event(row["tenant"], str(row["id"]), row["created_at"], self.portal_url)
        return await merge_others(self.pool, row, datetime.now(UTC))

    async def _attempt(
        self,
        kind: ChannelKind,
        settings: Any,
        row: asyncpg.Record,
        event: IncidentEvent,
        remembered: Mapping[str, str],
    ) -> DeliveryOutcome:
        message = IncidentMessage(event=event, delivery=row["id"], created_at=row["created_at"])
        try:
            async with asyncio.timeout(ATTEMPT_S_MAX):
                answer = await self.senders.send(settings, message, remembered)
                if answer.delivered and row["incident_id"] is None and kind in SHOWS_OPEN:
                    over = trial_over(event, datetime.now(UTC))
                    await self.senders.send(settings, replace(message, event=over), {**answer.remember})
                return answer
        except TimeoutError:
            return DeliveryOutcome(error=f"no answer within {ATTEMPT_S_MAX} s")

    async def _write_down(
        self,
        row: asyncpg.Record,
        answer: DeliveryOutcome,
        *,
        kind: str = "",
        event: IncidentEvent | None = None,
    ) -> None:
        delay = _delay(row, answer, datetime.now(UTC))
        outcome = await write_down(self.pool, row, answer, delay, kind=kind, event=event)
        self.meters.add("spendmeter.alerts.deliveries", outcome=outcome)
        if outcome != "delivered":
            log().warning(
                "not delivered",
                delivery=str(row["id"]),
                tenant=row["tenant"],
                channel=str(row["channel_id"]),
                attempt=row["attempts"],
                reason=answer.error,
            )


def _delay(row: asyncpg.Record, answer: DeliveryOutcome, now: datetime) -> tuple[timedelta, bool] | None:
    """How long after this attempt the next one is made, and whether this one counts; None = there is none."""
    attempts: int = row["attempts"]
    if row["channel_id"] == TOPIC:
        return TOPIC_RETRY_AFTER, True
    if row["incident_id"] is None or answer.final:
        return None
    asked, age = min(answer.retry_after or timedelta(0), ASKED_TO_WAIT_MAX), now - row["created_at"]
    if answer.retry_after is not None and age < PATIENCE:
        return max(asked, timedelta(seconds=1), min(age / 10, UNCOUNTED_WAIT)), False
    if attempts > len(RETRY_AFTER):
        return None
    planned = RETRY_AFTER[attempts - 1] * (1 + random.uniform(0, JITTER_SHARE))  # noqa: S311 - no secret
    return max(asked, planned), True
