"""A migrated database, spend written as the ledger writes it, alerts workers, and somebody who listens."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from aiohttp import web

from services.alerts.bursts.bill_keys import BillKeys
from services.alerts.bursts.learning import Learner
from services.alerts.complete import CompletenessReader
from services.alerts.incidents.store import Store, prepare
from services.alerts.rules import read_rules
from services.alerts.turns import Turns
from services.alerts.watch import TenantWatch
from services.alerts.watches.look import Shared
from spendmeter.book.adding import add_corrections
from spendmeter.book.rollup import RollupSum
from spendmeter.contracts.series import Series, series_id
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.contracts.topics import ALERTS_EVENTS, SPEND_TOTALS
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET, empty, migrated_database
from tests.ports import free_port
from tests.series import add_series
from tests.terms import counts_in

ROOT = Path(__file__).parents[2]
WEBHOOK_SECRET = "whsec_" + "c3BlbmRtZXRlciBzaWducyB3aGF0IGl0IHNheXM="
READY_S_MAX = 90.0


@pytest.fixture(scope="session")
async def database(owner_url: str) -> str:
    """The owner's URL of a migrated database of this session's."""
    return await migrated_database(owner_url, "alerts")


class Book:
    """An empty book with one tenant; `spend` adds to a rollup row as the ledger's upsert does."""

    def __init__(self, owner: asyncpg.Connection) -> None:
        self.owner = owner

    async def tenant(self, tenant: str = "acme", zone: str = "UTC") -> None:
        await self.owner.execute(
            "INSERT INTO tenants (tenant, name) VALUES ($1, $1) ON CONFLICT DO NOTHING", tenant
        )
        await counts_in(self.owner, tenant, zone=zone)

    async def spend(
        self,
        amount: str | Decimal,
        at: datetime | None = None,
        *,
        tenant: str = "acme",
        shard: int = 0,
        provisional: str = "0",
        currency: str = "USD",
        **dimensions: str,
    ) -> None:
        series = Series.of({"provider": "openai", "sku": "gpt-4o"} | dimensions)
        bucket = (at or datetime.now(UTC)).replace(second=0, microsecond=0)
        await add_series(self.owner, tenant, series)
        await self.owner.execute(
            "INSERT INTO rollups_minute AS r (bucket, recorded_on, shard, tenant, series_id, currency, events, "
            "unpriced_events, list, contracted, effective, of_which_provisional, usage) "
            "VALUES ($1, current_date, $2, $3, $4, $7, 1, 0, $5, $5, $5, $6, '{}') "
            "ON CONFLICT (tenant, bucket, series_id, shard, recorded_on, currency) DO UPDATE SET "
            "version = r.version + 1, events = r.events + 1, effective = r.effective + excluded.effective",
            bucket,
            shard,
            tenant,
            series_id(series),
            Decimal(amount),
            Decimal(provisional),
            currency,
        )
        await self.touch(bucket, tenant)

    async def correct(
        self, amount: str, at: datetime | None = None, *, zone: str = "UTC", **dimensions: str
    ) -> None:
        """Add to what acme has spent, or take away, as a correction does."""
        series = Series(**({"provider": "openai", "sku": "gpt-4o"} | dimensions))
        minute = (at or datetime.now(UTC)).replace(second=0, microsecond=0)
        calendar = Timeline([(None, Terms(zone=ZoneInfo(zone)))])
        key, added = ("acme", minute, series_id(series).hex(), "USD"), RollupSum(effective=Decimal(amount))
        await add_corrections(self.owner, {key: added}, {"acme": calendar})

    async def touch(self, minute: datetime, tenant: str = "acme") -> None:
        """As the ledger does with what it adds to a minute."""
        await self.owner.execute(
            "INSERT INTO touched VALUES ($1, 'five_minutes', date_bin('5 minutes', $2, 'epoch'))",
            tenant,
            minute,
        )

    async def budget(
        self, amount: str, *, period: str = "month", percent: tuple[int, ...] = (100,), **scope: str
    ) -> UUID:
        return await self.owner.fetchval(
            "INSERT INTO budgets (tenant, name, filter, amount, currency, period, thresholds_percent) "
            "VALUES ('acme', 'A budget', $1, $2, 'USD', $3, $4) RETURNING id",
            scope,
            Decimal(amount),
            period,
            [Decimal(each) for each in percent],
        )

    async def channel(
        self, url: str, tenant: str = "acme", *, settings: Mapping[str, Any] | None = None, **columns: Any
    ) -> UUID:
        """A webhook's, unless `settings` says otherwise; `columns`: match, quiet, digest_minutes, position."""
        webhook = {"kind": "webhook", "url": url, "secret": WEBHOOK_SECRET}
        values = {"match": {}, "quiet": [], "digest_minutes": 0, "position": 0} | columns
        return await self.owner.fetchval(
            "INSERT INTO channels (tenant, name, settings, match, quiet, digest_minutes, position) "
            "VALUES ($1, 'ops', $2, $3, $4, $5, $6) RETURNING id",
            tenant,
            settings or webhook,
            *values.values(),
        )

    async def incidents(self, kind: str = "") -> list[asyncpg.Record]:
        return await self.owner.fetch(
            "SELECT * FROM incidents WHERE $1 IN ('', kind) ORDER BY opened_at, threshold_percent", kind
        )

    async def wait_for_incidents(self, number: int, seconds: float = 10.0) -> list[asyncpg.Record]:
        deadline = asyncio.get_running_loop().time() + seconds
        while len(found := await self.incidents()) < number:
            assert asyncio.get_running_loop().time() < deadline, f"{len(found)} of {number} incidents"
            await asyncio.sleep(0.1)
        return found


