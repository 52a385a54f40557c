"""What the scopes of budgets came to: put together of what spend keeps of the rollups, by the dimensions that
any of them names; where that is in too many groups, Postgres adds it up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from services.api.database.tenant import Tenant
from services.api.database.transactions import Onlooker, TenantConnection
from services.api.spend.closed import ClosedSums
from services.api.spend.groups import PlacedSums, read_pieces
from services.api.spend.question import SpendCursor, SpendQuestion
from spendmeter.book.budget_periods import PeriodBounds
from spendmeter.book.reading import Coverage, spent_in
from spendmeter.contracts.money import EXACT, ZERO
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("budgets.sql"))

GROUPS_MAX = 2_000
"""Read at once, with the pieces of time that they are in: more are looked at while everybody else waits."""

SpentScope = tuple[str, Mapping[str, str]]
"""A budget's currency, and the value of each dimension that it names."""


class ScopeSpent(NamedTuple):
    """What a scope came to, and how much of that is a bound."""

    effective: Decimal
    provisional: Decimal


NOTHING = ScopeSpent(ZERO, ZERO)
_Values = dict[tuple[str, tuple[str, ...]], ScopeSpent]
"""By currency and the values of some dimensions."""


async def read_spent(
    connection: TenantConnection,
    tenant: Tenant,
    within: PeriodBounds,
    scopes: Sequence[SpentScope],
    closed: ClosedSums,
    onlooker: Onlooker,
    now: datetime,
) -> list[ScopeSpent]:
    """Of each of these scopes. `connection` sees one instant of the book."""
    covered = await spent_in(connection, tenant.tenant, within, tenant.timeline)
    names = tuple(sorted({name for _, scope in scopes for name in scope}))
    question = SpendQuestion(
        cursor=SpendCursor(question="", start=within[0], end=within[1]), spent=covered, zone=tenant.zone,
        group_by=names, filters={}, measure="effective", top=1, edges=within, with_series=False,
        with_usage=False, now=now, team=onlooker.team,
    )  # fmt: skip
    placed = await read_pieces(connection, question, closed, GROUPS_MAX)
    if placed is None:
        return await _by_postgres(connection, covered, scopes)
    return spent_by(names, placed, scopes)


def spent_by(names: Sequence[str], placed: PlacedSums, scopes: Iterable[SpentScope]) -> list[ScopeSpent]:
    """What each scope came to of groups by `names`, which hold all names that a scope has."""
    of_groups = _added_up(
        (key, ScopeSpent(group.sums["effective"], group.sums["of_which_provisional"]))
        for _, piece in placed
        for key, group in piece.items()
    )
    by: dict[tuple[str, ...], _Values] = {}
    found = []
    for currency, scope in scopes:
        own = tuple(name for name in names if name in scope)
        if own not in by:
            at = [names.index(name) for name in own]
            by[own] = _added_up(
                ((currency_of, tuple(key[place] for place in at)), spent)
                for (currency_of, key), spent in of_groups.items()
            )
        found.append(by[own].get((currency, tuple(scope[name] for name in own)), NOTHING))
    return found


def _added_up(spent: Iterable[tuple[tuple[str, tuple[str, ...]], ScopeSpent]]) -> _Values:
    found: _Values = defaultdict(lambda: NOTHING)
    for key, (effective, provisional) in spent:
        before = found[key]
        found[key] = ScopeSpent(
            EXACT.add(before.effective, effective), EXACT.add(before.provisional, provisional)
        )
    return dict(found)


async def _by_postgres(
    connection: TenantConnection, covered: Coverage, scopes: Sequence[SpentScope]
) -> list[ScopeSpent]:
    currencies, filters = [currency for currency, _ in scopes], [scope for _, scope in scopes]
    found = [NOTHING] * len(scopes)
    for row in await connection.fetch(SQL["spent"], *covered, currencies, filters):
        found[row["place"] - 1] = ScopeSpent(row["effective"], row["provisional"])
    return found
