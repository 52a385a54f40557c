"""One import, from its file to its end: rows are read by a process of their own, held against what was told
of them before, and told: new ones to ingest, by the caller's key, restated ones to the corrector."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from services.api.corrections.publish import CorrectionLog
from services.api.database.transactions import TenantConnection
from services.api.events.ingest_door import DoorReceipt, IngestDoor
from services.api.http.problems import HttpRefusal
from services.api.imports.focus import rules_in_force
from services.api.imports.reader import HowToRead, NoBill, decode_row
from services.api.imports.report import ImportReport
from services.api.imports.rows import BadRow, BilledRow, SnapshotSeen
from services.api.imports.told import (
    KnownRow,
    ToldRow,
    amend_id,
    correction_id,
    event_of,
    patch_of,
    to_tell,
)
from services.api.imports.turns import PatientDatabase
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.event_identity import identity
from spendmeter.platform.bounded_process import BoundError, ProcessBounds, module_lines
from spendmeter.platform.postgres import CONNECTION_ERRORS
from spendmeter.platform.service_keys import ACCRUALS, key_id
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("imports.sql"))
READER = "services.api.imports.reader"
BOUNDS = ProcessBounds(seconds_max=3600, memory_bytes_max=6 * 1024**3, output_bytes_max=4 * 1024**2)
"""Of addresses: Arrow reserves many more than it uses."""
ROWS_AT_ONCE = 400
"""A request of so many charges stays below what ingest takes."""
CORRECTIONS_AT_ONCE = 50
PATIENCE_S = {429: 300.0, 503: 300.0, 403: 12.0}
"""By what ingest answers: how long it may be away, or busy with others; how long until it knows a key that
api knows."""
AGAIN_WAIT_S = 2.0
SAID_S = 10.0
"""Of one that is not heard of for a minute the process is held for gone: a file's rows may be held back, or
bad, for longer."""
STAYS = "held back now, and booked by an earlier import: stays booked"
NOT_WRITTEN: tuple[type[BaseException], ...] = (HttpRefusal, *CONNECTION_ERRORS)
_FIRST = b""
_encode = msgspec.json.Encoder(decimal_format="string").encode


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for."""

    import_id: str
    tenant: str
    key: str = field(repr=False)
    """The caller's, by which ingest takes the charges."""
    author: str
    may_correct: bool
    file: IO[bytes] = field(repr=False)
    file_name: str
    complete: bool
    labels: Sequence[str]
    not_metered: Sequence[str]
    dry_run: bool

    @property
    def reason(self) -> str:
        """What receipts will say."""
        return f"restated by import {self.import_id}" + (f" of {self.file_name}" if self.file_name else "")


class ImportStopped(Exception):
    """The import ends where it stands; the text says why."""


