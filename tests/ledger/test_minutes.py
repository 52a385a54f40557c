"""Minutes that are dropped, on a real Postgres: what they came to stays, whatever comes late, and is read once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.ledger import minutes as minutes_module
from services.ledger.batch import BookPosition
from services.ledger.book import prepare
from services.ledger.minutes import MinuteDays
from services.ledger.refusals import standstill_reason
from services.ledger.roller import Roller
from spendmeter.book.adding import add_corrections
from spendmeter.book.cover import MinutesDropped
from spendmeter.book.reading import hold_minutes, spent_in
from spendmeter.book.rollup import rollup
from spendmeter.book.sizes import BucketSpan, bucket_at
from spendmeter.book.units import quantities_of
from spendmeter.contracts.events import Labels
from spendmeter.contracts.terms import Terms, Timeline
from spendmeter.platform.migrate import migrate
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.ledger.conftest import SECRET
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import rated, usage_event
from tests.stack import own_database
from tests.terms import counts_in

DAY = timedelta(days=1)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
OLDEST = TODAY - 35 * DAY
"""The first day that has a part of its own in a book that was made today."""
AFTER = OLDEST + 3 * DAY
"""By when the tests have dropped its first three days."""
KEPT_DAYS = 32
SPENT = "SELECT coalesce(sum(effective), 0) FROM spent($1, $2, $3, $4)"


class World:
    """A book of its own, for what is dropped is gone for every test of a database."""

    def __init__(self, owner: asyncpg.Connection, pool: asyncpg.Pool, corrector: asyncpg.Connection) -> None:
        self.owner, self.pool, self.corrector = owner, pool, corrector
        """The ledger's connections, and one of another who reads."""
        self.roller = Roller(pool=pool, meters=Meters())
        self.minutes = MinuteDays(pool=pool, meters=Meters(), kept_days=KEPT_DAYS)
        self.timeline = Timeline()
        self.progress: BookPosition

    async def count_in(self, zone: str) -> None:
        await counts_in(self.owner, "acme", zone=zone)
        self.timeline = Timeline([(None, Terms(zone=ZoneInfo(zone)))])

    async def book(self, *times: datetime, team: str = "search", amount: str = "1") -> None:
        events = [
            rated(usage_event(f"e{number}", time=at, labels=Labels(team=team)), number, amount=amount)
            for number, at in enumerate(times, self.progress.next_origin)
        ]
        async with self.pool.acquire() as connection:
            self.progress = (await book_all(connection, self.progress, *events)).progress

    async def correct(self, at: datetime, *, sign: int, amount: str = "1") -> None:
        """As the corrector adds what it reverses or replaces."""
        sums = rollup(
            [rated(usage_event("e0", time=at, labels=Labels(team="search")), 0, amount=amount)], sign=sign
        )
        async with self.corrector.transaction():
            await add_corrections(self.corrector, sums, {"acme": self.timeline})

    async def roll_up(self) -> None:
        while await self.roller.roll_up(TODAY + 2 * DAY):
            pass

    async def drop(self, days: int = 1) -> None:
        """The oldest days, one after the other."""
        for _ in range(days):
            await self.roll_up()
            assert await self.minutes.drop_day(TODAY)

    async def spent(self, start: datetime, end: datetime) -> Decimal:
        """As every reader asks."""
        async with self.corrector.transaction(isolation="repeatable_read"):
            await hold_minutes(self.corrector)
            read = await spent_in(self.corrector, "acme", [start, end], self.timeline)
            return Decimal(await self.corrector.fetchval(SPENT, *read))

    async def kept_since(self) -> datetime | None:
        return await self.owner.fetchval("SELECT since FROM minutes_kept")

    async def rollups(self, size: str) -> dict[datetime, tuple[int, Decimal, dict[str, Decimal]]]:
        """Each bucket's events, amount and quantities, all parts and series together."""
        found: dict[datetime, tuple[int, Decimal, dict[str, Decimal]]] = {}
        for row in await self.owner.fetch("SELECT * FROM rollups WHERE size = $1", size):
            events, amount, usage = found.get(row["bucket"], (0, Decimal(0), {}))
            usage = dict(usage)
            for unit, quantity in quantities_of(row).items():
                usage[unit] = usage.get(unit, Decimal(0)) + quantity
            found[row["bucket"]] = events + row["events"], amount + row["effective"], usage
        return found

    async def parts(self, size: str) -> dict[tuple[datetime, int], int]:
        """Events by bucket and part."""
        rows = await self.owner.fetch(
            "SELECT bucket, part, sum(events)::int AS events FROM rollups WHERE size = $1 GROUP BY 1, 2", size
        )
        return {(row["bucket"], row["part"]): row["events"] for row in rows}


