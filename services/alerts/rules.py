"""The rules by which tenants are watched, as people have set them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

from services.alerts.budgets.budgets import Budget
from spendmeter.contracts.alert_rules import RULE_KINDS, AlertRule, default_rule, rule_of
from spendmeter.contracts.terms import NO_TERMS, Timeline, timeline_of
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("rules.sql"))
TENANTS_MAX = 10_000
"""Of a worker. What is beyond this, or beyond the next two of a tenant, `not_watched` says and `/ready`
repeats."""
BUDGETS_MAX = 1_000
CHANGED_RULES_MAX = 1_000
READ_AT_ONCE = 500
"""Tenants whose rules are read by one statement."""


@dataclass(frozen=True, kw_only=True)
class TenantRules:
    """In what a tenant counts, and the budgets and rules in force."""

    calendar: Timeline
    budgets: tuple[Budget, ...]
    rules: tuple[AlertRule, ...]

    def of(self, kind: str) -> list[AlertRule]:
        """The rules of a kind (burst, shift, ...) that are switched on, the one that everybody has first."""
        return [rule for rule in self.rules if rule.of == kind and rule.enabled]


EVERYBODYS = MappingProxyType({kind.rule: default_rule(of) for of, kind in RULE_KINDS.items()})


class Rules:
    """`read()` says what is in force for the tenants that are ours. Raises CONNECTION_ERRORS.

    A tenant is read when it becomes ours, and when it has changed anything since.
    """

    def __init__(
        self, pool: asyncpg.Pool[asyncpg.Record], ours: Callable[[str], bool] = lambda tenant: True
    ) -> None:
        self._pool = pool
        self._ours = ours
        self._known: dict[str, tuple[int, TenantRules]] = {}
        self._beyond: dict[str, str] = {}

    async def read(self) -> dict[str, TenantRules]:
        """As of now."""
        changes = {row["tenant"]: row["changes"] for row in await self._pool.fetch(SQL["changes"])}
        ours = [tenant for tenant in changes if self._ours(tenant)]
        watched = ours[:TENANTS_MAX]
        self._known = {tenant: self._known[tenant] for tenant in watched if tenant in self._known}
        changed = [
            tenant
            for tenant in watched
            if tenant not in self._known or self._known[tenant][0] != changes[tenant]
        ]
        for start in range(0, len(changed), READ_AT_ONCE):
            await self._read(changed[start : start + READ_AT_ONCE], changes)
        self._beyond = {tenant: said for tenant, said in self._beyond.items() if tenant in self._known}
        if len(ours) > TENANTS_MAX:
            self._beyond[""] = f"{len(ours) - TENANTS_MAX:,} tenants beyond the first {TENANTS_MAX:,}"
        return {tenant: rules for tenant, (_, rules) in self._known.items()}

    def not_watched(self) -> str:
        """What a limit leaves unwatched, so that whoever operates this is told; '' = nothing."""
        return "; ".join(f"not watched: {said}" for _, said in sorted(self._beyond.items())[:3])

    async def _read(self, tenants: Sequence[str], changes: Mapping[str, int]) -> None:
        """What is read may be newer than its number: then it is read once more."""
        pool = self._pool
        budgets: defaultdict[str, list[Budget]] = defaultdict(list)
        stated: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        rules: defaultdict[str, dict[str, AlertRule]] = defaultdict(dict)
        beyond: dict[str, str] = {}
        for row in await pool.fetch(SQL["budgets"], tenants, BUDGETS_MAX + 1):
            if row["place"] > BUDGETS_MAX:
                beyond[row["tenant"]] = f"budgets of {row['tenant']} beyond the first {BUDGETS_MAX:,}"
            else:
                budgets[row["tenant"]].extend(_budgets(row))
        for row in await pool.fetch(SQL["alert_rules"], tenants, CHANGED_RULES_MAX + 1):
            if row["place"] > CHANGED_RULES_MAX:
                beyond[row["tenant"]] = f"rules of {row['tenant']} beyond the first {CHANGED_RULES_MAX:,}"
            else:
                rules[row["tenant"]][row["rule_id"]] = rule_of(dict(row))
        for row in await pool.fetch(SQL["terms"], tenants):
            stated[row["tenant"]].append(dict(row))
        for tenant in tenants:
            found = TenantRules(
                calendar=_calendar(tenant, stated[tenant]),
                budgets=tuple(budgets[tenant]),
                rules=tuple({**EVERYBODYS, **rules[tenant]}.values()),
            )
            self._known[tenant] = (changes[tenant], found)
            self._beyond.pop(tenant, None)
        for said in beyond.values():
            log().error("more than can be watched", what=said)
        self._beyond |= beyond


async def read_rules(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, TenantRules]:
    """Every tenant's, once."""
    return await Rules(pool).read()


def _budgets(row: asyncpg.Record) -> list[Budget]:
    """The budget; where it follows a change of currency, what it is before and what it is from then on."""
    columns = dict(row) | {"id": str(row["id"]), "thresholds_percent": tuple(row["thresholds_percent"])}
    columns["forecast_thresholds_percent"] = tuple(row["forecast_thresholds_percent"])
    columns["own"] = frozenset(row["own"])
    del columns["place"]
    since, amount, currency = (columns.pop(f"next_{name}") for name in ("from", "amount", "currency"))
    before = Budget(**columns, ends=since)
    if amount is None:
        return [before]
    changes = {"amount": amount, "currency": currency, "revision": before.revision + 1}
    return [before, replace(before, ends=None, begins=since, updated_at=since, **changes)]


def _calendar(tenant: str, rows: Sequence[Mapping[str, Any]]) -> Timeline:
    try:
        return timeline_of(rows)
    except (KeyError, ValueError, OSError):
        # One tenant's typo must not blind the others; UTC watches it, if with other midnights.
        log().error("unknown zone, counting in UTC", tenant=tenant)
        return timeline_of({**row, "zone": NO_TERMS.time_zone} for row in rows)
