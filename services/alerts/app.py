"""The alerts process: a watch for each tenant that is ours, the stream that wakes them, and deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from functools import partial

import asyncpg
from aiokafka.errors import KafkaError

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.complete import CompletenessReader
from services.alerts.dry_runs.running import DryRunWorker
from services.alerts.incidents.acts import obey
from services.alerts.incidents.store import Store, prepare
from services.alerts.notify.deliveries import Deliveries
from services.alerts.notify.resend import Resend
from services.alerts.notify.senders import Senders
from services.alerts.notify.topic import TopicSender
from services.alerts.rules import Rules, TenantRules
from services.alerts.stream import run_app, totals_app
from services.alerts.turns import Turns
from services.alerts.watch import TenantWatch
from services.alerts.watches.look import Shared
from spendmeter.book.sizes import BucketSpan
from spendmeter.contracts.topics import SPEND_TOTALS, partition_of
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka import running
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.postgres import CONNECTION_ERRORS, create_pool
from spendmeter.platform.retry import keep_doing, until_done
from spendmeter.platform.service import run_until, terminate
from spendmeter.platform.settings import Settings
from spendmeter.platform.telemetry import Meters, log

CONNECTIONS_MAX = 8
RULES_INTERVAL_S = 1.0
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
        self._totals = settings.topic_prefix + SPEND_TOTALS.name
        self._meters = Meters()
        self._turns = Turns()
        self._watches: dict[str, tuple[TenantWatch, asyncio.Task[None]]] = {}
        self._rules: dict[str, TenantRules] = {}
        self._not_watched = ""
        self._read_for: frozenset[int] | None = None
        self._rules_read = Heartbeat("the rules were read from Postgres", ANSWER_AGE_S_MAX)
        self._answered = Heartbeat("the broker answered", ANSWER_AGE_S_MAX)
        self._assigned: frozenset[int] | None = None
        self._partitions = 0
        self._started_at = 0.0
        self._pools: list[asyncpg.Pool[asyncpg.Record]] = []
        self._tasks: asyncio.TaskGroup
        self._shared: Shared

    def not_ready(self) -> str:
        """Why something is not watched; '' = all is well."""
        if trouble := self._rules_read.trouble():
            return trouble
        if self._assigned is None:
            return "waiting for Kafka to say which tenants are ours"
        if self._read_for != self._assigned:
            return "rules of tenants that have become ours are not read yet"
        if self._not_watched:
            return self._not_watched
        blind = sorted(tenant for tenant, (watch, _) in self._watches.items() if not watch.looked)
        if blind:
            return f"not looked at: {', '.join(blind[:3])}"
        return self._answered.trouble()  # the sweep still watches; totals wake nobody, and the topic waits

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`; raises what any part raised, for a bug ends the process."""
        self._started_at = asyncio.get_running_loop().time()
        await run_until(stop.wait(), self._work(), let_go=partial(terminate, self._pools))

    async def _work(self) -> None:
        settings = self._settings
        url = settings.database_url.get_secret_value()
        pool = await until_done(
            lambda: create_pool(url, size_max=CONNECTIONS_MAX, service="alerts", init=prepare),
            "not connected yet",
            away=CONNECTION_ERRORS,
        )
        self._pools.append(pool)
        store, topic = Store(pool, self._meters), TopicSender(settings)
        async with (
            Learner() as learner,
            Senders(allow_private=settings.webhook_allow_private) as senders,
            running(topic),
            asyncio.TaskGroup() as self._tasks,
        ):
            bill_keys = BillKeys(pool)
            self._shared = Shared(
                pool=pool,
                store=store,
                turns=self._turns,
                learner=learner,
                meters=self._meters,
                portal_url=settings.portal_url,
                complete=CompletenessReader(pool),
                bill_keys=bill_keys,
            )
            for work in (
                self._follow_rules(Rules(pool, self._is_ours), store),
                self._follow_totals(),
                self._ask_broker(),
                Deliveries(pool, senders, topic, self._meters, settings.portal_url).run(),
                Resend(pool, senders, self._meters).run(),
                DryRunWorker(pool, self._turns, bill_keys, self._our_rules).run(),
            ):
                self._tasks.create_task(work)

    async def _follow_rules(self, rules: Rules, store: Store) -> None:
        """Once a second: rules of our tenants that have changed, what people do about incidents, and which
        tenants are ours."""

        async def follow() -> None:
            assigned = self._assigned
            try:
                self._rules = await rules.read()
                self._read_for, self._not_watched = assigned, rules.not_watched()
                await obey(store, datetime.now(UTC))
            except CONNECTION_ERRORS:
                self._update_watches()
                raise
            self._update_watches()

        await keep_doing(
            follow,
            "rules wait",
            every_s=RULES_INTERVAL_S,
            away=CONNECTION_ERRORS,
            beat=self._rules_read,
        )

    def _our_rules(self) -> dict[str, TenantRules]:
        return {tenant: rules for tenant, rules in self._rules.items() if self._is_ours(tenant)}

    async def _follow_totals(self) -> None:
        """Wait for the topic, then run Faust for as long as the process lives."""
        self._partitions = await until_done(self._count_partitions, "waiting for Kafka")
        app = totals_app(
            self._settings,
            on_changed=self._wake,
            on_undecodable=self._skip,
            on_assigned=self._partitions_assigned,
        )
        await run_app(app)

    async def _count_partitions(self) -> int:
        async with KafkaAdmin(self._settings.kafka) as admin:
            facts = (await admin.topics([self._totals])).get(self._totals)
        if facts is None:
            raise KafkaError(f"{self._totals} is not there yet")
        return facts.partitions

    async def _ask_broker(self) -> None:
        """Once a second: is it there? Faust's consumer says nothing when it is not."""

        async def ask() -> None:
            async with KafkaAdmin(self._settings.kafka) as admin:
                while True:
                    async with asyncio.timeout(ANSWER_AGE_S_MAX):
                        await admin.topics([self._totals])
                    self._answered.beat()
                    await asyncio.sleep(ASK_INTERVAL_S)

        await keep_doing(ask, "the broker does not answer", beat=self._answered)

    def _wake(self, tenant: str, span: BucketSpan) -> None:
        watched = self._watches.get(tenant)
        if watched is not None:
            watched[0].wake(span)

    def _skip(self) -> None:
        self._meters.add("spendmeter.alerts.totals.skipped")

    def _partitions_assigned(self, partitions: Collection[int]) -> None:
        log().info("partitions assigned", count=len(partitions))
        self._assigned = frozenset(partitions)
        self._partitions = max(self._partitions, *(partition + 1 for partition in partitions), 1)
        self._update_watches()

    def _update_watches(self) -> None:
        """Watch what is ours and nothing else; a tenant that comes to us is read from Postgres first."""
        ours = {tenant for tenant in self._rules if self._is_ours(tenant)}
        for tenant in self._watches.keys() - ours:
            self._watches.pop(tenant)[1].cancel()
            self._turns.forget(tenant)
        for tenant in ours:
            if tenant in self._watches:
                self._watches[tenant][0].apply_rules(self._rules[tenant])
                continue
            watch = TenantWatch(tenant=tenant, rules=self._rules[tenant], shared=self._shared)
            self._watches[tenant] = (watch, self._tasks.create_task(watch.run()))

    def _is_ours(self, tenant: str) -> bool:
        if self._assigned is None:
            return asyncio.get_running_loop().time() - self._started_at >= ALONE_AFTER_S
        return partition_of(tenant.encode(), self._partitions) in self._assigned