@pytest.fixture(scope="module")
async def template(owner_url: str) -> str:
    """A migrated database that the tests' are copies of, with its roles."""
    url = own_database(owner_url, "minutes")
    await migrate(url, SECRET)
    return url


@pytest.fixture
async def world(owner_url: str, template: str) -> AsyncIterator[World]:
    name = own_database(owner_url, "minutes").rpartition("/")[2]
    server = await asyncpg.connect(owner_url)
    await server.execute(f"CREATE DATABASE {name} TEMPLATE {template.rpartition('/')[2]}")
    await server.close()

    def as_role(role: str) -> str:
        return f"{role_url(template, role, SECRET).rpartition('/')[0]}/{name}"

    owner = await asyncpg.connect(f"{owner_url.rpartition('/')[0]}/{name}")
    corrector = await asyncpg.connect(as_role("corrector"))
    async with asyncpg.create_pool(
        as_role("ledger"), init=prepare, min_size=1, max_size=4, server_settings={"timezone": "UTC"}
    ) as pool:
        made = World(owner, pool, corrector)
        made.progress = await begin(owner)
        yield made
        pool.terminate()  # a test that failed may hold a connection
    await corrector.close()
    await owner.close()


async def test_a_dropped_day_stays_in_hours_and_days_and_what_is_late_is_added(world: World) -> None:
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon, noon + timedelta(minutes=7), noon + DAY, amount="0.5")
    await world.drop()
    assert await world.kept_since() == OLDEST + DAY
    assert await world.owner.fetchval("SELECT sum(events) FROM rollups_minute") == 1
    assert await world.parts("hour") == {(noon, -2): 2, (noon + DAY, 0): 1}
    assert await world.parts("day") == {(OLDEST, -2): 2, (OLDEST + DAY, 0): 1}
    assert set(await world.parts("five_minutes")) == {(noon + DAY, 0)}
    assert await world.spent(OLDEST, OLDEST + DAY) == Decimal("1.0")

    await world.book(noon, amount="0.25")  # late, and not rolled up
    assert await world.spent(OLDEST, OLDEST + DAY) == Decimal("1.25")
    assert await world.spent(noon, noon + timedelta(hours=1)) == Decimal("1.25")
    await world.roll_up()
    assert await world.parts("hour") == {(noon, -2): 2, (noon, 0): 1, (noon + DAY, 0): 1}
    assert await world.spent(OLDEST, OLDEST + DAY) == Decimal("1.25")

    await world.drop()  # the next day, and with it what was late
    assert await world.parts("day") == {(OLDEST, -2): 3, (OLDEST + DAY, -2): 1}
    assert await world.owner.fetchval("SELECT count(*) FROM rollups_minute") == 0
    assert await world.spent(OLDEST, OLDEST + 2 * DAY) == Decimal("1.75")


