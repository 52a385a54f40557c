"""The rules by which tenants are watched, as people have set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
BUDGETS_MAX = 100_000
CHANGED_RULES_MAX = 100_000


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
    """`read()` says what is in force for every tenant. Raises CONNECTION_ERRORS."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._acts: asyncpg.Record | None = None
        self._changed: Mapping[str, Mapping[str, AlertRule]] = {}

    async def read(self) -> dict[str, TenantRules]:
        """As of now; what tenants have changed of rules is read again when any has."""
        pool = self._pool
        budgets: dict[str, list[Budget]] = {}
        for row in await _limited(pool, "budgets", BUDGETS_MAX):
            budgets.setdefault(row["tenant"], []).extend(_budgets(row))
        stated: dict[str, list[Mapping[str, Any]]] = {}
        for row in await pool.fetch(SQL["terms"]):
            stated.setdefault(row["tenant"], []).append(dict(row))
        await self._follow_changes()
        tenants = [row["tenant"] for row in await _limited(pool, "tenants", TENANTS_MAX)]
        return {
            tenant: TenantRules(
                calendar=_calendar(tenant, stated.get(tenant, ())),
                budgets=tuple(budgets.get(tenant, ())),
                rules=tuple({**EVERYBODYS, **self._changed.get(tenant, {})}.values()),
            )
            for tenant in tenants
        }

    async def _follow_changes(self) -> None:
        acts = await self._pool.fetchrow(SQL["alert_rules_changed"])
        if acts == self._acts:
            return
        changed: dict[str, dict[str, AlertRule]] = {}
        for row in await _limited(self._pool, "alert_rules", CHANGED_RULES_MAX):
            changed.setdefault(row["tenant"], {})[row["rule_id"]] = rule_of(dict(row))
        self._changed, self._acts = changed, acts


async def read_rules(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, TenantRules]:
    """Every tenant's, once."""
    return await Rules(pool).read()


async def _limited(pool: asyncpg.Pool[asyncpg.Record], name: str, rows_max: int) -> list[asyncpg.Record]:
    rows = await pool.fetch(SQL[name], rows_max + 1)
    if len(rows) > rows_max:
        log().error("more than can be watched", rule=name, limit=rows_max)
    return rows[:rows_max]


def _budgets(row: asyncpg.Record) -> list[Budget]:
    """The budget; where it follows a change of currency, what it is before and what it is from then on."""
    columns = dict(row) | {"id": str(row["id"]), "thresholds_percent": tuple(row["thresholds_percent"])}
    columns["forecast_thresholds_percent"] = tuple(row["forecast_thresholds_percent"])
    columns["own"] = frozenset(row["own"])
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
