"""Everything that must exist before the services of a local system start."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import msgspec

from deploy.demo.story import negotiated
from deploy.demo.tenants import DATA, Installation, install, watch_budgets
from deploy.local.home import write_private
from deploy.release import prepare_database, prepare_kafka
from spendmeter.platform.kafka_access import KafkaAccess


async def prepare(
    *,
    kafka: KafkaAccess,
    owner_url: str,
    role_secret: str,
    topic_prefix: str,
    partitions: int,
    secrets_file: Path,
    webhook_url: str = "",
    history: bool = False,
    say: Callable[[str], None],
) -> dict[str, str]:
    """Bring both servers to this release, and make the first tenants; returns the environment that people ask
    for. `webhook_url` is where the demo's sink listens; '' = no demo, and then no budgets and no channel.
    `history`: the demo tells a story, which has contracts of its own and sets its budgets itself, later."""
    await prepare_kafka(kafka, topic_prefix=topic_prefix, partitions=partitions)
    if trouble := await prepare_database(owner_url, role_secret, kafka, topic_prefix=topic_prefix):
        say(trouble)
    connection = await asyncpg.connect(owner_url, command_timeout=60)
    try:
        known = _read(secrets_file)
        contracts = negotiated(datetime.now(UTC)) if webhook_url and history else ()
        installation = await install(connection, known, contracts)
        if installation is not known:
            write_private(secrets_file, msgspec.json.encode(installation).decode())
        if webhook_url:
            budgets = () if history else DATA.budgets
            await watch_budgets(connection, budgets, webhook_url, installation.webhook_secret)
    finally:
        await connection.close()
    return {
        "SPENDMETER_API_KEY": next(iter(installation.tenant_keys.values())),
        "SPENDMETER_ADMIN_KEY": installation.admin_key,
        "SPENDMETER_DEMO_KEYS": json.dumps(installation.tenant_keys),
        "SPENDMETER_DEMO_WEBHOOK_SECRET": installation.webhook_secret,
    }


def _read(secrets_file: Path) -> Installation | None:
    if not secrets_file.exists():
        return None
    return msgspec.json.decode(secrets_file.read_bytes(), type=Installation)
