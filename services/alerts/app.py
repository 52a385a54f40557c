"""The alerts process: a watch for each tenant that is ours, the stream that wakes them, and deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AsyncExitStack
from datetime import datetime

import asyncpg
from aiokafka.errors import KafkaError

from services.alerts.deliveries import Deliveries
from services.alerts.learning import Learner
from services.alerts.notify.topic import TopicSender
from services.alerts.notify.webhook import WebhookSender
from services.alerts.store import Store, TenantRules, prepare
from services.alerts.stream import run_app, totals_app
from services.alerts.turns import Turns
from services.alerts.watch import Shared, TenantWatch
from spendmeter.contracts.topics import SPEND_TOTALS, partition_of
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import CONNECTION_ERRORS, create_pool
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log

CONNECTIONS_MAX = 8
RULES_INTERVAL_S = 1.0
RETRY_S = 1.0
ASK_INTERVAL_S = 1.0
ANSWER_AGE_S_MAX = 5.0
"""Postgres and the broker are asked once a second, and answer in milliseconds."""
ALONE_AFTER_S = 5.0
"""A worker that Kafka has told nothing for so long watches every tenant: two open an incident once as well.
A killed predecessor holds its partitions for the session timeout, and a broker may be away for hours."""


class Alerts:
    """`run(stop)` watches until `stop` is set; `not_ready()` says what keeps it from doing so."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._meters = Meters()
        self._turns = Turns()
        self._watches: dict[str, tuple[TenantWatch, asyncio.Task[None]]] = {}
        self._rules: dict[str, TenantRules] = {}
        self._rules_read = Heartbeat("the rules were read from Postgres", ANSWER_AGE_S_MAX)
        self._answered = Heartbeat("the broker answered", ANSWER_AGE_S_MAX)
        self._assigned: frozenset[int] | None = None
        self._partitions = 0
        self._started_at = 0.0
        self._tasks: asyncio.TaskGroup
        self._pool: asyncpg.Pool[asyncpg.Record]
        self._store: Store
        self._shared: Shared

    def not_ready(self) -> str:
        """Why something is not watched; '' = all is well."""
        if trouble := self._rules_read.trouble():
            return trouble
        if self._assigned is None:
            return "waiting for Kafka to say which tenants are ours"
        blind = sorted(tenant for tenant, (watch, _) in self._watches.items() if not watch.looked)
        if blind:
            return f"not looked at: {', '.join(blind[:3])}"
        return self._answered.trouble()  # the sweep still watches; totals wake nobody, and the topic waits

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`; raises what any part raised, for a bug ends the process."""
        self._started_at = asyncio.get_running_loop().time()
        async with AsyncExitStack() as open_things:
            connected = await self._connect(open_things, stop)
            if not connected:
                return
            self._shared = Shared(
                pool=self._pool,
                store=self._store,
                turns=self._turns,
                learner=await open_things.enter_async_context(Learner()),
                meters=self._meters,
                portal_url=self._settings.portal_url,
            )
            webhooks = await open_things.enter_async_context(
                WebhookSender(allow_private=self._settings.webhook_allow_private)
            )
            topic = await open_things.enter_async_context(TopicSender(self._settings))
            deliveries = Deliveries(self._pool, webhooks, topic, self._meters)
            async with asyncio.TaskGroup() as self._tasks:
                work = (self._follow_rules(), self._follow_totals(), self._ask_broker(), deliveries.run())
                parts = [self._tasks.create_task(part) for part in work]
                await stop.wait()
                for task in (*parts, *(task for _, task in self._watches.values())):
                    task.cancel()
                self._pool.terminate()  # a frozen database must not hold up the end

    async def _connect(self, open_things: AsyncExitStack, stop: asyncio.Event) -> bool:
        """Connect to Postgres, for as long as it takes. False when told to stop meanwhile."""
        while not stop.is_set():
            try:
                self._pool = await create_pool(
                    self._settings.database_url.get_secret_value(),
                    size_max=CONNECTIONS_MAX,
                    service="alerts",
                    init=prepare,
                )
            except CONNECTION_ERRORS as error:
                log().warning("not connected yet", error=type(error).__name__)
                await asyncio.sleep(RETRY_S)
            else:
                open_things.callback(self._pool.terminate)
                self._store = Store(self._pool, self._meters)
                return True
        return False

    async def _follow_rules(self) -> None:
        """Once a second: budgets as they are now, acknowledgements, and which tenants are ours."""
        while True:
            try:
                self._rules = await self._store.rules()
                await self._store.acknowledge()
                self._rules_read.beat()
            except CONNECTION_ERRORS as error:
                self._rules_read.missed(error)
                log().warning("rules wait", error=type(error).__name__)
            self._share_out()
            await asyncio.sleep(RULES_INTERVAL_S)

    async def _follow_totals(self) -> None:
        """Wait for the topic, then run Faust for as long as the process lives."""
        name = self._settings.topic_prefix + SPEND_TOTALS.name
        while not self._partitions:
            try:
                async with KafkaAdmin(self._settings.kafka) as admin:
                    facts = await admin.topics([name])
                self._partitions = facts[name].partitions if name in facts else 0
            except (KafkaError, OSError) as error:
                log().warning("waiting for Kafka", error=type(error).__name__)
            if not self._partitions:
                await asyncio.sleep(RETRY_S)
        app = totals_app(
            self._settings,
            on_touched=self._wake,
            on_undecodable=self._skip,
            on_assigned=self._take_over,
        )
        await run_app(app)

    async def _ask_broker(self) -> None:
        """Once a second: is it there? Faust's consumer says nothing when it is not."""
        name = self._settings.topic_prefix + SPEND_TOTALS.name
        while True:
            try:
                async with KafkaAdmin(self._settings.kafka) as admin:
                    while True:
                        async with asyncio.timeout(ANSWER_AGE_S_MAX):
                            await admin.topics([name])
                        self._answered.beat()
                        await asyncio.sleep(ASK_INTERVAL_S)
            except (KafkaError, OSError, TimeoutError) as error:
                self._answered.missed(error)
                await asyncio.sleep(RETRY_S)

    def _wake(self, tenant: str, minute: datetime) -> None:
        watched = self._watches.get(tenant)
        if watched is not None:
            watched[0].wake(minute)

    def _skip(self) -> None:
        self._meters.add("spendmeter.alerts.totals.skipped")

    def _take_over(self, partitions: Collection[int]) -> None:
        log().info("partitions assigned", count=len(partitions))
        self._assigned = frozenset(partitions)
        self._partitions = max(self._partitions, *(partition + 1 for partition in partitions), 1)
        self._share_out()

    def _share_out(self) -> None:
        """Watch what is ours and nothing else; a tenant that comes to us is read from Postgres first."""
        ours = {tenant for tenant in self._rules if self._is_ours(tenant)}
        for tenant in self._watches.keys() - ours:
            self._watches.pop(tenant)[1].cancel()
            self._turns.forget(tenant)
        for tenant in ours:
            if tenant in self._watches:
                self._watches[tenant][0].obey(self._rules[tenant])
                continue
            watch = TenantWatch(tenant=tenant, rules=self._rules[tenant], shared=self._shared)
            self._watches[tenant] = (watch, self._tasks.create_task(watch.run()))

    def _is_ours(self, tenant: str) -> bool:
        if self._assigned is None:
            return asyncio.get_running_loop().time() - self._started_at >= ALONE_AFTER_S
        return partition_of(tenant.encode(), self._partitions) in self._assigned
