"""An import at work, by what it does to the database: the reader is the real one, the rest stands still."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryFile
from types import SimpleNamespace
from typing import Any

import msgspec

from services.api.events.ingest_door import DoorReceipt
from services.api.imports import job
from services.api.imports.job import SQL, STAYS, ImportJob, Wanted
from services.api.imports.routes import _stored
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.event_identity import identity
from tests.api.test_bill_rows import ROW, csv_of, taken

CELLS = {**ROW, "ServiceName": "Amazon Bedrock"}


class Connection:
    """Answers as the tables would: `booked` rows, `metered` providers; `heard`: whether nobody else began."""

    def __init__(self, booked: list[dict[str, Any]], metered: str, heard: bool) -> None:
        self.booked, self.metered, self.heard = booked, metered, heard
        self.done: list[tuple[str, tuple[Any, ...]]] = []
        self.amended: list[dict[str, Any]] = []

    async def fetch(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        if statement == SQL["metered"]:
            return [{"provider": self.metered}]
        if statement == SQL["amended"]:
            return self.amended
        if statement == SQL["known"]:
            return [row for row in self.booked if bytes.fromhex(row["row_id"]) in values[0]]
        return []

    async def fetchval(self, statement: str, *values: Any) -> object:
        self.done.append((statement, values))
        return values[0] if self.heard else None

    async def execute(self, statement: str, *values: Any) -> None:
        self.done.append((statement, values))

    def values_of(self, name: str) -> list[tuple[Any, ...]]:
        return [values for statement, values in self.done if statement == SQL[name]]

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        yield self

    writing = reading


class Corrections:
    """The topic, which takes everything."""

    async def publish(self, correction: EventCorrection) -> None:
        """It is held."""


class Door:
    """Ingest's, which refuses all where it is told to."""

    def __init__(self, refuses: bool) -> None:
        self.refuses, self.taken = refuses, list[Any]()

    async def offer(self, events: bytes, key: str) -> list[DoorReceipt]:
        said = msgspec.json.decode(events)
        if self.refuses:
            return [DoorReceipt(at, "rejected", "data.provider", "is empty") for at in range(len(said))]
        self.taken += said
        return [DoorReceipt(at, "accepted") for at in range(len(said))]


async def run(
    connection: Connection, door: Door | None = None, *, may_correct: bool = True, **cells: str
) -> ImportJob:
    database: Any = connection
    corrections: Any = Corrections()
    ingest: Any = door
    with TemporaryFile() as file:
        file.write(csv_of({**CELLS, **cells}))
        file.seek(0)
        wanted = Wanted(
            import_id="i1", tenant="acme", key="", author="key k1", may_correct=may_correct, file=file,
            file_name="b.csv", complete=may_correct, labels=(), not_metered=(), dry_run=False,
        )  # fmt: skip
        under_way = ImportJob(wanted=wanted, database=database, door=ingest, log=corrections)
        await under_way.run()
        assert file.closed
    return under_way


def booked() -> dict[str, Any]:
    row = taken(ServiceName=CELLS["ServiceName"])
    return {
        "row_id": row.row_id, "source": row.source, "event_id": row.event_id, "generation": 0, "revision": 0,
        "hash": row.hash, "is_told": True, "is_retracted": False,
    }  # fmt: skip


async def test_what_was_booked_before_it_was_metered_is_met_by_a_whole_bill_that_holds_it_back() -> None:
    """Else it would be one that the bill lacks, and retracted: with the money of when nobody metered it."""
    row = booked()
    connection = Connection([row], "aws.bedrock", heard=True)
    done = await run(connection)
    assert (done.report.outcomes["held"], done.report.notes[STAYS]) == (1, 1)
    assert ([bytes.fromhex(row["row_id"])], "i1") in connection.values_of("met")
    ((_, state, _, _),) = connection.values_of("end")
    assert state == "done"


async def test_of_a_restated_row_the_amends_of_its_event_are_looked_at() -> None:
    restated = booked() | {"hash": "ff" * 16}
    connection = Connection([restated], "nothing-of-the-bill", heard=True)
    connection.amended = [
        {"identity": identity("acme", restated["source"], restated["event_id"]), "revision": 3}
    ]
    done = await run(connection)
    assert done.report.outcomes["amended"] == 1
    ((_, _, _, _, _, _, revisions, _, _),) = connection.values_of("tell")
    assert revisions == [4]


async def test_a_bill_that_comes_in_has_no_name_under_which_it_could_be_left_behind(
    tmp_path: Path, monkeypatch: Any
) -> None:
    async def stream() -> AsyncIterator[bytes]:
        yield b"a bill"

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    request: Any = SimpleNamespace(stream=stream)
    with await _stored(request) as file:
        assert list(tmp_path.iterdir()) == []
        assert file.read() == b"a bill"


async def test_an_import_after_which_another_one_began_tells_nothing_more() -> None:
    connection = Connection([], "nothing-of-the-bill", heard=False)
    await run(connection)
    assert connection.values_of("tell") == []
    ((_, state, why, _),) = connection.values_of("end")
    assert (state, "another import began" in why) == ("failed", True)


async def test_rows_that_are_told_to_nobody_are_heard_of_all_the_same(monkeypatch: Any) -> None:
    monkeypatch.setattr(job, "SAID_S", 0.0)
    connection = Connection([], "aws.bedrock", heard=True)
    await run(connection)
    assert connection.values_of("report")


async def test_what_ingest_refused_is_mended_in_the_file_and_imported_again_by_a_key_that_corrects_nothing() -> (
    None
):
    connection = Connection([], "nothing-of-the-bill", heard=True)
    bad = await run(connection, Door(refuses=True), may_correct=False, EffectiveCost="7")
    assert bad.report.outcomes == {"bad": 1}
    ((_, ids, *_, hashes, _),) = connection.values_of("tell")
    assert connection.values_of("refused") == [(ids,)], "nobody has it"
    assert connection.values_of("told") == [([],)]

    known = booked() | {"hash": hashes[0].hex(), "is_told": False, "is_retracted": True}
    assert bytes.fromhex(known["row_id"]) == ids[0], "it is the same row, whatever it costs"
    connection, door = Connection([known], "nothing-of-the-bill", heard=True), Door(refuses=False)
    mended = await run(connection, door, may_correct=False, EffectiveCost="8")
    assert mended.report.outcomes == {"new": 1}
    ((event),) = door.taken
    assert (event["id"], event["data"]["charge"]["effective"]) == (known["event_id"], "8")
    assert connection.values_of("told") == [(ids,)]


async def test_a_restated_row_that_ingest_refuses_stays_as_it_may_be_booked() -> None:
    """The broker may hold what was said before: that is amended once the row is mended, and not before."""
    unsure = booked() | {"hash": "ff" * 16, "is_told": False}
    connection = Connection([unsure], "nothing-of-the-bill", heard=True)
    await run(connection, Door(refuses=True))
    assert connection.values_of("refused") == [([],)]
    assert connection.values_of("told") == [([],)]
