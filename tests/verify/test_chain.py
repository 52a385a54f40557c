"""verify detects what the database's owner changed of days that are closed, and names it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.ledger.chain import Chain
from services.ledger.roots_topic import RootsTopic
from spendmeter.contracts.chain import ChainDay, ChainSums, encode_chain, root_of
from spendmeter.platform.kafka_admin import KafkaAdmin
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.report import CLEAN, FOUND, INCOMPLETE
from tests.ledger.test_chain import look
from tests.verify.conftest import WrittenBook
from tests.verify.test_verify import said

DAY = date(2026, 11, 23)
CLOSED = "'2026-11-23'"


@asynccontextmanager
async def roots_topic(book: WrittenBook) -> AsyncIterator[RootsTopic]:
    kafka = book.request.kafka
    consumer = AIOKafkaConsumer(**kafka.options(), auto_offset_reset="none", enable_auto_commit=False)
    producer = AIOKafkaProducer(**kafka.options())
    await consumer.start()
    await producer.start()
    async with KafkaAdmin(kafka) as admin:
        try:
            name = f"{book.request.topic_prefix}ledger.roots"
            yield RootsTopic(name=name, admin=admin, consumer=consumer, producer=producer)
        finally:
            await producer.stop()
            await consumer.stop()


async def close(book: WrittenBook) -> None:
    """Let the ledger close what is over, and tell it."""
    async with (
        roots_topic(book) as topic,
        asyncpg.create_pool(book.request.database, min_size=1, max_size=3) as pool,
    ):
        await look(Chain(pool=pool, topic=topic, meters=Meters(), rest=0))


@pytest.fixture
async def chained(book: WrittenBook) -> WrittenBook:
    """Booked on the day on which it happened, and on the day after, which both are closed."""
    await book.owner.execute("UPDATE entries SET recorded_at = occurred_at, recorded_on = '2026-11-23'")
    await book.owner.execute(
        "UPDATE entries SET recorded_at = occurred_at + interval '1 day', recorded_on = '2026-11-24' "
        "WHERE origin_offset > 25"
    )
    await claimed_as_recorded(book)
    await book.recount()
    await book.owner.execute("UPDATE positions SET recorded_on = (now() AT TIME ZONE 'UTC')::date")
    await close(book)
    return book


async def claimed_as_recorded(book: WrittenBook) -> None:
    await book.owner.execute(
        "UPDATE identities i SET recorded_on = e.recorded_on FROM entries e WHERE e.identity = i.identity"
    )


async def kept_roots(book: WrittenBook, tmp_path: Path) -> Path:
    """What somebody exported."""
    file = tmp_path / "roots.jsonl"
    rows = await book.owner.fetch("SELECT * FROM chain_days ORDER BY day, tenant")
    file.write_bytes(b"\n".join(encode_chain(day_of(row)) for row in rows))
    return file


def day_of(row: Any) -> ChainDay:
    fields = {name: row[name] for name in ChainDay.__struct_fields__}
    return ChainDay(**fields | {"sums": msgspec.json.decode(row["sums"], type=dict[str, ChainSums])})


async def test_days_that_are_as_they_were_closed_are_right(chained: WrittenBook, tmp_path: Path) -> None:
    assert await chained.owner.fetchval("SELECT count(*) FROM chain_days") == 4  # two tenants, two days
    report = await chained.check(roots=[await kept_roots(chained, tmp_path)])
    assert (report.exit_code, dict(report.named)) == (CLEAN, {})
    assert report.checked["I10"] == 4 + 4 + 4  # rows, the topic's records, the file's
    assert report.facts["closed_through"] >= "2026-11-24"


async def test_one_digit_that_the_owner_edits_is_named(chained: WrittenBook) -> None:
    changed: Any = await chained.owner.fetchrow(
        "UPDATE entries SET effective = effective + 0.000000000001 WHERE event LIKE '%\"e7\"%' "
        "RETURNING encode(identity, 'hex') AS identity, tenant"
    )
    report = await chained.check()
    found = said(report, "I10")
    assert report.exit_code == FOUND and report.found["I10"] == 1
    assert found.startswith(f"day 2026-11-23 of {changed['tenant']}: changed since it was closed: effective ")
    assert found.endswith(f"written since: {changed['identity']} seq 0 (usage.events 1@3)")


async def test_an_edit_that_leaves_every_sum_as_it_was_is_found(chained: WrittenBook) -> None:
    await chained.owner.execute(
        "UPDATE entries SET event = replace(event, 'team-2', 'team-9') WHERE event LIKE '%\"e7\"%'"
    )
    assert "changed since it was closed: written since: " in said(await chained.check(), "I10")


async def test_a_deleted_entry_is_found(chained: WrittenBook) -> None:
    tenant = await chained.owner.fetchval("DELETE FROM entries WHERE event LIKE '%\"e7\"%' RETURNING tenant")
    found = said(await chained.check(), "I10")
    counted: Any = await chained.owner.fetchrow(
        "SELECT (SELECT count(*) FROM entries WHERE recorded_on = $1 AND tenant = $2), leaves FROM chain_days "
        "WHERE day = $1 AND tenant = $2",
        DAY, tenant,
    )  # fmt: skip
    now, then = counted
    assert then == now + 1
    assert (
        f"day 2026-11-23 of {tenant}: changed since it was closed: {now} entries, then {then}; list" in found
    )


async def test_a_month_that_the_owner_took_out_and_archived_nowhere_is_missing(chained: WrittenBook) -> None:
    await chained.owner.execute("ALTER TABLE entries DETACH PARTITION recorded.entries_202611")
    try:
        found = said(await chained.check(), "I10")
    finally:
        await chained.owner.execute(
            "ALTER TABLE entries ATTACH PARTITION recorded.entries_202611 FOR VALUES FROM ('2026-11-01') TO ('2026-12-01')"
        )
    assert "day 2026-11-23 of acme: changed since it was closed: 0 entries" in found


async def test_an_inserted_entry_is_found_and_named(chained: WrittenBook) -> None:
    await chained.owner.execute(
        "CREATE TEMP TABLE more AS SELECT * FROM entries WHERE event LIKE '%\"e7\"%'; "
        "UPDATE more SET identity = '\\xbeef', origin_offset = 1000; INSERT INTO entries SELECT * FROM more"
    )
    assert "written since: beef seq 0 (usage.events 1@1000)" in said(await chained.check(), "I10")


async def test_a_closed_day_that_was_forgotten_is_found(chained: WrittenBook) -> None:
    await chained.owner.execute(f"DELETE FROM chain_days WHERE tenant = 'acme' AND day = {CLOSED}")
    found = said(await chained.check(), "I10")
    assert "day 2026-11-23 of acme: missing: it has" in found
    assert "day 2026-11-24 of acme: changed: it does not follow the day before it, none" in found
    assert "day 2026-11-23 of acme: missing: ledger.roots has a root of it, the book has none" in found


async def remake(book: WrittenBook) -> None:
    """Make acme's chain anew, so that it agrees with its entries: what an owner could do who knows how."""
    await book.owner.execute(
        "CREATE TEMP TABLE told AS SELECT * FROM chain_progress; UPDATE chain_progress SET closed_through = NULL, "
        "closing_through = NULL, barrier = NULL; DELETE FROM chain_days"
    )
    async with (
        roots_topic(book) as topic,
        asyncpg.create_pool(book.request.database, min_size=1, max_size=3) as pool,
    ):
        silent: Any = SilentTopic(topic)
        await look(Chain(pool=pool, topic=silent, meters=Meters(), rest=0))
    await book.owner.execute(
        "UPDATE chain_progress p SET next_offset = t.next_offset, published_through = t.published_through FROM told t"
    )


