"""The rules by which tenants are watched, as people have set them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from services.alerts.budgets.budgets import Budget
from spendmeter.contracts.terms import NO_TERMS, Timeline, timeline_of
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import log

SQL = load_sql(Path(__file__).with_name("rules.sql"))
TENANTS_MAX = 10_000
BUDGETS_MAX = 100_000


@dataclass(frozen=True, kw_only=True)
class TenantRules:
    """In what a tenant counts, and the budgets in force."""

    calendar: Timeline
    budgets: tuple[Budget, ...]


async def read_rules(pool: asyncpg.Pool[asyncpg.Record]) -> dict[str, TenantRules]:
    """Every tenant's rules as of now."""
    budgets: dict[str, list[Budget]] = {}
    for row in await _limited(pool, "budgets", BUDGETS_MAX):
        budgets.setdefault(row["tenant"], []).extend(_budgets(row))
    stated: dict[str, list[Mapping[str, Any]]] = {}
    for row in await pool.fetch(SQL["terms"]):
        stated.setdefault(row["tenant"], []).append(dict(row))
    tenants = [row["tenant"] for row in await _limited(pool, "tenants", TENANTS_MAX)]
    return {
        tenant: TenantRules(
            calendar=_calendar(tenant, stated.get(tenant, ())), budgets=tuple(budgets.get(tenant, ()))
        )
        for tenant in tenants
    }


async def _limited(pool: asyncpg.Pool[asyncpg.Record], name: str, rows_max: int) -> list[asyncpg.Record]:
    rows = await pool.fetch(SQL[name], rows_max + 1)
    if len(rows) > rows_max:
        log().error("more than can be watched", rule=name, limit=rows_max)
    return rows[:rows_max]


def _budgets(row: asyncpg.Record) -> list[Budget]:
    """The budget; where it follows a change of currency, what it is before and what it is from then on."""
    columns = dict(row) | {"id": str(row["id"]), "thresholds_percent": tuple(row["thresholds_percent"])}
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
