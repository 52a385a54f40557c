"""The catalog's newest publication is read for all who ask at once, and never as it was before they asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.api.catalog.price_books import PriceBooks


class Publications:
    """A database that holds publications; a reading sees what was published when it began, and ends on `go`."""

    def __init__(self) -> None:
        self.version, self.readings, self.away = 0, 0, False
        self.go = asyncio.Event()

    @asynccontextmanager
    async def reading(self, tenant: str) -> AsyncIterator[Any]:
        self.readings += 1
        seen = self.version
        await self.go.wait()
        if self.away:
            raise OSError("the database is away")
        yield _Snapshot(seen)


class _Snapshot:
    def __init__(self, version: int) -> None:
        self._version = version

    async def fetchrow(self, statement: str) -> dict[str, int] | None:
        return {"version": self._version} if self._version else None

    async def fetch(self, statement: str, since: int, version: int) -> list[Any]:
        return []


async def test_who_asks_while_it_is_read_is_told_what_was_published_before_they_asked() -> None:
    database: Any = Publications()
    books = PriceBooks(database)
    early = asyncio.create_task(books.newest())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    database.version = 7
    late = [asyncio.create_task(books.newest()) for _ in range(50)]
    await asyncio.sleep(0)
    database.go.set()
    assert (await early).version == 0
    assert {(await each).version for each in late} == {7}
    assert database.readings == 2, "one for the first, one for the fifty"


async def test_trouble_is_told_to_all_who_wait_and_the_next_asks_anew() -> None:
    database: Any = Publications()
    database.away = True
    database.go.set()
    books = PriceBooks(database)
    told = await asyncio.gather(*(books.newest() for _ in range(3)), return_exceptions=True)
    assert [str(each) for each in told] == ["the database is away"] * 3
    database.away, database.version = False, 1
    assert (await books.newest()).version == 1


async def test_who_gives_up_takes_nothing_from_those_who_wait_with_them() -> None:
    database: Any = Publications()
    books = PriceBooks(database)
    gone, stays = (asyncio.create_task(books.newest()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    database.go.set()
    assert (await stays).version == 0
    with pytest.raises(asyncio.CancelledError):
        await gone
