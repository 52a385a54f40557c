"""A walk over a topic that is made up as it goes: what it holds does not grow with how much there is."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import pytest

from spendmeter.verify import streams, walk
from spendmeter.verify.entries import Entries
from spendmeter.verify.extent import Extent
from spendmeter.verify.judge import Judge
from spendmeter.verify.progress import Progress
from spendmeter.verify.report import Report
from spendmeter.verify.streams import BookedEntry, Rows, SetAside
from spendmeter.verify.sums import HourSums
from spendmeter.verify.walk import Walk
from tests.verify.conftest import NOON, event, identity

COPY_EVERY = 10
"""Each tenth record repeats the one before it."""
AT_ONCE = 50
"""Rows read ahead and offsets judged at once, instead of thousands: a short topic is long enough."""
GROWTH_BYTES_MAX = 300_000
"""What 4,000 records may cost more than 1,000; held at once they would cost 10 MB more."""
DIMENSIONS = ("model", "openai", "gpt-4o", "team-1", "", "", "", "", "", "", "k000000000001")


class Source:
    """A book and its topic, of any length: the fake of Kafka and of Postgres' cursors."""

    def __init__(self, records: int) -> None:
        self.offset, self.records = 0, records
        self.known: dict[Any, tuple[str, ...]] = {("acme", b"s"): DIMENSIONS}

    async def enter(self, partition: int, start: int, end: int) -> None:
        self.offset = start

    async def take(self, end: int) -> list[tuple[int, bytes]]:
        taken = [(offset, value(offset)) for offset in range(self.offset, end)]
        self.offset = end
        return taken

    async def learn(self, rows: Any) -> None:
        pass

    async def check_partition(self, extent: Extent, judge: Judge) -> None:
        assert judge.delivered == self.records


class Cursor:
    """What asyncpg's cursor is to Rows."""

    def __init__(self, rows: Iterator[Any]) -> None:
        self._rows = rows

    async def fetch(self, count: int) -> list[Any]:
        return list(islice(self._rows, count))


def body(offset: int) -> dict[str, Any]:
    made = event(1)
    offset -= offset % COPY_EVERY == COPY_EVERY - 1
    made["id"], made["time"] = f"e{offset}", (NOON + timedelta(milliseconds=offset)).isoformat()
    made["tenant"], made["data"]["sku"], made["data"]["provider"] = "acme", "gpt-4o", "openai"
    made["data"] |= {"usage": {"input_tokens": 10}, "labels": {"team": "team-1"}}
    return made


def value(offset: int) -> bytes:
    return json.dumps(body(offset)).encode()


def entries(records: int) -> Iterator[BookedEntry]:
    lines = '[{"unit": "input_tokens", "entry": "x", "price": "0.5", "amount": "5"}]'
    for offset in range(records):
        if offset % COPY_EVERY != COPY_EVERY - 1:
            made = body(offset)
            yield BookedEntry(
                identity(made), 0, datetime.fromisoformat(made["time"]), 0, offset, "acme", b"s", "priced", "USD",
                "5", "5", "5", value(offset).decode(), lines,
                date(2026, 11, 1),
            )  # fmt: skip


def copies(records: int) -> Iterator[SetAside]:
    for offset in range(COPY_EVERY - 1, records, COPY_EVERY):
        made = body(offset)
        yield SetAside(
            "t1", 0, offset, "duplicate", "acme", identity(made), "bot", made["id"], 0, offset - 1,
            value(offset - 1).decode(),
        )  # fmt: skip


async def walk_over(records: int) -> tuple[Judge, int]:
    """The judge after a walk, and the most that was held at once, in bytes."""
    source, report = Source(records), Report()
    walking: Any = Walk(
        topic=source,  # type: ignore[arg-type]
        entries=Rows(Cursor(entries(records)), BookedEntry._make),
        set_aside=Rows(Cursor(copies(records)), SetAside._make),
        series=source,  # type: ignore[arg-type]
        judge=Judge(report=report, entries=Entries(report=report)),
        counts=source,  # type: ignore[arg-type]
        progress=Progress(),
    )
    tracemalloc.start()
    position = {"origin_topic": "t1"}
    await walking.over(Extent(partition=0, start=0, passed=records, end=records, position=position))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert walking.progress.done == records
    return walking.judge, peak


async def test_memory_does_not_grow_with_the_number_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "WINDOW", AT_ONCE)
    monkeypatch.setattr(streams, "ROWS_AT_ONCE", AT_ONCE)
    _, few = await walk_over(1_000)
    judge, many = await walk_over(4_000)
    assert dict(judge.report.named) == {}
    assert judge.outcomes == {"priced": 3_600, "duplicate": 400}
    assert many - few < GROWTH_BYTES_MAX, f"{few:,} bytes for 1,000 records, {many:,} for 4,000"


@pytest.mark.parametrize("room", [0, 1, 5])
def test_sums_beyond_their_bound_are_one_sum(room: int) -> None:
    sums = HourSums(sums_max=room)
    for number in range(5):
        sums.of((f"t{number}", NOON, "USD")).events += 1
    assert len(sums.by_key) == room
    assert sums.others.events == 5 - room
