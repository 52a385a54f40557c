"""spendmeter migrate."""

import asyncio
import os
from typing import Annotated

import typer

from cli._running import fail, home, running_state
from cli._terminal import say
from deploy.local.home import recall
from deploy.local.state import read_state
from spendmeter.platform.kafka_access import KafkaAccess


def command(
    database: Annotated[
        str | None, typer.Option(envvar="DATABASE_URL", help="The owner's URL; else the running system's.")
    ] = None,
    kafka: Annotated[
        str | None, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="HOST:PORT; '' leaves topics alone.")
    ] = None,
    role_secret: Annotated[
        str | None,
        typer.Option(envvar="SPENDMETER_ROLE_SECRET", help="What the roles' passwords are derived from."),
    ] = None,
    partitions: Annotated[
        int,
        typer.Option(
            envvar="SPENDMETER_PARTITIONS", min=1, max=256, help="Of a topic that is not there yet."
        ),
    ] = 4,
    topic_prefix: Annotated[str, typer.Option(envvar="SPENDMETER_TOPIC_PREFIX")] = "",
    urls: Annotated[bool, typer.Option("--urls", help="Print each role's URL, for the services.")] = False,
) -> None:
    """Bring Kafka and Postgres to this release: topics, schema, roles and grants, the shipped catalog.

    Repeatable: what is there already stays. Needs the database's owner; no service ever gets that URL.

    \b
    Examples:
      spendmeter migrate
      DATABASE_URL=postgresql://owner:...@db/spendmeter SPENDMETER_ROLE_SECRET=... spendmeter migrate --urls
    """
    import asyncpg
    from aiokafka.errors import KafkaError

    from deploy.release import prepare_database, prepare_kafka
    from spendmeter.platform.roles import ROLES, role_url
    from spendmeter.platform.service_keys import ACCRUALS, service_key

    state, access = read_state(home()), None
    if kafka:
        access = KafkaAccess.of({**os.environ, "KAFKA_BOOTSTRAP_SERVERS": kafka})
    if database is None or (state and state.running and state.environment.get("DATABASE_URL") == database):
        environment = running_state().environment
        database, access = environment["DATABASE_URL"], KafkaAccess.of(environment)
        partitions = int(environment["SPENDMETER_PARTITIONS"])
        topic_prefix = environment["SPENDMETER_TOPIC_PREFIX"]
        role_secret = recall(home()).role_secret
    if not role_secret:
        fail("--role-secret (or SPENDMETER_ROLE_SECRET) is needed: the roles' passwords come from it")

    async def migrate(owner_url: str, secret: str) -> str:
        if access:
            await prepare_kafka(access, topic_prefix=topic_prefix, partitions=partitions)
        return await prepare_database(owner_url, secret, access, topic_prefix=topic_prefix)

    try:
        trouble = asyncio.run(migrate(database, role_secret))
    except (asyncpg.PostgresError, KafkaError, OSError) as error:
        fail(f"migrate failed: {type(error).__name__}: {error}")
    if trouble:
        fail(trouble)
    if urls:
        for role in ROLES:
            say(f"{role.upper()}_DATABASE_URL='{role_url(database, role, role_secret)}'")
        say(f"SPENDMETER_ACCRUAL_KEY='{service_key(role_secret, ACCRUALS)}'")
    else:
        say("topics, schema, roles and catalog are those of this release")
