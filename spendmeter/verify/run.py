"""One check from beginning to end: wait for what is under way, take a snapshot, read everything, judge."""

from __future__ import annotations

import asyncio
import decimal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from spendmeter.platform.kafka_access import KafkaAccess
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.verify.access import check_access
from spendmeter.verify.book import SQL, STATUSES, Book, read_book
from spendmeter.verify.literals import Literals
from spendmeter.verify.report import Report
from spendmeter.verify.submissions import Submissions
from spendmeter.verify.topic import Oracle, read_topic

EVENTS, RATED, GROUP = "usage.events", "usage.rated", "ledger"
STATEMENT_SECONDS_MAX = 600
POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to check, and against what."""

    kafka: KafkaAccess
    database: str = field(repr=False)
    """URL of the owner, or of the reconciler, who cannot look as api does."""
    topic_prefix: str = ""
    submissions: Submissions | None = None
    literals: Literals | None = None
    settle_s: float = 30.0
    """How long events in flight may take to be booked."""


async def verify(request: Request) -> Report:
    """Check I1 to I8a. Raises ConnectionError, OSError or asyncpg's errors when it cannot look at all."""
    decimal.setcontext(decimal.Context(prec=60, traps=[decimal.Inexact, decimal.InvalidOperation]))
    report = Report()
    if request.submissions is None:
        report.pass_over("I1", "submissions: no log of a sender was given")
    connection = await asyncpg.connect(
        request.database,
        command_timeout=STATEMENT_SECONDS_MAX,
        server_settings={"timezone": "UTC", "application_name": "verify"},
    )
    try:
        events, rated = request.topic_prefix + EVENTS, request.topic_prefix + RATED
        async with KafkaAdmin(request.kafka) as admin:
            topics = await admin.topics([events, rated])
            committed = await admin.committed(request.topic_prefix + GROUP)
        if absent := {events, rated} - topics.keys():
            raise ConnectionError(f"{request.kafka.servers} has no topic {', '.join(sorted(absent))}")
        begins, ends = await _reach(request.kafka, events, topics[events].partitions)
        await _settle(connection, ends, request.settle_s)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            book = await read_book(connection, topics[events].id, begins, report)
            await _check_accounting(connection, book, ends, report)
            _check_positions(
                book, {events: topics[events].id, rated: topics[rated].id}, rated, committed, report
            )
            await check_access(connection, report)
    finally:
        await connection.close()
    oracle = Oracle(report=report, book=book, literals=request.literals, submissions=request.submissions)
    await read_topic(request.kafka, events, ends, oracle)
    oracle.conclude()
    _check_holes(oracle, report)
    report.facts |= _facts(book, request)
    return report


async def _reach(kafka: KafkaAccess, topic: str, partitions: int) -> tuple[dict[int, int], dict[int, int]]:
    """The beginning and the end of each partition, as the broker says them."""
    consumer = AIOKafkaConsumer(**kafka.options(), client_id="spendmeter-verify", group_id=None)
    await consumer.start()
    try:
        all_of_it = [TopicPartition(topic, p) for p in range(partitions)]
        begins = await consumer.beginning_offsets(all_of_it)
        ends = await consumer.end_offsets(all_of_it)
        return {tp.partition: at for tp, at in begins.items()}, {tp.partition: at for tp, at in ends.items()}
    finally:
        await consumer.stop()


async def _settle(connection: Any, ends: Mapping[int, int], settle_s: float) -> None:
    """Wait until all that was in flight when we came is applied, or the time is up."""
    deadline = time.monotonic() + settle_s
    while time.monotonic() < deadline:
        passed = {row["partition"]: row["next_origin"] for row in await connection.fetch(SQL["positions"])}
        if all(passed.get(partition, 0) >= end for partition, end in ends.items()):
            return
        await asyncio.sleep(POLL_S)