@dataclass(kw_only=True)
class ImportJob:
    """`run` once."""

    wanted: Wanted
    database: PatientDatabase
    door: IngestDoor
    log: CorrectionLog
    report: ImportReport = field(default_factory=ImportReport)
    own: Sequence[str] = ()
    bills: list[bytes] = field(default_factory=list)
    met: int = 0
    """Rows so far that earlier imports had, and that count."""
    said_at_s: float = field(default_factory=time.monotonic)
    """When it was last heard of."""

    async def run(self) -> None:
        """Import, and say how it ended."""
        state, why = "failed", ""
        try:
            why = await self._import()
            state = "done"
        except (ImportStopped, BoundError, HttpRefusal) as error:
            why = str(error)
        except CONNECTION_ERRORS:
            why = "the database was away: import it again, nothing is told twice"
        except asyncio.CancelledError:
            await self._end(state, "the api was stopped: import it again, nothing is told twice")
            raise
        finally:
            self.wanted.file.close()
        await self._end(state, why)

    async def _end(self, state: str, why: str) -> None:
        wanted = self.wanted
        try:
            async with self.database.writing() as connection:
                await connection.execute(SQL["end"], wanted.import_id, state, why[:500], self.report.said())
        except NOT_WRITTEN as error:
            log().warning("the end of an import was not written down", error=type(error).__name__)

    async def _import(self) -> str:
        """Returns what is to be said of its end."""
        wanted = self.wanted
        async with self.database.reading() as connection:
            metered = [row["provider"] for row in await connection.fetch(SQL["metered"], key_id(ACCRUALS))]
            self.own = [row["name"] for row in await connection.fetch(SQL["own_names"])]
        rules = rules_in_force(metered, wanted.not_metered)
        how = HowToRead(labels=tuple(wanted.labels), rules=tuple(rule.name for rule in rules))
        rows: list[BilledRow] = []
        held: list[BilledRow] = []
        lines = module_lines(READER, _encode(how).decode(), bounds=BOUNDS, stdin=wanted.file)
        async with aclosing(lines):
            async for some in lines:
                for line in some:
                    self._sort(line, rows, held)
                    if len(rows) >= ROWS_AT_ONCE:
                        await self._tell(rows)
                        rows.clear()
                    if len(held) >= ROWS_AT_ONCE:
                        await self._pass_over(held)
                        held.clear()
                if time.monotonic() - self.said_at_s >= SAID_S:
                    await self._still_here()
        await self._tell(rows)
        await self._pass_over(held)
        return await self._retract() if wanted.complete else ""

    def _sort(self, line: bytes, rows: list[BilledRow], held: list[BilledRow]) -> None:
        match decode_row(line):
            case BilledRow() as row:
                if row.held:
                    self.report.hold(row)
                    held.append(row)
                else:
                    rows.append(row)
            case BadRow() as bad:
                self.report.refuse(bad)
            case SnapshotSeen() as bill:
                self.report.meet(bill)
                self.bills.append(bytes.fromhex(bill.snapshot))
            case NoBill(reason=reason):
                raise ImportStopped(f"the file {reason}")

    async def _tell(self, rows: Sequence[BilledRow]) -> None:
        wanted = self.wanted
        told = await self._compared(rows)
        if not wanted.dry_run:
            await self._write_down(told)
            refused = await self._send([each for each in told if each.sends])
            nowhere = [each.row.row_id for each in told if each.row.row_id in refused and not each.amends]
            told = [each for each in told if each.row.row_id not in refused]
            await self._amend([each for each in told if each.amends])
            done = [each.row.row_id for each in told if not each.is_told]
        for each in told:
            self.report.outcomes[each.outcome] += 1
            self.report.take(each.row)
        async with self.database.writing() as connection:
            if not wanted.dry_run:
                await connection.execute(SQL["told"], _ids(done))
                await connection.execute(SQL["refused"], _ids(nowhere))
            await self._say(connection)

    async def _pass_over(self, held: Sequence[BilledRow]) -> None:
        """What is held back, and was booked before it was metered, stays as it is: the bill has it."""
        ids = _ids(row.row_id for row in held)
        async with self.database.writing() as connection:
            known = await connection.fetch(SQL["known"], ids)
            if not self.wanted.dry_run:
                await connection.execute(SQL["met"], ids, self.wanted.import_id)
        if booked := sum(not row["is_retracted"] for row in known):
            self.met += booked
            self.report.notes[STAYS] += booked

    async def _compared(self, rows: Sequence[BilledRow]) -> list[ToldRow]:
        wanted = self.wanted
        async with self.database.reading() as connection:
            found = await connection.fetch(SQL["known"], _ids(row.row_id for row in rows))
            known = {row["row_id"]: KnownRow(**row) for row in found}
            await self._look_at_amends(connection, known, rows)
        self.met += sum(not row.is_retracted for row in known.values())
        return [to_tell(row, known.get(row.row_id), may_correct=wanted.may_correct) for row in rows]

    async def _look_at_amends(
        self, connection: TenantConnection, known: dict[str, KnownRow], rows: Sequence[BilledRow]
    ) -> None:
        """Of rows that are restated: what people have amended since stands above what an import would say."""
        hashes = {row.row_id: row.hash for row in rows}
        tenant = self.wanted.tenant
        restated = {
            identity(tenant, row.source, row.event_id): row_id
            for row_id, row in known.items()
            if row.hash != hashes[row_id]
        }
        if restated:
            for row in await connection.fetch(SQL["amended"], list(restated)):
                row_id = restated[row["identity"]]
                known[row_id] = replace(known[row_id], amended=row["revision"])

    async def _write_down(self, told: Sequence[ToldRow]) -> None:
        wanted = self.wanted
        new = [each for each in told if not each.is_told]
        columns = (
            _ids(each.row.row_id for each in new),
            _ids(each.row.snapshot for each in new),
            [each.row.source for each in new],
            [each.event_id for each in new],
            [each.generation for each in new],
            [each.revision for each in new],
            _ids(each.row.hash for each in new),
        )
        async with self.database.writing() as connection:
            await self._say(connection)
            await connection.execute(SQL["tell"], wanted.tenant, *columns, wanted.import_id)
            met = _ids(each.row.row_id for each in told if each.is_told)
            await connection.execute(SQL["met"], met, wanted.import_id)

    async def _send(self, told: Sequence[ToldRow]) -> set[str]:
        """Returns the ids of rows that ingest refuses, which are listed as bad."""
        if not told:
            return set()
        events = _encode([event_of(each, self.wanted.tenant) for each in told])
        refused = set()
        for receipt in await self._offered(events):
            if receipt.status != "accepted":
                row = told[receipt.index].row
                refused.add(row.row_id)
                self.report.refuse(BadRow(place=row.place, field=receipt.field, reason=receipt.reason))
        return refused

    async def _offered(self, events: bytes) -> Sequence[DoorReceipt]:
        """The receipts, once ingest is there and has time."""
        waited_s = 0.0
        while True:
            try:
                return await self.door.offer(events, self.wanted.key)
            except HttpRefusal as refusal:
                if waited_s >= PATIENCE_S.get(refusal.status, 0.0):
                    raise
                wait_s = refusal.retry_after_s or AGAIN_WAIT_S
            await asyncio.sleep(wait_s)
            waited_s += wait_s
            await self._still_here()

    async def _still_here(self) -> None:
        async with self.database.writing() as connection:
            await self._say(connection)

    async def _say(self, connection: TenantConnection) -> None:
        """How far it is. Raises ImportStopped where it was held for gone, and another one began: each would
        take what the other has met for what the bill lacks."""
        if await connection.fetchval(SQL["report"], self.wanted.import_id, self.report.said()) is None:
            raise ImportStopped("another import began after this one had not been heard of for a minute")
        self.said_at_s = time.monotonic()

    async def _amend(self, told: Sequence[ToldRow]) -> None:
        await self._ask_for(
            EventCorrection(
                id=amend_id(each),
                tenant=self.wanted.tenant,
                source=each.row.source,
                event_id=each.event_id,
                kind="amend",
                revision=each.revision,
                patch=patch_of(each.row, self.own),
                reason=self.wanted.reason,
                by=self.wanted.author,
                at=datetime.now(UTC),
            )
            for each in told
        )

    async def _ask_for(self, corrections: Iterable[EventCorrection]) -> None:
        asked = list(corrections)
        for first in range(0, len(asked), CORRECTIONS_AT_ONCE):
            some = asked[first : first + CORRECTIONS_AT_ONCE]
            await asyncio.gather(*(self.log.publish(each) for each in some))

    async def _retract(self) -> str:
        """What a complete import no longer has counts no longer. Returns what is to be said of it."""
        wanted = self.wanted
        if bad := self.report.outcomes["bad"]:
            return f"nothing was retracted: with {bad:,} bad rows nobody knows what the bill lacks"
        if wanted.dry_run:
            async with self.database.reading() as connection:
                there = await connection.fetchval(SQL["there"], self.bills)
            self.report.outcomes["retracted"] = there - self.met
            return ""
        after = _FIRST
        while True:
            async with self.database.reading() as connection:
                rows = await connection.fetch(
                    SQL["missing"], self.bills, wanted.import_id, after, ROWS_AT_ONCE
                )
            if not rows:
                return ""
            await self._still_here()
            after = bytes.fromhex(rows[-1]["row_id"])
            self.report.outcomes["retracted"] += len(rows)
            await self._ask_for(map(self._retraction, rows))
            async with self.database.writing() as connection:
                ids = _ids(row["row_id"] for row in rows)
                await connection.execute(SQL["retracted"], ids, wanted.import_id)
                await self._say(connection)

    def _retraction(self, row: Any) -> EventCorrection:
        return EventCorrection(
            id=correction_id("retract", row["row_id"], row["generation"]),
            tenant=self.wanted.tenant,
            source=row["source"],
            event_id=row["event_id"],
            kind="retract",
            patch=UNSET,
            reason=self.wanted.reason.replace("restated", "no longer stated"),
            by=self.wanted.author,
            at=datetime.now(UTC),
        )


def _ids(digests: Iterable[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]