class SilentTopic:
    """Says nothing and is told nothing."""

    def __init__(self, topic: RootsTopic) -> None:
        self.id = topic.id

    async def read(self, since: int) -> AsyncIterator[list[tuple[int, bytes | None]]]:
        for _ in ():
            yield []

    async def publish(self, records: Any) -> None:
        list(records)


async def test_a_chain_that_the_owner_made_anew_is_told_by_the_topic_and_by_what_was_kept(
    chained: WrittenBook, tmp_path: Path
) -> None:
    kept = await kept_roots(chained, tmp_path)
    await chained.owner.execute(
        "UPDATE entries SET event = replace(event, 'team-2', 'team-9') WHERE event LIKE '%\"e7\"%'"
    )
    await remake(chained)
    report = await chained.check(roots=[kept])
    found = said(report, "I10")
    tenant = await chained.owner.fetchval("SELECT tenant FROM entries WHERE event LIKE '%\"e7\"%'")
    assert "changed since it was closed" not in found  # the database agrees with itself
    for day in ("2026-11-23", "2026-11-24"):
        assert f"day {day} of {tenant}: changed: its root is" in found
    assert "ledger.roots says" in found and f"{kept} says" in found
    assert "missing: ledger.roots does not have its root" in found


async def test_a_row_of_the_chain_that_does_not_say_what_its_root_says_is_found(chained: WrittenBook) -> None:
    await chained.owner.execute(f"UPDATE chain_days SET epoch = 2 WHERE tenant = 'acme' AND day = {CLOSED}")
    found = said(await chained.check(), "I10")
    assert "day 2026-11-23 of acme: changed: its root is not that of what it says" in found


