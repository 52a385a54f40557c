"""What was read of rollups, kept until they change. Pure.

A piece of them is kept for whom and by what it was summed up, with its generation (`book/reading.py`): who
sees another one reads again. Bounded in all, and for each tenant, whose own oldest go first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from spendmeter.book.cover import Piece
from spendmeter.contracts.money import plain

GROUPS_MAX = 80_000
"""Kept in all: some 280 MB, with their texts."""
TENANT_GROUPS_MAX = 40_000
"""Kept of one tenant: what fifty people look at, each at the month of another team, beside 200 teams by day
over 60 days."""
READ_MAX = 6_000
"""Read at once: of more groups Postgres says the largest (`sums.py`)."""
WIDE_MAX = 1_000
WIDE_FOR = timedelta(minutes=10)
"""So long a question that had too many groups is not asked for all of them: then it may have fewer."""

Pieces = Piece | tuple[Piece, ...]
"""One, or several in a row that were added up: in the generation that is the sum of theirs."""
Grouping = tuple[Any, ...]
"""For a viewer of which team, by which dimensions, with which filter."""
GroupKey = tuple[str, tuple[str, ...]]
"""(currency, value of each dimension of `group_by`)."""


class GroupTexts(NamedTuple):
    """Sums and quantities as JSON has them."""

    sums: Mapping[str, str | int]
    usage: Mapping[str, str]


@dataclass(slots=True)
class GroupSum:
    """What one group came to, in one piece or in several; `last_minute` = the last in which it spent."""

    last_minute: datetime
    sums: Mapping[str, Any]
    usage: dict[str, Decimal]
    _texts: GroupTexts | None = None

    def texts(self) -> GroupTexts:
        """Written once, for as long as it is kept; nothing is changed afterwards."""
        if self._texts is None:
            sums = {name: plain(of) if isinstance(of, Decimal) else of for name, of in self.sums.items()}
            self._texts = GroupTexts(sums, {unit: plain(quantity) for unit, quantity in self.usage.items()})
        return self._texts


PieceSums = Mapping[GroupKey, GroupSum]


@dataclass(frozen=True, slots=True)
class _Kept:
    generation: int
    groups: PieceSums

    @property
    def size(self) -> int:
        return 1 + len(self.groups)


@dataclass(eq=False)
class _Tenant:
    kept: OrderedDict[tuple[Grouping, Pieces], _Kept] = field(default_factory=OrderedDict)
    size: int = 0

    def drop(self, key: tuple[Grouping, Pieces]) -> None:
        if old := self.kept.pop(key, None):
            self.size -= old.size

    def drop_oldest(self) -> None:
        self.drop(next(iter(self.kept)))


class ClosedSums:
    """One process's; nothing here waits, so nothing comes between two of its lines."""

    def __init__(self) -> None:
        self._tenants: dict[str, _Tenant] = {}
        self._wide: OrderedDict[tuple[str, Grouping, int], datetime] = OrderedDict()
        """Since when, the oldest first."""

    @property
    def size(self) -> int:
        """Groups kept, and one for each piece."""
        return sum(tenant.size for tenant in self._tenants.values())

    def get(self, tenant: str, grouping: Grouping, piece: Pieces, generation: int | None) -> PieceSums | None:
        """What was put there in the same generation; None = nothing that can be kept."""
        of = self._tenants.get(tenant)
        found = of.kept.get((grouping, piece)) if of else None
        if of is None or found is None or generation is None or found.generation != generation:
            return None
        of.kept.move_to_end((grouping, piece))
        return found.groups

    def put(
        self, tenant: str, grouping: Grouping, piece: Pieces, generation: int | None, groups: PieceSums
    ) -> None:
        """Keep it, unless it has no generation, and forget what was not asked for longest."""
        if generation is None:
            return
        of = self._tenants.setdefault(tenant, _Tenant())
        key, new = (grouping, piece), _Kept(generation, groups)
        of.drop(key)
        if new.size > TENANT_GROUPS_MAX:
            return
        of.kept[key] = new
        of.size += new.size
        while of.size > TENANT_GROUPS_MAX:
            of.drop_oldest()
        while self.size > GROUPS_MAX:
            max(self._tenants.values(), key=lambda each: each.size).drop_oldest()

    def is_wide(self, tenant: str, grouping: Grouping, buckets: int, now: datetime) -> bool:
        """Whether a question of this kind had too many groups not long ago."""
        while self._wide and next(iter(self._wide.values())) <= now - WIDE_FOR:
            self._wide.popitem(last=False)
        return (tenant, grouping, buckets) in self._wide

    def remember_wide(self, tenant: str, grouping: Grouping, buckets: int, now: datetime) -> None:
        """It had."""
        self._wide[tenant, grouping, buckets] = now
        self._wide.move_to_end((tenant, grouping, buckets))
        if len(self._wide) > WIDE_MAX:
            self._wide.popitem(last=False)
