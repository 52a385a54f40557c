"""The transaction: one batch of one partition, applied once or not at all.

Its steps are those of the design, in order; each says what it protects. Whatever interrupts it (a crash, a
lost connection, another worker) leaves either everything or nothing, and `positions` says which.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from services.ledger.batch import Batch, BookPosition
from services.ledger.carrying import Carrying, read_carrying
from services.ledger.conflicts import describe_difference
from services.ledger.marks import marks_of
from services.ledger.unbooked import (
    UNATTRIBUTABLE,
    BadRecord,
    KnownEvent,
    Sender,
    by_key,
    from_hex,
    later_rows,
    unbooked_rows,
)
from spendmeter.book.adding import add_to_minutes
from spendmeter.book.remarks import add_to_remarks, add_up_remarks
from spendmeter.book.rollup import RollupKey, rollup
from spendmeter.book.series import SeriesKey, add_series
from spendmeter.contracts.rated import STATUSES, RatedUsage
from spendmeter.contracts.series import Series
from spendmeter.contracts.terms import NO_TERMS
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "book.sql")
_STAGE_COLUMNS = (
    "identity hash occurred_at origin_offset catalog_version accounting_period tenant series_id status "
    "currency list contracted effective event lines"
).split()
_ACCOUNTS = (*STATUSES, "duplicate", "conflict", "rejected", "holes")
CONFLICTS_COMPARED_MAX = 50
"""Of a batch: where all of a sender's are in conflict, the first say as much as all."""
BookConnection = Any


class PositionMoved(Exception):
    """Somebody else applied this batch, or we did and never heard of it: look where the book stands."""


@dataclass(frozen=True, kw_only=True)
class Booked:
    """What a committed transaction changed."""

    progress: BookPosition
    outcomes: Counter[str]
    """Count by outcome: the five statuses, duplicate, conflict, rejected, holes."""
    touched: Sequence[tuple[str, str, datetime]]
    """(tenant, series id in hex, minute) of every rollup row that changed."""
    series: frozenset[SeriesKey]
    """Series that the book knows for certain now."""
    late: int
    """Events in another currency than their tenant's terms say; late_rated lists them and others."""


async def prepare(connection: BookConnection) -> None:
    """Make the connection's staging table; once a connection."""
    await connection.execute(SQL["stage"])


async def read_progress(connection: BookConnection, partition: int) -> BookPosition | None:
    """How far the partition has been applied; None before its first start."""
    row = await connection.fetchrow(SQL["progress"], partition)
    return None if row is None else BookPosition(**row)


async def book(
    connection: BookConnection, batch: Batch, known_series: Set[SeriesKey] = frozenset()
) -> Booked:
    """Apply `batch` in one transaction.

    Raises PositionMoved when it was applied already, what refusals.py sorts when the database refuses it
    (then nothing was applied), CONNECTION_ERRORS when the outcome is unknown.
    """
    before = batch.before
    async with connection.transaction():
        # Before anything is locked: Postgres waits without end for a frozen process to go on with its COPY.
        await _stage(connection, batch)
        recorded_on = await connection.fetchval(
            SQL["hold_position"], before.partition, before.position, before.rated_topic
        )
        if recorded_on is None:
            raise PositionMoved
        booked, known = await _claim(connection, batch, recorded_on)
        classified = _classified(batch, known)
        late = 0
        carrying = Carrying()
        if booked:
            carrying = await read_carrying(connection, booked)
            if carrying.moved:
                await connection.execute(SQL["move_periods"], *_columns(carrying.moved))
            skipped = [bytes.fromhex(key) for key in known]
            terms = (NO_TERMS.time_zone, NO_TERMS.currency)
            late = await connection.fetchval(
                SQL["insert_entries"], before.partition, skipped, *terms, recorded_on
            )
        new_series = await _insert_series(connection, booked, known_series)
        sums = rollup(booked)
        await add_to_minutes(connection, before.partition, sums)
        await carrying.write(connection, before.partition, batch.next_origin)
        await _touch(connection, sums)
        await add_to_remarks(connection, before.partition, add_up_remarks(booked))
        await _insert_supersessions(connection, booked)
        differences = await _differences(connection, batch, classified, known)
        if unbooked := unbooked_rows(batch, classified, known, differences):
            await connection.executemany(SQL["insert_unbooked"], unbooked)
            await connection.executemany(SQL["add_to_accounting_keys"], by_key(unbooked))
        if later := later_rows(batch, classified, known):
            await connection.execute(SQL["insert_later"], *map(list, zip(*later, strict=True)))
        outcomes = await _account(connection, batch, booked, classified)
        moved = await connection.execute(
            SQL["move_position"],
            before.partition,
            before.position,
            batch.position,
            batch.next_origin,
            len(booked),
            outcomes["duplicate"],
            outcomes["conflict"],
            outcomes["rejected"],
            outcomes["holes"],
            len(batch.strays),
            recorded_on,
        )
        if moved != "UPDATE 1":
            raise PositionMoved
    return Booked(
        progress=replace(before, position=batch.position, next_origin=batch.next_origin),
        outcomes=outcomes,
        touched=[(tenant, series_id, minute) for tenant, minute, series_id, _ in sums],
        series=new_series,
        late=late,
    )


def _columns(moved: Mapping[str, date]) -> tuple[list[bytes], list[date]]:
    return [bytes.fromhex(identity) for identity in moved], list(moved.values())


