"""A book that is booked, corrected and folded as in production, and asked for as a file."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import httpx

from services.corrector.projections.projector import Projector
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.corrector.rerate_world import RerateBook, opened
from tests.databases import SECRET

COSTS = ("ListCost", "ContractedCost", "EffectiveCost")
Rows = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class ExportedBook:
    """`world` books and corrects; `fold` brings the cells up to it."""

    world: RerateBook
    projector: Projector

    async def fold(self) -> None:
        """Until nothing is left to fold."""
        while await self.projector.fold_next():
            pass

    async def recorded(self, what: str, at: str) -> None:
        """That the entries `what` (a condition) were written at another time."""
        await self.world.owner.execute(f"UPDATE entries SET recorded_at = '{at}' WHERE {what}")


@asynccontextmanager
async def exported_book(database_url: str, owner: asyncpg.Connection) -> AsyncIterator[ExportedBook]:
    """On an empty database."""
    url = role_url(database_url, "corrector", SECRET)
    async with (
        opened(database_url, owner) as world,
        asyncpg.create_pool(url, min_size=1, max_size=2, server_settings={"timezone": "UTC"}) as pool,
    ):
        yield ExportedBook(world=world, projector=Projector(pool=pool, meters=Meters()))


async def export_of(client: httpx.AsyncClient, **asked: str) -> httpx.Response:
    """The answer; October of 2026 unless something else is asked for."""
    span = {"from": "2026-10-01", "to": "2026-11-01"}
    return await client.get("/v1/exports/focus", params=span | asked, timeout=60)


async def rows_of(client: httpx.AsyncClient, **asked: str) -> Rows:
    """The rows of a CSV."""
    answer = await export_of(client, **asked)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def sums_of(rows: Rows) -> dict[str, list[Decimal]]:
    """List, contracted and effective by currency."""
    found: dict[str, list[Decimal]] = defaultdict(lambda: [Decimal()] * len(COSTS))
    for row in rows:
        sums = found[row["BillingCurrency"]]
        for number, name in enumerate(COSTS):
            sums[number] += Decimal(row[name])
    return dict(found)


async def spent(client: httpx.AsyncClient, start: date, end: date) -> dict[str, list[Decimal]]:
    """What /v1/spend says of the same days."""
    asked: dict[str, Any] = {"from": str(start), "to": str(end), "tz": "UTC"}
    answer = await client.get("/v1/spend", params=asked)
    assert answer.status_code == 200, answer.text
    return {
        row["currency"]: [Decimal(row[name]) for name in ("list", "contracted", "effective")]
        for row in answer.json()["totals"]
        if any(Decimal(row[name]) for name in ("list", "contracted", "effective"))
    }