async def test_a_correction_of_a_dropped_minute_counts_once(world: World) -> None:
    """An event of 1 is priced anew at 3: once while its minute is there, and once when it is gone."""
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon, noon + timedelta(minutes=1))
    await world.correct(noon, sign=-1)
    await world.correct(noon, sign=1, amount="3")
    await world.drop()
    assert await world.spent(OLDEST, OLDEST + DAY) == 4
    await world.correct(noon + timedelta(minutes=1), sign=-1)
    await world.correct(noon + timedelta(minutes=1), sign=1, amount="3")
    assert await world.spent(OLDEST, OLDEST + DAY) == 6
    await world.book(
        noon, amount="10"
    )  # late: its mark makes readers look into minutes, where corrections are, too
    assert await world.spent(noon, noon + timedelta(hours=1)) == 16
    await world.roll_up()
    assert await world.spent(noon, noon + timedelta(hours=1)) == 16
    await world.drop()
    assert await world.spent(OLDEST, OLDEST + DAY) == 16
    assert await world.parts("day") == {(OLDEST, -2): 3, (OLDEST, -1): 0}
    assert await world.owner.fetchval("SELECT count(*) FROM rollups_minute") == 0


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kathmandu"])
async def test_hours_and_days_equal_the_entries_whatever_is_dropped_when(world: World, zone: str) -> None:
    """1,000 events of five days in random order, corrected here and there, with three days dropped meanwhile;
    every number compared with a sum over the entries. In Nepal an hour lies in two days of UTC."""
    await world.count_in(zone)
    chance = random.Random(zone)
    dropped = 0
    corrections: list[tuple[datetime, int, Decimal]] = []
    for batch in range(20):
        times = [OLDEST + timedelta(seconds=chance.randrange(-86_400, 5 * 86_400)) for _ in range(50)]
        for at in times:
            await world.book(
                at, team=chance.choice(["search", "ads"]), amount=f"{chance.randrange(10**6)}e-6"
            )
        at = OLDEST + timedelta(seconds=chance.randrange(5 * 86_400))
        for sign in (-1, 1):
            amount = Decimal(chance.randrange(1000)).scaleb(-3)
            await world.correct(at, sign=sign, amount=str(amount))
            corrections.append((at, sign, sign * amount))
        if chance.random() < 0.5:
            await world.roll_up()
        if dropped < 4 and batch in (4, 8, 12, 16):
            await world.drop()
            dropped += 1
        total = sum((amount for *_, amount in corrections), Decimal(0))
        total += await world.owner.fetchval("SELECT sum(effective) FROM entries")
        first, last = (bucket_at("day", OLDEST + days * DAY, world.timeline) for days in (-2, 6))
        assert await world.spent(first.start, last.end) == total
    assert await world.kept_since() == AFTER
    await world.roll_up()
    entries = [
        (row["occurred_at"], 1, row["effective"])
        for row in await world.owner.fetch("SELECT occurred_at, effective FROM entries")
    ]
    for size in ("hour", "day"):
        want: dict[datetime, tuple[int, Decimal]] = {}
        for at, sign, amount in entries + corrections:
            bucket = bucket_at(size, at, world.timeline).start
            events, so_far = want.get(bucket, (0, Decimal(0)))
            want[bucket] = events + sign, so_far + amount
        said = await world.rollups(size)
        assert {bucket: (events, amount) for bucket, (events, amount, _) in said.items()} == want
        for events, _, usage in said.values():
            assert usage == {"input_tokens": 1000 * events, "output_tokens": 100 * events}


async def test_a_quantity_that_nobody_stated_stays_unknown_when_a_bucket_is_cut_in_two(world: World) -> None:
    """A day of New York ends at 4 or 5 o'clock of the next in UTC: what of it stays is not what goes."""
    await world.count_in("America/New_York")
    evening, night = OLDEST + timedelta(hours=23), OLDEST + timedelta(hours=25)
    for number, (at, usage) in enumerate([(evening, {"requests": 1}), (night, {"input_tokens": 5})]):
        async with world.pool.acquire() as connection:
            event = usage_event(f"e{number}", time=at, usage=usage)
            world.progress = (await book_all(connection, world.progress, rated(event, number))).progress
    await world.drop()
    rows = await world.owner.fetch("SELECT * FROM rollups WHERE size = 'day' ORDER BY part")
    assert [(row["part"], quantities_of(row)) for row in rows] == [
        (-2, {"requests": Decimal(1)}),
        (0, {"input_tokens": Decimal(5)}),
    ]


async def test_nothing_goes_while_something_of_it_waits_to_be_rolled_up(world: World) -> None:
    await world.book(OLDEST + timedelta(hours=12))
    assert not await world.minutes.drop_day(TODAY)
    assert await world.kept_since() is None
    await world.roll_up()
    assert await world.minutes.drop_day(TODAY)


async def test_minutes_that_no_rollup_holds_are_marked_and_not_dropped(world: World) -> None:
    """As a ledger booked that left no marks: 3 of 4 are in the minutes alone."""
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon)
    await world.roll_up()
    await world.book(noon, amount="3")
    await world.owner.execute("DELETE FROM touched")
    assert not await world.minutes.drop_day(TODAY)
    await world.drop()
    assert await world.parts("day") == {(OLDEST, -2): 2}
    assert await world.spent(OLDEST, OLDEST + DAY) == 4


