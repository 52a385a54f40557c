"""The first pass: follows the book, and looks at every offset as soon as the book has passed it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from services.reconciler.catalog import SQL
from services.reconciler.corrections import CORRECTOR, NO_TOPIC
from services.reconciler.findings import ProofFinding
from services.reconciler.proof import OUTCOMES, Proof
from services.reconciler.put_away import kept_from
from services.reconciler.reading import WindowReader
from services.reconciler.window import OriginAccount
from spendmeter.platform.heartbeat import Heartbeat
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.telemetry import Meters

WINDOW = 1_000
"""Offsets looked at together: what is held of topic and book follows from this."""
LOOK_S_MAX = 2.0
"""However far behind it is: then the marks are written, and what came meanwhile has its turn. Each partition
has its share of it, for all is proved up to where the last one is."""
LOOK_AGE_S_MAX = 10.0
BEHIND_MAX = 2_000


@dataclass(kw_only=True, eq=False)
class Proving:
    """`look` once; `looked` says whether it works."""

    topic_name: str
    pool: asyncpg.Pool[asyncpg.Record]
    admin: KafkaAdmin
    reader: WindowReader
    proof: Proof
    meters: Meters
    looked: Heartbeat = field(default_factory=lambda: Heartbeat("the book was looked at", LOOK_AGE_S_MAX))
    behind: int = 0
    """Offsets that are booked and not looked at."""
    caught_up: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether these are few: where they are many, what was proved before waits."""
    _begins: Mapping[int, int] = field(default_factory=dict)
    _topic_id: str = ""

    async def look(self) -> None:
        """Look at what was booked since, and say up to where all is proved."""
        await self._look_at_topic()
        ends_at = time.monotonic() + LOOK_S_MAX
        done, behind = [], 0
        accounts = await self.pool.fetch(SQL["accounts"])
        for place, row in enumerate(accounts):
            now = time.monotonic()
            left = await self._look_at(row, now + (ends_at - now) / (len(accounts) + 1 - place))
            behind += left
            if not left:
                done.append(row["partition"])
        left = await self._look_at_corrections(ends_at)
        if not left:
            done.append(CORRECTOR)
        self.behind = behind + left
        self.caught_up.set() if self.behind <= BEHIND_MAX else self.caught_up.clear()
        await self.proof.note(await self._counts_that_differ())
        unseen = await self.proof.prove(done)
        self.meters.set("spendmeter.reconciler.behind", self.behind)
        self.meters.set("spendmeter.reconciler.findings", unseen)

    def account(self, partition: int, origin_topic: str, passed: int) -> OriginAccount:
        """What is to be read of a partition whose book is at `passed`."""
        gone = origin_topic != self._topic_id
        begins = passed if gone else self._begins.get(partition, passed)
        return OriginAccount(partition=partition, origin_topic=origin_topic, begins=begins)

    async def _look_at_topic(self) -> None:
        facts = (await self.admin.topics([self.topic_name])).get(self.topic_name)
        if facts is None:
            raise TimeoutError(f"{self.topic_name} has no leader just now")
        self._topic_id = facts.id
        self._begins, _ = await self.reader.topic.reach(facts.partitions)

    async def _look_at(self, row: Any, ends_at: float) -> int:
        """How many offsets of the partition are left."""
        partition, topic, passed = row["partition"], row["origin_topic"], row["next_origin"]
        account = self.account(partition, topic, passed)
        begin = row["looked"]
        if row["marked_topic"] != topic or begin is None or begin > passed:
            kept = await kept_from(self.pool, partition, row["opened_at"], passed)
            begin = min(max(account.begins, kept), passed)
            await self.proof.begin(partition, topic, begin)
        while begin < passed:
            end = min(begin + WINDOW, passed)
            judged = await self.reader.judge(account, row["opened_at"], begin, end)
            await self.proof.look_on(partition, topic, begin, end, judged)
            self.meters.add("spendmeter.reconciler.offsets", end - begin)
            begin = end
            if time.monotonic() > ends_at:
                break
        return int(passed - begin)

    async def _look_at_corrections(self, ends_at: float) -> int:
        row: Any = await self.pool.fetchrow(SQL["corrector"])
        begin, passed = row["looked"], row["next_entry"]
        if begin == 0 or begin > passed:
            await self.proof.begin(CORRECTOR, NO_TOPIC, 0)
            begin = 0
        while begin < passed:
            end = min(begin + WINDOW, passed)
            judged = await self.reader.judge_corrections(begin, end)
            await self.proof.look_on(CORRECTOR, NO_TOPIC, begin, end, judged)
            begin = end
            if time.monotonic() > ends_at:
                break
        return int(passed - begin)

    async def _counts_that_differ(self) -> list[ProofFinding]:
        """The accounting identity: of the partitions, of tenants beside them, and by what was seen."""
        found = []
        for row in await self.pool.fetch(SQL["unbalanced"]):
            found += _differing(row, "the counts of its tenants")
        for row in await self.pool.fetch(SQL["accounts"]):
            whole = row["first_origin"] == 0 and row["looked"] == row["next_origin"]
            if whole and row["marked_topic"] == row["origin_topic"]:
                found += _differing(row, "what lies there")
        for row in await self.pool.fetch(SQL["ahead"]):
            where = f"{row['origin_partition']}@{row['origin_offset']}"
            found.append(
                ProofFinding(
                    tenant=row["tenant"],
                    invariant="I6",
                    what=f"lies at {where}, which the position has not passed",
                    named=f"identity {row['identity'].hex()}",
                )
            )
        return found


def _differing(row: Any, by: str) -> list[ProofFinding]:
    """By how much, which stays the same while more is booked."""
    return [
        ProofFinding(
            tenant="",
            invariant="I6",
            what=f"{name} is {abs(more)} {'more' if more > 0 else 'less'} than {by}",
            named=f"partition {row['partition']}",
        )
        for name in OUTCOMES
        if (more := int(row[name] - row[f"own_{name}"]))
    ]
