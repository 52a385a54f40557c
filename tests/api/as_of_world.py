"""A book that remembers its moments and is proved up to the last of them, with what keeps it, by a clock of our
own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from msgspec import Raw

from services.corrector.apply import Applier
from services.corrector.intake import take_in
from services.ledger.moments import Moments
from services.ledger.roller import Roller
from spendmeter.contracts.corrections import EventCorrection, encode_correction
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.api.book import Book
from tests.corrector.rerate_world import RerateBook, opened, use
from tests.databases import SECRET
from tests.pricing.entries import RECORDED, price

BEGIN = datetime(2026, 11, 19, 8, 0, tzinfo=UTC)
PER_ONE = price("m-4", "input_tokens", "1", per=1)
FIRST_PRICES = (PER_ONE, price("m-4", "output_tokens", "10"), price("m-4", "gb_months", "70"))


class World:
    """A book, and what keeps it, by a clock of our own."""

    def __init__(self, book: RerateBook, pool: Any, client: httpx.AsyncClient, keys: dict[str, str]) -> None:
        self.book, self.client, self.keys = book, client, keys
        self.roller = Roller(pool=pool, meters=Meters())
        self.moments = Moments(pool=pool, offsets_max=7)
        self.applier = Applier(log_ends=book.log_ends)
        self.now = BEGIN
        self.asked = 0

    async def remember(self) -> datetime:
        """The moment of now."""
        while not await self.moments.remember(self.now):
            pass
        await self.prove()
        return datetime.fromisoformat(
            str(await self.book.owner.fetchval("SELECT max(held_until) FROM moments"))
        )

    async def prove(self) -> None:
        """All of it, as the reconciler says so."""
        await self.book.owner.execute(
            """INSERT INTO proved_until AS p (moment, held_until, proved_at)
            SELECT at, held_until, $1 FROM moments ORDER BY at DESC LIMIT 1
            ON CONFLICT (alone) DO UPDATE SET (moment, held_until, proved_at)
                = (EXCLUDED.moment, EXCLUDED.held_until, EXCLUDED.proved_at)""",
            self.now,
        )

    async def roll_up(self) -> None:
        while await self.roller.roll_up(self.now):
            pass

    async def correct(self, tenant: str, event_id: str, revision: int, patch: bytes | None) -> None:
        self.asked += 1
        said: dict[str, Any] = (
            {"kind": "retract"} if patch is None else {"kind": "amend", "patch": Raw(patch)}
        )
        correction = EventCorrection(
            id=f"c{self.asked}", tenant=tenant, source="bot", event_id=event_id, revision=revision, reason="a test",
            by="ada", at=RECORDED, **said,
        )  # fmt: skip
        standing = await self.book.standing()
        records = [(standing.position, encode_correction(correction))]
        await self.applier.take(self.book.corrector, standing, take_in(standing.position, records))

    async def answer(self, tenant: str, path: str = "/v1/spend", **asked: str) -> dict[str, Any]:
        answer = await self.ask(tenant, path, **asked)
        assert answer.status_code == 200, (asked, answer.text)
        return dict(answer.json())

    async def ask(self, tenant: str, path: str = "/v1/spend", **asked: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.keys[tenant]}"}
        return await self.client.get(path, params=asked, headers=headers)

    async def one_event(self, at: datetime, id: str = "e1") -> None:
        await self.book.book(use(id, "m-4", {"input_tokens": 3}, at=at))


@asynccontextmanager
async def world_of(book: Book, database_url: str, client: httpx.AsyncClient) -> AsyncIterator[World]:
    keys = {tenant: await book.key(tenant, "read") for tenant in ("acme", "globex")}
    role = role_url(database_url, "ledger", SECRET)
    async with (
        opened(database_url, book.connection) as rerate_book,
        asyncpg.create_pool(role, min_size=1, max_size=2) as pool,
    ):
        world = World(rerate_book, pool, client, keys)
        await rerate_book.publish(*FIRST_PRICES)
        yield world