async def test_what_is_booked_while_a_day_is_frozen_keeps_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It commits after the day was frozen and before it is dropped: nothing is dropped then, and nothing frozen."""
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon)
    await world.roll_up()
    freeze = minutes_module.freeze

    async def interrupted(*asked: Any) -> None:
        await freeze(*asked)
        await world.book(noon, amount="2")

    with monkeypatch.context() as patch:
        patch.setattr(minutes_module, "freeze", interrupted)
        with pytest.raises(asyncpg.SerializationError):
            await world.minutes.drop_day(TODAY)
    assert await world.parts("day") == {(OLDEST, 0): 1}
    assert await world.spent(OLDEST, OLDEST + DAY) == 3
    await world.drop()
    assert await world.spent(OLDEST, OLDEST + DAY) == 3


async def test_whoever_is_killed_between_freezing_and_dropping_has_done_neither(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.book(OLDEST + timedelta(hours=12))
    await world.roll_up()
    freeze = minutes_module.freeze

    async def killed(connection: Any, *asked: Any) -> None:
        await freeze(connection, *asked)
        await world.owner.execute("SELECT pg_terminate_backend($1)", connection.get_server_pid())

    with monkeypatch.context() as patch:
        patch.setattr(minutes_module, "freeze", killed)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await world.minutes.drop_day(TODAY)
    assert await world.parts("day") == {(OLDEST, 0): 1}
    assert await world.owner.fetchval("SELECT count(*) FROM rollups_minute") == 1
    assert await world.minutes.drop_day(TODAY)
    assert await world.parts("day") == {(OLDEST, -2): 1}


async def test_two_who_drop_at_once_drop_each_day_once(world: World) -> None:
    await world.book(*(OLDEST + timedelta(hours=12) + n * DAY for n in range(3)))
    await world.roll_up()
    other = MinuteDays(pool=world.pool, meters=Meters(), kept_days=KEPT_DAYS)
    assert await asyncio.gather(world.minutes.drop_day(TODAY), other.drop_day(TODAY)) == [True, True]
    assert await world.kept_since() == OLDEST + 2 * DAY
    assert await asyncio.gather(world.minutes.drop_day(TODAY), other.drop_day(TODAY)) in (
        [True, False],
        [False, True],
    )
    assert await world.kept_since() == AFTER
    assert await world.parts("day") == {(OLDEST + n * DAY, -2): 1 for n in range(3)}


async def test_a_reader_who_has_begun_keeps_the_minutes_that_it_may_look_into(world: World) -> None:
    """Dropping gives up after 200 ms, so it keeps nobody waiting longer; then it is done again."""
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon, noon + timedelta(minutes=1))
    await world.roll_up()
    reader = world.corrector
    async with reader.transaction(isolation="repeatable_read"):
        await hold_minutes(reader)
        read = await spent_in(reader, "acme", [noon, noon + timedelta(minutes=1)], world.timeline)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await world.minutes.drop_day(TODAY)
        assert await reader.fetchval(SPENT, *read) == 1
    assert await world.minutes.drop_day(TODAY)


async def test_what_is_older_is_asked_by_hour_and_nothing_finer(world: World) -> None:
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon)
    await world.drop()
    with pytest.raises(MinutesDropped, match="nothing from before"):
        await world.spent(noon, noon + timedelta(minutes=30))
    with pytest.raises(MinutesDropped):
        await world.spent(noon + timedelta(minutes=30), noon + timedelta(days=2))
    assert await world.spent(noon, noon + timedelta(hours=1)) == 1


async def test_a_reader_never_counts_twice_or_misses_while_days_are_dropped(world: World) -> None:
    """At any moment, what a question comes to is what the entries of its snapshot come to."""
    await world.count_in("Asia/Kathmandu")
    chance = random.Random(11)
    stop = asyncio.Event()
    first, last = (bucket_at("day", OLDEST + days * DAY, world.timeline) for days in (-2, 6))

    async def keep_dropping() -> None:
        while not stop.is_set():
            await world.roller.roll_up(TODAY + 2 * DAY)
            with contextlib.suppress(asyncpg.LockNotAvailableError, asyncpg.SerializationError):
                await world.minutes.drop_day(TODAY)
            await asyncio.sleep(0.02)

    async def ask() -> None:
        reader = world.corrector
        async with reader.transaction(isolation="repeatable_read"):
            await hold_minutes(reader)
            read = await spent_in(reader, "acme", [first.start, last.end], world.timeline)
            entries = await reader.fetchval("SELECT coalesce(sum(effective), 0) FROM entries")
            assert await reader.fetchval(SPENT, *read) == entries

    dropping = asyncio.create_task(keep_dropping())
    for _ in range(80):
        await world.book(OLDEST + timedelta(seconds=chance.randrange(5 * 86_400)), amount="0.5")
        await ask()
    stop.set()
    await dropping
    await world.roll_up()
    while await world.minutes.drop_day(TODAY):
        pass
    await ask()
    assert await world.kept_since() == AFTER


async def test_days_are_made_ahead_and_a_day_that_has_none_stops_the_line_by_name(world: World) -> None:
    await world.minutes.make_ahead(TODAY)
    days = [row[0] for row in await world.owner.fetch("SELECT d FROM minutes_days() AS d ORDER BY d")]
    assert days == [(OLDEST + n * DAY).date() for n in range(43)]
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await world.book(TODAY + 8 * DAY)
    reason = standstill_reason(0, refused.value)
    assert reason.startswith(
        'partition 0: no partition of relation "rollups_minute" found for row; spendmeter migrate'
    )
    async with world.pool.acquire() as connection:
        await connection.execute("SELECT make_minutes($1)", (TODAY + 8 * DAY).date())
    await world.book(TODAY + 8 * DAY)
    assert await world.owner.fetchval("SELECT sum(events) FROM rollups_minute") == 1


async def test_an_event_older_than_every_day_has_a_place(world: World) -> None:
    await world.book(TODAY - 400 * DAY)
    assert await world.owner.fetchval("SELECT sum(events) FROM minutes.earlier") == 1
    await world.roll_up()
    while await world.minutes.drop_day(TODAY):
        pass
    assert await world.owner.fetchval("SELECT count(*) FROM rollups_minute") == 0
    assert await world.kept_since() == AFTER
    day = bucket_at("day", TODAY - 400 * DAY, world.timeline)
    assert await world.spent(*day) == 1


async def test_the_ledger_drops_nothing_but_whole_days_that_are_old(world: World) -> None:
    async with world.pool.acquire() as connection:
        for statement in (
            "SELECT drop_minutes(date_trunc('day', now()) - interval '30 days')",
            "SELECT drop_minutes(now() - interval '40 days')",
            "SELECT make_minutes((now() + interval '400 days')::date)",
            "DELETE FROM rollups_minute",
            "TRUNCATE rollups_minute",
            "DROP TABLE rollups_minute",
            "SELECT count(*) FROM minutes.earlier",
            "UPDATE minutes_kept SET since = now()",
        ):
            with pytest.raises((asyncpg.RaiseError, asyncpg.InsufficientPrivilegeError)):
                await connection.execute(statement)


async def test_a_question_looks_into_the_parts_of_its_minutes_alone(world: World) -> None:
    """By the plan: a month that ends in open minutes opens the parts of today and tomorrow at most, a closed
    month none."""
    await world.book(OLDEST, TODAY + timedelta(minutes=1))
    await world.roll_up()

    async def parts_of(sizes: list[str], spans: list[BucketSpan]) -> set[str]:
        starts, ends = map(list, zip(*spans, strict=True))
        async with world.corrector.transaction():
            await world.corrector.execute("SET LOCAL plan_cache_mode = force_custom_plan")
            rows = await world.corrector.fetch(f"EXPLAIN {SPENT}", "acme", sizes, starts, ends)
        text = "\n".join(row[0] for row in rows)
        assert "rollups" in text
        days = {f"day_{TODAY + n * DAY:%Y%m%d}" for n in range(-40, 60)} | {"earlier"}
        return {day for day in days if day in text}

    month = BucketSpan(OLDEST, TODAY)
    today = BucketSpan(TODAY, TODAY + timedelta(minutes=9))
    assert await parts_of(["day"], [month]) == set()
    assert await parts_of(["day", "minute"], [month, today]) == {f"day_{TODAY:%Y%m%d}"}
    assert await parts_of(["late_hour", "day"], [BucketSpan(OLDEST, OLDEST + timedelta(hours=1)), month]) == {
        f"day_{OLDEST:%Y%m%d}"
    }
