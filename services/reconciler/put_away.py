"""What is no part of the book any more: entries of months that are put away. Nothing is said of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from services.reconciler.catalog import SQL


async def kept_from(connection: Any, partition: int, opened_at: datetime, end: int) -> int:
    """From which offset on entries are there, in the caller's snapshot; `end` = none is before that."""
    kept: int | None = await connection.fetchval(SQL["kept_from"], partition, opened_at)
    return end if kept is None else min(kept, end)


async def first_put_away(connection: Any, identities: Iterable[bytes]) -> set[bytes]:
    """Those whose first entry lies in such a month: what corrects it may be there, and cannot be judged."""
    return {row["identity"] for row in await connection.fetch(SQL["put_away"], list(identities))}
