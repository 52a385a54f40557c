"""The catalog in Postgres: append-only, versioned; what api publishes is what stands here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from spendmeter.contracts.catalog import CatalogEntry, Withdrawal, encode_catalog, identified, published

_LOCK = 0xCA7A109  # one version at a time: two recorders at once would count each other's entries


async def record(
    connection: Any, entries: Sequence[CatalogEntry], *, by: str, note: str, replaces: bool = False
) -> int | None:
    """Record what is new of `entries` as the next version. None when nothing is.

    `replaces`: entries that `by` recorded earlier and that are not among these are withdrawn with it.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        rows = await connection.fetch("SELECT id, type, recorded_by FROM catalog_entries")
        known = {row["id"] for row in rows}
        new = {entry.id: entry for entry in entries if entry.id not in known}
        if replaces:
            gone = _gone(await _withdrawn(connection), rows, {entry.id for entry in entries}, by)
            if gone:
                withdrawal = identified(
                    Withdrawal(entries=gone, source=note, recorded_at=datetime.now(UTC), by=by)
                )
                new[withdrawal.id] = withdrawal
        if not new:
            return None
        version = await connection.fetchval("SELECT coalesce(max(version), 0) + 1 FROM catalog_publications")
        await connection.executemany(
            "INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            [
                (
                    entry.id,
                    entry.tenant,
                    str(type(entry).__struct_config__.tag),
                    encode_catalog(published(entry, version)).decode(),
                    version,
                    by,
                )
                for entry in new.values()
            ],
        )
        await connection.execute(
            "INSERT INTO catalog_publications (version, entries, note) VALUES ($1, $2, $3)",
            version,
            len(known) + len(new),
            note,
        )
        return int(version)


async def _withdrawn(connection: Any) -> set[str]:
    rows = await connection.fetch(
        "SELECT jsonb_array_elements_text(body::jsonb -> 'entries') AS id "
        "FROM catalog_entries WHERE type = $1",
        str(Withdrawal.__struct_config__.tag),
    )
    return {row["id"] for row in rows}


def _gone(withdrawn: set[str], rows: Sequence[Any], now: set[str], by: str) -> tuple[str, ...]:
    withdrawals = str(Withdrawal.__struct_config__.tag)
    mine = {row["id"] for row in rows if row["recorded_by"] == by and row["type"] != withdrawals}
    return tuple(sorted(mine - now - withdrawn))