async def _stage(connection: BookConnection, batch: Batch) -> None:
    if batch.usage:
        await connection.copy_records_to_table(
            "stage", records=_staged(batch.usage.values()), columns=_STAGE_COLUMNS, schema_name="pg_temp"
        )


async def _claim(
    connection: BookConnection, batch: Batch, recorded_on: date
) -> tuple[list[RatedUsage], dict[str, KnownEvent]]:
    """Claim the batch's identities: the events that are new, and what is known of those that are not."""
    if not batch.usage:
        return [], {}
    rows = await connection.fetch(SQL["claim_identities"], batch.before.partition, recorded_on)
    if len(rows) == len(batch.usage):
        return list(batch.usage.values()), {}
    claimed = {key.hex() for (key,) in rows}
    others = [bytes.fromhex(key) for key in batch.usage if key not in claimed]
    rows = await connection.fetch(SQL["known_identities"], others)
    known = {row["identity"].hex(): _known(row) for row in rows}
    return [event for key, event in batch.usage.items() if key in claimed], known


def _known(row: Any) -> KnownEvent:
    said = (row["hash"], row["amended_hash"])
    return KnownEvent(
        hashes=frozenset(digest.hex() for digest in said if digest is not None),
        retracted_at=row["retracted_at"],
    )


def _staged(events: Iterable[RatedUsage]) -> Iterator[tuple[Any, ...]]:
    try:
        yield from map(_stage_row, events)
    except ValueError as error:
        raise BadRecord from error


def _stage_row(event: RatedUsage) -> tuple[Any, ...]:
    return (
        bytes.fromhex(event.identity), bytes.fromhex(event.hash), event.time, event.origin.offset,
        event.catalog_version, event.accounting_period, event.tenant, bytes.fromhex(event.series_id),
        event.status, event.currency, event.list, event.contracted, event.effective,
        str(event.event, "utf-8"), str(event.lines, "utf-8"),
    )  # fmt: skip


def _classified(batch: Batch, known: dict[str, KnownEvent]) -> list[tuple[RatedUsage, str]]:
    """The copies, each with its outcome."""
    again = [event for event in batch.usage.values() if event.identity in known] if known else []
    classified = []
    for event in (*again, *batch.copies):
        winner = known.get(event.identity)
        winner = winner or KnownEvent(hashes=frozenset({batch.usage[event.identity].hash}))
        classified.append((event, winner.outcome_of(event)))
    return classified


async def _insert_series(
    connection: BookConnection, booked: Iterable[RatedUsage], known: Set[SeriesKey]
) -> frozenset[SeriesKey]:
    new = {
        (event.tenant, event.series_id): event.series
        for event in booked
        if (event.tenant, event.series_id) not in known
    }
    await add_series(connection, {key: msgspec.json.decode(raw, type=Series) for key, raw in new.items()})
    return frozenset(new)


async def _touch(connection: BookConnection, sums: Iterable[RollupKey]) -> None:
    marks = [
        (tenant, start, series_id and bytes.fromhex(series_id))
        for tenant, start, series_id in marks_of(sums, datetime.now(UTC))
    ]
    if marks:
        await connection.execute(SQL["touch"], *map(list, zip(*marks, strict=True)))


async def _insert_supersessions(connection: BookConnection, booked: Iterable[RatedUsage]) -> None:
    """Say of the submissions that these events name that something was booked in their place."""
    rows = []
    for event in booked:  # nearly always in vain
        if event.supersedes is not UNSET:
            sender = msgspec.json.decode(event.event, type=Sender)
            place = (from_hex(event.supersedes), bytes.fromhex(event.identity))
            rows.append((event.tenant, *place, sender.source, sender.id))
    if rows:
        await connection.execute(SQL["insert_supersessions"], *map(list, zip(*rows, strict=True)))


async def _differences(
    connection: BookConnection,
    batch: Batch,
    classified: list[tuple[RatedUsage, str]],
    known: dict[str, KnownEvent],
) -> dict[int, str]:
    """By offset, in what the first conflicts differ from what is booked."""
    conflicts = [event for event, outcome in classified if outcome == "conflict"][:CONFLICTS_COMPARED_MAX]
    before = [bytes.fromhex(event.identity) for event in conflicts if event.identity in known]
    rows = await connection.fetch(SQL["booked_events"], before) if before else []
    booked = {key.hex(): event.encode() for key, event in rows}
    return {
        event.origin.offset: describe_difference(
            booked.get(event.identity) or bytes(batch.usage[event.identity].event), bytes(event.event)
        )
        for event in conflicts
    }


async def _account(
    connection: BookConnection,
    batch: Batch,
    booked: list[RatedUsage],
    classified: list[tuple[RatedUsage, str]],
) -> Counter[str]:
    """Count every offset passed under its tenant and outcome; returns the sums over tenants."""
    by_tenant: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for event in booked:
        by_tenant[event.tenant][event.status] += 1
    for event, outcome in classified:
        by_tenant[event.tenant][outcome] += 1
    for refused in batch.rejected:
        by_tenant[refused.tenant]["rejected"] += 1
    if batch.holes:
        by_tenant[UNATTRIBUTABLE]["holes"] += batch.holes
    rows = [
        (batch.before.partition, tenant, *(counts[account] for account in _ACCOUNTS))
        for tenant, counts in sorted(by_tenant.items())
    ]
    if rows:
        await connection.executemany(SQL["add_to_accounting"], rows)
    return sum(by_tenant.values(), Counter())
