"""An ingest process on a topic and a database of its own, as a test sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from deploy.local.home import CLONE
from spendmeter.contracts.topics import USAGE_EVENTS, USAGE_OUTCOMES
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.keys import create_key, create_tenant
from spendmeter.platform.roles import role_url
from tests.databases import SECRET, migrated_database
from tests.ports import free_port

PATH = "/api/v1/events"
READY_S_MAX = 30
PARTITIONS = 4
BATCH = "application/cloudevents-batch+json"
ONE = "application/cloudevents+json"


def event(id: str = "1", **fields: Any) -> dict[str, Any]:
    """A small event as a client sends it; `fields` replace or add top-level ones."""
    return {
        "specversion": "1.0", "type": "spendmeter.usage.v1", "id": id, "source": "bot", "subject": "acme/bot",
        "data": {
            "provider": "openai", "sku": "gpt-4o", "usage": {"input_tokens": 5}, "labels": {"team": "search"},
        },
    } | fields  # fmt: skip


async def prepare_kafka(kafka: KafkaAccess, prefix: str, partitions: int = PARTITIONS) -> None:
    async with KafkaAdmin(kafka) as admin:
        await admin.ensure_topics([USAGE_EVENTS, USAGE_OUTCOMES], prefix=prefix, partitions=partitions)


async def prepare_postgres(owner_url: str) -> tuple[str, dict[str, str]]:
    """A migrated database with tenants acme and globex; the owner's URL, and keys by what they may do."""
    url = await migrated_database(owner_url, "ingest")
    connection = await asyncpg.connect(url)
    try:
        for tenant in ("acme", "globex"):
            await create_tenant(connection, tenant)
        keys = {
            name: await create_key(connection, tenant, scopes, name=name, **more)
            for name, tenant, scopes, more in (
                ("acme", "acme", ["ingest", "read"], {}),
                ("globex", "globex", ["ingest"], {}),
                ("trusted", "acme", ["ingest"], {"trust_reported_cost": True}),
                ("reader", "acme", ["read"], {}),
                ("operator", "", ["ingest"], {}),
            )
        }
    finally:
        await connection.close()
    return url, keys


@dataclass(kw_only=True)
class Ingest:
    """One `python -m services.ingest`; `log` is what it printed."""

    kafka: KafkaAccess
    database: str
    """The owner's URL."""
    prefix: str
    log: Path
    keys: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def topic(self) -> str:
        return self.prefix + USAGE_EVENTS.name

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, **environment: str) -> None:
        """Start the process; it may not be ready yet."""
        settings = {
            **self.kafka.environment(),
            "DATABASE_URL": role_url(self.database, "ingest", SECRET),
            "SPENDMETER_TOPIC_PREFIX": self.prefix,
            "SPENDMETER_PORT": str(self.port),
        }
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ingest"],
                cwd=CLONE,
                env=os.environ | settings | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(sign)
        return self.process.wait(20)

    def accepted(self) -> int:
        """How many connections of clients it has taken."""
        assert self.process is not None
        mine = psutil.Process(self.process.pid).net_connections("tcp")
        return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == self.port for each in mine)

    def not_ready(self) -> str:
        """Why /ready is not 200; '' = it is."""
        try:
            answer = httpx.get(self.url + "/ready", timeout=2)
        except httpx.HTTPError as error:
            return repr(error)
        return "" if answer.status_code == 200 else str(answer.json()["detail"])

    def wait_ready(self, seconds: float = READY_S_MAX) -> None:
        deadline = time.monotonic() + seconds
        while trouble := self.not_ready():
            assert self.process is not None and self.process.poll() is None, self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, trouble
            time.sleep(0.05)

    def post(
        self,
        body: Any,
        content_type: str = "application/json",
        *,
        key: str = "acme",
        headers: dict[str, str] | None = None,
        timeout: float = 30,
    ) -> httpx.Response:
        """POST with one of the keys by name; what is not bytes goes as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {self.keys[key]}", "Content-Type": content_type} | (headers or {})
        return httpx.post(self.url + PATH, content=content, headers=sent, timeout=timeout)


async def records_of(kafka: KafkaAccess, topic: str, partitions: int = PARTITIONS) -> list[ConsumerRecord]:
    """Every record on the topic now."""
    consumer = AIOKafkaConsumer(**kafka.options(), auto_offset_reset="earliest")
    await consumer.start()
    try:
        places = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        await consumer.seek_to_beginning(*places)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(place) < ends[place] for place in places]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                found += batch
        return found
    finally:
        await consumer.stop()
