"""Sends what falls due to ingest, tenant by tenant, and repeats it with the same ids until it is accepted."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import httpx
import stamina

from deploy.demo.workload import Event
from spendmeter.platform.telemetry import log

TICK_S = 0.25
BATCH_EVENTS_MAX = 500
TIMEOUT_S = 10.0
RETRY_WAIT_S_MAX = 3.0
BUSY = {429, 500, 502, 503, 504}
FallsDue = Callable[[datetime, float, float], list[tuple[str, Event]]]
"""(now, seconds since the start, seconds since the last question) to the (tenant, event) that fall due."""


async def stream(due: FallsDue, ingest_url: str, keys: Mapping[str, str], stop: asyncio.Event) -> None:
    """Until `stop`. Raises httpx.HTTPStatusError for an answer that trying again cannot change."""
    async with httpx.AsyncClient(base_url=ingest_url, timeout=TIMEOUT_S) as client:
        began = last = time.monotonic()
        while not stop.is_set():
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            by_tenant: defaultdict[str, list[Event]] = defaultdict(list)
            for tenant, event in due(datetime.now(UTC), now - began, now - last):
                by_tenant[tenant].append(event)
            last = now
            async with asyncio.TaskGroup() as group:
                for tenant, events in by_tenant.items():
                    for start in range(0, len(events), BATCH_EVENTS_MAX):
                        batch = events[start : start + BATCH_EVENTS_MAX]
                        group.create_task(deliver(client, keys[tenant], batch, stop))


async def deliver(client: httpx.AsyncClient, key: str, events: Sequence[Event], stop: asyncio.Event) -> None:
    """Returns when ingest has accepted them, or once `stop` is set. Raises httpx.HTTPStatusError for an
    answer that trying again cannot change."""
    async for attempt in stamina.retry_context(
        on=worth_another, attempts=None, timeout=None, wait_max=RETRY_WAIT_S_MAX
    ):
        with attempt:
            if stop.is_set():
                return
            answer = await client.post(
                "/api/v1/events",
                json=list(events),
                headers={
                    "Authorization": f"Bearer {key}",
                    "Content-Type": "application/cloudevents-batch+json",
                },
            )
            if answer.is_error and answer.status_code not in BUSY:
                log().error("ingest refuses the demo", status=answer.status_code, reason=answer.text[:300])
            answer.raise_for_status()


def worth_another(error: Exception) -> bool:
    """Whether the same request may be accepted later: the service is away, or says that it is busy."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in BUSY
    return isinstance(error, httpx.TransportError)
