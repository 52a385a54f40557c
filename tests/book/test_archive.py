"""A month of the book goes into a file and comes back, on a real Postgres; what is missing meanwhile says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from services.corrector.in_force import read_archived
from services.ledger.forgetting import Forgetting
from spendmeter.book.archive import Refused, archive, attach, read_months
from spendmeter.book.archive_file import BadArchive, read_manifest, read_rows
from spendmeter.platform.roles import role_url
from spendmeter.platform.telemetry import Meters
from spendmeter.verify.archived import put_beside
from tests.databases import SECRET, migrated_database

THIS = datetime.now(UTC).date().replace(day=1)
LAST = (THIS - timedelta(days=1)).replace(day=1)
BEFORE = (LAST - timedelta(days=1)).replace(day=1)
FILL = """
WITH made AS (
    SELECT decode(md5(n::text), 'hex') AS identity, n,
        ($1::date + n % 28) AS day FROM generate_series(0, 59) AS n
), claimed AS (
    INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset, recorded_on, claimed_on)
    SELECT identity, day::timestamptz, '', n % 3, n, day, day FROM made
)
INSERT INTO entries (recorded_on, recorded_at, occurred_at, origin_offset, origin_partition, catalog_version,
    accounting_period, seq, identity, series_id, tenant, status, currency, list, contracted, effective, event, lines,
    correction_id)
SELECT CASE seq WHEN 0 THEN day ELSE $2 END, day::timestamptz + interval '0.000001 s', day, n * 3 + seq,
    CASE seq WHEN 0 THEN n % 3 ELSE -1 END, 1, $1, seq, identity, identity, 'acme', 'priced', 'USD',
    sign * (n + 0.1000), sign * n / 3.0, sign * n, CASE WHEN seq <> 1 THEN 'euro \\u20ac' END,
    CASE WHEN seq <> 1 THEN '[]' END, CASE WHEN seq > 0 THEN 'c' END
FROM made CROSS JOIN (VALUES (0, 1), (1, -1)) AS s (seq, sign) WHERE seq = 0 OR n < 6
"""
"""60 events of a month; six are taken back on another day."""
BOOK = "SELECT count(*), md5(string_agg(e::text, '|' ORDER BY identity, seq)), sum(effective) FROM entries e"


@pytest.fixture
async def database(owner_url: str) -> str:
    return await migrated_database(owner_url, "archive")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner's connection to a book of three months, of which the chain has closed all days."""
    connection = await asyncpg.connect(database, server_settings={"timezone": "UTC"})
    await connection.execute("SELECT make_months($1, $2)", BEFORE, THIS)
    await connection.execute(FILL, BEFORE, LAST)
    await close_through(connection, THIS - timedelta(days=1))
    yield connection
    await connection.close()


async def close_through(owner: asyncpg.Connection, day: date) -> None:
    await owner.execute("UPDATE chain_progress SET closing_through = $1, closed_through = $1", day)


async def put_away(owner: asyncpg.Connection, month: date, folder: Path, *, drop: bool = False) -> None:
    await archive(owner, month, folder, datetime.now(UTC).date(), drop=drop)


@pytest.mark.parametrize("drop", [False, True])
async def test_a_month_comes_back_to_the_last_digit_from_its_table_or_from_its_file_alone(
    owner: asyncpg.Connection, tmp_path: Path, drop: bool
) -> None:
    book = await owner.fetchrow(BOOK)
    await put_away(owner, BEFORE, tmp_path, drop=drop)
    assert await owner.fetchval("SELECT count(*) FROM entries") == 6
    manifest = read_manifest(tmp_path, BEFORE)
    assert manifest.entries == 60 == sum(manifest.days.values())
    rows = [row for some in read_rows(tmp_path / manifest.file) for row in some]
    assert rows == sorted(rows, key=lambda row: (row[6], row[3], row[2], row[7]))
    kept = await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"recorded.entries_{BEFORE:%Y%m}")
    assert kept is not drop
    await attach(owner, BEFORE, tmp_path)
    assert await owner.fetchrow(BOOK) == book
    assert all(each.attached and not each.listed for each in await read_months(owner))


