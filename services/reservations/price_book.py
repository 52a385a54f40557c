"""The process's own price book: of the newest publication of the catalog, followed in Postgres."""

from __future__ import annotations

import asyncio

from services.reservations.callers import SQL
from services.reservations.turns import AWAY, Pool
from spendmeter.platform.catalog_store import read_publication
from spendmeter.platform.retry import keep_doing
from spendmeter.platform.telemetry import log
from spendmeter.pricing.bound import Bounder
from spendmeter.pricing.conditions import CatalogError
from spendmeter.pricing.price_book import PriceBook

LOOK_S = 2.0


class PriceBookFollower:
    """`book` is None until the first publication was read; while Postgres is away the last one stays."""

    def __init__(self, pool: Pool) -> None:
        self.book: PriceBook | None = None
        self.bounder: Bounder | None = None
        """By that book."""
        self._pool = pool

    async def keep_following(self) -> None:
        """Until cancelled."""
        await keep_doing(self.look, "catalog not read", every_s=LOOK_S, away=AWAY)

    async def look(self) -> None:
        """Switch to the newest publication."""
        version = await self._pool.fetchval(SQL["version"])
        if not version or (self.book is not None and self.book.version == version):
            return
        entries, read = await read_publication(self._pool)
        try:
            bounder = await asyncio.to_thread(lambda: Bounder(PriceBook(entries, read)))
            self.book, self.bounder = bounder.book, bounder
            log().info("price book switched", version=read, entries=len(entries))
        except CatalogError as error:
            log().error("the price book in use stays", reason=str(error))
