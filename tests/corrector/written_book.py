"""A book in which events are booked as in production, by a rater and the ledger, and then corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
from msgspec import UNSET, Raw

from services.corrector.apply import Applied, Applier
from services.corrector.fence import read_standing
from services.corrector.intake import Intake
from services.corrector.write import prepare as prepare_corrector
from services.ledger.batch import BookPosition, collect
from services.ledger.book import Booked, book
from services.ledger.book import prepare as prepare_ledger
from services.rating.rate import RecordRater
from spendmeter.book.units import quantities_of
from spendmeter.contracts.catalog import CatalogEntry
from spendmeter.contracts.corrections import EventCorrection
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import UsageEvent, encode_event
from spendmeter.contracts.rated import Origin
from spendmeter.platform.catalog_store import read_publication, record
from spendmeter.platform.roles import role_url
from spendmeter.pricing.price_book import PriceBook
from tests.databases import SECRET
from tests.ledger_records import NOON, RATED_TOPIC, TOPIC, usage_event
from tests.pricing.entries import adjustment, price

ASKED = datetime(2026, 11, 25, 12, tzinfo=UTC)
LOG_END = 10
"""Where partition 0 of usage.events ends, as the corrector is told."""
PRICES: tuple[CatalogEntry, ...] = (
    price("gpt-4o", "input_tokens", "2.5"),
    price("gpt-4o", "output_tokens", "10"),
    price("gpt-4o-mini", "input_tokens", "0.15"),
    price("gpt-4o-mini", "output_tokens", "0.6"),
)
"""In US dollars a million."""
DOUBLED = adjustment("surcharge", "2")
"""Of a second version: everything of OpenAI's costs twice as much."""


def correction(event_id: str = "e1", kind: str = "retract", patch: str = "", **said: Any) -> EventCorrection:
    """Of an event of acme's; `patch` makes it an amend."""
    kind = "amend" if patch else kind
    said = {
        "id": f"{kind}-{event_id}-{said.get('revision', 0)}", "tenant": "acme", "source": "bot", "reason": "a test",
        "by": "k_1", "at": ASKED,
    } | said  # fmt: skip
    return EventCorrection(
        event_id=event_id,
        kind=kind,
        patch=Raw(patch.encode()) if patch else UNSET,
        **said,  # type: ignore[arg-type]
    )


def event(id: str = "e1", **said: Any) -> UsageEvent:
    """1,000 input and 100 output tokens of gpt-4o: 0.0025 + 0.001 = 0.0035 USD by the first version."""
    return usage_event(id, **said)


async def log_ends() -> list[int]:
    return [LOG_END]


@dataclass(kw_only=True)
class Book:
    """`publish`, `book_events`, `correct`; figures are what Postgres says."""

    owner: asyncpg.Connection
    ledger: asyncpg.Connection
    corrector: asyncpg.Connection
    prices: PriceBook = field(default_factory=lambda: PriceBook([]))
    progress: BookPosition = field(
        default_factory=lambda: BookPosition(
            partition=0, rated_topic=RATED_TOPIC, position=0, origin_topic=TOPIC, next_origin=0
        )
    )
    applier: Applier = field(default_factory=lambda: Applier(log_ends=log_ends))

    async def publish(self, *entries: CatalogEntry) -> None:
        await record(self.owner, entries, by="test", note="a test")
        self.prices = PriceBook(*await read_publication(self.owner))

    async def book_events(self, *events: UsageEvent) -> Booked:
        rater, records = RecordRater(timedelta(days=400)), []
        start = self.progress.next_origin
        for offset, one in enumerate(events, start):
            origin = Origin(topic=TOPIC, partition=0, offset=offset)
            now = one.receivedat or NOON
            answer = rater.answer(
                b"", encode_event(one), origin=origin, prev=offset - 1, book=self.prices, now=now
            )
            records.append((offset, answer.value))
        done = await book(self.ledger, collect(self.progress, records))
        self.progress = done.progress
        return done

    async def correct(self, *corrections: EventCorrection) -> Applied:
        """As if these had come on the topic, one transaction for all."""
        standing = await read_standing(self.corrector, TOPIC)
        intake = Intake(position=standing.position + len(corrections), corrections=list(corrections))
        return await self.applier.take(self.corrector, standing, intake)

    async def look_again(self) -> Applied:
        return await self.applier.look_again(self.corrector, await read_standing(self.corrector, TOPIC))

    async def amounts(self, id: str = "e1") -> list[tuple[int, Decimal]]:
        """(seq, effective) of an event's entries."""
        rows = await self.owner.fetch(
            "SELECT seq, effective FROM entries WHERE identity = $1 ORDER BY seq", identity("acme", "bot", id)
        )
        return [tuple(row) for row in rows]

    async def outcomes(self) -> dict[str, str]:
        """What became of each correction, by id."""
        rows = await self.owner.fetch("SELECT correction_id, state FROM corrections")
        return dict(tuple(row) for row in rows)

    async def spent(self) -> dict[str, list[tuple[int, int, Decimal, Decimal]]]:
        """(events, unpriced, effective, provisional) that the rollups of each size come to, where there are any."""
        found = {}
        for size, table in (
            ("minute", "rollups_minute"),
            *((size, f"rollups WHERE size = '{size}' AND part = -1") for size in ("five_minutes", "hour", "day")),
        ):  # fmt: skip
            rows = await self.owner.fetch(
                "SELECT sum(events)::bigint, sum(unpriced_events)::bigint, sum(effective), sum(of_which_provisional) "
                f"FROM {table} GROUP BY series_id, currency ORDER BY 3, 1"
            )
            found[size] = [tuple(row) for row in rows]
        return found

    async def quantities(self) -> dict[str, Decimal]:
        """Of all minutes' rows together."""
        found: dict[str, Decimal] = {}
        for row in await self.owner.fetch("SELECT * FROM rollups_minute"):
            for unit, quantity in quantities_of(row).items():
                found[unit] = found.get(unit, Decimal(0)) + quantity
        return found


async def open_book(owner: asyncpg.Connection, database: str) -> tuple[Book, Sequence[asyncpg.Connection]]:
    """An empty book with the first prices published."""
    ledger = await asyncpg.connect(role_url(database, "ledger", SECRET))
    corrector = await asyncpg.connect(role_url(database, "corrector", SECRET))
    await prepare_ledger(ledger)
    await prepare_corrector(corrector)
    await owner.execute(
        "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES (0, $1, $2)", RATED_TOPIC, TOPIC
    )
    made = Book(owner=owner, ledger=ledger, corrector=corrector)
    await made.publish(*PRICES)
    return made, (ledger, corrector)
