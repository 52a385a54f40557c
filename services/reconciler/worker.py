"""The reconciler's process: one pass that follows the book, one that goes over it again, sums beside them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial

import asyncpg

from services.reconciler.again import Again
from services.reconciler.proof import Proof
from services.reconciler.proving import Proving
from services.reconciler.reading import WindowReader
from services.reconciler.sums import SumsProof
from spendmeter.contracts.topics import USAGE_EVENTS
from spendmeter.platform.kafka import running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import create_pool
from spendmeter.platform.retry import AWAY, TIMEOUTS_MAX, keep_doing, until_done
from spendmeter.platform.service import run_until, terminate
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.topic import TopicReader

SERVICE = "reconciler"
CONNECTIONS_MAX = 4
LOOK_INTERVAL_S = 0.5
SUMS_INTERVAL_S = 5.0


class Reconciler:
    """`run(stop)` proves until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._proving: Proving | None = None
        self._pools: list[asyncpg.Pool[asyncpg.Record]] = []

    def not_ready(self) -> str:
        """Why nothing is proved; '' = all is well."""
        return "waiting for Kafka and Postgres" if self._proving is None else self._proving.looked.trouble()

    async def run(self, stop: asyncio.Event) -> None:
        """Prove until `stop`."""
        await run_until(stop.wait(), self._work(), let_go=partial(terminate, self._pools))

    async def _work(self) -> None:
        async with AsyncExitStack() as open_things:
            proving, again, sums = await until_done(
                lambda: open_things.enter_async_context(self._connected()), "not connected yet"
            )
            self._proving = proving
            async with asyncio.TaskGroup() as tasks:
                look = keep_doing(
                    proving.look,
                    "the book cannot be looked at",
                    every_s=LOOK_INTERVAL_S,
                    beat=proving.looked,
                    deaf_after=TIMEOUTS_MAX,
                )
                tasks.create_task(look)
                tasks.create_task(
                    keep_doing(again.round, "what is proved waits to be proved again", away=AWAY)
                )
                follow = partial(_follow, sums, proving)
                tasks.create_task(keep_doing(follow, "rollups wait", every_s=SUMS_INTERVAL_S, away=AWAY))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Proving, Again, SumsProof]]:
        settings, topic = self._settings, self._settings.topic_prefix + USAGE_EVENTS.name
        pool = await create_pool(
            settings.database_url.get_secret_value(),
            size_max=CONNECTIONS_MAX,
            service=SERVICE,
        )
        self._pools[:] = [pool]
        admin = KafkaAdmin(settings.kafka)
        try:
            async with (
                running(admin),
                TopicReader(settings.kafka, topic) as first,
                TopicReader(settings.kafka, topic) as second,
            ):
                yield _made(topic, pool, admin, first, second)
        finally:
            pool.terminate()


def _made(
    topic: str,
    pool: asyncpg.Pool[asyncpg.Record],
    admin: KafkaAdmin,
    first: TopicReader,
    second: TopicReader,
) -> tuple[Proving, Again, SumsProof]:
    proof = Proof(pool=pool)
    sums = SumsProof(pool=pool, proof=proof)
    proving = Proving(
        topic_name=topic,
        pool=pool,
        admin=admin,
        reader=WindowReader(pool=pool, topic=first),
        proof=proof,
        meters=Meters(),
    )
    reader = WindowReader(pool=pool, topic=second)
    return proving, Again(pool=pool, first=proving, reader=reader, proof=proof, sums=sums), sums


async def _follow(sums: SumsProof, proving: Proving) -> None:
    """Where many offsets wait to be looked at these go first: minutes stay, and are compared after."""
    await proving.caught_up.wait()
    await sums.follow(datetime.now(UTC))
