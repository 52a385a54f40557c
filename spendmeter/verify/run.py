"""One check from beginning to end: wait for what is under way, take a snapshot, walk over everything."""

import asyncio
import decimal
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.topic_ids import TopicFacts, committed_offsets, topic_facts
from spendmeter.verify.access import check_access
from spendmeter.verify.archived import put_beside
from spendmeter.verify.catalog import learn_catalog
from spendmeter.verify.chain import check_chain
from spendmeter.verify.closings import check_closings
from spendmeter.verify.corrections import check_corrections
from spendmeter.verify.counts import CountsCheck, check_positions, check_stopped
from spendmeter.verify.entries import Entries
from spendmeter.verify.extent import Extent
from spendmeter.verify.judge import Judge
from spendmeter.verify.lines import STATUSES
from spendmeter.verify.literals import Literals
from spendmeter.verify.moments import check_moments
from spendmeter.verify.progress import Progress
from spendmeter.verify.projections import check_projections, wait_until_folded
from spendmeter.verify.report import Report
from spendmeter.verify.rollups import check_hours, check_in_database, check_worth
from spendmeter.verify.sql import SQL
from spendmeter.verify.streams import BookedEntry, KnownSeries, Rows, SetAside
from spendmeter.verify.submissions import Submissions
from spendmeter.verify.supersessions import check_supersessions
from spendmeter.verify.told_roots import check_told
from spendmeter.verify.topic import TopicReader
from spendmeter.verify.true_ups import check_true_ups
from spendmeter.verify.walk import Walk

EVENTS, RATED, ROOTS, GROUP = "usage.events", "usage.rated", "ledger.roots", "ledger"
STATEMENT_SECONDS_MAX = 4 * 3600
"""The one sort of all entries takes seconds for a million, and may take hours for a billion."""
SORT_MEMORY = "64MB"
"""What Postgres may use for a sort or a join before it goes on on disk."""
PARTITIONS_END = 2**31
"""Beyond every partition: Kafka numbers them in 32 bits."""
POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to check, and against what."""

    kafka: KafkaAccess
    database: str = field(repr=False)
    """URL of the owner, or of the reconciler, who cannot look as api does."""
    topic_prefix: str = ""
    submissions: Sequence[Path] = ()
    """A sender's logs."""
    literals: Literals | None = None
    roots: Sequence[Path] = ()
    """Roots of days that somebody kept, as `spendmeter chain` writes them."""
    archive: Path | None = None
    """Where months lie that are archived."""
    settle_s: float = 30.0
    """How long events in flight may take to be booked."""


@dataclass(frozen=True, kw_only=True)
class _Broker:
    """What the broker says when we come."""

    topics: Mapping[str, TopicFacts]
    committed: Mapping[Any, int]
    begins: Mapping[int, int]
    ends: Mapping[int, int]


async def verify(request: Request, progress: Progress | None = None) -> Report:
    """Check I1 to I8a. Raises ConnectionError, OSError, ValueError (a bad log) or asyncpg's errors when it
    cannot look at all."""
    decimal.setcontext(decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation]))
    report, progress, began = Report(), progress or Progress(), time.monotonic()
    async with AsyncExitStack() as stack:
        submissions = None
        if request.submissions:
            submissions = stack.enter_context(Submissions(request.submissions))
            await submissions.read(progress)
        else:
            report.pass_over("I1", "submissions: no log of a sender was given")
        progress.start("connecting")
        first = await stack.enter_async_context(_connected(request.database))
        second = await stack.enter_async_context(_connected(request.database))
        topic = await stack.enter_async_context(TopicReader(request.kafka, request.topic_prefix + EVENTS))
        broker = await _ask(request, topic)
        progress.start("waiting until what is in flight is booked")
        await _settle(first, broker.ends, request.settle_s)
        await wait_until_folded(first, request.settle_s, report)
        progress.start("reading archived months")
        for connection in (first, second):
            await put_beside(connection, request.archive)
        async with _one_snapshot(first, second):
            judge = Judge(
                report=report,
                entries=Entries(report=report, literals=request.literals),
                submissions=submissions,
            )
            await _look(request, broker, topic, (first, second), judge, progress)
    report.facts |= _facts(judge, submissions, time.monotonic() - began)
    return report


@asynccontextmanager
async def _connected(database: str) -> AsyncIterator[Any]:
    """A connection for reading much: it sorts on disk rather than in memory, and on one core."""
    connection = await asyncpg.connect(
        database,
        command_timeout=STATEMENT_SECONDS_MAX,
        server_settings={
            "timezone": "UTC",
            "application_name": "verify",
            "work_mem": SORT_MEMORY,
            "max_parallel_workers_per_gather": "0",
            "jit": "off",
        },
    )
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _one_snapshot(first: Any, second: Any) -> AsyncIterator[None]:
    """Both connections see the book as it is at this moment, and only read it."""
    async with first.transaction(isolation="repeatable_read", readonly=True):
        await first.execute(SQL["hold_minutes"])
        snapshot = await first.fetchval(SQL["export_snapshot"])
        async with second.transaction(isolation="repeatable_read", readonly=True):
            await second.execute(SQL["import_snapshot"].format(snapshot=snapshot))
            yield


