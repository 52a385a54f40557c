"""Which names that were used lately mean another model by what a proposal would bring into force."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from services.api.catalog.access import CatalogAccess
from services.api.catalog.impact import Deadline
from services.api.catalog.sql import SQL
from spendmeter.pricing.proposals.check import CheckedChange
from spendmeter.pricing.renamed import Shifted, shifted
from spendmeter.pricing.review.finding import LintFinding

SEEN_DAYS = 90
NAMES_MAX = 50_000
"""Names that are compared, of all that were ever used: some seconds of work."""
ASKED_MAX = 50
"""Names of which it is asked whether they were used lately: one is enough to ask for a confirmation."""


async def seen_names(access: CatalogAccess, change: CheckedChange, now: datetime) -> list[LintFinding]:
    """A finding to confirm for each of them that somebody whose usage the caller may see used in the last
    days, and for what could not be looked at. No connection is held while names are compared."""
    async with access.reading() as connection:
        used = await connection.fetch(SQL["used"])
    rows = {(row["tenant"], row["provider"], row["sku"]): row for row in used[:NAMES_MAX]}
    found = await asyncio.to_thread(shifted, list(rows), change.snapshot.book, change.book, now)
    seen = await _used_lately(access, [(each, rows[each[:3]]) for each in found[:ASKED_MAX]], now)
    if len(used) > NAMES_MAX:
        seen.append(f"of {len(used):,} names that were ever used, {NAMES_MAX:,} were compared")
    if len(found) > ASKED_MAX:
        seen.append(f"{len(found) - ASKED_MAX:,} more names that were ever used mean another model now")
    return [LintFinding(rule="meaning", severity="confirm", message=says, entries=()) for says in seen]


async def _used_lately(
    access: CatalogAccess, found: Sequence[tuple[Shifted, Any]], now: datetime
) -> list[str]:
    """What to say of each that was; where there was no time to find out, that."""
    since = (now - timedelta(days=SEEN_DAYS)).replace(second=0, microsecond=0)
    deadline = Deadline(access)
    said: list[str] = []
    for each, row in found:
        count = await deadline.count([row], since)
        if count is None:
            said.append(f"{each.says}, perhaps used in the last {SEEN_DAYS} days: there was no time to look")
        elif count:
            said.append(f"{each.says}, used in the last {SEEN_DAYS} days")
    return list(dict.fromkeys(said))
