"""Money at prices that do not say how it was served: booked with its entries, exactly once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace

from services.ledger.book import PositionMoved
from spendmeter import platform
from spendmeter.book.remarks import add_up_remarks
from spendmeter.contracts.rated import RatedUsage, Remarked, decode_rated, encode_rated
from spendmeter.platform.retry import passes
from tests.ledger.test_book import begin, book_all
from tests.ledger.test_worker import PARTITIONS, System, system  # noqa: F401 - fixture
from tests.ledger_records import NOON, rated, usage_event

EU = Remarked(provider="openai", region="eu-west-9")
FAST_IN_EU = Remarked(provider="openai", tier="fast", region="eu-west-9")


def remarked(record: RatedUsage, remarks: Remarked = EU) -> RatedUsage:
    return replace(record, remarked=remarks)


async def money(owner: asyncpg.Connection) -> list[tuple[Any, ...]]:
    """By what was stated, over days and shards: events and money."""
    rows = await owner.fetch(
        "SELECT tenant, provider, batch, tier, region, currency, sum(events)::int, sum(effective) "
        "FROM remarks_daily GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6"
    )
    return [tuple(row) for row in rows]


async def test_an_event_with_two_remarks_is_in_one_row_so_that_rows_add_up_to_what_events_cost(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    await book_all(
        ledger,
        await begin(owner),
        remarked(rated(usage_event("a"), 0, amount="0.1")),
        remarked(rated(usage_event("b", time=NOON + timedelta(minutes=3)), 1, amount="0.25")),
        remarked(rated(usage_event("c"), 2, amount="0.5"), FAST_IN_EU),
        rated(usage_event("d"), 3, amount="9"),
    )
    assert await money(owner) == [
        ("acme", "openai", False, "", "eu-west-9", "USD", 2, Decimal("0.35")),
        ("acme", "openai", False, "fast", "eu-west-9", "USD", 1, Decimal("0.5")),
    ]
    row = await owner.fetchrow("SELECT first_at, last_at, shard FROM remarks_daily WHERE tier = ''")
    assert tuple(row) == (NOON, NOON + timedelta(minutes=3), 0)


async def test_what_repeats_adds_nothing(owner: asyncpg.Connection, ledger: asyncpg.Connection) -> None:
    record = remarked(rated(usage_event("a"), 0, amount="0.1"))
    progress = await begin(owner)
    first = await book_all(ledger, progress, record, remarked(rated(usage_event("a"), 1, amount="0.1")))
    with pytest.raises(PositionMoved):
        await book_all(ledger, progress, record)
    again = remarked(rated(usage_event("a"), 2, amount="0.1"))
    await book_all(ledger, first.progress, again, remarked(rated(usage_event("b"), 3, amount="0.2")))
    assert await money(owner) == [("acme", "openai", False, "", "eu-west-9", "USD", 2, Decimal("0.3"))]


async def test_spellings_beyond_the_first_of_a_day_are_added_up_in_one_row_of_what_they_are_remarked_for(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.book.remarks.SPELLINGS_MAX", 2)
    made_up = [("r1", ""), ("r2", ""), ("r3", ""), ("r4", ""), ("r5", "fast"), ("r1", "")]
    records = [
        remarked(rated(usage_event(f"a{number}"), number, amount=f"0.{number + 1}"), Remarked(
            provider="openai", region=region, tier=tier))
        for number, (region, tier) in enumerate(made_up)
    ]  # fmt: skip
    first = await book_all(ledger, await begin(owner), *records[:4])
    others = ("acme", "", False, "", "other", "USD")
    assert await money(owner) == [
        (*others, 2, Decimal("0.7")),
        ("acme", "openai", False, "", "r1", "USD", 1, Decimal("0.1")),
        ("acme", "openai", False, "", "r2", "USD", 1, Decimal("0.2")),
    ]
    again = remarked(rated(usage_event("b"), 6, amount="1"), Remarked(provider="openai", region="r3"))
    theirs = remarked(rated(usage_event("c", tenant="globex"), 7, amount="2"))
    await book_all(ledger, first.progress, *records[4:], again, theirs)
    assert await money(owner) == [
        (*others, 3, Decimal("1.7")),
        ("acme", "", False, "other", "other", "USD", 1, Decimal("0.5")),
        ("acme", "openai", False, "", "r1", "USD", 2, Decimal("0.7")),
        ("acme", "openai", False, "", "r2", "USD", 1, Decimal("0.2")),
        ("globex", "openai", False, "", "eu-west-9", "USD", 1, Decimal("2")),
    ]


async def test_another_day_and_another_partition_have_spellings_of_their_own(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spendmeter.book.remarks.SPELLINGS_MAX", 1)
    first = await book_all(ledger, await begin(owner), remarked(rated(usage_event("a"), 0, amount="1")))
    await owner.execute("UPDATE remarks_daily SET recorded_on = recorded_on - 1")
    await book_all(ledger, first.progress, remarked(rated(usage_event("b"), 1, amount="2"), FAST_IN_EU))
    other = remarked(rated(usage_event("c"), 0, partition=1, amount="4"))
    await book_all(ledger, await begin(owner, 1), other)
    assert {provider for _, provider, *_ in await money(owner)} == {"openai"}


async def test_two_partitions_have_rows_of_their_own_and_a_correction_can_subtract(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    await book_all(ledger, await begin(owner), remarked(rated(usage_event("a"), 0, amount="0.1")))
    other = remarked(rated(usage_event("b"), 0, partition=1, amount="0.2"))
    await book_all(ledger, await begin(owner, 1), other)
    assert await owner.fetchval("SELECT array_agg(shard ORDER BY shard) FROM remarks_daily") == [0, 1]
    await owner.execute(
        "INSERT INTO remarks_daily SELECT tenant, recorded_on, -1, provider, batch, tier, region, currency, "
        "-events, -effective, first_at, last_at FROM remarks_daily WHERE shard = 1"
    )
    assert await money(owner) == [("acme", "openai", False, "", "eu-west-9", "USD", 1, Decimal("0.1"))]


def test_a_record_of_before_remarks_is_read_and_has_none() -> None:
    older = rated(usage_event("a"), 0)
    assert b"remarked" not in encode_rated(older)
    assert decode_rated(encode_rated(older)) == older
    assert add_up_remarks([older]) == {}


def test_an_older_ledger_passes_over_what_is_remarked_and_books_the_rest() -> None:
    class OlderHead(msgspec.Struct, forbid_unknown_fields=False, tag_field="type", tag="spendmeter.rated.v1"):
        identity: str
        effective: str

    record = remarked(rated(usage_event("a"), 0, amount="0.1"))
    older = msgspec.json.decode(encode_rated(record), type=OlderHead)
    assert (older.identity, older.effective) == (record.identity, "0.1")


async def test_before_its_migration_a_ledger_books_what_has_no_remark_and_undoes_the_rest(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    await owner.execute("ALTER TABLE remarks_daily RENAME TO not_yet")
    try:
        first = await book_all(ledger, await begin(owner), rated(usage_event("a"), 0, amount="1"))
        record = remarked(rated(usage_event("b"), 1, amount="2"))
        with pytest.raises(asyncpg.UndefinedTableError) as refused:
            await book_all(ledger, first.progress, record)
        assert not passes(refused.value), "the process ends, and is started again"
        assert await owner.fetchval("SELECT sum(effective) FROM entries") == 1
    finally:
        await owner.execute("ALTER TABLE not_yet RENAME TO remarks_daily")
    await book_all(ledger, first.progress, record)
    assert await owner.fetchval("SELECT sum(effective) FROM entries") == 3
    assert await money(owner) == [("acme", "openai", False, "", "eu-west-9", "USD", 1, Decimal("2"))]


def test_a_remark_of_nothing_that_is_stated_adds_no_row() -> None:
    assert add_up_remarks([remarked(rated(usage_event("a"), 0), Remarked(provider="openai"))]) == {}


def test_the_head_says_no_more_than_it_must() -> None:
    written = msgspec.json.decode(encode_rated(remarked(rated(usage_event("a"), 0))))
    assert written["remarked"] == {"provider": "openai", "region": "eu-west-9"}


async def test_ledgers_that_are_killed_while_they_book_add_up_to_the_last_digit(
    system: System,  # noqa: F811
) -> None:
    each, rounds = 60, 4
    first, _ = await system.ledger(), await system.ledger()
    for partition in range(PARTITIONS):
        await system.events(each * rounds, partition)
    for turn in range(rounds):
        for partition in range(PARTITIONS):
            records = system.rated(each, start=each * turn, partition=partition)
            again = records[:10]  # a rater that died sends its last ones once more
            await system.rate([remarked(record) for record in [*records, *again]], partition)
        first.kill()
        await first.wait()
        first = await system.ledger()
    count = each * rounds * PARTITIONS
    await system.until_booked(count)
    assert await money(system.owner) == [
        ("acme", "openai", False, "", "eu-west-9", "USD", count, count * Decimal("0.0035"))
    ]
    assert await system.owner.fetchval("SELECT sum(effective) FROM entries") == count * Decimal("0.0035")


async def test_the_table_goes_with_its_migration_and_comes_back(owner: asyncpg.Connection) -> None:
    text = (Path(platform.__path__[0]) / "migrations" / "0013_remarks.sql").read_text("utf-8")
    _, _, steps = text.partition("-- migrate: apply")
    apply, _, rollback = steps.partition("-- migrate: rollback")
    undo = owner.transaction()
    await undo.start()
    await owner.execute(rollback)
    assert await owner.fetchval("SELECT to_regclass('remarks_daily')") is None
    await owner.execute(apply)
    assert await owner.fetchval("SELECT count(*) FROM remarks_daily") == 0
    await undo.rollback()
