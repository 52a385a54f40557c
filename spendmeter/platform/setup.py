"""Makes an empty Kafka and Postgres ready for the five services: topics, schema, catalog, first tenants."""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from spendmeter.contracts.catalog import TenantTerms, decode_catalog
from spendmeter.contracts.entry_ids import identified
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.catalog_store import record
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.keys import OPERATOR, create_key, create_tenant
from spendmeter.platform.migrate import migrate

DEMO_TENANTS = {"acme": "UTC", "globex": "Europe/Berlin", "initech": "America/Los_Angeles"}
"""Tenant to time zone; the first one's key is SPENDMETER_API_KEY."""


FALLBACK = {"input_tokens": "0.000015", "output_tokens": "0.000075"}
"""USD a token of a model that nothing at all is known of: what the dearest common models cost."""
DEMO_BUDGETS: tuple[tuple[str, str, dict[str, str], Decimal, str, list[int]], ...] = (
    ("acme", "Research agents, daily", {"agent": "deep-research"}, Decimal(5), "day", [100]),
    ("acme", "All of Acme, monthly", {}, Decimal(20_000), "month", [80, 100]),
    ("globex", "Search team, monthly", {"team": "search"}, Decimal(5_000), "month", [80, 100]),
    ("initech", "Everything, quarterly", {}, Decimal(60_000), "quarter", [50, 80, 100]),
)
"""(tenant, name, filter, USD, period, thresholds in percent); the demo's runaway breaks the first one."""


class Installation(msgspec.Struct, kw_only=True):
    """What only this installation knows, in a file that only its owner may read: a key is shown once."""

    admin_key: str
    tenant_keys: dict[str, str]
    webhook_secret: str


async def prepare_database(owner_url: str, role_secret: str) -> str:
    """Migrate, set roles, and record the shipped price catalog. Repeatable. Returns what people should
    be told: mostly nothing."""
    await migrate(owner_url, role_secret)
    connection = await asyncpg.connect(owner_url, command_timeout=120)
    try:
        trouble = await _record_release(connection)
        await _state_terms(connection)
        return trouble
    finally:
        await connection.close()


async def _state_terms(connection: Any) -> None:
    """What earlier releases kept of a tenant's calendar outside the catalog, stated there, once."""
    rows = await connection.fetch(
        "SELECT tenant, currency, zone AS time_zone, fiscal_start_month FROM tenant_terms WHERE entry = ''"
    )
    now = datetime.now(UTC)
    terms = [identified(TenantTerms(**row, source="the table tenants", recorded_at=now)) for row in rows]
    if terms:
        await record(connection, terms, by="setup", note="terms that tenants were made with")


async def _record_release(connection: Any) -> str:
    """The shipped catalog in place of the last release's. Where that contradicts what people have stated,
    nothing is recorded: no worker could read it, and the price book would stay as it is for good."""
    from spendmeter.pricing.catalog import load_snapshot
    from spendmeter.pricing.conditions import CatalogError
    from spendmeter.pricing.price_book import PriceBook

    shipped, note = load_snapshot(), "the catalog of this release"
    try:
        async with connection.transaction():
            if await record(connection, shipped, by="migrate", note=note, replaces=True) is not None:
                rows = await connection.fetch("SELECT body FROM catalog_to_publish(0)")
                PriceBook(decode_catalog(row["body"]) for row in rows)
    except CatalogError as error:
        return (
            f"{note} was not recorded, because it contradicts what was stated here ({error}); the catalog "
            "stays as it was: withdraw the one that is wrong, then migrate again"
        )
    return ""


async def prepare(
    *,
    kafka: KafkaAccess,
    owner_url: str,
    role_secret: str,
    topic_prefix: str,
    partitions: int,
    secrets_file: Path,
    webhook_url: str = "",
    say: Callable[[str], None],
) -> dict[str, str]:
    """Everything that must exist before the services start; returns the environment that people ask for.

    `webhook_url` is where the demo's sink listens; '' = no demo, and then no channel.
    """
    async with KafkaAdmin(kafka) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix=topic_prefix, partitions=partitions)
    if trouble := await prepare_database(owner_url, role_secret):
        say(trouble)
    connection = await asyncpg.connect(owner_url, command_timeout=60)
    try:
        installation = await _installation(connection, secrets_file)
        if webhook_url:
            await _demo(connection, webhook_url, installation.webhook_secret)
    finally:
        await connection.close()
    return {
        "SPENDMETER_API_KEY": next(iter(installation.tenant_keys.values())),
        "SPENDMETER_ADMIN_KEY": installation.admin_key,
        "SPENDMETER_DEMO_KEYS": json.dumps(installation.tenant_keys),
        "SPENDMETER_DEMO_WEBHOOK_SECRET": installation.webhook_secret,
    }


async def _installation(connection: Any, secrets_file: Path) -> Installation:
    """The demo tenants and their keys: made once, and again when the database they were in is gone."""
    known = _read_private(secrets_file)
    if known is not None:
        key_id = known.admin_key.split("_")[2]
        if await connection.fetchval("SELECT 1 FROM api_keys WHERE key_id = $1", key_id):
            return known
    now = datetime.now(UTC)
    async with connection.transaction():
        for tenant in DEMO_TENANTS:
            await create_tenant(connection, tenant)
        keys = {
            tenant: await create_key(connection, tenant, ["ingest", "read"], name="demo", environment="demo")
            for tenant in DEMO_TENANTS
        }
        admin = await create_key(connection, OPERATOR, ["admin", "read"], name="admin", environment="demo")
        terms = [
            identified(
                TenantTerms(tenant=tenant, time_zone=zone, fallback=FALLBACK, source="setup", recorded_at=now)
            )
            for tenant, zone in DEMO_TENANTS.items()
        ]
        await record(connection, terms, by="setup", note="the first tenants")
    made = Installation(
        admin_key=admin,
        tenant_keys=keys,
        webhook_secret="whsec_" + b64encode(secrets.token_bytes(32)).decode(),
    )
    _write_private(secrets_file, msgspec.json.encode(made))
    return made


async def _demo(connection: Any, webhook_url: str, webhook_secret: str) -> None:
    """Budgets and one webhook channel a tenant; what is there already stays as people left it."""
    for tenant, name, scope, amount, period, thresholds in DEMO_BUDGETS:
        await connection.execute(
            "INSERT INTO budgets (tenant, name, filter, amount, currency, period, thresholds_percent) "
            "SELECT $1, $2, $3::jsonb, $4, 'USD', $5, $6::numeric[] "
            "WHERE NOT EXISTS (SELECT 1 FROM budgets WHERE tenant = $1 AND name = $2)",
            tenant,
            name,
            json.dumps(scope),
            amount,
            period,
            [Decimal(percent) for percent in thresholds],
        )
    for tenant in DEMO_TENANTS:
        await connection.execute(
            "UPDATE channels SET url = $2, disabled_at = NULL WHERE tenant = $1 AND name = 'demo sink'",
            tenant,
            webhook_url,
        )
        await connection.execute(
            "INSERT INTO channels (tenant, name, url, secret) SELECT $1, 'demo sink', $2, $3 "
            "WHERE NOT EXISTS (SELECT 1 FROM channels WHERE tenant = $1 AND name = 'demo sink')",
            tenant,
            webhook_url,
            webhook_secret,
        )


def _read_private(path: Path) -> Installation | None:
    return msgspec.json.decode(path.read_bytes(), type=Installation) if path.exists() else None


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
