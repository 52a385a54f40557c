"""Days whose entries lie in a file are hashed from it: an edit of the file, or of what the chain says, is named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from spendmeter.book import archive
from spendmeter.book.archive_file import COLUMNS, EntryRow, Manifest, MonthFile, read_rows
from spendmeter.verify.archived import put_beside
from spendmeter.verify.chain import check_chain
from spendmeter.verify.report import Report
from tests.verify.conftest import WrittenBook
from tests.verify.test_chain import chained as chained
from tests.verify.test_verify import said

MONTH, PART = date(2026, 11, 1), "recorded.entries_202611"


def write(folder: Path, rows: list[EntryRow]) -> Manifest:
    with MonthFile(folder, MONTH) as file:
        file.rows(rows)
        file.close()
        return file.finish()


async def put_down(book: WrittenBook, file: Manifest) -> None:
    """Let the book list this file."""
    await book.owner.execute(archive.SQL["put_down"], MONTH, file.entries, file.file, file.sha256)


@asynccontextmanager
async def put_away(book: WrittenBook, folder: Path) -> AsyncIterator[list[EntryRow]]:
    """The month in a file, and its table out of the book; its rows."""
    rows = [tuple(row) for row in await book.owner.fetch(archive.SQL["rows"].format(part=PART))]
    await put_down(book, write(folder, rows))
    await book.owner.execute(f"ALTER TABLE entries DETACH PARTITION {PART}")
    try:
        yield rows
    finally:
        attach = archive.SQL["attach"].format(part=PART, first=MONTH, beyond=date(2026, 12, 1))
        await book.owner.execute(attach)
        await book.owner.execute(archive.SQL["take_up"], MONTH)


async def found(book: WrittenBook, folder: Path) -> str:
    """What the chain's check says of the book and the files, on a connection of its own."""
    reader = await asyncpg.connect(book.request.database, server_settings={"timezone": "UTC"})
    try:
        await put_beside(reader, folder)
        report = Report()
        async with reader.transaction(isolation="repeatable_read", readonly=True):
            await check_chain(reader, report)
        assert report.checked["I10"] == 4, "two tenants, two days"
        return said(report, "I10")
    finally:
        await reader.close()


def edited(row: EntryRow, name: str, change: Callable[[Any], Any]) -> EntryRow:
    place = COLUMNS.index(name)
    return (*row[:place], change(row[place]), *row[place + 1 :])


async def test_an_edit_of_an_archived_day_is_named_wherever_it_was_made(
    chained: WrittenBook, tmp_path: Path
) -> None:
    async with put_away(chained, tmp_path) as rows:
        assert await found(chained, tmp_path) == ""
        assert [row for part in read_rows(tmp_path / "entries_202611.parquet") for row in part] == rows

        first, *others = rows  # of the first of two days
        tenant = first[COLUMNS.index("tenant")]
        dearer = edited(first, "effective", lambda amount: str(Decimal(amount) + Decimal("0.000000000001")))
        await put_down(
            chained, write(tmp_path, [dearer, *others])
        )  # and its manifest, and the book's own list
        assert (await found(chained, tmp_path)).startswith(
            f"day 2026-11-23 of {tenant}: changed since it was closed: effective "
        )

        await put_down(chained, write(tmp_path, others))
        assert f"day 2026-11-23 of {tenant}: changed since it was closed: " in await found(chained, tmp_path)

        true = write(tmp_path, rows)
        await put_down(chained, true)
        await chained.owner.execute(
            "UPDATE chain_days SET leaves = leaves + 1 WHERE day = '2026-11-23' AND tenant = $1", tenant
        )
        says = await found(chained, tmp_path)
        assert f"day 2026-11-23 of {tenant}: changed since it was closed: " in says
        assert f"day 2026-11-23 of {tenant}: changed: its root is not that of what it says" in says


async def test_a_file_that_was_edited_alone_is_named_before_anything_is_read(
    chained: WrittenBook, tmp_path: Path
) -> None:
    async with put_away(chained, tmp_path):
        path = tmp_path / "entries_202611.parquet"
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"entries_202611\.parquet is not the file into which 2026-11"):
            await put_beside(chained.owner, tmp_path)
