"""A book written by hand: entries and their corrections, as ledger and corrector would leave them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import asyncpg
import msgspec
from msgspec.structs import replace

from services.corrector.projections.registered import Fold
from spendmeter.book.entry import BookEntry
from spendmeter.contracts.events import (
    Amount,
    Context,
    Labels,
    Outcome,
    Performance,
    UsageEvent,
    encode_event,
    series_of,
)
from spendmeter.contracts.rated import Line, Multiplier
from spendmeter.contracts.series import series_id
from tests.ledger_records import NOON, RATED_TOPIC, TOPIC, usage_event

COLUMNS = (
    "identity occurred_at origin_partition origin_offset catalog_version accounting_period seq series_id tenant status "
    "currency list contracted effective event lines correction_id"
).split()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What is booked of an event, or replaces it."""

    event: UsageEvent
    lines: tuple[Line, ...]
    amount: Decimal
    status: str = "priced"


@dataclass
class BookByHand:
    """Books into a database that nobody else writes."""

    owner: asyncpg.Connection
    next_offset: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    next_entry: int = 0
    in_force: dict[bytes, tuple[int, Entry | None]] = field(default_factory=dict)
    """By identity: the last seq, and what counts now; None = retracted."""

    async def begin(self, partitions: int) -> None:
        """An empty book."""
        for partition in range(partitions):
            await self._begin_account(partition)

    async def _begin_account(self, partition: int) -> None:
        await self.owner.execute(
            "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3)",
            partition,
            RATED_TOPIC,
            TOPIC,
        )

    async def close_account(self, partition: int) -> None:
        """As docs/stopped-line.md says, when a topic was created anew."""
        await self.owner.execute(
            "INSERT INTO closed_accounts (partition, next_origin) SELECT partition, next_origin FROM positions "
            f"WHERE partition = {partition}; DELETE FROM positions WHERE partition = {partition}"
        )
        self.next_offset[partition] = 0
        await self._begin_account(partition)

    async def book(self, partition: int, *entries: Entry, holes: int = 0) -> None:
        """One transaction of a lane; before it lie `holes`, offsets that were not booked."""
        rows = []
        offset = self.next_offset[partition] + holes
        for entry in entries:
            identity = _identity(entry.event)
            assert identity not in self.in_force
            self.in_force[identity] = (0, entry)
            rows.append(_row(identity, entry, 0, partition, offset, 1, None))
            offset += 1
        self.next_offset[partition] = offset
        async with self.owner.transaction():
            await self.owner.execute(
                "UPDATE positions SET next_origin = $2, holes = holes + $3, booked = booked + $4 WHERE partition = $1",
                partition, offset, holes, len(entries),
            )  # fmt: skip
            await self.owner.copy_records_to_table("entries", records=rows, columns=COLUMNS)

    async def correct(self, event: UsageEvent, to: Entry | None, *, amends: bool = False) -> None:
        """A reversal, and a replacement unless it retracts (to=None). Without `amends` the event is the old one."""
        identity = _identity(event)
        seq, before = self.in_force[identity]
        assert before is not None
        rows = [_row(identity, before, seq + 1, -1, self.next_entry, -1, "c")]
        if to is not None:
            rows.append(_row(identity, to, seq + 2, -1, self.next_entry + 1, 1, "c", states_event=amends))
        self.next_entry += len(rows)
        self.in_force[identity] = (seq + 2, to)
        async with self.owner.transaction():
            await self.owner.execute(
                "INSERT INTO corrector (topic, next_entry) VALUES ('corrections', $1) "
                "ON CONFLICT (alone) DO UPDATE SET next_entry = $1",
                self.next_entry,
            )
            await self.owner.copy_records_to_table("entries", records=rows, columns=COLUMNS)


def _identity(event: UsageEvent) -> bytes:
    return blake2b(f"{event.tenant} {event.id}".encode(), digest_size=16).digest()