async def _check_accounting(connection: Any, book: Book, ends: Mapping[int, int], report: Report) -> None:
    """I6: what the book counted, against the rows and the broker's own offsets."""
    for partition, end in ends.items():
        report.check("I6")
        row = book.positions.get(partition)
        named = f"partition {partition}"
        if row is None:
            if end:
                report.find("I6", f"{end} events in flight: the book has never seen it", named)
            continue
        if row["next_origin"] < end:
            report.find(
                "I6", f"{end - row['next_origin']} events in flight, from {row['next_origin']} on", named
            )
        counted = {"booked": book.counted(partition, *STATUSES), "stray": book.stray[partition]}
        counted |= {name: book.counted(partition, name) for name in ("duplicate", "conflict", "rejected")}
        for name, rows in counted.items():
            if row[name] != rows:
                report.find("I6", f"{name} is {row[name]}, there are {rows} rows", named)
        accounted = sum(counted[name] for name in counted if name != "stray") + row["holes"]
        if accounted != row["next_origin"]:
            report.find("I6", f"{row['next_origin']} offsets passed, {accounted} accounted for", named)
    accounts: dict[tuple[int, str, str], int] = {}
    for account in await connection.fetch(SQL["accounting"]):
        names = (*STATUSES, "duplicate", "conflict", "rejected")
        accounts |= {(account["partition"], account["tenant"], name): account[name] for name in names}
    for key in accounts.keys() | book.accounts.keys():
        report.check("I6")
        if accounts.get(key, 0) != book.accounts[key]:
            what = f"{key[2]} is {accounts.get(key, 0)}, there are {book.accounts[key]} rows"
            report.find("I6", what, f"accounting of tenant {key[1]!r}, partition {key[0]}")
    for partition, reason in await connection.fetch(SQL["stopped"]):
        report.find("I6", f"the line stands still: {reason}", f"partition {partition}")


def _check_positions(
    book: Book, ids: Mapping[str, str], rated: str, committed: Mapping[TopicPartition, int], report: Report
) -> None:
    """I7, and that the book speaks of the topics that are there now."""
    for partition, row in book.positions.items():
        named = f"partition {partition}"
        report.check("I7")
        offset = committed.get(TopicPartition(rated, partition))
        if offset is not None and offset > row["position"]:
            report.find("I7", f"Kafka's group stands at {offset}, the book at {row['position']}", named)
        for column, topic_id in zip(("origin_topic", "rated_topic"), ids.values(), strict=True):
            if row[column] != topic_id:
                report.find(
                    "I6", f"{column} is {row[column]}, the broker's is {topic_id}: it was created anew", named
                )


def _check_holes(oracle: Oracle, report: Report) -> None:
    """I6: a hole is an offset that the broker does not deliver, nothing else."""
    for partition, row in oracle.book.positions.items():
        if oracle.book.starts[partition]:
            report.pass_over("I6", "partitions whose holes can no longer be counted")
            continue
        holes = row["next_origin"] - sum(oracle.delivered[partition])
        if holes != row["holes"]:
            report.find(
                "I6", f"holes is {row['holes']}, the broker leaves out {holes}", f"partition {partition}"
            )


def _facts(book: Book, request: Request) -> dict[str, Any]:
    outcomes = dict.fromkeys((*STATUSES, "duplicate", "conflict", "rejected"), 0)
    for (_, _, name), count in book.accounts.items():
        outcomes[name] += count
    money: dict[str, decimal.Decimal] = {}
    for amounts in book.sums.values():
        for currency, amount in amounts.items():
            money[currency] = money.get(currency, decimal.Decimal(0)) + amount
    return {
        "offsets_passed": sum(row["next_origin"] for row in book.positions.values()),
        "entries": len(book.rows),
        "outcomes": outcomes,
        "submissions": None if request.submissions is None else len(request.submissions),
        "list": {currency: f"{amount:f}" for currency, amount in money.items()},
    }
