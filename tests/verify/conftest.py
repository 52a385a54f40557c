"""A small book written by hand: events on a real topic, and rows in the shape in which the ledger books."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from spendmeter.contracts.catalog import TenantTerms, encode_catalog
from spendmeter.contracts.entry_ids import identified, published
from spendmeter.contracts.topics import TOPICS
from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.verify import literals
from spendmeter.verify.report import Report
from spendmeter.verify.run import Request, verify
from tests.databases import empty, migrated_database

NOON = datetime(2026, 11, 23, 12, 0, 0, 123_000, tzinfo=UTC)
PRICES = """
currency = "USD"
[parents]
cache_read_tokens = "input_tokens"
[prices."openai/gpt-4o"]
input_tokens = "0.0000025"
output_tokens = "0.00001"
[prices."anthropic/claude-sonnet-4-5"]
input_tokens = "0.000003"
cache_read_tokens = "0.0000003"
output_tokens = "0.000015"
"""
UNIT_PRICES = {
    ("gpt-4o", "input_tokens"): Decimal("0.0000025"),
    ("gpt-4o", "cache_read_tokens"): Decimal("0.0000025"),
    ("gpt-4o", "output_tokens"): Decimal("0.00001"),
    ("claude-sonnet-4-5", "input_tokens"): Decimal("0.000003"),
    ("claude-sonnet-4-5", "cache_read_tokens"): Decimal("0.0000003"),
    ("claude-sonnet-4-5", "output_tokens"): Decimal("0.000015"),
}
EVENTS, PARTITIONS = 60, 2
SERVED: dict[int, dict[str, Any]] = {}
"""How events say that they were served, by number; for a test to fill in before there is a book."""
BAD, AGAIN, OTHERWISE = 10, 20, 30
"""The records that are poison, a duplicate of the one before in their partition, and a conflict with it."""


@dataclass(frozen=True)
class WrittenBook:
    """What was written, and a connection to spoil it with."""

    request: Request
    owner: asyncpg.Connection
    sent: Path
    writer: Writer

    async def check(self, **changes: Any) -> Report:
        """What verify says of it."""
        return await verify(replace(self.request, settle_s=0.0, **changes))

    async def state_terms(
        self, tenant: str, since: datetime | None, currency: str, zone: str = "UTC", *, version: int = 1
    ) -> str:
        """Let publication `version` have stated terms, as the catalog and the services' table hold them; returns
        the entry's id."""
        stated = TenantTerms(
            tenant=tenant, effective_from=since, currency=currency, time_zone=zone, source="test", recorded_at=NOON
        )  # fmt: skip
        entry = published(identified(stated), version)
        await self.owner.execute(
            "INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by) "
            "VALUES ($1, $2, 'spendmeter.catalog.tenant.v1', $3, $4, 'test')",
            entry.id, tenant, encode_catalog(entry).decode(), version,
        )  # fmt: skip
        await self.owner.execute("SELECT settle_tenant_terms(ARRAY[$1])", tenant)
        return entry.id

    async def recount(self) -> None:
        """Make all that is counted and summed from the entries anew."""
        await empty(self.owner, "positions, accounting, rollups_minute, rollups, touched, rolled")
        await self.writer.finish()

    async def rebook(
        self, number: int, currency: str, total: str, status: str, lines: list[dict[str, Any]]
    ) -> None:
        """Let an event have been booked otherwise, by terms that held for it alone, with all that is counted and
        summed from it."""
        body = event(number)
        time = datetime.fromisoformat(body["time"])
        await self.state_terms(body["tenant"], time, currency)
        await self.state_terms(body["tenant"], time + timedelta(seconds=1), "USD")
        await self.owner.execute(
            "UPDATE entries SET currency = $2, list = $3, contracted = $3, effective = $3, status = $4, lines = $5 "
            "WHERE event LIKE $1",
            f'%"id": "e{number}"%', currency, Decimal(total), status, json.dumps(lines),
        )  # fmt: skip
        await self.recount()


