"""Minutes that are dropped, on a real Postgres: what they came to stays, whatever comes late, and is read once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.ledger import freezing
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
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET, migrated_database
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


class KilledError(Exception):
    """Stands for a process that ends."""


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
    return await migrated_database(owner_url, "minutes")


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
        if batch in (4, 8, 12):
            await world.drop()
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


async def test_what_waits_to_be_rolled_up_goes_into_hours_and_days_as_minutes_say(world: World) -> None:
    """1 was rolled up and 2 was not; 4 has no mark, as of a ledger that left none."""
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon)
    await world.roll_up()
    await world.book(noon, amount="4")
    await world.owner.execute("DELETE FROM touched")
    await world.book(noon + timedelta(hours=1), amount="2")
    assert await world.minutes.drop_day(TODAY)
    assert await world.parts("day") == {(OLDEST, -2): 3}
    assert await world.spent(OLDEST, OLDEST + DAY) == 7
    await world.roll_up()
    assert await world.parts("hour") == {(noon, -2): 2, (noon + timedelta(hours=1), -2): 1}
    assert await world.spent(OLDEST, OLDEST + DAY) == 7


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Awaitable[object]]]:
    """What happens after each part of the freezing, which takes an hour at most: it has no bound but that."""
    happens: list[Callable[[], Awaitable[object]]] = []
    freeze_next = freezing.freeze_next

    async def interrupted(*asked: Any) -> freezing.Place | None:
        place = await freeze_next(*asked)
        for each in happens:
            await each()
        return place

    monkeypatch.setattr(freezing, "freeze_next", interrupted)
    monkeypatch.setattr(freezing, "ROWS_MAX", 1)
    return happens


async def test_old_events_that_keep_coming_keep_no_day_from_being_dropped(
    world: World, between: list[Callable[[], Awaitable[object]]]
) -> None:
    """Whenever something is frozen, an event of that day comes late, one of a year ago, and one that is rolled
    up at once: three days go all the same, and nothing is in both minutes and hours, or in neither."""
    await world.book(*(OLDEST + timedelta(hours=12) + n * DAY for n in range(3)), amount="0.5")
    booked = [Decimal("1.5")]

    async def come_late() -> None:
        for at in (OLDEST + timedelta(hours=12), TODAY - 365 * DAY, OLDEST + timedelta(hours=30)):
            await world.book(at, amount="0.25")
            booked.append(Decimal("0.25"))
        await world.roller.roll_up(OLDEST + timedelta(hours=31))
        assert await world.spent(TODAY - 370 * DAY, TODAY) == sum(booked)

    between.append(come_late)
    for _ in range(3):
        assert await world.minutes.drop_day(TODAY)
    assert await world.kept_since() == AFTER
    [oldest] = await world.owner.fetchrow("SELECT min(d) FROM minutes_days() AS d")
    assert oldest == AFTER.date()
    assert await world.spent(TODAY - 370 * DAY, TODAY) == sum(booked)
    await world.roll_up()
    assert await world.spent(TODAY - 370 * DAY, TODAY) == sum(booked)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
async def test_old_days_are_frozen_some_hours_at_a_time_and_every_reader_is_right_meanwhile(
    world: World, between: list[Callable[[], Awaitable[object]]], zone: str
) -> None:
    """40 events of 40 hours, of old days and the one that goes: killed after each part, whoever freezes goes on
    where it was, and at every moment hours and days are what the entries come to."""
    await world.count_in(zone)
    times = [OLDEST + timedelta(hours=23 - 7 * n, minutes=17) for n in range(40)]
    await world.book(*times, amount="0.5")
    await world.roll_up()
    left: list[int] = []

    ever = (
        bucket_at("day", TODAY - 60 * DAY, world.timeline).start,
        bucket_at("day", TODAY, world.timeline).end,
    )

    async def look_and_die() -> None:
        assert await world.spent(*ever) == 20
        day = bucket_at("day", OLDEST + timedelta(hours=2), world.timeline)
        inside = sum(day.start <= at < day.end for at in times)
        assert await world.spent(*day) == Decimal("0.5") * inside
        left.append(await world.owner.fetchval("SELECT count(*) FROM rollups_minute"))
        raise KilledError

    between.append(look_and_die)
    for _ in range(41):
        with pytest.raises(KilledError):
            await world.minutes.drop_day(TODAY)
    assert left == [*range(39, -1, -1), 0]
    between.clear()
    assert await world.minutes.drop_day(TODAY)
    assert await world.kept_since() == OLDEST + DAY
    assert {part for _, part in await world.parts("hour")} == {-2}
    assert await world.spent(*ever) == 20


async def test_as_many_hours_go_at_once_as_have_so_many_minutes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hours of two minutes each: with five rows at once two hours, then the third."""
    monkeypatch.setattr(freezing, "ROWS_MAX", 4)
    hours = [OLDEST + timedelta(hours=hour) for hour in (1, 2, 3)]
    await world.book(*hours, *(hour + timedelta(minutes=30) for hour in hours))
    await world.owner.execute("SELECT let_minutes_go($1)", OLDEST + DAY)
    place = await freezing.freeze_next(world.pool, OLDEST + DAY, freezing.FIRST)
    assert place == ("acme", hours[2])
    assert await world.parts("hour") == {(hours[0], -2): 2, (hours[1], -2): 2}
    place = await freezing.freeze_next(world.pool, OLDEST + DAY, place)
    assert place == ("acme", OLDEST + DAY)
    assert await freezing.freeze_next(world.pool, OLDEST + DAY, place) is None
    assert await world.parts("day") == {(OLDEST, -2): 6}


