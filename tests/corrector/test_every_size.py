"""100,000 events of ten days in random order, amended, retracted and priced anew in random order while they are
booked and rollups are made: each size is a GROUP BY of entries."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from msgspec import Raw
from msgspec.structs import replace

from services.corrector.apply import Applier
from services.corrector.intake import take_in
from services.ledger.batch import BookPosition, collect
from services.ledger.book import book, prepare
from services.ledger.roller import Roller
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.corrections import (
    CorrectionRequest,
    EventCorrection,
    RerateRequest,
    Selection,
    encode_correction,
)
from spendmeter.contracts.events import Context, encode_event
from spendmeter.contracts.rated import Origin
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.pricing.price_book import PriceBook
from tests.book.sizes import wrong_sums
from tests.corrector.rerate_world import RerateBook, use
from tests.databases import SECRET
from tests.ledger.test_book import begin
from tests.ledger_records import TOPIC
from tests.pricing.entries import RECORDED, adjustment, price
from tests.pricing.test_causes import withdrawn
from tests.terms import counts_in

EVENTS, LANES, BATCH = 100_000, 2, 1_000
OF_LANE = EVENTS // LANES
FIRST = datetime(2026, 10, 20, tzinfo=UTC)
DAYS = 10
"""Over a change of the clock: in Berlin the night of 2026-10-25 has an hour more."""
ZONES = {"acme": "Europe/Berlin", "globex": "Asia/Kolkata"}
"""The hours of the second begin at half past those of UTC."""
CORRECTIONS, AT_ONCE = 10_000, 100
JOBS_EVERY = 16
"""Of as many batches of corrections one brings a job, too."""
WORKED_OFF_S_MAX = 300
ROLLED_EVERY_S = 0.3
UNITS = {"input_tokens": "2.5", "output_tokens": "10", "requests": "3", "gb_months": "70"}
PER_ONE = price("m-wrong", "input_tokens", "1", per=1)
VERSIONS: tuple[tuple[CatalogEntry, ...], ...] = (
    (*(price("m-4", unit, amount) for unit, amount in UNITS.items()), PER_ONE),
    (withdrawn(PER_ONE), price("m-wrong", "input_tokens", "1"), adjustment("surcharge", "1.1")),
    (price("m-4-late", "input_tokens", "4"), price("m-4-late", "output_tokens", "8")),
    (adjustment("discount", "0.9", kind="contracted", layer="contract", tenant="globex"),),
)
"""What each publication brings in: a price stated per 1, put right in the second; one that comes late, whose usage is
booked at a bound or without an amount until then; and two factors."""


def some_event(chance: random.Random, partition: int, offset: int) -> Any:
    usage: dict[str, Any] = {"input_tokens": chance.randrange(1000)}
    if chance.random() < 0.5:
        usage["output_tokens"] = chance.randrange(1000)
    if chance.random() < 0.2:
        usage |= {"requests": chance.randrange(2), "gb_months": Decimal(chance.randrange(1000)).scaleb(-3)}
    event = use(
        f"e{partition}-{offset}",
        chance.choice(["m-4", "m-wrong", "m-4-late"]),
        usage,
        at=FIRST + timedelta(seconds=chance.randrange(DAYS * 86_400)),
        tenant=tenant_of(partition, offset),
        team=chance.choice(["search", "ads", "ops"]),
    )
    if chance.random() < 0.1:
        event = replace(event, data=replace(event.data, context=Context(service_tier="fast")))
    return event


def tenant_of(partition: int, offset: int) -> str:
    return "globex" if offset % 3 == partition else "acme"


class Correcting:
    """What people ask for, and the corrector's line without its process."""

    def __init__(self, world: RerateBook, chance: random.Random) -> None:
        self.world, self.chance = world, chance
        self.applier = Applier(log_ends=self._log_ends)
        self.outcomes: Counter[str] = Counter()
        self.asked = 0

    async def _log_ends(self) -> list[int]:
        return [OF_LANE] * LANES

    def _correction(self) -> EventCorrection:
        chance, self.asked = self.chance, self.asked + 1
        partition, offset = chance.randrange(LANES), chance.randrange(OF_LANE)
        patches: list[bytes | None] = [
            None,
            b'{"usage": {"input_tokens": %d}}' % chance.randrange(1000),
            b'{"usage": {"output_tokens": null, "gb_months": 0.%03d}}' % chance.randrange(1000),
            b'{"sku": "m-4", "labels": {"team": "%b"}}' % chance.choice([b"search", b"moved"]),
            b'{"context": {"service_tier": "%b"}}' % chance.choice([b"fast", b"flex", b"standard"]),
        ]
        patch = chance.choice(patches)
        said: dict[str, Any] = (
            {"kind": "retract"} if patch is None else {"kind": "amend", "patch": Raw(patch)}
        )
        return EventCorrection(
            id=f"c{self.asked}", tenant=tenant_of(partition, offset), source="bot", event_id=f"e{partition}-{offset}",
            revision=chance.randrange(3), reason="a test", by="ada", at=RECORDED, **said,
        )  # fmt: skip

    def _job(self, newest: int) -> RerateRequest:
        since = FIRST + timedelta(days=self.chance.randrange(DAYS))
        selection = Selection(since=since, until=since + timedelta(hours=self.chance.randrange(24, 72)))
        return RerateRequest(
            id=f"j{self.asked}", tenant=self.chance.choice(list(ZONES)), selection=selection,
            version=self.chance.choice([newest, newest, max(1, newest - 1)]), reason="a test", by="ada", at=RECORDED,
            apply=True,
        )  # fmt: skip

    async def ask_and_work(self, newest: int) -> None:
        """A batch of corrections, at times with a job; then what waits, and a chunk of a job."""
        requests: list[CorrectionRequest] = [self._correction() for _ in range(AT_ONCE)]
        if self.asked // AT_ONCE % JOBS_EVERY == 0:
            requests.insert(self.chance.randrange(AT_ONCE), self._job(newest))
        standing = await self.world.standing()
        records = list(enumerate(map(encode_correction, requests), standing.position))
        while standing.position <= records[-1][0]:
            done = await self.applier.take(
                self.world.corrector, standing, take_in(standing.position, records)
            )
            standing, self.outcomes = done.standing, self.outcomes + done.outcomes
        await self.work()

    async def work(self) -> bool:
        """What waits, and a chunk of a job; whether there is more to do."""
        done = await self.applier.look_again(self.world.corrector, await self.world.standing())
        self.outcomes += done.outcomes
        return await self.world.step() or bool(done.outcomes)