def _row(
    identity: bytes,
    entry: Entry,
    seq: int,
    partition: int,
    offset: int,
    sign: int,
    correction_id: str | None,
    *,
    states_event: bool = True,
) -> tuple[Any, ...]:
    event, at = entry.event, entry.event.time
    assert isinstance(at, datetime)
    amount = entry.amount.copy_negate() if sign < 0 else entry.amount
    return (
        identity, at, partition, offset, 1, at.date().replace(day=1), seq, series_id(series_of(event)), event.tenant,
        entry.status, "USD", amount, amount, amount,
        encode_event(event).decode() if states_event and sign > 0 else None,
        msgspec.json.encode(entry.lines).decode() if sign > 0 else None,
        correction_id,
    )  # fmt: skip


def made_up(chance: random.Random, id: str, time: datetime | None = None) -> Entry:
    """An event and how it was priced; of few kinds, so that many fall into one cell and one run."""
    usage: dict[str, Any] = {
        unit: chance.randrange(1, 1000)
        for unit in ("input_tokens", "output_tokens", "searches")
        if chance.random() < 0.6
    } or {"input_tokens": 7}
    event = usage_event(
        id,
        tenant=f"tenant{chance.randrange(2)}",
        time=time or NOON + timedelta(hours=chance.randrange(-30, 30), seconds=chance.randrange(60)),
        usage=usage,
        cost_class=chance.choice(["model", "tool"]),
        cadence=chance.choice(["live", "live", "bill"]),
        context=Context(service_tier=chance.choice(["standard", "flex"]), region=chance.choice(["", "eu"])),
        labels=Labels(
            run=chance.choice(["", "run1", "run2"]),
            user=["", "user:1", "user:2", "~other"][len(id) % 4],
            workflow=chance.choice(["", "refund"]),
            agent=chance.choice(["", "triage", "codex"]),
        ),
        performance=chance.choice(
            [
                Performance(),
                Performance(latency_ms=chance.randrange(900), status=chance.choice(["ok", "error"])),
            ]
        ),
        outcome=chance.choice(
            [None, Outcome(name="done"), Outcome(name="done", value=Amount(amount="1.5", currency="EUR"))]
        ),
    )
    lines = tuple(_line(chance, unit, quantity) for unit, quantity in usage.items())
    of_lines = sum((Decimal(line.amount or 0) for line in lines), Decimal(0))
    return Entry(
        event=event,
        lines=lines,
        amount=of_lines + chance.choice([Decimal(0), Decimal("0.01")]),
        status=chance.choice(["priced", "provisional", "unpriced"]),
    )


def _line(chance: random.Random, unit: str, quantity: int) -> Line:
    if chance.random() < 0.1:
        return Line(unit=unit, status="unpriced", reason=f"No price for {unit}")
    price = Decimal(chance.choice(["0.000003", "0.000000075"]))
    amount = quantity * price
    factors = (Multiplier(name="long", factor="1", entry="f1"),) if chance.random() < 0.2 else ()
    line = Line(
        unit=unit, entry=f"price-{price}", price=f"{price:f}", amount=f"{amount:f}", multipliers=factors
    )
    if chance.random() < 0.2:  # twice as much in book currency, and the contract half of that
        line = replace(line, currency="EUR", fx="fx1", book_list=f"{amount * 2:f}")
        line = replace(
            line, contracted_amount=f"{amount / 2:f}", book_contracted=f"{amount:f}", contracted_entry="c1"
        )
    return line


def figures_of(line: Line) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """List and contracted as priced, then in book currency: of the lines above."""
    amount = Decimal(line.amount or 0)
    if line.currency:
        return amount, amount / 2, amount * 2, amount
    return amount, amount, amount, amount


def folded(fold: Fold, entries: Iterable[BookEntry]) -> list[Any]:
    """The rows that entries add to the table of a fold that has just begun."""
    fold.add(entries)
    return list(fold.rows())
