"""The book by the month of its recording: days never go back, months are there before they are needed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import asyncpg
import pytest

from services.ledger.book import prepare
from services.ledger.months import Months
from services.ledger.refusals import standstill_reason
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from tests.databases import SECRET, migrated_database
from tests.ledger.test_book import begin, book_all
from tests.ledger_records import rated, usage_event

MONTHS = "SELECT array_agg(m ORDER BY m) FROM entries_months() AS m"


def today() -> date:
    return datetime.now(UTC).date()


async def test_an_entry_and_its_identity_are_of_the_day_on_which_they_were_recorded_not_of_the_events(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=380)
    before = today()
    await book_all(ledger, await begin(owner), rated(usage_event("late", time=long_ago), 0))
    row = await owner.fetchrow(
        "SELECT e.recorded_on, i.recorded_on, i.claimed_on, p.recorded_on, e.tableoid::regclass::text AS part "
        "FROM entries e JOIN identities i USING (identity), positions p"
    )
    *days, part = row
    assert len(set(days)) == 1
    assert before <= days[0] <= today()
    assert part == f"recorded.entries_{days[0]:%Y%m}"


async def test_a_clock_that_steps_back_takes_no_partition_back_to_an_earlier_day(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    progress, other = await begin(owner), await begin(owner, partition=1)
    await owner.execute("UPDATE positions SET recorded_on = $1 WHERE partition = 0", tomorrow)
    progress = (await book_all(ledger, progress, rated(usage_event("a"), 0))).progress
    await book_all(ledger, progress, rated(usage_event("b"), 1))
    await book_all(ledger, other, rated(usage_event("c"), 0, partition=1))
    days = await owner.fetch("SELECT origin_partition, recorded_on FROM entries ORDER BY 1, origin_offset")
    assert [tuple(day) for day in days[:2]] == [(0, tomorrow), (0, tomorrow)]
    assert days[2]["recorded_on"] < tomorrow
    moved = await owner.fetch("SELECT recorded_on FROM positions ORDER BY partition")
    assert moved[0][0] == tomorrow > moved[1][0]
    claimed = await owner.fetch("SELECT claimed_on FROM identities WHERE origin_partition = 0")
    assert [row[0] for row in claimed] == [tomorrow, tomorrow], (
        "a claim of long ago would be forgotten at once"
    )


async def test_what_a_slow_clock_of_the_database_would_record_a_month_too_early_is_found_where_readers_look(
    owner: asyncpg.Connection, ledger: asyncpg.Connection
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=6)  # minutes have parts for seven
    await book_all(ledger, await begin(owner), rated(usage_event("ahead", time=ahead), 0))
    found = "SELECT count(*) FROM entries WHERE recorded_on >= recorded_from($1) AND occurred_at = $1"
    at = await owner.fetchval("SELECT occurred_at FROM entries")
    assert await owner.fetchval(found, at) == 1
    assert await owner.fetchval("SELECT bool_and(e.recorded_on = i.recorded_on) FROM entries e, identities i")


@pytest.mark.parametrize(
    ("at", "month"),
    [
        ("2026-11-15T12:00Z", date(2026, 11, 1)),
        ("2026-12-01T23:59:59Z", date(2026, 11, 1)),
        ("2026-12-02T00:00Z", date(2026, 12, 1)),
        ("infinity", date.max),
        ("-infinity", date.min),
    ],
)
async def test_nothing_is_recorded_a_day_before_it_happened(
    owner: asyncpg.Connection, at: str, month: date
) -> None:
    assert await owner.fetchval("SELECT recorded_from($1::text::timestamptz)", at) == month


async def test_the_ledger_makes_the_months_ahead_once_and_may_not_make_more(
    owner_url: str,
) -> None:
    database = await migrated_database(owner_url, "months")
    owner = await asyncpg.connect(database)
    pool = await asyncpg.create_pool(role_url(database, "ledger", SECRET), min_size=1, max_size=1)
    months = Months(pool=pool, meters=Meters())
    try:
        made = await owner.fetchval(MONTHS)
        assert made[0] <= today() < made[1]
        assert timedelta(days=365) < made[-1] + timedelta(days=31) - today()
        for month in made[3:]:
            await owner.execute(f"DROP TABLE recorded.entries_{month:%Y%m}")
        await months.look()
        await months.look()
        assert await owner.fetchval(MONTHS) == made
        with pytest.raises(asyncpg.RaiseError, match="13 ahead at most"):
            await pool.execute("SELECT make_months($1)", today() + timedelta(days=401))
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(f"DROP TABLE recorded.entries_{made[0]:%Y%m}")
    finally:
        await pool.close()
        await owner.close()


async def test_a_month_that_is_missing_stops_the_line_by_name_and_books_nothing(owner_url: str) -> None:
    database = await migrated_database(owner_url, "no_month")
    owner = await asyncpg.connect(database)
    ledger = await asyncpg.connect(role_url(database, "ledger", SECRET))
    try:
        await prepare(ledger)
        progress = await begin(owner)
        await owner.execute(f"DROP TABLE recorded.entries_{today():%Y%m}")
        with pytest.raises(asyncpg.CheckViolationError) as refused:
            await book_all(ledger, progress, rated(usage_event("a"), 0))
        said = standstill_reason(0, refused.value)
        assert said == (
            'partition 0: no partition of relation "entries" found for row; spendmeter migrate makes it, and the '
            "line goes on"
        )
        assert await owner.fetchval("SELECT count(*) FROM identities") == 0
    finally:
        await ledger.close()
        await owner.close()


@pytest.mark.parametrize("part", ["entries", "identities"])
async def test_no_role_reaches_a_part_but_through_the_whole(
    owner: asyncpg.Connection, ledger: asyncpg.Connection, part: str
) -> None:
    names = await owner.fetchval(
        "SELECT array_agg(inhrelid::regclass::text) FROM pg_inherits WHERE inhparent = $1::text::regclass",
        part,
    )
    assert len(names) >= 13
    for name in (names[0], names[-1]):
        for statement in (f"SELECT FROM {name}", f"INSERT INTO {name} DEFAULT VALUES"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await ledger.execute(statement)