async def transitions(book: Book) -> list[str]:
    rows = await book.owner.fetch("SELECT transition FROM deliveries ORDER BY created_at")
    return [row["transition"] for row in rows]


@pytest.fixture
async def book(database: str) -> AsyncIterator[Book]:
    """The book, emptied, with tenant acme in it."""
    owner = await asyncpg.connect(database)
    await prepare(owner)
    await empty(
        owner,
        "rollups_minute, rollups, touched, rolled, scope_hours, scope_hours_due, cells, series, tenants, tenant_terms, budgets, alert_rules, channels, incidents, incident_acts, planned_windows, rule_dry_runs, deliveries, runs, run_outcomes, user_months, rule_changes, log_ends, rerate_jobs, forecasts, latest_forecasts, unbooked, unreserved",
    )
    book = Book(owner)
    await book.tenant()
    yield book
    await owner.close()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections with the role of alerts."""
    pool = await asyncpg.create_pool(
        role_url(database, "alerts", SECRET), min_size=1, max_size=6, init=prepare
    )
    yield pool
    await pool.close()


@pytest.fixture
def store(pool: asyncpg.Pool) -> Store:
    return Store(pool, Meters())


@pytest.fixture
async def watch(
    book: Book, pool: asyncpg.Pool, store: Store
) -> AsyncIterator[Callable[[], Awaitable[TenantWatch]]]:
    """Makes a watch of tenant acme by its rules as they are."""
    async with Learner() as learner:

        async def make() -> TenantWatch:
            shared = Shared(
                pool=pool, complete=CompletenessReader(pool), store=store, turns=Turns(), learner=learner, meters=Meters(),
                portal_url="https://spend.example.org/", bill_keys=BillKeys(pool),
            )  # fmt: skip
            return TenantWatch(tenant="acme", rules=(await read_rules(pool))["acme"], shared=shared)

        yield make


@pytest.fixture
async def prefix(kafka_access: KafkaAccess) -> str:
    """The prefix of topics that are this test's own."""
    prefix = f"{uuid4().hex[:8]}."
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics([SPEND_TOTALS, ALERTS_EVENTS], prefix=prefix, partitions=2)
    return prefix


class Worker:
    """One alerts process."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        self._environment = os.environ | environment | {"SPENDMETER_PORT": str(self.port)}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it; back when it is ready."""
        self.spawn()
        assert self._process is not None
        async with asyncio.timeout(READY_S_MAX):
            while await self.not_ready() is not None:
                assert self._process.poll() is None, self._log.read_text()
                await asyncio.sleep(0.1)

    def spawn(self) -> None:
        """Start it, and do not wait."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.alerts"],
                cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    async def not_ready(self) -> str | None:
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.port}/ready")
            except httpx.TransportError:
                return "not listening"
        return None if answer.status_code == 200 else str(answer.json()["detail"])

    async def metrics(self) -> str:
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{self.port}/metrics")).text

    def kill(self) -> None:
        """kill -9, if it runs."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(15)


@pytest.fixture
def new_worker(database: str, kafka_access: KafkaAccess, prefix: str, tmp_path: Path) -> Iterator[Any]:
    """Makes workers on this test's topics; what still runs at the end is killed."""
    workers: list[Worker] = []

    def make() -> Worker:
        environment = {
            "DATABASE_URL": role_url(database, "alerts", SECRET),
            **kafka_access.environment(),
            "SPENDMETER_TOPIC_PREFIX": prefix,
            "SPENDMETER_WEBHOOK_ALLOW_PRIVATE": "true",
        }
        workers.append(Worker(environment, tmp_path / f"alerts-{len(workers)}.log"))
        return workers[-1]

    yield make
    for worker in workers:
        worker.kill()


class Listener:
    """A webhook's receiver: keeps what comes, answers as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[web.Response] = []
        """Given one after the other; when they are used up, 204."""
        self.delay_s = 0.0

    async def receive(self, request: web.Request) -> web.Response:
        self.requests.append((dict(request.headers), await request.read()))
        await asyncio.sleep(self.delay_s)
        return self.answers.pop(0) if self.answers else web.Response(status=204)

    async def wait_for(self, number: int, seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds):
            while len(self.requests) < number:
                await asyncio.sleep(0.05)


@pytest.fixture
async def new_listener() -> AsyncIterator[Any]:
    """Starts receivers on ports of their own."""
    runners: list[web.AppRunner] = []

    async def make() -> Listener:
        listener = Listener()
        application = web.Application()
        application.router.add_post("/{tail:.*}", listener.receive)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        runners.append(runner)
        return listener

    yield make
    for runner in runners:
        await runner.cleanup()
