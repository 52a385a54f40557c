"""An import at work, by what it does to the database: the reader is the real one, the rest stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from services.api.imports import job
from services.api.imports.job import SQL, STAYS, ImportJob, Wanted
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


async def run(path: Path, connection: Connection) -> ImportJob:
    path.write_bytes(csv_of(CELLS))
    wanted = Wanted(
        import_id="i1", tenant="acme", key="", author="key k1", may_correct=True, path=path, file_name="b.csv",
        complete=True, labels=(), not_metered=(), dry_run=False,
    )  # fmt: skip
    nothing: Any = None
    database: Any = connection
    corrections: Any = Corrections()
    under_way = ImportJob(wanted=wanted, database=database, door=nothing, log=corrections)
    await under_way.run()
    return under_way


def booked() -> dict[str, Any]:
    row = taken(ServiceName=CELLS["ServiceName"])
    return {
        "row_id": row.row_id, "source": row.source, "event_id": row.event_id, "generation": 0, "revision": 0,
        "hash": row.hash, "is_told": True, "is_retracted": False,
    }  # fmt: skip


async def test_what_was_booked_before_it_was_metered_is_met_by_a_whole_bill_that_holds_it_back(
    tmp_path: Path,
) -> None:
    """Else it would be one that the bill lacks, and retracted: with the money of when nobody metered it."""
    row = booked()
    connection = Connection([row], "aws.bedrock", heard=True)
    done = await run(tmp_path / "b.csv", connection)
    assert (done.report.outcomes["held"], done.report.notes[STAYS]) == (1, 1)
    assert ([bytes.fromhex(row["row_id"])], "i1") in connection.values_of("met")
    ((_, state, _, _),) = connection.values_of("end")
    assert state == "done"


async def test_of_a_restated_row_the_amends_of_its_event_are_looked_at(tmp_path: Path) -> None:
    restated = booked() | {"hash": "ff" * 16}
    connection = Connection([restated], "nothing-of-the-bill", heard=True)
    connection.amended = [
        {"identity": identity("acme", restated["source"], restated["event_id"]), "revision": 3}
    ]
    done = await run(tmp_path / "b.csv", connection)
    assert done.report.outcomes["amended"] == 1
    ((_, _, _, _, _, _, revisions, _, _),) = connection.values_of("tell")
    assert revisions == [4]


async def test_an_import_after_which_another_one_began_tells_nothing_more(tmp_path: Path) -> None:
    connection = Connection([], "nothing-of-the-bill", heard=False)
    await run(tmp_path / "b.csv", connection)
    assert connection.values_of("tell") == []
    ((_, state, why, _),) = connection.values_of("end")
    assert (state, "another import began" in why) == ("failed", True)


async def test_rows_that_are_told_to_nobody_are_heard_of_all_the_same(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(job, "SAID_S", 0.0)
    connection = Connection([], "aws.bedrock", heard=True)
    await run(tmp_path / "b.csv", connection)
    assert connection.values_of("report")
