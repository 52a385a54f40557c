"""How fast a job prices a tenant's booked events anew: every one of them changes, in every sum."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg

from services.corrector.fence import move, read_standing
from services.corrector.job_requests import take_request
from services.corrector.rerates import Rerates
from services.corrector.sweep import READ_IN_ORDER
from services.corrector.write import prepare
from spendmeter.contracts.corrections import RerateApply, RerateRequest
from spendmeter.platform.catalog_store import record
from spendmeter.platform.roles import role_url
from spendmeter.platform.service import collect_seldom
from tests.ledger_records import TOPIC
from tests.pricing.entries import price

PRICES = {"input_tokens": "2.5", "cache_read_tokens": "1.25", "output_tokens": "10"}
"""Of gpt-4o, in US dollars a million."""


async def rerate_all(
    url: str, secret: str, tenants: list[str], lanes: int, postgres_cpu: Callable[[], float]
) -> dict[str, Any]:
    """Publish prices, show what a job for each tenant would change, and apply them, all tenants at once: events a
    second of going through the book to apply, and of the dry runs before, whose clocks run from the first chunk to
    the last job's end. What comes of it is held against quantities x prices."""
    owner = await asyncpg.connect(url)
    await record(
        owner, [price("gpt-4o", unit, amount) for unit, amount in PRICES.items()], by="bench", note="bench"
    )
    version = await owner.fetchval("SELECT max(version) FROM catalog_publications")
    as_corrector = role_url(url, "corrector", secret)
    corrector, beside = [await asyncpg.connect(as_corrector, server_settings=READ_IN_ORDER) for _ in range(2)]
    await prepare(corrector)

    async def log_ends() -> list[int]:
        return [0] * lanes

    rerates = Rerates(log_ends=log_ends, told=list)
    collect_seldom()  # as its process does
    spent: dict[str, tuple[float, float, float]] = {}
    at = datetime.now(UTC)
    for phase, state in (("preview", "previewing"), ("applied", "applying")):
        for tenant in tenants:
            asked = {"id": f"bench {tenant}", "tenant": tenant, "by": "bench", "at": at}
            request = (
                RerateRequest(**asked, version=version, reason="a benchmark")
                if phase == "preview"
                else RerateApply(**asked)
            )
            async with corrector.transaction():
                standing = await read_standing(corrector, TOPIC)
                standing = await move(corrector, standing, position=standing.position + 1)
                await take_request(corrector, request)
        theirs, mine, began = postgres_cpu(), time.process_time(), time.perf_counter()
        while await owner.fetchval("SELECT EXISTS (SELECT FROM rerate_jobs WHERE state = $1)", state):
            standing, has_more = await rerates.step(corrector, standing, beside)
            if not has_more:  # it waits for transactions that began before
                await asyncio.sleep(0.005)
        took, its = time.perf_counter() - began, time.process_time() - mine
        spent[phase] = took, its, postgres_cpu() - theirs
    changed = await owner.fetchval("SELECT sum(changed) FROM rerate_passes WHERE phase = 'applied'")
    money = await owner.fetchval("SELECT sum(effective) FROM entries")
    worth = " + ".join(
        f"(event::jsonb #>> '{{data,usage,{unit}}}')::numeric * {amount}" for unit, amount in PRICES.items()
    )
    due = await owner.fetchval(f"SELECT sum({worth}) / 1000000 FROM entries WHERE seq = 0")
    rolled_up = await owner.fetchval("SELECT sum(effective) FROM rollups_minute")
    assert money == due == rolled_up, (money, due, rolled_up)
    await owner.close()
    await corrector.close()
    await beside.close()
    took, mine, theirs = spent["applied"]
    return {
        "rerate_per_s": round(int(changed) / took),
        "rerate_preview_per_s": round(int(changed) / spent["preview"][0]),
        "rerate_python_us": round(mine / int(changed) * 1e6, 1),
        "rerate_postgres_us": round(theirs / int(changed) * 1e6, 1),
        "rerated": int(changed),
    }
