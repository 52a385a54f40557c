"""The database restored from a copy of it, while Kafka keeps what came since: a price that was approved meanwhile is
there again, under its number, and no other gets that number."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.flow.book import folded
from tests.flow.system import UP_SECONDS_MAX, System, eventually, priced_by
from tests.flow.test_set_right import Newcomer
from tests.flow.test_terms import KEY_WITHIN_S
from tests.waiting import until

CATALOG = (
    "SELECT id, body, version, recorded_by, recorded_at FROM catalog_entries ORDER BY version, id",
    "SELECT * FROM catalog_publications ORDER BY version",
)


class Restorable(System):
    """A system whose database can be put back to what it was."""

    @property
    def _database(self) -> Path:
        return self.folder / "data" / "postgres"

    @property
    def _copy(self) -> Path:
        return self.folder / "copy"

    def up(self) -> None:
        self.cli("up", "--detach", "--no-demo", timeout=UP_SECONDS_MAX)

    def back_up(self) -> None:
        """Copy the files of the database, which is stopped for that."""
        self.stop()
        subprocess.run(["cp", "-a", str(self._database), str(self._copy)], check=True)
        self.up()

    def restore(self) -> None:
        """Put the copy in its place; Kafka stays as it is."""
        self.stop()
        shutil.rmtree(self._database)
        self._copy.rename(self._database)
        self.up()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Restorable]:
    with Restorable(tmp_path / "home", partitions=2) as running:
        yield running


async def catalog_of(system: System) -> list[list[tuple[Any, ...]]]:
    """All that the database says of its catalog."""
    owner = await system.database()
    try:
        return [[tuple(row) for row in await owner.fetch(table)] for table in CATALOG]
    finally:
        await owner.close()


async def entries_of(owner: asyncpg.Connection) -> list[tuple[Any, ...]]:
    """What is booked, but for when that was."""
    rows = await owner.fetch(
        "SELECT identity, seq, catalog_version, effective, event, lines FROM entries ORDER BY 1, 2"
    )
    return [tuple(row) for row in rows]


async def is_booked(owner: asyncpg.Connection, wanted: list[tuple[Any, ...]]) -> bool:
    return await entries_of(owner) == wanted


def verified(system: System) -> None:
    done = system.cli("verify", check=False)
    assert done.stdout.startswith("Nothing is wrong"), done.stdout
    assert done.returncode in (0, 2)  # 2: without the sender's log it does not know what was sent


async def test_an_approval_that_the_database_lost_is_brought_back_with_its_version_and_nothing_else_gets_it(
    system: Restorable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,000 tokens at 10 USD a million are 0.01 USD; then, for all of them, at 20 USD a million: 0.02."""
    newcomer = Newcomer(system, monkeypatch)
    newcomer.state_price(tmp_path, 1_000_000)
    eventually("ingest knows the key", lambda: newcomer.send("e1"), KEY_WITHIN_S, every_s=0.5)
    system.back_up()

    approved = newcomer.state_price(tmp_path, 500_000, "--replace")
    eventually("rating prices with it", lambda: priced_by(system) == approved)
    eventually("ingest knows the key", lambda: newcomer.send("e2"), KEY_WITHIN_S, every_s=0.5)
    why = "it was twice as much"
    job = newcomer.cli("rerate", "--publication", str(approved), "--reason", why, "--apply", "--yes")
    newcomer.cli("retract", "story", "e2", "--reason", "a test")
    assert newcomer.send("e3")
    assert (job["version"], newcomer.spent()) == (approved, (Decimal("0.04"), 2))
    owner = await system.database()
    await folded(owner)
    catalog, booked = await catalog_of(system), await entries_of(owner)
    await owner.close()

    system.restore()
    assert await catalog_of(system) == catalog, "to the byte, before anything is priced"
    owner = await system.database()
    await until(lambda: is_booked(owner, booked), "all to be booked and corrected again")
    assert newcomer.spent() == (Decimal("0.04"), 2)
    await folded(owner)
    assert newcomer.cli("rerates", "show", job["rerate_id"])["state"] == "applied"
    verified(system)

    assert newcomer.state_price(tmp_path, 1_000, "--replace") == approved + 1
    eventually("rating prices with the next", lambda: priced_by(system) == approved + 1)
    assert newcomer.send("e4")
    assert newcomer.spent() == (Decimal("10.04"), 3)
    await is_brought_back_by_a_running_api(system, owner, approved)
    verified(system)
    await owner.close()


async def is_brought_back_by_a_running_api(system: System, owner: asyncpg.Connection, version: int) -> None:
    """Two publications are gone from one moment to the next, and nothing else."""
    before = await catalog_of(system)
    async with owner.transaction():
        for table in ("catalog_entries", "catalog_publications"):
            await owner.execute(f"DELETE FROM {table} WHERE version >= $1", version)
    published = "SELECT count(*) = 2 FROM catalog_publications WHERE version >= $1"
    await until(lambda: owner.fetchval(published, version), "both publications to be back")
    assert await catalog_of(system) == before
    assert priced_by(system) == version + 1
