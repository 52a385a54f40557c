"""Publishes absolute totals of the series that bookings touched, at most once a second, tenants in turns.

Of what is too old or too much for that the days are told (`spendmeter/book/changed.py`). What a crash loses
here does no harm: alerts sweep the rollups themselves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaProducer

from services.ledger.touched import TENANT_KEYS_MIN, Touched, TouchedKey
from spendmeter.book.changed import ChangedDays, day_of
from spendmeter.book.series import SeriesKey
from spendmeter.book.units import UNIT_PARTS, quantities_of
from spendmeter.contracts.money import plain
from spendmeter.contracts.series import Series
from spendmeter.contracts.totals import SpendTotal, encode_total
from spendmeter.platform.kafka import send_by_key
from spendmeter.platform.retry import keep_doing, passes
from spendmeter.platform.sql import load_sql
from spendmeter.platform.telemetry import Meters

SQL = load_sql(Path(__file__).with_name("sql") / "totals.sql", UNIT_PARTS)
INTERVAL_S = 1.0
TOTALS_MAX = 500
"""In a second: whoever watches spends some tenth of a millisecond on each. What is left waits its turn."""
SERIES_MAX = 50_000
TOLD_AGE_MAX = timedelta(minutes=10)
"""Of older minutes the day is told: a re-rate or a replay touches millions of them."""


@dataclass(kw_only=True, eq=False)
class Totals:
    """Remembers what was touched; `run` publishes it once a second."""

    pool: asyncpg.Pool[asyncpg.Record]
    producer: AIOKafkaProducer
    topic: str
    meters: Meters
    touched: Touched = field(default_factory=Touched)
    series: dict[SeriesKey, Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.changed = ChangedDays(self.producer, self.topic)

    def touch(self, touched: Iterable[TouchedKey]) -> None:
        """These rollups have changed."""
        told_since = datetime.now(UTC) - TOLD_AGE_MAX
        young: list[TouchedKey] = []
        days = set()
        for key in touched:
            if key[2] >= told_since:
                young.append(key)
            else:
                days.add(day_of(key[0], key[2]))
        passed_over = self.touched.add(young)
        forgotten = self.changed.add(days | passed_over.days)
        if passed_over.series or forgotten:
            self.meters.add("spendmeter.ledger.totals.passed_over", passed_over.series + forgotten)

    async def touch_open_buckets(self) -> None:
        """What may still change counts as touched: whoever watched the last owner has missed something."""
        rows = await self.pool.fetch(SQL["open_buckets"], TENANT_KEYS_MIN)
        self.touch((row["tenant"], row["series_id"], row["bucket"]) for row in rows)

    async def run(self) -> None:
        """Publish until cancelled. Raises KafkaError where only a new process, a new producer, helps."""
        await keep_doing(self._publish_some, "totals wait", every_s=INTERVAL_S, away=passes)

    async def _publish_some(self) -> None:
        await self.changed.publish()
        touched = self.touched.take(TOTALS_MAX)
        try:
            await self._publish(touched)
        except Exception:
            self.touch(touched)
            raise

    async def _publish(self, touched: list[TouchedKey]) -> None:
        if not touched:
            return
        await self._learn_series({(tenant, series_id) for tenant, series_id, _ in touched})
        buckets = [bucket for _, _, bucket in touched]
        rows = await self.pool.fetch(
            SQL["read_totals"],
            [tenant for tenant, _, _ in touched],
            [bytes.fromhex(series_id) for _, series_id, _ in touched],
            buckets,
            min(buckets),
            max(buckets),
        )
        await send_by_key(
            self.producer,
            self.topic,
            [(row["tenant"].encode(), encode_total(self._total(row))) for row in rows],
        )
        self.meters.add("spendmeter.ledger.totals", len(rows))

    async def _learn_series(self, keys: set[SeriesKey]) -> None:
        if len(self.series) > SERIES_MAX:
            self.series.clear()
        missing = sorted(keys - self.series.keys())
        if missing:
            rows = await self.pool.fetch(
                SQL["read_series"],
                [tenant for tenant, _ in missing],
                [bytes.fromhex(series_id) for _, series_id in missing],
            )
            for row in rows:
                series = Series.of(msgspec.json.decode(row["dimensions"]))
                self.series[row["tenant"], row["series_id"]] = series

    def _total(self, row: Any) -> SpendTotal:
        return SpendTotal(
            tenant=row["tenant"],
            series_id=row["series_id"],
            dimensions=self.series[row["tenant"], row["series_id"]],
            bucket_start=row["bucket"],
            version=row["version"],
            currency=row["currency"],
            list=plain(Decimal(row["list"])),
            contracted=plain(Decimal(row["contracted"])),
            effective=plain(Decimal(row["effective"])),
            of_which_provisional=plain(Decimal(row["of_which_provisional"])),
            events=row["events"],
            unpriced_events=row["unpriced_events"],
            usage={unit: plain(quantity) for unit, quantity in quantities_of(row).items()},
        )
