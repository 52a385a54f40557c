"""The network between the ledger and Postgres: cut inside a COMMIT, slow, and standing still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.faults.proxy import Proxy
from tests.faults.trial import Scene
from tests.faults.workers import beside

CUTS = 20
CUT_S_MAX = 60.0
DELAY_S = 0.1
SLOW_S = 20.0
FROZEN_S = (60.0, 75.0)


@asynccontextmanager
async def proxied(scene: Scene) -> AsyncIterator[Proxy]:
    """A ledger whose every connection to Postgres goes through a proxy; the group has given it its share."""
    environment = scene.process("ledger").environ()
    url = environment["DATABASE_URL"]
    with Proxy(scene.system.process("postgres").port) as proxy:
        worker = beside(scene.system, "ledger", DATABASE_URL=proxy.of(url))
        process = await asyncio.to_thread(worker.__enter__)
        try:
            yield proxy
            assert process.is_running(), "the ledger ended"
        finally:
            proxy.frozen, proxy.delay_s = False, 0.0
            await asyncio.to_thread(worker.__exit__, None, None, None)


async def cut_inside_commit(scene: Scene) -> str:
    """So many bookings lose their connection when their COMMIT was sent and not answered."""
    count = max(4, round(CUTS * scene.scale))
    async with proxied(scene) as proxy:
        deadline = time.monotonic() + CUT_S_MAX
        while len(proxy.cuts) < count:
            assert time.monotonic() < deadline, f"{len(proxy.cuts)} of {count} cuts within {CUT_S_MAX:.0f} s"
            if not proxy.cuts_due:
                await asyncio.sleep(scene.random.uniform(0.05, 0.5))
                proxy.cuts_due = 1
            await asyncio.sleep(0.02)
    print(*(f"  cut {cut}" for cut in proxy.cuts), sep="\n", flush=True)
    committed = sum(cut.committed for cut in proxy.cuts)
    first, last = proxy.cuts[0].at, proxy.cuts[-1].at
    return (
        f"{len(proxy.cuts)} connections cut inside COMMIT from {first:%H:%M:%S.%f} to {last:%H:%M:%S.%f}; "
        f"Postgres had committed {committed} of them"
    )


async def slow(scene: Scene) -> str:
    """Every message takes its time, each way."""
    async with proxied(scene) as proxy:
        proxy.delay_s = DELAY_S
        await asyncio.sleep(SLOW_S * scene.scale)
    return f"every message {DELAY_S * 1000:.0f} ms later each way, for {SLOW_S * scene.scale:.0f} s"


async def standing_still(scene: Scene) -> str:
    """Nothing passes, and no connection is closed."""
    seconds = scene.random.uniform(*FROZEN_S) * scene.scale
    async with proxied(scene) as proxy:
        proxy.frozen = True
        await asyncio.sleep(seconds)
        proxy.frozen = False
        await asyncio.sleep(2)
    return f"nothing passed for {seconds:.0f} s; {proxy.sessions} sessions in all"
