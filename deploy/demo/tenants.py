"""The first tenants of a local system: their keys and terms and, for the demo, budgets and a channel each."""

import json
import secrets
import tomllib
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from spendmeter.contracts.catalog import Adjustment, CatalogEntry, PeriodTerm, TenantTerms
from spendmeter.contracts.entry_ids import identified
from spendmeter.platform.catalog_store import record
from spendmeter.platform.keys import OPERATOR, create_key, create_tenant
from spendmeter.platform.sql import load_sql

SQL = load_sql(Path(__file__).with_name("tenants.sql"))


class DemoBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One budget of tenants.toml."""

    tenant: str
    name: str
    filter: dict[str, str] = {}
    amount_usd: Decimal
    period: str
    thresholds_percent: list[Decimal]


class DemoData(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tenants.toml says; a comment there explains each."""

    fallback: dict[str, str]
    tenants: dict[str, str]
    budgets: tuple[DemoBudget, ...]


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """What only this installation knows, in a file that only its owner may read: a key is shown once."""

    admin_key: str
    tenant_keys: dict[str, str]
    webhook_secret: str


DATA = msgspec.convert(tomllib.loads(Path(__file__).with_name("tenants.toml").read_text("utf-8")), DemoData)


async def install(
    connection: Any, known: Installation | None, contracts: Sequence[Adjustment | PeriodTerm] = ()
) -> Installation:
    """The tenants and their keys: made once, and again when the database that `known` was in is gone; with
    them what they have negotiated."""
    if known is not None and await connection.fetchval(SQL["key_exists"], known.admin_key.split("_")[2]):
        return known
    now, fallback = datetime.now(UTC), DATA.fallback
    async with connection.transaction():
        for tenant in DATA.tenants:
            await create_tenant(connection, tenant)
        keys = {
            tenant: await create_key(connection, tenant, ["ingest", "read"], name="demo", environment="demo")
            for tenant in DATA.tenants
        }
        admin = await create_key(connection, OPERATOR, ["admin", "read"], name="admin", environment="demo")
        terms = [
            TenantTerms(
                tenant=tenant,
                time_zone=zone,
                fallback=fallback,
                contracts=tuple(each.contract for each in contracts if each.tenant == tenant),
                source="setup",
                recorded_at=now,
            )
            for tenant, zone in DATA.tenants.items()
        ]
        entries: list[CatalogEntry] = [*map(identified, terms), *map(identified, contracts)]
        await record(connection, entries, by="setup", note="the first tenants")
    secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
    return Installation(admin_key=admin, tenant_keys=keys, webhook_secret=secret)


async def watch_budgets(
    connection: Any, budgets: Sequence[DemoBudget], webhook_url: str, webhook_secret: str
) -> None:
    """These budgets and one webhook channel a tenant; what is there already stays as people left it."""
    for budget in budgets:
        await connection.execute(
            SQL["add_budget"],
            budget.tenant,
            budget.name,
            json.dumps(budget.filter),
            budget.amount_usd,
            budget.period,
            budget.thresholds_percent,
        )
    for tenant in DATA.tenants:
        await connection.execute(SQL["move_channel"], tenant, webhook_url)
        await connection.execute(SQL["add_channel"], tenant, webhook_url, webhook_secret)