async def test_what_is_booked_between_freezing_and_dropping_stays_a_minute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = OLDEST + timedelta(hours=12)
    await world.book(noon)
    await world.roll_up()
    freeze = minutes_module.freeze

    async def interrupted(*asked: Any) -> None:
        await freeze(*asked)
        await world.book(noon, amount="2")
        await world.correct(noon, sign=1, amount="8")

    with monkeypatch.context() as patch:
        patch.setattr(minutes_module, "freeze", interrupted)
        assert await world.minutes.drop_day(TODAY)
    assert await world.owner.fetchval("SELECT sum(events) FROM minutes.earlier WHERE shard >= 0") == 1
    assert await world.spent(OLDEST, OLDEST + DAY) == 11
    await world.roll_up()
    assert await world.parts("day") == {(OLDEST, -2): 1, (OLDEST, -1): 1, (OLDEST, 0): 1}
    assert await world.spent(OLDEST, OLDEST + DAY) == 11
    await world.drop()
    assert await world.parts("day") == {(OLDEST, -2): 2, (OLDEST, -1): 1}
    assert await world.spent(OLDEST, OLDEST + DAY) == 11


async def book_much(world: World) -> None:
    """10,001 rows of the oldest day, which wait to be rolled up."""
    await world.owner.execute(
        "INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, "
        "unpriced_events, list, contracted, effective, of_which_provisional) "
        "SELECT $1::timestamptz + n % 1440 * interval '1 minute', '2026-11-26', 0, 'acme', "
        "decode(lpad(to_hex(n), 4, '0'), 'hex'), 'USD', 1, 0, 1, 1, 1, 0 FROM generate_series(0, 10000) n",
        OLDEST,
    )
    await world.owner.execute(
        "INSERT INTO touched (tenant, size, bucket) SELECT 'acme', 'five_minutes', "
        "$1::timestamptz + n * interval '5 minutes' FROM generate_series(0, 287) n ON CONFLICT DO NOTHING",
        OLDEST,
    )


@pytest.mark.parametrize(("times", "goes"), [(1, True), (2, True), (3, False)])
async def test_where_much_was_booked_meanwhile_it_is_frozen_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int, goes: bool
) -> None:
    """Readers and bookings wait while what is left is moved: 10,000 rows at most. Three freezings, then a rest."""
    await world.book(OLDEST + timedelta(hours=12))
    freeze = minutes_module.freeze
    left = times

    async def interrupted(*asked: Any) -> None:
        nonlocal left
        await freeze(*asked)
        if left:
            left -= 1
            await book_much(world)

    monkeypatch.setattr(minutes_module, "freeze", interrupted)
    monkeypatch.setattr(freezing, "REST", 0)
    if not goes:
        with pytest.raises(asyncpg.SerializationError, match="too much"):
            await world.minutes.drop_day(TODAY)
        assert await world.spent(OLDEST, OLDEST + DAY) == 1 + times * 10_001
    assert await world.minutes.drop_day(TODAY)
    assert await world.spent(OLDEST, OLDEST + DAY) == 1 + times * 10_001


