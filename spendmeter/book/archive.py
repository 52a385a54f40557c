"""Puts months of the book away, and takes them back: as its owner, a month at a time, the oldest first.

The months that are part of the book are the newest ones, without a gap. So of an event whose first entry is
there, all that correct it are, and what is asked of a later time finds everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import asyncpg

from spendmeter.book.archive_file import (
    BATCH_ROWS,
    COLUMNS,
    BadArchive,
    EntryRow,
    Manifest,
    MonthFile,
    file_name,
    read_manifest,
    read_rows,
)
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("archive.sql"))


_UNREAD = {
    "": "{reader} has not read all of {month:%Y-%m} yet, and could not once it is away",
    "the reconciler": "the reconciler has not proved all of {month:%Y-%m}: `spendmeter proof` says why",
}


class Refused(Exception):
    """The month is not to be put away, or taken back, now; the text says why."""


@dataclass(frozen=True, kw_only=True)
class BookMonth:
    """A month of the book, by its first day."""

    month: date
    attached: bool
    """Whether it is part of the book."""
    listed: bool
    """Whether a file has it. With `attached`: it was interrupted on its way."""
    entries: int | None
    file: str | None
    sha256: str | None
    archived_at: datetime | None


async def read_months(owner: Any) -> list[BookMonth]:
    """All, the oldest first."""
    return [BookMonth(**row) for row in await owner.fetch(SQL["months"])]


async def archive(owner: Any, month: date, folder: Path, today: date, *, drop: bool) -> Manifest:
    """Write the month into `folder`, read it back, and take it out of the book; `drop` its table, too.
    Whatever interrupts it, the next try goes on. Raises Refused, BadArchive, OSError, asyncpg's errors."""
    part, months = _part(month), await read_months(owner)
    if drop and any(each.month == month and not each.attached for each in months):
        return await _drop(owner, part, month, folder, months)
    _may_go(months, month, today)
    if not await _is_closed(owner, month):
        raise Refused(f"not every day of {month:%Y-%m} is closed by the chain of days yet")
    if await owner.fetchval(SQL["is_half_detached"], part):
        await owner.execute(SQL["detach_the_rest"].format(part=part))
        manifest = _listed_manifest(folder, month, months)
    else:
        if reader := await owner.fetchval(SQL["unread"].format(part=part)):
            raise Refused(_UNREAD.get(reader, _UNREAD[""]).format(reader=reader, month=month))
        manifest = await _write(owner, part, month, folder)
        await owner.execute(SQL["put_down"], month, manifest.entries, manifest.file, manifest.sha256)
        await owner.execute(SQL["detach"].format(part=part))
    await _same_count(owner, part, manifest)
    if drop:
        await owner.execute(SQL["drop"].format(part=part))
    return manifest


async def attach(owner: Any, month: date, folder: Path) -> Manifest:
    """Make it part of the book again: its table, if it was kept, else the file's rows. Raises as `archive`
    does."""
    part, months = _part(month), await read_months(owner)
    gone = [each for each in months if not each.attached]
    if not gone or gone[-1].month != month:
        last = f"the next is {gone[-1].month:%Y-%m}" if gone else "none is archived"
        raise Refused(f"months come back in their order, the newest first: {last}")
    manifest = _listed_manifest(folder, month, months)
    async with owner.transaction():
        if not await owner.fetchval(SQL["is_there"], part):
            await owner.execute(SQL["make"].format(part=part))
            await owner.execute(SQL["stage"])
            for rows in read_rows(folder / manifest.file):
                await owner.copy_records_to_table("archived", records=rows, columns=COLUMNS)
            await owner.execute(SQL["fill"].format(part=part))
        await _same_count(owner, part, manifest)
        await owner.execute(SQL["attach"].format(part=part, first=month, beyond=_next(month)))
        await owner.execute(SQL["take_up"], month)
    return manifest


async def _drop(owner: Any, part: str, month: date, folder: Path, months: list[BookMonth]) -> Manifest:
    """The table of a month that was put away before."""
    manifest = _listed_manifest(folder, month, months)
    if await owner.fetchval(SQL["is_there"], part):
        await _same_count(owner, part, manifest)
        await owner.execute(SQL["drop"].format(part=part))
    return manifest


def _listed_manifest(folder: Path, month: date, months: list[BookMonth]) -> Manifest:
    """That of the file which the book lists: another of the same month is not what a table is dropped for."""
    manifest = read_manifest(folder, month)
    if manifest.sha256 not in [each.sha256 for each in months if each.month == month]:
        raise BadArchive(f"{folder / manifest.file} is not the file that the book was put into")
    return manifest


async def _is_closed(owner: Any, month: date) -> bool:
    try:
        return bool(await owner.fetchval(SQL["closed"], _next(month)))
    except asyncpg.UndefinedTableError:  # there is no chain of days in this release
        return False


def _may_go(months: list[BookMonth], month: date, today: date) -> None:
    attached = [each.month for each in months if each.attached]
    if month not in attached:
        raise Refused(f"{month:%Y-%m} is no part of the book")
    if _next(month) > today:
        raise Refused(f"{month:%Y-%m} is not over")
    if attached[0] != month:
        raise Refused(f"months go in their order, the oldest first: the next is {attached[0]:%Y-%m}")


async def _write(owner: Any, part: str, month: date, folder: Path) -> Manifest:
    """One snapshot of it, read twice: into the file, and beside what lies there then."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a command, which does nothing else
    async with owner.transaction(isolation="repeatable_read", readonly=True):
        with MonthFile(folder, month) as file:
            async for rows in _batches(owner, part):
                file.rows(rows)
            written = read_rows(file.close())
            async for rows in _batches(owner, part):
                if next(written, None) != rows:
                    raise BadArchive(f"{file_name(month)} does not read back as it was written")
            if next(written, None) is not None:
                raise BadArchive(f"{file_name(month)} holds more than was written")
            return file.finish()


async def _batches(owner: Any, part: str) -> AsyncIterator[list[EntryRow]]:
    cursor = await owner.cursor(SQL["rows"].format(part=part))
    while rows := await cursor.fetch(BATCH_ROWS):
        yield [tuple(row) for row in rows]


async def _same_count(owner: Any, part: str, manifest: Manifest) -> None:
    count = await owner.fetchval(SQL["count"].format(part=part))
    if count != manifest.entries:
        raise BadArchive(f"{part} has {count} entries, and {manifest.file} {manifest.entries}")


def _part(month: date) -> str:
    return f"recorded.entries_{month:%Y%m}"


def _next(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
