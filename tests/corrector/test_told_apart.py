"""Labels in a script of which a character takes several bytes: what the gate takes, the table of runs can hold, and what
lies in the book from before keeps nothing from going on."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from services.corrector.projections.projector import SQL
from services.corrector.projections.runs import RunFold
from spendmeter.book.entry import BookEntry, read_entry
from spendmeter.contracts.gate import TOLD_APART_BYTES_MAX
from spendmeter.platform.roles import role_url
from tests.databases import SECRET
from tests.ledger_records import NOON

TENANT = "t" * 63
"""As long as one may be."""


@pytest.fixture
async def pool(owner: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Pool]:
    url = role_url(database, "corrector", SECRET)
    async with asyncpg.create_pool(url, min_size=1, max_size=2, server_settings={"timezone": "UTC"}) as pool:
        yield pool


def entry(texts: list[str]) -> BookEntry:
    """Of an event whose team, run, ... and status are these."""
    team, run, workflow, version, agent, provider, sku, status = texts
    labels = {"team": team, "run": run, "workflow": workflow, "workflow_version": version, "agent": agent}
    data = {"usage": {}, "provider": provider, "sku": sku, "cost_class": "hardware", "labels": labels, "performance": {"status": status}}  # fmt: skip
    event = msgspec.json.encode({"data": data}).decode()
    return read_entry(0, NOON, TENANT, b"s" * 16, "priced", "USD", "1", "1", "1", event, "[]", b"i" * 16)


def scrambled(length: int, count: int = 8) -> list[str]:
    """Texts of characters of four bytes, which no packing makes smaller."""
    chance = random.Random(7)
    return ["".join(chr(chance.randrange(0x20000, 0x2A6DF)) for _ in range(length)) for _ in range(count)]


async def add(pool: asyncpg.Pool, fold: RunFold) -> None:
    await pool.execute(SQL["add_to_runs"], msgspec.json.encode(fold.rows()).decode())


async def test_the_longest_that_the_gate_takes_is_a_row_of_the_longest_tenant(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    """Without a team, which is no part of the row: 7 texts of 85 characters are 2,380 bytes, and 5 characters more."""
    texts = ["", *scrambled(85, 7)]
    texts[6] += "".join(scrambled(5, 1))
    assert len("".join(texts).encode()) == TOLD_APART_BYTES_MAX
    fold = RunFold()
    fold.add([entry(texts)])
    await add(pool, fold)
    assert await owner.fetchval("SELECT events FROM runs WHERE run = $1", texts[1]) == 1


async def test_what_is_longer_is_of_no_run_for_it_would_end_the_corrector_whenever_it_starts(
    pool: asyncpg.Pool,
) -> None:
    texts = scrambled(100)
    fold = RunFold()
    fold.add([read := entry(texts)])
    assert (len(fold), read.stated.provider, read.effective) == (0, "", 1)
    fold.add([entry(["", *["x"] * 7])])
    (row,) = fold.rows()
    _, row.run, row.workflow, row.workflow_version, row.agent, row.provider, row.sku, row.call_status = texts
    with pytest.raises(asyncpg.ProgramLimitExceededError):
        await add(pool, fold)
