"""Keeps outcomes: a batch of `usage.outcomes`, in one transaction with the position after it."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from services.corrector.outcomes.intake import OutcomeBatch, OutcomeFault, OutcomeRow, conflict, encode_rows
from spendmeter.book.entry import hex_bytes
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("sql") / "outcomes.sql")


class OutcomesMoved(Exception):
    """Somebody else has kept these, or we did and never heard of it: look where they stand."""


@dataclass(frozen=True, kw_only=True)
class OutcomePosition:
    """How far the topic is kept."""

    topic: str
    """Its id."""
    position: int
    """The next offset."""


async def read_position(connection: Any, topic: str) -> OutcomePosition:
    """How far outcomes are kept; on a first start from the beginning of `topic`."""
    row = await connection.fetchrow(SQL["position"])
    if row is None:
        await connection.execute(SQL["first_start"], topic)
        row = await connection.fetchrow(SQL["position"])
    return OutcomePosition(**row)


async def keep(
    connection: Any, sought: OutcomePosition, batch: OutcomeBatch
) -> tuple[OutcomePosition, Counter[str]]:
    """Keep what is new of a batch that begins at `sought`, and count what was what. Raises OutcomesMoved."""
    async with connection.transaction():
        if await connection.fetchval(SQL["hold_position"], sought.topic, sought.position) is None:
            raise OutcomesMoved
        faults, duplicates = await _insert(connection, batch)
        faults += batch.rejected
        if faults:
            await connection.execute(SQL["insert_faults"], sought.topic, encode_rows(faults).decode())
        counts = Counter(fault.fault for fault in faults) + Counter(duplicate=duplicates, holes=batch.holes)
        counts["kept"] = batch.position - sought.position - counts.total()
        await connection.execute(
            SQL["move_position"],
            batch.position,
            *(counts[name] for name in ("kept", "duplicate", "conflict", "rejected", "holes")),
        )
    return replace(sought, position=batch.position), counts


async def _insert(connection: Any, batch: OutcomeBatch) -> tuple[list[OutcomeFault], int]:
    """The conflicts among what is there already, and how many say the same."""
    if not batch.first:
        return [], 0
    kept = await connection.fetch(SQL["insert"], encode_rows(list(batch.first.values())).decode())
    await connection.execute(SQL["mark_runs"], [row["identity"] for row in kept])
    new = {hex_bytes(row["identity"]) for row in kept}
    again = [(batch.offsets[key], row) for key, row in batch.first.items() if key not in new]
    hashes = {key: row.hash for key, row in batch.first.items() if key in new}
    if again:
        known = await connection.fetch(SQL["known"], [bytes.fromhex(row.identity[2:]) for _, row in again])
        hashes |= {hex_bytes(row["identity"]): hex_bytes(row["hash"]) for row in known}
    copies: list[tuple[int, OutcomeRow]] = [*again, *batch.copies]
    faults = [conflict(offset, row) for offset, row in copies if row.hash != hashes[row.identity]]
    return faults, len(copies) - len(faults)
