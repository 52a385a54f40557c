"""The audit log is whole: every table that people change has its trigger, which nobody gets around."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from spendmeter.platform.audited import act_as, audit_rules, audited_tables
from spendmeter.platform.keys import create_key, create_tenant, revoke_key, rotate_key
from spendmeter.platform.roles import SERVICE_ROLES, read_tables, role_url
from tests.databases import SECRET, migrated_database

NEW_CHANNEL = """
INSERT INTO channels (tenant, name, settings)
VALUES ('acme', 'ops', '{"kind": "webhook", "url": "https://hooks.example/tok3n", "secret": "whsec_s3cr3t"}')
"""


@pytest.fixture(scope="module")
async def database(owner_url: str) -> str:
    return await migrated_database(owner_url, "audited")


@pytest.fixture
async def owner(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database)
    await connection.execute("TRUNCATE audit_log, tenants, api_keys, channels, budgets CASCADE")
    yield connection
    await connection.close()


@pytest.fixture
async def api(database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(role_url(database, "api", SECRET))
    yield connection
    await connection.close()


async def log(owner: asyncpg.Connection) -> list[Any]:
    return list(await owner.fetch("SELECT * FROM audit_log ORDER BY number"))


async def test_every_table_that_the_api_may_change_is_audited_or_says_why_not(
    owner: asyncpg.Connection,
) -> None:
    rows = await owner.fetch(
        "SELECT tgrelid::regclass::text AS of, tgenabled FROM pg_trigger WHERE tgname = 'audit'"
    )
    views = {row["viewname"] for row in await owner.fetch("SELECT viewname FROM pg_views")}
    changed = {
        access.table
        for access in read_tables()
        if access.owner == "api" or set(access.privileges["api"]) & set("IUD")
    }
    assert {row["of"] for row in rows} == changed - views - audit_rules().not_audited.keys()
    assert {row["tgenabled"] for row in rows} == {b"O"}
    assert len(rows) > 20


async def test_what_audited_toml_names_is_there(owner: asyncpg.Connection) -> None:
    columns = await owner.fetch(
        "SELECT table_name, array_agg(column_name::text) AS names FROM information_schema.columns "
        "WHERE table_schema = 'public' GROUP BY table_name"
    )
    known = {row["table_name"]: set(row["names"]) for row in columns}
    rules = audit_rules()
    for named in (rules.withheld, rules.moving):
        for table, names in named.items():
            assert table in audited_tables()
            assert set(names) <= known[table], table
    assert rules.not_audited.keys() <= known.keys()
    assert all(len(why) > 10 for why in rules.not_audited.values())


async def test_a_change_says_what_it_was_and_became_and_amounts_keep_every_digit(
    owner: asyncpg.Connection,
) -> None:
    async with owner.transaction():
        await act_as(owner, "command of alice")
        await owner.execute(
            "INSERT INTO budgets (tenant, name, amount, currency, period) VALUES ('acme', 'b', 0.1000000000000000001, 'USD', 'day')"
        )
        await owner.execute("UPDATE budgets SET amount = 2.50, name = 'c'")
        await owner.execute("UPDATE budgets SET name = 'c'")  # it was that already
        await owner.execute("DELETE FROM budgets")
    made, changed, removed = await log(owner)
    assert {row["tenant"] for row in (made, changed, removed)} == {"acme"}
    assert {row["by"] for row in (made, changed, removed)} == {"command of alice"}
    assert [row["act"] for row in (made, changed, removed)] == ["made", "changed", "removed"]
    assert len({row["object_id"] for row in (made, changed, removed)}) == 1
    assert (made["was"], json.loads(made["became"])["amount"]) == (None, "0.1000000000000000001")
    assert json.loads(changed["was"]) == {"amount": "0.1000000000000000001", "name": "b"}
    assert json.loads(changed["became"]) == {"amount": "2.50", "name": "c"}
    assert (json.loads(removed["was"])["amount"], removed["became"]) == ("2.50", None)


async def test_no_secret_and_no_hash_of_one_is_ever_in_it(owner: asyncpg.Connection) -> None:
    await create_tenant(owner, "acme")
    key = await create_key(owner, "acme", ["read"], name="test")
    key_id, secret = key.split("_")[2], key.split("_", 3)[3]
    rotated = await rotate_key(owner, key_id, grace=timedelta(hours=1))
    assert rotated is not None
    await revoke_key(owner, key_id)
    await owner.execute(NEW_CHANNEL)
    await owner.execute(
        "UPDATE channels SET settings = jsonb_set(settings, '{secret}', '\"whsec_0ther\"'), name = 'o'"
    )
    rows = await log(owner)
    text = " ".join(str(dict(row)) for row in rows)
    stored = await owner.fetchrow("SELECT secret_sha256, former_sha256 FROM api_keys")
    pseudonym = await owner.fetchval("SELECT secret FROM pseudonym_keys LIMIT 1")
    for hidden in (
        secret, rotated.split("_", 3)[3], stored[0].hex(), stored[1].hex(), pseudonym.hex(), "s3cr3t", "tok3n", "0ther",
    ):  # fmt: skip
        assert hidden not in text
    [made, turned, revoked] = [row for row in rows if row["object"] == "api_keys"]
    assert (made["object_id"], made["withheld"]) == (key_id, ["secret_sha256"])
    assert turned["withheld"] == ["former_sha256", "secret_sha256"]
    assert list(json.loads(revoked["became"])) == ["revoked_at"]
    assert [row["withheld"] for row in rows if row["object"] == "channels"] == [["settings"]] * 2


async def test_a_change_that_does_not_say_by_whom_is_not_made(
    owner: asyncpg.Connection, api: asyncpg.Connection
) -> None:
    await owner.execute(NEW_CHANNEL)
    for actor in ("", None):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="by whom"):
            async with api.transaction():
                await api.execute("SELECT set_config('app.tenant', 'acme', true)")
                if actor is not None:
                    await act_as(api, actor)
                await api.execute("UPDATE channels SET name = 'x'")
    assert await owner.fetchval("SELECT name FROM channels") == "ops"
    assert len(await log(owner)) == 1


async def test_what_is_not_committed_is_not_logged_and_what_is_committed_cannot_be_without_its_row(
    owner: asyncpg.Connection, api: asyncpg.Connection
) -> None:
    await owner.execute(NEW_CHANNEL)
    transaction = api.transaction()
    await transaction.start()
    await api.execute(
        "SELECT set_config('app.tenant', 'acme', true), set_config('app.actor', 'key k1', true)"
    )
    await api.execute("UPDATE channels SET name = 'x'")
    assert await api.fetchval("SELECT by FROM audit_log ORDER BY number DESC LIMIT 1") == "key k1"
    await transaction.rollback()
    assert [row["act"] for row in await log(owner)] == ["made"]
    async with owner.transaction():
        await owner.execute("ALTER TABLE audit_log ADD CONSTRAINT full_disk CHECK (act <> 'changed')")
        with pytest.raises(asyncpg.CheckViolationError):
            async with owner.transaction():
                await owner.execute("UPDATE channels SET name = 'x'")
        assert await owner.fetchval("SELECT name FROM channels") == "ops"
        await owner.execute("ALTER TABLE audit_log DROP CONSTRAINT full_disk")


async def test_a_service_and_the_owner_say_who_they_are_without_being_asked(
    owner: asyncpg.Connection, database: str
) -> None:
    await owner.execute(NEW_CHANNEL)
    alerts = await asyncpg.connect(role_url(database, "alerts", SECRET))
    await alerts.execute("UPDATE channels SET failures = 1, last_error = 'HTTP 500'")  # nobody's act
    await alerts.execute("UPDATE channels SET disabled_at = now(), disabled_reason = 'failed for 3 days'")
    await alerts.close()
    made, disabled = await log(owner)
    assert made["by"].startswith("database ")
    assert disabled["by"] == "service alerts"
    assert json.loads(disabled["became"])["disabled_reason"] == "failed for 3 days"


async def test_a_long_value_is_cut_and_can_be_known_again(owner: asyncpg.Connection) -> None:
    await owner.execute(
        "INSERT INTO catalog_proposals (tenant, name, note, entries, review, proposed_by) "
        "VALUES ('acme', 'n', 'o', repeat('x', 5000000), '{}', 'key k1')"
    )
    [row] = await log(owner)
    entries = json.loads(row["became"])["entries"]
    assert len(entries) < 1200
    assert entries.startswith("x" * 1000 + "... (5000000 characters, sha256 ")


@pytest.mark.parametrize("role", SERVICE_ROLES)
async def test_no_service_writes_changes_or_removes_a_row_of_the_log(database: str, role: str) -> None:
    connection = await asyncpg.connect(role_url(database, role, SECRET))
    try:
        for statement in (
            "INSERT INTO audit_log (tenant, by, object, object_id, act) VALUES ('acme', 'x', 'y', 'z', 'made')",
            "UPDATE audit_log SET by = 'somebody else'",
            "DELETE FROM audit_log",
            "TRUNCATE audit_log",
            "ALTER TABLE channels DISABLE TRIGGER audit",
            "DROP TRIGGER audit ON channels",
            "SET session_replication_role = replica",
            "SELECT audit_shown('{}', '{}', '{}')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()
