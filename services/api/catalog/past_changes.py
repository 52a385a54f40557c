"""What changed between two versions of the catalog, as somebody may see it: worked out once, for no version
is ever another one."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from spendmeter.contracts.terms import SINCE_EVER
from spendmeter.pricing.proposals.snapshot import CatalogSnapshot
from spendmeter.pricing.review.changes import PriceChange, changes

CHANGES_MAX = 60_000
"""Kept in all: some 25 MB. The whole public catalog as one change is 20,000 of them."""


class Versions(NamedTuple):
    """Whose view (a tenant, or EVERYBODY) of what changed after `first` up to `last`. What they may see is
    a matter of their agreements, as publication `seen_at` has them."""

    as_tenant: str
    seen_at: int
    first: int
    last: int


_Found = asyncio.Task[Sequence[PriceChange]]


class PastChanges:
    """One process's; what was asked for longest ago goes first."""

    def __init__(self) -> None:
        self._found: OrderedDict[Versions, _Found] = OrderedDict()

    async def between(
        self, snapshot: CatalogSnapshot, as_tenant: str, first: int, last: int
    ) -> Sequence[PriceChange]:
        """What begins last comes first. Who asks while it is worked out waits for it; no loop does."""
        asked = Versions(as_tenant, snapshot.version, first, last)
        found = self._found.get(asked)
        if found is None or (found.done() and (found.cancelled() or found.exception())):
            work = asyncio.to_thread(_compared, snapshot, asked)
            found = self._found[asked] = asyncio.create_task(work)
        self._found.move_to_end(asked)
        answer = await asyncio.shield(found)
        self._forget()
        return answer

    def _forget(self) -> None:
        while len(self._found) > 1 and sum(map(_size, self._found.values())) > CHANGES_MAX:
            self._found.popitem(last=False)


def _size(found: _Found) -> int:
    """With one for what is being worked out."""
    there = found.done() and not found.cancelled() and not found.exception()
    return 1 + (len(found.result()) if there else 0)


def _compared(snapshot: CatalogSnapshot, asked: Versions) -> Sequence[PriceChange]:
    entries = (entry for entry in snapshot.entries.values() if entry.version <= asked.last)
    after = snapshot.viewer(asked.as_tenant).visible(entries)
    before = [entry for entry in after if entry.version <= asked.first]
    return sorted(changes(before, after), key=_begins, reverse=True)


def _begins(change: PriceChange) -> datetime:
    return change.when.effective_from or SINCE_EVER
