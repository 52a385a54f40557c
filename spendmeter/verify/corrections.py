"""Holds entries above seq 0 against the entries that they correct, and what the corrector counted."""

from typing import Any

from spendmeter.verify.entries import Entries
from spendmeter.verify.report import Report
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import ROWS_AT_ONCE, BookedEntry, KnownSeries

_ENTRY = len(BookedEntry._fields)


async def check_corrections(connection: Any, entries: Entries, series: KnownSeries) -> None:
    """Each reversal is minus its target, each replacement follows from its event and its lines, and their
    numbers have no gaps. The caller's walk is over, whose `entries` knows rates and terms."""
    number = 0
    async for found in connection.cursor(SQL["corrections"], prefetch=ROWS_AT_ONCE):
        row = BookedEntry._make(tuple(found)[:_ENTRY])
        if row.origin_offset != number:
            what = f"numbered {row.origin_offset}, and is number {number} of what corrects"
            entries.report.find("I6", what, _named(row))
        number += 1
        await judge_correction(found, entries, series)
    await _check_counts(connection, entries.report)


async def judge_correction(found: Any, entries: Entries, series: KnownSeries) -> None:
    """An entry that corrects, as `correcting` says it, held against the one before it."""
    report, row = entries.report, BookedEntry._make(tuple(found)[:_ENTRY])
    report.check("I1")
    report.check("I4")
    if row.seq < 0:
        return  # of no event: true_ups.py
    if not found["follows"]:
        report.find("I1", "doubled: it corrects no entry, for there is none before it", _named(row))
        return
    if not found["is_of_the_same"]:
        report.find("I4", "changed: the tenant is not that of the entry before it", _named(row))
    elif why := entries.closings.fault(
        row.tenant, found["period_before"], row.accounting_period, row.recorded_at
    ):
        before = f"that of the entry before it is {found['period_before']}"
        report.find("I4a", f"changed: {why}, {before}", _named(row))
    if row.seq % 2:
        if not found["is_minus"]:
            report.find("I4", "changed: a reversal that is not minus its entry", _named(row))
    else:
        await series.learn([row])
        entries.series = series.known
        entries.judge_replacement(row)


def _named(row: BookedEntry) -> str:
    return f"identity {row.identity.hex()} of {row.tenant}, seq {row.seq}"


async def _check_counts(connection: Any, report: Report) -> None:
    said = await connection.fetchrow(SQL["corrector"])
    report.check("I6", 2)
    for counted, rows, name in (
        (said["next_entry"], said["entries"], "entries that correct"),
        (said["accepted"], said["corrections"], "corrections"),
    ):
        if counted != rows:
            report.find("I6", f"the corrector counted {counted} {name}, there are {rows}", "the corrector")
    async for row in connection.cursor(SQL["corrections_unwritten"], prefetch=ROWS_AT_ONCE):
        named = f"correction {row['correction_id']} of {row['tenant']} {row['source']}/{row['event_id']}"
        report.find("I1", f"changed: it is called {row['state']}, and its entries say otherwise", named)
    async for row in connection.cursor(SQL["retracted"], prefetch=ROWS_AT_ONCE):
        what = "is retracted, and its entries say otherwise, or the other way round"
        report.find("I1", f"changed: {what}", f"identity {row['identity'].hex()}")