def event(number: int) -> dict[str, Any]:
    """Tenants, models and minutes alternate; the partition is number mod PARTITIONS."""
    number -= {AGAIN: PARTITIONS, OTHERWISE: PARTITIONS}.get(number, 0)
    model = (("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"))[number % 3 % 2]
    time = NOON + timedelta(seconds=7 * number)
    return {
        "specversion": "1.0",
        "type": "spendmeter.usage.v1",
        "id": f"e{number}",
        "source": "bot",
        "subject": "acme/bot",
        "time": time.isoformat().replace("+00:00", "Z"),
        "tenant": ("acme", "globex")[number % 4 // 2],
        "keyid": "k000000000001",
        "receivedat": (time + timedelta(seconds=1)).isoformat(),
        "data": {
            "provider": model[0],
            "sku": model[1],
            "usage": {"input_tokens": 1000 + number, "cache_read_tokens": 10 * number, "output_tokens": 7},
            "labels": {"team": f"team-{number % 5}", "user": "hmac:00"},
            **({"context": SERVED[number]} if number in SERVED else {}),
        },
    }


def records() -> Iterator[tuple[int, int, bytes]]:
    """(number, partition, value) of each record."""
    for number in range(EVENTS):
        body = event(number)
        if number == OTHERWISE:
            body["data"]["usage"]["output_tokens"] = 8
        value = b'{"specversion": \xff' if number == BAD else json.dumps(body).encode()
        yield number, number % PARTITIONS, value


def identity(body: dict[str, Any]) -> bytes:
    raw = [body[name].encode() for name in ("tenant", "source", "id")]
    prefixed = b"".join(len(part).to_bytes(4, "big") + part for part in raw)
    return hashlib.blake2b(prefixed, digest_size=16).digest()


@pytest.fixture
async def book(kafka_access: KafkaAccess, owner_url: str, tmp_path: Path) -> AsyncIterator[WrittenBook]:
    url = await migrated_database(owner_url, "verify")
    prefix = f"{url.rpartition('/')[2]}."
    async with KafkaAdmin(kafka_access) as admin:
        await admin.ensure_topics(list(TOPICS.values()), prefix=prefix, partitions=PARTITIONS)
        names = [f"{prefix}usage.events", f"{prefix}usage.rated"]
        while len(facts := await admin.topics(names)) < len(names):
            await asyncio.sleep(0.05)  # a topic just created is not in the broker's metadata at once
    owner = await asyncpg.connect(url)
    producer = AIOKafkaProducer(**kafka_access.options())
    await producer.start()
    try:
        sent = tmp_path / "sent.jsonl"
        writer = Writer(owner=owner, ids=[facts[name].id for name in names])
        await owner.execute(
            "INSERT INTO tenants (tenant, name) VALUES ('acme', 'Acme'), ('globex', 'Globex')"
        )
        with sent.open("w") as log:
            sending = [
                await producer.send(f"{prefix}usage.events", value, partition=partition)
                for _, partition, value in records()
            ]
            async with owner.transaction():  # each row by itself would wait for the disk
                for (number, partition, value), future in zip(records(), sending, strict=True):
                    await writer.write(number, partition, (await future).offset, value)
                    if number != BAD:
                        log.write(json.dumps(_logged(number)) + "\n")
            log.write(json.dumps(_logged(1000) | {"outcome": "refused"}) + "\n")
            log.write(json.dumps(_logged(1001) | {"outcome": "unknown"}) + "\n")
        await writer.finish()
        prices = tmp_path / "prices.toml"
        prices.write_text(PRICES)
        yield WrittenBook(
            request=Request(
                kafka=kafka_access,
                database=url,
                topic_prefix=prefix,
                submissions=[sent],
                literals=literals.load(prices),
            ),
            owner=owner,
            sent=sent,
            writer=writer,
        )
    finally:
        await producer.stop()
        await owner.close()


def _logged(number: int) -> dict[str, Any]:
    body = event(number)
    if number == OTHERWISE:
        body["data"]["usage"]["output_tokens"] = 8
    said = {name: body[name] for name in ("tenant", "source", "id", "time")}
    return (
        said
        | {name: body["data"][name] for name in ("provider", "sku", "usage", "labels")}
        | {"outcome": "accepted"}
    )


@dataclass
class Writer:
    """Writes what the ledger would."""

    owner: asyncpg.Connection
    ids: list[str]

    async def write(self, number: int, partition: int, offset: int, value: bytes) -> None:
        if number in (BAD, AGAIN, OTHERWISE):
            outcome = {BAD: "rejected", AGAIN: "duplicate", OTHERWISE: "conflict"}[number]
            body = None if number == BAD else json.loads(value)
            await self.owner.execute(
                "INSERT INTO unbooked VALUES ($1, $2, $3, $4, $5, $6, 'bot', 'x', 'test', $7)",
                self.ids[0], partition, offset, outcome, body["tenant"] if body else "",
                identity(body) if body else None, len(value),
            )  # fmt: skip
            return
        body = json.loads(value)
        data, time = body["data"], datetime.fromisoformat(body["time"])
        lines, total = [], Decimal(0)
        for unit, quantity in data["usage"].items():
            price = UNIT_PRICES[data["sku"], unit]
            lines.append({"unit": unit, "entry": "x", "price": str(price), "amount": str(price * quantity)})
            total += price * quantity
        dimensions = (
            "model",
            data["provider"],
            data["sku"],
            data["labels"]["team"],
            "",
            "",
            "",
            "",
            "",
            "",
            body["keyid"],
        )
        series_id = hashlib.blake2b(repr(dimensions).encode(), digest_size=16).digest()
        await self.owner.execute(
            "INSERT INTO series VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
            "ON CONFLICT DO NOTHING",
            body["tenant"], series_id, *dimensions,
        )  # fmt: skip
        await self.owner.execute(
            "INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset) "
            "VALUES ($1, $2, '', $3, $4)",
            identity(body), time, partition, offset,
        )  # fmt: skip
        await self.owner.execute(
            "INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, "
            "accounting_period, identity, series_id, tenant, status, currency, list, contracted, effective, "
            "event, lines) "
            "VALUES ($1, $2, $3, 1, $4, $5, $6, $7, 'priced', 'USD', $8, $8, $8, $9, $10)",
            time, offset, partition, time.date().replace(day=1), identity(body), series_id, body["tenant"],
            total, value.decode(), json.dumps(lines),
        )  # fmt: skip

    async def finish(self) -> None:
        """Positions, accounting and rollups, from the rows."""
        await self.owner.execute(
            """
            INSERT INTO positions
            SELECT p, $2, 30, $1, 30, (SELECT count(*) FROM entries WHERE origin_partition = p),
                count(*) FILTER (WHERE outcome = 'duplicate'), count(*) FILTER (WHERE outcome = 'conflict'),
                count(*) FILTER (WHERE outcome = 'rejected'), 0, 0
            FROM generate_series(0, 1) p LEFT JOIN unbooked ON origin_partition = p GROUP BY p
            """,
            *self.ids,
        )
        await self.owner.execute(
            """
            INSERT INTO accounting (partition, tenant, priced, unpriced, duplicate, conflict, rejected)
            SELECT origin_partition, tenant, sum(b), sum(u), sum(d), sum(c), sum(r) FROM (
                SELECT origin_partition, tenant, (status = 'priced')::int b, (status = 'unpriced')::int u, 0 d, 0 c,
                    0 r FROM entries
                UNION ALL SELECT origin_partition, tenant, 0, 0, (outcome = 'duplicate')::int,
                    (outcome = 'conflict')::int, (outcome = 'rejected')::int FROM unbooked) AS x GROUP BY 1, 2
            """
        )
        await self.owner.execute(
            """
            INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events,
                unpriced_events, list, contracted, effective, of_which_provisional, input_tokens, cache_read_tokens,
                output_tokens)
            SELECT date_trunc('minute', occurred_at), (recorded_at AT TIME ZONE 'UTC')::date,
                origin_partition, tenant, series_id, currency, count(*),
                count(*) FILTER (WHERE status = 'unpriced'), sum(list), sum(contracted),
                sum(effective), 0, sum((usage->>'input_tokens')::numeric),
                sum((usage->>'cache_read_tokens')::numeric), sum((usage->>'output_tokens')::numeric)
            FROM entries, LATERAL (SELECT (event::jsonb)->'data'->'usage' AS usage) AS stated
            GROUP BY 1, 2, 3, 4, 5, 6
            """
        )
        await self.owner.execute(
            "INSERT INTO touched SELECT DISTINCT tenant, 'five_minutes', date_bin('5 minutes', bucket, 'epoch') "
            "FROM rollups_minute"
        )
