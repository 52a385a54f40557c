"""A book with calls of models, priced by its catalog and folded by the corrector's own code: what questions about
models are asked of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from services.corrector.projections.projector import Projector
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.events import Labels, Performance, UsageData, UsageEvent
from spendmeter.platform.catalog_store import record
from spendmeter.platform.telemetry import Meters
from spendmeter.pricing.engine import Rating, rate
from spendmeter.pricing.price_book import PriceBook
from tests.api.book import Book
from tests.pricing.entries import price

PRICES: tuple[CatalogEntry, ...] = (
    price("m", "input_tokens", "1"),
    price("m", "output_tokens", "2"),
    price("n", "input_tokens", "0.5"),
    price("n", "output_tokens", "1"),
    price("in-only", "input_tokens", "0.1"),
)
"""In US dollars a million."""
USAGE = {"input_tokens": 1000, "output_tokens": 500}
"""Of m 0.001 + 0.001 = 0.002, of n half of it."""
YESTERDAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


class UsedModels:
    """`call` books, `fold` makes what was booked visible to questions."""

    def __init__(self, book: Book, pool: asyncpg.Pool) -> None:
        self.book, self.pool = book, pool
        self.prices = PriceBook(PRICES)
        self._events = 0
        self._last: tuple[UsageEvent, Rating]

    async def publish(self, *more: CatalogEntry) -> None:
        await record(self.book.connection, [*PRICES, *more], by="test", note="a test")
        self.prices = PriceBook([*PRICES, *more])

    async def call(
        self,
        sku: str = "m",
        calls: int = 1,
        *,
        tenant: str = "acme",
        team: str = "support",
        at: datetime = YESTERDAY,
        latency_ms: int | None = 1000,
        status: str = "ok",
        key: str = "k1",
        **data: Any,
    ) -> None:
        for _ in range(calls):
            self._events += 1
            said = {
                "provider": "openai", "sku": sku, "usage": dict(USAGE), "labels": Labels(team=team),
                "performance": Performance(latency_ms=latency_ms, status=status), **data,
            }  # fmt: skip
            event = UsageEvent(
                specversion="1.0", type="spendmeter.usage.v1", source="bot", subject="s", id=f"e{self._events}",
                tenant=tenant, keyid=key, time=at, receivedat=at, data=UsageData(**said),
            )  # fmt: skip
            rating = rate(event, self.prices)
            await self.book.entry(event, str(rating.effective), list(rating.lines), status=rating.status)
            self._last = event, rating

    async def retract_last(self) -> None:
        event, rating = self._last
        await self.book.entry(event, f"-{rating.effective}", [], status=rating.status, seq=1)

    async def fold(self) -> None:
        end = self.book._offset + 1
        await self.book.partition(0, log_end=end, read_at=datetime.now(UTC), booked=end)
        await Projector(pool=self.pool, meters=Meters()).catch_up()
