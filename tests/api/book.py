"""Fills the book with rows such as the ledger writes, so that a test can work its amounts out by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec

from spendmeter.book.units import UNIT_COLUMNS
from spendmeter.contracts.event_identity import content_hash, identity
from spendmeter.contracts.events import UsageEvent, encode_event, series_of
from spendmeter.contracts.rated import Line
from spendmeter.contracts.series import Series
from spendmeter.platform.keys import create_key, create_tenant
from tests.series import add_series
from tests.terms import counts_in

TOPIC = "0" * 32


class Book:
    """The owner's hand in the book."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self.connection = connection
        self._offset = 0

    async def tenant(self, tenant: str, *, zone: str = "UTC", currency: str = "USD") -> None:
        await create_tenant(self.connection, tenant)
        if (zone, currency) != ("UTC", "USD"):
            await counts_in(self.connection, tenant, currency, zone)

    async def key(self, tenant: str, *scopes: str, expires_at: datetime | None = None) -> str:
        return await create_key(
            self.connection, tenant, scopes or ["read"], name="test", expires_at=expires_at
        )

    async def series(self, tenant: str, series: Series) -> bytes:
        return await add_series(self.connection, tenant, series)

    async def spend(
        self,
        tenant: str,
        at: str,
        amount: str,
        *,
        contracted: str | None = None,
        effective: str | None = None,
        currency: str = "USD",
        shard: int = 0,
        recorded_on: date = date(2026, 11, 23),
        events: int = 1,
        unpriced: int = 0,
        provisional: str = "0",
        usage: dict[str, Any] | None = None,
        **dimensions: str,
    ) -> None:
        """One rollup row; `at` is an ISO instant."""
        key = await self.series(tenant, Series.of(dimensions))
        bucket = datetime.fromisoformat(at).astimezone(UTC).replace(second=0, microsecond=0)
        listed = Decimal(amount)
        agreed = Decimal(contracted or amount)
        rest = {"input_tokens": 1000} if usage is None else dict(usage)
        units = {unit: rest.pop(unit) for unit in UNIT_COLUMNS if unit in rest}
        await self.connection.execute(
            "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
            f"unpriced_events, list, contracted, effective, of_which_provisional, {''.join(f'{unit}, ' for unit in units)}usage) "
            f"VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, {''.join(f'{units[unit]}, ' for unit in units)}$13)",
            bucket, recorded_on, shard, tenant, key, currency, events, unpriced, listed, agreed,
            Decimal(effective) if effective else agreed, Decimal(provisional),
            json.dumps(rest) if rest else None,
        )  # fmt: skip
        await self.touch(tenant, bucket)

    async def touch(self, tenant: str, minute: datetime) -> None:
        """As the ledger does with what it adds to a minute."""
        await self.connection.execute(
            "INSERT INTO touched VALUES ($1, 'five_minutes', date_bin('5 minutes', $2, 'epoch'))",
            tenant,
            minute,
        )

    async def entry(
        self,
        event: UsageEvent,
        amount: str,
        lines: list[Line],
        *,
        currency: str = "USD",
        status: str = "priced",
        seq: int = 0,
        correction: str = "",
    ) -> None:
        """One booked event, or an entry that corrects it (seq > 0), without its rollup."""
        assert isinstance(event.time, datetime)
        key = identity(event.tenant, event.source, event.id)
        series = await self.series(event.tenant, series_of(event))
        self._offset += 1
        if not seq:
            await self.connection.execute(
                "INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset) "
                "VALUES ($1, $2, $3, 0, $4)",
                key, event.time, content_hash(event), self._offset,
            )  # fmt: skip
        said = (encode_event(event).decode(), msgspec.json.encode(lines).decode())
        said = (None, None) if seq % 2 else said  # type: ignore[assignment] # a reversal says nothing of its own
        await self.connection.execute(
            "INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, "
            "accounting_period, seq, identity, series_id, tenant, status, currency, list, contracted, effective, "
            "event, lines, correction_id) VALUES ($1, $2, $13, 1, $3, $4, $5, $6, $7, $8, $9, $10, $10, $10, $11, $12, $14)",
            event.time, self._offset, event.time.date().replace(day=1), seq, key, series, event.tenant, status,
            currency, Decimal(amount), *said, -1 if seq else 0, correction or f"correction-{seq}" if seq else None,
        )  # fmt: skip

    async def unbooked(
        self, tenant: str, source: str, id: str, outcome: str, reason: str, key_id: str = ""
    ) -> None:
        self._offset += 1
        await self.connection.execute(
            "INSERT INTO unbooked (origin_topic, origin_partition, origin_offset, outcome, tenant, identity, source, "
            "event_id, reason, size, key_id) VALUES ($1, 0, $2, $3, $4, $5, $6, $7, $8, 512, $9)",
            TOPIC, self._offset, outcome, tenant, identity(tenant, source, id), source, id, reason, key_id,
        )  # fmt: skip

    async def supersession(self, tenant: str, source: str, superseded: str, id: str) -> None:
        """That `id` was booked in the place of `superseded`, both of one source."""
        await self.connection.execute(
            "INSERT INTO supersessions VALUES ($1, $2, $3, $4, $5)",
            tenant, identity(tenant, source, superseded), identity(tenant, source, id), source, id,
        )  # fmt: skip

    async def partition(
        self, partition: int, *, log_end: int, read_at: datetime, stopped: str = "", **counts: int
    ) -> None:
        """A partition's counters and log end; next_origin is their sum."""
        names = ("booked", "duplicate", "conflict", "rejected", "holes")
        values = [counts.get(name, 0) for name in names]
        await self.connection.execute(
            "INSERT INTO positions (partition, rated_topic, origin_topic, next_origin, booked, duplicate, conflict, "
            "rejected, holes) VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (partition) DO UPDATE SET "
            "next_origin = excluded.next_origin, booked = excluded.booked, duplicate = excluded.duplicate, "
            "conflict = excluded.conflict, rejected = excluded.rejected, holes = excluded.holes",
            partition, TOPIC, sum(values), *values,
        )  # fmt: skip
        await self.connection.execute(
            "INSERT INTO log_ends VALUES ($1, $2, $3, $4) ON CONFLICT (partition) DO UPDATE SET "
            "log_end = excluded.log_end, read_at = excluded.read_at, stopped = excluded.stopped",
            partition, log_end, read_at, stopped,
        )  # fmt: skip

    async def accounts(self, partition: int, tenant: str, **counts: int) -> None:
        columns = ", ".join(counts)
        places = ", ".join(f"${n}" for n in range(3, 3 + len(counts)))
        await self.connection.execute(
            f"INSERT INTO accounting (partition, tenant, {columns}) VALUES ($1, $2, {places})",
            partition, tenant, *counts.values(),
        )  # fmt: skip

    async def under_remarks(
        self,
        tenant: str,
        amount: str,
        at: datetime,
        *,
        events: int = 1,
        provider: str = "openai",
        batch: bool = False,
        tier: str = "",
        region: str = "",
        currency: str = "USD",
        shard: int = 0,
    ) -> None:
        """One row of money under remarks, all of its events at one instant."""
        await self.connection.execute(
            "INSERT INTO remarks_daily VALUES ($1, '2026-11-23', $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)",
            tenant, shard, provider, batch, tier, region, currency, events, Decimal(amount), at,
        )  # fmt: skip