async def test_a_month_goes_only_when_it_is_over_closed_and_the_oldest(
    owner: asyncpg.Connection, tmp_path: Path
) -> None:
    for month, why in ((LAST, "oldest first"), (THIS, "is not over")):
        with pytest.raises(Refused, match=why):
            await put_away(owner, month, tmp_path)
    await close_through(owner, LAST - timedelta(days=2))
    with pytest.raises(Refused, match="not every day"):
        await put_away(owner, BEFORE, tmp_path)
    assert await owner.fetchval("SELECT count(*) FROM archived_months") == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_month_stays_until_all_who_follow_the_book_have_read_it(
    owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Of partition 0 the last entry is at offset 171."""
    await owner.execute("INSERT INTO positions (partition, rated_topic, origin_topic) VALUES (0, 'r', 'o')")
    await owner.execute("INSERT INTO projection_marks VALUES ('cells', 0, 0, 171)")
    with pytest.raises(Refused, match="cells has not read all"):
        await put_away(owner, BEFORE, tmp_path)
    await owner.execute("UPDATE projection_marks SET next_offset = 172")
    await owner.execute("INSERT INTO reservation_marks VALUES ('acme', 0, 0, 172), ('globex', 0, 0, 171)")
    with pytest.raises(Refused, match="reservations has not read all"):
        await put_away(owner, BEFORE, tmp_path)
    await owner.execute("UPDATE reservation_marks SET next_offset = 172")
    await put_away(owner, BEFORE, tmp_path)


async def test_a_month_stays_until_it_is_proved(owner: asyncpg.Connection, tmp_path: Path) -> None:
    """Of partition 0 the last entry is at offset 171. What lies in an account that is closed is never proved."""
    await owner.execute("INSERT INTO positions (partition, rated_topic, origin_topic) VALUES (0, 'r', 'o')")
    await owner.execute(
        "INSERT INTO proved_marks (partition, origin_topic, first_origin, looked, next_origin, looked_at) "
        "VALUES (0, 'o', 0, 200, 171, now())"
    )
    with pytest.raises(Refused, match="the reconciler has not proved all"):
        await put_away(owner, BEFORE, tmp_path)
    assert await owner.fetchval("SELECT count(*) FROM archived_months") == 0
    await owner.execute("UPDATE proved_marks SET next_origin = 172")
    await put_away(owner, BEFORE, tmp_path)


async def test_months_come_back_the_newest_first_and_from_no_file_that_was_changed(
    owner: asyncpg.Connection, tmp_path: Path
) -> None:
    await put_away(owner, BEFORE, tmp_path, drop=True)
    await put_away(owner, LAST, tmp_path)
    with pytest.raises(Refused, match=f"the next is {LAST:%Y-%m}"):
        await attach(owner, BEFORE, tmp_path)
    await attach(owner, LAST, tmp_path)
    file = tmp_path / f"entries_{BEFORE:%Y%m}.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    with pytest.raises(BadArchive, match="not the file that its manifest is about"):
        await attach(owner, BEFORE, tmp_path)


async def test_who_is_interrupted_on_the_way_goes_on(owner: asyncpg.Connection, tmp_path: Path) -> None:
    """Between the list and the table: the month is listed, and part of the book all the same."""
    await put_away(owner, BEFORE, tmp_path)
    listed = await owner.fetchrow("SELECT * FROM archived_months")
    await attach(owner, BEFORE, tmp_path)
    await owner.execute("INSERT INTO archived_months VALUES ($1, $2, $3, $4, $5)", *listed)
    identity = await owner.fetchval("SELECT identity FROM entries LIMIT 1")
    assert await owner.fetchval("SELECT archived_month($1)", identity) is None
    await put_away(owner, BEFORE, tmp_path)
    await put_away(owner, BEFORE, tmp_path, drop=True)
    assert not await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"recorded.entries_{BEFORE:%Y%m}")


async def test_a_table_is_dropped_for_the_file_alone_that_the_book_lists(
    owner: asyncpg.Connection, tmp_path: Path
) -> None:
    """Another folder has a file of the same month, with as many entries, whose manifest is about it."""
    await put_away(owner, BEFORE, tmp_path / "other", drop=False)
    await attach(owner, BEFORE, tmp_path / "other")
    await owner.execute("UPDATE entries SET lines = '[1]' WHERE seq = 0")
    await put_away(owner, BEFORE, tmp_path / "listed")
    with pytest.raises(BadArchive, match="not the file that the book was put into"):
        await put_away(owner, BEFORE, tmp_path / "other", drop=True)
    assert await owner.fetchval("SELECT to_regclass($1) IS NOT NULL", f"recorded.entries_{BEFORE:%Y%m}")


async def test_verify_reads_the_files_beside_the_table_and_will_not_look_without_them(
    owner: asyncpg.Connection, tmp_path: Path
) -> None:
    book = await owner.fetchrow(BOOK.replace("entries e", "public.entries e"))
    await put_away(owner, BEFORE, tmp_path, drop=True)
    with pytest.raises(ValueError, match=f"{BEFORE:%Y-%m}: archived"):
        await put_beside(owner, None)
    assert await put_beside(owner, tmp_path) == 1
    assert await owner.fetchrow(BOOK) == book


async def test_an_event_of_an_archived_month_is_not_corrected_and_its_correction_says_why(
    owner: asyncpg.Connection, database: str, tmp_path: Path
) -> None:
    identities = [row[0] for row in await owner.fetch("SELECT identity FROM identities LIMIT 2")]
    corrector = await asyncpg.connect(role_url(database, "corrector", SECRET))
    try:
        assert await read_archived(corrector, identities) == {}
        await put_away(owner, BEFORE, tmp_path)
        assert await read_archived(corrector, identities) == dict.fromkeys(identities, BEFORE)
    finally:
        await corrector.close()


async def test_identities_are_forgotten_431_days_after_they_were_claimed_and_no_earlier(
    owner: asyncpg.Connection, database: str
) -> None:
    long_ago = datetime.now(UTC).date() - timedelta(days=431)
    await owner.execute("UPDATE identities SET claimed_on = $1 WHERE origin_offset < 20", long_ago)
    await owner.execute(
        "UPDATE identities SET claimed_on = $1 WHERE origin_offset < 7", long_ago - timedelta(days=1)
    )
    pool = await asyncpg.create_pool(role_url(database, "ledger", SECRET), min_size=1, max_size=1)
    try:
        await Forgetting(pool=pool, meters=Meters()).look()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("DELETE FROM identities")
    finally:
        await pool.close()
    assert await owner.fetchval("SELECT min(origin_offset) FROM identities") == 7
    assert await owner.fetchval("SELECT count(*) FROM entries WHERE seq = 0") == 60
