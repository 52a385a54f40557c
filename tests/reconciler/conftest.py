"""A small book on a real topic (tests/verify), and a reconciler that is made to look when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import pytest
from pydantic import SecretStr

from services.reconciler.again import Again
from services.reconciler.proving import Proving
from services.reconciler.sums import SumsProof
from services.reconciler.worker import Reconciler
from spendmeter.platform.roles import role_url
from spendmeter.platform.settings import Settings
from tests.databases import SECRET
from tests.verify.conftest import WrittenBook, book

__all__ = ["book"]


@dataclass
class Prover:
    """One process's passes, on a book that a test spoils."""

    book: WrittenBook
    proving: Proving
    again: Again
    sums: SumsProof

    @property
    def owner(self) -> asyncpg.Connection:
        return self.book.owner

    async def found(self) -> list[str]:
        """What was found, as a person reads it."""
        rows = await self.owner.fetch("SELECT tenant, named, what FROM proof_findings ORDER BY named, what")
        return [f"{row['tenant']}: {row['named']}: {row['what']}" for row in rows]

    async def marks(self) -> dict[int, tuple[int, int]]:
        """By partition, how far it has looked, and up to where all is proved."""
        rows = await self.owner.fetch("SELECT partition, looked, next_origin FROM proved_marks")
        return {row["partition"]: (row["looked"], row["next_origin"]) for row in rows}

    async def moment(self, at: datetime, *next_offsets: int) -> None:
        """Let the book have been so far at that moment; partition 0 first."""
        await self.owner.execute(
            "INSERT INTO moments (at, held_until, partitions, accounts, next_offsets) VALUES ($1, $1, $2, $3, $4)",
            at, list(range(-1, len(next_offsets))), [0] * (len(next_offsets) + 1), [0, *next_offsets],
        )  # fmt: skip

    async def proved_until(self) -> datetime | None:
        moment: datetime | None = await self.owner.fetchval("SELECT moment FROM proved_until")
        return moment

    async def see(self, found: str) -> None:
        """An operator has seen what was found of a row that is named so."""
        ids = await self.owner.fetch(
            "SELECT id FROM proof_findings WHERE named || what LIKE $1", f"%{found}%"
        )
        assert ids, "there is such a finding"
        for (key,) in ids:
            assert await self.owner.fetchval("SELECT see_finding($1, 'root', 'known')", key)


@asynccontextmanager
async def prover_of(book: WrittenBook) -> AsyncIterator[Prover]:
    """The process's own connections, as its own role."""
    url = role_url(book.request.database, "reconciler", SECRET)
    request = book.request
    settings = Settings(database_url=SecretStr(url), topic_prefix=request.topic_prefix, kafka=request.kafka)
    async with Reconciler(settings)._connected() as (proving, again, sums):
        again.share = 1.0  # nobody else is to have the rest
        yield Prover(book, proving, again, sums)


@pytest.fixture
async def prover(book: WrittenBook) -> AsyncIterator[Prover]:
    async with prover_of(book) as prover:
        yield prover
