"""The transaction on a real Postgres, with the ledger's own role."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import asyncpg
import pytest
from msgspec.structs import replace

import services.ledger.book as book_module
from services.ledger.batch import BookPosition, collect
from services.ledger.book import CONFLICTS_COMPARED_MAX, Booked, PositionMoved, book
from services.ledger.unbooked import BadRecord
from spendmeter.book.units import quantities_of
from spendmeter.contracts.event_identity import identity
from spendmeter.contracts.events import Labels, encode_event
from spendmeter.contracts.rated import RatedUsage
from spendmeter.platform.roles import role_url
from tests.databases import SECRET
from tests.ledger.test_batch import rejection
from tests.ledger_records import NOON, RATED_TOPIC, TOPIC, on_topic, rated, usage_event
from tests.terms import counts_in


async def begin(owner: asyncpg.Connection, partition: int = 0) -> BookPosition:
    await owner.execute(
        "INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3)",
        partition,
        RATED_TOPIC,
        TOPIC,
    )
    return BookPosition(
        partition=partition, rated_topic=RATED_TOPIC, position=0, origin_topic=TOPIC, next_origin=0
    )


async def book_all(connection: asyncpg.Connection, progress: BookPosition, *records: Any) -> Booked:
    return await book(connection, collect(progress, on_topic(*records, start=progress.position)))


async def unbooked(owner: asyncpg.Connection) -> list[tuple[int, str]]:
    rows = await owner.fetch("SELECT origin_offset, outcome FROM unbooked ORDER BY origin_offset")
    return [tuple(row) for row in rows]


async def balanced(owner: asyncpg.Connection) -> bool:
    """The accounting identity: positions against accounting, and rollups against entries."""
    positions = await owner.fetchrow(
        "SELECT sum(booked), sum(duplicate), sum(conflict), sum(rejected), sum(holes) FROM positions"
    )
    accounting = await owner.fetchrow(
        "SELECT coalesce(sum(priced + free + reported + provisional + unpriced), 0), coalesce(sum(duplicate), 0), "
        "coalesce(sum(conflict), 0), coalesce(sum(rejected), 0), coalesce(sum(holes), 0) FROM accounting"
    )
    entries = await owner.fetchrow("SELECT count(*), coalesce(sum(effective), 0) FROM entries")
    rollups = await owner.fetchrow(
        "SELECT coalesce(sum(events), 0), coalesce(sum(effective), 0) FROM rollups_minute"
    )
    return tuple(positions) == tuple(accounting) and tuple(entries) == tuple(rollups)


async def test_a_batch_books_entries_rollups_and_position_together(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    progress = await begin(owner)
    done = await book_all(
        ledger, progress, *(rated(usage_event(f"e{n}"), n, amount="0.0035") for n in range(3))
    )
    assert (done.progress.position, done.progress.next_origin) == (3, 3)
    row = await owner.fetchrow("SELECT * FROM rollups_minute")
    assert (row["events"], row["effective"], row["bucket"], row["shard"]) == (3, Decimal("0.0105"), NOON, 0)
    assert quantities_of(row) == {"input_tokens": 3000, "output_tokens": 300}
    entry = await owner.fetchrow("SELECT * FROM entries LIMIT 1")
    assert (entry["tenant"], entry["seq"], entry["effective"]) == ("acme", 0, Decimal("0.0035"))
    assert await balanced(owner)


async def test_a_series_is_booked_with_the_dimensions_of_its_tenants_own(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    own = {"customer": "c1", "cost_centre": "4711"}
    labels = [Labels(team="a"), Labels(team="a", own=own), Labels(team="a", own=own, folded=("customer",))]
    progress = await begin(owner)
    events = [rated(usage_event(f"e{n}", labels=said), n) for n, said in enumerate(labels)]
    await book_all(ledger, progress, *events)
    rows = await owner.fetch(
        "SELECT own::text, dimension(s, 'team') AS team, dimension(s, 'customer') AS customer, "
        "dimension(s, 'nobodys') AS nobodys, dimensions(s) ->> 'cost_centre' AS centre FROM series s ORDER BY customer"
    )
    assert [tuple(row) for row in rows] == [
        ("{}", "a", "", "", None),
        ('{"customer": "c1", "cost_centre": "4711"}', "a", "c1", "", "4711"),
        ('{"customer": "~other", "cost_centre": "4711"}', "a", "~other", "", "4711"),
    ]


async def test_the_same_batch_twice_books_once(owner: asyncpg.Connection, ledger: asyncpg.Connection) -> None:
    progress = await begin(owner)
    await book_all(ledger, progress, rated(usage_event("a"), 0))
    with pytest.raises(PositionMoved):
        await book_all(ledger, progress, rated(usage_event("a"), 0))
    assert await owner.fetchval("SELECT count(*) FROM entries") == 1
    assert await balanced(owner)


async def test_a_copy_in_the_same_batch_is_a_duplicate(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    event = usage_event("same")
    await book_all(ledger, await begin(owner), rated(event, 0), rated(event, 1), rated(event, 2))
    assert await owner.fetchval("SELECT sum(events) FROM rollups_minute") == 1
    assert await unbooked(owner) == [(1, "duplicate"), (2, "duplicate")]
    assert await balanced(owner)


async def test_a_copy_in_a_later_batch_is_a_duplicate_and_adds_nothing_to_the_rollups(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    event = usage_event("same")
    first = await book_all(ledger, await begin(owner), rated(event, 0))
    await book_all(ledger, first.progress, rated(event, 1), rated(usage_event("new"), 2))
    assert await owner.fetchval("SELECT sum(events) FROM rollups_minute") == 2
    assert await unbooked(owner) == [(1, "duplicate")]
    assert await balanced(owner)


async def test_a_copy_on_another_partition_is_a_duplicate(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    event = usage_event("same")
    await book_all(ledger, await begin(owner), rated(event, 0))
    await book_all(ledger, await begin(owner, 1), rated(event, 0, partition=1))
    assert await owner.fetchval("SELECT count(*) FROM entries") == 1
    assert await balanced(owner)


async def test_a_retry_with_another_time_is_the_same_event(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    late = usage_event("same", time=NOON + timedelta(days=3))
    first = await book_all(ledger, await begin(owner), rated(usage_event("same"), 0))
    await book_all(ledger, first.progress, rated(late, 1))
    assert await unbooked(owner) == [(1, "duplicate")]
    assert await owner.fetchval("SELECT occurred_at FROM entries") == NOON


async def test_the_same_id_with_another_body_is_a_conflict_and_the_first_stays(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    other = usage_event("same", usage={"input_tokens": 9, "output_tokens": 1})
    first = await book_all(ledger, await begin(owner), rated(usage_event("same"), 0))
    await book_all(ledger, first.progress, rated(other, 1, amount="9"), rated(other, 2, amount="9"))
    assert await unbooked(owner) == [(1, "conflict"), (2, "conflict")]
    assert await owner.fetchval("SELECT effective FROM entries") == Decimal("0.0035")
    row = await owner.fetchrow("SELECT source, event_id, reason FROM unbooked LIMIT 1")
    assert (row["source"], row["event_id"]) == ("bot", "same")
    assert row["reason"].endswith("differs in data.usage.input_tokens, data.usage.output_tokens")
    assert await balanced(owner)


async def test_a_conflict_names_the_fields_that_differ_whether_the_winner_is_older_or_in_the_same_batch(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    first = await book_all(ledger, await begin(owner), rated(usage_event("a"), 0))
    other, labelled = usage_event("a", labels=Labels(team="x")), usage_event("b", labels=Labels(team="y"))
    records = [rated(other, 1), rated(usage_event("b"), 2), rated(labelled, 3)]
    await book_all(ledger, first.progress, *records)
    reasons = await owner.fetch("SELECT reason, sha256 FROM unbooked ORDER BY origin_offset")
    assert [row["reason"].partition("; this one ")[2] for row in reasons] == [
        "differs in data.labels.team"
    ] * 2
    assert reasons[0]["sha256"] == sha256(encode_event(other)).digest()


async def test_conflicts_are_handed_to_the_corrector_as_they_were_sent_but_those_of_what_was_retracted(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    """Of three events: one with a conflict in its own batch, one amended since, one retracted since."""
    events = list(map(usage_event, "abc"))
    other = usage_event("a", usage={"input_tokens": 9})
    records = [*(rated(each, n) for n, each in enumerate(events)), rated(other, 3), rated(other, 4)]
    first = await book_all(ledger, await begin(owner), *records)
    amended, retracted = (identity("acme", "bot", each) for each in "bc")
    await owner.execute(
        "INSERT INTO corrected_identities VALUES ($1, 0, now(), 'c', '\\x00', 1, NULL), ($2, NULL, NULL, NULL, NULL, 0, "
        "now())",
        amended,
        retracted,
    )
    later = [usage_event(each, usage={"input_tokens": 9}) for each in "bca"]
    await book_all(ledger, first.progress, *(rated(each, n) for n, each in enumerate(later, 5)))
    rows = await owner.fetch(
        "SELECT origin_offset, identity, event FROM later_messages ORDER BY origin_offset"
    )
    raw = encode_event(other).decode()
    handed = [(3, "a", raw), (4, "a", raw), (5, "b", encode_event(later[0]).decode()), (7, "a", raw)]
    assert [tuple(row) for row in rows] == [(n, identity("acme", "bot", of), raw) for n, of, raw in handed]
    assert len(await unbooked(owner)) == 5
    assert await balanced(owner)


async def test_of_many_conflicts_the_first_say_in_what_they_differ(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    first = await book_all(ledger, await begin(owner), rated(usage_event("a"), 0))
    records = [
        rated(usage_event("a", usage={"input_tokens": n}), n) for n in range(1, CONFLICTS_COMPARED_MAX + 3)
    ]
    await book_all(ledger, first.progress, *records)
    named = "SELECT count(*) FROM unbooked WHERE reason LIKE '%differs in data.usage.input_tokens%'"
    assert await owner.fetchval(named) == CONFLICTS_COMPARED_MAX
    assert await balanced(owner)


async def test_what_was_not_booked_is_counted_under_the_key_that_sent_it(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    other = usage_event("same", usage={"input_tokens": 9, "output_tokens": 1})
    first = await book_all(ledger, await begin(owner), rated(usage_event("same"), 0))
    records = [rated(usage_event("same"), 1), rated(other, 2), rated(other, 3), rejection(4), b"rubbish"]
    await book_all(ledger, first.progress, *records)
    columns = "tenant, key_id, duplicate, conflict, rejected"
    rows = await owner.fetch(f"SELECT {columns} FROM accounting_keys ORDER BY key_id")
    assert [tuple(row) for row in rows] == [("", "", 0, 0, 1), ("acme", "k7f3a00000000", 1, 2, 0)]
    assert await owner.fetchval("SELECT key_id FROM unbooked WHERE origin_offset = 2") == "k7f3a00000000"


async def test_a_booked_event_that_names_another_submission_is_linked_to_it_and_a_copy_is_not(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    first = await book_all(ledger, await begin(owner), rated(usage_event("bad"), 0), rejection(1))
    fixed = replace(usage_event("fixed"), supersedes="bad")
    moved = replace(usage_event("moved"), supersedes="bad", supersedessource="other-bot")
    records = [rated(fixed, 2), rated(fixed, 3), rated(moved, 4), rated(replace(moved, supersedes="x"), 5)]
    await book_all(ledger, first.progress, *records)
    rows = await owner.fetch(
        "SELECT tenant, superseded, source, event_id FROM supersessions ORDER BY event_id"
    )
    assert [tuple(row) for row in rows] == [
        ("acme", identity("acme", "bot", "bad"), "bot", "fixed"),
        ("acme", identity("acme", "other-bot", "bad"), "bot", "moved"),
    ]
    assert await unbooked(owner) == [(1, "rejected"), (3, "duplicate"), (5, "conflict")]
    assert await balanced(owner)


async def test_what_supersedes_no_identity_is_refused_as_bad_data(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    with pytest.raises(BadRecord):
        await book_all(ledger, await begin(owner), replace(rated(usage_event("a"), 0), supersedes="zz"))


async def test_the_same_id_of_two_tenants_is_two_events(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    events = [usage_event("same", tenant=tenant) for tenant in ("acme", "globex")]
    await book_all(ledger, await begin(owner), *(rated(event, n) for n, event in enumerate(events)))
    assert await owner.fetchval("SELECT count(*) FROM entries") == 2


async def test_every_offset_ends_in_exactly_one_account(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    event = usage_event("a")
    await book_all(
        ledger,
        await begin(owner),
        rated(event, 0),
        rejection(1),
        rated(event, 2),
        rated(usage_event("b"), 7, prev=2, status="unpriced", amount="0"),
        b"rubbish",
    )
    row = await owner.fetchrow("SELECT * FROM positions")
    assert (row["next_origin"], row["position"]) == (8, 5)
    assert [row[name] for name in ("booked", "duplicate", "conflict", "rejected", "holes", "stray")] == [
        2, 1, 0, 1, 4, 1,
    ]  # fmt: skip
    assert await owner.fetchval("SELECT sum(unpriced_events) FROM rollups_minute") == 1
    assert await balanced(owner)


async def test_a_provisional_event_is_counted_as_provisional_money(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    await book_all(
        ledger,
        await begin(owner),
        rated(usage_event("a"), 0, amount="0.25", status="provisional"),
        rated(usage_event("b"), 1, amount="0.5"),
    )
    row = await owner.fetchrow("SELECT of_which_provisional, effective FROM rollups_minute")
    assert tuple(row) == (Decimal("0.25"), Decimal("0.75"))


async def test_fractional_quantities_add_up_exactly(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    first = usage_event("a", usage={"gb_months": Decimal("0.1")}, cost_class="storage")
    second = usage_event("b", usage={"gb_months": Decimal("0.2"), "requests": 1}, cost_class="storage")
    done = await book_all(ledger, await begin(owner), rated(first, 0))
    await book_all(ledger, done.progress, rated(second, 1))
    row = await owner.fetchrow("SELECT * FROM rollups_minute")
    assert (row["usage"], row["requests"]) == ('{"gb_months": 0.3}', 1)


async def test_a_ledger_frozen_while_it_sends_its_rows_keeps_nobody_from_booking_them(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = await begin(owner)
    batch = collect(progress, on_topic(*(rated(usage_event(f"e{n}"), n) for n in range(3))))
    staged, successors = book_module._staged, []

    async def successor() -> None:
        other = await asyncpg.connect(role_url(database, "ledger", SECRET), command_timeout=10)
        await book_module.prepare(other)
        successors.append(await book(other, batch))
        await other.close()

    def frozen(events: Any) -> Iterator[Any]:
        """Nothing of this process goes on between two rows, until another has booked the batch."""
        monkeypatch.setattr(book_module, "_staged", staged)
        rows = list(staged(events))
        yield rows[0]
        other = threading.Thread(target=lambda: asyncio.run(successor()))
        other.start()
        other.join(30)
        yield from rows[1:]

    monkeypatch.setattr(book_module, "_staged", frozen)
    with pytest.raises(PositionMoved):  # it wakes up, and adds nothing
        await book(ledger, batch)
    assert [done.progress.next_origin for done in successors] == [3]
    assert await owner.fetchval("SELECT sum(events) FROM rollups_minute") == 3
    assert await balanced(owner)


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-1"])
async def test_the_database_refuses_an_impossible_amount_and_nothing_is_applied(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, amount: str
) -> None:
    progress = await begin(owner)
    with pytest.raises(asyncpg.CheckViolationError):
        await book_all(
            ledger, progress, rated(usage_event("a"), 0), rated(usage_event("b"), 1, amount=amount)
        )
    assert await owner.fetchval("SELECT count(*) FROM entries") == 0
    assert await owner.fetchval("SELECT position FROM positions") == 0


async def test_the_accounting_period_is_the_month_in_the_tenants_zone(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    await counts_in(owner, "acme", zone="Asia/Tokyo")
    last_of_november = NOON.replace(day=30, hour=16)  # 01:00 on 1 December in Tokyo
    await book_all(ledger, await begin(owner), rated(usage_event("a", time=last_of_november), 0))
    assert str(await owner.fetchval("SELECT accounting_period FROM entries")) == "2026-12-01"


async def test_the_month_that_rating_says_is_booked_as_it_is(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    record = replace(rated(usage_event("a"), 0), accounting_period=date(2027, 1, 1))
    await book_all(ledger, await begin(owner), record)
    assert await owner.fetchval("SELECT accounting_period FROM entries") == date(2027, 1, 1)


async def test_an_event_in_another_currency_than_its_tenants_terms_is_booked_and_listed(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    """Euros from noon on: the event of a minute before is in dollars rightly, the one at noon is not; globex has
    stated nothing, so it counts in dollars."""
    await counts_in(owner, "acme", "EUR", since=NOON)
    events = [
        rated(usage_event("before", time=NOON - timedelta(minutes=1)), 0),
        rated(usage_event("late"), 1),
        replace(rated(usage_event("right"), 2), currency="EUR"),
        rated(usage_event("other", tenant="globex"), 3),
        replace(rated(usage_event("early", tenant="globex"), 4), currency="EUR"),
    ]
    progress = await begin(owner)
    done = await book_all(ledger, progress, *events)
    assert (done.late, done.outcomes["priced"]) == (2, 5)
    rows = await owner.fetch("SELECT * FROM late_rated ORDER BY identity")
    assert {row["identity"].hex() for row in rows} == {events[1].identity, events[4].identity}
    assert {(row["occurred_at"], row["catalog_version"]) for row in rows} == {(NOON, 1)}
    again = await book_all(ledger, done.progress, *(moved(event, 5) for event in events))
    assert (again.late, again.outcomes["duplicate"]) == (0, 5)
    assert await owner.fetchval("SELECT count(*) FROM late_rated WHERE other_currency") == 2


async def test_an_event_by_an_older_catalog_than_the_newest_publication_is_listed_in_the_order_of_its_log(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    """Version 3 is out: the raters of the first two events knew 1 and 2. Nothing is wrong with their currency."""
    await owner.executemany(
        "INSERT INTO catalog_publications (version, entries, note) VALUES ($1, 0, 'test')", [(1,), (2,), (3,)]
    )
    versions = {"one": 1, "two": 2, "three": 3}
    events = [
        replace(rated(usage_event(name), number), catalog_version=version)
        for number, (name, version) in enumerate(versions.items())
    ]
    done = await book_all(ledger, await begin(owner), *events)
    await owner.execute("DELETE FROM catalog_publications")
    assert (done.late, done.outcomes["priced"]) == (0, 3)
    rows = await owner.fetch("SELECT * FROM late_rated ORDER BY origin_partition, origin_offset")
    assert [(row["tenant"], row["catalog_version"], row["origin_offset"]) for row in rows] == [
        ("acme", 1, 0),
        ("acme", 2, 1),
    ]
    assert not any(row["other_currency"] for row in rows)
    assert await balanced(owner)


def moved(record: RatedUsage, by: int) -> RatedUsage:
    """The same event, sent once more."""
    origin = replace(record.origin, offset=record.origin.offset + by)
    return replace(record, origin=origin, prev=record.prev + by)


async def test_a_series_is_written_once_with_its_dimensions(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    events = [usage_event(f"e{n}", labels=Labels(team="search", feature=f"f{n % 2}")) for n in range(6)]
    await book_all(ledger, await begin(owner), *(rated(event, n) for n, event in enumerate(events)))
    rows = await owner.fetch("SELECT team, feature, provider, sku, key_id FROM series ORDER BY feature")
    assert [tuple(row) for row in rows] == [
        ("search", "f0", "openai", "gpt-4o", "k7f3a00000000"),
        ("search", "f1", "openai", "gpt-4o", "k7f3a00000000"),
    ]