async def test_a_minute_that_is_booked_for_longer_than_a_lock_is_awaited_is_frozen_after_that(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freezing, "LOCK_REST_S", 0.1)
    monkeypatch.setattr(freezing, "LOCK_TRIES_MAX", 2)
    await world.book(OLDEST + timedelta(hours=12))
    await world.roll_up()
    lane = world.owner.transaction()
    await lane.start()
    await world.owner.execute("SELECT FROM rollups_minute FOR UPDATE")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await world.minutes.drop_day(TODAY)
    monkeypatch.setattr(freezing, "LOCK_TRIES_MAX", 60)
    dropping = asyncio.create_task(world.minutes.drop_day(TODAY))
    await asyncio.sleep(0.5)
    await lane.rollback()
    assert await dropping
    assert await world.parts("day") == {(OLDEST, -2): 1}


async def test_who_was_interrupted_goes_on_at_the_place_that_was_reached(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three hours, one at a time; the third fails once. The day after begins at the beginning."""
    hours = [OLDEST + timedelta(hours=hour) for hour in (1, 2, 3)]
    await world.book(*hours)
    await world.roll_up()
    places: list[freezing.Place] = []
    freeze_next = freezing.freeze_next

    async def failing(pool: Any, until: datetime, place: freezing.Place) -> freezing.Place | None:
        places.append(place)
        if len(places) == 3:
            raise KilledError
        return await freeze_next(pool, until, place)

    monkeypatch.setattr(freezing, "freeze_next", failing)
    monkeypatch.setattr(freezing, "ROWS_MAX", 1)
    with pytest.raises(KilledError):
        await world.minutes.drop_day(TODAY)
    assert await world.minutes.drop_day(TODAY)
    third = ("acme", hours[2])
    assert places == [freezing.FIRST, ("acme", hours[1]), third, third, ("acme", OLDEST + DAY)]
    places.clear()
    assert await world.minutes.drop_day(TODAY)
    assert places == [freezing.FIRST]


async def test_looking_for_the_next_minutes_has_the_time_that_freezing_has(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a day's rows that are gone it takes longer than a session's statements may."""
    await world.book(OLDEST + timedelta(hours=12))
    await world.roll_up()
    name = await world.owner.fetchval("SELECT current_database()")
    await world.owner.execute(f"ALTER DATABASE {name} SET statement_timeout = '500ms'")
    await world.pool.expire_connections()
    slowly = freezing.SQL["next_minutes"].replace("FROM ", "FROM pg_sleep(0.7), ")
    monkeypatch.setitem(freezing.SQL, "next_minutes", slowly)
    assert await world.minutes.drop_day(TODAY)
    assert await world.parts("day") == {(OLDEST, -2): 1}


async def test_two_who_drop_at_once_drop_each_day_once(world: World) -> None:
    await world.book(*(OLDEST + timedelta(hours=12) + n * DAY for n in range(3)))
    await world.roll_up()
    other = MinuteDays(pool=world.pool, meters=Meters(), kept_days=KEPT_DAYS)
    while any(await asyncio.gather(world.minutes.drop_day(TODAY), other.drop_day(TODAY))):
        pass
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
    assert len(days) in (43, 44), "one more where midnight has passed since TODAY"
    assert days == [(OLDEST + n * DAY).date() for n in range(len(days))]
    beyond = OLDEST + len(days) * DAY
    with pytest.raises(asyncpg.CheckViolationError) as refused:
        await world.book(beyond)
    reason = standstill_reason(0, refused.value)
    assert reason.startswith(
        'partition 0: no partition of relation "rollups_minute" found for row; spendmeter migrate'
    )
    async with world.pool.acquire() as connection:
        await connection.execute("SELECT make_minutes($1)", beyond.date())
    await world.book(beyond)
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
            "SELECT let_minutes_go(date_trunc('day', now()) - interval '30 days')",
            "SELECT let_minutes_go(now() - interval '40 days')",
            "SELECT drop_minutes(date_trunc('day', now()) - interval '40 days')",
            "SELECT * FROM take_minutes('acme', now() - interval '40 days', now() - interval '39 days')",
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
