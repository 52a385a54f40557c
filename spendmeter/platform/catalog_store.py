"""The catalog in Postgres: append-only, versioned; what api publishes is what stands here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from spendmeter.contracts.catalog import CatalogEntry, Withdrawal, encode_catalog
from spendmeter.contracts.entry_ids import identified, published


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
        version = await connection.fetchval("SELECT catalog_next()")
        if base is not None and version != base + 1:
            raise Outdated
        rows = await connection.fetch("SELECT id, type, recorded_by, withdrawn_by FROM catalog_standing()")
        withdrawn = {row["id"]: row["withdrawn_by"] for row in rows}
        stated = [restated(entry, withdrawn, by if replaces else "") for entry in entries]
        new = {entry.id: entry for entry in stated if entry.id not in withdrawn}
        if replaces and (gone := _gone(rows, {entry.id for entry in stated}, by)):
            withdrawal = identified(
                Withdrawal(entries=gone, source=note, recorded_at=datetime.now(UTC), by=by)
            )
            new[withdrawal.id] = withdrawal
        if not new:
            return None
        bodies = [encode_catalog(published(entry, version)).decode() for entry in new.values()]
        await connection.execute("SELECT catalog_record($1, $2, $3, $4)", version, bodies, by, note)
        return int(version)


def restated(entry: CatalogEntry, withdrawn: Mapping[str, Sequence[str]], alone: str = "") -> CatalogEntry:
    """The entry, its revision raised past those that were withdrawn. `withdrawn`: every known id, and by whom
    it was withdrawn. With `alone`, only what nobody else has withdrawn is stated again: a shipped price that
    an operator took out of force does not come back with the next start."""
    while (by := withdrawn.get(entry.id)) and (not alone or set(by) == {alone}):
        entry = identified(msgspec.structs.replace(entry, revision=entry.revision + 1))
    return entry


def _gone(rows: Sequence[Any], now: set[str], by: str) -> tuple[str, ...]:
    withdrawals = str(Withdrawal.__struct_config__.tag)
    mine = {
        row["id"]
        for row in rows
        if row["recorded_by"] == by and row["type"] != withdrawals and not row["withdrawn_by"]
    }
    return tuple(sorted(mine - now))
