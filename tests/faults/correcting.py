"""Corrections and a re-rating of each tenant, for the corrector to be killed at, and what the book says after."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from msgspec import UNSET, Raw

from spendmeter.contracts.catalog import Conditions
from spendmeter.contracts.corrections import (
    CorrectionRequest,
    EventCorrection,
    RerateRequest,
    Selection,
    correction_key,
    encode_correction,
)
from spendmeter.platform.catalog_store import record
from tests.faults.loading import Prices, sent, worth
from tests.flow.system import System
from tests.pricing.entries import adjustment

DISCOUNT = Decimal("0.9")
CORRECTED_EVERY = 20
"""Of the events sent before every 20th is corrected: in turn it never was, and it wrote 7 tokens."""
WRITTEN = 7
SETTLE_S_MAX = 120.0
_SETTLED = """
SELECT (SELECT count(*) FROM rerate_jobs WHERE rerate_id LIKE $1 || '%' AND state = 'applied') = $2
    AND (SELECT count(*) FROM corrections WHERE correction_id LIKE $1 || '%' AND state = 'applied') = $3
"""
TWICE = """
SELECT count(*) FROM (
    SELECT FROM entries WHERE correction_id LIKE $1 || '%'
    GROUP BY identity, correction_id, seq % 2 HAVING count(*) > 1
) AS again
"""


@dataclass(kw_only=True)
class Correcting:
    """What is asked of the corrector in one round, of events that are booked by then."""

    name: str
    since: datetime
    until: datetime
    """When the events were sent."""
    sent: list[dict[str, Any]]
    """The lines of the sender's log, each event once."""

    @classmethod
    def of(cls, name: str, since: datetime, log: Path) -> Correcting:
        """Of the events of a log whose load began after `since` and has ended."""
        return cls(name=name, since=since, until=datetime.now(UTC), sent=sent(log))

    async def ask(self, system: System, owner: asyncpg.Connection) -> None:
        """Agree a discount with each tenant after the fact; have it applied, and some of the events corrected."""
        when = Conditions(effective_from=self.since, effective_to=self.until)
        tenants, providers = [sorted({line[of] for line in self.sent}) for of in ("tenant", "provider")]
        deals = [
            adjustment(self.name, str(DISCOUNT), kind="contracted", layer="contract", tenant=tenant,
                       provider=provider, when=when)
            for tenant in tenants for provider in providers
        ]  # fmt: skip
        version = await record(owner, deals, by="faults", note=self.name)
        assert version is not None
        jobs = [self._job(tenant, version) for tenant in tenants]
        corrections = list(map(self._correction, range(0, len(self.sent), CORRECTED_EVERY)))
        half = len(corrections) // 2
        await send_requests(system, [*corrections[:half], *jobs, *corrections[half:]])

    def _job(self, tenant: str, version: int) -> RerateRequest:
        return RerateRequest(
            id=f"{self.name}-{tenant}", tenant=tenant, selection=Selection(since=self.since, until=self.until),
            version=version, reason="a discount", by="faults", at=self.until, apply=True,
        )  # fmt: skip

    def _correction(self, number: int) -> EventCorrection:
        line = self.sent[number]
        retract = _is_retracted(number)
        return EventCorrection(
            id=f"{self.name}-{number}", tenant=line["tenant"], source=line["source"], event_id=line["id"],
            kind="retract" if retract else "amend", revision=1, reason="a test", by="faults", at=self.until,
            patch=UNSET if retract else Raw(b'{"usage":{"output_tokens":%d}}' % WRITTEN),
        )  # fmt: skip

    def worth(self, prices: Prices) -> Decimal:
        """What those events cost after all of that, by literal prices."""
        return sum((self._worth(number, prices) for number in range(len(self.sent))), Decimal(0))

    def _worth(self, number: int, prices: Prices) -> Decimal:
        line = self.sent[number]
        if number % CORRECTED_EVERY == 0:
            if _is_retracted(number):
                return Decimal(0)
            line = line | {"usage": line["usage"] | {"output_tokens": WRITTEN}}
        return DISCOUNT * worth(line, prices)

    async def settle(self, owner: asyncpg.Connection) -> None:
        """Wait until all of it is applied, and see that nothing is corrected twice by one request."""
        tenants = len({line["tenant"] for line in self.sent})
        corrected = len(range(0, len(self.sent), CORRECTED_EVERY))
        deadline = time.monotonic() + SETTLE_S_MAX
        while not await owner.fetchval(_SETTLED, self.name, tenants, corrected):
            assert time.monotonic() < deadline, f"not all is corrected after {SETTLE_S_MAX} s"
            await asyncio.sleep(0.2)
        assert await owner.fetchval(TWICE, self.name) == 0, "something is corrected twice"


def _is_retracted(number: int) -> bool:
    return number // CORRECTED_EVERY % 2 == 0


async def send_requests(system: System, requests: Iterable[CorrectionRequest]) -> None:
    """As api puts them on usage.corrections, in this order."""
    producer = AIOKafkaProducer(**system.kafka.options())
    await producer.start()
    try:
        for request in requests:
            await producer.send("usage.corrections", encode_correction(request), key=correction_key(request))
        await producer.flush()
    finally:
        await producer.stop()
