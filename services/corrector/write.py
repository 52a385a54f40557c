"""Writes pairs of entries and all that they add to, in the caller's transaction."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from services.corrector.fence import Standing, move
from services.corrector.pairs import Change, Pairs, UnitsThen, pairs_of
from services.corrector.price_books import VersionUnits
from spendmeter.book.adding import CORRECTIONS, add_corrections
from spendmeter.book.closings import Shut, carry, open_period, read_shut
from spendmeter.book.remarks import add_to_remarks, take_from_remarks
from spendmeter.book.series import add_series
from spendmeter.book.timelines import read_timelines
from spendmeter.contracts.terms import Timeline
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "pairs.sql")
_COLUMNS = (
    "number occurred_at identity seq correction_id catalog_version series_id status currency list contracted "
    "effective event lines"
).split()


async def prepare(connection: Any) -> None:
    """Make the connection's staging table; once a connection."""
    await connection.execute(SQL["stage"])


async def units_then(connection: Any, units: VersionUnits, changes: Iterable[Change]) -> UnitsThen:
    """The units of every version that says what these changes add."""
    versions = {version for change in changes for version in change.versions}
    return {version: await units.at(connection, version) for version in versions}


async def write(
    connection: Any, sought: Standing, changes: Collection[Change], units: UnitsThen, **moved: int
) -> Standing:
    """Reverse, and replace, each of these entries, of which each is of another event; first of all go on from
    `sought` (and as `moved` says: see `fence.move`). Raises Overtaken, and then nothing may be committed."""
    pairs = pairs_of(changes, sought.next_entry, units)
    if pairs.rows:  # before anything is locked: Postgres waits without end for a frozen process's COPY
        await connection.copy_records_to_table(
            "pairs", records=pairs.rows, columns=_COLUMNS, schema_name="pg_temp"
        )
    standing = await move(connection, sought, entries=pairs.entries, **moved)
    if pairs.rows:
        shut = await read_shut(connection, {change.entry.tenant for change in changes})
        timelines = await read_timelines(connection, {tenant for tenant, *_ in pairs.sums} | shut.keys())
        await _write(connection, pairs, shut, timelines)
        apart = carried_of(changes, shut, timelines)
        sums = {period: pairs_of(some, 0, units).sums for period, some in apart.items()}
        await carry(connection, CORRECTIONS, standing.next_entry, sums, timelines)
    return standing


async def _write(connection: Any, pairs: Pairs, shut: Shut, timelines: Mapping[str, Timeline]) -> None:
    closed = [(tenant, last, open_period(last, last)) for tenant, last in shut.items() if last is not None]
    columns = [[each[place] for each in closed] for place in range(3)]
    written = await connection.fetchval(SQL["insert_pairs"], *columns)
    assert written == pairs.entries, f"{written} entries of {pairs.entries}: others are in force"
    await add_series(connection, pairs.series)
    await add_corrections(connection, pairs.sums, timelines)
    await add_to_remarks(connection, CORRECTIONS, pairs.remarks)
    await take_from_remarks(connection, pairs.taken_back)


def carried_of(
    changes: Iterable[Change], shut: Shut, timelines: Mapping[str, Timeline]
) -> Mapping[date, list[Change]]:
    """By accounting period those that are booked in another one than that of their day: of tenants that ever
    closed one. Pure."""
    found: dict[date, list[Change]] = defaultdict(list)
    for change in changes:
        entry = change.entry
        if entry.tenant in shut:
            period = open_period(entry.accounting_period, shut[entry.tenant])
            if period != timelines[entry.tenant].month(entry.occurred_at):
                found[period].append(change)
    return found
