"""The table of minutes as it was becomes days, and back, without losing a row."""

from __future__ import annotations

from pathlib import Path
from shutil import copy
from typing import Any

import asyncpg
from pogo_core.migration import read_sql_migration
from pogo_core.util.migrate import apply

from spendmeter.platform.migrate import MIGRATIONS, migrate
from tests.stack import own_database

BY_DAY, AFTER = MIGRATIONS / "0028_minutes_by_day.sql", MIGRATIONS / "0030_after_a_restore.sql"
FROZEN = """
INSERT INTO rollups (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted, effective,
    of_which_provisional)
SELECT 'acme', size, bucket::timestamptz, '\\x01', -2, 'USD', 1, 0, 1, 1, 1, 0
FROM (VALUES ('hour', '2026-09-29T10:00Z'), ('hour', '2026-09-30T23:45Z'), ('day', '2026-09-30T18:15Z')) AS r (size, bucket)
"""
"""In Nepal an hour begins at a quarter to: the last one before midnight (UTC) of the 30th."""
FILL = """
INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, version, events, unpriced_events,
    list, contracted, effective, of_which_provisional, usage, input_tokens)
SELECT date_trunc('minute', now(), 'UTC') - n * interval '613 minutes', '2026-11-26', n % 5 - 1, 'tenant' || n % 3,
    decode(lpad(to_hex(n), 4, '0'), 'hex'), 'USD', n, n, n % 2, n, n, n / 3.0, 0,
    CASE WHEN n % 7 = 0 THEN '{"gb_months": 2}'::jsonb END, nullif(n % 4, 0)
FROM generate_series(-10, 989) n
"""
"""1,000 rows from four days ahead to 420 days ago."""
SAID = "SELECT count(*) AS rows, md5(string_agg(r::text, '|' ORDER BY r::text)) AS hash FROM rollups_minute r"


async def test_every_row_of_a_filled_table_is_there_after_the_migration_and_after_its_way_back(
    owner_url: str, tmp_path: Path
) -> None:
    url = own_database(owner_url, "by_day")
    server = await asyncpg.connect(owner_url)
    await server.execute(f"CREATE DATABASE {url.rpartition('/')[2]}")
    await server.close()
    for migration in _but(BY_DAY):
        copy(migration, tmp_path)
    owner = await asyncpg.connect(url)
    try:
        await apply(owner, tmp_path, schema_name="public")
        await owner.execute(FILL)
        before = await owner.fetchrow(SAID)
        assert before["rows"] == 1000
        await migrate(url, "test")
        assert await owner.fetchrow(SAID) == before
        assert await owner.fetchval(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'rollups_minute'::regclass"
        )
        await _is_by_day(owner)
        _, _, forth, back, *_ = read_sql_migration(BY_DAY)
        async with owner.transaction():
            await back(owner)
        assert await owner.fetchrow(SAID) == before
        async with owner.transaction():
            await forth(owner)
        assert await owner.fetchrow(SAID) == before
        await _is_by_day(owner)
    finally:
        await owner.close()


def _but(left_out: Path) -> list[Path]:
    """All migrations but this one, and what needs it, be it by a detour; a number says nothing of that."""
    needs = {
        migration: set(migration.read_text("utf-8").partition("-- depends:")[2].partition("\n")[0].split())
        for migration in sorted(MIGRATIONS.glob("*.sql"))
    }
    out, more = set[str](), {left_out.stem}
    while more:
        out |= more
        more = {each.stem for each, of in needs.items() if not out.isdisjoint(of)} - out
    return [each for each in needs if each.stem not in out]


async def test_since_when_minutes_are_there_is_known_again_after_the_way_back_and_forth(
    owner_url: str,
) -> None:
    """Of what was frozen; where nothing was, all minutes are there."""
    url = own_database(owner_url, "by_day_again")
    await migrate(url, "test")
    owner = await asyncpg.connect(url)
    try:
        await _back_and_forth(owner)
        assert await owner.fetchval("SELECT count(*) FROM minutes_kept") == 0
        await owner.execute(FROZEN)
        await owner.execute("INSERT INTO minutes_kept (since) VALUES ('2026-10-01T00:00Z')")
        await owner.execute("SET timezone = 'America/New_York'")
        await _back_and_forth(owner)
        assert await owner.fetchval("SELECT since = '2026-10-01T00:00Z' FROM minutes_kept")
    finally:
        await owner.close()


async def _back_and_forth(owner: Any) -> None:
    ways = [read_sql_migration(migration) for migration in (AFTER, BY_DAY)]
    async with owner.transaction():
        for _, _, _, back, *_ in ways:
            await back(owner)
        for _, _, forth, *_ in reversed(ways):
            await forth(owner)


async def _is_by_day(owner: Any) -> None:
    """Each row lies in its day's part, or is older than all of them."""
    rows = await owner.fetch(
        "SELECT c.relname AS part, (bucket AT TIME ZONE 'UTC')::date AS day, count(*) AS rows "
        "FROM rollups_minute m JOIN pg_class c ON c.oid = m.tableoid GROUP BY 1, 2"
    )
    oldest = await owner.fetchval("SELECT min(d) FROM minutes_days() AS d")
    assert {row["part"] for row in rows if row["day"] < oldest} == {"earlier"}
    young = [row for row in rows if row["day"] >= oldest]
    assert len(young) > 35
    assert all(row["part"] == f"day_{row['day']:%Y%m%d}" for row in young)
