"""Days are closed once, whole and in order, whatever interrupts it; the topic is told, and believed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from services.ledger.book import prepare
from services.ledger.chain import Chain, ClosingStep
from spendmeter.contracts.chain import (
    LEAF_COLUMNS,
    NO_LINK,
    ChainDay,
    ChainPutBack,
    ChainRecord,
    decode_chain,
    encode_chain,
    leaf,
    next_link,
    root_of,
)
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET, empty
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import rated, usage_event

TODAY = datetime.now(UTC).date()
FIRST = date(2026, 11, 2)
MIDNIGHT = datetime(2026, 11, 2, tzinfo=UTC)
IN_ORDER = "recorded_at, origin_partition, origin_offset, identity, seq"


class FakeTopic:
    """`ledger.roots` in memory."""

    def __init__(self) -> None:
        self.records: list[bytes | None] = []
        self.topic_id: str | None = "first"

    async def id(self) -> str | None:
        return self.topic_id

    async def read(self, since: int) -> AsyncIterator[list[tuple[int, bytes | None]]]:
        yield list(enumerate(self.records))[since:]

    async def publish(self, records: Any) -> None:
        self.records += map(encode_chain, records)

    def said(self) -> list[ChainRecord]:
        return [decode_chain(each or b"") for each in self.records]

    def days(self) -> list[tuple[str, date]]:
        return [(each.tenant, each.day) for each in self.said() if isinstance(each, ChainDay)]


@pytest.fixture
async def chained(owner: asyncpg.Connection) -> asyncpg.Connection:
    """An empty book in which nothing was ever closed."""
    await empty(owner, "chain_days, chain_put_backs, chain_open, chain_progress")
    await owner.execute("INSERT INTO chain_progress DEFAULT VALUES")
    await owner.execute("DELETE FROM corrector")
    return owner


@pytest.fixture
async def pool(chained: asyncpg.Connection, database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(
        role_url(database, "ledger", SECRET), init=prepare, min_size=1, max_size=4
    ) as pool:
        yield pool


@pytest.fixture
def topic() -> FakeTopic:
    return FakeTopic()


@pytest.fixture
def chain(pool: asyncpg.Pool, topic: FakeTopic) -> Chain:
    access: Any = topic
    return Chain(pool=pool, topic=access, meters=Meters(), rest=0)


async def record(
    owner: asyncpg.Connection,
    number: int,
    *,
    day: date = FIRST,
    at: datetime | None = None,
    tenant: str = "acme",
    amount: str = "0.01",
    currency: str = "USD",
) -> None:
    """Book entry `number` by hand, as recorded on `day`."""
    at = at or MIDNIGHT + (day - FIRST) + timedelta(seconds=number)
    await owner.execute(
        "INSERT INTO entries (recorded_on, recorded_at, occurred_at, identity, seq, origin_partition, origin_offset, "
        "catalog_version, accounting_period, series_id, tenant, status, currency, list, contracted, effective, event, lines) "
        "VALUES ($1, $2, $2, $3, 0, 0, $4, 1, '2026-11-01', '\\xab', $5, 'priced', $6, $7, $7, $7, '{\"id\": \"ä\"}', '[]')",
        day, at, number.to_bytes(16), number, tenant, currency, Decimal(amount),
    )  # fmt: skip


async def booked_through(owner: asyncpg.Connection, day: date = TODAY) -> None:
    """Let something have been booked on `day`: so what is before it is over."""
    await owner.execute("DELETE FROM positions")
    await owner.execute(
        "INSERT INTO positions (partition, rated_topic, origin_topic, recorded_on) VALUES (0, 'r', 'o', $1)",
        day,
    )


async def look(chain: Chain) -> None:
    """Let it close what is over: it waits for whatever is under way on this Postgres, of other tests too."""
    async with asyncio.timeout(60):
        while True:
            await chain.look()
            state = await chain._progress()
            if state["refused"] or state["closing_through"] == state["closed_through"]:
                return
            await asyncio.sleep(0.05)


async def begun(chain: Chain) -> None:
    """Let it have begun to close."""
    async with asyncio.timeout(60):
        while not await chain._begin():
            await asyncio.sleep(0.05)


async def closed(owner: asyncpg.Connection) -> list[tuple[str, date, int]]:
    rows = await owner.fetch("SELECT tenant, day, leaves FROM chain_days ORDER BY day, tenant")
    return [(row["tenant"], row["day"], row["leaves"]) for row in rows]


async def progress(owner: asyncpg.Connection) -> Any:
    return await owner.fetchrow("SELECT * FROM chain_progress")


async def put_back(owner: asyncpg.Connection, stands_through: date | None, epoch: int = 2) -> None:
    await owner.execute(
        "INSERT INTO chain_put_backs (epoch, stands_through, by, reason) VALUES ($1, $2, 'key k1', 'a backup')",
        epoch,
        stands_through,
    )


async def test_each_tenant_has_a_root_for_each_day_with_entries_and_each_names_the_one_before(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await record(chained, 2, tenant="globex")
    await record(chained, 3, amount="0.02", currency="EUR")
    await record(chained, 4, day=date(2026, 11, 5), amount="1.10")
    await booked_through(chained)
    await look(chain)
    assert await closed(chained) == [("acme", FIRST, 2), ("globex", FIRST, 1), ("acme", date(2026, 11, 5), 1)]
    first, globex, later = topic.said()
    assert isinstance(first, ChainDay) and isinstance(later, ChainDay) and isinstance(globex, ChainDay)
    assert (first.previous_day, first.previous, first.epoch) == (None, "", 1)
    assert {currency: each.effective for currency, each in first.sums.items()} == {
        "USD": "0.01",
        "EUR": "0.02",
    }
    assert (later.previous_day, later.previous) == (FIRST, first.root)
    assert [root_of(each) for each in (first, globex, later)] == [first.root, globex.root, later.root]


async def test_a_day_is_hashed_in_pieces_to_what_it_comes_to_in_one(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    """More than a piece at one instant, too, and entries of a clock that was behind."""
    instant = MIDNIGHT + timedelta(hours=7)
    for number in range(12):
        await record(chained, number, at=instant)
    for number in range(20, 30):
        await record(chained, number, at=MIDNIGHT + timedelta(hours=number - 30))
    await record(chained, 40, at=MIDNIGHT + timedelta(hours=23, minutes=59))
    await booked_through(chained)
    chain.entries_max = 3
    await look(chain)
    link = NO_LINK
    for row in await chained.fetch(f"SELECT {', '.join(LEAF_COLUMNS)} FROM entries ORDER BY {IN_ORDER}"):
        link = next_link(link, leaf(row))
    [day] = topic.said()
    assert isinstance(day, ChainDay)
    assert (day.leaves, day.link, day.sums["USD"].list) == (23, link.hex(), "0.23")


async def test_who_is_interrupted_goes_on_where_it_was(
    chained: asyncpg.Connection, chain: Chain, pool: asyncpg.Pool, topic: FakeTopic
) -> None:
    for number in range(6):
        await record(chained, number)
    await booked_through(chained)
    await begun(chain)
    roots = await chain._read_topic()
    assert roots is not None
    chain.entries_max = 2
    for _ in range(3):
        await chain._go_on(roots)
    reached = (await progress(chained))["hashed_before"]
    assert reached is not None and await chained.fetchval("SELECT sum(leaves) FROM chain_open") is not None
    access: Any = topic
    await look(Chain(pool=pool, topic=access, meters=Meters(), rest=0))
    assert await closed(chained) == [("acme", FIRST, 6)]


async def test_no_step_is_taken_for_a_day_whose_bookings_another_worker_has_not_waited_for(
    chained: asyncpg.Connection, chain: Chain, pool: asyncpg.Pool, topic: FakeTopic
) -> None:
    """One worker stood still after a barrier; another closed that day, and has begun with the next."""
    await record(chained, 1)
    await record(chained, 2, day=date(2026, 11, 3))
    roots = await chain._read_topic()
    assert roots is not None
    await booked_through(chained, FIRST)
    await look(chain)
    await booked_through(chained, date(2026, 11, 3))
    async with pool.acquire() as slow, slow.transaction():
        await slow.fetchval("SELECT pg_current_xact_id()")
        assert not await chain._begin()
        step = await chain._go_on(roots)
    assert (step, await closed(chained)) == (ClosingStep.NOTHING, [("acme", FIRST, 1)])


async def test_today_is_not_closed_nor_is_a_day_after_which_nothing_was_booked_because_of_a_clock(
    chained: asyncpg.Connection, chain: Chain
) -> None:
    await record(chained, 1)
    await record(chained, 2, day=TODAY, at=datetime.now(UTC))
    await booked_through(chained)
    await look(chain)
    assert await closed(chained) == [("acme", FIRST, 1)]
    assert (await progress(chained))["closed_through"] == TODAY - timedelta(days=1)


async def test_what_is_closed_is_never_changed_by_looking_again(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await booked_through(chained)
    await look(chain)
    before = await chained.fetch("SELECT * FROM chain_days")
    await look(chain)
    assert await chained.fetch("SELECT * FROM chain_days") == before
    assert len(topic.records) == 1


async def test_nobody_who_serves_may_change_a_closed_day(pool: asyncpg.Pool) -> None:
    for statement in ("UPDATE chain_days SET root = 'x'", "DELETE FROM chain_days", "TRUNCATE chain_days"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_a_booking_under_way_is_waited_for(
    chained: asyncpg.Connection, chain: Chain, database: str
) -> None:
    await record(chained, 1)
    await booked_through(chained)
    other = await asyncpg.connect(database)
    booking = other.transaction()
    await booking.start()
    await other.execute("SELECT pg_current_xact_id()")
    await chain.look()
    assert await closed(chained) == []
    await record(other, 2)
    await booking.commit()
    await look(chain)
    assert await closed(chained) == [("acme", FIRST, 2)]
    await other.close()


async def test_what_is_booked_after_a_day_began_to_be_closed_is_recorded_after_it(
    chained: asyncpg.Connection, chain: Chain, ledger: asyncpg.Connection
) -> None:
    """Though the clock says that it is still that day: it stepped back, or is behind."""
    position = await begin(chained)
    assert await chained.fetchval("SELECT first_open_day()") is None
    await record(chained, 1)
    await chained.execute("UPDATE positions SET recorded_on = $1", FIRST)
    await begun(chain)
    assert await chained.fetchval("SELECT first_open_day()") == FIRST + timedelta(days=1)
    await chained.execute("UPDATE chain_progress SET closing_through = $1", TODAY + timedelta(days=2))
    await book_all(ledger, position, rated(usage_event("e1"), 0))
    days = await chained.fetch("SELECT recorded_on FROM entries WHERE event LIKE '%\"e1\"%'")
    assert [day for (day,) in days] == [TODAY + timedelta(days=3)]


async def test_a_topic_that_was_lost_is_told_everything_again(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await record(chained, 2, day=date(2026, 11, 3))
    await booked_through(chained)
    topic.topic_id = None
    await chain.look()  # there is no topic yet: nothing is closed untold
    assert await closed(chained) == []
    topic.topic_id = "first"
    await look(chain)
    said, topic.records, topic.topic_id = topic.said(), [], "second"
    await look(chain)
    assert topic.said() == said
    assert (await progress(chained))["contradicted"] == ""


async def test_a_crash_before_it_was_noted_as_told_tells_it_again_and_nobody_minds(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await booked_through(chained)
    await look(chain)
    await chained.execute("UPDATE chain_progress SET published_through = NULL")
    await look(chain)
    assert topic.days() == [("acme", FIRST)] * 2
    state = await progress(chained)
    assert (state["contradicted"], state["next_offset"]) == ("", 2)


async def test_another_root_for_a_closed_day_is_an_alarm_and_days_go_on_being_closed(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await booked_through(chained, FIRST)
    await look(chain)
    await record(chained, 2, day=date(2026, 11, 3))
    await booked_through(chained)
    said = topic.said()[0]
    assert isinstance(said, ChainDay)
    forged = ChainDay(**{name: getattr(said, name) for name in ChainDay.__struct_fields__} | {"root": "00"})
    await topic.publish([forged])
    topic.records.append(b"no root at all")
    await look(chain)
    state = await progress(chained)
    assert state["contradicted"] == f"acme {FIRST}, offset 2, which is no root"
    assert state["next_offset"] == 1
    assert [day for _, day, _ in await closed(chained)] == [FIRST, date(2026, 11, 3)]


async def restored(owner: asyncpg.Connection, days: list[date]) -> None:
    """Put the book back to before these days were closed."""
    await owner.execute("DELETE FROM chain_days WHERE day = ANY($1::date[])", days)
    before = await owner.fetchval("SELECT max(day) FROM chain_days")
    await owner.execute(
        "UPDATE chain_progress SET closed_through = $1, closing_through = $1, published_through = $1, "
        "next_offset = (SELECT count(*) FROM chain_days)",
        before,
    )


async def test_a_restored_book_that_lost_nothing_closes_its_days_to_the_same_roots(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await record(chained, 2, day=date(2026, 11, 3))
    await booked_through(chained)
    await look(chain)
    await restored(chained, [date(2026, 11, 3)])
    await look(chain)
    assert topic.said()[1].root == topic.said()[2].root  # type: ignore[union-attr]
    state = await progress(chained)
    assert (state["contradicted"], state["refused"]) == ("", "")


async def test_a_restored_book_whose_day_is_another_closes_nothing_until_somebody_says_so(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    """Its replay records on a later day what it had recorded on the lost one."""
    await record(chained, 1)
    await record(chained, 2, day=date(2026, 11, 3))
    await record(chained, 3, day=date(2026, 11, 3))
    await booked_through(chained)
    await look(chain)
    await restored(chained, [date(2026, 11, 3)])
    await chained.execute("UPDATE entries SET recorded_on = '2026-11-04' WHERE origin_offset = 3")
    await look(chain)
    await look(chain)
    assert (await progress(chained))["refused"] == "acme 2026-11-03"
    assert [day for _, day, _ in await closed(chained)] == [FIRST]

    await put_back(chained, FIRST)
    await look(chain)
    state = await progress(chained)
    assert (state["refused"], state["contradicted"], state["next_offset"]) == ("", "", len(topic.records))
    epochs: Any = await chained.fetch("SELECT day, epoch FROM chain_days ORDER BY day")
    assert epochs == [
        (FIRST, 1),
        (date(2026, 11, 3), 2),
        (date(2026, 11, 4), 2),
    ]
    told = [each for each in topic.said() if isinstance(each, ChainPutBack)]
    assert [(each.epoch, each.stands_through, each.reason) for each in told] == [(2, FIRST, "a backup")]
    last = topic.said()[-1]
    assert isinstance(last, ChainDay) and last.previous_day == date(2026, 11, 3)


async def test_a_restored_book_that_lacks_a_whole_day_is_refused_too(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await record(chained, 2, day=date(2026, 11, 3), tenant="globex")
    await booked_through(chained)
    await look(chain)
    await restored(chained, [date(2026, 11, 3)])
    await chained.execute("DELETE FROM entries WHERE origin_offset = 2")
    await look(chain)
    assert (await progress(chained))["refused"] == "globex 2026-11-03"


async def test_a_book_older_than_when_it_was_put_back_is_told_of_that(
    chained: asyncpg.Connection, chain: Chain, topic: FakeTopic
) -> None:
    await record(chained, 1)
    await booked_through(chained)
    put_back_before = ChainPutBack(
        epoch=2, stands_through=None, began_at=MIDNIGHT, by="key k1", reason="an earlier backup"
    )
    await topic.publish([put_back_before])
    await look(chain)
    state = await progress(chained)
    assert state["contradicted"] == "epoch 2, of which the book does not know"
    assert state["epoch_seen"] == 2  # the next epoch is 3


async def test_a_column_that_joins_the_entries_makes_another_leaf(owner: asyncpg.Connection) -> None:
    rows = await owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'entries'"
    )
    assert {name for (name,) in rows} == set(LEAF_COLUMNS), "leaves have all columns: make a second format"
