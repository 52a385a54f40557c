"""What the api starts to write an export (`python -m`, bounded): what is asked for on standard input, on
standard output a line of JSON, whether it can be had, and then the file. Holding a snapshot of the book for
minutes, and turning rows into text, happens to this process alone.

It is sent when it is whole: cells are folded some seconds after events are booked, so it waits until the days
that are asked for add up to the book.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import asyncpg
import msgspec
from msgspec import Struct

from services.api import database
from services.api.exports.charge_rows import CarriedDay
from services.api.exports.commitments import decode_standing
from services.api.exports.files import PARQUET_DIGITS, PARQUET_PLACES, ExportForm, export_file, parquet_places
from services.api.exports.layout import Layout
from services.api.exports.reading import SQL, STATEMENT_S, DayRows
from services.api.exports.true_up_rows import ListedTrueUp, TrueUps
from services.api.exports.usage_rows import BillingAccount, midnight
from services.api.exports.vocabulary import FocusVersion
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.contracts.money import plain
from spendmeter.contracts.terms import Timeline, timeline_of
from spendmeter.platform.postgres import CONNECTION_ERRORS, connect
from spendmeter.platform.sql import load_sql

TENANT_SQL = load_sql(Path(database.__file__).with_name("tenant.sql"))
"""As `database/tenant.py` asks, which loads all that answers requests: this process begins without."""
FOLDED_WAIT_S = 30.0
_AGAIN_S = 1.0
AWAY: tuple[type[BaseException], ...] = (*CONNECTION_ERRORS, asyncpg.QueryCanceledError)
BookSums = Mapping[str, tuple[Decimal, Decimal, Decimal]]
"""By currency: list, contracted, effective."""


class ExportQuestion(Struct, frozen=True, kw_only=True):
    """What is asked for: whole days in UTC, [start, end)."""

    database_url: str
    tenant: str
    version: FocusVersion
    form: ExportForm
    start: date
    end: date
    folded_wait_s: float = FOLDED_WAIT_S
    """How long it waits for what was booked last to be folded."""

    def __repr__(self) -> str:
        return f"an export of {self.tenant}, {self.start} to {self.end}"


class ExportTotal(Struct, frozen=True, kw_only=True):
    """What the rows of one currency come to."""

    currency: str
    list: str
    contracted: str
    effective: str


class ExportBegins(Struct, frozen=True, kw_only=True, tag="begins"):
    """The file follows. `rows_max`: cells of the book; those that come to nothing are not in the file."""

    totals: list[ExportTotal]
    rows_max: int


class ExportRefused(Struct, frozen=True, kw_only=True, tag="refused"):
    """There is no file, and why; whether it may be had later."""

    reason: str
    later: bool


decode_beginning = msgspec.json.Decoder(ExportBegins | ExportRefused).decode


@dataclass(frozen=True, kw_only=True)
class _Folded:
    sums: BookSums
    rows: int
    largest: Decimal
    places: int
    billed_days: frozenset[date]
    carried: Sequence[CarriedDay]
    true_ups: TrueUps


async def export(question: ExportQuestion, out: IO[bytes]) -> None:
    """Write it. Raises CONNECTION_ERRORS."""
    waited_s = 0.0
    while True:
        async with _one_instant(question) as (connection, account, booked, folded):
            if booked == folded.sums:
                await _written(question, out, connection, account, folded)
                return
        if waited_s >= question.folded_wait_s:
            reason = "these days are not folded yet: what was booked of them last is not in an export for now"
            _say(out, ExportRefused(reason=reason, later=True))
            return
        await asyncio.sleep(_AGAIN_S)
        waited_s += _AGAIN_S


async def _written(
    question: ExportQuestion, out: IO[bytes], connection: Any, account: BillingAccount, folded: _Folded
) -> None:
    places = _places(folded)
    if question.form == "parquet" and places is None:
        reason = f"an amount has more digits than Parquet's decimals of {PARQUET_DIGITS}: ask for format=csv"
        _say(out, ExportRefused(reason=reason, later=False))
        return
    totals = [_total(currency, *sums) for currency, sums in sorted(folded.sums.items())]
    _say(out, ExportBegins(totals=totals, rows_max=folded.rows + folded.true_ups.rows_max))
    layout = Layout(question.version)
    days = DayRows(
        connection=connection,
        layout=layout,
        account=account,
        start=question.start,
        end=question.end,
        billed_days=folded.billed_days,
        carried=folded.carried,
        true_ups=folded.true_ups,
    )
    with export_file(question.form, layout, out, places or 0) as file:
        async for rows in days.rows():
            file.write(rows)


def _total(currency: str, listed: Decimal, contracted: Decimal, effective: Decimal) -> ExportTotal:
    amounts = {"list": plain(listed), "contracted": plain(contracted), "effective": plain(effective)}
    return ExportTotal(currency=currency, **amounts)


def _places(folded: _Folded) -> int | None:
    """Digits after the point that Parquet's decimals need; None = they have too few. What a bill asks for is
    in no sum, and has up to 24."""
    needed = PARQUET_PLACES[-1] if folded.billed_days else folded.places
    return parquet_places(max(folded.largest, folded.true_ups.largest), needed)


_Instant = tuple[Any, BillingAccount, BookSums, _Folded]


@asynccontextmanager
async def _one_instant(question: ExportQuestion) -> AsyncIterator[_Instant]:
    """A connection that sees one instant of the tenant's book, with what book and cells say of the days. No
    minutes are dropped while rollups are asked for; the file itself needs none, and holds nobody up."""
    check = await connect(question.database_url, service="export")
    reader = await connect(question.database_url, service="export")
    tenant = question.tenant
    try:
        checking, reading = (
            each.transaction(isolation="repeatable_read", readonly=True) for each in (check, reader)
        )
        await checking.start()
        await hold_minutes(check)
        await check.execute(SQL["act_for"], tenant)
        known: list[Any] = await check.fetch(TENANT_SQL["tenant"], tenant)
        snapshot = await check.fetchval(SQL["snapshot"])
        await reading.start()
        await reader.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        await reader.execute(SQL["act_for"], tenant)
        booked = await _booked(check, question, timeline_of(known))
        folded = await _folded(check, question, timeline_of(known))
        await checking.rollback()
        yield reader, BillingAccount(tenant, known[0]["name"]), booked, folded
        await reading.rollback()
    finally:
        check.terminate()
        reader.terminate()


async def _booked(connection: Any, question: ExportQuestion, timeline: Timeline) -> BookSums:
    start, end = midnight(question.start), midnight(question.end)
    try:
        coverage = await spent_in(connection, question.tenant, [start, end], timeline)
        found = await connection.fetch(SQL["spent"], *coverage, timeout=STATEMENT_S)
    except MinutesDropped:
        found = await connection.fetch(SQL["booked"], question.tenant, start, end, timeout=STATEMENT_S)
    return _sums(found)


async def _folded(connection: Any, question: ExportQuestion, timeline: Timeline) -> _Folded:
    within = question.tenant, midnight(question.start), midnight(question.end)
    days = await connection.fetch(SQL["carried_days"], *within, timeout=STATEMENT_S)
    carried = [CarriedDay(*timeline.bounds("day", row["bucket"]), row["accounting_period"]) for row in days]
    found = await connection.fetch(
        SQL["folded"], question.tenant, question.start, question.end, timeout=STATEMENT_S
    )
    return _Folded(
        sums=_sums(found),
        rows=sum(row["rows"] for row in found),
        largest=max((row["largest"] for row in found), default=Decimal()),
        places=max((row["places"] for row in found), default=0),
        billed_days=frozenset(day for row in found for day in row["billed_days"] or ()),
        carried=carried,
        true_ups=await _true_ups(connection, question),
    )


async def _true_ups(connection: Any, question: ExportQuestion) -> TrueUps:
    within = question.tenant, midnight(question.start), midnight(question.end)
    listed = await connection.fetch(SQL["true_ups"], *within, timeout=STATEMENT_S)
    days = question.tenant, question.start, question.end
    standings = await connection.fetch(SQL["true_up_standings"], *days, timeout=STATEMENT_S)
    stood = [decode_standing(row["standing"]) for row in standings]
    return TrueUps([ListedTrueUp(*row) for row in listed], stood, question.start, question.end)


def _sums(rows: list[Any]) -> BookSums:
    """A currency in which nothing is left says nothing."""
    found = {row["currency"]: (row["list"], row["contracted"], row["effective"]) for row in rows}
    return {currency: sums for currency, sums in found.items() if any(sums)}


def _say(out: IO[bytes], said: ExportBegins | ExportRefused) -> None:
    out.write(msgspec.json.encode(said) + b"\n")
    out.flush()


async def _main(out: IO[bytes]) -> None:
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=ExportQuestion)
    try:
        await export(question, out)
    except AWAY as error:
        sys.exit(f"the database went away: {type(error).__name__}")


if __name__ == "__main__":
    asyncio.run(_main(sys.stdout.buffer))
