"""The table of entries as it was becomes months, that of identities parts by hash, and back, without losing a row."""

from __future__ import annotations

from pathlib import Path
from shutil import copy

import asyncpg
from pogo_core.migration import read_sql_migration
from pogo_core.util.migrate import apply

from spendmeter.platform.migrate import MIGRATIONS, migrate
from tests.platform.test_minutes_migration import _but
from tests.stack import own_database

BY_MONTH = MIGRATIONS / "0088_by_month.sql"
FILL = """
WITH made AS (
    SELECT decode(md5(n::text), 'hex') AS identity, now() - n * interval '9 hours' AS at, n FROM generate_series(0, 299) AS n
), claimed AS (
    INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset)
    SELECT identity, at - interval '60 days', '', n % 3, n FROM made
), positions AS (
    INSERT INTO positions (partition, rated_topic, origin_topic) SELECT n, '', '' FROM generate_series(0, 2) AS n
)
INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, seq,
    identity, series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id)
SELECT at - interval '60 days', at + seq * interval '1 hour', n, CASE WHEN seq = 0 THEN n % 3 ELSE -1 END, 1, at::date,
    seq, identity, '', 'acme', 'priced', 'USD', sign * n / 3.0, sign * n / 3.0, sign * n / 7.0, CASE WHEN seq <> 1 THEN n::text END,
    CASE WHEN seq <> 1 THEN '[]' END, CASE WHEN seq > 0 THEN 'c' END
FROM made CROSS JOIN (VALUES (0, 1), (1, -1), (2, 1)) AS s (seq, sign) WHERE seq = 0 OR n % 5 = 0
"""
"""300 events recorded within 112 days, 60 days after they happened; a fifth is corrected."""
SAID = """
SELECT count(*) AS rows, md5(string_agg(r::text, '|' ORDER BY r::text)) AS hash FROM (
    SELECT identity, seq, occurred_at, recorded_at, e.origin_offset, e.origin_partition, i.origin_offset, list, effective, event, lines,
        correction_id, hash
    FROM entries e JOIN identities i USING (identity, occurred_at)
) AS r
"""
SHAPE = """
SELECT string_agg(said, E'\\n' ORDER BY said) FROM (
    SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'
    UNION ALL SELECT relname || pg_get_viewdef(oid) FROM pg_class
        WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT conrelid::regclass || conname || pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT concat(table_name, column_name, data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
) AS parts (said)
"""


async def test_every_entry_is_there_after_the_migration_and_after_its_way_back(
    owner_url: str, tmp_path: Path
) -> None:
    url = own_database(owner_url, "by_month")
    server = await asyncpg.connect(owner_url)
    await server.execute(f"CREATE DATABASE {url.rpartition('/')[2]}")
    await server.close()
    for migration in _but(BY_MONTH):
        copy(migration, tmp_path)
    owner = await asyncpg.connect(url)
    try:
        await apply(owner, tmp_path, schema_name="public")
        await owner.execute(FILL)
        before, shape = await owner.fetchrow(SAID), await owner.fetchval(SHAPE)
        assert before["rows"] == 300 + 2 * 60
        copy(BY_MONTH, tmp_path)
        await apply(owner, tmp_path, schema_name="public")
        assert await owner.fetchrow(SAID) == before
        await _is_by_month(owner)
        _, _, forth, back, *_ = read_sql_migration(BY_MONTH)
        async with owner.transaction():
            await back(owner)
        assert await owner.fetchrow(SAID) == before
        assert await owner.fetchval(SHAPE) == shape
        async with owner.transaction():
            await forth(owner)
        assert await owner.fetchrow(SAID) == before
        await _is_by_month(owner)
        await migrate(url, "test")
    finally:
        await owner.close()


async def _is_by_month(owner: asyncpg.Connection) -> None:
    """Each entry is of the day on which it was recorded; claims say where theirs is; days go on from the last."""
    wrong = "SELECT count(*) FROM entries WHERE recorded_on <> (recorded_at AT TIME ZONE 'UTC')::date"
    assert await owner.fetchval(wrong) == 0
    assert await owner.fetchval("SELECT count(DISTINCT tableoid) FROM entries") >= 4
    assert await owner.fetchval("SELECT count(DISTINCT tableoid) FROM identities") == 16
    claims = "SELECT count(*) FROM identities i JOIN entries e USING (recorded_on, occurred_at, identity) WHERE seq = 0 "
    assert await owner.fetchval(claims + "AND i.claimed_on = e.recorded_on") == 300
    last = await owner.fetchval("SELECT max(recorded_on) FROM entries")
    assert {row[0] for row in await owner.fetch("SELECT recorded_on FROM positions")} == {last}
