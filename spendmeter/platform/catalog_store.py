"""The catalog in Postgres: append-only, versioned; what api publishes is what stands here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from spendmeter.contracts.catalog import CatalogEntry, Withdrawal, decode_catalog, encode_catalog
from spendmeter.contracts.entry_ids import identified, published, with_free_revision
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("catalog_store.sql"))


class Outdated(Exception):
    """Somebody else has recorded a publication since this one was checked."""


async def record(
    connection: Any,
    entries: Sequence[CatalogEntry],
    *,
    by: str,
    note: str,
    replaces: bool = False,
    base: int | None = None,
) -> int | None:
    """Record what is new of `entries` as the next version. None when nothing is.

    What was withdrawn before is stated anew. `replaces`: entries that `by` recorded earlier and that are not
    among these are withdrawn with it, and what others have withdrawn stays so. `base`: the version that must
    still be the newest. Raises Outdated.
    """
    async with connection.transaction():
        version = await connection.fetchval(SQL["next_version"])
        if base is not None and version != base + 1:
            raise Outdated
        rows = await connection.fetch(SQL["standing"])
        withdrawn = {row["id"]: row["withdrawn_by"] for row in rows}
        stated = [with_free_revision(entry, withdrawn, by if replaces else "") for entry in entries]
        new = {entry.id: entry for entry in stated if entry.id not in withdrawn}
        if replaces and (gone := _gone(rows, {entry.id for entry in stated}, by)):
            withdrawal = identified(
                Withdrawal(entries=gone, source=note, recorded_at=datetime.now(UTC), by=by)
            )
            new[withdrawal.id] = withdrawal
        if not new:
            return None
        bodies = [encode_catalog(published(entry, version)).decode() for entry in new.values()]
        await connection.execute(SQL["record"], version, bodies, by, note)
        return int(version)


async def read_publication(connection: Any) -> tuple[list[CatalogEntry], int]:
    """All that is published, and its version; 0 = nothing is."""
    rows = await connection.fetch(SQL["publication"])
    return [decode_catalog(row["body"]) for row in rows], max((row["version"] for row in rows), default=0)


def _gone(rows: Sequence[Any], now: set[str], by: str) -> tuple[str, ...]:
    withdrawals = str(Withdrawal.__struct_config__.tag)
    mine = {
        row["id"]
        for row in rows
        if row["recorded_by"] == by and row["type"] != withdrawals and not row["withdrawn_by"]
    }
    return tuple(sorted(mine - now))