async def test_a_root_that_somebody_forged_on_the_topic_is_found(chained: WrittenBook) -> None:
    row: Any = await chained.owner.fetchrow(
        f"SELECT * FROM chain_days WHERE tenant = 'acme' AND day = {CLOSED}"
    )
    other = msgspec.structs.replace(day_of(row), link="00")
    other = msgspec.structs.replace(other, root=root_of(other))
    careless = msgspec.structs.replace(other, leaves=1)
    async with roots_topic(chained) as topic:
        await topic.publish([other, careless])
        await topic.producer.send_and_wait(topic.name, b"hello")
    found = said(await chained.check(), "I10")
    assert f"changed: its root is {row['root'][:16]}..., ledger.roots says {other.root[:16]}..." in found
    assert "forged: ledger.roots has a root that is not of what it says" in found
    assert "ledger.roots: forged: it has what is no root" in found


async def test_a_book_that_was_put_back_says_so_for_ever_and_what_was_lost_counts_as_not_checked(
    chained: WrittenBook, tmp_path: Path
) -> None:
    """Restored from a backup of the 23rd, and replayed on the 25th: what was recorded on the 24th is recorded then."""
    kept = await kept_roots(chained, tmp_path)
    await chained.owner.execute("DELETE FROM chain_days WHERE day = '2026-11-24'")
    await chained.owner.execute(
        "UPDATE chain_progress SET closed_through = '2026-11-23', closing_through = '2026-11-23', "
        "published_through = '2026-11-23', next_offset = 2"
    )
    await chained.owner.execute(
        "UPDATE entries SET recorded_at = recorded_at + interval '1 day', recorded_on = '2026-11-25' "
        "WHERE recorded_on = '2026-11-24'"
    )
    await claimed_as_recorded(chained)
    await chained.recount()
    await chained.owner.execute("UPDATE positions SET recorded_on = (now() AT TIME ZONE 'UTC')::date")
    await close(chained)
    assert await chained.owner.fetchval("SELECT refused FROM chain_progress") == (
        "acme 2026-11-24, globex 2026-11-24"
    )
    report = await chained.check()
    assert "day 2026-11-24 of acme: missing: ledger.roots has a root of it" in said(report, "I10")

    await chained.owner.execute(
        "INSERT INTO chain_put_backs (epoch, stands_through, by, reason) VALUES (2, '2026-11-23', 'key k1', 'disk lost')"
    )
    await close(chained)
    report = await chained.check(roots=[kept])
    assert (report.exit_code, dict(report.named)) == (INCOMPLETE, {})
    assert dict(report.unchecked["I10"]) == {
        "roots on ledger.roots of a book that was put back since": 2,
        f"roots on {kept} of a book that was put back since": 2,
    }
    assert [each["reason"] for each in report.facts["put_backs"]] == ["disk lost"]
    epochs: Any = await chained.owner.fetch("SELECT DISTINCT day, epoch FROM chain_days ORDER BY day")
    assert epochs == [
        (date(2026, 11, 23), 1), (date(2026, 11, 25), 2),
    ]  # fmt: skip


async def test_an_owner_who_says_that_the_book_was_put_back_and_does_not_tell_the_topic_is_found(
    chained: WrittenBook,
) -> None:
    await chained.owner.execute(
        "INSERT INTO chain_put_backs (epoch, by, reason) VALUES (2, 'nobody', 'none')"
    )
    assert "epoch 2: missing: ledger.roots was not told of it" in said(await chained.check(), "I10")


async def test_a_file_of_roots_may_hold_what_is_none(chained: WrittenBook, tmp_path: Path) -> None:
    file = tmp_path / "roots.jsonl"
    file.write_text(json.dumps({"type": "something else"}) + "\n")
    assert f"{file}: forged: it has what is no root" in said(await chained.check(roots=[file]), "I10")
