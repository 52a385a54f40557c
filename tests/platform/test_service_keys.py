"""The key that our own services send with: derived, never stored, and revocable."""

from __future__ import annotations

import asyncpg
import pytest

from spendmeter.platform.keys import parse_key, revoke_key
from spendmeter.platform.service_keys import ACCRUALS, apply_service_keys, key_id, service_key
from tests.databases import migrated_database


@pytest.fixture(scope="module")
async def owner(owner_url: str) -> asyncpg.Connection:
    return await asyncpg.connect(await migrated_database(owner_url, "service_keys"))


def test_its_text_is_a_keys_and_follows_the_secret_while_its_id_does_not() -> None:
    one, other = (parse_key(service_key(secret, ACCRUALS)) for secret in ("a", "b"))
    assert one is not None and other is not None
    assert one.key_id == other.key_id == key_id(ACCRUALS)
    assert one.secret_sha256 != other.secret_sha256
    assert service_key("a", ACCRUALS) == service_key("a", ACCRUALS) != service_key("a", "another")


async def test_series_of_accruals_are_told_by_the_same_id(owner: asyncpg.Connection) -> None:
    said = await owner.fetchval("SELECT pg_get_functiondef('accrual_series(text)'::regprocedure)")
    assert f"'{key_id(ACCRUALS)}'" in said


async def test_migrate_puts_it_there_once_with_todays_secret_and_leaves_a_revoked_one_revoked(
    owner: asyncpg.Connection,
) -> None:
    for secret in ("a", "a", "b"):
        await apply_service_keys(owner, secret)
        parsed = parse_key(service_key(secret, ACCRUALS))
        (row,) = await owner.fetch("SELECT * FROM api_keys")
        assert parsed is not None and row["secret_sha256"] == parsed.secret_sha256
    assert (row["tenant"], row["scopes"], row["trust_reported_cost"]) == ("", ["ingest"], True)
    assert await revoke_key(owner, key_id(ACCRUALS))
    await apply_service_keys(owner, "c")
    assert await owner.fetchval("SELECT revoked_at FROM api_keys") is not None
    await owner.close()