async def _ask(request: Request, topic: TopicReader) -> _Broker:
    events, rated = request.topic_prefix + EVENTS, request.topic_prefix + RATED
    admin = AIOKafkaAdminClient(**request.kafka.options(), client_id="spendmeter-verify")
    try:
        await admin.start()
        topics = await topic_facts(admin, [events, rated, request.topic_prefix + ROOTS])
        committed = await committed_offsets(admin, request.topic_prefix + GROUP)
    finally:
        await admin.close()
    if absent := {events, rated} - topics.keys():
        raise ConnectionError(f"{request.kafka.servers} has no topic {', '.join(sorted(absent))}")
    begins, ends = await topic.reach(topics[events].partitions)
    return _Broker(topics=topics, committed=committed, begins=begins, ends=ends)


async def _settle(connection: Any, ends: Mapping[int, int], settle_s: float) -> None:
    """Wait until all that was in flight when we came is applied, or the time is up."""
    deadline = time.monotonic() + settle_s
    while time.monotonic() < deadline:
        passed = {row["partition"]: row["next_origin"] for row in await connection.fetch(SQL["positions"])}
        if all(passed.get(partition, 0) >= end for partition, end in ends.items()):
            return
        await asyncio.sleep(POLL_S)


async def _look(
    request: Request,
    broker: _Broker,
    topic: TopicReader,
    connections: tuple[Any, Any],
    judge: Judge,
    progress: Progress,
) -> None:
    """Every check, in the snapshot of both connections. The second makes the sums of the whole book while the
    first walks."""
    connection, second = connections
    report = judge.report
    beside = asyncio.create_task(_check_beside(second, report))
    try:
        progress.start("asking how far the book has come")
        positions = {row["partition"]: row for row in await connection.fetch(SQL["positions"])}
        rated = request.topic_prefix + RATED
        ids = {name: facts.id for name, facts in broker.topics.items()}
        ids = {name: ids[name] for name in (request.topic_prefix + EVENTS, rated)}
        check_positions(positions, ids, rated, broker.committed, report)
        await check_stopped(connection, report)
        extents = _extents(positions, broker, ids[request.topic_prefix + EVENTS])
        await _walk(topic, connection, extents, judge, progress)
        progress.start("waiting for Postgres to add up the rollups")
        await beside
        await check_corrections(connection, judge.entries, KnownSeries(connection))
        await check_true_ups(connection, judge.entries)
        await check_closings(connection, report)
        await check_hours(connection, judge.entries.sums, report)
        progress.start("hashing the entries of closed days")
        await check_chain(connection, report)
        await _check_told(request, broker, connection, report)
    finally:
        beside.cancel()
        await asyncio.gather(beside, return_exceptions=True)  # before its connection is used again
    if judge.entries.literals is not None:
        check_worth(judge.entries.sums, report)
    if judge.submissions is not None:
        progress.start("comparing with the sender's log")
        judge.submissions.conclude(report)


async def _check_told(request: Request, broker: _Broker, connection: Any, report: Report) -> None:
    name = request.topic_prefix + ROOTS
    async with AsyncExitStack() as stack:
        topic = None
        if name in broker.topics:
            topic = await stack.enter_async_context(TopicReader(request.kafka, name))
        await check_told(connection, topic, request.roots, report)


async def _check_beside(connection: Any, report: Report) -> None:
    await check_in_database(connection, report)
    await check_moments(connection, report)
    await check_supersessions(connection, report)
    await check_projections(connection, report)
    await check_access(connection, report)


def _extents(positions: Mapping[int, Any], broker: _Broker, topic_id: str) -> list[Extent]:
    found = []
    for partition in sorted(positions.keys() | broker.ends.keys()):
        row = positions.get(partition)
        passed = row["next_origin"] if row else 0
        gone = row is not None and row["origin_topic"] != topic_id
        found.append(
            Extent(
                partition=partition,
                start=passed if gone else broker.begins.get(partition, passed),
                passed=passed,
                end=max(broker.ends.get(partition, 0), passed),
                position=row,
            )
        )
    return found


async def _walk(
    topic: TopicReader, connection: Any, extents: Sequence[Extent], judge: Judge, progress: Progress
) -> None:
    progress.start("waiting for Postgres to sort the entries")
    await learn_catalog(connection, judge.entries, judge.report)
    strays = dict(await connection.fetch(SQL["strays"]))
    entries = Rows(await connection.cursor(SQL["entries"]), BookedEntry._make)
    set_aside = Rows(await connection.cursor(SQL["unbooked"]), SetAside._make)
    await set_aside.take(0, 0)
    await entries.take(0, 0)
    progress.start("reading usage.events beside the book", sum(each.records for each in extents))
    walk = Walk(
        topic=topic,
        entries=entries,
        set_aside=set_aside,
        series=KnownSeries(connection),
        judge=judge,
        counts=CountsCheck(connection, strays, judge.report),
        progress=progress,
    )
    for extent in extents:
        await walk.over(extent)
    await walk.pass_ahead(PARTITIONS_END)


def _facts(judge: Judge, submissions: Submissions | None, seconds: float) -> dict[str, Any]:
    amounts: dict[str, decimal.Decimal] = {}
    for _, currency, total in judge.entries.sums.all():
        amounts[currency] = amounts.get(currency, decimal.Decimal(0)) + total.list
    if not amounts.get("", 1):
        del amounts[""]
    outcomes = {name: judge.outcomes[name] for name in (*STATUSES, "duplicate", "conflict", "rejected")}
    return {
        "records": judge.records,
        "entries": sum(judge.outcomes[name] for name in STATUSES),
        "outcomes": outcomes,
        "submissions": None if submissions is None else submissions.count,
        "list": {currency: f"{amount:f}" for currency, amount in sorted(amounts.items())},
        "seconds": round(seconds, 3),
    }