@pytest.mark.timeout(900)  # beside much else
async def test_every_size_equals_the_entries_of_100_000_late_and_corrected_events(
    rerate_book: RerateBook, owner: asyncpg.Connection, database: str
) -> None:
    for tenant, zone in ZONES.items():
        await counts_in(owner, tenant, zone=zone)
    chance = random.Random(11)
    correcting = Correcting(rerate_book, chance)
    known = [await publish(rerate_book, 0)]
    asked = asyncio.Event()
    role = role_url(database, "ledger", SECRET)
    async with asyncpg.create_pool(role, init=prepare, min_size=LANES + 1, max_size=LANES + 1) as pool:
        roller = Roller(pool=pool, meters=Meters())
        begun = [await begin(owner, number) for number in range(LANES)]
        lanes = [asyncio.create_task(lane(pool, rerate_book, progress, known)) for progress in begun]

        async def roll_up() -> None:
            while not asked.is_set():
                await roller.roll_up(FIRST + timedelta(days=DAYS + 2))
                await asyncio.sleep(ROLLED_EVERY_S)

        rolling = asyncio.create_task(roll_up())
        for number in range(CORRECTIONS // AT_ONCE):
            if number in (25, 50, 75):
                known.append(await publish(rerate_book, len(known)))
            await correcting.ask_and_work(known[-1].version)
        await asyncio.gather(*lanes)
        async with asyncio.timeout(WORKED_OFF_S_MAX):
            while await correcting.work() or await owner.fetchval(UNDER_WAY):
                pass
        asked.set()
        await rolling
        while await roller.roll_up(FIRST + timedelta(days=DAYS + 2)):
            pass
    print(correcting.outcomes, await owner.fetch("SELECT state, count(*) FROM rerate_jobs GROUP BY 1"))
    by_kind = dict(await owner.fetch(KINDS))
    print(by_kind)
    assert await owner.fetchval("SELECT count(*) FROM entries WHERE seq = 0") == EVENTS
    assert await wrong_sums(owner) == []


UNDER_WAY = (
    "SELECT EXISTS (SELECT FROM corrections WHERE state = 'waiting') "
    "OR EXISTS (SELECT FROM rerate_jobs WHERE state IN ('previewing', 'applying'))"
)
KINDS = (
    "SELECT CASE WHEN correction_id LIKE 'j%' THEN 'job' ELSE 'correction' END || ' ' || seq % 2, count(*) "
    "FROM entries WHERE seq > 0 GROUP BY 1"
)


async def publish(world: RerateBook, number: int) -> PriceBook:
    """The next version, as raters know it."""
    return await world.price_book(await world.publish(*VERSIONS[number]))


async def lane(pool: Any, world: RerateBook, progress: BookPosition, known: list[PriceBook]) -> None:
    """Rates and books its events, at times by the version before the newest."""
    chance = random.Random(progress.partition)
    async with pool.acquire() as connection:
        for start in range(0, OF_LANE, BATCH):
            prices = known[-1] if chance.random() < 0.7 else known[max(0, len(known) - 2)]
            records = rate_all(chance, world, progress, start, prices)
            progress = (await book(connection, collect(progress, records))).progress
            world.accepted[progress.partition] = min(OF_LANE, start + 2 * BATCH)


def rate_all(
    chance: random.Random, world: RerateBook, progress: BookPosition, start: int, prices: PriceBook
) -> list[tuple[int, bytes]]:
    records = []
    for offset in range(start, start + BATCH):
        event = some_event(chance, progress.partition, offset)
        origin = Origin(topic=TOPIC, partition=progress.partition, offset=offset)
        answer = world.rater.answer(
            None, encode_event(event), origin=origin, prev=offset - 1, book=prices, now=RECORDED
        )
        assert answer.outcome != "rejected", answer
        records.append((offset, answer.value))
    return records
