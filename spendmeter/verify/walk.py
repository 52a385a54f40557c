"""Walks the topic from the first record to the last, beside the rows that the book made of it."""

import asyncio
from dataclasses import dataclass

from spendmeter.verify.counts import CountsCheck
from spendmeter.verify.extent import Extent
from spendmeter.verify.judge import Judge, JudgeWindow
from spendmeter.verify.progress import Progress
from spendmeter.verify.streams import BookedEntry, KnownSeries, Rows, SetAside
from spendmeter.verify.topic import TopicReader

WINDOW = 1_000
"""Offsets judged at once. What is held of topic and book at any moment follows from this and from what is
read ahead, never from how much there is."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Everything that a walk reads from."""

    topic: TopicReader
    entries: Rows[BookedEntry]
    set_aside: Rows[SetAside]
    series: KnownSeries
    judge: Judge
    counts: CountsCheck
    progress: Progress

    async def over(self, extent: Extent) -> None:
        """Judge one partition; partitions come in order."""
        partition, judge = extent.partition, self.judge
        origin_topic = extent.position["origin_topic"] if extent.position else ""
        judge.enter(partition, extent.start, origin_topic)
        await self.pass_ahead(partition)
        await self.topic.enter(partition, min(extent.start, extent.end), extent.end)
        for begin in range(0, extent.passed, WINDOW):
            end = min(begin + WINDOW, extent.passed)
            entries = await self.entries.take(partition, end)
            await self.series.learn(entries)
            set_aside = await self.set_aside.take(partition, end)
            judge.judge(JudgeWindow(await self.topic.take(end), entries, set_aside, self.series.known))
            self.progress.done += max(0, end - max(begin, extent.start))
            await asyncio.sleep(0)  # whoever shows the progress gets a turn
        for begin in range(extent.passed, extent.end, WINDOW):
            end = min(begin + WINDOW, extent.end)
            judge.see_in_flight(await self.topic.take(end))
            self.progress.done += end - begin
        await self.pass_ahead(partition + 1)
        await self.counts.check_partition(extent, judge)

    async def pass_ahead(self, partition: int) -> None:
        """Rows that lie before this partition, and that no extent so far has taken."""
        while entries := await self.entries.take_some(partition, 0):
            self.judge.see_ahead(entries)
        while set_aside := await self.set_aside.take_some(partition, 0):
            self.judge.see_ahead(set_aside)
