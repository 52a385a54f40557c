"""Walks the topic from the first record to the last, beside the rows that the book made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spendmeter.verify.counts import Counts
from spendmeter.verify.judge import Judge, Window
from spendmeter.verify.progress import Progress
from spendmeter.verify.streams import Entry, Rows, Series, SetAside
from spendmeter.verify.topic import Topic

WINDOW = 1_000
"""Offsets judged at once. What is held of topic and book at any moment follows from this and from what is
read ahead, never from how much there is."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What is to be read of one partition."""

    partition: int
    start: int
    """The first offset that the broker still has of the topic that the book was made from."""
    passed: int
    """The first offset that the book has not passed."""
    end: int
    """Where the log ended when we came, or `passed`, if that is later."""
    position: Mapping[str, Any] | None
    """The book's row of the partition."""

    @property
    def records(self) -> int:
        return self.end - min(self.start, self.end)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Everything that a walk reads from."""

    topic: Topic
    entries: Rows[Entry]
    set_aside: Rows[SetAside]
    series: Series
    judge: Judge
    counts: Counts
    progress: Progress

    async def over(self, stretch: Stretch) -> None:
        """Judge one partition; partitions come in order."""
        partition, judge = stretch.partition, self.judge
        origin_topic = stretch.position["origin_topic"] if stretch.position else ""
        judge.enter(partition, stretch.start, origin_topic)
        await self.pass_ahead(partition)
        await self.topic.enter(partition, min(stretch.start, stretch.end), stretch.end)
        for begin in range(0, stretch.passed, WINDOW):
            end = min(begin + WINDOW, stretch.passed)
            entries = await self.entries.take(partition, end)
            await self.series.learn(entries)
            set_aside = await self.set_aside.take(partition, end)
            judge.judge(Window(await self.topic.take(end), entries, set_aside, self.series.known))
            self.progress.done += max(0, end - max(begin, stretch.start))
            await asyncio.sleep(0)  # whoever shows the progress gets a turn
        for begin in range(stretch.passed, stretch.end, WINDOW):
            end = min(begin + WINDOW, stretch.end)
            judge.see_in_flight(await self.topic.take(end))
            self.progress.done += end - begin
        await self.pass_ahead(partition + 1)
        await self.counts.check_partition(stretch, judge)

    async def pass_ahead(self, partition: int) -> None:
        """Rows that lie before this partition, and that no stretch so far has taken."""
        while entries := await self.entries.take_some(partition, 0):
            self.judge.see_ahead(entries)
        while set_aside := await self.set_aside.take_some(partition, 0):
            self.judge.see_ahead(set_aside)
