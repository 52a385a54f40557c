"""A small world for re-rating: publications, raters that know some of them, the ledger's booking, and a corrector."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg

from services.corrector.apply import Applier
from services.corrector.fence import Standing, move, read_standing
from services.corrector.intake import JobRequest, take_in
from services.corrector.job_requests import take_request
from services.corrector.rerates import Rerates
from services.corrector.write import prepare as prepare_corrector
from services.ledger.batch import BookPosition, collect
from services.ledger.book import book, prepare
from services.rating.rate import RecordRater
from spendmeter.book.changed import TenantDay
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.corrections import (
    EventCorrection,
    RerateApply,
    RerateCancel,
    RerateRequest,
    Selection,
    encode_correction,
)
from spendmeter.contracts.events import Labels, UsageData, UsageEvent, encode_event
from spendmeter.contracts.rated import Origin
from spendmeter.platform.catalog_store import read_publication, record
from spendmeter.platform.roles import role_url
from spendmeter.pricing.price_book import PriceBook
from tests.databases import SECRET
from tests.ledger_records import RATED_TOPIC, TOPIC
from tests.pricing.entries import RECORDED, price
from tests.pricing.test_causes import withdrawn

NOON = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
MILLION = {"input_tokens": 1_000_000}
STEPS_MAX = 1000
AT_BARRIER = (
    "SELECT EXISTS (SELECT FROM rerate_passes JOIN rerate_jobs USING (rerate_id) "
    "WHERE state = 'applying' AND phase = 'applied' AND log_ends IS NULL)"
)
AGE_MAX = timedelta(days=400)
PER_ONE = price("m", "input_tokens", "2", per=1)
PER_MILLION = price("m", "input_tokens", "2")


def use(id: str, sku: str = "m", usage: Mapping[str, Any] = MILLION, *, at: datetime = NOON, tenant: str = "acme",
        team: str = "payments", provider: str = "openai") -> UsageEvent:  # fmt: skip
    """A usage event as ingest puts it on its topic."""
    return UsageEvent(
        specversion="1.0", type="spendmeter.usage.v1", id=id, source="bot", subject=f"{tenant}/app", tenant=tenant,
        keyid="k1", time=at, receivedat=at,
        data=UsageData(provider=provider, sku=sku, usage=dict(usage), labels=Labels(team=team)),
    )  # fmt: skip


@dataclass(kw_only=True)
class RerateBook:
    owner: asyncpg.Connection
    ledger: asyncpg.Connection
    corrector: asyncpg.Connection
    beside: asyncpg.Connection
    """A second one of the corrector's: it reads what comes next."""
    rerates: Rerates
    told: list[TenantDay]
    """Days that were told to have changed."""
    positions: dict[int, BookPosition] = field(default_factory=dict)
    rater: RecordRater = field(default_factory=lambda: RecordRater(AGE_MAX))
    accepted: dict[int, int] = field(default_factory=dict)
    """By partition, where usage.events ends; what is not booked yet is in flight."""

    async def publish(self, *entries: CatalogEntry) -> int:
        """The version that brings these in."""
        version = await record(self.owner, entries, by="test", note="test")
        assert version is not None
        return version

    async def price_book(self, version: int | None = None) -> PriceBook:
        """What a rater that knows this version (None = the newest) prices with."""
        entries, newest = await read_publication(self.owner)
        version = newest if version is None else version
        return PriceBook([entry for entry in entries if entry.version <= version], version)

    async def book(
        self,
        *events: UsageEvent,
        version: int | None = None,
        partition: int = 0,
        now: datetime = RECORDED,
    ) -> None:
        """Rate events by a version (None = the newest), and book them."""
        book_of_rater, before = await self.price_book(version), await self._position(partition)
        records = []
        for number, event in enumerate(events):
            offset = before.next_origin + number
            origin = Origin(topic=TOPIC, partition=partition, offset=offset)
            answer = self.rater.answer(
                None, encode_event(event), origin=origin, prev=offset - 1, book=book_of_rater, now=now
            )
            assert answer.outcome != "rejected", answer
            records.append((before.position + number, answer.value))
        done = await book(self.ledger, collect(before, records))
        self.positions[partition] = done.progress
        self.accepted[partition] = max(self.accepted.get(partition, 0), done.progress.next_origin)

    async def _position(self, partition: int) -> BookPosition:
        if partition not in self.positions:
            await self.owner.execute(
                "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3)",
                partition, RATED_TOPIC, TOPIC,
            )  # fmt: skip
            self.positions[partition] = BookPosition(
                partition=partition, rated_topic=RATED_TOPIC, position=0, origin_topic=TOPIC, next_origin=0
            )
        return self.positions[partition]

    async def log_ends(self) -> list[int]:
        return [self.accepted.get(partition, 0) for partition in range(max(self.accepted, default=-1) + 1)]

    # -- jobs --

    async def standing(self) -> Standing:
        return await read_standing(self.corrector, TOPIC)

    async def send(self, request: JobRequest) -> None:
        """As the corrector takes a request of usage.corrections."""
        standing = await self.standing()
        async with self.corrector.transaction():
            await move(self.corrector, standing, position=standing.position + 1)
            await take_request(self.corrector, request)

    async def ask(
        self, version: int, *, apply: bool = False, tenant: str = "acme", id: str = "", **selected: Any
    ) -> str:
        """Begin a job; its id."""
        rerate_id = id or str(uuid4())
        await self.send(
            RerateRequest(
                id=rerate_id, tenant=tenant, selection=Selection(**selected), version=version, reason="a test",
                by="ada", at=NOON, apply=apply,
            )
        )  # fmt: skip
        return rerate_id

    async def retract(self, event_id: str) -> None:
        """As the corrector takes it from usage.corrections."""
        standing = await self.standing()
        retraction = EventCorrection(
            id=f"c-{event_id}", tenant="acme", source="bot", event_id=event_id, kind="retract", reason="a test",
            by="ada", at=NOON,
        )  # fmt: skip
        intake = take_in(standing.position, [(standing.position, encode_correction(retraction))])
        await Applier(log_ends=self.log_ends).take(self.corrector, standing, intake)

    async def apply(self, rerate_id: str, tenant: str = "acme") -> None:
        await self.send(RerateApply(id=rerate_id, tenant=tenant, by="ada", at=NOON))

    async def cancel(self, rerate_id: str, tenant: str = "acme") -> None:
        await self.send(RerateCancel(id=rerate_id, tenant=tenant, by="ada", at=NOON))

    async def step(self) -> bool:
        """One step of the corrector; whether there is more to do just now."""
        _, busy = await self.rerates.step(self.corrector, await self.standing(), self.beside)
        return busy

    async def work(self, barrier_s_max: float = 20.0) -> None:
        """Until there is nothing more to do just now. A barrier is waited for: the server has transactions of its
        own, and of other tests."""
        deadline = time.monotonic() + barrier_s_max
        for _ in range(STEPS_MAX):
            if await self.step():
                continue
            if time.monotonic() > deadline or not await self.owner.fetchval(AT_BARRIER):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not done after {STEPS_MAX} steps")

    async def rerate(self, version: int, **said: Any) -> str:
        """A job from its request to its end."""
        rerate_id = await self.ask(version, apply=True, **said)
        await self.work()
        return rerate_id

    # -- what is in the book --

    async def state(self, rerate_id: str, tenant: str = "%") -> str:
        statement = "SELECT state FROM rerate_jobs WHERE rerate_id = $1 AND tenant LIKE $2"
        return str(await self.owner.fetchval(statement, rerate_id, tenant))

    async def counts(self, rerate_id: str, phase: str = "applied") -> dict[str, int]:
        row = await self.owner.fetchrow(
            "SELECT about, seen, changed, left_alone, elsewhere, late FROM rerate_passes "
            "WHERE rerate_id = $1 AND phase = $2", rerate_id, phase,
        )  # fmt: skip
        return dict(row)

    async def since_dry_run(self, rerate_id: str) -> tuple[int, int]:
        """Of what an applying pass saw, what was booked or corrected since the dry run; and of that what it
        changed."""
        row = await self.owner.fetchrow(
            "SELECT since_dry_run, since_dry_run_changed FROM rerate_passes "
            "WHERE rerate_id = $1 AND phase = 'applied'", rerate_id,
        )  # fmt: skip
        return tuple(row)

    async def money(self, tenant: str = "acme") -> Decimal:
        """What the tenant has spent: all entries, which rollups of the minute must equal."""
        entries = await self.owner.fetchval("SELECT sum(effective) FROM entries WHERE tenant = $1", tenant)
        rollups = await self.owner.fetchval(
            "SELECT sum(effective) FROM rollups_minute WHERE tenant = $1", tenant
        )
        assert entries == rollups
        return Decimal(entries).normalize()

    async def entries(self, event_id: str) -> list[tuple[int, int, str]]:
        """(seq, catalog version, effective amount) of an event's entries."""
        rows = await self.owner.fetch(
            "SELECT seq, catalog_version, effective FROM entries WHERE identity = (SELECT identity FROM entries "
            "WHERE strpos(event, $1) > 0 LIMIT 1) ORDER BY seq",
            f'"id":"{event_id}"',
        )  # fmt: skip
        return [(seq, version, f"{amount.normalize():f}") for seq, version, amount in rows]

    async def differences(self, rerate_id: str, phase: str, tenant: str = "acme") -> list[tuple[Any, ...]]:
        """(team, sku, cause, events, effective before, effective after)."""
        rows = await self.owner.fetch(
            "SELECT team, sku, cause, events, effective_before, effective_after FROM rerate_differences "
            "WHERE rerate_id = $1 AND phase = $2 AND tenant = $3 ORDER BY team, sku, currency, cause",
            rerate_id, phase, tenant,
        )  # fmt: skip
        return [(*row[:4], *(f"{amount.normalize():f}" for amount in row[4:])) for row in rows]


@asynccontextmanager
async def opened(database: str, owner: asyncpg.Connection) -> AsyncIterator[RerateBook]:
    ledger = await asyncpg.connect(role_url(database, "ledger", SECRET))
    corrector, beside = [await asyncpg.connect(role_url(database, "corrector", SECRET)) for _ in range(2)]
    await prepare(ledger)
    await prepare_corrector(corrector)

    async def log_ends() -> list[int]:
        return await world.log_ends()

    told: list[TenantDay] = []
    rerates = Rerates(log_ends=log_ends, told=told.extend)
    world = RerateBook(
        owner=owner, ledger=ledger, corrector=corrector, beside=beside, rerates=rerates, told=told
    )
    try:
        yield world
    finally:
        await ledger.close()
        await corrector.close()
        await beside.close()


async def wrong_then_right(world: RerateBook, *events: UsageEvent) -> int:
    """Events booked at 2 a token; the version by which it is 2 a million."""
    await world.publish(PER_ONE)
    await world.book(*events)
    return await world.publish(withdrawn(PER_ONE), PER_MILLION)
